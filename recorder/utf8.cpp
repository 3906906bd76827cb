// SPDX-License-Identifier: Apache-2.0
#include "recorder/utf8.h"

#include <cstdint>
#include <cstring>

namespace ptygate::recorder {
namespace {

struct Lead {
  std::uint8_t length;  // of the character; 0 = no character begins with this byte
  std::uint8_t low;     // bounds of the second byte
  std::uint8_t high;
};

constexpr Lead leadOf(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

struct Span {
  std::size_t length;  // bytes that belong together
  enum class Is { Valid, Invalid, Incomplete } is;
};

// The character, or the maximal part of one, at the start of non-empty `bytes`.
Span first(const unsigned char* bytes, std::size_t size) {
  const Lead lead = leadOf(bytes[0]);
  if (lead.length == 0) return {1, Span::Is::Invalid};
  if (lead.length == 1) return {1, Span::Is::Valid};
  if (size == 1) return {1, Span::Is::Incomplete};
  if (bytes[1] < lead.low || bytes[1] > lead.high) return {1, Span::Is::Invalid};
  for (std::size_t i = 2; i < lead.length; ++i) {
    if (i == size) return {i, Span::Is::Incomplete};
    if ((bytes[i] & 0xC0) != 0x80) return {i, Span::Is::Invalid};
  }
  return {lead.length, Span::Is::Valid};
}

const unsigned char* unsignedBytes(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

bool isAscii8(const unsigned char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, 8);
  return (word & 0x8080808080808080ULL) == 0;
}

}  // namespace

std::size_t validPrefix(std::string_view text) {
  const unsigned char* bytes = unsignedBytes(text);
  const std::size_t size = text.size();
  std::size_t at = 0;
  while (at < size) {
    if (bytes[at] < 0x80) {
      while (size - at >= 8 && isAscii8(bytes + at)) at += 8;
      while (at < size && bytes[at] < 0x80) ++at;
      continue;
    }
    const Span span = first(bytes + at, size - at);
    if (span.is != Span::Is::Valid) return at;
    at += span.length;
  }
  return size;
}

std::size_t invalidSpan(std::string_view bytes) {
  return first(unsignedBytes(bytes), bytes.size()).length;
}

std::size_t incompleteTail(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const std::string_view tail = bytes.substr(bytes.size() - back);
    const auto byte = static_cast<unsigned char>(tail[0]);
    if ((byte & 0xC0) == 0x80) continue;
    const Span span = first(unsignedBytes(tail), tail.size());
    return span.is == Span::Is::Incomplete && span.length == back ? back : 0;
  }
  return 0;
}

std::string replaceInvalid(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const std::size_t valid = validPrefix(bytes);
    out.append(bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    out.append(kReplacement);
    bytes.remove_prefix(invalidSpan(bytes));
  }
  return out;
}

}  // namespace ptygate::recorder
