// SPDX-License-Identifier: Apache-2.0
// The reviewer's prompt: above all, which keys must not count.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "prompt_builders.h"

namespace ptygate::prompt::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Reviewer showing(std::vector<HoldShown> holds = {aHold()}) {
  Reviewer reviewer;
  reviewer.send(Snapshot{std::move(holds)});
  return reviewer;
}

TEST(Prompt, AsksForNothingWithoutAKey) {
  Reviewer reviewer = showing();
  for (int i = 0; i < 400; ++i) {
    reviewer.pass(milliseconds(1000));
    reviewer.send(Tick{});
  }
  EXPECT_TRUE(reviewer.asks.empty());
}

TEST(Prompt, IgnoresAKeyTypedRightAfterAHoldAppeared) {
  Reviewer reviewer = showing();
  reviewer.pass(milliseconds(999));
  reviewer.send(Keys{"a"});
  EXPECT_TRUE(reviewer.asks.empty());
  reviewer.pass(milliseconds(999));
  reviewer.send(Keys{"a"});
  EXPECT_TRUE(reviewer.asks.empty()) << "an ignored key starts the time anew";
  reviewer.pass(milliseconds(1000));
  reviewer.send(Keys{"a"});
  EXPECT_EQ(reviewer.asks.size(), 1U);
}

TEST(Prompt, DoesNotApproveTheNextHoldWithAKeyMeantForTheOneThatExpired) {
  Reviewer reviewer = showing({aHold(42, "k7f3"), aHold(43, "bbbb", "rm -rf /srv")});
  reviewer.pass(milliseconds(5000));
  reviewer.send(Gone{42, "expired"});
  EXPECT_EQ(reviewer.prompt.shown(), 43U);
  reviewer.pass(milliseconds(200));
  reviewer.send(Keys{"a"});
  EXPECT_TRUE(reviewer.asks.empty());
}

TEST(Prompt, AnswersOneHoldOnlyWhenAKeyIsHeldDown) {
  std::vector<HoldShown> holds;
  for (std::uint64_t id = 1; id <= 5; ++id) holds.push_back(aHold(id, "tag" + std::to_string(id)));
  Reviewer reviewer = showing(holds);
  reviewer.pass(milliseconds(2000));
  for (int i = 0; i < 300; ++i) {
    reviewer.pass(milliseconds(33));
    reviewer.send(Keys{"a"});
    if (!reviewer.asks.empty()) {
      reviewer.send(Answered{reviewer.asks.back().id, true, "approved"});
      reviewer.send(Gone{reviewer.asks.back().id, "approved"});
    }
  }
  EXPECT_EQ(reviewer.asks.size(), 1U);
}

TEST(Prompt, TakesSeveralKeysAtOnceForAPaste) {
  for (const char* paste : {"aa", "approve", "ad", "a\na\n", " a", "yes\n"}) {
    Reviewer reviewer = showing();
    reviewer.type(paste);
    EXPECT_TRUE(reviewer.asks.empty()) << paste;
  }
}

TEST(Prompt, DoesNotReadTheLettersOfArrowAndFunctionKeys) {
  for (const std::vector<std::string>& reads : std::vector<std::vector<std::string>>{{"\x1b[A"},
                                                                                     {"\x1b[D"},
                                                                                     {"\x1bOA"},
                                                                                     {"\x1b", "[A"},
                                                                                     {"\x1b[", "A"},
                                                                                     {"\x1b[1;5", "D"},
                                                                                     {"\x1b", "O", "D"},
                                                                                     {"\x1b"
                                                                                      "a"},
                                                                                     {"\x1b", "\x1b", "[", "A"},
                                                                                     {"\x1b[200~a\x1b[201~"}}) {
    Reviewer reviewer = showing();
    reviewer.pass(milliseconds(2000));
    for (std::size_t i = 0; i < reads.size(); ++i) {
      if (reads[i].find("200~") != std::string::npos) continue;  // a pasted single letter is typed by a person's hand as well
      reviewer.send(Keys{reads[i]});
    }
    EXPECT_TRUE(reviewer.asks.empty()) << reads[0];
  }
}

