// SPDX-License-Identifier: Apache-2.0
#include "proxy/ssh/host_key.h"

#include <libssh/libssh.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <vector>

namespace ptygate::ssh {

std::string blobOf(ssh_key_struct* key) {
  char* base64 = nullptr;
  if (key == nullptr || ssh_pki_export_pubkey_base64(key, &base64) != SSH_OK) return {};
  std::string text(base64);
  ssh_string_free_char(base64);
  std::vector<unsigned char> out(text.size() + 4);
  int length = EVP_DecodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()), int(text.size()));
  if (length < 0) return {};
  // EVP_DecodeBlock counts padding as bytes.
  std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  return {reinterpret_cast<const char*>(out.data()), std::size_t(length) - padding};
}

std::string fingerprintOf(std::string_view blob) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(blob.data()), blob.size(), digest);
  unsigned char text[64];
  int length = EVP_EncodeBlock(text, digest, sizeof digest);
  std::string out(reinterpret_cast<const char*>(text), std::size_t(length));
  while (out.ends_with('=')) out.pop_back();
  return "SHA256:" + out;
}

std::string keyTypeOf(std::string_view blob) {
  if (blob.size() < 4) return {};
  auto byte = [&](std::size_t i) { return std::size_t(static_cast<unsigned char>(blob[i])); };
  std::size_t length = byte(0) << 24U | byte(1) << 16U | byte(2) << 8U | byte(3);
  if (length > blob.size() - 4) return {};
  return std::string(blob.substr(4, length));
}

}  // namespace ptygate::ssh
