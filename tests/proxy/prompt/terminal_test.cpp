// SPDX-License-Identifier: Apache-2.0
// The terminal's settings come back, whatever ends the process. On a real pseudo-terminal.
#include "proxy/prompt/terminal.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>

namespace ptygate::prompt::testing {
namespace {

struct Pty {
  Pty() {
    winsize size{30, 100, 0, 0};
    if (openpty(&main, &side, nullptr, nullptr, &size) != 0) std::abort();
  }
  ~Pty() {
    close(main);
    close(side);
  }
  [[nodiscard]] termios settings() const {
    termios now{};
    tcgetattr(side, &now);
    return now;
  }
  int main = -1;
  int side = -1;
};

bool isCooked(const Pty& pty) {
  return (pty.settings().c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG);
}

/// Runs `body` in a child that holds the terminal in raw mode; returns its wait status.
int inChild(const Pty& pty, const std::function<void()>& body) {
  int ready[2];
  if (pipe(ready) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    std::set_terminate([] { _exit(99); });
    static auto terminal = Terminal::open(pty.side, pty.side);
    if (!terminal) _exit(98);
    (void)!write(ready[1], "x", 1);
    body();
    _exit(97);
  }
  char byte = 0;
  if (read(ready[0], &byte, 1) != 1) std::abort();
  close(ready[0]);
  close(ready[1]);
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(Terminal, RefusesWhatIsNoTerminal) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_FALSE(Terminal::open(ends[0], ends[1]).has_value());
  EXPECT_FALSE(Terminal::isUsable(ends[0], ends[1]));
  close(ends[0]);
  close(ends[1]);
}

TEST(Terminal, RestoresItsSettingsWhenItIsDestroyed) {
  const Pty pty;
  {
    auto terminal = Terminal::open(pty.side, pty.side);
    ASSERT_TRUE(terminal.has_value());
    EXPECT_EQ(pty.settings().c_lflag & (ICANON | ECHO | ISIG), 0U);
    EXPECT_NE(pty.settings().c_oflag & OPOST, 0U) << "LF still goes to a new line";
    terminal->suspend();
    EXPECT_TRUE(isCooked(pty));
    terminal->resume();
    EXPECT_FALSE(isCooked(pty));
  }
  EXPECT_TRUE(isCooked(pty));
}

TEST(Terminal, RestoresItsSettingsAtExit) {
  const Pty pty;
  const int status = inChild(pty, [] { std::exit(3); });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3);
  EXPECT_TRUE(isCooked(pty));
}

TEST(Terminal, RestoresItsSettingsWhenASignalEndsTheProcess) {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGPIPE}) {
    const Pty pty;
    const int status = inChild(pty, [signal] { raise(signal); });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << signal;
    EXPECT_TRUE(isCooked(pty)) << signal;
  }
}

TEST(Terminal, ReadsKeysAsTheyComeAndKnowsItsSize) {
  const Pty pty;
  const auto terminal = Terminal::open(pty.side, pty.side);
  ASSERT_TRUE(terminal.has_value());
  ASSERT_EQ(write(pty.main, "a\x03\r", 3), 3);
  EXPECT_EQ(terminal->read(), "a\x03\r");
  EXPECT_EQ(terminal->size().columns, 100U);
  EXPECT_EQ(terminal->size().rows, 30U);
  EXPECT_TRUE(terminal->write("x\n"));
  char out[8] = {};
  EXPECT_EQ(read(pty.main, out, sizeof out), 3);
  EXPECT_STREQ(out, "x\r\n");
}

}  // namespace
}  // namespace ptygate::prompt::testing
