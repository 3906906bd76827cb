// SPDX-License-Identifier: Apache-2.0
// Loading of rule files: every key's refusals, then its acceptance. What the keys do is in evaluate_test.cpp.
#include "policy/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/rule_data.h"

namespace ptygate::policy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

PeopleFacts people() {
  PeopleFacts facts;
  facts.people = {{"alice", {"ops", "dba"}, true}, {"bob", {"ops"}, true}, {"carol", {}, true}, {"dave", {"ops"}, false}};
  facts.owner_of_agent = {{"deploy-bot", "bob"}, {"data-bot", "alice"}};
  return facts;
}

std::string errorOf(const std::string& text) {
  const auto rules = RuleSet::load(text, "policy.toml", Catalog::builtin(), people());
  return rules ? "(accepted)" : rules.error();
}

std::string allowRule(const std::string& keys) {
  return "[[rule]]\nname = \"r\"\nverdict = \"allow\"\n" + keys + "\n";
}
std::string holdRule(const std::string& keys) {
  return "[[rule]]\nname = \"r\"\nverdict = \"hold\"\n" + keys + "\n";
}
std::string denyRule(const std::string& keys) {
  return "[[rule]]\nname = \"r\"\nverdict = \"deny\"\n" + keys + "\n";
}

std::shared_ptr<const RuleSet> load(const std::string& text) {
  auto rules = RuleSet::load(text, "policy.toml", Catalog::builtin(), people());
  if (!rules) {
    ADD_FAILURE() << rules.error();
    std::abort();
  }
  return *rules;
}
const Rule& onlyRule(const std::shared_ptr<const RuleSet>& rules) {
  return rules->data().rules.at(0);
}

TEST(RuleFile, NamesFileLineAndNearestKeyOfAnUnknownKey) {
  EXPECT_THAT(errorOf(allowRule("effects = [\"read\"]\nadvise = \"x\"")),
              AllOf(HasSubstr("policy.toml:5:"), HasSubstr("advise"), HasSubstr("advice")));
  EXPECT_THAT(errorOf("[default]\nunmatched = \"hold\"\n"), AllOf(HasSubstr("policy.toml:1:"), HasSubstr("defaults")));
  EXPECT_THAT(errorOf("[defaults]\nunmached = \"hold\"\n"), AllOf(HasSubstr("policy.toml:2:"), HasSubstr("unmatched")));
  EXPECT_THAT(errorOf("[[rule\n"), HasSubstr("policy.toml:1:"));
}

TEST(RuleFile, RefusesKeysThatNothingEnforcesYet) {
  for (const char* key : {"serialize = \"target\"", "cwd = \"/srv\"", "bind = \"certificate\"", "per_minute = 3", "session_age = \"1h\"",
                          "external = \"opa\"", "windows = []", "runtime = true", "max_effects = []"}) {
    EXPECT_THAT(errorOf(holdRule(key)), AllOf(HasSubstr("policy.toml:4:"), HasSubstr("not supported yet"))) << key;
  }
}

struct Refusal {
  const char* text;
  const char* says;
};

TEST(Defaults, RefuseAllowAndWhatIsNoUnit) {
  for (const Refusal& row :
       {Refusal{"unmatched = \"allow\"", "refused as a default"}, Refusal{"opaque = \"allow\"", "refused as a default"},
        Refusal{"unmatched = \"ask\"", "none of \"hold\", \"deny\""}, Refusal{"answer_within = \"50\"", "has no unit"},
        Refusal{"answer_within = 50", "string"}, Refusal{"expires = \"0s\"", "is zero"}, Refusal{"expires = \"5 minutes\"", "or \"none\""},
        Refusal{"on_timeout = \"allow\"", "only end"}, Refusal{"on_timeout = \"escalate\"", "not supported yet"}}) {
    EXPECT_THAT(errorOf(std::string("[defaults]\n") + row.text + "\n"), AllOf(HasSubstr("policy.toml:2:"), HasSubstr(row.says)))
        << row.text;
  }
}

TEST(Defaults, AreHoldAndTheDocumentedTimes) {
  const auto rules = load("");
  EXPECT_EQ(rules->data().defaults.unmatched, Verdict::Hold);
  EXPECT_EQ(rules->data().defaults.opaque, Verdict::Hold);
  EXPECT_EQ(rules->data().defaults.answer_within, std::chrono::seconds(50));
  EXPECT_EQ(rules->data().defaults.expires, std::chrono::minutes(5));
  const auto changed =
      load("[defaults]\nunmatched = \"deny\"\nopaque = \"deny\"\nanswer_within = \"none\"\nexpires = \"1h\"\non_timeout = \"expire\"\n");
  EXPECT_EQ(changed->data().defaults.unmatched, Verdict::Deny);
  EXPECT_EQ(changed->data().defaults.opaque, Verdict::Deny);
  EXPECT_EQ(changed->data().defaults.answer_within, std::nullopt);
  EXPECT_EQ(changed->data().defaults.expires, std::chrono::hours(1));
}

