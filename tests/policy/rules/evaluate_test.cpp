// SPDX-License-Identifier: Apache-2.0
// Decisions: precedence, coverage, obligations, what auto-allow rests on, standard input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/explain.h"
#include "policy/rules.h"
#include "support.h"

namespace ptygate::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::workAccount;

PeopleFacts people() {
  PeopleFacts facts;
  facts.people = {{"alice", {"ops"}, true}, {"bob", {"ops", "dba"}, true}, {"carol", {}, true}};
  return facts;
}

std::shared_ptr<const RuleSet> load(const std::string& text) {
  auto rules = RuleSet::load(text, "policy.toml", Catalog::builtin(), people());
  if (!rules) {
    ADD_FAILURE() << rules.error() << "\n" << text;
    std::abort();
  }
  return *rules;
}

Request requestOf(std::string command) {
  Request request;
  request.agent = "deploy-bot";
  request.target = "web1";
  request.login = "root";
  request.labels = {{"env", "staging"}};
  request.command = std::move(command);
  request.account = workAccount();
  return request;
}

Decision decide(const std::string& rules, const Request& request) {
  return evaluate(*load(rules), Catalog::builtin(), request, WallTime{});
}
Decision decide(const std::string& rules, const std::string& line) {
  return decide(rules, requestOf(line));
}
std::string_view verdictOf(const std::string& rules, const std::string& line) {
  return nameOf(decide(rules, line).verdict);
}

const std::string kReads = "[[rule]]\nname = \"reads\"\nverdict = \"allow\"\neffects = [\"read\"]\n";
std::string rule(const std::string& name, const std::string& verdict, const std::string& keys) {
  return "[[rule]]\nname = \"" + name + "\"\nverdict = \"" + verdict + "\"\n" + keys + "\n";
}

TEST(Evaluate, HoldsWhatNoRuleCovers) {
  const Decision decision = decide("", "ls");
  EXPECT_EQ(decision.verdict, Verdict::Hold);
  EXPECT_EQ(decision.rule, "(unmatched)");
  EXPECT_THAT(decision.reason, HasSubstr("no rule allows command 1 (ls: read)"));
  EXPECT_EQ(decision.approvals, 1);
  EXPECT_EQ(decision.answer_within, std::chrono::seconds(50));
  EXPECT_EQ(decision.form, SendForm::Raw);
  EXPECT_EQ(decide("[defaults]\nunmatched = \"deny\"\n", "ls").verdict, Verdict::Deny);
}

TEST(Evaluate, NeverAllowsAnOpaqueLine) {
  for (const char* line : {"eval ls", "ls <(cat x)", "ls \x01", "bash -s", "ls; echo \"${x:-y}\"", "", "   ", "# only a comment"}) {
    const Decision decision =
        decide(kReads + rule("all", "allow", "effects = [\"read\", \"unknown\", \"exec\", \"write\", \"env\"]"), line);
    EXPECT_NE(decision.verdict, Verdict::Allow) << line;
  }
  const Decision decision = decide(kReads, "eval ls");
  EXPECT_EQ(decision.rule, "(opaque)");
  EXPECT_EQ(decision.verdict, Verdict::Hold);
  EXPECT_EQ(decide(kReads + "[defaults]\nopaque = \"deny\"\n", "eval ls").verdict, Verdict::Deny);
}

TEST(Evaluate, AllowsOnlyWhenEveryCommandIsCovered) {
  EXPECT_EQ(verdictOf(kReads, "ls"), "allow");
  EXPECT_EQ(verdictOf(kReads, "git log --oneline | head -5"), "allow");
  EXPECT_EQ(verdictOf(kReads, "ls; rm -rf x"), "hold");
  EXPECT_EQ(verdictOf(kReads, "ls && rm x || true"), "hold");
  EXPECT_EQ(verdictOf(kReads, "ls $(rm x)"), "hold");
  EXPECT_EQ(verdictOf(kReads, "ls | tee /etc/motd"), "hold");
  EXPECT_EQ(verdictOf(kReads, "ls > /etc/motd"), "hold");
  EXPECT_EQ(verdictOf(kReads, "cat /etc/shadow"), "hold");
  EXPECT_EQ(verdictOf(kReads, "ls\nrm x"), "hold");
  EXPECT_EQ(verdictOf(kReads, "./ls"), "hold");
  EXPECT_EQ(verdictOf(kReads, "/tmp/ls"), "hold");
  EXPECT_EQ(verdictOf(kReads, "nosuchprogram"), "hold");
  EXPECT_EQ(verdictOf(kReads, "LD_PRELOAD=/tmp/x ls"), "hold");
  EXPECT_EQ(verdictOf(kReads, "timeout 5 ls"), "allow");
  EXPECT_EQ(verdictOf(kReads, "timeout 5 rm x"), "hold");
}

