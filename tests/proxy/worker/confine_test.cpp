// SPDX-License-Identifier: Apache-2.0
// What a confined worker may ask of the kernel. Each case runs in a child of its own, since confinement is for good.
#include "proxy/worker/confine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>

namespace ptygate::worker {
namespace {

/// Runs `body` in a confined child; returns its wait status.
int confined(const std::function<int()>& body) {
  pid_t child = ::fork();
  if (child == 0) {
    Confinement done = confineWorker();
    if (!done.no_new_privs || !done.seccomp || !done.landlock) ::_exit(99);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

bool killedBySeccomp(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }
int exitOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

TEST(Confinement, LetsNoFileBeOpened) {
  for (const char* path : {"/etc/passwd", "/dev/null", "/proc/self/maps", "."}) {
    EXPECT_EQ(exitOf(confined([path] { return ::open(path, O_RDONLY) >= 0 ? 1 : 0; })), 0) << path;
  }
}

TEST(Confinement, LetsNoFileBeMadeOrRemoved) {
  EXPECT_EQ(exitOf(confined([] { return ::open("made-by-a-worker", O_WRONLY | O_CREAT, 0600) >= 0 ? 1 : 0; })), 0);
  EXPECT_EQ(exitOf(confined([] { return ::unlink("CMakeCache.txt") == 0 ? 1 : 0; })), 0);
}

TEST(Confinement, LetsNoSocketBeMade) {
  EXPECT_EQ(exitOf(confined([] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 1 : 0; })), 0);
  EXPECT_EQ(exitOf(confined([] { return ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 1 : 0; })), 0);
}

TEST(Confinement, EndsAWorkerThatConnects) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_TRUE(killedBySeccomp(confined([fd] {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    return ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  })));
  ::close(fd);
}

TEST(Confinement, EndsAWorkerThatExecs) {
  EXPECT_TRUE(killedBySeccomp(confined([] { return ::execl("/bin/true", "true", nullptr); })));
}

TEST(Confinement, EndsAWorkerThatTraces) {
  EXPECT_TRUE(killedBySeccomp(confined([] { return int(::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr)); })));
}

TEST(Confinement, LetsNoOtherProcessBeSignalled) {
  EXPECT_EQ(exitOf(confined([] { return ::kill(::getppid(), 0) == 0 ? 1 : 0; })), 0);
}

TEST(Confinement, LetsNoProcessBeForked) {
  EXPECT_EQ(exitOf(confined([] {
              pid_t child = ::fork();
              if (child == 0) ::_exit(0);
              return child > 0 ? 1 : 0;
            })),
            0);
}

TEST(Confinement, LetsOpenDescriptorsBeUsed) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  EXPECT_EQ(exitOf(confined([&] { return ::write(pipe_fds[1], "x", 1) == 1 ? 0 : 1; })), 0);
  char got = 0;
  EXPECT_EQ(::read(pipe_fds[0], &got, 1), 1);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
}

}  // namespace
}  // namespace ptygate::worker
