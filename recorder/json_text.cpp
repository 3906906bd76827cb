// SPDX-License-Identifier: Apache-2.0
#include "recorder/json_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "recorder/utf8.h"

namespace ptygate::recorder {
namespace {

struct Escape {
  char text[7];
  std::uint8_t size;  // 0 = as it is
};

constexpr auto kEscapes = [] {
  std::array<Escape, 256> table{};
  constexpr char kHex[] = "0123456789abcdef";
  for (int c = 0; c < 0x20; ++c) table[c] = {{'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15], 0}, 6};
  table['\b'] = {{'\\', 'b'}, 2};
  table['\t'] = {{'\\', 't'}, 2};
  table['\n'] = {{'\\', 'n'}, 2};
  table['\f'] = {{'\\', 'f'}, 2};
  table['\r'] = {{'\\', 'r'}, 2};
  table['"'] = {{'\\', '"'}, 2};
  table['\\'] = {{'\\', '\\'}, 2};
  return table;
}();

constexpr std::size_t kBlock = 1024;  // input bytes per append: the escaped block stays in the first-level cache
constexpr std::size_t kSpill = 16;    // a vector store may write this far past the end

char* escapeOne(unsigned char byte, char* out) {
  const Escape& escape = kEscapes[byte];
  if (escape.size == 0) {
    *out = static_cast<char>(byte);
    return out + 1;
  }
  std::memcpy(out, escape.text, 7);
  return out + escape.size;
}

#if defined(__SSE2__)
// Bit i is set when byte i has to be escaped.
unsigned specials(__m128i v) {
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
  const __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
  const __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, slash))));
}
#endif

char* escapeBlock(const unsigned char* in, std::size_t size, char* out) {
  std::size_t at = 0;
#if defined(__SSE2__)
  while (size - at >= 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + at));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), v);
    const unsigned mask = specials(v);
    if (mask == 0) {
      at += 16;
      out += 16;
      continue;
    }
    const auto clean = static_cast<std::size_t>(std::countr_zero(mask));
    out = escapeOne(in[at + clean], out + clean);
    at += clean + 1;
  }
#endif
  for (; at < size; ++at) out = escapeOne(in[at], out);
  return out;
}

constexpr bool isBinary(unsigned char c) {
  return c < 0x07 || (c >= 0x10 && c < 0x20 && c != 0x1B) || c == 0xC0 || c == 0xC1 || c >= 0xF5;
}

std::optional<unsigned> hex4(std::string_view digits) {
  if (digits.size() < 4) return std::nullopt;
  unsigned value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const char c = digits[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(digit);
  }
  return value;
}

void appendUtf8(unsigned code, std::string& out) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out.push_back(static_cast<char>(kLead[more] | (code >> (6 * more))));
  for (int i = more - 1; i >= 0; --i) out.push_back(static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F)));
}

// `json` begins after "\u". Returns the characters read.
std::optional<std::size_t> unicodeEscape(std::string_view json, std::string& out) {
  const auto unit = hex4(json);
  if (!unit || (*unit >= 0xDC00 && *unit < 0xE000)) return std::nullopt;
  if (*unit < 0xD800 || *unit >= 0xE000) {
    appendUtf8(*unit, out);
    return 4;
  }
  if (json.size() < 10 || json[4] != '\\' || json[5] != 'u') return std::nullopt;
  const auto low = hex4(json.substr(6));
  if (!low || *low < 0xDC00 || *low >= 0xE000) return std::nullopt;
  appendUtf8(0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00), out);
  return 10;
}

char simpleEscape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

// First byte from `at` that is a quote, a backslash or a control; the size when there is none.
std::size_t plainEnd(std::string_view json, std::size_t at) {
#if defined(__SSE2__)
  while (json.size() - at >= 16) {
    const unsigned mask = specials(_mm_loadu_si128(reinterpret_cast<const __m128i*>(json.data() + at)));
    if (mask != 0) return at + static_cast<std::size_t>(std::countr_zero(mask));
    at += 16;
  }
#endif
  while (at < json.size() && kEscapes[static_cast<unsigned char>(json[at])].size == 0) ++at;
  return at;
}

}  // namespace

void appendJsonText(std::string_view utf8, std::string& out) {
  char buffer[kBlock * 6 + kSpill];
  while (!utf8.empty()) {
    const std::size_t size = std::min(kBlock, utf8.size());
    const char* end = escapeBlock(reinterpret_cast<const unsigned char*>(utf8.data()), size, buffer);
    out.append(buffer, static_cast<std::size_t>(end - buffer));
    utf8.remove_prefix(size);
  }
}

std::optional<std::size_t> readJsonString(std::string_view json, std::string& out) {
  out.clear();
  if (json.empty() || json[0] != '"') return std::nullopt;
  std::size_t at = 1;
  while (true) {
    const std::size_t end = plainEnd(json, at);
    if (end == json.size()) return std::nullopt;
    out.append(json.substr(at, end - at));
    at = end + 1;
    if (json[end] == '"') break;
    if (json[end] != '\\' || at == json.size()) return std::nullopt;
    const char kind = json[at++];
    if (kind == 'u') {
      const auto read = unicodeEscape(json.substr(at), out);
      if (!read) return std::nullopt;
      at += *read;
      continue;
    }
    const char plain = simpleEscape(kind);
    if (plain == 0) return std::nullopt;
    out.push_back(plain);
  }
  // Escapes cannot complete a broken character: \u appends whole characters only.
  if (validPrefix(out) != out.size()) return std::nullopt;
  return at;
}

ByteProfile profileOf(std::string_view bytes) {
  ByteProfile profile;
  std::size_t at = 0;
#if defined(__SSE2__)
  const auto set = [](int value) { return _mm_set1_epi8(static_cast<char>(value)); };
  __m128i high = _mm_setzero_si128();
  while (bytes.size() - at >= 16) {
    __m128i count = _mm_setzero_si128();
    // 255 rounds at most: a lane counts one byte per round and holds 255.
    for (int round = 0; round < 255 && bytes.size() - at >= 16; ++round, at += 16) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data() + at));
      const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, set(0x06)), v);
      const __m128i mid = _mm_cmpeq_epi8(_mm_and_si128(v, set(0xF0)), set(0x10));
      const __m128i mid_but_escape = _mm_andnot_si128(_mm_cmpeq_epi8(v, set(0x1B)), mid);
      const __m128i overlong = _mm_cmpeq_epi8(_mm_and_si128(v, set(0xFE)), set(0xC0));
      const __m128i top = _mm_cmpeq_epi8(_mm_max_epu8(v, set(0xF5)), v);
      count = _mm_sub_epi8(count, _mm_or_si128(_mm_or_si128(low, mid_but_escape), _mm_or_si128(overlong, top)));
      high = _mm_or_si128(high, v);
    }
    const __m128i sums = _mm_sad_epu8(count, _mm_setzero_si128());
    profile.binary +=
        static_cast<std::size_t>(_mm_cvtsi128_si64(sums)) + static_cast<std::size_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums)));
  }
  profile.has_high = _mm_movemask_epi8(high) != 0;
#endif
  for (; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    profile.binary += isBinary(byte) ? 1 : 0;
    profile.has_high = profile.has_high || byte >= 0x80;
  }
  return profile;
}

}  // namespace ptygate::recorder
