// SPDX-License-Identifier: Apache-2.0
#include "recorder/plain_text.h"

#include <cstdio>

#include "recorder/utf8.h"

namespace ptygate::recorder {
namespace {

// Longer than any that a terminal takes in earnest; beyond it the bytes are shown, so that a sequence cannot swallow a page.
constexpr std::size_t kMaxSequence = 64;
constexpr std::string_view kEscapeSign = "␛";

unsigned codeOf(std::string_view character) {
  const auto byte = [character](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  switch (character.size()) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1FU) << 6 | (byte(1) & 0x3FU);
    case 3:
      return (byte(0) & 0x0FU) << 12 | (byte(1) & 0x3FU) << 6 | (byte(2) & 0x3FU);
    default:
      return (byte(0) & 0x07U) << 18 | (byte(1) & 0x3FU) << 12 | (byte(2) & 0x3FU) << 6 | (byte(3) & 0x3FU);
  }
}

// Characters that reorder, join or hide others: C1 controls, soft hyphen, bidirectional marks, zero-width and line separators,
// variation selectors, interlinear and tag characters.
bool isInvisible(unsigned code) {
  static constexpr struct {
    unsigned low, high;
  } kRanges[] = {{0x80, 0x9F},     {0xAD, 0xAD},     {0x34F, 0x34F},   {0x61C, 0x61C},     {0x115F, 0x1160},  {0x17B4, 0x17B5},
                 {0x180B, 0x180F}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},   {0x3164, 0x3164},  {0xFE00, 0xFE0F},
                 {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};
  for (const auto& range : kRanges) {
    if (code >= range.low && code <= range.high) return true;
  }
  return false;
}

void appendCode(unsigned code, std::string& out) {
  char text[16];
  std::snprintf(text, sizeof text, "<U+%04X>", code);
  out += text;
}

// U+2400 + c: the control pictures.
void appendPicture(unsigned char c, std::string& out) {
  if (c == 0x7F) {
    out += "␡";
    return;
  }
  out += "\xE2\x90";
  out.push_back(static_cast<char>(0x80 + c));
}

std::size_t characterSize(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

}  // namespace

void PlainText::append(std::string_view utf8, std::string& out) {
  if (validPrefix(utf8) == utf8.size()) return text(utf8, out);
  text(replaceInvalid(utf8), out);
}

void PlainText::text(std::string_view utf8, std::string& out) {
  while (!utf8.empty()) {
    const auto c = static_cast<unsigned char>(utf8[0]);
    if (state_ == State::Escape || state_ == State::Sequence) {
      if (c >= 0x20 && c < 0x7F) {
        sequence(utf8[0], out);
        utf8.remove_prefix(1);
        continue;
      }
      finish(out);  // no sequence goes on with this; show what there was and look at the byte again
    }
    if (state_ == State::Return) {
      state_ = State::Text;
      out.push_back('\n');
      if (c == '\n') {
        utf8.remove_prefix(1);
        continue;
      }
    }
    const std::size_t size = characterSize(c);
    if (c == '\r') {
      state_ = State::Return;
    } else if (c == 0x1B) {
      state_ = State::Escape;
    } else if (c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7F)) {
      out.push_back(utf8[0]);
    } else if (size == 1) {
      appendPicture(c, out);
    } else if (const unsigned code = codeOf(utf8.substr(0, size)); isInvisible(code)) {
      appendCode(code, out);
    } else {
      out.append(utf8.substr(0, size));
    }
    utf8.remove_prefix(size);
  }
}

// ECMA-48: ESC [ parameters and intermediates, final; or ESC intermediates final. ESC ] P X ^ _ begin strings: shown, never swallowed.
void PlainText::sequence(char c, std::string& out) {
  if (state_ == State::Escape) {
    state_ = State::Sequence;
    pending_.push_back(c);
    const bool is_string = c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_';
    if (is_string) return finish(out);
    if (c == '[' || c < 0x30) return;
  } else {
    pending_.push_back(c);
    const bool is_csi = pending_[0] == '[';
    if (pending_.size() > kMaxSequence) return finish(out);
    if (c < (is_csi ? 0x40 : 0x30)) return;
  }
  pending_.clear();
  state_ = State::Text;
}

void PlainText::finish(std::string& out) {
  if (state_ == State::Return) out.push_back('\n');
  if (state_ == State::Escape || state_ == State::Sequence) out.append(kEscapeSign).append(pending_);
  pending_.clear();
  state_ = State::Text;
}

std::string plainLine(std::string_view bytes) {
  std::string shown;
  const std::string valid = replaceInvalid(bytes);
  for (std::string_view rest = valid; !rest.empty();) {
    const auto c = static_cast<unsigned char>(rest[0]);
    const std::size_t size = characterSize(c);
    if (size == 1 && (c < 0x20 || c == 0x7F)) {
      appendPicture(c, shown);
    } else if (const unsigned code = codeOf(rest.substr(0, size)); isInvisible(code)) {
      appendCode(code, shown);
    } else {
      shown.append(rest.substr(0, size));
    }
    rest.remove_prefix(size);
  }
  return shown;
}

}  // namespace ptygate::recorder
