// SPDX-License-Identifier: Apache-2.0
// The content of JSON strings, written and read where it is hot: casts. Everything else uses nlohmann-json. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ptygate::recorder {

/// Appends valid UTF-8 as the inside of a JSON string (no quotes): `"`, `\` and U+0000–U+001F escaped, everything else as it is.
void appendJsonText(std::string_view utf8, std::string& out);

/// Reads a JSON string from its opening quote. Puts the text in `out` (replaced) and returns the bytes read, the closing quote included;
/// nothing when it is not a whole, valid string (raw control, bad escape, lone surrogate, invalid UTF-8).
[[nodiscard]] std::optional<std::size_t> readJsonString(std::string_view json, std::string& out);

/// What a chunk is made of, in one fast pass.
struct ByteProfile {
  std::size_t binary = 0;  ///< bytes that text does not have: controls that no terminal output uses, and bytes never in UTF-8
  bool has_high = false;   ///< some byte is above 0x7F
};
[[nodiscard]] ByteProfile profileOf(std::string_view bytes);

}  // namespace ptygate::recorder
