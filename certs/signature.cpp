// SPDX-License-Identifier: Apache-2.0
// One function per signature family; all end in one EVP_DigestVerify.
#include "certs/signature.h"

#include <openssl/err.h>

#include "certs/openssl.h"
#include "certs/wire.h"

namespace ptygate::certs {
namespace {

constexpr std::uint8_t kUserPresent = 0x01;  // PROTOCOL.u2f, signature flags

struct Parsed {
  std::string_view format;
  Bytes raw;  // as OpenSSL takes it: DER for ECDSA
  std::uint8_t flags = 0;
  std::uint32_t counter = 0;
};

tl::unexpected<Error> badSignature() {
  return failure(ErrorKind::BadSignature, "the signature does not verify");
}

bool isRsaFormat(std::string_view format) {
  return format == "rsa-sha2-256" || format == "rsa-sha2-512";
}

bool fits(const PublicKey& key, std::string_view format) {
  return key.type() == KeyType::Rsa ? isRsaFormat(format) : format == key.typeName();
}

bool isEcdsa(KeyType type) {
  return type == KeyType::EcdsaP256 || type == KeyType::EcdsaP384 || type == KeyType::EcdsaP521 || type == KeyType::SkEcdsaP256;
}

const EVP_MD* digestOf(const PublicKey& key, std::string_view format) {
  switch (key.type()) {
    case KeyType::Ed25519:
    case KeyType::SkEd25519:
      return nullptr;  // hashes by itself
    case KeyType::EcdsaP256:
    case KeyType::SkEcdsaP256:
      return EVP_sha256();
    case KeyType::EcdsaP384:
      return EVP_sha384();
    case KeyType::EcdsaP521:
      return EVP_sha512();
    case KeyType::Rsa:
      return format == "rsa-sha2-512" ? EVP_sha512() : EVP_sha256();
  }
  return nullptr;
}

Expected<Bytes> derFromPair(ByteView pair) {
  Cursor cursor(pair);
  const ByteView r = cursor.mpint(128);
  const ByteView s = cursor.mpint(128);
  if (auto end = cursor.finish("ECDSA signature"); !end) return tl::unexpected(end.error());
  const EcdsaSignature signature(ECDSA_SIG_new());
  Bignum r_number(BN_bin2bn(asUnsigned(r), static_cast<int>(r.size()), nullptr));
  Bignum s_number(BN_bin2bn(asUnsigned(s), static_cast<int>(s.size()), nullptr));
  if (!signature || !r_number || !s_number || ECDSA_SIG_set0(signature.get(), r_number.get(), s_number.get()) != 1) return badSignature();
  static_cast<void>(r_number.release());  // the signature owns them now
  static_cast<void>(s_number.release());
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  if (length <= 0) return badSignature();
  Bytes out(reinterpret_cast<char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return out;
}

Expected<Parsed> parse(const PublicKey& key, ByteView signature) {
  Cursor cursor(signature);
  Parsed parsed{.format = cursor.text(64), .raw = {}};
  if (!cursor.hasFailed() && !fits(key, parsed.format)) {
    return failure(ErrorKind::UnsupportedAlgorithm,
                   "signature: '" + escaped(parsed.format) + "' is not accepted for a key of type " + std::string(key.typeName()));
  }
  const ByteView raw = cursor.string();
  if (isSecurityKey(key.type())) {
    parsed.flags = cursor.byte();
    parsed.counter = cursor.uint32();
  }
  if (auto end = cursor.finish("signature"); !end) return tl::unexpected(end.error());
  if (!isEcdsa(key.type())) {
    parsed.raw = Bytes(raw);
    return parsed;
  }
  auto der = derFromPair(raw);
  if (!der) return tl::unexpected(der.error());
  parsed.raw = std::move(*der);
  return parsed;
}

/// What a token signs in place of the data (PROTOCOL.u2f).
Bytes tokenMessage(const PublicKey& key, ByteView data, const Parsed& parsed) {
  Cursor fields(key.fields());
  ByteView application;
  for (std::size_t i = 0; i < keyFieldCount(key.type()); ++i) application = fields.string();
  return Builder().raw(sha256(application)).byte(parsed.flags).uint32(parsed.counter).raw(sha256(data)).take();
}

}  // namespace

Expected<void> verifySignature(const PublicKey& key, ByteView data, ByteView signature) {
  const auto parsed = parse(key, signature);
  if (!parsed) return tl::unexpected(parsed.error());
  Bytes token_message;
  if (isSecurityKey(key.type())) {
    if ((parsed->flags & kUserPresent) == 0) return failure(ErrorKind::BadSignature, "the security key signed without a touch");
    token_message = tokenMessage(key, data, *parsed);
    data = token_message;
  }
  const EvpKey evp = evpKeyOf(key);
  const EvpDigestContext context(EVP_MD_CTX_new());
  const bool verified = evp && context &&
                        EVP_DigestVerifyInit(context.get(), nullptr, digestOf(key, parsed->format), nullptr, evp.get()) == 1 &&
                        EVP_DigestVerify(context.get(), asUnsigned(parsed->raw), parsed->raw.size(), asUnsigned(data), data.size()) == 1;
  ERR_clear_error();
  if (!verified) return badSignature();
  return {};
}

}  // namespace ptygate::certs
