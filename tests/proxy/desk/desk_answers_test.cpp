// SPDX-License-Identifier: Apache-2.0
// The desk towards people and the agents' verbs: who may decide, what is too late, what foreign agents learn.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "desk_builders.h"

namespace ptygate::keeper::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Desk holding(policy::Decision decision = kHold) {
  Desk desk;
  (void)desk.apply(Submit{request(1, "systemctl restart api", std::move(decision))}, at(0));
  return desk;
}

TEST(DeskAnswer, RefusesSomeoneWhoMayNotReview) {
  Desk desk = holding();
  Answer message = answer(desk, 1, "mallory", true);
  message.may_review = false;
  EXPECT_EQ(summary(desk.apply(message, at(1))), "=4");
  message.approve = false;
  EXPECT_EQ(summary(desk.apply(message, at(1))), "=4");
}

TEST(DeskAnswer, RefusesTheAgentItselfAsAPerson) {
  Desk desk = holding();
  EXPECT_EQ(summary(desk.apply(answer(desk, 1, "bot", true), at(1))), "=4");
  EXPECT_EQ(summary(desk.apply(answer(desk, 1, "bot", false), at(1))), "=4");
  EXPECT_EQ(summary(desk.apply(answer(desk, 1, "", true), at(1))), "=4");
}

TEST(DeskAnswer, RefusesApprovalWithoutTheTagOrWithAnother) {
  Desk desk = holding();
  Answer message = answer(desk, 1, "alice", true);
  const std::string tag = message.tag;
  for (const std::string& wrong : {std::string(), std::string("zzzz"), tag + "a", tag.substr(0, 3), std::string(4, 'A')}) {
    message.tag = wrong;
    EXPECT_EQ(summary(desk.apply(message, at(1))), "=1") << wrong;
  }
}

TEST(DeskAnswer, DeniesByNumberAloneButNotWithAWrongTag) {
  Desk desk = holding();
  Answer message = answer(desk, 1, "alice", false);
  message.tag = "zzzz";
  EXPECT_EQ(codeOf(desk.apply(message, at(1))), 1);
  message.tag = "";
  message.reason = "not now";
  const auto effects = desk.apply(message, at(1));
  EXPECT_EQ(codeOf(effects), 0);
  EXPECT_EQ(outcomeFor<Denied>(effects, 1)->reason, "not now");
  EXPECT_EQ(outcomeFor<Denied>(effects, 1)->by, "alice");
}

TEST(DeskAnswer, RefusesApprovalThatWasNotEvaluatedAgain) {
  Desk desk = holding();
  Answer message = answer(desk, 1, "alice", true);
  message.fresh.reset();
  EXPECT_EQ(summary(desk.apply(message, at(1))), "=1");
}

TEST(DeskAnswer, DeniesAtReleaseWhatPolicyDeniesByThen) {
  Desk desk = holding();
  const auto effects = desk.apply(answer(desk, 1, "alice", true, kDeny), at(1));
  EXPECT_EQ(summary(effects), "Answer Decision !Denied =1 >Denied");
  EXPECT_EQ(outcomeFor<Denied>(effects, 1)->rule, "never");
}

TEST(DeskAnswer, CountsDistinctPeopleOnly) {
  Desk desk = holding(decided(policy::Verdict::Hold, 2));
  EXPECT_EQ(textOf(desk.apply(answer(desk, 1, "alice", true), at(1))).substr(0, 8), "approved");
  EXPECT_EQ(summary(desk.apply(answer(desk, 1, "alice", true), at(2))), "=1");
  const auto effects = desk.apply(answer(desk, 1, "carol", true), at(3));
  ASSERT_NE(outcomeFor<Released>(effects, 1), nullptr);
  EXPECT_THAT(outcomeFor<Released>(effects, 1)->approved_by, ElementsAre("alice", "carol"));
}

TEST(DeskAnswer, TakesTheStricterOfTheShownAndTheFreshDecision) {
  Desk more = holding();
  EXPECT_EQ(outcomeFor<Released>(more.apply(answer(more, 1, "alice", true, decided(policy::Verdict::Hold, 2)), at(1)), 1), nullptr);
  Desk less = holding(decided(policy::Verdict::Hold, 2));
  EXPECT_EQ(outcomeFor<Released>(less.apply(answer(less, 1, "alice", true, kAllow), at(1)), 1), nullptr) << "the prompt said two people";
  EXPECT_NE(outcomeFor<Released>(less.apply(answer(less, 1, "carol", true, kAllow), at(2)), 1), nullptr);
}

