// SPDX-License-Identifier: Apache-2.0
#include "safe_text_checks.h"

#include <cstdint>
#include <regex>

namespace ptygate::base::testing {
namespace {

void appendUtf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += char(code);
  } else if (code < 0x800) {
    out += {char(0xc0 | (code >> 6)), char(0x80 | (code & 63))};
  } else if (code < 0x10000) {
    out += {char(0xe0 | (code >> 12)), char(0x80 | ((code >> 6) & 63)), char(0x80 | (code & 63))};
  } else {
    out += {char(0xf0 | (code >> 18)), char(0x80 | ((code >> 12) & 63)), char(0x80 | ((code >> 6) & 63)), char(0x80 | (code & 63))};
  }
}

/// The code point at `at`, or nullopt for bytes that are no well-formed UTF-8. Advances.
std::optional<std::uint32_t> decode(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return std::uint32_t(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(at++);
  if (lead < 0x80) return lead;
  const int more = lead >= 0xf0 && lead <= 0xf4 ? 3 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xc2 && lead < 0xe0 ? 1 : 0;
  if (more == 0) return std::nullopt;
  std::uint32_t code = lead & (0x3fU >> more);
  for (int i = 0; i < more; ++i) {
    if (at >= text.size() || (byte(at) & 0xc0) != 0x80) return std::nullopt;
    code = (code << 6) | (byte(at++) & 63);
  }
  const std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return std::nullopt;
  return code;
}

bool hides(std::uint32_t code) {
  const std::uint32_t known[] = {0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180e, 0x2800, 0x3000, 0x3164, 0xfeff, 0xffa0, 0xa0};
  for (const std::uint32_t one : known) {
    if (code == one) return true;
  }
  return (code >= 0x80 && code < 0xa0) || (code >= 0x2000 && code <= 0x200f) || (code >= 0x2028 && code <= 0x202f) ||
         (code >= 0x205f && code <= 0x206f) || (code >= 0x590 && code <= 0x8ff) || (code >= 0xe000 && code <= 0xf8ff) ||
         (code >= 0xfe00 && code <= 0xfe0f) || (code >= 0xe0000 && code <= 0xe0fff) || (code >= 0xf0000);
}

}  // namespace

std::string unescapeLine(std::string_view escaped) {
  std::string out;
  for (std::size_t at = 0; at < escaped.size();) {
    const char next = at + 1 < escaped.size() ? escaped[at + 1] : '\0';
    const std::size_t digits = next == 'x' ? 2 : next == 'u' ? 4 : next == 'U' ? 8 : 0;
    if (escaped[at] != '\\') {
      out += escaped[at++];
    } else if (next == '\\') {
      out += '\\';
      at += 2;
    } else if (digits == 0) {
      out += '\\';
      ++at;
    } else {
      const auto value = std::uint32_t(std::stoul(std::string(escaped.substr(at + 2, digits)), nullptr, 16));
      if (digits == 2) {
        out += char(value);
      } else {
        appendUtf8(out, value);
      }
      at += 2 + digits;
    }
  }
  return out;
}

std::optional<std::string> whyNotPrintable(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const auto code = decode(text, at);
    if (!code) return "no UTF-8 at " + std::to_string(start);
    if (*code < 0x20 || *code == 0x7f) return "control byte at " + std::to_string(start);
    if (hides(*code)) return "hidden character at " + std::to_string(start);
  }
  return std::nullopt;
}

std::optional<std::string> whyNotSafe(std::string_view output) {
  static const std::regex kAllowed(
      "^\x1b(?:\\[[0-9;:]{0,64}m|\\[[0-9]{0,64}[ABCDEFGIZ`ade@LMPXSTJKb]|\\[[0-9]{0,32}(?:;[0-9]{0,32})?[Hfr]|\\[[su]|\\[\\?(?:47|1047|"
      "1048|1049)[hl]|[78DEM]|\\(B)");
  for (std::size_t at = 0; at < output.size();) {
    const std::size_t start = at;
    if (output[at] == '\x1b') {
      std::cmatch match;
      const std::string_view rest = output.substr(at, 80);
      if (!std::regex_search(rest.data(), rest.data() + rest.size(), match, kAllowed)) return "sequence at " + std::to_string(start);
      at += std::size_t(match.length());
      continue;
    }
    const auto code = decode(output, at);
    if (!code) return "no UTF-8 at " + std::to_string(start);
    const bool is_layout = *code == '\b' || *code == '\t' || *code == '\n' || *code == '\r';
    if ((*code < 0x20 && !is_layout) || (*code >= 0x7f && *code < 0xa0)) return "control at " + std::to_string(start);
    if ((*code >= 0x202a && *code <= 0x202e) || (*code >= 0x2066 && *code <= 0x2069) || *code == 0x200e || *code == 0x200f ||
        *code == 0x61c) {
      return "bidi control at " + std::to_string(start);
    }
  }
  return std::nullopt;
}

}  // namespace ptygate::base::testing