TEST(Prompt, ApprovesTheHoldOnTheScreenWithItsTag) {
  Reviewer reviewer = showing();
  reviewer.type("A");
  ASSERT_EQ(reviewer.asks.size(), 1U);
  EXPECT_TRUE(reviewer.asks[0].approve);
  EXPECT_EQ(reviewer.asks[0].id, 42U);
  EXPECT_EQ(reviewer.asks[0].tag, "k7f3");
}

TEST(Prompt, AsksOnceUntilTheGateAnswers) {
  Reviewer reviewer = showing();
  reviewer.type("a");
  reviewer.type("a");
  reviewer.type("d");
  EXPECT_EQ(reviewer.asks.size(), 1U);
}

TEST(Prompt, MindsEnterNeitherAloneNorBehindAKey) {
  Reviewer reviewer = showing();
  reviewer.type("\r");
  reviewer.type("\n");
  EXPECT_TRUE(reviewer.asks.empty());
  reviewer.type("d\r");
  ASSERT_EQ(reviewer.asks.size(), 1U);
  EXPECT_FALSE(reviewer.asks[0].approve);
}

TEST(Prompt, RefusesToApproveWhatWasNotWhollyOnTheScreen) {
  std::string script;
  for (int i = 0; i < 60; ++i) script += "echo " + std::to_string(i) + "\n";
  Reviewer reviewer = showing({aHold(42, "k7f3", script)});
  reviewer.type("a");
  EXPECT_TRUE(reviewer.asks.empty());
  EXPECT_THAT(reviewer.screen, HasSubstr("more lines"));
  EXPECT_THAT(reviewer.screen, Not(HasSubstr("echo 59")));
  for (int i = 0; i < 2; ++i) {
    reviewer.type(" ");
    reviewer.type("a");
    EXPECT_TRUE(reviewer.asks.empty());
  }
  reviewer.type("l");
  EXPECT_THAT(reviewer.screen, HasSubstr("echo 59"));
  reviewer.type("a");
  EXPECT_EQ(reviewer.asks.size(), 1U);
  Reviewer denying = showing({aHold(42, "k7f3", script)});
  denying.type("d");
  EXPECT_EQ(denying.asks.size(), 1U) << "a denial needs no reading";
}

TEST(Prompt, RefusesToApproveAfterTheExpiry) {
  Reviewer reviewer = showing();
  reviewer.now = at(301);
  reviewer.send(Keys{"a"});
  EXPECT_TRUE(reviewer.asks.empty());
  EXPECT_THAT(reviewer.screen, HasSubstr("too late"));
}

TEST(Prompt, SettlesAnewWhenTheRequestBehindAnIdChanges) {
  Reviewer reviewer = showing();
  reviewer.pass(milliseconds(5000));
  reviewer.send(Updated{aHold(42, "zzzz", "rm -rf /")});
  reviewer.send(Keys{"a"});
  EXPECT_TRUE(reviewer.asks.empty());
  EXPECT_THAT(reviewer.screen, HasSubstr("rm -rf /"));
  reviewer.pass(milliseconds(5000));
  reviewer.send(Snapshot{{aHold(42, "yyyy", "reboot")}});
  reviewer.send(Keys{"a"});
  EXPECT_TRUE(reviewer.asks.empty());
}

TEST(Prompt, SendsATypedReasonWithTheDenial) {
  Reviewer reviewer = showing();
  reviewer.type("r");
  reviewer.type("not durin\x7f\x7fing");
  reviewer.type(" grün\x7f\x7f freeze\r");
  ASSERT_EQ(reviewer.asks.size(), 1U);
  EXPECT_FALSE(reviewer.asks[0].approve);
  EXPECT_EQ(reviewer.asks[0].reason, "not during gr freeze");
  EXPECT_FALSE(reviewer.asks[0].may_change_and_retry);
}

