// SPDX-License-Identifier: Apache-2.0
#include "recorder/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace ptygate::recorder {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Two characters for 12 bits: half the look-ups of the plain form.
constexpr auto kPairs = [] {
  std::array<std::array<char, 2>, 4096> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kAlphabet[i >> 6], kAlphabet[i & 63]};
  return pairs;
}();

constexpr auto kValues = [] {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (int i = 0; i < 64; ++i) values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}();

constexpr std::size_t kBlock = 3 * 256;  // input bytes per append, through a buffer that stays in the first-level cache

char* encodeTriples(const unsigned char* in, std::size_t size, char* out) {
  for (std::size_t i = 0; i + 3 <= size; i += 3) {
    const std::uint32_t bits = (std::uint32_t{in[i]} << 16) | (std::uint32_t{in[i + 1]} << 8) | in[i + 2];
    std::memcpy(out, kPairs[bits >> 12].data(), 2);
    std::memcpy(out + 2, kPairs[bits & 4095].data(), 2);
    out += 4;
  }
  return out;
}

}  // namespace

void appendBase64(std::string_view bytes, std::string& out) {
  char buffer[kBlock / 3 * 4];
  while (bytes.size() >= 3) {
    const std::size_t size = std::min(kBlock, bytes.size() / 3 * 3);
    const char* end = encodeTriples(reinterpret_cast<const unsigned char*>(bytes.data()), size, buffer);
    out.append(buffer, static_cast<std::size_t>(end - buffer));
    bytes.remove_prefix(size);
  }
  if (bytes.empty()) return;
  const std::uint32_t a = static_cast<unsigned char>(bytes[0]);
  const std::uint32_t b = bytes.size() == 2 ? static_cast<unsigned char>(bytes[1]) : 0;
  const char quad[4] = {kAlphabet[a >> 2], kAlphabet[((a & 3) << 4) | (b >> 4)], bytes.size() == 2 ? kAlphabet[(b & 15) << 2] : '=', '='};
  out.append(quad, 4);
}

std::optional<std::string> decodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t digits = last ? 4 - padding : 4;
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int value = k < digits ? kValues[static_cast<unsigned char>(text[i + k])] : 0;
      if (value < 0) return std::nullopt;
      bits = (bits << 6) | static_cast<std::uint32_t>(value);
    }
    if ((digits == 3 && (bits & 0xFF) != 0) || (digits == 2 && (bits & 0xFFFF) != 0)) return std::nullopt;
    const char bytes[3] = {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8), static_cast<char>(bits)};
    out.append(bytes, digits - 1);
  }
  return out;
}

}  // namespace ptygate::recorder
