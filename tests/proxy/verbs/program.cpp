// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "proxy/base/fd.h"

namespace ptygate::verbs::test {

namespace {

using base::Fd;
using Clock = std::chrono::steady_clock;
constexpr int kControlDescriptor = 3;

struct Pipe {
  Fd read, write;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
};

[[noreturn]] void execChild(const std::vector<std::string>& argv, const std::vector<std::string>& env, const std::array<int, 3>& standard,
                            int control) {
  for (int i = 0; i < 3; ++i) ::dup2(standard[static_cast<std::size_t>(i)], i);
  if (control >= 0) {
    if (control == kControlDescriptor)
      ::fcntl(control, F_SETFD, 0);
    else
      ::dup2(control, kControlDescriptor);
  }
  std::vector<char*> words;
  std::vector<char*> variables;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  for (const auto& variable : env) variables.push_back(const_cast<char*>(variable.c_str()));
  words.push_back(nullptr);
  variables.push_back(nullptr);
  ::execvpe(words[0], words.data(), variables.data());
  ::_exit(127);
}

// One end of the control connection, answered by the test's function.
class GateEnd {
 public:
  GateEnd(Fd socket, FakeGate answer) : socket_(std::move(socket)), answer_(std::move(answer)) {}
  [[nodiscard]] int fd() const { return socket_.get(); }
  void onReadable() {
    std::array<char, 65536> chunk;
    const ssize_t got = ::read(socket_.get(), chunk.data(), chunk.size());
    if (got <= 0) {
      socket_.reset();
      return;
    }
    ASSERT_TRUE(lines_.feed({chunk.data(), static_cast<std::size_t>(got)}));
    while (auto line = lines_.next()) {
      auto request = control::decodeRequest(*line);
      ASSERT_TRUE(request) << *line;
      for (auto& reply : answer_(*request)) {
        const std::string text = control::encode(reply) + "\n";
        if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return;
      }
    }
  }

 private:
  Fd socket_;
  FakeGate answer_;
  control::LineCutter lines_;
};

// False at the end of the stream.
bool takeSome(const Fd& from, std::string& into) {
  std::array<char, 65536> chunk;
  const ssize_t got = ::read(from.get(), chunk.data(), chunk.size());
  if (got > 0) into.append(chunk.data(), static_cast<std::size_t>(got));
  return got > 0;
}

Ran runProcess(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env, const std::string& input,
               const FakeGate& gate) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe in, out, err;
  int sockets[2] = {-1, -1};
  if (gate && ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) std::abort();
  Fd theirs(sockets[1]);
  GateEnd gate_end(Fd(sockets[0]), gate);
  std::vector<std::string> variables;
  for (const auto& [name, value] : env) variables.push_back(name + "=" + value);
  if (gate) variables.push_back("PTYGATE_CONTROL_FD=" + std::to_string(kControlDescriptor));
  const pid_t child = ::fork();
  if (child == 0) execChild(argv, variables, {in.read.get(), out.write.get(), err.write.get()}, theirs.get());
  in.read.reset();
  out.write.reset();
  err.write.reset();
  theirs.reset();

  Ran ran;
  std::size_t sent = 0;
  const auto end = Clock::now() + std::chrono::seconds(60);
  while (out.read.valid() || err.read.valid()) {
    if (sent == input.size()) in.write.reset();
    std::array<pollfd, 4> ready = {
        {{in.write.get(), POLLOUT, 0}, {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}, {gate_end.fd(), POLLIN, 0}}};
    ::poll(ready.data(), ready.size(), 1000);
    if (Clock::now() > end) {
      ::kill(child, SIGKILL);
      ADD_FAILURE() << "the program did not end: " << argv[1];
    }
    if (ready[0].revents != 0) {
      const ssize_t put = ::write(in.write.get(), input.data() + sent, std::min<std::size_t>(input.size() - sent, 4096));
      if (put < 0)
        sent = input.size();
      else
        sent += static_cast<std::size_t>(put);
    }
    if (ready[1].revents != 0 && !takeSome(out.read, ran.out)) out.read.reset();
    if (ready[2].revents != 0 && !takeSome(err.read, ran.err)) err.read.reset();
    if (ready[3].revents != 0) gate_end.onReadable();
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

std::map<std::string, std::string> cleanEnvironment() {
  return {{"PATH", std::getenv("PATH") != nullptr ? std::getenv("PATH") : "/usr/bin:/bin"}, {"PTYGATE_DIR", "/nonexistent/ptygate"}};
}

}  // namespace

Ran run(const Invocation& what) {
  std::vector<std::string> argv = {PTYGATE_PROGRAM};
  argv.insert(argv.end(), what.args.begin(), what.args.end());
  auto env = cleanEnvironment();
  for (const auto& [name, value] : what.env) env[name] = value;
  return runProcess(argv, env, what.input, what.gate);
}

Ran run(std::vector<std::string> args, std::string input) {
  Invocation what;
  what.args = std::move(args);
  what.input = std::move(input);
  return run(what);
}

Ran runOther(std::vector<std::string> argv, std::string input) {
  return runProcess(argv, cleanEnvironment(), input, nullptr);
}

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "ptygate-verbs-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void writeFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  ASSERT_TRUE(file) << path;
}

}  // namespace ptygate::verbs::test
