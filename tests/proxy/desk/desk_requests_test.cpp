// SPDX-License-Identifier: Apache-2.0
// The desk towards agents: what is refused, held, joined, released, expired.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "desk_builders.h"

namespace ptygate::keeper::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::size_t indexOf(const std::vector<Effect>& effects, Record::Kind kind) {
  for (std::size_t i = 0; i < effects.size(); ++i) {
    if (const auto* record = std::get_if<Record>(&effects[i]); record != nullptr && record->kind == kind) return i;
  }
  return effects.size();
}

TEST(Desk, DeniesWhatPolicyDeniesWithReasonAndAdvice) {
  Desk desk;
  policy::Decision deny = kDeny;
  deny.advice = "use the nightly job";
  deny.may_change_and_retry = true;
  const auto effects = desk.apply(Submit{request(1, "rm -rf /", deny)}, at(0));
  const Denied* denied = outcomeFor<Denied>(effects, 1);
  ASSERT_NE(denied, nullptr);
  EXPECT_EQ(denied->rule, "never");
  EXPECT_EQ(denied->advice, "use the nightly job");
  EXPECT_EQ(denied->retry, Retry::ChangeAndRetry);
  EXPECT_EQ(exitStatusOf(*denied), 126);
}

TEST(Desk, RecordsTheDecisionBeforeItReleases) {
  Desk desk;
  const auto effects = desk.apply(Submit{request(1, "uptime", kAllow)}, at(0));
  EXPECT_EQ(summary(effects), "Request Decision Release >Released");
  const Released* released = outcomeFor<Released>(effects, 1);
  EXPECT_EQ(released->command, "uptime");
  EXPECT_EQ(released->hold, 0U);
}

TEST(Desk, KeepsTheCanonicalFormForWhatPolicyAllowsAndDropsItForWhatAPersonApproves) {
  Desk desk;
  policy::Decision allow = kAllow;
  allow.form = policy::SendForm::Canonical;
  allow.canonical = "'uptime'";
  const auto by_policy = desk.apply(Submit{request(1, "uptime", allow)}, at(0));
  EXPECT_EQ(outcomeFor<Released>(by_policy, 1)->decision.form, policy::SendForm::Canonical);
  (void)desk.apply(Submit{request(2, "reboot")}, at(0));
  const auto by_person = desk.apply(answer(desk, 1, "alice", true, allow), at(1));
  const Released* released = outcomeFor<Released>(by_person, 2);
  EXPECT_EQ(released->decision.form, policy::SendForm::Raw);
  EXPECT_EQ(released->decision.canonical, "");
  EXPECT_EQ(released->decision.verdict, policy::Verdict::Allow);
  EXPECT_EQ(released->command, "reboot");
}

TEST(Desk, ReleasesExactlyTheSubmittedBytes) {
  Desk desk;
  std::string bytes = "printf '\x1b]0;x\x07";
  bytes += '\0';
  bytes += "\xff\n'";
  (void)desk.apply(Submit{request(1, bytes)}, at(0));
  const auto effects = desk.apply(answer(desk, 1, "alice", true), at(1));
  EXPECT_EQ(outcomeFor<Released>(effects, 1)->command, bytes);
}

TEST(Desk, NeverJoinsTwoRequestsThatDifferInAnyPartOfTheBinding) {
  const Submission base = request(1);
  std::vector<Submission> others(8, base);
  others[0].agent = "bot2";
  others[1].target = "web2";
  others[2].login = "root";
  others[3].context = policy::Context::Shell;
  others[4].cwd = "/srv";
  others[5].command += " ";
  others[6].stdin_sha256 = std::string(64, '0');
  others[7].intent = "please";
  for (std::size_t i = 0; i < others.size(); ++i) {
    Desk desk;
    (void)desk.apply(Submit{base}, at(0));
    others[i].waiter = 2;
    (void)desk.apply(Submit{others[i]}, at(0));
    EXPECT_EQ(desk.openCount(), 2U) << "part " << i;
  }
}

TEST(Desk, BindsFieldsByLengthSoThatTheyCannotBeShifted) {
  Submission a = request(1), b = request(1);
  a.target = "web1x";
  a.login = "deploy";
  b.target = "web1";
  b.login = "xdeploy";
  EXPECT_NE(bindingOf(a), bindingOf(b));
  Submission c = request(7);
  c.session = "other";
  c.rule_set_hash = "other";
  EXPECT_EQ(bindingOf(c), bindingOf(request(1))) << "who waits and which rules are loaded are not part of what is approved";
}

