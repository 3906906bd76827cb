// SPDX-License-Identifier: Apache-2.0
// Public key parsing: one table of types, one check per family.
#include "certs/key.h"

#include <algorithm>
#include <array>
#include <bit>

#include "certs/openssl.h"
#include "certs/wire.h"

namespace ptygate::certs {
namespace {

struct TypeRow {
  KeyType type;
  std::string_view name;
  std::string_view certificate_name;
  std::size_t fields;
  std::string_view curve;   // as the blob names it; empty when the type has none
  std::size_t point_bytes;  // uncompressed point, or raw ed25519 key
};

constexpr std::array<TypeRow, 7> kTypes{{
    {KeyType::Ed25519, "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", 1, "", 32},
    {KeyType::EcdsaP256, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com", 2, "nistp256", 65},
    {KeyType::EcdsaP384, "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com", 2, "nistp384", 97},
    {KeyType::EcdsaP521, "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com", 2, "nistp521", 133},
    {KeyType::Rsa, "ssh-rsa", "ssh-rsa-cert-v01@openssh.com", 2, "", 0},
    {KeyType::SkEd25519, "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", 2, "", 32},
    {KeyType::SkEcdsaP256, "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 3, "nistp256", 65},
}};

const TypeRow& rowOf(KeyType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row;
  }
  __builtin_trap();
}

void checkPoint(Cursor& cursor, const TypeRow& row) {
  const ByteView point = cursor.string();
  if (cursor.hasFailed()) return;
  if (point.size() != row.point_bytes) return cursor.fail(ErrorKind::Malformed, "a public key of the wrong length");
  if (row.curve.empty()) return;
  if (point.front() != '\x04') return cursor.fail(ErrorKind::Malformed, "a point that is not in uncompressed form");
  if (!ecdsaPublicKey(row.type, point)) cursor.fail(ErrorKind::Malformed, "a point that is not on its curve");
}

void checkRsa(Cursor& cursor) {
  const ByteView exponent = cursor.mpint(kMaxRsaExponentBytes + 1);
  const ByteView modulus = cursor.mpint();
  if (cursor.hasFailed()) return;
  const std::size_t bits = (modulus.size() - 1) * 8 + std::bit_width(static_cast<unsigned char>(modulus.front()));
  const bool odd = (static_cast<unsigned char>(modulus.back()) & static_cast<unsigned char>(exponent.back()) & 1) != 0;
  if (bits < kMinRsaBits || bits > kMaxRsaBits || exponent.size() > kMaxRsaExponentBytes) {
    return cursor.fail(ErrorKind::UnsupportedAlgorithm, "an RSA key of " + std::to_string(bits) + " bits; from " +
                                                            std::to_string(kMinRsaBits) + " to " + std::to_string(kMaxRsaBits) +
                                                            " are accepted, with an exponent of at most 64 bits");
  }
  if (!odd || exponent == "\x01") cursor.fail(ErrorKind::Malformed, "an impossible RSA key");
}

void checkFields(Cursor& cursor, const TypeRow& row) {
  if (row.type == KeyType::Rsa) return checkRsa(cursor);
  if (!row.curve.empty() && cursor.string() != row.curve) cursor.fail(ErrorKind::Malformed, "a curve that is not its type's");
  checkPoint(cursor, row);
  if (isSecurityKey(row.type)) cursor.text(kMaxApplicationBytes);
}

}  // namespace

std::string_view keyTypeName(KeyType type) {
  return rowOf(type).name;
}
std::string_view certificateTypeName(KeyType type) {
  return rowOf(type).certificate_name;
}
std::size_t keyFieldCount(KeyType type) {
  return rowOf(type).fields;
}
bool isSecurityKey(KeyType type) {
  return type == KeyType::SkEd25519 || type == KeyType::SkEcdsaP256;
}

std::optional<KeyType> keyTypeNamed(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

std::optional<KeyType> keyTypeOfCertificateNamed(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.certificate_name == name) return row.type;
  }
  return std::nullopt;
}

Expected<PublicKey> PublicKey::parseBlob(ByteView blob) {
  if (blob.size() > kMaxKeyBlobBytes)
    return failure(ErrorKind::TooLarge, "public key: over " + std::to_string(kMaxKeyBlobBytes) + " bytes");
  Cursor cursor(blob);
  const ByteView name = cursor.text();
  const auto type = keyTypeNamed(name);
  if (!cursor.hasFailed() && !type) {
    const std::string_view advice =
        keyTypeOfCertificateNamed(name) ? " is a certificate; a plain public key is needed" : " is not accepted";
    return failure(ErrorKind::UnsupportedAlgorithm, "public key: type '" + escaped(name.substr(0, 64)) + "'" + std::string(advice));
  }
  if (type) checkFields(cursor, rowOf(*type));
  if (auto end = cursor.finish("public key"); !end) return tl::unexpected(end.error());
  return PublicKey(*type, Bytes(blob));
}

ByteView PublicKey::fields() const {
  return ByteView(blob_).substr(4 + typeName().size());
}
std::string PublicKey::fingerprint() const {
  return fingerprintOf(blob_);
}
std::string PublicKey::line() const {
  return std::string(typeName()) + " " + base64Encode(blob_);
}

std::string fingerprintOf(ByteView blob) {
  std::string text = base64Encode(sha256(blob));
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

Expected<SplitLine> splitKeyLine(std::string_view line, std::size_t max_bytes) {
  constexpr std::string_view kBlank = " \t";
  if (line.size() > max_bytes) return failure(ErrorKind::TooLarge, "key line: over " + std::to_string(max_bytes) + " bytes");
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_of(std::string_view("\n\r\0", 3)) != std::string_view::npos) {
    return failure(ErrorKind::Malformed, "key line: more than one line, or a NUL");
  }
  const auto word = [&]() {
    line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    const std::string_view taken = line.substr(0, line.find_first_of(kBlank));
    line.remove_prefix(taken.size());
    return taken;
  };
  SplitLine split{.type = word(), .base64 = word(), .comment = {}};
  if (split.base64.empty()) return failure(ErrorKind::Malformed, "key line: not 'type base64 comment'");
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  split.comment = line.substr(0, line.find_last_not_of(kBlank) + 1);
  return split;
}

Expected<KeyLine> parseKeyLine(std::string_view line) {
  const auto split = splitKeyLine(line, kMaxKeyLineBytes);
  if (!split) return tl::unexpected(split.error());
  const auto blob = base64Decode(split->base64);
  const bool is_type = keyTypeNamed(split->type) || keyTypeOfCertificateNamed(split->type);
  if (!is_type) {
    return failure(ErrorKind::UnsupportedAlgorithm,
                   "key line: type '" + escaped(split->type.substr(0, 64)) + "' is not accepted (options before the key are not, either)");
  }
  if (!blob) return failure(ErrorKind::Malformed, "key line: the second word is not base64");
  auto key = PublicKey::parseBlob(*blob);
  if (!key) return tl::unexpected(key.error());
  if (key->typeName() != split->type) return failure(ErrorKind::Malformed, "key line: the type named is not the key's");
  return KeyLine{std::move(*key), std::string(split->comment)};
}

}  // namespace ptygate::certs
