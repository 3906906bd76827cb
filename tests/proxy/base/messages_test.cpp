// SPDX-License-Identifier: Apache-2.0
#include "proxy/base/messages.h"

#include <gtest/gtest.h>

namespace ptygate::base {
namespace {

std::vector<ToWorker> everyToWorker() {
  Configure configure;
  configure.host_key = std::string("key\0text", 8);
  configure.identities = {{"bot", "blob", {"web1", "web2"}}};
  configure.targets = {{"web1", {"web1:22"}, {"deploy"}, {"k1", "k2"}}};
  Outcome outcome;
  outcome.kind = Outcome::Kind::Release;
  outcome.exec = std::string("echo \xff\x00x", 8);
  outcome.env = {{"LANG", "C.UTF-8"}, {"LC_ALL", "C"}};
  return {configure, Accept{7, "127.0.0.1:1"}, Dialed{3, "refused"}, SessionOpened{1, "s", -5}, SurveyOrder{1, "exec"}, StdinCheck{1, true},
          Credential{1, "cert", true, "key", ""}, Notice{1, "42-abcd", "text"}, outcome, VerbStarted{1, true, "", 4},
          VerbExited{1, 255, "TERM"}, EndConnections{"bot", 1ULL << 63, "why"}};
}

std::vector<ToKeeper> everyToKeeper() {
  ExecRequest exec;
  exec.command = std::string("a\0b", 3);
  exec.locale = {{"LANG", "C"}};
  Finished finished;
  finished.exit_status = -1;
  finished.stdin_bytes = ~0ULL;
  return {Hello{1, true, false, true}, LoggedIn{1, "bot", "SHA256:x", "SSH-2.0-x", "deploy=web1"}, ConnectionEnded{1, "gone"},
          Dial{1, 2, "bot", "web1"}, exec, SurveyResult{1, "out", "", true}, StdinState{1, 5, "ab", "hello", false},
          WantCredential{1, 2, "blob"}, Leave{1, true}, finished, Refused{1, "bot", "web1", "shell"},
          SpawnVerb{1, 2, "alice", {"review", ""}, true, "xterm", 80, 24}, VerbEvent{1, "INT", 0, 0}, Alarm{1, "web1", "text"}};
}

TEST(Messages, EveryKindToAWorkerSurvivesTheWire) {
  auto all = everyToWorker();
  ASSERT_EQ(all.size(), std::variant_size_v<ToWorker>);
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].index(), i);
    auto back = decodeToWorker(encode(all[i]));
    ASSERT_TRUE(back) << i << ": " << back.error();
    EXPECT_EQ(*back, all[i]) << i;
  }
}

TEST(Messages, EveryKindToTheKeeperSurvivesTheWire) {
  auto all = everyToKeeper();
  ASSERT_EQ(all.size(), std::variant_size_v<ToKeeper>);
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i].index(), i);
    auto back = decodeToKeeper(encode(all[i]));
    ASSERT_TRUE(back) << i << ": " << back.error();
    EXPECT_EQ(*back, all[i]) << i;
  }
}

TEST(Messages, RefusesEveryProperPrefixAndATrailingByte) {
  for (const ToKeeper& message : everyToKeeper()) {
    std::string bytes = encode(message);
    for (std::size_t length = 0; length < bytes.size(); ++length) EXPECT_FALSE(decodeToKeeper(bytes.substr(0, length)));
    EXPECT_FALSE(decodeToKeeper(bytes + '\0'));
  }
}

TEST(Messages, RefusesDeepNestingWithoutRecursion) {
  EXPECT_FALSE(decodeToKeeper(std::string(60'000, '\x81')));
  EXPECT_FALSE(decodeToWorker(std::string(1'000'000, '\x81')));
}

TEST(Messages, RefusesWhatIsNotOurSubset) {
  struct Row {
    const char* what;
    std::string bytes;
  };
  const Row rows[] = {{"text instead of bytes", std::string("\x82\x02\x82\x01\x64gone", 9)},
                      {"a map", std::string("\x82\x02\xa0", 3)},
                      {"an indefinite array", std::string("\x9f\x02\xff", 3)},
                      {"a float", std::string("\x82\x02\x82\xf9\x3c\x00\x40", 7)},
                      {"null", std::string("\x82\x02\x82\xf6\x40", 5)},
                      {"a tag", std::string("\x82\x02\x82\xc0\x01\x40", 6)},
                      {"an unknown type", std::string("\x82\x18\x63\x80", 4)},
                      {"one field too few", std::string("\x82\x02\x81\x01", 4)},
                      {"one field too many", std::string("\x82\x02\x83\x01\x40\x40", 6)},
                      {"an array head that claims 2^40 items", std::string("\x9b\x00\x00\x01\x00\x00\x00\x00\x00", 9)},
                      {"a byte string beyond the end", std::string("\x82\x02\x82\x01\x59\xff\xff", 7)}};
  for (const Row& row : rows) EXPECT_FALSE(decodeToKeeper(row.bytes)) << row.what;
  // The well-formed neighbour is accepted, so that each row above fails for its own reason.
  EXPECT_TRUE(decodeToKeeper(std::string("\x82\x02\x82\x01\x44gone", 9)));
}

TEST(Messages, RefusesAnOutcomeOfUnknownKind) {
  Outcome outcome;
  std::string bytes = encode(ToWorker(outcome));
  std::size_t kind = bytes.find('\x05');
  ASSERT_NE(kind, std::string::npos);
  bytes[kind] = '\x06';
  EXPECT_FALSE(decodeToWorker(bytes));
}

TEST(Messages, RefusesMapsOutOfOrderOrWithDoubleKeys) {
  ExecRequest exec;
  exec.locale = {{"LA", "1"}, {"LB", "2"}};
  std::string bytes = encode(ToKeeper(exec));
  std::size_t second = bytes.find("LB");
  ASSERT_NE(second, std::string::npos);
  bytes[second + 1] = 'A';
  EXPECT_FALSE(decodeToKeeper(bytes));
}

TEST(Messages, SaysHowManyDescriptorsTravel) {
  EXPECT_EQ(descriptorsOf(Accept{}), 1);
  EXPECT_EQ(descriptorsOf(SessionOpened{}), 1);
  EXPECT_EQ(descriptorsOf(Dialed{1, ""}), 1);
  EXPECT_EQ(descriptorsOf(Dialed{1, "down"}), 0);
  EXPECT_EQ(descriptorsOf(VerbStarted{1, false, "", 0}), 3);
  EXPECT_EQ(descriptorsOf(VerbStarted{1, true, "", 0}), 1);
  EXPECT_EQ(descriptorsOf(Outcome{}), 0);
}

}  // namespace
}  // namespace ptygate::base