TEST(RuleKeys, RefuseWhatIsOutOfTheirRange) {
  for (const Refusal& row : {
           Refusal{"[[rule]]\nverdict = \"hold\"\n", "the key name is missing"},
           Refusal{"[[rule]]\nname = \"r\"\n", "the key verdict is missing"},
           Refusal{"[[rule]]\nname = \"\"\nverdict = \"hold\"\n", "1 to 80 bytes"},
           Refusal{"[[rule]]\nname = \"(opaque)\"\nverdict = \"hold\"\n", "gate's own"},
           Refusal{"[[rule]]\nname = \"a\\u202eb\"\nverdict = \"hold\"\n", "plain text"},
           Refusal{"[[rule]]\nname = \"r\"\nverdict = \"ask\"\n", "none of \"allow\", \"hold\", \"deny\""},
           Refusal{"[[rule]]\nname = \"r\"\nverdict = \"hold\"\n[[rule]]\nname = \"r\"\nverdict = \"deny\"\n", "another rule has the name"},
       })
    EXPECT_THAT(errorOf(row.text), HasSubstr(row.says)) << row.text;
  for (const Refusal& row : {
           Refusal{"agents = []", "matches nothing"},
           Refusal{"agents = \"a\"", "agents"},
           Refusal{"agents = [\"\"]", "empty"},
           Refusal{"targets = [\"=prod\"]", "label=value"},
           Refusal{"targets = [\"web[12]\"]", "only * and ?"},
           Refusal{"logins = []", "matches nothing"},
           Refusal{"labels = {}", "says nothing"},
           Refusal{"labels = { env = 1 }", "env"},
           Refusal{"context = []", "matches nothing"},
           Refusal{"context = [\"data:psql\"]", "not supported yet"},
           Refusal{"context = [\"pty\"]", "none of \"exec\""},
           Refusal{"intent = \"required\"", "intent"},
           Refusal{"argv = []", "1 to 64 words"},
           Refusal{"argv = [\"{name}\"]", "first word is the program's name"},
           Refusal{"argv = [\"/usr/bin/git\"]", "without its directory"},
           Refusal{"argv = [\"{oneof:git|bin/x}\"]", "without its directory"},
           Refusal{"argv = [\"git\", \"{what}\"]", "unknown placeholder"},
           Refusal{"programs = []", "matches nothing"},
           Refusal{"programs = [\"/bin/rm\"]", "plain program names"},
           Refusal{"effects = [\"reed\"]", "did you mean \"read\"?"},
           Refusal{"effects_any = [\"destruction\"]", "unknown effect"},
           Refusal{"effects_any = []", "matches nothing"},
           Refusal{"sudo = \"yes\"", "sudo"},
           Refusal{"approvals = 0", "1 to 10"},
           Refusal{"approvals = 11", "1 to 10"},
           Refusal{"approvals = 4", "only 3 may review"},
           Refusal{"reviewers = []", "nobody"},
           Refusal{"reviewers = [\"mallory\"]", "no person who may review is \"mallory\""},
           Refusal{"reviewers = [\"dave\"]", "no person who may review is \"dave\""},
           Refusal{"reviewers = [\"role=root\"]", "role=root"},
           Refusal{"reviewers = [\"role=dba\"]\napprovals = 2", "only 1 may review"},
           Refusal{"reviewers = [\"role=ops\"]\napprovals = 2\nnot_owner = true", "the owner of agent"},
           Refusal{"remember = \"always\"", "none of \"never\", \"offer\""},
           Refusal{"expires = \"5\"", "has no unit"},
           Refusal{"answer_within = \"soon\"", "or \"none\""},
           Refusal{"advice = \"a\\nb\"", "one line"},
           Refusal{"stdin = \"code\"", "none of \"none\""},
           Refusal{"record = \"none\"", "none of \"full\", \"hash\""},
           Refusal{"retry = \"change-and-retry\"", "belongs to deny rules"},
           Refusal{"anything = true", "belongs to allow rules"},
           Refusal{"redirect = [\"write:/tmp/**\"]", "belongs to allow rules"},
       })
    EXPECT_THAT(errorOf(holdRule(row.text)), AllOf(HasSubstr("policy.toml:"), HasSubstr(row.says))) << row.text;
}

TEST(AllowRule, IsRefusedWithoutWordsOrEffects) {
  for (const Refusal& row : {
           Refusal{"", "needs argv or effects"},
           Refusal{"agents = [\"a\"]", "needs argv or effects"},
           Refusal{"programs = [\"git\"]", "needs argv or effects"},
           Refusal{"sudo = true", "needs argv or effects"},
           Refusal{"effects_any = [\"read\"]", "an allow rule needs effects"},
           Refusal{"argv = [\"git\", \"log\", \"{flags}*\"]", "{flags}* needs effects"},
           Refusal{"anything = false", "write true"},
           Refusal{"anything = true\neffects = [\"read\"]", "already matches every command"},
           Refusal{"effects = [\"read\"]\napprovals = 2", "belongs to hold rules"},
           Refusal{"effects = [\"read\"]\nexpires = \"5m\"", "belongs to hold rules"},
           Refusal{"effects = [\"read\"]\nadvice = \"x\"", "hold and deny rules"},
           Refusal{"effects = [\"read\"]\nredirect = [\"write:/tmp/**\"]", "belongs to argv"},
           Refusal{"argv = [\"a\"]\nredirect = [\"append:/tmp/x\"]", "none of \"read:GLOB\""},
           Refusal{"argv = [\"a\"]\nredirect = [\"write:tmp/x\"]", "absolute"},
       })
    EXPECT_THAT(errorOf(allowRule(row.text)), HasSubstr(row.says)) << row.text;
}

