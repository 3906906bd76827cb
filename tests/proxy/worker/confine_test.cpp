// SPDX-License-Identifier: Apache-2.0
// What a confined worker may ask of the kernel. Each case runs in a child of its own, since confinement is for good.
#include "proxy/worker/confine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

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

bool killedBySeccomp(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}
int exitOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Confinement, LetsNoFileBeOpened) {
  for (const char* path : {"/etc/passwd", "/dev/null", "/proc/self/maps", "."}) {
    EXPECT_EQ(exitOf(confined([path] { return ::open(path, O_RDONLY) >= 0 ? 1 : 0; })), 0) << path;
  }
}

TEST(Confinement, LetsNoFileBeMadeOrRemoved) {
  EXPECT_EQ(exitOf(confined([] { return ::open("made-by-a-worker", O_WRONLY | O_CREAT, 0600) >= 0 ? 1 : 0; })), 0);
  EXPECT_EQ(exitOf(confined([] { return ::unlink("CMakeCache.txt") == 0 ? 1 : 0; })), 0);
}

/// A gate's directory as `init` makes it, with the files that only the keeper may read.
class GateDirectory {
 public:
  GateDirectory() {
    char name[] = "/tmp/ptygate-confine-XXXXXX";
    path_ = ::mkdtemp(name);
    for (const char* folder : {"keys", "ledger"}) ::mkdir((path_ + "/" + folder).c_str(), 0700);
    for (const char* file : kFiles) {
      int fd = ::open((path_ + "/" + file).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      EXPECT_EQ(::write(fd, "x", 1), 1);
      ::close(fd);
    }
  }
  ~GateDirectory() {
    for (const char* file : kFiles) ::unlink((path_ + "/" + file).c_str());
    for (const char* folder : {"keys", "ledger"}) ::rmdir((path_ + "/" + folder).c_str());
    ::rmdir(path_.c_str());
  }
  GateDirectory(const GateDirectory&) = delete;
  GateDirectory& operator=(const GateDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  static constexpr const char* kFiles[] = {"keys/user_ca", "keys/host_key", "policy.toml", "ptygate.toml", "ledger/ledger-2026-11.jsonl"};

 private:
  std::string path_;
};

/// The first way, counted from 1, in which `path` could be reached; 0: none could.
int wayIn(int directory, const std::string& path, const char* below) {
  const std::string moved = path + ".moved";
  open_how how{};
  how.flags = O_RDONLY;
  if (::open(path.c_str(), O_RDONLY) >= 0) return 1;
  if (::open(path.c_str(), O_WRONLY | O_APPEND) >= 0) return 2;
  if (::open(path.c_str(), O_PATH) >= 0) return 3;
  if (::openat(directory, below, O_RDONLY) >= 0) return 4;
  if (::syscall(SYS_openat2, directory, below, &how, sizeof how) >= 0) return 5;
  if (::truncate(path.c_str(), 0) == 0) return 6;
  if (::rename(path.c_str(), moved.c_str()) == 0) return 7;
  if (::link(path.c_str(), moved.c_str()) == 0) return 8;
  if (::unlink(path.c_str()) == 0) return 9;
  if (::chmod(path.c_str(), 0666) == 0) return 10;
  return 0;
}

TEST(Confinement, KeepsTheCaKeyThePolicyAndTheLedgerOutOfReach) {
  GateDirectory gate;
  // Held open on purpose: even a leaked descriptor of the directory must not lead to its files.
  int directory = ::open(gate.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(directory, 0);
  for (const char* below : GateDirectory::kFiles) {
    const std::string path = gate.path() + "/" + below;
    EXPECT_EQ(exitOf(confined([&] { return wayIn(directory, path, below); })), 0) << below;
    // The same steps succeed without confinement, so that the line above can fail.
    EXPECT_EQ(wayIn(directory, path, below), 1) << below;
  }
  ::close(directory);
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
