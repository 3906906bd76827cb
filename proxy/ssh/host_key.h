// SPDX-License-Identifier: Apache-2.0
// Keys as libssh holds them, turned into SSH wire blobs and fingerprints for comparison. Nothing is trusted here.
#pragma once

#include <string>
#include <string_view>

struct ssh_key_struct;

namespace ptygate::ssh {

/// The wire form (RFC 4253, 6.6) of a public key or certificate; empty when libssh cannot export it.
[[nodiscard]] std::string blobOf(ssh_key_struct* key);
/// "SHA256:…" as ssh-keygen prints it.
[[nodiscard]] std::string fingerprintOf(std::string_view blob);
/// The first string of a blob: "ssh-ed25519". Empty when malformed.
[[nodiscard]] std::string keyTypeOf(std::string_view blob);

}  // namespace ptygate::ssh
