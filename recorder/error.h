// SPDX-License-Identifier: Apache-2.0
// The recorder's error and clock types. An error kind says what the caller can do; the text is for the log, never for an agent.
#pragma once

#include <chrono>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace ptygate::recorder {

/// Wall clock, milliseconds, UTC. The same type as policy's.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
/// Monotonic clock; only differences are used.
using MonoTime = std::chrono::steady_clock::time_point;

struct RecorderError {
  enum class Kind {
    Failed,     ///< an I/O error or a short write; final for the object that returned it: end the session, or stop deciding
    Limit,      ///< a named limit is reached: end the session
    Busy,       ///< another process holds the ledger
    Damaged,    ///< stored bytes are not what was written; nothing was changed; a person has to look
    Malformed,  ///< the argument (an id, a filter) does not parse
    NotFound,
    Ambiguous,  ///< a prefix names more than one session
    Exists,     ///< the cast to create is already there
  };
  Kind kind = Kind::Failed;
  std::string text;  ///< what failed and errno's words; no recorded content
};

template <typename T>
using Result = tl::expected<T, RecorderError>;

[[nodiscard]] inline tl::unexpected<RecorderError> failure(RecorderError::Kind kind, std::string text) {
  return tl::unexpected(RecorderError{kind, std::move(text)});
}

}  // namespace ptygate::recorder
