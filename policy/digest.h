// SPDX-License-Identifier: Apache-2.0
// SHA-256 as hex, for naming accounts and rule files in announcements. Not for signatures or passwords.
#pragma once

#include <string>
#include <string_view>

namespace ptygate::policy {

/// SHA-256 of `bytes` as 64 lower-case hex digits. Ends the process if OpenSSL has no SHA-256, since nothing could be decided then.
[[nodiscard]] std::string sha256Hex(std::string_view bytes);

}  // namespace ptygate::policy
