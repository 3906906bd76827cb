// SPDX-License-Identifier: Apache-2.0
// The verbs' end of the control protocol: a blocking client. Not for the keeper or a worker, whose loops must never block.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "proxy/base/fd.h"
#include "proxy/control/protocol.h"

namespace ptygate::control {

/// Why a call has no answer; `status` is what the verb exits with (kUnreachable in most cases).
struct Failure {
  int status = kUnreachable;
  std::string text;  ///< says what, where and what to do
};

/// A finished call: its items in order, then how it ended.
struct Answer {
  std::vector<Item> items;
  Reply end;
};

/// One connection to the keeper. Movable.
class Client {
 public:
  /// Connects to the descriptor in PTYGATE_CONTROL_FD (set by the keeper for verbs that run over SSH; taken over and made CLOEXEC), else
  /// to DIR/run/control.sock. Who we are is for the keeper to find out: by the socketpair it made, or the peer's credentials.
  [[nodiscard]] static tl::expected<Client, Failure> connect(const std::string& dir);
  /// For tests: speaks over `socket`.
  explicit Client(base::Fd socket) : socket_(std::move(socket)) {}

  /// Asks one verb and blocks until its Reply (for `wait` that may be long). Events of subscriptions that arrive meanwhile are kept.
  [[nodiscard]] tl::expected<Answer, Failure> call(const std::string& verb, const std::map<std::string, std::string>& args = {});

  /// Starts `subscribe-holds`; events come by nextEvent from now on.
  [[nodiscard]] tl::expected<void, Failure> subscribeHolds();

  /// The next event: nullopt after `timeout` without one (0: what is there already; negative: no limit). Never returns replies.
  [[nodiscard]] tl::expected<std::optional<Event>, Failure> nextEvent(std::chrono::milliseconds timeout);

  /// To poll() beside a terminal: when readable, drain nextEvent(0) until it gives nullopt.
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  [[nodiscard]] tl::expected<void, Failure> sendLine(const std::string& line);
  /// Reads once into lines_, waiting at most `timeout` (negative: no limit). False: timed out.
  [[nodiscard]] tl::expected<bool, Failure> readSome(std::chrono::milliseconds timeout);
  [[nodiscard]] tl::expected<std::optional<ServerLine>, Failure> nextLine();

  base::Fd socket_;
  LineCutter lines_;
  std::deque<Event> events_;
  std::uint64_t next_id_ = 1;
  std::optional<std::uint64_t> subscription_;
};

}  // namespace ptygate::control
