// SPDX-License-Identifier: Apache-2.0
// Ed25519 with OpenSSL, and the openssh-key-v1 container.
#include "certs/private_key.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <algorithm>

#include "certs/openssl.h"
#include "certs/wire.h"

namespace ptygate::certs {

struct Ed25519PrivateKey::Secret {
  EvpKey key;
};

Ed25519PrivateKey::Ed25519PrivateKey(std::unique_ptr<Secret> secret, PublicKey public_key)
    : secret_(std::move(secret)), public_(std::move(public_key)) {}
Ed25519PrivateKey::Ed25519PrivateKey(Ed25519PrivateKey&&) noexcept = default;
Ed25519PrivateKey& Ed25519PrivateKey::operator=(Ed25519PrivateKey&&) noexcept = default;
Ed25519PrivateKey::~Ed25519PrivateKey() = default;

namespace {

constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----\n";
constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
constexpr std::string_view kTypeName = "ssh-ed25519";
constexpr std::size_t kBlockBytes = 8;  // the block size of cipher "none"
constexpr std::size_t kColumns = 70;    // as ssh-keygen breaks its lines

tl::unexpected<Error> cryptoFailure(std::string_view what) {
  ERR_clear_error();  // libssh shares the queue, and its texts are not ours to show
  return failure(ErrorKind::CryptoFailed, std::string(what) + " failed in OpenSSL");
}

tl::unexpected<Error> malformed(std::string_view what) {
  return failure(ErrorKind::Malformed, "private key: " + std::string(what));
}

/// The base64 between the two PEM lines, without line ends.
Expected<SecretBytes> pemBody(std::string_view text) {
  if (text.size() > kMaxPrivateKeyTextBytes) {
    return failure(ErrorKind::TooLarge, "private key: over " + std::to_string(kMaxPrivateKeyTextBytes) + " bytes");
  }
  WipingBuffer plain;
  plain.reserve(text.size() + 1);
  std::copy_if(text.begin(), text.end(), std::back_inserter(plain), [](char c) { return c != '\r'; });
  if (plain.empty() || plain.back() != '\n') plain.push_back('\n');
  std::string_view body(plain.data(), plain.size());
  if (!body.starts_with(kBegin)) {
    const bool other_pem = body.starts_with("-----BEGIN ");
    return other_pem ? failure(ErrorKind::UnsupportedAlgorithm,
                               "private key: a PEM of another kind; convert it with 'ssh-keygen -p', or make an ed25519 key")
                     : malformed("does not begin with '-----BEGIN OPENSSH PRIVATE KEY-----'");
  }
  body.remove_prefix(kBegin.size());
  if (!body.ends_with(kEnd)) return malformed("does not end with '-----END OPENSSH PRIVATE KEY-----'");
  body.remove_suffix(kEnd.size());
  WipingBuffer joined;
  joined.reserve(body.size());
  std::copy_if(body.begin(), body.end(), std::back_inserter(joined), [](char c) { return c != '\n'; });
  auto blob = base64DecodeSecret({joined.data(), joined.size()});
  if (!blob) return malformed("is not base64 between its first and last line");
  return std::move(*blob);
}

struct Sections {
  ByteView public_blob;
  ByteView private_section;
};

Expected<Sections> splitContainer(ByteView container) {
  if (!container.starts_with(kMagic)) return malformed("has no openssh-key-v1 header");
  Cursor cursor(container.substr(kMagic.size()));
  const ByteView cipher = cursor.text(64);
  const ByteView kdf = cursor.text(64);
  const ByteView kdf_options = cursor.string(1024);
  const std::uint32_t count = cursor.uint32();
  if (!cursor.hasFailed() && (cipher != "none" || kdf != "none")) {
    return failure(ErrorKind::PassphraseProtected,
                   "private key: protected by a passphrase, which nobody could type when the gate starts; remove it with 'ssh-keygen -p -N "
                   "\"\" -f FILE'");
  }
  const Sections sections{.public_blob = cursor.string(), .private_section = cursor.string()};
  if (auto end = cursor.finish("private key"); !end) return tl::unexpected(end.error());
  if (!kdf_options.empty() || count != 1) return malformed("holds other than exactly one key");
  return sections;
}

bool isPadding(ByteView rest) {
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (static_cast<unsigned char>(rest[i]) != i + 1) return false;
  }
  return rest.size() < kBlockBytes;
}

}  // namespace

Expected<Ed25519PrivateKey> Ed25519PrivateKey::generate() {
  SecretBytes seed(kEd25519SeedBytes);
  if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(seed.data()), static_cast<int>(seed.size())) != 1)
    return cryptoFailure("generating a key");
  return fromSeed(seed.expose());
}

