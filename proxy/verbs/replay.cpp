// SPDX-License-Identifier: Apache-2.0
// `replay`: plays a cast in the terminal, with keys. The timing is recorder::Player's, the safety of what is shown CastScreen's.
#include "recorder/replay.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "proxy/prompt/terminal.h"
#include "proxy/verbs/cast_screen.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/print.h"
#include "proxy/verbs/recorded_session.h"

namespace ptygate::verbs {

namespace {

using recorder::Frame;
using Microseconds = std::chrono::microseconds;
using Clock = std::chrono::steady_clock;

constexpr Microseconds kStep = std::chrono::seconds(5);
constexpr double kSpeedStep = 1.5;
constexpr double kDefaultIdleLimit = 2;

enum class Key { None, Quit, Pause, Forward, Back, NextCommand, PreviousCommand, Faster, Slower };

// The last key of what was read; arrows come as ESC [ C or ESC O C.
Key keyOf(const std::string& bytes) {
  if (bytes.find('q') != std::string::npos || bytes.find('\x03') != std::string::npos) return Key::Quit;
  if (bytes.ends_with("[C") || bytes.ends_with("OC") || bytes == ".") return Key::Forward;
  if (bytes.ends_with("[D") || bytes.ends_with("OD") || bytes == ",") return Key::Back;
  if (bytes == " ") return Key::Pause;
  if (bytes == "]") return Key::NextCommand;
  if (bytes == "[") return Key::PreviousCommand;
  if (bytes == "+") return Key::Faster;
  if (bytes == "-") return Key::Slower;
  return Key::None;
}

class Replay {
 public:
  Replay(const RecordedSession& session, recorder::ReplayOptions options, const prompt::Terminal* terminal)
      : session_(session), options_(options), terminal_(terminal), screen_(colour()) {}

  int run() {
    auto markers = session_.open();
    if (auto rows = markers ? recorder::listMarkers(std::move(*markers)) : tl::unexpected(markers.error()); rows)
      markers_ = std::move(*rows);
    if (!missingCommand().empty()) return fail(kNegative, missingCommand());
    if (!restart(options_.from_command)) return kNegative;
    while (next_ && !is_over_) {
      if (waitFor(next_->delay)) {
        showNext();
      }
      if (!next_ && terminal_ != nullptr && !is_over_) lingerAtEnd();
    }
    put(screen_.finish());
    std::fflush(stdout);
    return status_;
  }

 private:
  static bool colour() { return ::isatty(STDOUT_FILENO) == 1; }

  std::string missingCommand() const {
    if (options_.from_command == 0) return "";
    for (const auto& row : markers_) {
      if (row.number == options_.from_command) return "";
    }
    return "no command " + std::to_string(options_.from_command) + " in " + session_.id().text() + ": it has " +
           std::to_string(markers_.size());
  }

  // From the beginning; what comes before `from_command` is shown without delay.
  bool restart(std::uint32_t from_command) {
    auto reader = session_.open();
    if (!reader) return stop(reader.error());
    if (auto header = reader->header(); !header) return stop(header.error());
    recorder::ReplayOptions options = options_;
    options.from_command = from_command;
    player_.emplace(std::move(*reader), options);
    position_ = Microseconds(0);
    return advance();
  }

  bool advance() {
    auto frame = player_->next();
    if (!frame) return stop(frame.error());
    next_ = std::move(*frame);
    return true;
  }

  bool stop(const recorder::RecorderError& error) {
    put(screen_.finish());
    status_ = fail(kNegative, shown(error.text));
    is_over_ = true;
    next_.reset();
    return false;
  }

  void showNext() {
    switch (next_->kind) {
      case Frame::Kind::Text:
        put(screen_.output(next_->text));
        break;
      case Frame::Kind::Marker:
        put(screen_.ownLine(shown(next_->text)));
        break;
      case Frame::Kind::Exit:
        put(screen_.ownLine("exit " + std::to_string(next_->number)));
        break;
      case Frame::Kind::Resize:
        break;
    }
    position_ = next_->at;
    advance();
  }

