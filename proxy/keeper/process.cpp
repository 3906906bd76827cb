// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "proxy/base/check.h"

namespace ptygate::keeper {

namespace {

constexpr int kMaxDescriptors = 8;
constexpr int kFirstFree = 64;  ///< above every number that a child gets

struct Prepared {
  const char* program;
  char* const* argv;
  char* const* environment;
  const std::pair<int, int>* descriptors;
  int count;
  int last;  ///< highest number in the child
  const ChildSpec* spec;
  pid_t parent;
};

// Between fork and exec in a process that has pool threads: system calls only, no allocation.
[[noreturn]] void runChild(const Prepared& child) {
  for (int signum = 1; signum < NSIG; ++signum) ::signal(signum, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (child.spec->new_session) ::setsid();
  int moved[kMaxDescriptors];
  for (int i = 0; i < child.count; ++i) {
    moved[i] = ::fcntl(child.descriptors[i].first, F_DUPFD_CLOEXEC, kFirstFree);
    if (moved[i] < 0) ::_exit(126);
  }
  for (int i = 0; i < child.count; ++i) {
    if (::dup2(moved[i], child.descriptors[i].second) < 0) ::_exit(126);
  }
  if (::close_range(unsigned(child.last) + 1, ~0U, 0) != 0) ::_exit(126);
  if (child.spec->terminal && ::ioctl(0, TIOCSCTTY, 0) != 0) ::_exit(126);
  if (child.spec->death_signal != 0) {
    ::prctl(PR_SET_PDEATHSIG, child.spec->death_signal);
    if (::getppid() != child.parent) ::_exit(126);  // the keeper died before the line above
  }
  ::execve(child.program, child.argv, child.environment);
  ::_exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> result;
  for (const std::string& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

}  // namespace

tl::expected<pid_t, std::string> spawnChild(const ChildSpec& spec) {
  CHECK(spec.descriptors.size() <= std::size_t(kMaxDescriptors));
  const auto argv = pointers(spec.argv);
  const auto environment = pointers(spec.environment);
  int last = -1;
  for (const auto& [ours, theirs] : spec.descriptors) {
    CHECK(ours >= 0 && theirs >= 0 && theirs < kFirstFree);
    last = std::max(last, theirs);
  }
  const Prepared child{spec.program.c_str(),
                       argv.data(),
                       environment.data(),
                       spec.descriptors.data(),
                       int(spec.descriptors.size()),
                       last,
                       &spec,
                       ::getpid()};
  // Blocked around the fork, so that no handler of ours runs in the child before it has reset them.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) runChild(child);
  const int why = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return tl::make_unexpected(std::string("fork: ") + std::strerror(why));
  return pid;
}

Reaper::Reaper(base::Loop& loop) {
  loop.onSignal(SIGCHLD, [this] { reap(); });
}

void Reaper::watch(pid_t pid, std::function<void(int)> fn) {
  watched_[pid] = std::move(fn);
}

void Reaper::reap() {
  std::vector<std::pair<std::function<void(int)>, int>> ended;
  for (auto it = watched_.begin(); it != watched_.end();) {
    int status = 0;
    if (::waitpid(it->first, &status, WNOHANG) == it->first) {
      ended.emplace_back(std::move(it->second), status);
      it = watched_.erase(it);
    } else {
      ++it;
    }
  }
  for (auto& [fn, status] : ended) fn(status);
}

std::string describeEnd(int wait_status) {
  if (WIFSIGNALED(wait_status)) return "signal " + std::to_string(WTERMSIG(wait_status));
  return "exit " + std::to_string(WEXITSTATUS(wait_status));
}

}  // namespace ptygate::keeper
