// SPDX-License-Identifier: Apache-2.0
// Ed25519 private keys in memory: generate, sign, and the openssh-key-v1 text (OpenSSH PROTOCOL.key). Files are in key_file.h. No other key
// type: the gate's CA, its host key and its target identities are all ed25519.
#pragma once

#include <memory>
#include <string_view>

#include "certs/encoding.h"
#include "certs/error.h"
#include "certs/key.h"
#include "certs/secret.h"

namespace ptygate::certs {

inline constexpr std::size_t kEd25519SeedBytes = 32;
inline constexpr std::size_t kMaxPrivateKeyTextBytes = std::size_t{16} * 1024;  ///< one openssh-key-v1 text
inline constexpr std::size_t kMaxKeyCommentBytes = 1024;                        ///< the comment in it

/// An ed25519 private key. Moves, does not copy; a moved-from one may only be destroyed or assigned to.
class Ed25519PrivateKey {
 public:
  /// A fresh key from OpenSSL's generator. Errors: CryptoFailed.
  [[nodiscard]] static Expected<Ed25519PrivateKey> generate();
  /// From the 32-byte seed of RFC 8032. Errors: Malformed (another length), CryptoFailed.
  [[nodiscard]] static Expected<Ed25519PrivateKey> fromSeed(ByteView seed);
  /// From an unencrypted openssh-key-v1 text with exactly one ed25519 key.
  /// Errors: Malformed, TooLarge, UnsupportedAlgorithm (another key type or another PEM), PassphraseProtected.
  [[nodiscard]] static Expected<Ed25519PrivateKey> parseText(std::string_view text);

  /// The unencrypted openssh-key-v1 text, as ssh-keygen and libssh read it; ends with a line feed. Wiped with the result.
  /// `comment` is printable text of ours, at most kMaxKeyCommentBytes (the rest is cut). Errors: CryptoFailed.
  [[nodiscard]] Expected<SecretBytes> exportText(std::string_view comment) const;

  [[nodiscard]] const PublicKey& publicKey() const { return public_; }

  /// The SSH signature blob over `data`: string "ssh-ed25519", string signature (RFC 8709 §6). Errors: CryptoFailed.
  [[nodiscard]] Expected<Bytes> sign(ByteView data) const;

  Ed25519PrivateKey(Ed25519PrivateKey&&) noexcept;
  Ed25519PrivateKey& operator=(Ed25519PrivateKey&&) noexcept;
  Ed25519PrivateKey(const Ed25519PrivateKey&) = delete;
  Ed25519PrivateKey& operator=(const Ed25519PrivateKey&) = delete;
  ~Ed25519PrivateKey();

 private:
  struct Secret;  // the EVP_PKEY; keeps OpenSSL out of this header
  Ed25519PrivateKey(std::unique_ptr<Secret> secret, PublicKey public_key);
  std::unique_ptr<Secret> secret_;
  PublicKey public_;
};

/// `size_bytes` of OpenSSL's randomness, for certificate nonces and serials. Errors: CryptoFailed.
[[nodiscard]] Expected<Bytes> randomBytes(std::size_t size_bytes);

}  // namespace ptygate::certs