TEST(Desk, GivesTagsOfFourLettersThatFollowTheBinding) {
  const std::string tag = tagOf(bindingOf(request(1)));
  EXPECT_EQ(tag.size(), 4U);
  EXPECT_EQ(tag.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
  EXPECT_EQ(tagOf(std::string(32, '\0')), "aaaa");
  EXPECT_EQ(tagOf(std::string(32, '\xff')), "7777");
  EXPECT_NE(tagOf(bindingOf(request(1, "a"))), tagOf(bindingOf(request(1, "b"))));
}

TEST(Desk, TellsTheClientToComeBackAfterAnswerWithinAndKeepsTheHold) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  EXPECT_EQ(desk.nextDeadline(), at(50));
  EXPECT_EQ(desk.apply(Tick{}, at(49)).size(), 0U);
  const auto effects = desk.apply(Tick{}, at(50));
  const Later* later = outcomeFor<Later>(effects, 1);
  ASSERT_NE(later, nullptr);
  EXPECT_EQ(exitStatusOf(*later), 75);
  EXPECT_EQ(desk.show(1)->attached, 0U);
  EXPECT_EQ(desk.nextDeadline(), at(300));
}

TEST(Desk, BlocksWithoutAnswerWithinAndWaitsForEverWithoutExpiry) {
  Desk desk;
  Submission patient = request(1);
  patient.fresh.answer_within.reset();
  patient.fresh.expires.reset();
  (void)desk.apply(Submit{patient}, at(0));
  EXPECT_EQ(desk.nextDeadline(), std::nullopt);
  EXPECT_TRUE(desk.apply(Tick{}, at(1'000'000)).empty());
  EXPECT_NE(outcomeFor<Released>(desk.apply(answer(desk, 1, "alice", true), at(1'000'001)), 1), nullptr);
}

TEST(Desk, ExpiresAtItsInstantNotAfterIt) {
  Desk desk;
  Submission patient = request(1);
  patient.fresh.answer_within.reset();
  (void)desk.apply(Submit{patient}, at(0));
  const auto effects = desk.apply(answer(desk, 1, "alice", true), at(300));  // the approval and the expiry in the same millisecond
  EXPECT_NE(outcomeFor<Expired>(effects, 1), nullptr);
  EXPECT_EQ(outcomeFor<Released>(effects, 1), nullptr);
  EXPECT_EQ(codeOf(effects), 1);
}

TEST(Desk, DoesNotExtendAnExpiryWhenTheClockStepsBack) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Tick{}, at(299));
  (void)desk.apply(Tick{}, at(-5000));
  (void)desk.apply(Submit{request(2, "other")}, at(-5000));
  EXPECT_EQ(desk.show(2)->since, at(299));
  EXPECT_EQ(summary(desk.apply(Tick{}, at(300))), "Expired !Expired");
}

TEST(Desk, RunsAnApprovalOnceForTheOldestWaiterAndAsksAgainForTheOthers) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Submit{request(2)}, at(1));
  (void)desk.apply(Submit{request(3)}, at(2));
  EXPECT_EQ(desk.openCount(), 1U);
  const auto effects = desk.apply(answer(desk, 1, "alice", true), at(10));
  EXPECT_NE(outcomeFor<Released>(effects, 1), nullptr);
  EXPECT_EQ(outcomeFor<Released>(effects, 2), nullptr);
  EXPECT_EQ(outcomeFor<Released>(effects, 3), nullptr);
  ASSERT_NE(outcomeFor<Held>(effects, 2), nullptr);
  EXPECT_EQ(outcomeFor<Held>(effects, 2)->hold, 2U);
  EXPECT_EQ(outcomeFor<Held>(effects, 3)->hold, 2U);
  EXPECT_EQ(outcomeFor<Held>(effects, 3)->answer_by, at(52)) << "the client's patience is not renewed";
}

