// SPDX-License-Identifier: Apache-2.0
// The sandbox's two sides: the test process asks over a socket pair, process 1 of the namespaces runs lines one after the other.
#include "sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace ptygate::policy::oracle {
namespace {

namespace fs = std::filesystem;
constexpr long kTimeoutMs = 1500;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "oracle sandbox: %s: %s\n", what.c_str(), std::strerror(errno));
  std::_Exit(97);
}

void require(bool good, const char* what) {
  if (!good) die(what);
}

void writeFile(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
}

std::string readFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void sendText(int fd, const std::string& text) {
  std::uint64_t size = text.size();
  require(::send(fd, &size, sizeof size, MSG_NOSIGNAL) == sizeof size, "send size");
  for (std::size_t at = 0; at < text.size();) {
    ssize_t n = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    require(n > 0, "send");
    at += static_cast<std::size_t>(n);
  }
}

bool receive(int fd, std::string& text) {
  std::uint64_t size = 0;
  if (::read(fd, &size, sizeof size) != sizeof size) return false;
  text.resize(size);
  for (std::size_t at = 0; at < size;) {
    ssize_t n = ::read(fd, text.data() + at, size - at);
    if (n <= 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return true;
}

/// The program and the libraries that ldd names, at the same paths under root.
void copyProgram(const fs::path& root, const std::string& program, const std::string& as) {
  auto copy = [&](const std::string& from, const std::string& to) {
    fs::path target = root / to.substr(1);
    fs::create_directories(target.parent_path());
    fs::copy_file(from, target, fs::copy_options::overwrite_existing);
  };
  copy(program, as);
  FILE* pipe = ::popen(("ldd " + program).c_str(), "r");
  require(pipe != nullptr, "ldd");
  char buffer[4096];
  std::string text;
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
  ::pclose(pipe);
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word[0] == '/' && word.back() != ':') copy(word, word);
  }
}

void freshDirectory() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/w", ignored)) {
    std::string name = entry.path().filename();
    if (name != "a.txt" && name != "b.txt" && name != "sub") fs::remove_all(entry.path(), ignored);
  }
  fs::create_directory("/w/sub", ignored);
  for (const auto& entry : fs::directory_iterator("/w/sub", ignored)) fs::remove_all(entry.path(), ignored);
  writeFile("/w/a.txt", "one\n");
  writeFile("/w/b.txt", "one\n");
}

std::string newFiles() {
  std::string names;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator("/w", ignored)) {
    std::string name = entry.path().filename();
    bool known = name == "a.txt" || name == "b.txt";
    if (entry.path() == "/w/sub" || (known && readFile(entry.path()) == "one\n")) continue;
    names += name + '\0';
  }
  return names;
}

void startShell(const std::string& shell, const std::string& line) {
  ::setpgid(0, 0);
  int null = ::open("/dev/null", O_RDWR);
  int errors = ::open("/errors", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(null, 0);
  ::dup2(null, 1);
  ::dup2(errors, 2);
  ::close_range(3, ~0U, 0);
  rlimit file_size{1 << 20, 1 << 20};
  ::setrlimit(RLIMIT_FSIZE, &file_size);
  char* environment[] = {const_cast<char*>("PATH=/stub"), const_cast<char*>("HOME=/w"), const_cast<char*>("LC_ALL=C.UTF-8"), nullptr};
  if (::chdir("/w") != 0) std::_Exit(96);
  if (shell == "bash") {
    ::execle("/sh/bash", "bash", "--noprofile", "--norc", "-c", "--", line.c_str(), nullptr, environment);
  } else {
    ::execle("/sh/dash", "sh", "-c", line.c_str(), nullptr, environment);
  }
  std::_Exit(96);
}

/// Waits until process 1 has no children left; returns false after the timeout, having killed them.
bool reapAll() {
  timespec pause{0, 200'000};
  timespec start{};
  ::clock_gettime(CLOCK_MONOTONIC, &start);
  bool in_time = true;
  for (;;) {
    pid_t pid = ::waitpid(-1, nullptr, in_time ? WNOHANG : 0);
    if (pid < 0) return in_time;
    if (pid > 0) continue;
    ::nanosleep(&pause, nullptr);
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    if ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1'000'000 > kTimeoutMs) {
      in_time = false;
      ::kill(-1, SIGKILL);
    }
  }
}

[[noreturn]] void serve(int fd) {
  std::string shell;
  std::string line;
  while (receive(fd, shell) && receive(fd, line)) {
    freshDirectory();
    writeFile("/log", "");
    ::chmod("/log", 0666);
    pid_t pid = ::fork();
    require(pid >= 0, "fork");
    if (pid == 0) startShell(shell, line);
    bool in_time = reapAll();
    sendText(fd, readFile("/log"));
    sendText(fd, newFiles());
    sendText(fd, readFile("/errors"));
    sendText(fd, in_time ? "" : "timeout");
  }
  std::_Exit(0);
}

void enterNamespaces(const std::string& root) {
  uid_t uid = ::getuid();
  gid_t gid = ::getgid();
  require(::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) == 0, "unshare (are user namespaces allowed?)");
  writeFile("/proc/self/setgroups", "deny");
  writeFile("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1");
  writeFile("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
  require(::mount("/dev/null", (root + "/dev/null").c_str(), nullptr, MS_BIND, nullptr) == 0, "bind /dev/null");
  require(::chroot(root.c_str()) == 0 && ::chdir("/") == 0, "chroot");
}

}  // namespace

