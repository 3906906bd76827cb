// SPDX-License-Identifier: Apache-2.0
#include "recorder/hash.h"

#include <openssl/evp.h>

#include "recorder/check.h"

namespace ptygate::recorder {
namespace {

EVP_MD_CTX* asContext(void* context) {
  return static_cast<EVP_MD_CTX*>(context);
}

// Fetched once: an implicit fetch on each init costs more than hashing a ledger line (OpenSSL 3.0).
const EVP_MD* sha256() {
  static const EVP_MD* const kMethod = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  check(kMethod != nullptr, "OpenSSL has no SHA-256");
  return kMethod;
}

}  // namespace

std::string hex(const Sha256& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(64);
  for (std::uint8_t byte : digest) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

void Hasher::Free::operator()(void* context) const {
  EVP_MD_CTX_free(asContext(context));
}

Hasher::Hasher() : context_(EVP_MD_CTX_new()) {
  check(context_ && EVP_DigestInit_ex2(asContext(context_.get()), sha256(), nullptr) == 1, "SHA-256 init");
}

void Hasher::update(std::string_view bytes) {
  check(EVP_DigestUpdate(asContext(context_.get()), bytes.data(), bytes.size()) == 1, "SHA-256 update");
  bytes_ += bytes.size();
}

Sha256 Hasher::digest() const {
  const std::unique_ptr<void, Free> copy(EVP_MD_CTX_new());
  Sha256 out{};
  check(copy && EVP_MD_CTX_copy_ex(asContext(copy.get()), asContext(context_.get())) == 1 &&
            EVP_DigestFinal_ex(asContext(copy.get()), out.data(), nullptr) == 1,
        "SHA-256 digest");
  return out;
}

}  // namespace ptygate::recorder
