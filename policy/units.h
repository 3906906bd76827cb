// SPDX-License-Identifier: Apache-2.0
// Quantities with the unit in the value, as configuration writes them: "5m", "64KiB". A number without a unit is refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace ptygate::policy {

/// Parses a duration: a whole number over 0 and one of ms, s, m, h, d, nothing between or around them; at most 366 days.
/// Error: text for people that says what to write. "none" is an error here: keys that take it ask for it first.
[[nodiscard]] tl::expected<std::chrono::milliseconds, std::string> parseDuration(std::string_view text);

/// Parses a size: a whole number and one of B, KiB, MiB, GiB; at most 1024 GiB. "KB", "MB" and bare numbers are refused by name.
[[nodiscard]] tl::expected<std::uint64_t, std::string> parseBytes(std::string_view text);

/// The shortest exact form that parseDuration reads back: 90000 ms is "90s", 120000 ms is "2m". Zero and negative: "0ms".
[[nodiscard]] std::string formatDuration(std::chrono::milliseconds duration);

/// The shortest exact form that parseBytes reads back: 65536 is "64KiB".
[[nodiscard]] std::string formatBytes(std::uint64_t bytes);

}  // namespace ptygate::policy