Expected<Ed25519PrivateKey> Ed25519PrivateKey::fromSeed(ByteView seed) {
  if (seed.size() != kEd25519SeedBytes) return malformed("an ed25519 seed has 32 bytes");
  auto secret = std::make_unique<Secret>();
  secret->key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, asUnsigned(seed), seed.size()));
  Bytes raw(32, '\0');
  std::size_t length = raw.size();
  if (!secret->key || EVP_PKEY_get_raw_public_key(secret->key.get(), reinterpret_cast<unsigned char*>(raw.data()), &length) != 1) {
    return cryptoFailure("loading a key");
  }
  auto public_key = PublicKey::parseBlob(Builder().string(kTypeName).string(raw).take());
  if (!public_key) return tl::unexpected(public_key.error());
  return Ed25519PrivateKey(std::move(secret), std::move(*public_key));
}

Expected<Ed25519PrivateKey> Ed25519PrivateKey::parseText(std::string_view text) {
  const auto container = pemBody(text);
  if (!container) return tl::unexpected(container.error());
  const auto sections = splitContainer(container->expose());
  if (!sections) return tl::unexpected(sections.error());

  Cursor cursor(sections->private_section);
  const std::uint32_t check = cursor.uint32();
  const bool checks_agree = check == cursor.uint32();
  const ByteView type = cursor.text(64);
  if (!cursor.hasFailed() && checks_agree && type != kTypeName) {
    return failure(ErrorKind::UnsupportedAlgorithm, "private key: of type '" + escaped(type) + "'; only ssh-ed25519 is used here");
  }
  const ByteView raw_public = cursor.string(32);
  const ByteView seed_and_public = cursor.string(64);
  cursor.text(kMaxKeyCommentBytes);
  if (cursor.hasFailed() || !checks_agree || raw_public.size() != 32 || seed_and_public.size() != 64)
    return malformed("has a damaged private section");
  if (sections->private_section.size() % kBlockBytes != 0 || !isPadding(cursor.rest())) return malformed("has wrong padding");

  auto key = fromSeed(seed_and_public.substr(0, kEd25519SeedBytes));
  if (!key) return tl::unexpected(key.error());
  const ByteView derived = key->publicKey().fields().substr(4);
  // Signing with a public half that is not the seed's would leak the seed (two signatures, one nonce).
  if (derived != raw_public || derived != seed_and_public.substr(kEd25519SeedBytes) || key->publicKey().blob() != sections->public_blob) {
    return malformed("its public and private halves do not belong together");
  }
  return key;
}

Expected<SecretBytes> Ed25519PrivateKey::exportText(std::string_view comment) const {
  SecretBytes seed(kEd25519SeedBytes);
  std::size_t length = seed.size();
  if (EVP_PKEY_get_raw_private_key(secret_->key.get(), reinterpret_cast<unsigned char*>(seed.data()), &length) != 1)
    return cryptoFailure("exporting a key");
  const auto check = randomBytes(4);
  if (!check) return tl::unexpected(check.error());

  const ByteView raw_public = public_.fields().substr(4);
  SecretBuilder both;
  both.raw(seed.expose()).raw(raw_public);
  SecretBuilder section;
  section.raw(*check).raw(*check).string(kTypeName).string(raw_public).string(both.view()).string(comment.substr(0, kMaxKeyCommentBytes));
  for (std::uint8_t pad = 1; section.size() % kBlockBytes != 0; ++pad) section.byte(pad);
  SecretBuilder container;
  container.raw(kMagic).string("none").string("none").string("").uint32(1).string(public_.blob()).string(section.view());

  const WipingBuffer base64 = base64EncodeSecret(container.view());
  SecretBuilder text;
  text.raw(kBegin);
  for (std::size_t at = 0; at < base64.size(); at += kColumns) {
    text.raw({base64.data() + at, std::min(kColumns, base64.size() - at)}).raw("\n");
  }
  return SecretBytes(text.raw(kEnd).take());
}

Expected<Bytes> Ed25519PrivateKey::sign(ByteView data) const {
  const EvpDigestContext context(EVP_MD_CTX_new());
  Bytes raw(64, '\0');
  std::size_t length = raw.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, secret_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(raw.data()), &length, asUnsigned(data), data.size()) != 1 ||
      length != raw.size()) {
    return cryptoFailure("signing");
  }
  return Builder().string(kTypeName).string(raw).take();
}

Expected<Bytes> randomBytes(std::size_t size_bytes) {
  Bytes bytes(size_bytes, '\0');
  if (size_bytes > INT32_MAX || RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size_bytes)) != 1) {
    return cryptoFailure("randomness");
  }
  return bytes;
}

}  // namespace ptygate::certs
