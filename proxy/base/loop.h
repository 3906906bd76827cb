// SPDX-License-Identifier: Apache-2.0
// The event loop of a process: timers, readiness of descriptors, signals, work in libuv's pool. The only caller of uv_close.
// Everything here belongs to the one thread that runs the loop.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

struct uv_loop_s;

namespace ptygate::base {

class Loop;
using SteadyTime = std::chrono::steady_clock::time_point;

/// A one-shot timer. Destroying it stops it; it may be destroyed from within its own callback.
class Timer {
 public:
  Timer() = default;
  explicit Timer(Loop& loop);
  Timer(Timer&&) noexcept;
  Timer& operator=(Timer&&) noexcept;
  ~Timer();
  /// Calls `fn` once after `delay`, replacing what was set before.
  void start(std::chrono::milliseconds delay, std::function<void()> fn);
  void stop();
  [[nodiscard]] bool isActive() const;

  struct State;

 private:
  State* state_ = nullptr;
};

/// Readiness of one descriptor, which the caller owns and keeps open until the Poll is gone. May be destroyed from its own callback.
class Poll {
 public:
  using Fn = std::function<void(bool readable, bool writable)>;
  Poll() = default;
  Poll(Loop& loop, int fd, Fn fn);
  Poll(Poll&&) noexcept;
  Poll& operator=(Poll&&) noexcept;
  ~Poll();
  /// Sets what to wait for; neither pauses it. Hang-ups and errors are reported as readable (and writable where asked).
  void want(bool readable, bool writable);
  [[nodiscard]] bool active() const { return state_ != nullptr; }

  struct State;

 private:
  State* state_ = nullptr;
};

/// A resolved address to connect to.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  /// "127.0.0.1:22" or "[::1]:22".
  [[nodiscard]] std::string text() const;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();
  /// Makes run() return after the current callbacks.
  void stop();

  /// Runs `fn` later in this thread, from the loop, never from within the caller. Used to destroy what is still on the stack.
  void defer(std::function<void()> fn);
  /// Runs `work` in libuv's pool (it must touch nothing that the loop's thread touches), then `done` here.
  void inPool(std::function<void()> work, std::function<void()> done);
  /// Resolves a host name or literal address in the pool. Error: text for people.
  void resolve(const std::string& host, const std::string& port,
               std::function<void(tl::expected<std::vector<SocketAddress>, std::string>)> done);
  /// Calls `fn` for each arrival of `signum`, until the loop is destroyed.
  void onSignal(int signum, std::function<void()> fn);

  [[nodiscard]] SteadyTime now() const;
  [[nodiscard]] uv_loop_s* raw() { return loop_.get(); }

  struct Deferred;
  struct SignalState;

 private:
  std::unique_ptr<uv_loop_s> loop_;
  Deferred* deferred_ = nullptr;
  std::vector<SignalState*> signals_;
};

}  // namespace ptygate::base
