// SPDX-License-Identifier: Apache-2.0
// What no accepted line may hold, whatever its grammar: broken UTF-8, control characters, and characters a reader cannot see.
#include <cstdint>

#include "policy/shell/tree.h"

namespace ptygate::policy {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

/// Invisible or text-reordering characters (Unicode 15: Cf, Zl, Zp, C1 controls, variation and tag characters, fillers).
constexpr Range kInvisible[] = {
    {0x0080, 0x009F},   {0x00AD, 0x00AD},    {0x034F, 0x034F},   {0x0600, 0x0605},   {0x061C, 0x061C},   {0x06DD, 0x06DD},
    {0x070F, 0x070F},   {0x08E2, 0x08E2},    {0x115F, 0x1160},   {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x200B, 0x200F},
    {0x2028, 0x202E},   {0x2060, 0x206F},    {0x3164, 0x3164},   {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFB},   {0xFFFE, 0xFFFF},    {0x110BD, 0x110BD}, {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF}, {0xF0000, 0x10FFFF},
};

bool isInvisible(std::uint32_t code) {
  for (const Range& range : kInvisible) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

/// Decodes the sequence at `at` (RFC 3629: shortest form, no surrogates); returns its length or 0.
std::size_t decode(std::string_view bytes, std::size_t at, std::uint32_t& code) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  unsigned char lead = byte(at);
  std::size_t length = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xC2 && lead < 0xE0 ? 2 : 0;
  if (length == 0 || at + length > bytes.size()) return 0;
  code = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80U) return 0;
    code = (code << 6U) | (byte(at + i) & 0x3FU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return 0;
  return length;
}

}  // namespace

const char* refuseBytes(std::string_view bytes) {
  if (bytes.size() > kMaxLineBytes) return "longer than 64 KiB";
  for (std::size_t i = 0; i < bytes.size();) {
    auto c = static_cast<unsigned char>(bytes[i]);
    if (c < 0x80) {
      if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7F) return "control character";
      ++i;
      continue;
    }
    std::uint32_t code = 0;
    std::size_t length = decode(bytes, i, code);
    if (length == 0) return "invalid UTF-8";
    if (isInvisible(code)) return "invisible character";
    i += length;
  }
  return nullptr;
}

}  // namespace ptygate::policy
