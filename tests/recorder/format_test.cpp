// SPDX-License-Identifier: Apache-2.0
// recorder/FORMAT.md's worked example is what the code writes, to the byte, and what it reads.
#include <gmock/gmock.h>

#include "recorder/ledger.h"
#include "recorder/recording.h"
#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using std::chrono::microseconds;
using testing::decode;
using testing::wall;

// The fenced block after "<!-- example: NAME -->".
std::string example(const std::string& name) {
  const std::string text = testing::readFile(std::filesystem::path(PTYGATE_TESTS_DIR).parent_path() / "recorder" / "FORMAT.md");
  const std::size_t mark = text.find("<!-- example: " + name + " -->");
  const std::size_t begin = text.find("```\n", mark) + 4;
  const std::size_t end = text.find("```", begin);
  EXPECT_NE(mark, std::string::npos) << name;
  return mark == std::string::npos ? "" : text.substr(begin, end - begin);
}

std::string exampleCast() {
  std::string text = encodeHeader({80, 24, 1795169252, "deploy-bot@web1 20261120-100732-k7f3a", "xterm", ""});
  CastEncoder encoder;
  encoder.encode(CastEvent::marker("#1 allow(restarts) systemctl restart api"), microseconds(12'004), text);
  encoder.encode(CastEvent::output("caf\xe9 \"ok\"\n"), microseconds(350'000), text);
  encoder.encode(CastEvent::error("warning: 3 €\n"), microseconds(351'000), text);
  encoder.encode(CastEvent::output("\xe2\x82"), microseconds(400'000), text);
  encoder.encode(CastEvent::output("\xac\n"), microseconds(410'000), text);
  encoder.encode(CastEvent::stdinData("yes\n"), microseconds(500'000), text);
  encoder.encode(CastEvent::key("\x03"), microseconds(600'000), text);
  encoder.encode(CastEvent::secret(12), microseconds(700'000), text);
  encoder.encode(CastEvent::resize(132, 43), microseconds(800'000), text);
  encoder.encode(CastEvent::exit(0), microseconds(1'234'567), text);
  return text;
}

std::string exampleLedger() {
  Hasher hasher;
  hasher.update(exampleCast());
  const char* session = "20261120-100732-k7f3a";
  const LedgerEvent events[] = {
      LedgerEvent{"session_opened", {}}
          .set("session", session)
          .set("request", 1)
          .set("agent", "deploy-bot")
          .set("target", "web1")
          .set("login", "deploy"),
      LedgerEvent{"request", {}}.set("request", 1).set("session", session).set("command", "systemctl restart api # caf\xe9"),
      LedgerEvent{"decision", {}}
          .set("request", 1)
          .set("session", session)
          .set("verdict", "allow")
          .set("rule", "restarts")
          .set("reviewers", std::vector<std::string>{"alice"}),
      LedgerEvent{"exit", {}}.set("request", 1).set("session", session).set("status", 0),
      LedgerEvent{"seal", {}}
          .set("session", session)
          .set("bytes", static_cast<std::int64_t>(hasher.bytes()))
          .set("sha256", hex(hasher.digest()))
          .set("final", true),
  };
  std::string text;
  std::uint64_t n = 0;
  for (const LedgerEvent& event : events) {
    text += encodeLedgerLine(n, wall() + std::chrono::milliseconds(300 * n), event) + "\n";
    ++n;
  }
  return text;
}

TEST(Format, ExampleCastIsWhatTheEncoderWrites) {
  EXPECT_EQ(example("cast"), exampleCast());
}

TEST(Format, ExampleCastDecodesToWhatThePageSays) {
  const auto streams = decode(example("cast"), true);
  EXPECT_EQ(streams.problem, "");
  EXPECT_EQ(streams.output, "caf\xe9 \"ok\"\n€\n");
  EXPECT_EQ(streams.error, "warning: 3 €\n");
  EXPECT_EQ(streams.input, "yes\n");
  EXPECT_THAT(streams.secrets, ::testing::ElementsAre(12U));
}

TEST(Format, ExampleLedgerIsWhatTheLedgerWrites) {
  EXPECT_EQ(example("ledger"), exampleLedger());
}

TEST(Format, ExampleRootIsThatOfItsLines) {
  MerkleTree tree;
  std::istringstream in(example("ledger"));
  for (std::string line; std::getline(in, line);) {
    EXPECT_TRUE(parseLedgerLine(line)) << line;
    tree.add(line);
  }
  EXPECT_EQ(example("root"), hex(tree.root()) + "\n");
}

// Casts of earlier versions stay readable: the file is never regenerated.
TEST(Format, ReadsTheFirstVersionsCast) {
  const auto streams = decode(testing::readFile(std::filesystem::path(PTYGATE_TESTS_DIR) / "vectors/recorder/first.cast"), true);
  EXPECT_EQ(streams.problem, "");
  EXPECT_EQ(streams.output, "caf\xe9 \"ok\"\n€\n");
  EXPECT_THAT(streams.exits, ::testing::ElementsAre(0U));
}

}  // namespace
}  // namespace ptygate::recorder