TEST(Evaluate, SeveralRulesMayCoverOneLine) {
  const std::string rules = kReads + rule("restart", "allow", "argv = [\"systemctl\", \"restart\", \"{unit}\"]");
  const Decision decision = decide(rules, "ls && systemctl restart nginx");
  EXPECT_EQ(decision.verdict, Verdict::Allow);
  EXPECT_THAT(decision.reason, HasSubstr("\"reads\", \"restart\""));
}

TEST(Evaluate, DenyWinsOverHoldAndAllow) {
  const std::string rules = rule("hold", "hold", "effects_any = [\"destructive\"]") +
                            rule("allow", "allow", "effects = [\"read\", \"write\", \"destructive\"]") +
                            rule("no rm", "deny", "programs = [\"rm\"]\nadvice = \"use trash\"\nretry = \"change-and-retry\"");
  const Decision decision = decide(rules, "ls; sudo rm -rf x");
  EXPECT_EQ(decision.verdict, Verdict::Deny);
  EXPECT_EQ(decision.rule, "no rm");
  EXPECT_EQ(decision.advice, "use trash");
  EXPECT_TRUE(decision.may_change_and_retry);
  EXPECT_FALSE(decide(rule("x", "deny", "programs = [\"rm\"]"), "rm x").may_change_and_retry);
  for (const char* line : {"/tmp/rm x", "timeout 5 rm x", "ls $(rm x)", "rm x > /dev/null", "a=1 rm x"})
    EXPECT_EQ(verdictOf(rules, line), "deny") << line;
}

TEST(Evaluate, DenyAndHoldCountRuntimeWordsAsWhatWouldMatch) {
  const std::string rules = kReads + rule("no stop", "deny", "argv = [\"systemctl\", \"stop\", \"{unit}\"]");
  for (const char* line : {"systemctl stop \"$(cat f)\"", "systemctl stop $(cat f)", "systemctl $(cat f)", "systemctl $(cat f) nginx"})
    EXPECT_EQ(verdictOf(rules, line), "deny") << line;
  for (const char* line : {"systemctl start nginx", "systemctl start $(cat f)"}) EXPECT_EQ(verdictOf(rules, line), "hold") << line;
}

TEST(Evaluate, RuleWithoutConditionsOnCommandsMatchesEveryLineOfItsRequests) {
  const std::string rules = kReads + rule("frozen", "deny", "targets = [\"env=staging\"]");
  EXPECT_EQ(verdictOf(rules, "ls"), "deny");
  EXPECT_EQ(verdictOf(rules, "eval ls"), "deny");
  EXPECT_EQ(verdictOf(kReads + rule("watched", "hold", "agents = [\"deploy-*\"]"), "ls"), "hold");
  EXPECT_EQ(verdictOf(kReads + rule("watched", "hold", "agents = [\"other\"]"), "ls"), "allow");
}

TEST(Evaluate, TakesTheStrictestOfTheMatchingHolds) {
  const std::string rules = "[defaults]\nexpires = \"7m\"\n" +
                            rule("one", "hold", "programs = [\"rm\"]\nremember = \"never\"\nnot_owner = true") +
                            rule("two", "hold",
                                 "effects_any = [\"destructive\"]\napprovals = 2\nreviewers = [\"role=ops\"]\nexpires = "
                                 "\"15m\"\nanswer_within = \"none\"\nadvice = \"wait\"") +
                            rule("dba", "hold", "programs = [\"rm\"]\nreviewers = [\"bob\", \"alice\", \"carol\"]");
  const Decision decision = decide(rules, "rm -rf /srv/x");
  EXPECT_EQ(decision.verdict, Verdict::Hold);
  EXPECT_EQ(decision.rule, "two");
  EXPECT_EQ(decision.approvals, 2);
  EXPECT_THAT(decision.reviewers, ElementsAre("role=ops"));
  EXPECT_FALSE(decision.remember);
  EXPECT_TRUE(decision.not_owner);
  EXPECT_EQ(decision.expires, std::chrono::minutes(15));
  EXPECT_EQ(decision.answer_within, std::nullopt);
  EXPECT_EQ(decision.advice, "wait");
  EXPECT_EQ(decide(rule("x", "hold", ""), "ls").expires, std::chrono::minutes(5));
}

