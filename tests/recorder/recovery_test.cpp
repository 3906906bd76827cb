// SPDX-License-Identifier: Apache-2.0
#include "recorder/recovery.h"

#include <gmock/gmock.h>

#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using std::chrono::microseconds;
using testing::decode;
using testing::readFile;
using testing::sessionId;
using testing::TempDir;
using testing::writeFile;

std::string sampleCast(bool with_exit) {
  CastEncoder encoder;
  std::string text = encodeHeader({80, 24, 1, "bot@web1", "", ""});
  encoder.encode(CastEvent::marker("#1 allow(r) x"), microseconds(1), text);
  encoder.encode(CastEvent::output("one €\n"), microseconds(2), text);
  encoder.encode(CastEvent::error("two\xff"), microseconds(3), text);
  encoder.encode(CastEvent::stdinData("three"), microseconds(4), text);
  encoder.encode(CastEvent::output("\xe2\x82"), microseconds(5), text);
  if (with_exit) encoder.encode(CastEvent::exit(3), microseconds(6), text);
  return text;
}

std::string castFile(const TempDir& dir) {
  return readFile(dir / castPath(sessionId()));
}

std::string hashOf(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hex(hasher.digest());
}

TEST(Recovery, RefusesACastThatBreaksBelowItsSealAndLeavesItAlone) {
  const std::string good = sampleCast(false);
  std::string changed = good;
  changed[changed.find("one")] = '\x01';
  const struct {
    const char* edge;
    std::string bytes;
  } rows[] = {{"shorter than the seal", good.substr(0, good.size() - 1)}, {"damaged below the seal", changed}, {"empty", ""}};
  for (const auto& row : rows) {
    const TempDir dir;
    writeFile(dir / castPath(sessionId()), row.bytes);
    const auto recovered = recoverCast(dir.fd(), sessionId(), good.size());
    ASSERT_FALSE(recovered) << row.edge;
    EXPECT_EQ(recovered.error().kind, RecorderError::Kind::Damaged);
    EXPECT_EQ(castFile(dir), row.bytes);
  }
}

TEST(Recovery, MakesACastWholeThatWasTornAtAnyByte) {
  const std::string good = sampleCast(false);
  for (std::size_t size = 0; size <= good.size(); ++size) {
    const TempDir dir;
    writeFile(dir / castPath(sessionId()), good.substr(0, size));
    const auto first = recoverCast(dir.fd(), sessionId(), 0);
    ASSERT_TRUE(first) << first.error().text;
    const std::string mended = castFile(dir);
    const auto streams = decode(mended, true);
    ASSERT_EQ(streams.problem, "") << size;
    EXPECT_TRUE(streams.whole);
    EXPECT_EQ(streams.exits, std::vector<std::uint32_t>{kRecoveredExit});
    EXPECT_TRUE(streams.markers.back().starts_with("recovered: "));
    const std::string torn = first->torn_file.empty() ? "" : readFile(dir / ("rec/2026/11/20/" + first->torn_file));
    EXPECT_EQ(first->torn_bytes, torn.size());
    EXPECT_EQ(good.substr(0, size), good.substr(0, size - torn.size()) + torn);
    EXPECT_EQ(first->bytes, mended.size());
    EXPECT_EQ(hex(first->sha256), hashOf(mended));
    const std::size_t kept = size - torn.size();
    EXPECT_EQ(first->unsealed_bytes, kept > good.find('\n') + 1 ? kept : 0);

    const auto second = recoverCast(dir.fd(), sessionId(), 0);
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->was_complete);
    EXPECT_EQ(second->unsealed_bytes, first->unsealed_bytes);
    EXPECT_EQ(castFile(dir), mended);
  }
}

TEST(Recovery, SetsAsideWhatFollowsRubbishAboveTheSeal) {
  const std::string good = sampleCast(false);
  const TempDir dir;
  writeFile(dir / castPath(sessionId()), good + std::string(300, '\0') + "\n[9.000000,\"o\",\"x\"]\n");
  const auto recovered = recoverCast(dir.fd(), sessionId(), good.size());
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->torn_bytes, 320U);
  EXPECT_EQ(recovered->unsealed_bytes, 0U);
  EXPECT_TRUE(castFile(dir).starts_with(good));
}

// Killed between any two of its own steps: every prefix of what it appends, and the torn file already there.
TEST(Recovery, GoesOnAfterItWasKilledItself) {
  const std::string good = sampleCast(false);
  const std::string tail = "[7.000000,\"o\",\"unfini";
  TempDir reference;
  writeFile(reference / castPath(sessionId()), good + tail);
  ASSERT_TRUE(recoverCast(reference.fd(), sessionId(), 0));
  const std::string mended = castFile(reference);
  for (std::size_t size = good.size(); size < mended.size(); ++size) {
    const TempDir dir;
    writeFile(dir / castPath(sessionId()), mended.substr(0, size));
    writeFile(dir / (castPath(sessionId()) + ".torn"), tail);
    const auto recovered = recoverCast(dir.fd(), sessionId(), good.size());
    ASSERT_TRUE(recovered) << size;
    const auto streams = decode(castFile(dir), true);
    EXPECT_EQ(streams.problem, "");
    EXPECT_EQ(streams.exits.size(), 1U);
    EXPECT_EQ(recovered->unsealed_bytes, 0U);
    EXPECT_EQ(readFile(dir / (castPath(sessionId()) + ".torn")), tail);
  }
  const TempDir dir;
  writeFile(dir / castPath(sessionId()), good + tail);
  writeFile(dir / (castPath(sessionId()) + ".torn"), tail);
  const auto recovered = recoverCast(dir.fd(), sessionId(), 0);
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->torn_file, sessionId().text() + ".cast.torn");
}

TEST(Recovery, LeavesACastThatEndedAlone) {
  const std::string good = sampleCast(true);
  const TempDir dir;
  writeFile(dir / castPath(sessionId()), good);
  const auto recovered = recoverCast(dir.fd(), sessionId(), 10);
  ASSERT_TRUE(recovered);
  EXPECT_TRUE(recovered->was_complete);
  EXPECT_EQ(castFile(dir), good);
  EXPECT_EQ(recoveredEvent(sessionId(), *recovered).text("sha256"), hashOf(good));
  EXPECT_EQ(recoveredEvent(sessionId(), *recovered).number("unsealed_bytes"), static_cast<std::int64_t>(good.size() - 10));
}

}  // namespace
}  // namespace ptygate::recorder
