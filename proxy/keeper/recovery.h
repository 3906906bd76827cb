// SPDX-License-Identifier: Apache-2.0
// What the ledger says of the time before this start: ids to go on from, holds and sessions that a crash left open, commands whose end
// nobody saw, agents that were stopped. Reading is pure; mending casts is not.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "proxy/keeper/desk.h"
#include "proxy/keeper/journal.h"
#include "recorder/ledger.h"

namespace ptygate::keeper {

/// Feed it every line of the ledger, in order.
class RecoveryScan {
 public:
  explicit RecoveryScan(WallTime now) : now_(now) {}
  void onLine(const recorder::LedgerLine& line);

  struct Open {
    std::string session;
    std::uint64_t sealed_bytes = 0;
  };
  [[nodiscard]] DeskSeed seed() const;
  /// Open holds; each ends as cancelled (restart).
  [[nodiscard]] std::vector<Recovered> holds() const;
  /// Released commands without an end: their `exit` lines have to say unknown.
  struct Unended {
    std::uint64_t request = 0;
    std::string session, agent, binding;
  };
  [[nodiscard]] std::vector<Unended> unended() const;
  /// Sessions without their final seal.
  [[nodiscard]] std::vector<Open> sessions() const;
  [[nodiscard]] bool isKnown(const std::string& session) const { return sealed_.contains(session) || open_.contains(session); }
  [[nodiscard]] WaiterId nextWaiter() const { return highest_request_ + 1; }

 private:
  struct Held {
    std::string tag, agent;
  };
  WallTime now_;
  HoldId highest_hold_ = 0;
  WaiterId highest_request_ = 0;
  std::map<HoldId, Held> holds_;
  std::map<std::uint64_t, Unended> running_;
  std::vector<std::pair<std::string, std::string>> unknown_;  ///< {agent, binding}
  std::map<std::string, std::uint64_t> open_;
  std::set<std::string> sealed_;
  std::set<std::string> stopped_;
};

/// Mends every cast that a crash left open and writes what became of sessions and commands into the ledger. Blocks; before a worker runs.
/// Returns notes for `status`.
[[nodiscard]] std::vector<std::string> mendAfterCrash(Gate& gate, Journal& journal, const RecoveryScan& scan);

}  // namespace ptygate::keeper