TEST(Evaluate, KeepsTheNarrowerReviewersOfSeveralHolds) {
  const std::string rules =
      rule("two", "hold", "programs = [\"rm\"]\napprovals = 2") + rule("ops", "hold", "programs = [\"rm\"]\nreviewers = [\"role=ops\"]");
  EXPECT_THAT(decide(rules, "rm x").reviewers, ElementsAre("alice", "bob"));
  const std::string narrow =
      rule("any", "hold", "programs = [\"rm\"]") + rule("dba", "hold", "programs = [\"rm\"]\nreviewers = [\"role=dba\"]");
  EXPECT_EQ(decide(narrow, "rm x").rule, "dba");
}

TEST(Evaluate, HoldWinsOverAllow) {
  const Decision decision = decide(kReads + rule("look", "hold", "programs = [\"ls\"]"), "git log; ls");
  EXPECT_EQ(decision.verdict, Verdict::Hold);
  EXPECT_THAT(decision.reason, HasSubstr("held by rule \"look\": command 2 (ls: read)"));
}

TEST(Evaluate, OpaqueLineMatchesEffectRulesAsUnknown) {
  EXPECT_EQ(decide(rule("u", "hold", "effects_any = [\"destructive\", \"unknown\"]\napprovals = 2"), "eval x").approvals, 2);
  EXPECT_EQ(decide(rule("d", "hold", "effects_any = [\"destructive\"]\napprovals = 2"), "eval x").approvals, 1);
  EXPECT_EQ(verdictOf(rule("p", "deny", "programs = [\"rm\"]"), "eval rm"), "hold");
}

// ---- conditions on the request ----

TEST(RequestConditions, AllHaveToHold) {
  struct Row {
    const char* keys;
    bool matches;
  };
  for (const Row& row :
       {Row{"agents = [\"deploy-*\"]", true}, Row{"agents = [\"data-*\"]", false}, Row{"agents = [\"x\", \"deploy-bot\"]", true},
        Row{"targets = [\"web?\"]", true}, Row{"targets = [\"web\"]", false}, Row{"targets = [\"env=staging\"]", true},
        Row{"targets = [\"env=prod\"]", false}, Row{"targets = [\"role=*\"]", false}, Row{"targets = [\"db*\", \"env=stag*\"]", true},
        Row{"logins = [\"root\"]", true}, Row{"logins = [\"deploy\"]", false}, Row{"labels = { env = \"staging\" }", true},
        Row{"labels = { env = \"staging\", role = \"web\" }", false}, Row{"context = [\"exec\"]", true},
        Row{"context = [\"shell\"]", false}, Row{"intent = true", false}, Row{"intent = false", true},
        Row{"agents = [\"deploy-*\"]\nlogins = [\"deploy\"]", false}}) {
    const std::string allow = std::string("effects = [\"read\"]\n") + row.keys;
    EXPECT_EQ(verdictOf(rule("r", "allow", allow), "ls"), row.matches ? "allow" : "hold") << row.keys;
    EXPECT_EQ(verdictOf(kReads + rule("r", "deny", row.keys), "ls"), row.matches ? "deny" : "allow") << row.keys;
  }
  Request request = requestOf("ls");
  request.intent = "look around";
  EXPECT_EQ(decide(rule("r", "allow", "effects = [\"read\"]\nintent = true"), request).verdict, Verdict::Allow);
}

TEST(RequestConditions, OnlyExecCanBeAllowedSoFar) {
  for (const Context context : {Context::Shell, Context::Sftp, Context::Forward}) {
    Request request = requestOf("ls");
    request.context = context;
    EXPECT_EQ(decide(kReads, request).verdict, Verdict::Hold) << nameOf(context);
  }
}

// ---- words ----

