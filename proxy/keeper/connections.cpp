// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/connections.h"

#include "proxy/base/check.h"

namespace ptygate::keeper {

namespace {
template <class Map, class Key>
void countDown(Map& map, const Key& key) {
  const auto found = map.find(key);
  if (found != map.end() && --found->second == 0) map.erase(found);
}
}  // namespace

std::string Connections::refusal(const std::string& source, const config::Limits& limits) const {
  if (open_.size() >= limits.connections) return "connections";
  const auto starting = starting_.find(source);
  if (starting != starting_.end() && starting->second >= limits.startups_per_source) return "startups_per_source";
  return {};
}

Connection& Connections::open(WorkerId worker, bool people, std::string peer, std::string source) {
  const ConnectionId id = next_++;
  ++starting_[source];
  Connection& connection = open_[id];
  connection = Connection{id, worker, people, std::move(peer), std::move(source), {}, {}, 0, 0};
  return connection;
}

Connection* Connections::find(ConnectionId id, WorkerId worker) {
  const auto found = open_.find(id);
  return found != open_.end() && found->second.worker == worker ? &found->second : nullptr;
}

void Connections::logIn(Connection& connection, std::string identity, std::string fingerprint) {
  CHECK(connection.identity.empty() && !identity.empty());
  countDown(starting_, connection.source);
  ++logged_in_[identity];
  connection.identity = std::move(identity);
  connection.fingerprint = std::move(fingerprint);
}

void Connections::release(const Connection& connection) {
  if (connection.identity.empty()) {
    countDown(starting_, connection.source);
  } else {
    countDown(logged_in_, connection.identity);
  }
}

void Connections::close(ConnectionId id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  release(found->second);
  open_.erase(found);
}

std::vector<ConnectionId> Connections::closeAll(WorkerId worker) {
  std::vector<ConnectionId> closed;
  for (auto it = open_.begin(); it != open_.end();) {
    if (it->second.worker != worker) {
      ++it;
      continue;
    }
    closed.push_back(it->first);
    release(it->second);
    it = open_.erase(it);
  }
  return closed;
}

std::uint64_t Connections::ofIdentity(std::string_view identity) const {
  const auto found = logged_in_.find(identity);
  return found == logged_in_.end() ? 0 : found->second;
}

}  // namespace ptygate::keeper
