// SPDX-License-Identifier: Apache-2.0
// Plain SSH public keys: parse, name, fingerprint. Not certificates (certificate.h) and not private keys (private_key.h).
// Sources: RFC 4253 §6.6, RFC 5656, RFC 8709, OpenSSH PROTOCOL.u2f.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "certs/encoding.h"
#include "certs/error.h"

namespace ptygate::certs {

inline constexpr std::size_t kMaxKeyBlobBytes = std::size_t{8} * 1024;   ///< one public key on the wire
inline constexpr std::size_t kMaxKeyLineBytes = std::size_t{16} * 1024;  ///< one public key line with its comment
inline constexpr std::size_t kMaxApplicationBytes = 256;                 ///< the application of a security key
inline constexpr std::size_t kMinRsaBits = 2048;                         ///< weaker keys are refused
inline constexpr std::size_t kMaxRsaBits = 8192;                         ///< larger ones cost a verifier too much
inline constexpr std::size_t kMaxRsaExponentBytes = 8;                   ///< as above; OpenSSL draws the same line

enum class KeyType { Ed25519, EcdsaP256, EcdsaP384, EcdsaP521, Rsa, SkEd25519, SkEcdsaP256 };

/// "ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa", "sk-ssh-ed25519@openssh.com", …
[[nodiscard]] std::string_view keyTypeName(KeyType type);
/// "ssh-ed25519-cert-v01@openssh.com", …
[[nodiscard]] std::string_view certificateTypeName(KeyType type);
[[nodiscard]] std::optional<KeyType> keyTypeNamed(std::string_view name);
/// The subject's key type of a certificate type name.
[[nodiscard]] std::optional<KeyType> keyTypeOfCertificateNamed(std::string_view name);
/// How many wire strings follow the type name in a key blob (all fields of all these keys are strings on the wire).
[[nodiscard]] std::size_t keyFieldCount(KeyType type);
/// True for keys held in a FIDO token.
[[nodiscard]] bool isSecurityKey(KeyType type);

/// A public key that passed every check: known type, exact lengths, a point on its curve, RSA within the limits. Equal keys have equal
/// blobs.
class PublicKey {
 public:
  /// From the wire form; every byte must belong to it.
  /// Errors: Malformed, TooLarge, UnsupportedAlgorithm (also for certificates and RSA outside the limits).
  [[nodiscard]] static Expected<PublicKey> parseBlob(ByteView blob);

  [[nodiscard]] KeyType type() const { return type_; }
  [[nodiscard]] std::string_view typeName() const { return keyTypeName(type_); }
  [[nodiscard]] const Bytes& blob() const { return blob_; }
  /// The blob without its leading type name: what a certificate carries after its nonce.
  [[nodiscard]] ByteView fields() const;
  /// "SHA256:…", as ssh-keygen -l prints it.
  [[nodiscard]] std::string fingerprint() const;
  /// "type base64", without comment or line end.
  [[nodiscard]] std::string line() const;

  friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.blob_ == b.blob_; }

 private:
  PublicKey(KeyType type, Bytes blob) : type_(type), blob_(std::move(blob)) {}
  KeyType type_;
  Bytes blob_;
};

struct KeyLine {
  PublicKey key;
  std::string comment;  ///< foreign bytes, may be empty; escape before a person sees it
};

/// Parses one "type base64 comment" line, as in id_*.pub, ssh-keyscan without its host, and ptygate.toml. Spaces and one line end around it
/// are ignored. authorized_keys options are not understood: a line that begins with them is refused, never stripped.
[[nodiscard]] Expected<KeyLine> parseKeyLine(std::string_view line);

/// "SHA256:…" of any blob, also of one that does not parse.
[[nodiscard]] std::string fingerprintOf(ByteView blob);

/// The two words "type base64" of a key or certificate line, and the rest. Shared by key and certificate lines.
struct SplitLine {
  std::string_view type;
  std::string_view base64;
  std::string_view comment;
};
/// Errors: Malformed, TooLarge (over `max_bytes`).
[[nodiscard]] Expected<SplitLine> splitKeyLine(std::string_view line, std::size_t max_bytes);

}  // namespace ptygate::certs
