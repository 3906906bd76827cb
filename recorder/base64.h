// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648, section 4, padded). Decoding is strict: canonical text only. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ptygate::recorder {

/// Appends the encoding of `bytes` to `out`.
void appendBase64(std::string_view bytes, std::string& out);
/// The bytes, or nothing when `text` is not what appendBase64 writes for some bytes.
[[nodiscard]] std::optional<std::string> decodeBase64(std::string_view text);

}  // namespace ptygate::recorder
