// SPDX-License-Identifier: Apache-2.0
#include "proxy/prompt/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "proxy/base/check.h"

namespace ptygate::prompt {
namespace {

// A signal handler can reach nothing else; tcsetattr is async-signal-safe (POSIX.1-2008, 2.4.3).
std::atomic<int> raw_descriptor{-1};
termios original_settings;
termios raw_settings;
constexpr std::array kEndingSignals = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGABRT, SIGSEGV,
                                       SIGBUS, SIGFPE, SIGILL,  SIGALRM, SIGUSR1, SIGUSR2};
std::array<struct sigaction, kEndingSignals.size()> former_actions;

void restore() {
  const int in = raw_descriptor.exchange(-1);
  if (in >= 0) tcsetattr(in, TCSADRAIN, &original_settings);
}

void restoreAndDie(int signal) {
  const int saved = errno;
  const int in = raw_descriptor.exchange(-1);
  if (in >= 0) tcsetattr(in, TCSANOW, &original_settings);  // not TCSADRAIN: it waits for a terminal that may never drain
  errno = saved;
  std::signal(signal, SIG_DFL);
  raise(signal);  // blocked until this handler returns, then it ends the process with the right status
}

void watchSignals() {
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) {
    sigaction(kEndingSignals[i], nullptr, &former_actions[i]);
    // Where the program ignores or handles a signal itself, it goes on doing so and the destructor restores.
    if (former_actions[i].sa_handler != SIG_DFL) continue;
    struct sigaction action {};
    action.sa_handler = restoreAndDie;
    sigemptyset(&action.sa_mask);
    sigaction(kEndingSignals[i], &action, nullptr);
  }
}

void unwatchSignals() {
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) {
    struct sigaction current {};
    sigaction(kEndingSignals[i], nullptr, &current);
    if (current.sa_handler == restoreAndDie) sigaction(kEndingSignals[i], &former_actions[i], nullptr);
  }
}

}  // namespace

tl::expected<Terminal, std::string> Terminal::open(int in, int out) {
  CHECK(raw_descriptor.load() < 0);
  if (tcgetattr(in, &original_settings) != 0) return tl::make_unexpected(std::string("standard input is not a terminal"));
  raw_settings = original_settings;
  raw_settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN);
  raw_settings.c_iflag &= ~tcflag_t(IXON | ICRNL | INLCR);
  raw_settings.c_oflag |= OPOST | ONLCR;
  raw_settings.c_cc[VMIN] = 1;
  raw_settings.c_cc[VTIME] = 0;
  static const bool is_registered = std::atexit(restore) == 0;
  (void)is_registered;
  watchSignals();
  raw_descriptor = in;
  // TCSAFLUSH throws away what was typed before the prompt stood there: it was not meant for it.
  if (tcsetattr(in, TCSAFLUSH, &raw_settings) != 0) {
    raw_descriptor = -1;
    unwatchSignals();
    return tl::make_unexpected(std::string("cannot change the terminal: ") + std::strerror(errno));
  }
  return Terminal(in, out);
}

Terminal::Terminal(Terminal&& other) noexcept : in_(std::exchange(other.in_, -1)), out_(other.out_) {}

Terminal::~Terminal() {
  if (in_ < 0) return;
  restore();
  unwatchSignals();
}

bool Terminal::isUsable(int in, int out) {
  const char* term = std::getenv("TERM");
  return isatty(in) == 1 && isatty(out) == 1 && term != nullptr && *term != '\0' && std::strcmp(term, "dumb") != 0;
}

std::optional<std::string> Terminal::read() const {
  std::string bytes(kMaxRead, '\0');
  for (;;) {
    const ssize_t got = ::read(in_, bytes.data(), bytes.size());
    if (got > 0) {
      bytes.resize(std::size_t(got));
      return bytes;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::string();
    return std::nullopt;
  }
}

bool Terminal::write(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t put = ::write(out_, text.data(), text.size());
    if (put > 0) {
      text.remove_prefix(std::size_t(put));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd ready{out_, POLLOUT, 0};
      if (poll(&ready, 1, -1) < 0 && errno != EINTR) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

Size Terminal::size() const {
  winsize size{};
  if (ioctl(out_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void Terminal::suspend() const {
  tcsetattr(in_, TCSADRAIN, &original_settings);
}
void Terminal::resume() const {
  tcsetattr(in_, TCSAFLUSH, &raw_settings);
}

}  // namespace ptygate::prompt
