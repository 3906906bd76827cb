// SPDX-License-Identifier: Apache-2.0
// Text forms used by keys and certificates: strict base64, and escaping for people and logs. Not a terminal guard for long
// texts: that is proxy/base/safe_text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "certs/secret.h"

namespace ptygate::certs {

/// Raw bytes. std::string holds them without conversion; nothing here treats them as text unless it says so.
using Bytes = std::string;
using ByteView = std::string_view;

/// RFC 4648 base64 with padding, without line breaks.
[[nodiscard]] std::string base64Encode(ByteView bytes);

/// The inverse of base64Encode and of nothing else: nullopt for white space, missing padding, foreign characters and non-zero
/// spare bits, so that one value has exactly one text.
[[nodiscard]] std::optional<Bytes> base64Decode(std::string_view text);

/// base64 of and to secrets; no unwiped copy is left.
[[nodiscard]] WipingBuffer base64EncodeSecret(ByteView bytes);
[[nodiscard]] std::optional<SecretBytes> base64DecodeSecret(std::string_view text);

/// Printable ASCII: bytes outside 0x20–0x7e become \xHH, a backslash becomes two. Reversible; never longer than 4 × the input.
[[nodiscard]] std::string escaped(ByteView bytes);

/// SHA-256, 32 bytes. Used for fingerprints and for security-key signatures.
[[nodiscard]] Bytes sha256(ByteView bytes);

}  // namespace ptygate::certs