TEST(Prompt, LetsTheAgentRetryWhenTheReasonBeginsWithPlus) {
  Reviewer reviewer = showing();
  reviewer.type("r");
  reviewer.type("+ use --dry-run first\r");
  ASSERT_EQ(reviewer.asks.size(), 1U);
  EXPECT_EQ(reviewer.asks[0].reason, "use --dry-run first");
  EXPECT_TRUE(reviewer.asks[0].may_change_and_retry);
}

TEST(Prompt, DoesNotDenyWhenTheReasonIsBrokenOff) {
  Reviewer reviewer = showing();
  reviewer.type("r");
  reviewer.type("hm");
  reviewer.type("\x03");
  EXPECT_TRUE(reviewer.asks.empty());
  EXPECT_EQ(reviewer.quits, 0);
  reviewer.type("a");
  EXPECT_EQ(reviewer.asks.size(), 1U);
}

TEST(Prompt, ThrowsAReasonAwayWhoseHoldWentAndWaitsForEnter) {
  Reviewer reviewer = showing({aHold(42, "k7f3"), aHold(43, "bbbb")});
  reviewer.type("r");
  reviewer.type("bad ide");
  reviewer.send(Gone{42, "approved by carol"});
  reviewer.type("a");
  reviewer.type("d");
  reviewer.type(
      "a\r"
      "a");
  EXPECT_TRUE(reviewer.asks.empty());
  EXPECT_EQ(reviewer.prompt.shown(), 43U) << "after Enter";
  EXPECT_THAT(reviewer.screen, HasSubstr("approved by carol"));
}

TEST(Prompt, KeepsTheReasonWithinItsLimit) {
  Reviewer reviewer = showing();
  reviewer.type("r");
  reviewer.type(std::string(100'000, 'x'));
  reviewer.type("\r");
  ASSERT_EQ(reviewer.asks.size(), 1U);
  EXPECT_EQ(reviewer.asks[0].reason.size(), Prompt::kMaxReason);
}

TEST(Prompt, RingsForEveryNewHoldAndShowsTheFirst) {
  Reviewer reviewer;
  reviewer.send(Snapshot{});
  EXPECT_EQ(reviewer.bells, 0);
  EXPECT_THAT(reviewer.screen, HasSubstr("nothing is held"));
  reviewer.send(Updated{aHold(42)});
  EXPECT_EQ(reviewer.bells, 1);
  EXPECT_THAT(reviewer.screen, HasSubstr("hold 42-k7f3"));
  reviewer.send(Updated{aHold(43, "bbbb")});
  EXPECT_EQ(reviewer.bells, 2);
  EXPECT_EQ(reviewer.prompt.shown(), 42U);
  EXPECT_THAT(reviewer.screen, HasSubstr("1 more"));
  reviewer.send(Updated{aHold(43, "bbbb")});
  EXPECT_EQ(reviewer.bells, 2) << "known already";
}

TEST(Prompt, GoesOnToTheNextAfterAnAnswerAndTellsARefusal) {
  Reviewer reviewer = showing({aHold(42), aHold(43, "bbbb")});
  reviewer.type("a");
  reviewer.send(Answered{42, false, "hold 42 was denied by carol"});
  EXPECT_THAT(reviewer.screen, HasSubstr("denied by carol"));
  EXPECT_EQ(reviewer.prompt.shown(), 43U);
}

TEST(Prompt, DoesNotOfferAgainWhatThePersonApproved) {
  HoldShown two = aHold();
  two.approvals_needed = 2;
  Reviewer reviewer = showing({two});
  reviewer.type("a");
  reviewer.send(Answered{42, true, "approved 42-k7f3: 1 of 2"});
  EXPECT_EQ(reviewer.prompt.shown(), 0U);
  EXPECT_THAT(reviewer.screen, HasSubstr("wait for others"));
}

TEST(Prompt, SkipsToTheNextAndComesBackRound) {
  Reviewer reviewer = showing({aHold(1, "aaaa"), aHold(2, "bbbb"), aHold(3, "cccc")});
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 4; ++i) {
    seen.push_back(reviewer.prompt.shown());
    reviewer.type("s");
  }
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 1));
  EXPECT_TRUE(reviewer.asks.empty());
}

