// SPDX-License-Identifier: Apache-2.0
// Base64 through OpenSSL with the strictness that its decoder lacks.
#include "certs/encoding.h"

#include <openssl/evp.h>

#include <cstdint>
#include <cstdlib>

namespace ptygate::certs {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::size_t paddingOf(std::string_view text) {
  return text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
}

bool isCanonical(std::string_view text) {
  if (text.size() % 4 != 0) return false;
  const std::size_t padding = paddingOf(text);
  const std::string_view digits = text.substr(0, text.size() - padding);
  // EVP_DecodeBlock skips white space at both ends and takes '=' as zero anywhere.
  if (digits.find_first_not_of(kAlphabet) != std::string_view::npos) return false;
  if (padding == 0) return true;
  const std::size_t last = kAlphabet.find(digits.back());
  return padding == 1 ? last % 4 == 0 : last % 16 == 0;
}

template <class Buffer>
Buffer encodeInto(ByteView bytes) {
  if (bytes.size() > INT32_MAX / 2) std::abort();  // callers bound their input far below
  Buffer out;
  out.resize((bytes.size() + 2) / 3 * 4 + 1);  // OpenSSL ends it with a NUL
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

template <class Buffer>
std::optional<Buffer> decodeInto(std::string_view text) {
  if (text.size() > INT32_MAX / 2 || !isCanonical(text)) return std::nullopt;
  Buffer out;
  if (text.empty()) return out;
  out.resize(text.size() / 4 * 3);
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0 || static_cast<std::size_t>(length) != out.size()) return std::nullopt;
  out.resize(out.size() - paddingOf(text));
  return out;
}

}  // namespace

std::string base64Encode(ByteView bytes) {
  return encodeInto<std::string>(bytes);
}
std::optional<Bytes> base64Decode(std::string_view text) {
  return decodeInto<Bytes>(text);
}
WipingBuffer base64EncodeSecret(ByteView bytes) {
  return encodeInto<WipingBuffer>(bytes);
}

std::optional<SecretBytes> base64DecodeSecret(std::string_view text) {
  auto buffer = decodeInto<WipingBuffer>(text);
  if (!buffer) return std::nullopt;
  return SecretBytes(std::move(*buffer));
}

std::string escaped(ByteView bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      out += "\\\\";
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Bytes sha256(ByteView bytes) {
  Bytes digest(32, '\0');
  unsigned int length = 0;
  // Fails only without memory or without a provider; a fingerprint that is not one must not exist.
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &length, EVP_sha256(), nullptr) != 1 ||
      length != digest.size()) {
    std::abort();
  }
  return digest;
}

}  // namespace ptygate::certs
