// SPDX-License-Identifier: Apache-2.0
// The control protocol's codec, its line cutter, and the blocking client over a real socketpair.
#include "proxy/control/protocol.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "proxy/control/client.h"

namespace ptygate::control {
namespace {

Hold fullHold() {
  Hold hold;
  hold.id = 42;
  hold.tag = "k7f3";
  hold.approved = true;
  hold.agent = "builder";
  hold.owner = "alice";
  hold.target = "web1";
  hold.login = "deploy";
  hold.labels = {{"env", "prod"}};
  hold.command = std::string("rm -rf \0\xff\x1b[2J /", 15);
  hold.command_bytes = hold.command.size();
  hold.intent = "clean up";
  hold.rule = "destructive";
  hold.reason = "rm: destructive";
  hold.lines = {"1. rm -rf /  [destructive]", "\"quoted\" \\ back"};
  hold.approvals_needed = 2;
  hold.approved_by = {"bob"};
  hold.attached = 3;
  hold.since_ms = 1'790'000'000'123;
  hold.expires_ms = 1'790'000'300'123;
  hold.session = "20261120-100732-k7f3a";
  return hold;
}

TEST(ControlProtocol, RefusesRequestsThatAreNotExactlyAsDescribed) {
  const struct {
    const char* line;
    const char* why;
  } rows[] = {
      {"", "empty"},
      {"[]", "no object"},
      {R"({"v":1,"id":1,"verb":"status"} x)", "trailing text"},
      {R"({"v":2,"id":1,"verb":"status"})", "another version"},
      {R"({"id":1,"verb":"status"})", "no version"},
      {R"({"v":1,"verb":"status"})", "no id"},
      {R"({"v":1,"id":-1,"verb":"status"})", "negative id"},
      {R"({"v":1,"id":1.5,"verb":"status"})", "fractional id"},
      {R"({"v":1,"id":1,"verb":7})", "verb of another type"},
      {R"({"v":1,"id":1,"verb":"status","args":[]})", "args of another type"},
      {R"({"v":1,"id":1,"verb":"approve","args":{"hold":42}})", "an argument of another type"},
      {R"({"v":1,"id":1,"verb":"status","who":"alice"})", "an unknown key"},
      {R"({"v":1,"id":1,"verb":"status","verb":"approve"})", "a doubled key"},
      {R"({"v":1,"id":1,"verb":"deny","args":{"hold":"1","hold":"2"}})", "a doubled argument"},
      {R"({"v":1,"id":1,"verb":"status","args":{"a":[[[[[[[[[]]]]]]]]]}})", "nested too deep"},
      {"{\"v\":1,\"id\":1,\"verb\":\"\xff\"}", "not UTF-8"},
  };
  for (const auto& row : rows) EXPECT_FALSE(decodeRequest(row.line).has_value()) << row.why;
}

TEST(ControlProtocol, RefusesDeepNestingBeforeParsing) {
  const std::string deep(200'000, '[');
  EXPECT_FALSE(decodeRequest(deep).has_value());
  EXPECT_FALSE(decodeServerLine(deep).has_value());
}

TEST(ControlProtocol, RefusesMoreArgumentsThanTheLimit) {
  Request request{1, "status", {}};
  for (std::size_t i = 0; i <= kMaxArguments; ++i) request.args["a" + std::to_string(i)] = "x";
  EXPECT_FALSE(decodeRequest(encode(request)).has_value());
}

TEST(ControlProtocol, RefusesBase64ThatIsNotTheOneFormOfItsBytes) {
  const std::string good = encode(ServerLine(ItemLine{1, OwnRequest{1, "k7f3", "pending", "web1", "deploy", "a", "", std::nullopt}}));
  ASSERT_TRUE(decodeServerLine(good).has_value());
  for (const char* bad : {"YQ", "YQ=", "YR==", "Y===", "YQ==YQ==", " YQ="}) {
    std::string line = good;
    line.replace(line.find("YQ=="), 4, bad);
    EXPECT_FALSE(decodeServerLine(line).has_value()) << bad;
  }
}

TEST(ControlProtocol, RequestsComeBackAsTheyWere) {
  const Request request{7, "deny", {{"hold", "42-k7f3"}, {"reason", "no \"reason\"\n\\ ünïcode"}, {"retry", "change-and-retry"}}};
  const auto back = decodeRequest(encode(request));
  ASSERT_TRUE(back.has_value()) << back.error();
  EXPECT_EQ(*back, request);
}

TEST(ControlProtocol, EveryItemComesBackAsItWas) {
  const Item items[] = {
      fullHold(),
      ClosedHold{41, "aaaa", "builder", "denied", {"bob"}, "not now", 5},
      StatusReport{"0.1.0", 1, {"UNSAFE thing"}, {"note"}, {"agents 127.0.0.1:2222"}, 5, 6, 7, 8, 9, "aa", "bb"},
      TargetRow{"web1",
                "10.0.0.7:22",
                {"deploy"},
                {"web1:22"},
                {"ssh-ed25519 SHA256:x"},
                {{"env", "prod"}},
                "certificate",
                {"deploy: /bin/bash"}},
      AgentRow{"builder", "alice", {"ssh-ed25519 SHA256:y"}, {"web1"}, true, 2, 3},
      OwnRequest{42, "k7f3", "pending", "web1", "deploy", std::string("\0\x80", 2), "why", 99},
      WhoAmI{"person", "alice", {"review", "audit"}, {}},
      SessionFile{"20261120-100732-k7f3a", "/x/rec/y.cast", true},
  };
  static_assert(std::size(items) == std::variant_size_v<Item>);
  for (const Item& item : items) {
    const ServerLine line = ItemLine{3, item};
    const std::string text = encode(line);
    EXPECT_EQ(text.find('\n'), std::string::npos);
    const auto back = decodeServerLine(text);
    ASSERT_TRUE(back.has_value()) << back.error() << " " << text;
    EXPECT_EQ(*back, line) << text;
  }
}

TEST(ControlProtocol, RepliesAndEventsComeBackAsTheyWere) {
  Event open;
  open.id = 9;
  open.what = "new";
  open.hold = fullHold();
  Event ready;
  ready.id = 9;
  ready.kind = Event::Kind::Ready;
  Event gone;
  gone.id = 9;
  gone.kind = Event::Kind::Gone;
  gone.what = "denied";
  gone.gone = 42;
  gone.text = "bob: no";
  for (const ServerLine& line : {ServerLine(Reply{9, 126, "denied"}), ServerLine(open), ServerLine(ready), ServerLine(gone)}) {
    const auto back = decodeServerLine(encode(line));
    ASSERT_TRUE(back.has_value()) << back.error();
    EXPECT_EQ(*back, line);
  }
}

TEST(ControlProtocol, TextThatIsNotUtf8IsReplacedAndCommandsStayExact) {
  Hold hold = fullHold();
  hold.intent = "bad \xff byte";
  const auto back = decodeServerLine(encode(ServerLine(ItemLine{1, hold})));
  ASSERT_TRUE(back.has_value()) << back.error();
  const auto& seen = std::get<Hold>(std::get<ItemLine>(*back).item);
  EXPECT_EQ(seen.command, hold.command);
  EXPECT_EQ(seen.intent, "bad \xef\xbf\xbd byte");
}

TEST(ControlProtocol, HoldReferencesAreStrict) {
  for (const char* bad :
       {"", "0", "-1", "+1", "x", "42-", "42-K7F3", "42-k7f3 ", "42 k7f3", "42-k7f1", "99999999999999999999999", "42-abcdefghijklmnopqr"}) {
    EXPECT_FALSE(parseHoldRef(bad).has_value()) << bad;
  }
  const auto whole = parseHoldRef("42-k7f3");
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->id, 42U);
  EXPECT_EQ(whole->tag, "k7f3");
  EXPECT_EQ(parseHoldRef("42")->tag, "");
}

TEST(LineCutter, EndsAtALineOverTheLimitAndGivesWhatCameBefore) {
  LineCutter cutter;
  EXPECT_FALSE(cutter.feed("first\n" + std::string(kMaxLineBytes + 1, 'x')));
  EXPECT_EQ(cutter.next(), "first");
  EXPECT_EQ(cutter.next(), std::nullopt);
  EXPECT_FALSE(cutter.feed("\n"));
}

TEST(LineCutter, TakesALineOfExactlyTheLimit) {
  LineCutter cutter;
  const std::string longest(kMaxLineBytes, 'x');
  EXPECT_TRUE(cutter.feed(longest));
  EXPECT_TRUE(cutter.feed("\n"));
  EXPECT_EQ(cutter.next(), longest);
}

TEST(LineCutter, GivesTheSameLinesHoweverTheBytesAreSplit) {
  const std::string text = "one\r\n\ntwo\nthree";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    LineCutter cutter;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at += size) {
      ASSERT_TRUE(cutter.feed(std::string_view(text).substr(at, size)));
      while (auto line = cutter.next()) lines.push_back(*line);
    }
    EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "two"})) << size;
  }
}

