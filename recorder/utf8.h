// SPDX-License-Identifier: Apache-2.0
// Where UTF-8 begins to be invalid, by Unicode 15 table 3-7 (no surrogates, no overlong forms, nothing above U+10FFFF). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ptygate::recorder {

/// What a terminal shows for bytes that are no character.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Length of the longest prefix that is valid UTF-8.
[[nodiscard]] std::size_t validPrefix(std::string_view bytes);
/// For bytes that begin with an invalid sequence: how many bytes one U+FFFD stands for (the maximal subpart, at least 1).
[[nodiscard]] std::size_t invalidSpan(std::string_view bytes);
/// How many bytes at the end (0–3) are the beginning of a character whose rest may still come.
[[nodiscard]] std::size_t incompleteTail(std::string_view bytes);
/// Each invalid span as one U+FFFD; the rest as it is.
[[nodiscard]] std::string replaceInvalid(std::string_view bytes);

}  // namespace ptygate::recorder
