// SPDX-License-Identifier: Apache-2.0
#include "recorder/recording.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using namespace std::chrono_literals;
using testing::decode;
using testing::readFile;
using testing::TempDir;

constexpr MonoTime kStart{std::chrono::hours(5)};

Fd cast(const TempDir& dir) {
  return Fd(open((dir / "cast").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
}

Recording recording(const TempDir& dir, RecordingOptions options = {}) {
  return std::move(*Recording::open(cast(dir), {80, 24, 1, "bot@web1", "", ""}, kStart, options));
}

Sha256 sha256(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.digest();
}

TEST(Recording, FailsForGoodWhenWritingIsRefused) {
  auto closed = Recording::open(Fd(open("/dev/full", O_WRONLY | O_CLOEXEC)), {}, kStart);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().kind, RecorderError::Kind::Failed);
}

// A file size limit in a child: what a full disk does to a write that fits in part.
TEST(Recording, FailsForGoodAfterAShortWrite) {
  const TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    Recording under = recording(dir);
    int code = 0;
    if (!under.append(CastEvent::output("fits"), kStart)) code |= 1;
    const Offset before = under.bytes();
    const auto refused = under.append(CastEvent::output(std::string(5000, 'x')), kStart);
    if (refused || refused.error().kind != RecorderError::Kind::Failed) code |= 2;
    if (under.bytes() != before || !under.hasFailed()) code |= 4;
    const auto later = under.append(CastEvent::exit(0), kStart);
    if (later || later.error().kind != RecorderError::Kind::Failed) code |= 8;
    _exit(code);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(readFile(dir / "cast").size(), 1000U);
}

TEST(Recording, RefusesWhatWouldPassItsCapAndStillTakesTheExit) {
  const TempDir dir;
  Recording under = recording(dir, {kCastReserveBytes + 1000});
  ASSERT_TRUE(under.append(CastEvent::output(std::string(700, 'a')), kStart));
  const auto refused = under.append(CastEvent::output("b\xe2" + std::string(700, 'b')), kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, RecorderError::Kind::Limit);
  EXPECT_TRUE(under.append(CastEvent::marker("the recording is full"), kStart));
  EXPECT_TRUE(under.append(CastEvent::exit(255), kStart));
  ASSERT_TRUE(under.seal(kStart));
  const auto streams = decode(readFile(dir / "cast"), true);
  EXPECT_EQ(streams.problem, "");
  EXPECT_EQ(streams.output, std::string(700, 'a'));
  EXPECT_THAT(streams.exits, ::testing::ElementsAre(255U));
}

TEST(RecordingDeathTest, TakesNothingAfterItsSeal) {
  const TempDir dir;
  Recording under = recording(dir);
  ASSERT_TRUE(under.seal(kStart));
  EXPECT_DEATH((void)under.append(CastEvent::exit(0), kStart), "append after seal");
}

TEST(Recording, HasWrittenTheBytesWhenAppendReturns) {
  const TempDir dir;
  Recording under = recording(dir);
  std::string sent;
  for (const std::string chunk : {"one", "tw\xc3", "\xb6", "\xff\xfe", "\xf0\x9f"}) {
    const auto written = under.append(CastEvent::output(chunk), kStart + 1s);
    ASSERT_TRUE(written);
    sent += chunk;
    const std::string file = readFile(dir / "cast");
    EXPECT_EQ(*written, file.size());
    EXPECT_EQ(decode(file, true).output, sent);
  }
}

TEST(Recording, KnowsSizeAndHashOfWhatItWrote) {
  const TempDir dir;
  Recording under = recording(dir);
  ASSERT_TRUE(under.append(CastEvent::output("half \xe2\x82"), kStart + 1s));
  const Prefix early = under.prefix();
  EXPECT_EQ(early.sha256, sha256(readFile(dir / "cast")));
  const auto sealed = under.seal(kStart + 2s);
  ASSERT_TRUE(sealed);
  const std::string file = readFile(dir / "cast");
  EXPECT_EQ(sealed->bytes, file.size());
  EXPECT_EQ(sealed->sha256, sha256(file));
  EXPECT_EQ(early.sha256, sha256(file.substr(0, early.bytes)));
}

TEST(Recording, HashesAGapInsteadOfStoringIt) {
  const TempDir dir;
  Recording under = recording(dir);
  ASSERT_TRUE(under.beginGap("#1", kStart));
  const Offset before = under.bytes();
  const std::string half(100'000, 'd');
  ASSERT_TRUE(under.append(CastEvent::output(half), kStart));
  ASSERT_TRUE(under.append(CastEvent::output(half), kStart));
  ASSERT_TRUE(under.append(CastEvent::stdinData("in"), kStart));
  EXPECT_EQ(under.bytes(), before);
  ASSERT_TRUE(under.append(CastEvent::error("warning\n"), kStart));
  ASSERT_TRUE(under.append(CastEvent::exit(0), kStart));
  ASSERT_TRUE(under.seal(kStart + 1s));
  const auto streams = decode(readFile(dir / "cast"), true);
  EXPECT_EQ(streams.output, "");
  EXPECT_EQ(streams.error, "warning\n");
  EXPECT_THAT(streams.markers, ::testing::ElementsAre("gap begins: #1", "gap ends: stdout 200000 sha256:" + hex(sha256(half + half)) +
                                                                            ", stdin 2 sha256:" + hex(sha256("in"))));
  EXPECT_THAT(streams.exits, ::testing::ElementsAre(0U));
}

TEST(Recording, RemembersTheLatestSync) {
  const TempDir dir;
  Recording under = recording(dir);
  under.noteSynced(50);
  under.noteSynced(20);
  EXPECT_EQ(under.synced(), 50U);
}

}  // namespace
}  // namespace ptygate::recorder