TEST(ArgvRule, CoversItsExactWordsAndNothingMore) {
  const std::string rules = rule("restart", "allow", "argv = [\"systemctl\", \"restart\", \"{unit}\"]");
  EXPECT_EQ(verdictOf(rules, "systemctl restart nginx"), "allow");
  EXPECT_EQ(verdictOf(rules, "systemctl 'restart' \"nginx.service\""), "allow");
  EXPECT_EQ(verdictOf(rules, "/usr/bin/systemctl restart nginx"), "allow");
  EXPECT_EQ(verdictOf(rules, "/bin/systemctl restart nginx"), "allow");
  EXPECT_EQ(verdictOf(rules, "systemctl restart nginx 2>&1"), "allow");
  EXPECT_EQ(verdictOf(rules, "systemctl restart nginx >/dev/null 2>&1"), "allow");
  for (const char* line : {"systemctl restart",
                           "systemctl restart nginx sshd",
                           "systemctl -H evil restart nginx",
                           "systemctl restart -- nginx",
                           "systemctl restart '*'",
                           "systemctl restart ''",
                           "systemctl restart -f",
                           "systemctl restart $x",
                           "systemctl restart \"$(cat x)\"",
                           "systemctl restart $(cat x)",
                           "systemctl restart ngin?",
                           "/tmp/systemctl restart nginx",
                           "./systemctl restart nginx",
                           "/usr/local/bin/systemctl restart nginx",
                           "a=1 systemctl restart nginx",
                           "PATH=/tmp systemctl restart nginx",
                           "systemctl restart nginx > /etc/motd",
                           "systemctl restart nginx < /etc/shadow",
                           "systemctl restart nginx >> /tmp/x",
                           "sudo systemctl restart nginx",
                           "systemctl restart nginx; ls",
                           "cd /tmp && systemctl restart nginx",
                           "systemctl stop nginx",
                           "systemctl",
                           "env systemctl restart nginx"})
    EXPECT_EQ(verdictOf(rules, line), "hold") << line;
}

TEST(ArgvRule, DoesNotCoverALineThatChangesItsDirectory) {
  const std::string rules =
      rule("cd", "allow", "effects = [\"read\", \"cwd\"]") + rule("deploy", "allow", "argv = [\"deploy-tool\", \"run\"]");
  EXPECT_EQ(verdictOf(rules, "deploy-tool run"), "allow");
  EXPECT_EQ(verdictOf(rules, "cd /tmp && deploy-tool run"), "hold");
}

TEST(ArgvRule, CoversARedirectionThatItNames) {
  const std::string rules =
      rule("put", "allow", "argv = [\"cat\"]\nredirect = [\"write:/srv/up/**\"]\nstdin = \"stream\"\nrecord = \"hash\"");
  const Decision decision = decide(rules, "cat > /srv/up/x.bin");
  EXPECT_EQ(decision.verdict, Verdict::Allow);
  EXPECT_EQ(decision.stdin_rule, StdinRule::Stream);
  EXPECT_TRUE(decision.record_hash);
  for (const char* line : {"cat > /srv/up/../../etc/passwd", "cat > /srv/up", "cat > srv/up/x", "cat < /srv/up/x", "cat > \"$x\"",
                           "cat <> /srv/up/x", "cat > /srv/up/x > /etc/x", "cat <<E\nx\nE", "cat /etc/shadow > /srv/up/x"})
    EXPECT_EQ(verdictOf(rules, line), "hold") << line;
  EXPECT_EQ(verdictOf(rules, "cat >> /srv/up/x"), "allow");
  EXPECT_EQ(verdictOf(rule("get", "allow", "argv = [\"cat\"]\nredirect = [\"read:/srv/up/*\"]"), "cat < /srv/up/x"), "allow");
  EXPECT_EQ(verdictOf(rule("here", "allow", "argv = [\"cat\"]\nredirect = [\"heredoc\"]"), "cat <<'E'\nx\nE"), "allow");
}

