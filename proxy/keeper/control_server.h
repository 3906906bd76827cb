// SPDX-License-Identifier: Apache-2.0
// The keeper's end of control connections: sockets, lines, who is calling. What a verb does and who may is control_verbs' table.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "proxy/control/protocol.h"
#include "proxy/keeper/gate.h"

namespace ptygate::keeper {

using ControlId = std::uint64_t;  ///< one control connection

/// Who is at the other end. Set by the keeper from what the kernel or an SSH login proved, never from what the other end says.
struct ControlCaller {
  enum class Kind : std::uint8_t {
    Nobody,  ///< an account that no [[person]] or [[agent]] names
    Person,
    Agent,
    Operator,  ///< root or the gate's own account, on the gate's host: operate and audit
  };
  Kind kind = Kind::Nobody;
  std::string name;
};

class ControlServer {
 public:
  struct Hooks {
    std::function<void(ControlId, const ControlCaller&, const control::Request&)> on_request;
    std::function<void(ControlId)> on_closed;
    std::function<ControlCaller(uid_t)> identify;
  };
  ControlServer(Gate& gate, Hooks hooks);

  /// Makes DIR/run/control.sock, replacing one that nobody listens on. Error: text.
  [[nodiscard]] tl::expected<void, std::string> listen();
  /// A connection whose identity is known: a verb's over SSH.
  void adopt(base::Fd socket, ControlCaller caller);
  /// Queues one line; a caller who does not read is disconnected.
  void send(ControlId id, const control::ServerLine& line);
  /// Ends the connections of an identity that is gone, or of all.
  void closeOf(const std::function<bool(const ControlCaller&)>& which);
  void stopListening();

 private:
  struct Connection {
    ControlCaller caller;
    control::LineCutter lines;
    std::deque<std::string> outbox;
    std::size_t queued = 0, sent = 0;
    base::Fd socket;
    base::Poll poll;
    bool closing = false;
  };
  void acceptSome();
  void onReady(ControlId id, bool readable, bool writable);
  bool readSome(ControlId id, Connection& connection);
  bool writeSome(Connection& connection);
  void close(ControlId id);
  void closeSoon(ControlId id, Connection& connection);

  Gate& gate_;
  Hooks hooks_;
  base::Fd listener_;
  base::Poll listener_poll_;
  std::map<ControlId, std::unique_ptr<Connection>> open_;
  ControlId next_ = 1;
};

}  // namespace ptygate::keeper
