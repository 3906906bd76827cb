// SPDX-License-Identifier: Apache-2.0
// Verbs that ask the gate, against a gate that the test plays over the real control protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "program.h"

namespace ptygate::verbs::test {
namespace {

using control::ItemLine;
using control::Reply;
using control::ServerLine;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

std::int64_t nowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

control::Hold aHold() {
  control::Hold hold;
  hold.id = 42;
  hold.tag = "k7f3";
  hold.agent = "bot";
  hold.target = "web1";
  hold.login = "deploy";
  hold.labels = {{"env", "prod"}};
  hold.command = "systemctl restart api\x1b[2J\xe2\x80\xae";
  hold.command_bytes = hold.command.size();
  hold.intent = "fix it\x07";
  hold.rule = "service restarts";
  hold.reason = "a restart needs a person";
  hold.lines = {"systemctl restart api: write"};
  hold.attached = 1;
  hold.since_ms = nowMs() - 5000;
  hold.expires_ms = nowMs() + 60'000;
  hold.session = "20261120-100732-k7f3a";
  return hold;
}

// Answers every request with these items and this end.
FakeGate answering(std::vector<control::Item> items, int status = 0, std::string text = "") {
  return [=](const control::Request& request) {
    std::vector<ServerLine> lines;
    for (const auto& item : items) lines.push_back(ItemLine{request.id, item});
    lines.push_back(Reply{request.id, status, text});
    return lines;
  };
}

Ran runWith(std::vector<std::string> args, FakeGate gate, std::string input = {}) {
  Invocation what;
  what.args = std::move(args);
  what.gate = std::move(gate);
  what.input = std::move(input);
  return run(what);
}

TEST(GateVerbs, PassOnTheGatesRefusals) {
  for (const auto& args : std::vector<std::vector<std::string>>{{"pending"},
                                                                {"show", "42"},
                                                                {"approve", "42-k7f3"},
                                                                {"deny", "42", "--reason", "no"},
                                                                {"reload"},
                                                                {"status"},
                                                                {"agents", "stop", "bot"},
                                                                {"watch", "42"},
                                                                {"wait", "42"}}) {
    for (const int status : {1, 4, 126, 75}) {
      const Ran ran = runWith(args, answering({}, status, "because\x1b"));
      EXPECT_EQ(ran.status, status) << args[0];
      EXPECT_THAT(ran.err, HasSubstr("because\\x1b")) << args[0];
      EXPECT_EQ(ran.out, "") << args[0];
    }
  }
}

TEST(GateVerbs, EndWithThreeWhenTheGateGoesAway) {
  Invocation what;
  what.args = {"pending"};
  what.env = {{"PTYGATE_CONTROL_FD", "99"}};
  EXPECT_EQ(run(what).status, 3);
}

TEST(GateVerbs, LeaveNoForeignEscapeInAnyListing) {
  control::StatusReport report;
  report.unsafe = {"a laboratory rule\x1b]0;x\x07 is loaded"};
  const std::vector<std::pair<std::vector<std::string>, control::Item>> table = {
      {{"pending"}, aHold()},
      {{"show", "42"}, aHold()},
      {{"show", "42"}, control::ClosedHold{42, "k7f3", "bot", "denied", {"alice"}, "no\x1b", nowMs()}},
      {{"status"}, report},
      {{"status"}, control::OwnRequest{42, "k7f3", "pending", "web1", "deploy", "ls \x1b[2J", "", nowMs() + 1000}},
      {{"targets", "list"}, control::TargetRow{"web1", "10.0.0.5:22\x1b", {"deploy"}, {}, {}, {}, "certificate", {}}},
      {{"targets", "show", "web1"},
       control::TargetRow{"web1", "10.0.0.5:22", {"deploy"}, {}, {"ssh-ed25519 SHA256:x"}, {}, "certificate", {"deploy: /bin/bash\x1b"}}},
      {{"agents", "list"}, control::AgentRow{"bot", "bob\x1b", {}, {}, true, 1, 2}},
      {{"whoami"}, control::WhoAmI{"agent", "bot\x1b", {}, {"web1"}}},
  };
  for (const auto& [args, item] : table) {
    const Ran human = runWith(args, answering({item}));
    EXPECT_EQ(human.status, 0) << args[0] << human.err;
    EXPECT_NE(human.out, "") << args[0];
    for (const char* foreign : {"\x1b", "\x07", "\xe2\x80\xae"}) EXPECT_THAT(human.out, Not(HasSubstr(foreign))) << args[0];
    auto with_json = args;
    with_json.push_back("--json");
    const Ran json = runWith(with_json, answering({item}));
    EXPECT_EQ(json.status, 0) << args[0] << json.err;
    EXPECT_TRUE(Json::parse(json.out, nullptr, false).is_object()) << json.out;
    for (const char c : json.out) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << args[0];
  }
}

TEST(GateVerbs, ShowTheWholeHold) {
  const std::string out = runWith({"show", "42"}, answering({aHold()})).out;
  for (const char* part : {"42-k7f3", "bot", "deploy@web1", "env=prod", "systemctl restart api\\x1b[2J\\u202e", "fix it\\x07",
                           "service restarts", "0 of 1", "systemctl restart api: write", "outside ASCII"}) {
    EXPECT_THAT(out, HasSubstr(part));
  }
}

TEST(GateVerbs, StatusPutsUnsafeFirst) {
  control::StatusReport report;
  report.unsafe = {"no Landlock"};
  EXPECT_EQ(runWith({"status"}, answering({report})).out.substr(0, 19), "UNSAFE: no Landlock");
}

TEST(GateVerbs, SendExactlyWhatWasTyped) {
  std::vector<control::Request> seen;
  const auto noting = [&seen](const control::Request& request) -> std::vector<ServerLine> {
    seen.push_back(request);
    return {Reply{request.id, 0, "done"}};
  };
  EXPECT_EQ(runWith({"approve", "42-k7f3", "--reason", "looked at it"}, noting).out, "done\n");
  EXPECT_EQ(runWith({"deny", "42", "--reason", "no", "--retry", "change-and-retry"}, noting).status, 0);
  EXPECT_EQ(runWith({"targets", "accept", "web1", "deploy"}, noting).status, 0);
  EXPECT_EQ(runWith({"agents", "stop", "bot", "--reason", "odd"}, noting).status, 0);
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[0].verb, "approve");
  EXPECT_EQ(seen[0].args, (std::map<std::string, std::string>{{"hold", "42-k7f3"}, {"reason", "looked at it"}}));
  EXPECT_EQ(seen[1].args, (std::map<std::string, std::string>{{"hold", "42"}, {"reason", "no"}, {"retry", "change-and-retry"}}));
  EXPECT_EQ(seen[2].verb, "targets-accept");
  EXPECT_EQ(seen[3].args, (std::map<std::string, std::string>{{"name", "bot"}, {"reason", "odd"}}));
}

// A gate with one hold, for the prompt.
struct PromptGate {
  control::Hold hold = aHold();
  std::vector<control::Request> answers;
  std::vector<ServerLine> operator()(const control::Request& request) {
    if (request.verb == "whoami")
      return {ItemLine{request.id, control::WhoAmI{"person", "alice", {"review"}, {}}}, Reply{request.id, 0, ""}};
    if (request.verb == "subscribe-holds") {
      control::Event open{request.id, control::Event::Kind::Hold, "open", hold, 0, ""};
      return {open, control::Event{request.id, control::Event::Kind::Ready, "", {}, 0, ""}};
    }
    answers.push_back(request);
    return {Reply{request.id, 0, "recorded"}};
  }
};

TEST(Review, AnswersNothingAtTheEndOfInput) {
  PromptGate gate;
  const Ran ran = runWith({"review"}, [&](const control::Request& r) { return gate(r); });
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(gate.answers.empty());
}

TEST(Review, AnswersNothingWithoutTheRightTag) {
  PromptGate gate;
  const Ran ran = runWith(
      {"review"}, [&](const control::Request& r) { return gate(r); }, "a 42-aaaa\na 42\ny\n\n");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(gate.answers.empty()) << gate.answers.front().verb;
}

TEST(Review, SendsTheAnswerThatNamesIdAndTag) {
  PromptGate gate;
  const Ran ran = runWith(
      {"review"}, [&](const control::Request& r) { return gate(r); }, "d 42-k7f3 not today\n");
  EXPECT_EQ(ran.status, 0) << ran.err;
  ASSERT_EQ(gate.answers.size(), 1u) << ran.out;
  EXPECT_EQ(gate.answers[0].verb, "deny");
  EXPECT_EQ(gate.answers[0].args.at("hold"), "42-k7f3");
}

TEST(Review, NeverShowsAHoldThatDidNotComeWhole) {
  PromptGate gate;
  gate.hold.command_bytes = 100'000;
  const Ran ran = runWith(
      {"review"}, [&](const control::Request& r) { return gate(r); }, "a 42-k7f3\n");
  EXPECT_THAT(ran.out, HasSubstr("ptygate show 42"));
  EXPECT_TRUE(gate.answers.empty());
}

TEST(Review, ShowsTheExactBytesEscaped) {
  PromptGate gate;
  const Ran ran = runWith({"review"}, [&](const control::Request& r) { return gate(r); });
  EXPECT_THAT(ran.out, HasSubstr("systemctl restart api\\x1b[2J\\u202e"));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b"))) << "no colour in a pipe, and nothing of the agent's";
}

TEST(Review, EndsWhenTheGateRefusesTheSubscription) {
  const Ran ran = runWith({"review"}, [](const control::Request& request) -> std::vector<ServerLine> {
    if (request.verb == "whoami")
      return {ItemLine{request.id, control::WhoAmI{"person", "alice", {"review"}, {}}}, Reply{request.id, 0, ""}};
    return {Reply{request.id, 4, "not permitted"}};
  });
  EXPECT_EQ(ran.status, 4);
  EXPECT_THAT(ran.err, HasSubstr("not permitted"));
}

}  // namespace
}  // namespace ptygate::verbs::test