Sandbox::Sandbox(const std::set<std::string>& stubs) {
  std::string pattern = (fs::temp_directory_path() / "ptygate-oracle-XXXXXX").string();
  require(::mkdtemp(pattern.data()) != nullptr, "mkdtemp");
  root_ = pattern;
  for (const char* folder : {"sh", "stub", "bin", "usr/bin", "w", "dev", "tmp"}) fs::create_directories(fs::path(root_) / folder);
  writeFile(fs::path(root_) / "dev/null", "");
  copyProgram(root_, "/bin/bash", "/sh/bash");
  copyProgram(root_, "/bin/dash", "/sh/dash");
  std::error_code absent;
  fs::create_directories(fs::path(root_) / "usr/lib/locale");
  fs::copy("/usr/lib/locale/C.utf8", fs::path(root_) / "usr/lib/locale/C.utf8", fs::copy_options::recursive, absent);
  fs::copy_file(PTYGATE_ARGV_STUB, fs::path(root_) / "argv_stub");
  for (const std::string& name : stubs) {
    for (const char* folder : {"stub", "bin", "usr/bin"}) {
      std::error_code exists;
      fs::create_hard_link(fs::path(root_) / "argv_stub", fs::path(root_) / folder / name, exists);
    }
  }
  int pair[2];
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
  child_ = ::fork();
  require(child_ >= 0, "fork");
  if (child_ == 0) {
    ::close(pair[0]);
    enterNamespaces(root_);
    pid_t first = ::fork();
    require(first >= 0, "fork");
    if (first == 0) serve(pair[1]);
    int status = 0;
    ::close(pair[1]);
    ::waitpid(first, &status, 0);
    std::_Exit(WIFEXITED(status) ? WEXITSTATUS(status) : 95);
  }
  ::close(pair[1]);
  socket_ = pair[0];
}

Sandbox::~Sandbox() {
  ::close(socket_);
  ::waitpid(child_, nullptr, 0);
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

Outcome Sandbox::run(const std::string& shell, const std::string& line) {
  sendText(socket_, shell);
  sendText(socket_, line);
  std::string log;
  std::string files;
  Outcome outcome;
  std::string timeout;
  bool answered = receive(socket_, log) && receive(socket_, files) && receive(socket_, outcome.errors) && receive(socket_, timeout);
  if (!answered) die("the sandbox ended");
  outcome.timed_out = !timeout.empty();
  Started started;
  int list = 0;
  for (std::size_t at = 0; at < log.size();) {
    std::string entry = log.c_str() + at;
    at += entry.size() + 1;
    if (entry == "\x02") {
      std::sort(started.environment.begin(), started.environment.end());
      outcome.started.push_back(std::move(started));
      started = {};
      list = 0;
    } else if (entry == "\x01") {
      ++list;
    } else {
      (list == 0 ? started.argv : started.environment).push_back(entry);
    }
  }
  std::sort(outcome.started.begin(), outcome.started.end());
  for (std::size_t at = 0; at < files.size();) {
    std::string entry = files.c_str() + at;
    at += entry.size() + 1;
    outcome.written.insert(entry);
  }
  return outcome;
}

}  // namespace ptygate::policy::oracle
