// SPDX-License-Identifier: Apache-2.0
// The starter policy as it is shipped: it loads, and a table of lines gets the verdicts that its comments promise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "policy/explain.h"
#include "policy/rules.h"
#include "support.h"

namespace ptygate::policy {
namespace {

using ::testing::HasSubstr;

PeopleFacts reviewers(int count) {
  PeopleFacts facts;
  for (int i = 0; i < count; ++i) facts.people.push_back({"person" + std::to_string(i), {}, true});
  return facts;
}

std::shared_ptr<const RuleSet> starter(int count) {
  auto rules = RuleSet::load(starterPolicy(std::size_t(count)), "policy.toml", Catalog::builtin(), reviewers(count));
  if (!rules) {
    ADD_FAILURE() << rules.error();
    std::abort();
  }
  return *rules;
}

Decision decide(const std::string& line, int count = 2) {
  Request request;
  request.agent = "bot";
  request.target = "web1";
  request.login = "root";
  request.command = line;
  request.account = testing::workAccount();
  return evaluate(*starter(count), Catalog::builtin(), request, WallTime{});
}

TEST(Starter, LoadsForAnyNumberOfReviewersWithoutWarnings) {
  for (int count : {1, 2, 5}) EXPECT_TRUE(starter(count)->warnings().empty()) << count;
  EXPECT_THAT(starterPolicy(1), HasSubstr("add a [[person]]"));
}

TEST(Starter, NeverAllowsTheBypassesOfExecAndStdin) {
  std::ifstream file(PTYGATE_TESTS_DIR "/vectors/rules/bypass_exec.jsonl");
  int cases = 0;
  for (std::string row; std::getline(file, row);) {
    const auto json = nlohmann::json::parse(row, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << row;
    const bool is_exec = json["mode"] == "exec";
    const Decision decision = decide(json[is_exec ? "bytes" : "command"].get<std::string>());
    EXPECT_NE(decision.verdict, Verdict::Allow) << json["id"];
    ++cases;
  }
  EXPECT_EQ(cases, 11);
}

TEST(Starter, GivesEachLineItsVerdict) {
  struct Row {
    const char* line;
    const char* verdict;
    const char* rule;
    int approvals;
  };
  const Row rows[] = {
      {"ls -la /var/log", "allow", "read-only commands", 1},
      {"git show --stat", "allow", "read-only commands", 1},
      {"git status", "hold", "(unmatched)", 1},
      {"git log --oneline | head -5", "allow", "read-only commands", 1},
      {"df -h; uptime; free -m", "allow", "read-only commands", 1},
      {"grep -n TODO /srv/app/src/main.c", "allow", "read-only commands", 1},
      {"grep -rn TODO /srv/app", "hold", "(unmatched)", 1},
      {"systemctl status nginx --no-pager", "allow", "read-only commands", 1},
      {"echo hello", "allow", "read-only commands", 1},
      {"uname -a", "allow", "read-only commands", 1},
      {"systemctl restart nginx", "hold", "service restarts", 1},
      {"systemctl reload nginx.service", "hold", "service restarts", 1},
      {"sudo systemctl start app", "hold", "service restarts", 1},
      {"systemctl stop app", "hold", "destructive commands", 2},
      {"rm -rf /srv/app", "hold", "destructive commands", 2},
      {"ls && rm -rf /srv/app", "hold", "destructive commands", 2},
      {"systemctl stop app && rm -rf /srv/app", "hold", "destructive commands", 2},
      {"sudo rm -rf /srv/app", "hold", "destructive commands", 2},
      {"timeout 5 rm -rf /srv/app", "hold", "destructive commands", 2},
      {"find /srv -name '*.o' -delete", "hold", "destructive commands", 2},
      {"cat /etc/shadow", "hold", "(unmatched)", 1},
      {"cat /root/.ssh/id_ed25519", "hold", "(unmatched)", 1},
      {"curl http://example.com/", "hold", "(unmatched)", 1},
      {"echo x > /etc/motd", "hold", "(unmatched)", 1},
      {"mkdir /srv/new", "hold", "(unmatched)", 1},
      {"git push", "hold", "(unmatched)", 1},
      {"nosuchprogram --help", "hold", "(unmatched)", 1},
      {"sudo ls", "hold", "(unmatched)", 1},
      {"env", "hold", "(unmatched)", 1},
      {"eval ls", "hold", "(opaque)", 1},
      {"ls <(rm x)", "hold", "(opaque)", 1},
      {"bash -s", "hold", "(opaque)", 1},
  };
  for (const Row& row : rows) {
    const Decision decision = decide(row.line);
    EXPECT_EQ(nameOf(decision.verdict), row.verdict) << row.line << ": " << decision.reason;
    EXPECT_EQ(decision.rule, row.rule) << row.line << ": " << decision.reason;
    EXPECT_EQ(decision.approvals, row.approvals) << row.line;
  }
}

// What the comments offer has to work when somebody takes it.
TEST(Starter, RuleThatItsCommentsOfferWorks) {
  std::string text = starterPolicy(2);
  const std::size_t from = text.find("# [[rule]]\n# name = \"git work tree\"");
  ASSERT_NE(from, std::string::npos);
  const std::size_t to = text.find("\n\n", from);
  for (std::size_t at = from; at < to && at != std::string::npos;
       at = text.find("\n# ", at) == std::string::npos ? to : text.find("\n# ", at) + 1) {
    if (at < to && text.compare(at, 2, "# ") == 0) text.replace(at, 2, "  ");
  }
  const auto rules = RuleSet::load(text, "policy.toml", Catalog::builtin(), reviewers(2));
  ASSERT_TRUE(rules) << rules.error();
  Request request;
  request.agent = "bot";
  request.command = "git status -s";
  request.account = testing::workAccount();
  EXPECT_EQ(evaluate(**rules, Catalog::builtin(), request, WallTime{}).rule, "git work tree");
  request.command = "git push -f";
  EXPECT_EQ(evaluate(**rules, Catalog::builtin(), request, WallTime{}).verdict, Verdict::Hold);
}

TEST(Starter, AsksOneWhereThereIsOnlyOne) {
  EXPECT_EQ(decide("rm -rf /srv/app", 1).approvals, 1);
}

}  // namespace
}  // namespace ptygate::policy
