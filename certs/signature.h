// SPDX-License-Identifier: Apache-2.0
// Verifying SSH signature blobs (RFC 4253 §6.6, RFC 5656 §3.1.2, RFC 8332, RFC 8709, PROTOCOL.u2f) with plain public keys.
#pragma once

#include "certs/encoding.h"
#include "certs/error.h"
#include "certs/key.h"

namespace ptygate::certs {

/// A value means: `signature` is `key`'s signature over `data`.
///
/// RSA must be rsa-sha2-256 or -512 and of the modulus's length. A security key must have been touched (its user-presence flag); its
/// counter is not looked at. Errors: Malformed, UnsupportedAlgorithm (ssh-rsa with SHA-1, or not the key's), BadSignature.
[[nodiscard]] Expected<void> verifySignature(const PublicKey& key, ByteView data, ByteView signature);

}  // namespace ptygate::certs
