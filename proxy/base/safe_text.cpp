// SPDX-License-Identifier: Apache-2.0
// escapeLine and its helpers. The rules are in the header; utf8proc knows the characters.
#include "proxy/base/safe_text.h"

#include <utf8proc.h>

#include <array>
#include <cstdio>

namespace ptygate::base {
namespace {

constexpr utf8proc_int32_t kBrailleBlank = 0x2800;  // category So, looks like a space

// Hebrew to Arabic Extended-A: scripts that run right to left, with their marks and digits, which bidi classes alone do not all name.
constexpr utf8proc_int32_t kFirstRightToLeft = 0x590, kLastRightToLeft = 0x8ff;

enum class Looks { Printable, Mark, Hidden };

bool isReordering(int bidi_class) {
  switch (bidi_class) {
    case UTF8PROC_BIDI_CLASS_R:
    case UTF8PROC_BIDI_CLASS_AL:
    case UTF8PROC_BIDI_CLASS_AN:
      return true;
    default:
      return false;  // the explicit controls are category Cf
  }
}

Looks looksOf(utf8proc_int32_t code) {
  const utf8proc_property_t* property = utf8proc_get_property(code);
  if (property->ignorable || isReordering(property->bidi_class) || code == kBrailleBlank) return Looks::Hidden;
  if (code >= kFirstRightToLeft && code <= kLastRightToLeft) return Looks::Hidden;
  switch (property->category) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return Looks::Hidden;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return Looks::Mark;
    default:
      return utf8proc_charwidth(code) > 0 ? Looks::Printable : Looks::Hidden;
  }
}

struct Piece {
  utf8proc_int32_t code = -1;  // -1: one byte that is not UTF-8
  std::size_t length = 1;
};

Piece pieceAt(std::string_view bytes, std::size_t at) {
  const auto first = static_cast<unsigned char>(bytes[at]);
  if (first < 0x80) return {first, 1};
  utf8proc_int32_t code = -1;
  const auto* data = reinterpret_cast<const utf8proc_uint8_t*>(bytes.data()) + at;
  const utf8proc_ssize_t length = utf8proc_iterate(data, utf8proc_ssize_t(bytes.size() - at), &code);
  if (length <= 0 || code < 0) return {};
  return {code, std::size_t(length)};
}

void appendEscape(std::string& out, const char* format, unsigned value) {
  std::array<char, 16> text{};
  const int length = std::snprintf(text.data(), text.size(), format, value);
  out.append(text.data(), std::size_t(length));
}

class LineEscaper {
 public:
  explicit LineEscaper(std::string_view bytes) : bytes_(bytes) { out_.reserve(bytes.size() + bytes.size() / 8); }

  std::string run() && {
    for (std::size_t at = 0; at < bytes_.size();) {
      const Piece piece = pieceAt(bytes_, at);
      put(piece, bytes_.substr(at, piece.length));
      at += piece.length;
    }
    if (slash_pending_) out_ += '\\';
    return std::move(out_);
  }

 private:
  void put(Piece piece, std::string_view raw) {
    if (piece.code == '\\') {
      settleSlash(true);
      slash_pending_ = true;
      marks_left_ = kMarksPerBase;
      return;
    }
    if (isPlain(piece.code)) {
      settleSlash(raw[0] == 'x' || raw[0] == 'u' || raw[0] == 'U');
      out_ += raw;
      return;
    }
    settleSlash(true);
    marks_left_ = 0;
    const auto code = unsigned(piece.code);
    if (piece.code < 0x80) {
      for (const char byte : raw) appendEscape(out_, "\\x%02x", static_cast<unsigned char>(byte));
    } else if (code <= 0xffff) {
      appendEscape(out_, "\\u%04x", code);
    } else {
      appendEscape(out_, "\\U%08x", code);
    }
  }

  bool isPlain(utf8proc_int32_t code) {
    if (code < 0) return false;
    if (code < 0x80) {
      marks_left_ = code > 0x20 ? kMarksPerBase : 0;  // a mark on a space would be a mark on nothing
      return code >= 0x20 && code != 0x7f;
    }
    const Looks looks = looksOf(code);
    if (looks == Looks::Mark) return marks_left_-- > 0;
    marks_left_ = looks == Looks::Printable ? kMarksPerBase : 0;
    return looks == Looks::Printable;
  }

  // A backslash is written when its follower is known: doubled where the two would read as an escape.
  void settleSlash(bool ambiguous) {
    if (slash_pending_) out_ += ambiguous ? "\\\\" : "\\";
    slash_pending_ = false;
  }

  std::string_view bytes_;
  std::string out_;
  int marks_left_ = 0;
  bool slash_pending_ = false;
};

}  // namespace

std::string escapeLine(std::string_view bytes) {
  return LineEscaper(bytes).run();
}

std::string escapeClipped(std::string_view bytes, std::size_t max_bytes) {
  if (bytes.size() <= max_bytes) return escapeLine(bytes);
  std::size_t cut = max_bytes;
  while (cut > 0 && max_bytes - cut < 3 && (static_cast<unsigned char>(bytes[cut]) & 0xc0) == 0x80) --cut;
  return escapeLine(bytes.substr(0, cut)) + "… (" + std::to_string(bytes.size() - cut) + " bytes more)";
}

bool hasNonAscii(std::string_view bytes) {
  for (const char byte : bytes) {
    if (static_cast<unsigned char>(byte) >= 0x80) return true;
  }
  return false;
}

std::size_t columnsOf(std::string_view escaped) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < escaped.size();) {
    const Piece piece = pieceAt(escaped, at);
    const int width = piece.code < 0 ? 1 : utf8proc_charwidth(piece.code);
    columns += width > 0 ? std::size_t(width) : 0;
    at += piece.length;
  }
  return columns;
}

}  // namespace ptygate::base