TEST(ArgvRule, CoversSudoOnlyWhenItSaysSo) {
  const std::string rules = rule("restart", "allow", "argv = [\"systemctl\", \"restart\", \"{unit}\"]\nsudo = true");
  EXPECT_EQ(verdictOf(rules, "sudo systemctl restart nginx"), "allow");
  EXPECT_EQ(verdictOf(rules, "sudo -n systemctl restart nginx"), "allow");
  for (const char* line :
       {"systemctl restart nginx", "sudo -u postgres systemctl restart nginx", "sudo -E systemctl restart nginx",
        "sudo PATH=/tmp systemctl restart nginx", "sudo sh -c 'systemctl restart nginx'", "sudo -i systemctl restart nginx",
        "sudo systemctl stop nginx", "sudo systemctl restart nginx > /etc/x", "/tmp/sudo systemctl restart nginx", "sudo rm -rf x",
        "sudo -s", "sudo", "su -c 'systemctl restart nginx'", "sudo -k systemctl restart nginx", "sudo sudo systemctl restart nginx; ls"})
    EXPECT_EQ(verdictOf(rules, line), "hold") << line;
  EXPECT_EQ(verdictOf(kReads, "sudo ls"), "hold");
}

TEST(ArgvRule, FlagsAreOnlyTheCatalogsWithinTheEffects) {
  const std::string rules = rule("log", "allow", "argv = [\"git\", \"log\", \"{flags}*\"]\neffects = [\"read\"]");
  EXPECT_EQ(verdictOf(rules, "git log"), "allow");
  EXPECT_EQ(verdictOf(rules, "git log --oneline --stat"), "allow");
  for (const char* line : {"git log --output=/etc/x", "git log --nosuchflag", "git log --outp=/x", "git log main", "git show"})
    EXPECT_EQ(verdictOf(rules, line), "hold") << line;
}

TEST(ArgvRule, RuntimePlaceholderTakesOneWordThatIsNamed) {
  const std::string rules = kReads + rule("echo", "allow", "argv = [\"deploy-tool\", \"{runtime}\"]");
  EXPECT_EQ(verdictOf(rules, "deploy-tool \"$(git log)\""), "allow");
  EXPECT_EQ(verdictOf(rules, "deploy-tool $(git log)"), "hold");
  EXPECT_EQ(verdictOf(rules, "deploy-tool literal"), "hold");
  EXPECT_EQ(verdictOf(rules, "deploy-tool \"$(rm x)\""), "hold");
}

TEST(ProgramsKey, NarrowsAnAllowRule) {
  const std::string rules = rule("git", "allow", "programs = [\"git\"]\neffects = [\"read\"]");
  EXPECT_EQ(verdictOf(rules, "git log"), "allow");
  EXPECT_EQ(verdictOf(rules, "ls"), "hold");
  EXPECT_EQ(verdictOf(rules, "/tmp/git log"), "hold");
}

// ---- what auto-allow rests on ----

TEST(AutoAllow, IsAHoldWhereTheAccountDoesNotCarryIt) {
  struct Row {
    const char* says;
    Request request;
  };
  std::vector<Row> rows;
  rows.push_back({"was not surveyed", requestOf("uptime")});
  rows.back().request.account.reset();
  const auto add = [&](const char* says, const std::map<std::string, std::string>& changes, const char* line = "ls") {
    rows.push_back({says, requestOf(line)});
    rows.back().request.account = workAccount(changes);
  };
  add("login shell /bin/zsh is not one", {{"shell", "/bin/zsh"}});
  add("login shell /usr/bin/fish is not one", {{"shell", "/usr/bin/fish"}});
  add("start-up files are not trusted: home directory", {{"d:/srv/app", "1000 1000 755 directory"}});
  add("start-up files are not trusted: the login environment sets LD_PRELOAD", {{"preload", "/x.so"}});
  add("no usable /bin/bash", {{"bashv", ""}});
  add("not sshd", {{"ppid", "dropbear"}}, "echo 'a!b'");
  for (const Row& row : rows) {
    const Decision decision = decide(kReads, row.request);
    EXPECT_EQ(decision.verdict, Verdict::Hold) << row.says;
    EXPECT_EQ(decision.rule, "(account)") << row.says;
    EXPECT_THAT(decision.reason, HasSubstr(row.says));
    EXPECT_THAT(decision.reason, HasSubstr("rule \"reads\" would allow it, but"));
  }
}

TEST(AutoAllow, MayTrustTheAccountOnTheOperatorsWordButNotAPreload) {
  Request request = requestOf("ls");
  request.account = workAccount({{"d:/srv/app", "1000 1000 755 directory"}});
  request.trust_account_rc = true;
  EXPECT_EQ(decide(kReads, request).verdict, Verdict::Allow);
  request.account = workAccount({{"preload", "/x.so"}});
  EXPECT_EQ(decide(kReads, request).verdict, Verdict::Hold);
}

