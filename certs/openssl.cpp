// SPDX-License-Identifier: Apache-2.0
// SSH public key fields → EVP_PKEY.
#include "certs/openssl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "certs/secret.h"
#include "certs/wire.h"

namespace ptygate::certs {

void wipe(void* data, std::size_t size_bytes) {
  OPENSSL_cleanse(data, size_bytes);
}

namespace {

using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, OpenSslFree<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, OpenSslFree<OSSL_PARAM_free>>;

EvpKey keyFromParams(const char* type, OSSL_PARAM* params) {
  const EvpKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 || EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
    ERR_clear_error();  // libssh shares the queue
    return nullptr;
  }
  return EvpKey(key);
}

const char* groupOf(KeyType type) {
  return type == KeyType::EcdsaP521 ? "P-521" : type == KeyType::EcdsaP384 ? "P-384" : "P-256";
}

}  // namespace

EvpKey ed25519PublicKey(ByteView raw) {
  EvpKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, asUnsigned(raw), raw.size()));
  if (!key) ERR_clear_error();
  return key;
}

EvpKey ecdsaPublicKey(KeyType type, ByteView point) {
  // OSSL_PARAM is not const-correct; EVP_PKEY_fromdata only reads.
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(groupOf(type)), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, const_cast<char*>(point.data()), point.size()),
      OSSL_PARAM_construct_end(),
  };
  return keyFromParams("EC", params);
}

EvpKey rsaPublicKey(ByteView exponent, ByteView modulus) {
  const Bignum e(BN_bin2bn(asUnsigned(exponent), static_cast<int>(exponent.size()), nullptr));
  const Bignum n(BN_bin2bn(asUnsigned(modulus), static_cast<int>(modulus.size()), nullptr));
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!e || !n || !builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  return params ? keyFromParams("RSA", params.get()) : nullptr;
}

EvpKey evpKeyOf(const PublicKey& key) {
  Cursor fields(key.fields());
  switch (key.type()) {
    case KeyType::Ed25519:
    case KeyType::SkEd25519:
      return ed25519PublicKey(fields.string());
    case KeyType::EcdsaP256:
    case KeyType::EcdsaP384:
    case KeyType::EcdsaP521:
    case KeyType::SkEcdsaP256:
      fields.string();  // the curve's name, checked when the key was parsed
      return ecdsaPublicKey(key.type(), fields.string());
    case KeyType::Rsa: {
      const ByteView exponent = fields.mpint();
      return rsaPublicKey(exponent, fields.mpint());
    }
  }
  return nullptr;
}

}  // namespace ptygate::certs