TEST(DeskAnswer, AcceptsOnlyTheReviewersThatTheRuleNames) {
  policy::Decision ops = kHold;
  ops.reviewers = {"role=ops", "dave"};
  Desk desk = holding(ops);
  EXPECT_EQ(summary(desk.apply(answer(desk, 1, "alice", true, ops), at(1))), "=4");
  EXPECT_EQ(summary(desk.apply(answer(desk, 1, "role=ops", true, ops), at(1))), "=4") << "a name is not a role";
  Answer other_role = answer(desk, 1, "alice", true, ops);
  other_role.roles = {"dba", "op", "dave"};
  EXPECT_EQ(summary(desk.apply(other_role, at(1))), "=4");
  other_role.roles = {"ops"};
  EXPECT_NE(outcomeFor<Released>(desk.apply(other_role, at(1)), 1), nullptr);
  Desk named = holding(ops);
  EXPECT_NE(outcomeFor<Released>(named.apply(answer(named, 1, "dave", true, ops), at(1)), 1), nullptr);
}

TEST(DeskAnswer, DoesNotCountAnApprovalThatANarrowerRuleExcludesByThen) {
  Desk desk = holding(decided(policy::Verdict::Hold, 2));
  (void)desk.apply(answer(desk, 1, "alice", true), at(1));
  policy::Decision ops = decided(policy::Verdict::Hold, 2);
  ops.reviewers = {"role=ops"};
  Answer second = answer(desk, 1, "carol", true, ops);
  second.roles = {"ops"};
  EXPECT_EQ(outcomeFor<Released>(desk.apply(second, at(2)), 1), nullptr);
  second.person = "dave";
  EXPECT_NE(outcomeFor<Released>(desk.apply(second, at(3)), 1), nullptr);
}

TEST(DeskAnswer, ExcludesTheAgentsOwnPersonWhereTheRuleSaysSo) {
  policy::Decision strict = kHold;
  strict.not_owner = true;
  Desk desk = holding(strict);
  EXPECT_EQ(summary(desk.apply(answer(desk, 1, "bob", true, strict), at(1))), "=4");
  EXPECT_EQ(codeOf(desk.apply(answer(desk, 1, "bob", false, strict), at(1))), 0) << "but the owner may deny";
  Desk lax = holding();
  EXPECT_NE(outcomeFor<Released>(lax.apply(answer(lax, 1, "bob", true), at(1)), 1), nullptr);
}

TEST(DeskAnswer, LetsTheFirstDenialDecideWhateverWasApprovedBefore) {
  Desk desk = holding(decided(policy::Verdict::Hold, 2));
  (void)desk.apply(answer(desk, 1, "alice", true), at(1));
  EXPECT_NE(outcomeFor<Denied>(desk.apply(answer(desk, 1, "carol", false), at(2)), 1), nullptr);
  EXPECT_EQ(codeOf(desk.apply(answer(desk, 1, "dave", true), at(3))), 1);
}

TEST(DeskAnswer, TellsLateReviewersWhatHappened) {
  Desk released = holding();
  (void)released.apply(answer(released, 1, "alice", true), at(1));
  EXPECT_THAT(textOf(released.apply(answer(released, 1, "carol", false), at(2))), HasSubstr("approved by alice"));
  Desk denied = holding();
  (void)denied.apply(answer(denied, 1, "alice", false), at(1));
  EXPECT_THAT(textOf(denied.apply(answer(denied, 1, "carol", true), at(2))), HasSubstr("denied by alice"));
  Desk expired = holding();
  EXPECT_THAT(textOf(expired.apply(answer(expired, 1, "alice", true), at(500))), HasSubstr("expired"));
  Desk empty;
  EXPECT_THAT(textOf(empty.apply(answer(empty, 9, "alice", true), at(1))), HasSubstr("is not known"));
  DeskLimits forgetful;
  forgetful.closed_kept = 0;
  Desk old({}, forgetful);
  (void)old.apply(Submit{request(1)}, at(0));
  (void)old.apply(answer(old, 1, "alice", true), at(1));
  EXPECT_THAT(textOf(old.apply(answer(old, 1, "alice", true), at(2))), HasSubstr("ended long ago"));
}

TEST(DeskAnswer, RefusesAReasonThatIsTooLong) {
  Desk desk = holding();
  Answer message = answer(desk, 1, "alice", false);
  message.reason.assign(1001, 'x');
  EXPECT_EQ(summary(desk.apply(message, at(1))), "=2");
}

TEST(DeskAnswer, KeepsTheStricterHandlingOfStandardInput) {
  policy::Decision shown = kHold, fresh = kHold;
  shown.stdin_rule = policy::StdinRule::Hold;
  fresh.stdin_rule = policy::StdinRule::Stream;
  fresh.record_hash = true;
  Desk desk = holding(shown);
  const auto effects = desk.apply(answer(desk, 1, "alice", true, fresh), at(1));
  EXPECT_EQ(outcomeFor<Released>(effects, 1)->decision.stdin_rule, policy::StdinRule::Hold);
  EXPECT_FALSE(outcomeFor<Released>(effects, 1)->decision.record_hash);
}

