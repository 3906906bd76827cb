// SPDX-License-Identifier: Apache-2.0
// Where records lie below the gate's directory, and their names. Everything is opened with openat below a directory descriptor, never
// through a symbolic link. Not here: what is in the files.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/error.h"
#include "recorder/fd.h"

namespace ptygate::recorder {

/// YYYYMMDD-HHMMSS-xxxxx: the start in UTC and five random base32 letters (a–z, 2–7). Sorts by time.
class SessionId {
 public:
  static constexpr std::size_t kRandomBytes = 4;

  /// `random` comes from the system's generator; 25 bits of it are used. A collision shows as `Exists` in createCast: generate again.
  /// Years 1970–9999; anything else aborts.
  [[nodiscard]] static SessionId generate(WallTime now, std::span<const std::uint8_t, kRandomBytes> random);
  /// Strict: exact form, a real date and time. `Malformed` otherwise.
  [[nodiscard]] static Result<SessionId> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }
  /// The start that the name states, to the second.
  [[nodiscard]] WallTime start() const;
  auto operator<=>(const SessionId&) const = default;

 private:
  explicit SessionId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// "rec/2026/11/20/20261120-100732-k7f3a.cast", relative to the gate's directory.
[[nodiscard]] std::string castPath(const SessionId& id);

struct CreatedCast {
  Fd file;       ///< O_WRONLY|O_APPEND|O_CLOEXEC, empty, mode 0640
  Fd directory;  ///< the day's directory; fsync it before the first byte is forwarded, so that the name is on disk
};

/// Makes rec/YYYY/MM/DD (0750) as needed and the cast (O_EXCL|O_NOFOLLOW). `Exists` when the name is taken.
[[nodiscard]] Result<CreatedCast> createCast(int dir_fd, const SessionId& id);
/// Opens a cast for reading (O_NOFOLLOW; regular files only). `NotFound` when there is none.
[[nodiscard]] Result<Fd> openCast(int dir_fd, const SessionId& id);
/// Opens a cast and its directory to mend it (O_RDWR|O_APPEND); only recovery does.
[[nodiscard]] Result<CreatedCast> openCastForRecovery(int dir_fd, const SessionId& id);
/// chmod 0440, after the ledger's final seal is on disk. Sealing a sealed cast does nothing.
[[nodiscard]] Result<void> sealCast(int dir_fd, const SessionId& id);
/// True when the cast is there without write permission.
[[nodiscard]] Result<bool> isSealed(int dir_fd, const SessionId& id);

/// Every session that has a cast, oldest first. Names that are not casts of ours are passed over.
[[nodiscard]] Result<std::vector<SessionId>> listSessions(int dir_fd);
/// The session with this id, or the only one whose id begins with `prefix` or whose five letters are `prefix`.
/// `Malformed` (empty, foreign characters), `NotFound`, `Ambiguous`.
[[nodiscard]] Result<SessionId> findSession(int dir_fd, std::string_view prefix);

/// Opens a gate's directory for the functions above.
[[nodiscard]] Result<Fd> openDirectory(const std::string& path);

/// "2026-11-20T10:07:32.123Z" (RFC 3339, UTC, milliseconds) and back; strict.
[[nodiscard]] std::string formatTime(WallTime at);
[[nodiscard]] Result<WallTime> parseTime(std::string_view text);

}  // namespace ptygate::recorder
