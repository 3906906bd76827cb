// SPDX-License-Identifier: Apache-2.0
// What a reviewer sees of one hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "prompt_builders.h"
#include "proxy/base/safe_text.h"

namespace ptygate::prompt::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string rendered(const HoldShown& hold, Style style = {}) {
  std::string text;
  for (const std::string& line : renderHold(hold, style)) text += line + "\n";
  return text;
}

TEST(Screen, ShowsOneHoldLikeThis) {
  HoldShown hold = aHold();
  hold.view = {"systemctl restart api: write, privilege"};
  EXPECT_EQ(rendered(hold, {.columns = 70}),
            "──── hold 42-k7f3 ────────────────────────────────────────────────────\n"
            "who    bot  (owner bob)\n"
            "says   \"restart after deploy\" (the agent's words)\n"
            "where  deploy@web1  env=staging\n"
            "why    service restarts: restarts need a person\n"
            "what   exec, 21 bytes; runs exactly as shown, in the account's own\n"
            "       environment\n"
            "    1 │ systemctl restart api\n"
            "does   systemctl restart api: write, privilege\n"
            "needs  1 approval of role=ops; has none\n");
}

TEST(Screen, LetsNoForeignByteThrough) {
  const std::string evil = "\x1b[2J\xe2\x80\xae\x07\r\xff";
  HoldShown hold = aHold();
  hold.agent = hold.owner = hold.intent = hold.target = hold.login = hold.command = hold.rule = hold.reason = hold.context = hold.tag =
      evil;
  hold.stdin_sha256 = evil;
  hold.labels = {{evil, evil}};
  hold.view = hold.reviewers = hold.approved_by = {evil};
  for (const std::string& line : renderHold(hold, {.columns = 60})) {
    EXPECT_EQ(line.find_first_of("\x1b\x07\r\n\xff"), std::string::npos) << line;
    EXPECT_EQ(line.find("\xe2\x80\xae"), std::string::npos) << line;
  }
}

TEST(Screen, NumbersEachLineOfTheCommandAndMarksContinuations) {
  HoldShown hold = aHold();
  hold.command = "echo one\n  2 | echo two\n" + std::string(40, 'x') + "\n";
  const std::string text = rendered(hold, {.columns = 30, .plain = true});
  EXPECT_THAT(text, AllOf(HasSubstr("    1 | echo one\n    2 |   2 | echo two\n"),
                          HasSubstr("    3 | xxxxxxxxxxxxxxxxxxxxxx\n      : xxxxxxxxxxxxxxxxxx\n    4 | \n")));
}

TEST(Screen, ShowsSpacesAtTheEndOfALine) {
  HoldShown hold = aHold();
  hold.command = "rm a \nls  ";
  EXPECT_THAT(rendered(hold), AllOf(HasSubstr("rm a\\x20\n"), HasSubstr("ls\\x20\\x20\n")));
}

TEST(Screen, WarnsOfProductionOfForeignLettersAndOfAnAgentThatIsGone) {
  HoldShown hold = aHold();
  EXPECT_THAT(rendered(hold), AllOf(Not(HasSubstr("PRODUCTION")), Not(HasSubstr("ASCII")), Not(HasSubstr("GONE"))));
  hold.labels["env"] = "prod";
  hold.command = "r\xd0\xbc x";
  hold.attached = 0;
  EXPECT_THAT(rendered(hold), AllOf(HasSubstr("PRODUCTION"), HasSubstr("outside ASCII"), HasSubstr("AGENT GONE")));
}

TEST(Screen, KeepsEveryLineWithinTheWidth) {
  HoldShown hold = aHold();
  hold.command = "echo 東京東京東京東京東京東京東京東京東京東京 " + std::string(200, 'a');
  hold.intent = std::string(300, 'i');
  hold.target = std::string(100, 't');
  for (const std::size_t columns : {1, 24, 37, 80, 200}) {
    for (const std::string& line : renderHold(hold, {.columns = columns})) {
      EXPECT_LE(base::columnsOf(line), std::max<std::size_t>(columns, kMinColumns)) << line;
    }
  }
}

TEST(Screen, PutsOnlyColoursOfItsOwn) {
  HoldShown hold = aHold();
  hold.command = "a\nb";
  for (const std::string& line : renderHold(hold, {.colour = true})) {
    bool is_painted = false;
    for (std::size_t at = line.find('\x1b'); at != std::string::npos; at = line.find('\x1b', at + 1)) {
      const std::string sequence = line.substr(at, line.find('m', at) + 1 - at);
      EXPECT_THAT(sequence, ::testing::AnyOf("\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[0m"));
      is_painted = sequence != "\x1b[0m";
    }
    EXPECT_FALSE(is_painted) << "runs over the line's end: " << line;
  }
  EXPECT_EQ(rendered(hold, {.colour = false}).find('\x1b'), std::string::npos);
}

TEST(TimeLeft, ReadsLikeAClock) {
  const WallTime now = at(0);
  EXPECT_EQ(timeLeft(at(272), now), "4:32");
  EXPECT_EQ(timeLeft(at(5), now), "0:05");
  EXPECT_EQ(timeLeft(now + std::chrono::milliseconds(1), now), "0:01");
  EXPECT_EQ(timeLeft(at(3723), now), "1:02:03");
  EXPECT_EQ(timeLeft(now, now), "now");
  EXPECT_EQ(timeLeft(std::nullopt, now), "no limit");
}

}  // namespace
}  // namespace ptygate::prompt::testing