TEST(Desk, RunsTheRepeatOfADetachedApprovalOnce) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Detach{1}, at(1));
  EXPECT_EQ(outcomeFor<Released>(desk.apply(answer(desk, 1, "alice", true), at(2)), 1), nullptr);
  const auto first = desk.apply(Submit{request(2)}, at(100));
  ASSERT_NE(outcomeFor<Released>(first, 2), nullptr);
  EXPECT_THAT(outcomeFor<Released>(first, 2)->approved_by, ElementsAre("alice"));
  EXPECT_LT(indexOf(first, Record::Kind::Decision), indexOf(first, Record::Kind::Release));
  EXPECT_NE(outcomeFor<Held>(desk.apply(Submit{request(3)}, at(101)), 3), nullptr) << "used up";
}

TEST(Desk, LetsADetachedApprovalDieAfterRepeatWithin) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Detach{1}, at(1));
  (void)desk.apply(answer(desk, 1, "alice", true), at(2));
  EXPECT_EQ(desk.nextDeadline(), at(122));
  const auto effects = desk.apply(Submit{request(2)}, at(122));
  EXPECT_EQ(outcomeFor<Released>(effects, 2), nullptr);
  EXPECT_EQ(outcomeFor<Held>(effects, 2)->hold, 2U);
}

TEST(Desk, DeniesTheRepeatWhenPolicyDeniesItByThen) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Detach{1}, at(1));
  (void)desk.apply(answer(desk, 1, "alice", true), at(2));
  EXPECT_NE(outcomeFor<Denied>(desk.apply(Submit{request(2, "systemctl restart api", kDeny)}, at(3)), 2), nullptr);
  EXPECT_NE(outcomeFor<Held>(desk.apply(Submit{request(3)}, at(4)), 3), nullptr) << "the approval does not survive the denial";
}

TEST(Desk, HoldsTheRepeatAgainWhenPolicyAsksForMorePeopleByThen) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Detach{1}, at(1));
  (void)desk.apply(answer(desk, 1, "alice", true), at(2));
  const auto effects = desk.apply(Submit{request(2, "systemctl restart api", decided(policy::Verdict::Hold, 2))}, at(3));
  ASSERT_NE(outcomeFor<Held>(effects, 2), nullptr);
  EXPECT_EQ(desk.show(1)->state, HoldState::Pending);
  EXPECT_THAT(desk.show(1)->approved_by, ElementsAre("alice"));
  EXPECT_NE(outcomeFor<Released>(desk.apply(answer(desk, 1, "carol", true), at(4)), 2), nullptr);
}

TEST(Desk, NeverRunsADetachedHoldByItself) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Detach{1}, at(1));
  const auto effects = desk.apply(answer(desk, 1, "alice", true), at(2));
  EXPECT_TRUE(only<Reply>(effects).empty());
  EXPECT_THAT(textOf(effects), HasSubstr("the agent is gone"));
}

TEST(Desk, TellsOneRepeatOfADenialThatNobodyHeard) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Detach{1}, at(1));
  Answer no = answer(desk, 1, "alice", false);
  no.reason = "not during the freeze";
  no.retry = Retry::ChangeAndRetry;
  (void)desk.apply(no, at(2));
  const auto told = desk.apply(Submit{request(2)}, at(3));
  ASSERT_NE(outcomeFor<Denied>(told, 2), nullptr);
  EXPECT_EQ(outcomeFor<Denied>(told, 2)->reason, "not during the freeze");
  EXPECT_EQ(outcomeFor<Denied>(told, 2)->by, "alice");
  EXPECT_EQ(outcomeFor<Denied>(told, 2)->retry, Retry::ChangeAndRetry);
  EXPECT_NE(outcomeFor<Held>(desk.apply(Submit{request(3)}, at(4)), 3), nullptr);
}

TEST(Desk, HoldsTheRepeatOfACommandWhoseEndWasNotSeen) {
  Desk desk;
  (void)desk.apply(Submit{request(1, "mv a b", kAllow)}, at(0));
  (void)desk.apply(Finished{1, Ending::Unknown, 0, ""}, at(1));
  const auto again = desk.apply(Submit{request(2, "mv a b", kAllow)}, at(2));
  ASSERT_NE(outcomeFor<Held>(again, 2), nullptr);
  EXPECT_THAT(outcomeFor<Held>(again, 2)->reason, HasSubstr("its end was not seen"));
  EXPECT_NE(outcomeFor<Released>(desk.apply(Submit{request(3, "mv a c", kAllow)}, at(2)), 3), nullptr) << "only the equal one";
  EXPECT_NE(outcomeFor<Released>(desk.apply(answer(desk, 1, "alice", true, kAllow), at(3)), 2), nullptr);
  EXPECT_NE(outcomeFor<Held>(desk.apply(Submit{request(4, "mv a b", kAllow)}, at(4)), 4), nullptr) << "its end is not known yet either";
  (void)desk.apply(CancelWaiter{4}, at(5));
  (void)desk.apply(Finished{2, Ending::Exited, 0, ""}, at(6));
  EXPECT_NE(outcomeFor<Released>(desk.apply(Submit{request(5, "mv a b", kAllow)}, at(7)), 5), nullptr);
}