TEST(AutoAllow, StillDeniesAndHoldsWithoutASurvey) {
  Request request = requestOf("rm -rf x");
  request.account.reset();
  EXPECT_EQ(decide(rule("d", "deny", "programs = [\"rm\"]"), request).verdict, Verdict::Deny);
  request.account = workAccount({{"shell", "/usr/bin/fish"}});
  EXPECT_EQ(decide(rule("d", "deny", "programs = [\"rm\"]"), request).verdict, Verdict::Deny);
}

TEST(AutoAllow, SendsTheCanonicalFormWithPins) {
  const Decision decision = decide(kReads, "git   log");
  EXPECT_EQ(decision.verdict, Verdict::Allow);
  EXPECT_EQ(decision.form, SendForm::Canonical);
  EXPECT_THAT(decision.canonical, HasSubstr("log"));
  EXPECT_THAT(decision.canonical, HasSubstr("core.fsmonitor=false"));
  EXPECT_FALSE(decision.pins.empty());
  EXPECT_FALSE(decision.laboratory);
}

TEST(AutoAllow, RefusesInvisibleAndBidirectionalText) {
  EXPECT_EQ(verdictOf(kReads,
                      "echo 'a\xe2\x80\xae"
                      "b'"),
            "hold");
  EXPECT_EQ(verdictOf(kReads,
                      "echo 'gr\xc3\xbc"
                      "n'"),
            "allow");
}

