// SPDX-License-Identifier: Apache-2.0
// One session's cast as it is written: adopts a descriptor, appends events, knows size and SHA-256 of what was written, never reads.
// Works in a process that has no filesystem. Not here: syncing (the caller, in its pool), sealing in the ledger (the keeper).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "recorder/cast_encoder.h"
#include "recorder/error.h"
#include "recorder/event.h"
#include "recorder/fd.h"
#include "recorder/hash.h"

namespace ptygate::recorder {

/// A cast's length in bytes.
using Offset = std::uint64_t;

/// A cast's hard cap unless configuration sets another: reaching it ends the session.
inline constexpr std::uint64_t kMaxCastBytes = 4ULL * 1024 * 1024 * 1024;
/// Of the cap, kept free for the last markers and the exit event, so that a session ended by its cap still says so.
inline constexpr std::uint64_t kCastReserveBytes = 64 * 1024;

struct RecordingOptions {
  std::uint64_t max_bytes = kMaxCastBytes;
};

/// The first `bytes` bytes of the cast and their hash: what a ledger line "seal" states.
struct Prefix {
  Offset bytes = 0;
  Sha256 sha256{};
};

class Recording {
 public:
  /// Adopts `fd` (O_WRONLY|O_APPEND, empty; the keeper made it with createCast) and writes the header.
  /// `now` is the session's start; later times count from it. The process must ignore SIGXFSZ, else a file size limit kills it.
  [[nodiscard]] static Result<Recording> open(Fd fd, const CastHeader& header, MonoTime now, RecordingOptions options = {});

  Recording(Recording&&) noexcept = default;
  Recording& operator=(Recording&&) noexcept = default;

  /// Writes one event to the cast and returns the file's new length.
  ///
  /// The caller may forward the event's bytes only after this returned a value: write(2) has returned by then. Durable means a sync of
  /// fd() that began after this returned. Inside a gap, stdout and stdin bytes are hashed instead of written.
  ///
  /// Errors: `Failed` after a refused or short write (final: every later call returns it; the session ends). `Limit` when the event
  /// would pass the cap; nothing was written; markers and the exit event may still follow. Blocks for the write only.
  [[nodiscard]] Result<Offset> append(const CastEvent& event, MonoTime now);

  /// record = "hash": from here stdout and stdin are counted and hashed, not stored (stderr still is). Writes a marker "gap begins:
  /// <label>". Called once before the transfer is released; calling it in a gap is a bug and aborts.
  [[nodiscard]] Result<Offset> beginGap(std::string_view label, MonoTime now);
  /// Ends the gap with a marker "gap ends: stdout <bytes> sha256:<hex>, stdin <bytes> sha256:<hex>".
  [[nodiscard]] Result<Offset> endGap(MonoTime now);
  [[nodiscard]] bool isInGap() const { return gap_ != nullptr; }

  /// Ends the recording: ends an open gap, shows held characters. No append may follow (abort). The caller syncs fd(), then the keeper
  /// writes the ledger's final seal and calls sealCast (store_paths.h).
  [[nodiscard]] Result<Prefix> seal(MonoTime now);

  /// What a seal would state now. For periodic seals: take it, sync fd(), then report it.
  [[nodiscard]] Prefix prefix() const { return {hash_.bytes(), hash_.digest()}; }
  [[nodiscard]] Offset bytes() const { return hash_.bytes(); }
  [[nodiscard]] bool hasFailed() const { return failed_; }

  /// For fdatasync in the caller's pool; owned here. Bytes since the last noteSynced say when (every second or 4 MiB).
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// A sync that began when bytes() was `upTo` has succeeded.
  void noteSynced(Offset upTo) { synced_ = upTo > synced_ ? upTo : synced_; }
  /// The length that is known to be on disk.
  [[nodiscard]] Offset synced() const { return synced_; }

 private:
  struct Gap {
    Hasher output;
    Hasher input;
  };
  Recording(Fd fd, MonoTime start, RecordingOptions options) : fd_(std::move(fd)), start_(start), options_(options) {}
  [[nodiscard]] Result<Offset> record(const CastEvent& event, MonoTime now, std::uint64_t cap);
  [[nodiscard]] Result<Offset> write(const std::string& lines, std::uint64_t cap);
  [[nodiscard]] std::chrono::microseconds since(MonoTime now) const;

  Fd fd_;
  MonoTime start_;
  RecordingOptions options_;
  CastEncoder encoder_;
  Hasher hash_;
  std::unique_ptr<Gap> gap_;
  Offset synced_ = 0;
  bool failed_ = false;
  bool sealed_ = false;
};

}  // namespace ptygate::recorder