TEST(Desk, LetsReadOnlyCommandsRepeatAfterAnUnseenEnd) {
  Desk desk;
  Submission look = request(1, "uptime", kAllow);
  look.read_only = true;
  (void)desk.apply(Submit{look}, at(0));
  (void)desk.apply(Finished{1, Ending::Unknown, 0, ""}, at(1));
  look.waiter = 2;
  EXPECT_NE(outcomeFor<Released>(desk.apply(Submit{look}, at(2)), 2), nullptr);
}

TEST(Desk, ForgetsNoUnseenEndWhenItsMemoryIsFull) {
  DeskLimits limits;
  limits.unknown_kept = 1;
  Desk desk({}, limits);
  for (WaiterId waiter = 1; waiter <= 2; ++waiter) {
    (void)desk.apply(Submit{request(waiter, "mv a" + std::to_string(waiter), kAllow)}, at(0));
  }
  (void)desk.apply(Finished{1, Ending::Unknown, 0, ""}, at(1));
  (void)desk.apply(Finished{2, Ending::Unknown, 0, ""}, at(1));
  EXPECT_NE(outcomeFor<Held>(desk.apply(Submit{request(3, "mv a1", kAllow)}, at(2)), 3), nullptr);
  EXPECT_NE(outcomeFor<Held>(desk.apply(Submit{request(4, "mv a2", kAllow)}, at(2)), 4), nullptr);
  Submission other = request(5, "mv a2", kAllow);
  other.agent = "bot2";
  EXPECT_NE(outcomeFor<Released>(desk.apply(Submit{other}, at(2)), 5), nullptr);
}

TEST(Desk, ContinuesIdsAndUnseenEndsFromItsSeed) {
  std::string hex;
  for (const char c : bindingOf(request(1, "mv a b"))) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", unsigned(static_cast<unsigned char>(c)));
    hex += two;
  }
  Desk desk({.next_hold = 43, .unknown = {{"bot", hex}}, .stopped = {"bot9"}});
  EXPECT_EQ(outcomeFor<Held>(desk.apply(Submit{request(1, "mv a b", kAllow)}, at(0)), 1)->hold, 43U);
  Submission other = request(2, "uptime", kAllow);
  other.agent = "bot9";
  EXPECT_NE(outcomeFor<Denied>(desk.apply(Submit{other}, at(0)), 2), nullptr);
}

TEST(Desk, EndsRecoveredHoldsAsCancelledByTheRestart) {
  Desk desk;
  const auto effects = desk.apply(Recovered{7, "abcd", "bot"}, at(0));
  EXPECT_EQ(summary(effects), "Cancelled");
  EXPECT_EQ(only<Record>(effects)[0].reason, "restart");
  EXPECT_THAT(textOf(desk.apply(answer(desk, 7, "alice", true), at(1))), HasSubstr("cancelled: restart"));
  EXPECT_EQ(outcomeFor<Held>(desk.apply(Submit{request(1)}, at(2)), 1)->hold, 8U);
}