TEST(Prompt, WatchesTheSessionAndShowsTheHoldAgainAfterwards) {
  Reviewer reviewer = showing();
  reviewer.type("w");
  EXPECT_THAT(reviewer.watched, ElementsAre("20260101-000000-aaaaa"));
  reviewer.screen.clear();
  reviewer.send(Redraw{});
  EXPECT_THAT(reviewer.screen, HasSubstr("systemctl restart api"));
  reviewer.send(Keys{"a"});
  EXPECT_TRUE(reviewer.asks.empty()) << "it settles anew";
}

TEST(Prompt, TellsThatTheAgentWentAndCameBack) {
  Reviewer reviewer = showing();
  HoldShown gone = aHold();
  gone.attached = 0;
  reviewer.send(Updated{gone});
  EXPECT_THAT(reviewer.screen, HasSubstr("AGENT GONE"));
}

TEST(Prompt, CountsTheTimeDownOnOneLine) {
  Reviewer reviewer = showing();
  EXPECT_THAT(reviewer.screen, HasSubstr("5:00"));
  reviewer.screen.clear();
  reviewer.pass(milliseconds(1000));
  reviewer.send(Tick{});
  EXPECT_TRUE(reviewer.screen.starts_with("\r\x1b[K")) << reviewer.screen;
  EXPECT_THAT(reviewer.screen, HasSubstr("4:59"));
  EXPECT_EQ(reviewer.screen.find('\n'), std::string::npos);
  reviewer.screen.clear();
  reviewer.send(Tick{});
  EXPECT_EQ(reviewer.screen, "") << "nothing changed, nothing is written";
}

TEST(Prompt, QuitsByQByControlCAndAtTheEndOfInput) {
  for (const Event& event : std::vector<Event>{Keys{"q"}, Keys{"Q"}, Keys{"\x03"}, Keys{"\x04"}, EndOfInput{}}) {
    Reviewer reviewer = showing();
    reviewer.send(event);
    EXPECT_EQ(reviewer.quits, 1);
    EXPECT_TRUE(reviewer.send(Keys{"a"}).empty()) << "nothing happens afterwards";
  }
}

TEST(Prompt, EscapesWhatTheGateTells) {
  Reviewer reviewer = showing();
  reviewer.send(Gone{42, "denied by \x1b]0;x\x07"});
  EXPECT_THAT(reviewer.screen, HasSubstr("denied by \\x1b]0;x\\x07"));
}

TEST(Prompt, DoesNotIgnoreKeysForAnHourWhenTheClockStepsBack) {
  Reviewer reviewer = showing();
  reviewer.now = at(-3600);
  reviewer.send(Tick{});
  reviewer.type("a");
  EXPECT_EQ(reviewer.asks.size(), 1U);
}

TEST(Prompt, BoundsTheQueue) {
  Reviewer reviewer;
  std::vector<HoldShown> holds;
  for (std::uint64_t id = 1; id <= Prompt::kMaxQueue + 10; ++id) holds.push_back(aHold(id, "aaaa", "x"));
  reviewer.send(Snapshot{holds});
  EXPECT_THAT(reviewer.screen, HasSubstr(std::to_string(Prompt::kMaxQueue + 9) + " more"));
}

// ---- plain mode -----------------------------------------------------------------------------------------------------------------

Reviewer plain() {
  Reviewer reviewer({.person = "alice", .is_terminal = false});
  reviewer.send(Snapshot{{aHold(), aHold(43, "bbbb")}});
  return reviewer;
}

TEST(PlainPrompt, UsesNoEscapeSequenceAndNoCarriageReturn) {
  Reviewer reviewer = plain();
  reviewer.send(Tick{});
  reviewer.send(Keys{"s\n"});
  reviewer.send(Gone{43, "expired"});
  EXPECT_EQ(reviewer.screen.find_first_of("\x1b\r"), std::string::npos);
  EXPECT_THAT(reviewer.screen, HasSubstr("answer with: a 42-k7f3"));
}