  // Waits for the next frame's time. False: a key changed what the next frame is.
  bool waitFor(Microseconds delay) {
    std::fflush(stdout);
    const auto due = Clock::now() + delay;
    if (delay < std::chrono::milliseconds(1) && !keyWaits()) return true;
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now()).count();
      if (left <= 0 && !keyWaits()) return true;
      pollfd key{terminal_ != nullptr ? STDIN_FILENO : -1, POLLIN, 0};
      if (::poll(&key, 1, static_cast<int>(std::clamp<long long>(left, 0, 60'000))) <= 0 || key.revents == 0) continue;
      if (!onKey()) return false;
    }
  }

  bool keyWaits() const {
    if (terminal_ == nullptr) return false;
    pollfd key{STDIN_FILENO, POLLIN, 0};
    return ::poll(&key, 1, 0) > 0;
  }

  // True: the next frame is the same, wait on.
  bool onKey() {
    const Key key = readKey();
    if (key == Key::Pause) return pause();
    return act(key);
  }

  Key readKey() {
    const auto bytes = terminal_->read();
    return bytes ? keyOf(*bytes) : Key::Quit;
  }

  bool act(Key key) {
    switch (key) {
      case Key::None:
      case Key::Pause:
        return true;
      case Key::Quit:
        is_over_ = true;
        return false;
      case Key::Forward:
        seek(position_ + kStep);
        return false;
      case Key::Back:
        seek(position_ > kStep ? position_ - kStep : Microseconds(0));
        return false;
      case Key::NextCommand:
        toCommand(true);
        return false;
      case Key::PreviousCommand:
        toCommand(false);
        return false;
      case Key::Faster:
        setSpeed(options_.speed * kSpeedStep);
        return true;
      case Key::Slower:
        setSpeed(options_.speed / kSpeedStep);
        return true;
    }
    return true;
  }

  // Until space again; the other keys act meanwhile. The wait for the next frame begins anew afterwards.
  bool pause() {
    while (!is_over_ && next_) {
      std::fflush(stdout);
      pollfd key{STDIN_FILENO, POLLIN, 0};
      if (::poll(&key, 1, -1) <= 0) continue;
      const Key what = readKey();
      if (what == Key::Pause) break;
      act(what);
    }
    return false;
  }

  void setSpeed(double speed) {
    options_.speed = std::clamp(speed, recorder::kMinSpeed, recorder::kMaxSpeed);
    player_->setSpeed(options_.speed);
  }

  // Shows everything up to `at` at once; going back begins anew on a clean screen.
  void seek(Microseconds at) {
    if (at < position_) {
      put(screen_.finish());
      put("\x1b[H\x1b[2J");
      if (!restart(0)) return;
    }
    while (next_ && next_->at <= at) showNext();
  }

  void toCommand(bool forward) {
    const recorder::MarkerRow* found = nullptr;
    for (const auto& row : markers_) {
      if (forward ? row.at > position_ && found == nullptr : row.at < position_) found = &row;
    }
    if (found != nullptr)
      seek(found->at);
    else if (!forward)
      seek(Microseconds(0));
  }

  // At the end the keys still work, until q or Enter.
  void lingerAtEnd() {
    put(screen_.ownLine("end; q leaves, the left arrow and [ go back"));
    std::fflush(stdout);
    while (!next_ && !is_over_) {
      pollfd key{STDIN_FILENO, POLLIN, 0};
      if (::poll(&key, 1, -1) <= 0) continue;
      act(readKey());
      std::fflush(stdout);
    }
  }

  const RecordedSession& session_;
  recorder::ReplayOptions options_;
  const prompt::Terminal* terminal_;
  CastScreen screen_;
  std::optional<recorder::Player> player_;
  std::optional<Frame> next_;
  std::vector<recorder::MarkerRow> markers_;
  Microseconds position_{0};
  bool is_over_ = false;
  int status_ = kDone;
};

}  // namespace

int replay(const Arguments& arguments, const Caller& caller) {
  const auto session = RecordedSession::find(caller, arguments.text("SESSION"));
  if (!session) return kNegative;
  recorder::ReplayOptions options;
  options.speed = arguments.number("--speed", 1);
  const double idle = arguments.number("--idle-limit", kDefaultIdleLimit);
  if (idle > 0) options.idle_limit = Microseconds(static_cast<std::int64_t>(idle * 1e6));
  options.from_command = static_cast<std::uint32_t>(arguments.number("--from", 0));
  std::optional<prompt::Terminal> terminal;
  if (prompt::Terminal::isUsable(STDIN_FILENO, STDOUT_FILENO)) {
    if (auto opened = prompt::Terminal::open(STDIN_FILENO, STDOUT_FILENO)) terminal.emplace(std::move(*opened));
  }
  return Replay(*session, options, terminal ? &*terminal : nullptr).run();
}

}  // namespace ptygate::verbs
