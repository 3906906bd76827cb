// SPDX-License-Identifier: Apache-2.0
// Who is connected, by the keeper's own books: which worker has a connection, who proved a key on it, and how many there may be. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/keeper/gate.h"

namespace ptygate::keeper {

struct Connection {
  ConnectionId id = 0;
  WorkerId worker = 0;
  bool people = false;
  std::string peer;      ///< "10.0.0.7:40122"
  std::string source;    ///< its address without the port
  std::string identity;  ///< empty until a key was proved
  std::string fingerprint;
  std::uint64_t dials = 0;  ///< that are under way
  std::uint64_t refusals = 0;
  std::string refused_identity;  ///< who proved a key here and was refused; the worker was told, and may have asked before it heard
  std::string refused_reason;

  /// `name` logged in here, or was refused after proving a key: what is asked in that name is no lie of the worker's.
  [[nodiscard]] bool speaksFor(const std::string& name) const { return !name.empty() && (name == identity || name == refused_identity); }
};

class Connections {
 public:
  /// Empty: a connection from `source` may be taken now. Else: which limit says no.
  [[nodiscard]] std::string refusal(const std::string& source, const config::Limits& limits) const;
  Connection& open(WorkerId worker, bool people, std::string peer, std::string source);
  /// nullptr: not open, or another worker's.
  [[nodiscard]] Connection* find(ConnectionId id, WorkerId worker);
  void logIn(Connection& connection, std::string identity, std::string fingerprint);
  void close(ConnectionId id);
  /// Forgets all of a worker that is gone; returns their ids.
  std::vector<ConnectionId> closeAll(WorkerId worker);

  [[nodiscard]] std::size_t size() const { return open_.size(); }
  [[nodiscard]] std::uint64_t ofIdentity(std::string_view identity) const;
  [[nodiscard]] const std::map<ConnectionId, Connection>& all() const { return open_; }

 private:
  void release(const Connection& connection);
  std::map<ConnectionId, Connection> open_;
  std::map<std::string, std::uint64_t> starting_;                ///< by source, not logged in
  std::map<std::string, std::uint64_t, std::less<>> logged_in_;  ///< by identity
  ConnectionId next_ = 1;
};

}  // namespace ptygate::keeper
