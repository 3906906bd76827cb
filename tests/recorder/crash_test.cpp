// SPDX-License-Identifier: Apache-2.0
// What is left on disk when a process dies or the disk is full: nothing forwarded that is not recorded.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/recording.h"
#include "recorder/recovery.h"
#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using testing::decode;
using testing::readFile;
using testing::sessionId;
using testing::TempDir;

constexpr MonoTime kStart{};

// Bytes that every path of the encoder takes: text, halves of characters, rubbish, binary.
std::string chunkOf(std::mt19937& random) {
  static const std::string kPieces[] = {"plain text\r\n", "€", "\xe2\x82", "\xff", "\x1b[31m", std::string(40, '\0'), "\xac", "\"\\"};
  std::string chunk;
  for (std::size_t i = 0, count = 1 + random() % 200; i < count; ++i) chunk += kPieces[random() % std::size(kPieces)];
  return chunk;
}

// Records, then "forwards" into the pipe, until it is killed.
[[noreturn]] void recordAndForward(int dir_fd, int forward, unsigned seed) {
  std::mt19937 random(seed);
  auto cast = createCast(dir_fd, sessionId());
  auto recording = Recording::open(std::move(cast->file), {}, kStart);
  while (true) {
    const std::string chunk = chunkOf(random);
    if (!recording->append(CastEvent::output(chunk), std::chrono::steady_clock::now())) _exit(1);
    for (std::size_t sent = 0; sent < chunk.size();) {
      const ssize_t written = write(forward, chunk.data() + sent, chunk.size() - sent);
      if (written <= 0) _exit(2);
      sent += static_cast<std::size_t>(written);
    }
  }
}

TEST(Crash, NoForwardedByteIsUnrecordedAfterKill) {
  for (unsigned round = 0; round < 30; ++round) {
    const TempDir dir;
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(pipe_ends[0]);
      recordAndForward(dir.fd(), pipe_ends[1], round);
    }
    close(pipe_ends[1]);
    std::string forwarded;
    char buffer[4096];
    const std::size_t enough = 1 + std::mt19937(round)() % 300'000;
    ssize_t got = 0;
    while ((got = read(pipe_ends[0], buffer, sizeof buffer)) > 0) {
      forwarded.append(buffer, static_cast<std::size_t>(got));
      if (forwarded.size() >= enough) kill(child, SIGKILL);
    }
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_TRUE(recoverCast(dir.fd(), sessionId(), 0));
    const auto streams = decode(readFile(dir / castPath(sessionId())), true);
    EXPECT_EQ(streams.problem, "");
    ASSERT_GE(streams.output.size(), forwarded.size()) << round;
    EXPECT_EQ(streams.output.substr(0, forwarded.size()), forwarded) << round;
  }
}

// A tmpfs of 64 KiB in a namespace of its own. Exit codes say which step failed; 40 and 41: the machine allows no namespace or mount.
int fillDisk(const std::string& where) {
  const int flags = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
  if (unshare(flags) != 0) return 40;
  if (mount("tmpfs", where.c_str(), "tmpfs", 0, "size=64k") != 0) return 41;
  auto inside = openDirectory(where);
  if (!inside) return 42;
  auto cast = createCast(inside->get(), sessionId());
  if (!cast) return 43;
  auto recording = Recording::open(std::move(cast->file), {}, kStart);
  if (!recording) return 44;
  std::string forwarded;
  const std::string chunk(1000, 'x');
  while (recording->append(CastEvent::output(chunk), kStart)) {
    forwarded += chunk;
    if (forwarded.size() > 1'000'000) return 45;
  }
  if (!recording->hasFailed()) return 46;
  const auto streams = decode(readFile(std::filesystem::path(where) / castPath(sessionId())), true);
  return streams.output.starts_with(forwarded) && forwarded.size() > 10'000 ? 0 : 47;
}

TEST(Crash, AFullDiskEndsTheRecordingAndKeepsWhatWasForwarded) {
  const TempDir dir;
  const std::string where = (dir / "").string();
  const pid_t child = fork();
  if (child == 0) _exit(fillDisk(where));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace ptygate::recorder
