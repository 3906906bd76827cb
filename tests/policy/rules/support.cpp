// SPDX-License-Identifier: Apache-2.0
// See support.h.
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace ptygate::policy::testing {
namespace {

std::vector<char*> pointersOf(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::abort();
}

// A copy of dash under the name sshd: it forks the "login shell", so that /proc/PPID/comm reads sshd there.
const std::string& fakeSshd() {
  static const std::string path = [] {
    std::string directory = "/tmp/ptygate-rules-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) die("mkdtemp");
    const std::string name = directory + "/sshd";
    if (run({"/bin/cp", "/bin/dash", name}, {}).status != 0) die("cp");
    static std::string to_remove;
    to_remove = directory;
    std::atexit([] {
      unlink((to_remove + "/sshd").c_str());
      rmdir(to_remove.c_str());
    });
    return name;
  }();
  return path;
}

}  // namespace

RunResult run(const std::vector<std::string>& argv, const std::vector<std::string>& environment, const std::string& cwd) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) die("pipe2");
  const auto argv_pointers = pointersOf(argv);
  const auto environment_pointers = pointersOf(environment);
  const pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    const int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0 || chdir(cwd.c_str()) != 0) _exit(120);
    umask(022);
    execve(argv_pointers[0], argv_pointers.data(), environment_pointers.data());
    _exit(121);
  }
  close(out[1]);
  close(err[1]);
  RunResult result;
  std::array<pollfd, 2> fds = {pollfd{out[0], POLLIN, 0}, pollfd{err[0], POLLIN, 0}};
  int open_ends = 2;
  while (open_ends > 0) {
    if (poll(fds.data(), fds.size(), -1) < 0) die("poll");
    for (std::size_t i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      std::array<char, 65536> buffer;
      const ssize_t got = read(fds[i].fd, buffer.data(), buffer.size());
      if (got > 0) {
        (i == 0 ? result.out : result.err).append(buffer.data(), std::size_t(got));
        continue;
      }
      close(fds[i].fd);
      fds[i].fd = -1;
      --open_ends;
    }
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) die("waitpid");
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

RunResult runAsLogin(const std::vector<std::string>& shell, const std::string& line, const std::vector<std::string>& environment,
                     const std::string& cwd) {
  // The trailing command keeps dash from replacing itself.
  std::vector<std::string> argv = {fakeSshd(), "-c", R"("$@"; exit "$?")", "sshd"};
  argv.insert(argv.end(), shell.begin(), shell.end());
  argv.emplace_back("-c");
  argv.push_back(line);
  return run(argv, environment, cwd);
}

std::string_view testNonce() {
  return "n0nce4tests";
}

std::string surveyAnswer(const std::map<std::string, std::string>& changes, std::string_view nonce) {
  std::map<std::string, std::string> records = {{"v", "1"},
                                                {"lpath", "/usr/local/bin:/usr/bin:/bin"},
                                                {"lhome", "/root"},
                                                {"lshell", "/bin/bash"},
                                                {"llang", "C.UTF-8"},
                                                {"lcall", ""},
                                                {"preload", ""},
                                                {"benv", ""},
                                                {"lxdg", ":"},
                                                {"umask", "0022"},
                                                {"cwd", "/root"},
                                                {"uid", "0"},
                                                {"gid", "0"},
                                                {"groups", "0"},
                                                {"uname", "Linux 6.1.0 x86_64"},
                                                {"bb", ""},
                                                {"user", "root"},
                                                {"passwd", "root:x:0:0:root:/root:/bin/bash"},
                                                {"home", "/root"},
                                                {"shell", "/bin/bash"},
                                                {"t.bash", "/usr/bin/bash"},
                                                {"t.env", "/usr/bin/env"},
                                                {"sh", "/usr/bin/dash"},
                                                {"bashv", "5.2.15(1)-release"},
                                                {"envv", "env (GNU coreutils) 9.1"},
                                                {"ppid", "sshd"},
                                                {"sig", "SigIgn:\t0000000000000000"},
                                                {"fsize", "unlimited"},
                                                {"f:/etc/bash.bashrc", "af4f 0 0 644 regular file -> /etc/bash.bashrc"},
                                                {"f:/root/.bashrc", "af50 0 0 644 regular file -> /root/.bashrc"},
                                                {"d:/root", "0 0 700 directory"},
                                                {"d:/", "0 0 755 directory"},
                                                {"P:/usr/local/bin", "0 0 755 directory"},
                                                {"P:/usr/bin", "0 0 755 directory"},
                                                {"P:/bin", "0 0 755 directory"}};
  for (const auto& [key, value] : changes) records[key] = value;
  std::string answer("\0<", 2);
  answer.append(nonce).push_back('\0');
  for (const auto& [key, value] : records) {
    if (value != "-") answer.append(key).append("=").append(value).push_back('\0');
  }
  answer.append(nonce).append(">").push_back('\0');
  return answer;
}

Account accountWith(const std::map<std::string, std::string>& changes) {
  auto account = parseSurvey(surveyAnswer(changes), testNonce());
  if (!account) {
    std::fprintf(stderr, "accountWith: %s\n", account.error().c_str());
    std::abort();
  }
  return std::move(*account);
}

Account workAccount(std::map<std::string, std::string> changes) {
  changes.insert({{"home", "/srv/app"}, {"cwd", "/srv/app"}, {"d:/srv/app", "0 0 755 directory"}, {"d:/srv", "0 0 755 directory"}});
  return accountWith(changes);
}

}  // namespace ptygate::policy::testing
