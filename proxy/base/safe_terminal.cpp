// SPDX-License-Identifier: Apache-2.0
// SafeTerminal: a small parser of terminal output (after ECMA-48 and xterm's ctlseqs) with an allow list. A sequence is printed only when
// it is complete and allowed, so nothing half-known ever reaches the terminal.
#include <utf8proc.h>

#include <charconv>
#include <optional>
#include <vector>

#include "proxy/base/safe_text.h"

namespace ptygate::base {
namespace {

constexpr unsigned char kEsc = 0x1b;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::string_view kEscapePicture = "\xe2\x90\x9b";

/// Numbers separated by ';' or ':' (an empty one is 0); nullopt: something else is in there, or a number is too large.
std::optional<std::vector<unsigned>> numbersOf(std::string_view text) {
  std::vector<unsigned> numbers{0};
  for (const char c : text) {
    if (c == ';' || c == ':') {
      numbers.push_back(0);
    } else if (c >= '0' && c <= '9') {
      numbers.back() = numbers.back() * 10 + unsigned(c - '0');
      if (numbers.back() > SafeTerminal::kMaxParameter) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return numbers;
}

bool isAlternateScreen(std::string_view parameters) {
  return parameters == "?1049" || parameters == "?1047" || parameters == "?1048" || parameters == "?47";
}

bool isAllowedCsi(std::string_view parameters, char final) {
  if (final == 'h' || final == 'l') return isAlternateScreen(parameters);
  const auto numbers = numbersOf(parameters);
  if (!numbers) return false;
  if (final != 'm' && parameters.find(':') != std::string_view::npos) return false;
  switch (final) {
    case 'm':
      return true;  // SGR
    case 'A':
    case 'B':
    case 'C':
    case 'D':
    case 'E':
    case 'F':  // cursor movement
    case 'G':
    case 'I':
    case 'Z':
    case '`':
    case 'a':
    case 'd':
    case 'e':
    case '@':
    case 'L':
    case 'M':
    case 'P':
    case 'X':
    case 'S':  // insert, delete, erase, scroll
    case 'J':
    case 'K':  // erase
      return numbers->size() == 1;
    case 'T':
      return numbers->size() == 1;  // with five numbers it is mouse highlighting
    case 'H':
    case 'f':
    case 'r':
      return numbers->size() <= 2;
    case 's':
    case 'u':
      return parameters.empty();
    case 'b':
      return numbers->size() == 1 && numbers->front() <= SafeTerminal::kMaxRepeat;
    default:
      return false;
  }
}

bool isBidiControl(utf8proc_int32_t code) {
  return code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

std::size_t lengthFor(unsigned char lead) {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

}  // namespace

std::string SafeTerminal::filter(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 16);
  for (const char byte : bytes) step(static_cast<unsigned char>(byte), out);
  return out;
}

std::string SafeTerminal::finish() {
  std::string out;
  if (!character_.empty()) out += kReplacement;
  if (state_ != State::Ground && state_ != State::String && state_ != State::CsiIgnore) mark(out);  // those two were marked at their start
  *this = SafeTerminal(dropped_);
  return out;
}

std::string_view SafeTerminal::resetSequence() {
  return "\x1b[0m\x1b[r\x1b[?1049l\x1b(B";
}

void SafeTerminal::mark(std::string& out) const {
  if (dropped_ == Dropped::Marked) out += kEscapePicture;
}

void SafeTerminal::step(unsigned char byte, std::string& out) {
  switch (state_) {
    case State::Ground:
      return ground(byte, out);
    case State::Escape:
    case State::EscapeRest:
      return escape(byte, out);
    case State::Csi:
    case State::CsiIgnore:
      return csi(byte, out);
    case State::String:
      return string(byte, out);
  }
}

void SafeTerminal::ground(unsigned char byte, std::string& out) {
  if (!character_.empty()) {
    if ((byte & 0xc0) == 0x80) {
      character_ += char(byte);
      if (character_.size() == needed_) endCharacter(out);
      return;
    }
    character_.clear();
    out += kReplacement;
  }
  if (byte < 0x20 || byte == 0x7f) return control(byte, out);
  if (byte < 0x80) {
    out += char(byte);
    return;
  }
  needed_ = lengthFor(byte);
  if (needed_ == 0) {
    out += kReplacement;
  } else {
    character_ = char(byte);
  }
}

void SafeTerminal::endCharacter(std::string& out) {
  utf8proc_int32_t code = -1;
  const auto* data = reinterpret_cast<const utf8proc_uint8_t*>(character_.data());
  const bool is_whole = utf8proc_iterate(data, utf8proc_ssize_t(character_.size()), &code) == utf8proc_ssize_t(character_.size());
  if (!is_whole || code < 0 || isBidiControl(code)) {
    out += kReplacement;
  } else if (code < 0xa0) {
    mark(out);  // a C1 control: some terminals take U+009B for CSI. Its text stays visible, since we do not follow it
  } else {
    out += character_;
  }
  character_.clear();
}

void SafeTerminal::control(unsigned char byte, std::string& out) {
  switch (byte) {
    case '\b':
    case '\t':
    case '\n':
    case '\r':
      out += char(byte);
      return;
    case kEsc:
      state_ = State::Escape;
      sequence_.clear();
      after_string_ = false;
      return;
    case 0x00:
    case 0x7f:
      return;
    default:
      if (dropped_ == Dropped::Marked) out += {char(0xe2), char(0x90), char(0x80 + byte)};  // U+2400 + byte
  }
}

void SafeTerminal::escape(unsigned char byte, std::string& out) {
  if (byte < 0x20 || byte >= 0x7f) {
    mark(out);
    state_ = State::Ground;
    return ground(byte, out);
  }
  if (byte < 0x30) {  // intermediate bytes; kept only far enough to know "ESC ( B"
    state_ = State::EscapeRest;
    if (sequence_.size() < 2) sequence_ += char(byte);
    return;
  }
  if (state_ == State::EscapeRest) {
    state_ = State::Ground;
    if (sequence_ == "(" && byte == 'B') {
      out += "\x1b(B";
    } else {
      mark(out);
    }
    return;
  }
  state_ = State::Ground;
  switch (byte) {
    case '[':
      state_ = State::Csi;
      return;
    case ']':
    case 'P':
    case '_':
    case '^':
    case 'X':
      mark(out);
      state_ = State::String;
      swallowed_ = 0;
      return;
    case '\\':
      if (!after_string_) mark(out);  // else ST, the end of a string that has its mark
      return;
    case '7':
    case '8':
    case 'D':
    case 'E':
    case 'M':
      out += {char(kEsc), char(byte)};
      return;
    default:
      mark(out);
  }
}

void SafeTerminal::csi(unsigned char byte, std::string& out) {
  const bool ignores = state_ == State::CsiIgnore;
  if (byte < 0x20 || byte >= 0x7f) {
    if (!ignores) mark(out);
    state_ = State::Ground;
    return ground(byte, out);
  }
  if (byte < 0x40) {
    if (ignores && ++swallowed_ < kMaxString) return;
    if (!ignores && sequence_.size() < kMaxSequence) {
      sequence_ += char(byte);
      return;
    }
    if (!ignores) mark(out);
    swallowed_ = ignores ? swallowed_ : 0;
    state_ = ignores ? State::Ground : State::CsiIgnore;
    return;
  }
  state_ = State::Ground;
  if (ignores) return;
  if (!isAllowedCsi(sequence_, char(byte))) return mark(out);
  out += "\x1b[";
  out += sequence_;
  out += char(byte);
}

void SafeTerminal::string(unsigned char byte, std::string& out) {
  constexpr unsigned char kBel = 0x07, kCan = 0x18, kSub = 0x1a;
  if (byte == kBel || byte == kCan || byte == kSub || ++swallowed_ > kMaxString) {
    state_ = State::Ground;
  } else if (byte == '\n') {
    state_ = State::Ground;
    out += '\n';
  } else if (byte == kEsc) {
    state_ = State::Escape;
    sequence_.clear();
    after_string_ = true;
  }
}

}  // namespace ptygate::base
