// SPDX-License-Identifier: Apache-2.0
// Verbs that read records: sessions, export, replay, watch; over a directory that the recorder itself wrote.
#include "records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.h"

namespace ptygate::verbs::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

// Clipboard, title, query of the terminal, bidi override: what a hostile target prints.
constexpr const char* kHostile = "\x1b]52;c;cm0gLXJm\x07\x1b]0;title\x07\x1b[6n\x1b[c\x1bPq\x1b\\\xe2\x80\xae";

const std::vector<const char*> kForbidden = {"\x1b]", "\x1bP", "\x1b[6n", "\x1b[c", "\xe2\x80\xae", "\x07"};

class Records : public testing::Test {
 protected:
  void SetUp() override {
    writeSession(temp_.path(), kFirst, "git log", {"first line\n", "done\n"});
    writeSession(temp_.path(), kSecond, std::string("cat ") + kHostile, {kHostile, "visible\n"});
  }
  Ran onDir(std::vector<std::string> args) const {
    args.push_back("--dir");
    args.push_back(temp_.path());
    return run(std::move(args));
  }
  static constexpr const char* kFirst = "20261120-100732-k7f3a";
  static constexpr const char* kSecond = "20261120-110000-abcde";
  TempDir temp_;
};

TEST_F(Records, RefuseUnknownAndAmbiguousSessions) {
  for (const char* verb : {"replay", "export"}) {
    EXPECT_EQ(onDir({verb, "20250101-000000-aaaaa"}).status, 1) << verb;
    EXPECT_EQ(onDir({verb, "20261120"}).status, 1) << verb << ": ambiguous";
    EXPECT_EQ(onDir({verb, "../../etc/passwd"}).status, 1) << verb;
    EXPECT_EQ(onDir({verb, ""}).status, 1) << verb;
  }
  EXPECT_EQ(onDir({"replay", kFirst, "--from", "9"}).status, 1);
}

TEST_F(Records, SessionsEndWithOneWhenNoneMatches) {
  const Ran ran = onDir({"sessions", "agent:nobody"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(run({"sessions", "--dir", "/nonexistent"}).status, 1);
}

TEST_F(Records, SessionsListEveryCommandEscaped) {
  const Ran ran = onDir({"sessions"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr(kFirst));
  EXPECT_THAT(ran.out, HasSubstr("git log"));
  EXPECT_THAT(ran.out, HasSubstr("cat \\x1b]52"));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
}

TEST_F(Records, SessionsAsJsonHaveOneObjectEach) {
  const Ran ran = onDir({"sessions", "agent:bot", "text:git", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json object = Json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(object.is_object()) << ran.out;
  EXPECT_EQ(object["session"], kFirst);
  EXPECT_EQ(object["command"], "git log");
  EXPECT_EQ(object["commands"][0]["verdict"], "allow");
  EXPECT_EQ(object["commands"][0]["exit"], 0);
}

TEST_F(Records, ExportTextHasTheOutputAndNoEscapes) {
  const Ran ran = onDir({"export", "abcde", "--text"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("visible"));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
}

TEST_F(Records, ExportCastIsTheFileByteForByte) {
  const std::string file = readFile(temp_.at("rec/2026/11/20/" + std::string(kFirst) + ".cast"));
  EXPECT_EQ(onDir({"export", kFirst, "--cast"}).out, file);
  EXPECT_EQ(onDir({"export", kFirst, "--cast", "--output", temp_.at("copy")}).status, 0);
  EXPECT_EQ(readFile(temp_.at("copy")), file);
  const Ran again = onDir({"export", kFirst, "--cast", "--output", temp_.at("copy")});
  EXPECT_EQ(again.status, 1) << "a file was replaced";
}

TEST_F(Records, ExportJsonlHasTheSessionsLedgerLines) {
  const Ran ran = onDir({"export", kFirst, "--jsonl"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\"kind\":\"decision\""));
  EXPECT_THAT(ran.out, Not(HasSubstr(kSecond)));
}

TEST_F(Records, ReplayShowsOutputMarkersAndExitWithoutTerminal) {
  const Ran ran = onDir({"replay", kFirst, "--speed", "1000"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, "-- #1 allow(test) git log\nfirst line\ndone\n-- exit 0\n");
}

TEST_F(Records, ReplayLetsNoHostileSequenceThrough) {
  const Ran ran = onDir({"replay", kSecond, "--speed", "1000"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("visible"));
  for (const char* sequence : kForbidden) EXPECT_THAT(ran.out, Not(HasSubstr(sequence)));
}

TEST_F(Records, ReplaySaysThatACastIsDamaged) {
  const std::string path = temp_.at("rec/2026/11/20/" + std::string(kFirst) + ".cast");
  std::string text = readFile(path);
  text.insert(text.find('\n') + 1, "[0.1, \"o\"]\n");
  writeFile(path, text);
  const Ran ran = onDir({"replay", kFirst});
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.err, "");
}

// watch and follow ask the gate first, so the test plays it.
Ran watch(const std::string& verb, const std::string& dir, const std::string& session, bool open) {
  Invocation what;
  what.args = {verb, "42"};
  what.env = {{"PTYGATE_DIR", dir}};
  what.gate = [=](const control::Request& request) -> std::vector<control::ServerLine> {
    EXPECT_EQ(request.verb, "watch");
    EXPECT_EQ(request.args.at("session"), "42");
    // The path is not what is opened: a session id is.
    return {control::ItemLine{request.id, control::SessionFile{session, "/etc/passwd", open}}, control::Reply{request.id, 0, ""}};
  };
  return run(what);
}

TEST_F(Records, WatchShowsAnEndedSessionAndLeaves) {
  const Ran ran = watch("watch", temp_.path(), kFirst, false);
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("first line\ndone\n-- exit 0\n"));
}

TEST_F(Records, FollowLetsNoHostileSequenceThrough) {
  const Ran ran = watch("follow", temp_.path(), kSecond, true);
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("visible"));
  for (const char* sequence : kForbidden) EXPECT_THAT(ran.out, Not(HasSubstr(sequence)));
}

TEST_F(Records, WatchRefusesASessionNameThatIsNone) {
  EXPECT_EQ(watch("watch", temp_.path(), "../../../etc/passwd", true).status, 1);
}

}  // namespace
}  // namespace ptygate::verbs::test
