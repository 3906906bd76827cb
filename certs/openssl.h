// SPDX-License-Identifier: Apache-2.0
// Private to certs/: owners of OpenSSL objects and the way from an SSH public key to an EVP_PKEY. The only files that include this are
// the .cpp files of certs/ that compute; no other folder may.
#pragma once

#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <memory>

#include "certs/encoding.h"
#include "certs/key.h"

namespace ptygate::certs {

template <auto Free>
struct OpenSslFree {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using EvpKey = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using EvpKeyContext = std::unique_ptr<EVP_PKEY_CTX, OpenSslFree<EVP_PKEY_CTX_free>>;
using EvpDigestContext = std::unique_ptr<EVP_MD_CTX, OpenSslFree<EVP_MD_CTX_free>>;
using Bignum = std::unique_ptr<BIGNUM, OpenSslFree<BN_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, OpenSslFree<ECDSA_SIG_free>>;

[[nodiscard]] inline const unsigned char* asUnsigned(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// The OpenSSL key for plain fields; null if OpenSSL refuses them (a point off the curve). The error queue is left empty.
[[nodiscard]] EvpKey ed25519PublicKey(ByteView raw);
[[nodiscard]] EvpKey ecdsaPublicKey(KeyType type, ByteView point);
[[nodiscard]] EvpKey rsaPublicKey(ByteView exponent, ByteView modulus);

/// The OpenSSL key of a parsed SSH key; null only if OpenSSL has no memory.
[[nodiscard]] EvpKey evpKeyOf(const PublicKey& key);

}  // namespace ptygate::certs
