// SPDX-License-Identifier: Apache-2.0
// Who may start which verb over SSH, before a child parses a word.
#include <gtest/gtest.h>

#include "proxy/keeper/verb_children.h"

namespace ptygate::keeper {
namespace {

config::Config people() {
  config::Config config;
  const auto add = [&](const char* name, bool review, bool audit, bool operate) {
    config::Person person;
    person.name = name;
    person.may_review = review;
    person.may_audit = audit;
    person.may_operate = operate;
    config.people.push_back(person);
  };
  add("reviewer", true, false, false);
  add("auditor", false, true, false);
  add("operator", false, false, true);
  config::Agent agent;
  agent.name = "builder";
  config.agents.push_back(agent);
  return config;
}

bool may(const char* identity, const std::vector<std::string>& argv) {
  const bool is_person = std::string(identity) != "builder";
  return VerbChildren::refusalOf(people(), is_person, identity, argv).empty();
}

TEST(VerbPermission, AgentsGetTheirFourVerbsAndNoOther) {
  for (const char* verb : {"review",  "pending", "show",  "approve", "deny",  "watch",  "follow", "sessions", "replay",  "export", "reload",
                           "targets", "agents",  "certs", "policy",  "serve", "worker", "init",   "",         "/bin/sh", "--dir"}) {
    EXPECT_FALSE(may("builder", {verb})) << verb;
  }
  for (const char* verb : {"status", "wait", "cancel", "whoami"}) EXPECT_TRUE(may("builder", {verb})) << verb;
}

TEST(VerbPermission, NobodyStartsTheGatesOwnProcesses) {
  for (const char* verb : {"serve", "worker", "init"}) {
    for (const char* who : {"reviewer", "auditor", "operator", "stranger"}) EXPECT_FALSE(may(who, {verb})) << who << " " << verb;
  }
}

TEST(VerbPermission, FollowsWhatAPersonMay) {
  EXPECT_TRUE(may("reviewer", {"approve", "1-aaaa"}));
  EXPECT_FALSE(may("auditor", {"approve", "1-aaaa"}));
  EXPECT_FALSE(may("operator", {"approve", "1-aaaa"}));
  EXPECT_TRUE(may("auditor", {"replay", "x"}));
  EXPECT_FALSE(may("reviewer", {"replay", "x"}));
  EXPECT_TRUE(may("operator", {"reload"}));
  EXPECT_FALSE(may("auditor", {"reload"}));
  EXPECT_FALSE(may("stranger", {"status"}));
}

TEST(VerbPermission, NobodyNamesAnotherDirectory) {
  EXPECT_FALSE(may("operator", {"certs", "show", "--dir", "/tmp/x"}));
  EXPECT_FALSE(may("operator", {"certs", "show", "--dir=/tmp/x"}));
}

TEST(VerbPermission, RefusesWordsThatAreTooManyOrTooLong) {
  EXPECT_FALSE(may("operator", std::vector<std::string>(65, "status")));
  EXPECT_FALSE(may("operator", {"status", std::string(9000, 'x')}));
  EXPECT_FALSE(may("operator", {"status", std::string("a\0b", 3)}));
}

}  // namespace
}  // namespace ptygate::keeper
