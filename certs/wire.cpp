// SPDX-License-Identifier: Apache-2.0
// The wire cursor. The builder is in the header, since it has two kinds of buffers.
#include "certs/wire.h"

namespace ptygate::certs {

void Cursor::fail(ErrorKind kind, std::string_view reason) {
  if (failed_) return;
  failed_ = true;
  kind_ = kind;
  reason_ = std::string(reason) + " (near byte " + std::to_string(position_) + ")";
}

ByteView Cursor::take(std::size_t count) {
  if (failed_) return {};
  if (bytes_.size() - position_ < count) {
    fail(ErrorKind::Malformed, "a field reaches beyond the end");
    return {};
  }
  const ByteView taken = bytes_.substr(position_, count);
  position_ += count;
  return taken;
}

std::uint8_t Cursor::byte() {
  const ByteView taken = take(1);
  return taken.empty() ? 0 : static_cast<std::uint8_t>(taken[0]);
}

std::uint32_t Cursor::uint32() {
  std::uint32_t value = 0;
  for (const char c : take(4)) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

std::uint64_t Cursor::uint64() {
  std::uint64_t value = 0;
  for (const char c : take(8)) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

ByteView Cursor::string(std::size_t max_bytes) {
  const std::uint32_t length = uint32();
  if (failed_) return {};
  if (length > rest().size()) {
    fail(ErrorKind::Malformed, "a string reaches beyond the end");
    return {};
  }
  if (length > max_bytes) {
    fail(ErrorKind::TooLarge, "a string of " + std::to_string(length) + " bytes where " + std::to_string(max_bytes) + " are allowed");
    return {};
  }
  return take(length);
}

ByteView Cursor::text(std::size_t max_bytes) {
  const ByteView value = string(max_bytes);
  if (value.find('\0') == ByteView::npos) return value;
  fail(ErrorKind::Malformed, "a NUL inside a text");
  return {};
}

ByteView Cursor::mpint(std::size_t max_bytes) {
  ByteView value = string(max_bytes);
  if (failed_) return {};
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(value[i]); };
  const bool positive = !value.empty() && at(0) < 0x80;
  const bool minimal = positive && (at(0) != 0 || (value.size() > 1 && at(1) >= 0x80));
  if (!minimal) {
    fail(ErrorKind::Malformed, "an mpint that is not positive or not minimal");
    return {};
  }
  if (at(0) == 0) value.remove_prefix(1);
  return value;
}

Expected<void> Cursor::finish(std::string_view what) const {
  if (failed_) return failure(kind_, std::string(what) + ": " + reason_);
  if (position_ == bytes_.size()) return {};
  return failure(ErrorKind::Malformed, std::string(what) + ": " + std::to_string(bytes_.size() - position_) + " bytes too many at the end");
}

}  // namespace ptygate::certs
