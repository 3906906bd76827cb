// SPDX-License-Identifier: Apache-2.0
// What the keeper's parts share: the loop, the directory, the loaded configuration, strong ids. Holds state, decides nothing.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/fd.h"
#include "proxy/base/loop.h"
#include "proxy/config/directory.h"
#include "proxy/keeper/desk_types.h"

namespace ptygate::keeper {

using WorkerId = std::uint64_t;      ///< one process of a worker; a replacement has a new id. 0: none
using ConnectionId = std::uint64_t;  ///< one client's transport, "c17" in logs and the ledger

/// "c17".
[[nodiscard]] inline std::string connectionName(ConnectionId id) {
  return "c" + std::to_string(id);
}

[[nodiscard]] inline WallTime wallNow() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

/// `n` random characters of [a-z2-7], from the system's generator.
[[nodiscard]] std::string randomWord(std::size_t n);

struct Gate {
  explicit Gate(base::Loop& l) : loop(l) {}

  base::Loop& loop;
  std::string dir;
  base::Fd dir_fd;
  std::string program;  ///< what workers and verbs are started from
  config::Snapshot snapshot;
  std::optional<config::Keys> keys;
  WallTime started{};
  bool stopping = false;  ///< no new request, connection or verb
  /// The last things that people should know (`status`), newest last.
  std::deque<std::string> notes;
  /// Pool jobs and look-ups that still refer to parts of the keeper.
  std::uint64_t in_flight = 0;

  static constexpr std::size_t kMaxNotes = 20;
  void note(std::string text) {
    notes.push_back(std::move(text));
    if (notes.size() > kMaxNotes) notes.pop_front();
  }
  [[nodiscard]] const config::Config& config() const { return *snapshot.config; }

  /// Loop::inPool, counted, so that the keeper can wait for its last job before it goes.
  void inPool(std::function<void()> work, std::function<void()> done);
};

}  // namespace ptygate::keeper