TEST(Desk, DeniesOverEachLimitAndNamesIt) {
  struct Row {
    const char* name;
    DeskLimits limits;
  };
  DeskLimits holds, per_agent, bytes, agent_bytes, waiters, running;
  holds.holds = 1;
  per_agent.holds_per_agent = 1;
  bytes.held_bytes = 1200;
  agent_bytes.held_bytes_per_agent = 1200;
  running.running = 1;
  for (const Row& row : {Row{"limit holds)", holds}, Row{"limit holds_per_agent)", per_agent}, Row{"limit held_bytes)", bytes},
                         Row{"limit held_bytes_per_agent)", agent_bytes}}) {
    Desk desk({}, row.limits);
    EXPECT_NE(outcomeFor<Held>(desk.apply(Submit{request(1, std::string(600, 'x'))}, at(0)), 1), nullptr) << row.name;
    const auto effects = desk.apply(Submit{request(2, std::string(600, 'y'))}, at(0));
    ASSERT_NE(outcomeFor<Denied>(effects, 2), nullptr) << row.name;
    EXPECT_THAT(outcomeFor<Denied>(effects, 2)->reason, HasSubstr(row.name));
    (void)desk.apply(Cancel{1, 1, "bot"}, at(1));
    EXPECT_NE(outcomeFor<Held>(desk.apply(Submit{request(3, std::string(600, 'y'))}, at(2)), 3), nullptr) << "room again: " << row.name;
  }
  waiters.waiters_per_hold = 1;
  Desk crowded({}, waiters);
  (void)crowded.apply(Submit{request(1)}, at(0));
  EXPECT_THAT(outcomeFor<Denied>(crowded.apply(Submit{request(2)}, at(0)), 2)->reason, HasSubstr("waiters_per_hold"));
  Desk busy({}, running);
  (void)busy.apply(Submit{request(1, "uptime", kAllow)}, at(0));
  EXPECT_THAT(outcomeFor<Denied>(busy.apply(Submit{request(2, "uptime", kAllow)}, at(0)), 2)->reason, HasSubstr("limit running"));
}

TEST(Desk, HoldsAThousandCommandsOfOneAgentAtOnce) {
  Desk desk;
  for (WaiterId waiter = 1; waiter <= 1000; ++waiter) {
    ASSERT_NE(outcomeFor<Held>(desk.apply(Submit{request(waiter, "step " + std::to_string(waiter))}, at(0)), waiter), nullptr);
  }
  for (HoldId hold = 1; hold <= 1000; ++hold) {
    ASSERT_NE(outcomeFor<Released>(desk.apply(answer(desk, hold, "alice", true), at(1)), hold), nullptr);
  }
  EXPECT_EQ(desk.openCount(), 0U);
}

TEST(Desk, IgnoresAWaiterIdThatIsInUse) {
  Desk desk;
  (void)desk.apply(Submit{request(1, "uptime", kAllow)}, at(0));
  (void)desk.apply(Submit{request(2)}, at(0));
  EXPECT_TRUE(desk.apply(Submit{request(1, "id", kAllow)}, at(1)).empty());
  EXPECT_TRUE(desk.apply(Submit{request(2, "id", kAllow)}, at(1)).empty());
  EXPECT_TRUE(desk.apply(Submit{request(0, "id", kAllow)}, at(1)).empty());
}

TEST(Desk, EndsTheHoldWithItsLastWaiterOnlyWhenThatOneCancels) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Submit{request(2)}, at(0));
  EXPECT_EQ(summary(desk.apply(CancelWaiter{1}, at(1))), "Detached >Cancelled");
  EXPECT_EQ(desk.openCount(), 1U);
  EXPECT_EQ(summary(desk.apply(CancelWaiter{2}, at(2))), "Cancelled !Cancelled >Cancelled");
  EXPECT_EQ(desk.openCount(), 0U);
}

TEST(Desk, TellsEveryWaiterThatNothingRanWhenTheGateStops) {
  Desk desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  (void)desk.apply(Submit{request(2, "other")}, at(0));
  const auto effects = desk.apply(Shutdown{}, at(1));
  EXPECT_NE(outcomeFor<Trouble>(effects, 1), nullptr);
  EXPECT_NE(outcomeFor<Trouble>(effects, 2), nullptr);
  const auto late = desk.apply(Submit{request(3, "uptime", kAllow)}, at(2));
  ASSERT_NE(outcomeFor<Trouble>(late, 3), nullptr);
  EXPECT_EQ(exitStatusOf(*outcomeFor<Trouble>(late, 3)), 255);
}

TEST(Desk, RecordsHowAReleasedCommandEnded) {
  Desk desk;
  (void)desk.apply(Submit{request(1, "false", kAllow)}, at(0));
  const auto effects = desk.apply(Finished{1, Ending::Exited, 37, ""}, at(1));
  ASSERT_EQ(summary(effects), "Exit");
  EXPECT_EQ(only<Record>(effects)[0].status, 37);
  EXPECT_EQ(only<Record>(effects)[0].session, "s1");
  EXPECT_TRUE(desk.apply(Finished{1, Ending::Exited, 0, ""}, at(2)).empty()) << "it ends once";
}

}  // namespace
}  // namespace ptygate::keeper::testing