/// The gate's end of a client's connection, played by a child process.
class PlayedGate {
 public:
  explicit PlayedGate(const std::string& answers) {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(pair[0]);
      char request[4096];
      const ssize_t got = ::read(pair[1], request, sizeof request);
      const ssize_t put = ::write(pair[1], answers.data(), answers.size());
      ::_exit(got > 0 && put == ssize_t(answers.size()) ? 0 : 1);
    }
    ::close(pair[1]);
    client_.emplace(base::Fd(pair[0]));
  }
  ~PlayedGate() {
    client_.reset();
    ::waitpid(pid_, nullptr, 0);
  }
  Client& client() { return *client_; }

 private:
  pid_t pid_ = -1;
  std::optional<Client> client_;
};

TEST(ControlClient, CollectsItemsUntilTheReply) {
  PlayedGate gate(encode(ServerLine(ItemLine{1, fullHold()})) + "\n" + encode(ServerLine(Reply{1, kNegative, "text"})) + "\n");
  const auto answer = gate.client().call("pending");
  ASSERT_TRUE(answer.has_value()) << answer.error().text;
  ASSERT_EQ(answer->items.size(), 1U);
  EXPECT_EQ(std::get<Hold>(answer->items[0]), fullHold());
  EXPECT_EQ(answer->end.status, kNegative);
}

TEST(ControlClient, KeepsEventsThatArriveDuringACall) {
  Event event;
  event.id = 5;
  event.what = "new";
  event.hold = fullHold();
  PlayedGate gate(encode(ServerLine(event)) + "\n" + encode(ServerLine(Reply{1, kDone, ""})) + "\n");
  ASSERT_TRUE(gate.client().call("approve").has_value());
  const auto kept = gate.client().nextEvent(std::chrono::milliseconds(0));
  ASSERT_TRUE(kept.has_value() && kept->has_value());
  EXPECT_EQ((*kept)->hold.id, 42U);
}

TEST(ControlClient, SaysUnreachableWhenTheGateHangsUpWithoutAReply) {
  PlayedGate gate(encode(ServerLine(ItemLine{1, fullHold()})) + "\n");
  const auto answer = gate.client().call("pending");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().status, kUnreachable);
}

TEST(ControlClient, SaysUnreachableWithThePathWhenNoGateRuns) {
  const auto client = Client::connect("/nonexistent-ptygate");
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().status, kUnreachable);
  EXPECT_NE(client.error().text.find("/nonexistent-ptygate/run/control.sock"), std::string::npos);
}

}  // namespace
}  // namespace ptygate::control