TEST(DeskVerbs, TellNothingAboutHoldsOfOtherAgents) {
  Desk desk = holding();
  for (const HoldId hold : {HoldId{1}, HoldId{2}, HoldId{0}}) {
    const std::string expected = "no open hold " + std::to_string(hold) + " of yours";
    EXPECT_EQ(textOf(desk.apply(Cancel{5, hold, "other"}, at(1))), expected);
    EXPECT_EQ(textOf(desk.apply(Wait{5, hold, "other"}, at(1))), expected);
    EXPECT_EQ(codeOf(desk.apply(Wait{6, hold, "other"}, at(1))), 1);
  }
  (void)desk.apply(answer(desk, 1, "alice", false), at(2));
  EXPECT_EQ(textOf(desk.apply(Wait{5, 1, "other"}, at(3))), "no open hold 1 of yours");
  EXPECT_TRUE(desk.openOf("other").empty());
}

TEST(DeskVerbs, WaitEndsWithTheAnswer) {
  for (const bool approve : {true, false}) {
    Desk desk = holding();
    (void)desk.apply(Detach{1}, at(1));
    EXPECT_TRUE(desk.apply(Wait{5, 1, "bot"}, at(2)).empty());
    const auto results = only<Result>(desk.apply(answer(desk, 1, "alice", approve), at(3)));
    ASSERT_EQ(results.size(), 2U);
    for (const Result& result : results) {
      const int expected = result.ticket == 5 && !approve ? 126 : 0;
      EXPECT_EQ(result.code, expected);
    }
  }
  Desk desk = holding();
  (void)desk.apply(Wait{5, 1, "bot"}, at(1));
  EXPECT_EQ(codeOf(desk.apply(Tick{}, at(51))), 75);
  (void)desk.apply(Wait{6, 1, "bot"}, at(260));
  EXPECT_EQ(codeOf(desk.apply(Tick{}, at(300))), 124);
}

TEST(DeskVerbs, WaitIsNobodyToRunFor) {
  Desk desk = holding();
  (void)desk.apply(Detach{1}, at(1));
  (void)desk.apply(Wait{5, 1, "bot"}, at(2));
  EXPECT_TRUE(only<Reply>(desk.apply(answer(desk, 1, "alice", true), at(3))).empty());
  EXPECT_EQ(desk.show(1)->state, HoldState::Approved);
}

TEST(DeskVerbs, ADroppedWaitGetsNoResult) {
  Desk desk = holding();
  (void)desk.apply(Wait{5, 1, "bot"}, at(1));
  (void)desk.apply(DropWait{5}, at(2));
  (void)desk.apply(DropWait{5}, at(2));
  EXPECT_TRUE(only<Result>(desk.apply(Tick{}, at(500))).empty());
}

TEST(DeskVerbs, CancelTellsTheWaitersAndEndsTheHold) {
  Desk desk = holding();
  const auto effects = desk.apply(Cancel{5, 1, "bot"}, at(1));
  EXPECT_NE(outcomeFor<Cancelled>(effects, 1), nullptr);
  EXPECT_EQ(codeOf(desk.apply(answer(desk, 1, "alice", true), at(2))), 1);
}

TEST(DeskStop, CancelsAndDeniesUntilSomeoneResumes) {
  Desk desk = holding();
  EXPECT_EQ(summary(desk.apply(StopAgent{5, "bot", "mallory", false, ""}, at(1))), "=4");
  EXPECT_NE(outcomeFor<Cancelled>(desk.apply(StopAgent{5, "bot", "alice", true, "odd"}, at(2)), 1), nullptr);
  EXPECT_NE(outcomeFor<Denied>(desk.apply(Submit{request(2, "uptime", kAllow)}, at(3)), 2), nullptr);
  EXPECT_EQ(summary(desk.apply(ResumeAgent{5, "bot", "mallory", false}, at(4))), "=4");
  EXPECT_EQ(summary(desk.apply(ResumeAgent{5, "bot", "alice", true}, at(5))), "Resumed =0");
  EXPECT_NE(outcomeFor<Released>(desk.apply(Submit{request(3, "uptime", kAllow)}, at(6)), 3), nullptr);
}

TEST(DeskViews, ShowOpenHoldsAndHowOthersEnded) {
  Desk desk = holding();
  (void)desk.apply(Submit{request(2, "other")}, at(1));
  ASSERT_EQ(desk.open().size(), 2U);
  EXPECT_EQ(desk.open()[0].id, 1U);
  EXPECT_EQ(desk.openOf("bot").size(), 2U);
  EXPECT_EQ(desk.requestOf(2)->command, "other");
  (void)desk.apply(answer(desk, 1, "alice", true), at(2));
  EXPECT_FALSE(desk.show(1).has_value());
  EXPECT_EQ(desk.requestOf(1), nullptr);
  ASSERT_TRUE(desk.closed(1).has_value());
  EXPECT_EQ(desk.closed(1)->how, ClosedView::How::Released);
  EXPECT_FALSE(desk.closed(2).has_value());
}

}  // namespace
}  // namespace ptygate::keeper::testing