TEST(DenyRule, IsRefusedWithKeysOfThingsThatRun) {
  EXPECT_THAT(errorOf(denyRule("stdin = \"stream\"")), HasSubstr("nothing runs under a deny rule"));
  EXPECT_THAT(errorOf(denyRule("approvals = 2")), HasSubstr("belongs to hold rules"));
  EXPECT_THAT(errorOf(denyRule("retry = \"again\"")), HasSubstr("none of \"stop-and-report\""));
}

TEST(RuleTests, MakeAFileFailThatDoesNotDoWhatItSays) {
  EXPECT_THAT(errorOf(allowRule("effects = [\"read\"]\nmatch = [\"rm -rf /x\"]")),
              AllOf(HasSubstr("policy.toml:5:"), HasSubstr("does not match"), HasSubstr("effects beyond")));
  EXPECT_THAT(errorOf(allowRule("effects = [\"read\"]\nno_match = [\"ls\"]")), HasSubstr("matches its own test line \"ls\""));
  EXPECT_THAT(errorOf(allowRule("effects = [\"read\"]\nmatch = [\"eval ls\"]")), HasSubstr("the line is opaque"));
  EXPECT_THAT(errorOf(denyRule("programs = [\"rm\"]\nno_match = [\"ls && /tmp/rm x\"]")), HasSubstr("matches its own test line"));
  EXPECT_EQ(errorOf(allowRule("effects = [\"read\"]\nmatch = [\"ls\"]\nno_match = [\"rm x\"]")), "(accepted)");
  EXPECT_EQ(errorOf(holdRule("argv = [\"systemctl\", \"restart\", \"{unit}\"]\nmatch = [\"sudo systemctl restart nginx\"]\nno_match = "
                             "[\"systemctl stop nginx\"]")),
            "(accepted)");
}

TEST(RuleKeys, AreAllReadFromOneHoldRule) {
  const auto rules = load(holdRule(R"(agents = ["deploy-*"]
targets = ["web1", "env=prod"]
logins = ["deploy"]
labels = { role = "web" }
context = ["exec", "shell", "sftp", "forward"]
intent = true
argv = ["git", "push", "{branch}"]
programs = ["git"]
effects = ["read", "network"]
effects_any = ["network"]
sudo = false
approvals = 2
reviewers = ["role=ops", "carol"]
not_owner = true
remember = "never"
answer_within = "none"
expires = "15m"
advice = "ask first"
stdin = "hold"
record = "hash"
)"));
  const Rule& rule = onlyRule(rules);
  EXPECT_EQ(rule.agents.size() + rule.targets.size() + rule.logins.size() + rule.labels.size() + rule.contexts.size(), 9U);
  EXPECT_EQ(rule.intent, true);
  EXPECT_EQ(rule.argv.size(), 3U);
  EXPECT_EQ(rule.sudo, false);
  EXPECT_EQ(rule.approvals, 2);
  EXPECT_THAT(rule.eligible, ::testing::ElementsAre("alice", "bob", "carol"));
  EXPECT_TRUE(rule.not_owner);
  EXPECT_FALSE(rule.remember);
  EXPECT_EQ(rule.answer_within, std::optional<Patience>(Patience{}));
  EXPECT_EQ(rule.expires, std::optional<Patience>(std::chrono::minutes(15)));
  EXPECT_EQ(rule.stdin_rule, StdinRule::Hold);
  EXPECT_TRUE(rule.record_hash);
}

TEST(RuleSet, NamesItsBytesAndWarnsOfWhatIsDangerous) {
  EXPECT_NE(load("")->hash(), load("\n")->hash());
  EXPECT_FALSE(load(allowRule("effects = [\"read\"]"))->hasLaboratoryAllow());
  EXPECT_TRUE(load(allowRule("effects = [\"read\"]"))->warnings().empty());
  const auto laboratory = load(allowRule("anything = true"));
  EXPECT_TRUE(laboratory->hasLaboratoryAllow());
  EXPECT_THAT(laboratory->warnings(), ::testing::ElementsAre(HasSubstr("UNSAFE")));
  EXPECT_THAT(load(allowRule("effects = [\"read\", \"unknown\"]"))->warnings(), ::testing::ElementsAre(HasSubstr("unknown")));
  EXPECT_THAT(load(allowRule("argv = [\"echo\", \"{runtime}\"]"))->warnings(), ::testing::ElementsAre(HasSubstr("{runtime}")));
}

}  // namespace
}  // namespace ptygate::policy