TEST(AutoAllow, RefusesALineThatTheTargetCouldNotTake) {
  const Decision decision = decide(kReads, "echo '" + std::string(60'000, ';') + "'");
  EXPECT_EQ(decision.verdict, Verdict::Allow) << "one byte each in the plain form: " << decision.reason;
  EXPECT_THAT(decide(kReads, "echo '" + std::string(50'000, '!') + "'").reason, HasSubstr("131000 are the limit"));
}

TEST(Laboratory, AllowsEverythingAsSent) {
  const std::string rules = rule("lab", "allow", "anything = true\ntargets = [\"web1\"]");
  for (const char* line : {"ls", "eval rm -rf x", "\x01\xff", ""}) {
    Request request = requestOf(line);
    request.account.reset();
    const Decision decision = decide(rules, request);
    EXPECT_EQ(decision.verdict, Verdict::Allow) << line;
    EXPECT_EQ(decision.form, SendForm::Raw);
    EXPECT_TRUE(decision.laboratory);
  }
  EXPECT_EQ(verdictOf(rules + rule("d", "deny", "programs = [\"rm\"]"), "rm x"), "deny");
  EXPECT_EQ(verdictOf(rules + rule("h", "hold", "programs = [\"rm\"]"), "rm x"), "hold");
  EXPECT_EQ(verdictOf(rule("lab", "allow", "anything = true\ntargets = [\"web2\"]"), "ls"), "hold");
}

// ---- standard input ----

TEST(Stdin, FollowsClassAndRule) {
  const std::string writes = "effects = [\"read\", \"write\"]\n";
  struct Row {
    const char* line;
    std::string keys;
    StdinRule wanted;
  };
  for (const Row& row : {Row{"ls", "", StdinRule::None}, Row{"cat", "", StdinRule::Stream}, Row{"cat > /srv/x", "", StdinRule::Hold},
                         Row{"cat > /srv/x", "stdin = \"stream\"", StdinRule::Stream}, Row{"cat", "stdin = \"none\"", StdinRule::None},
                         Row{"cat", "stdin = \"hold\"", StdinRule::Hold}, Row{"ls", "stdin = \"stream\"", StdinRule::None},
                         Row{"cat < /dev/null", "", StdinRule::None}}) {
    const Decision allowed = decide(rule("r", "allow", writes + row.keys), row.line);
    EXPECT_EQ(allowed.verdict, Verdict::Allow) << row.line << ": " << allowed.reason;
    EXPECT_EQ(nameOf(allowed.stdin_rule), nameOf(row.wanted)) << row.line << " " << row.keys;
    EXPECT_EQ(nameOf(decide(rule("r", "hold", row.keys), row.line).stdin_rule), nameOf(row.wanted)) << row.line << " " << row.keys;
  }
}

TEST(Stdin, OfCodeIsRefusedUnlessARuleClosesIt) {
  for (const char* line : {"bash -s", "python3 -", "eval x", "cat | sh"}) {
    EXPECT_EQ(nameOf(decide("", line).stdin_rule), "refuse") << line;
    EXPECT_EQ(nameOf(decide(rule("r", "hold", "stdin = \"stream\""), line).stdin_rule), "refuse") << line;
    EXPECT_EQ(nameOf(decide(rule("r", "hold", "stdin = \"none\""), line).stdin_rule), "none") << line;
    EXPECT_EQ(nameOf(decide(rule("r", "allow", "anything = true"), line).stdin_rule), "refuse") << line;
    EXPECT_EQ(nameOf(decide(rule("r", "allow", "anything = true\nstdin = \"stream\""), line).stdin_rule), "stream") << line;
  }
}

TEST(RecordHash, IsGrantedOnlyByNameAndNeverForSecretsOrTheUnknown) {
  const std::string keys = "effects = [\"read\", \"write\", \"secret\", \"unknown\"]\n";
  EXPECT_FALSE(decide(rule("r", "allow", keys), "ls").record_hash);
  EXPECT_FALSE(decide(rule("r", "allow", keys + "record = \"full\""), "ls").record_hash);
  EXPECT_TRUE(decide(rule("r", "allow", keys + "record = \"hash\""), "ls").record_hash);
  EXPECT_TRUE(decide(rule("r", "allow", keys + "record = \"hash\""), "cat > /srv/x").record_hash);
  EXPECT_FALSE(decide(rule("r", "allow", keys + "record = \"hash\""), "cat /etc/shadow").record_hash);
  EXPECT_FALSE(decide(rule("r", "allow", keys + "record = \"hash\""), "nosuchprogram").record_hash);
  EXPECT_FALSE(decide(rule("r", "hold", "record = \"hash\""), "eval x").record_hash);
  EXPECT_TRUE(decide(rule("r", "hold", "record = \"hash\""), "ls").record_hash);
}

// ---- explanation ----

TEST(Explain, ShowsWordsEffectsAndEveryRuleTried) {
  const auto rules =
      load(kReads + rule("restart", "hold", "argv = [\"systemctl\", \"restart\", \"{unit}\"]") + rule("other", "deny", "agents = [\"x\"]"));
  Request request = requestOf("ls -l 'a b' && rm -rf \"$HOME\"; cat 'gr\xc3\xbcn' > /srv/o");
  Derivation derivation;
  const Decision decision = evaluate(*rules, Catalog::builtin(), request, WallTime{}, &derivation);
  const std::string text = explainText(request, decision, derivation);
  EXPECT_THAT(text, HasSubstr("1. ls -l [a b]"));
  EXPECT_THAT(text, HasSubstr("destructive"));
  EXPECT_THAT(text, HasSubstr("[gr\\xc3\\xbcn]"));
  EXPECT_THAT(text, HasSubstr("verdict: hold by (unmatched)"));
  EXPECT_THAT(text, HasSubstr("rule \"other\": no, another agent"));
  EXPECT_THAT(text, HasSubstr("rule \"restart\": no, it matches no command of the line"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  for (char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << int(c);
  EXPECT_THAT(explainJson(decision, derivation), HasSubstr("\"verdict\":\"hold\",\"rule\":\"(unmatched)\""));
}

TEST(Explain, JsonIsOneLineAlsoForBytesThatAreNoText) {
  const auto rules = load("");
  Request request = requestOf("\xff\xfe\n\x01");
  Derivation derivation;
  const Decision decision = evaluate(*rules, Catalog::builtin(), request, WallTime{}, &derivation);
  EXPECT_EQ(explainJson(decision, derivation).find('\n'), std::string::npos);
}

TEST(Evaluate, IsAFunctionOfItsInputs) {
  const auto rules = load(kReads);
  for (const char* line : {"ls", "eval x", "rm -rf x", "git log; nosuch"}) {
    Derivation first;
    Derivation second;
    const Decision a = evaluate(*rules, Catalog::builtin(), requestOf(line), WallTime{}, &first);
    const Decision b = evaluate(*rules, Catalog::builtin(), requestOf(line), WallTime{std::chrono::hours(1)}, &second);
    EXPECT_EQ(explainJson(a, first), explainJson(b, second));
  }
}

}  // namespace
}  // namespace ptygate::policy
