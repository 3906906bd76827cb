// SPDX-License-Identifier: Apache-2.0
// Makes a cast whole after a crash: cuts an unfinished end, says so in the cast, and tells what belongs in the ledger.
// Not here: which sessions need it (the keeper: opened in the ledger, no final seal), sealing.
#pragma once

#include <cstdint>
#include <string>

#include "recorder/error.h"
#include "recorder/event.h"
#include "recorder/hash.h"
#include "recorder/store_paths.h"

namespace ptygate::recorder {

/// Exit status written for a session whose end nobody saw.
inline constexpr std::uint32_t kRecoveredExit = 255;

struct Recovered {
  std::uint64_t bytes = 0;           ///< of the cast now
  Sha256 sha256{};                   ///< of the cast now
  std::uint64_t torn_bytes = 0;      ///< moved out of the cast by this call
  std::string torn_file;             ///< "<session>.cast.torn", or empty
  std::uint64_t unsealed_bytes = 0;  ///< of what was recorded before the crash and kept, how much no earlier seal covers
  bool was_complete = false;         ///< the cast ended with its exit event already; nothing was changed
};

/// Mends the cast of `id`. Everything from the first byte that is not part of a whole group of valid lines goes to `<session>.cast.torn`,
/// then a marker "recovered: …" and an exit 255 are appended, and all is synced. `sealed_bytes` is the length that the last ledger seal of
/// this session states (0: none): a cast that is shorter or breaks below it is `Damaged` and stays as it is.
///
/// Idempotent, also when it is killed half way. Blocks; called at start, before a worker runs. A cast without a whole header gets one.
[[nodiscard]] Result<Recovered> recoverCast(int dir_fd, const SessionId& id, std::uint64_t sealed_bytes);

/// The ledger line "recovered" for it.
[[nodiscard]] LedgerEvent recoveredEvent(const SessionId& id, const Recovered& recovered);

}  // namespace ptygate::recorder
