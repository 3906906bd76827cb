// SPDX-License-Identifier: Apache-2.0
// Verbs on a real pseudo-terminal: keys work, and the terminal's settings come back however the verb ends.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>

#include "program.h"
#include "proxy/base/fd.h"
#include "records.h"

namespace ptygate::verbs::test {
namespace {

using base::Fd;
using testing::HasSubstr;
using testing::Not;
using Clock = std::chrono::steady_clock;

// The program on a terminal of its own, with a gate at descriptor 3.
class OnTerminal {
 public:
  explicit OnTerminal(std::vector<std::string> args) {
    int master = -1;
    int slave = -1;
    if (::openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) std::abort();
    ::fcntl(master, F_SETFD, FD_CLOEXEC);
    master_.reset(master);
    slave_.reset(slave);
    ::tcgetattr(slave, &before_);
    int sockets[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) std::abort();
    gate_.reset(sockets[0]);
    Fd theirs(sockets[1]);
    args.insert(args.begin(), PTYGATE_PROGRAM);
    child_ = ::fork();
    if (child_ == 0) start(args, slave, theirs.get());
  }
  ~OnTerminal() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
  }

  /// Reads until `text` was seen (or 30 s passed), answering the gate's side by `answer`.
  bool sees(const std::string& text, const FakeGate& answer) {
    const auto end = Clock::now() + std::chrono::seconds(30);
    while (seen_.find(text) == std::string::npos) {
      if (Clock::now() > end) return false;
      takeSome(answer);
    }
    return true;
  }
  void type(const std::string& keys) { ASSERT_EQ(::write(master_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size())); }
  /// Types q until it ends: one that arrives together with a paste is part of the paste.
  int quit(const FakeGate& answer) {
    for (int attempt = 0;
         attempt < 60 && ::waitid(P_PID, static_cast<id_t>(child_), &ended_, WEXITED | WNOHANG | WNOWAIT) == 0 && ended_.si_pid == 0;
         ++attempt) {
      type("q");
      const auto until = Clock::now() + std::chrono::milliseconds(500);
      while (Clock::now() < until && !takeSome(answer)) {
      }
    }
    return status();
  }
  void raise(int signal) { ::kill(child_, signal); }
  int status() {
    int status = 0;
    const auto end = Clock::now() + std::chrono::seconds(30);
    while (::waitpid(child_, &status, WNOHANG) == 0) {
      if (Clock::now() > end) return -1;
      pollfd ready{master_.get(), POLLIN, 0};
      char chunk[4096];
      if (::poll(&ready, 1, 20) > 0 && ::read(master_.get(), chunk, sizeof chunk) < 0) break;
    }
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] bool isRestored() const {
    termios now{};
    ::tcgetattr(slave_.get(), &now);
    return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag && now.c_oflag == before_.c_oflag;
  }
  [[nodiscard]] bool isChanged() const { return !isRestored(); }
  [[nodiscard]] const std::string& seen() const { return seen_; }

 private:
  /// Reads what is there, waiting at most 100 ms; true when the program closed its end of the gate.
  bool takeSome(const FakeGate& answer) {
    pollfd ready[2] = {{master_.get(), POLLIN, 0}, {gate_.get(), POLLIN, 0}};
    ::poll(ready, 2, 100);
    char chunk[4096];
    if (ready[0].revents != 0) {
      const ssize_t got = ::read(master_.get(), chunk, sizeof chunk);
      if (got > 0) seen_.append(chunk, static_cast<std::size_t>(got));
    }
    return ready[1].revents != 0 && !answerGate(answer);
  }
  [[noreturn]] static void start(const std::vector<std::string>& args, int slave, int control) {
    ::setsid();
    for (int fd = 0; fd < 3; ++fd) ::dup2(slave, fd);
    ::dup2(control, 3);
    ::setenv("PTYGATE_CONTROL_FD", "3", 1);
    ::setenv("TERM", "xterm", 1);
    std::vector<char*> words;
    for (const auto& arg : args) words.push_back(const_cast<char*>(arg.c_str()));
    words.push_back(nullptr);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  bool answerGate(const FakeGate& answer) {
    char chunk[4096];
    const ssize_t got = ::read(gate_.get(), chunk, sizeof chunk);
    if (got <= 0 || !lines_.feed({chunk, static_cast<std::size_t>(got)})) return false;
    while (auto line = lines_.next()) {
      const auto request = control::decodeRequest(*line);
      if (!request) ADD_FAILURE() << *line;
      if (!request) return false;
      for (const auto& reply : answer(*request)) {
        const std::string text = control::encode(reply) + "\n";
        if (::send(gate_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return false;
      }
    }
    return true;
  }

  Fd master_, slave_, gate_;
  termios before_{};
  pid_t child_ = -1;
  std::string seen_;
  control::LineCutter lines_;
  siginfo_t ended_{};
};

std::vector<control::ServerLine> oneHold(const control::Request& request) {
  using namespace control;
  if (request.verb == "whoami") return {ItemLine{request.id, WhoAmI{"person", "alice", {"review", "audit"}, {}}}, Reply{request.id, 0, ""}};
  if (request.verb != "subscribe-holds") return {Reply{request.id, 0, "recorded"}};
  control::Hold hold;
  hold.id = 42;
  hold.tag = "k7f3";
  hold.agent = "bot";
  hold.command = "rm -rf x";
  hold.command_bytes = hold.command.size();
  hold.attached = 1;
  return {Event{request.id, Event::Kind::Hold, "open", hold, 0, ""}, Event{request.id, Event::Kind::Ready, "", {}, 0, ""}};
}

TEST(OnATerminal, ReviewGivesTheTerminalBackAfterQ) {
  OnTerminal program({"review"});
  ASSERT_TRUE(program.sees("rm -rf x", oneHold)) << program.seen();
  EXPECT_TRUE(program.isChanged());
  program.type("q");
  EXPECT_EQ(program.status(), 0);
  EXPECT_TRUE(program.isRestored());
}

TEST(OnATerminal, ReviewGivesTheTerminalBackWhenItIsKilled) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGSEGV}) {
    OnTerminal program({"review"});
    ASSERT_TRUE(program.sees("rm -rf x", oneHold)) << program.seen();
    program.raise(signal);
    EXPECT_EQ(program.status(), 128 + signal);
    EXPECT_TRUE(program.isRestored()) << signal;
  }
}

TEST(OnATerminal, APasteApprovesNothing) {
  OnTerminal program({"review"});
  std::vector<std::string> verbs;
  const auto noting = [&verbs](const control::Request& request) {
    verbs.push_back(request.verb);
    return oneHold(request);
  };
  ASSERT_TRUE(program.sees("rm -rf x", noting)) << program.seen();
  program.type("aaa\raaa");
  EXPECT_EQ(program.quit(noting), 0);
  for (const auto& verb : verbs) EXPECT_TRUE(verb == "whoami" || verb == "subscribe-holds") << verb;
}

}  // namespace
}  // namespace ptygate::verbs::test
