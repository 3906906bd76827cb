// SPDX-License-Identifier: Apache-2.0
// The keeper's one writer of the ledger: appends, group commit (one fdatasync for all that wait), and the rule that nothing is told before
// it is on disk. Not here: what a line says (evidence), how it is encoded (recorder).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "proxy/keeper/gate.h"
#include "recorder/ledger.h"

namespace ptygate::keeper {

class Journal {
 public:
  /// `on_failure` is called once, from the loop, when a line could not be written or synced: stop releasing, end everything.
  Journal(Gate& gate, recorder::Ledger ledger, std::function<void(const std::string&)> on_failure);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Adds one line. Nothing that depends on it may leave the process before whenCommitted.
  void append(const recorder::LedgerEvent& event);
  /// Calls `fn` from the loop once all that was appended until now is on disk; never after a failure.
  void whenCommitted(std::function<void()> fn);
  /// The directory gets an fsync with the next commit: a new cast's name has to be on disk before its session goes on.
  void syncDirectory(recorder::Fd directory);
  /// Commits now, blocking; for the last line of a shutdown. False after a failure.
  bool commitNow();

  [[nodiscard]] bool hasFailed() const { return failed_ || ledger_.hasFailed(); }
  [[nodiscard]] std::uint64_t leaves() const { return ledger_.appended(); }

 private:
  void kick();
  void startSync();
  void finishSync(std::uint64_t target, int error);
  void fail(const std::string& text);

  struct Waiting {
    std::uint64_t leaves;
    std::function<void()> fn;
  };
  Gate& gate_;
  recorder::Ledger ledger_;
  std::function<void(const std::string&)> on_failure_;
  std::deque<Waiting> waiting_;
  std::vector<recorder::Fd> directories_;
  bool scheduled_ = false;
  bool syncing_ = false;
  bool failed_ = false;
};

}  // namespace ptygate::keeper