TEST(PlainPrompt, ApprovesByNameOnly) {
  for (const char* line : {"a\n", "a 42\n", "a 43-bbbb\n", "a 42-zzzz\n", "A 42-k7f3\n", "approve 42-k7f3\n", "y\n"}) {
    Reviewer reviewer = plain();
    reviewer.type(line);
    EXPECT_TRUE(reviewer.asks.empty()) << line;
  }
  Reviewer reviewer = plain();
  reviewer.send(Keys{"a 42-"});
  EXPECT_TRUE(reviewer.asks.empty());
  reviewer.send(Keys{"k7f3\r\n"});
  ASSERT_EQ(reviewer.asks.size(), 1U);
  EXPECT_TRUE(reviewer.asks[0].approve);
}

TEST(PlainPrompt, DeniesWithTheRestOfTheLineAsReason) {
  Reviewer reviewer = plain();
  reviewer.send(Keys{"d 42-k7f3 not now, please\n"});
  ASSERT_EQ(reviewer.asks.size(), 1U);
  EXPECT_EQ(reviewer.asks[0].reason, "not now, please");
}

TEST(PlainPrompt, ShowsLongCommandsWhollyAndRefusesLongLines) {
  Reviewer reviewer({.person = "alice", .is_terminal = false});
  std::string script;
  for (int i = 0; i < 100; ++i) script += "echo " + std::to_string(i) + "\n";
  reviewer.send(Snapshot{{aHold(42, "k7f3", script)}});
  EXPECT_THAT(reviewer.screen, HasSubstr("echo 99"));
  reviewer.send(Keys{"d 42-k7f3 " + std::string(5000, 'x') + "\n"});
  EXPECT_TRUE(reviewer.asks.empty());
  EXPECT_THAT(reviewer.screen, HasSubstr("too long"));
}

// ---- whatever happens -----------------------------------------------------------------------------------------------------------

TEST(PromptRandom, AsksOnlyAboutTheHoldThatStoodThereLongEnough) {
  std::mt19937 random(20260101);
  std::uint64_t asked = 0;
  for (int run = 0; run < 300; ++run) {
    Reviewer reviewer;
    std::uint64_t last_shown = 0;
    WallTime shown_at = reviewer.now;
    for (int i = 0; i < 300; ++i) {
      reviewer.pass(milliseconds(random() % 1200));
      const std::uint64_t id = 1 + random() % 6;
      const char* const keys[] = {"a", "d", "r", "s", "w", " ", "l", "\r", "x", "\x1b[A", "aa", "reason\r"};
      const std::size_t before = reviewer.asks.size();
      const std::uint64_t shown_before = reviewer.prompt.shown();
      const std::string key = keys[random() % 12];
      switch (random() % 8) {
        case 0:
          reviewer.send(Updated{aHold(id, "tag" + std::to_string(id), "c" + std::to_string(id))});
          break;
        case 1:
          reviewer.send(Gone{id, "expired"});
          break;
        case 2:
          reviewer.send(Answered{id, random() % 2 == 0, "text"});
          break;
        case 3:
          reviewer.send(Tick{});
          break;
        default:
          reviewer.send(Keys{key});
      }
      if (reviewer.asks.size() > before) {
        ++asked;
        ASSERT_EQ(reviewer.asks.size(), before + 1);
        const Ask& ask = reviewer.asks.back();
        ASSERT_EQ(ask.id, shown_before);
        ASSERT_EQ(ask.tag, "tag" + std::to_string(ask.id));
        if (ask.approve) {
          ASSERT_GE(reviewer.now - shown_at, Prompt::kSettle);
          ASSERT_EQ(key, "a");
        }
      }
      if (reviewer.prompt.shown() != last_shown) {
        last_shown = reviewer.prompt.shown();
        shown_at = reviewer.now;
      }
    }
  }
  EXPECT_GT(asked, 1000U);
}

}  // namespace
}  // namespace ptygate::prompt::testing
