// SPDX-License-Identifier: Apache-2.0
// The ledger: what the gate decided, one JSON line each, numbered from 0, appended by one process. Each line is a leaf of an RFC 6962
// Merkle tree whose root is kept running. Not here: what is worth a line (keeper/evidence), syncing (the keeper's pool), signing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/error.h"
#include "recorder/event.h"
#include "recorder/fd.h"
#include "recorder/merkle.h"

namespace ptygate::recorder {

/// One ledger line. A 256 KiB command of control characters, escaped and as base64, and its canonical form fit.
inline constexpr std::size_t kMaxLedgerLineBytes = 8 * 1024 * 1024;
/// Lines that wait for flush().
inline constexpr std::size_t kMaxLedgerBufferBytes = 64 * 1024 * 1024;

/// One line as read back.
struct LedgerLine {
  std::uint64_t n = 0;
  WallTime at;
  LedgerEvent event;
  std::string_view line;  ///< the exact bytes without LF; valid during the callback
};

/// What opening found and mended.
struct LedgerOpening {
  std::uint64_t lines = 0;
  std::uint64_t torn_bytes = 0;  ///< of an unfinished last line, moved to torn_file
  std::string torn_file;         ///< name in the ledger directory, or empty
};

class Ledger {
 public:
  using OnLine = std::function<void(const LedgerLine&)>;

  /// Opens DIR/ledger (made 0750 if absent), locks it against a second gate, reads every line in order into `on_line` (may be empty).
  ///
  /// An unfinished last line (no LF) was never committed: it is set aside. Anything else that is not a whole, well-formed, contiguously
  /// numbered line is `Damaged` and nothing is changed. Blocks; called once at start. `Busy` when another process has the lock.
  [[nodiscard]] static Result<Ledger> open(int dir_fd, const OnLine& on_line);

  Ledger(Ledger&&) noexcept = default;
  Ledger& operator=(Ledger&&) noexcept = default;

  /// Encodes one event into the buffer and returns its leaf number. Nothing is written; reply to nobody before its commit.
  /// `now` goes into the line as it is; the file is that of the UTC month, never an earlier one than the last.
  /// The first line of a new month flushes the old ones. `Limit` for a line or buffer that is too long (nothing was added); `Failed` after
  /// an earlier failure.
  [[nodiscard]] Result<std::uint64_t> append(const LedgerEvent& event, WallTime now);

  /// Writes everything buffered with one write(2). A refused or short write is final. When the month changed it syncs the old file first.
  [[nodiscard]] Result<void> flush();

  /// Group commit: lines appended, written, and known to be on disk; all counts of leaves from the start of the ledger.
  /// The keeper flushes, remembers `flushed()`, runs fdatasync(fd()) in its pool, then calls noteCommitted with what it remembered.
  [[nodiscard]] std::uint64_t appended() const { return appended_; }
  [[nodiscard]] std::uint64_t flushed() const { return flushed_; }
  [[nodiscard]] std::uint64_t committed() const { return committed_; }
  void noteCommitted(std::uint64_t count) { committed_ = count > committed_ ? count : committed_; }
  /// A failed sync is final as well: never retried (the kernel may have dropped the pages).
  void noteSyncFailed() { failed_ = true; }
  [[nodiscard]] bool hasFailed() const { return failed_; }

  /// The file to sync; owned here. It changes at a month's end, after the old file was synced; the old descriptor stays open for another
  /// month, so that a sync that runs on it is never one on a stranger's file.
  [[nodiscard]] int fd() const { return file_.get(); }

  /// Root over all appended lines, flushed or not (RFC 6962, 2.1).
  [[nodiscard]] Sha256 root() const { return tree_.root(); }
  [[nodiscard]] const LedgerOpening& opening() const { return opening_; }

 private:
  Ledger() = default;
  [[nodiscard]] Result<void> openMonth(const std::string& month);

  Fd dir_;
  Fd file_;
  Fd previous_;               ///< the month before's, for syncs still running
  std::string month_;         ///< of file_, "2026-11"; empty before the first line
  std::string buffer_month_;  ///< of the lines in buffer_
  std::string buffer_;
  MerkleTree tree_;
  LedgerOpening opening_;
  std::uint64_t appended_ = 0;
  std::uint64_t flushed_ = 0;
  std::uint64_t committed_ = 0;
  bool failed_ = false;
};

/// Reads the ledger below `dir_fd` without lock or change, for listing and export; works while a gate appends and ignores an unfinished
/// last line. Returns the number of lines. `on_line` returns false to stop.
[[nodiscard]] Result<std::uint64_t> readLedger(int dir_fd, const std::function<bool(const LedgerLine&)>& on_line);

/// One line's bytes without LF. Strings that are not UTF-8 are written with U+FFFD and, in `<name>_base64`, exactly.
[[nodiscard]] std::string encodeLedgerLine(std::uint64_t n, WallTime at, const LedgerEvent& event);
/// The inverse. `Damaged` for anything that encodeLedgerLine would not have written in shape (types, keys, order of the first three).
[[nodiscard]] Result<LedgerLine> parseLedgerLine(std::string_view line);

}  // namespace ptygate::recorder
