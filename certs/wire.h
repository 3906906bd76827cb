// SPDX-License-Identifier: Apache-2.0
// The SSH wire types of RFC 4251 §5: a bounded cursor for hostile bytes and a builder for our own. No message knows this file;
// messages are in certificate, key, signature and agent_protocol.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "certs/encoding.h"
#include "certs/error.h"

namespace ptygate::certs {

/// The most that one wire string may hold, in bytes; a cursor refuses a longer one even if the input has it.
inline constexpr std::size_t kMaxWireStringBytes = std::size_t{64} * 1024;

/// Reads wire values from borrowed bytes, in order.
///
/// Failure is sticky: after the first bad value every read yields zero or an empty view and atEnd() is true, so a parser reads all its
/// fields and then asks finish() once. Nothing read may be acted on before finish() returned a value. Views borrow the input.
class Cursor {
 public:
  explicit Cursor(ByteView bytes) : bytes_(bytes) {}

  std::uint8_t byte();
  std::uint32_t uint32();
  std::uint64_t uint64();
  /// A string of at most `max_bytes`.
  ByteView string(std::size_t max_bytes = kMaxWireStringBytes);
  /// A string without NUL: C programs on the other side would read another value than we did.
  ByteView text(std::size_t max_bytes = kMaxWireStringBytes);
  /// The magnitude of a positive mpint, without the sign byte. Negative, zero and non-minimal ones fail.
  ByteView mpint(std::size_t max_bytes = kMaxWireStringBytes);

  /// Marks the input as bad for a reason of the caller's; the first reason stays.
  void fail(ErrorKind kind, std::string_view reason);
  [[nodiscard]] bool hasFailed() const { return failed_; }
  /// True when nothing is left to read, and after a failure.
  [[nodiscard]] bool atEnd() const { return failed_ || position_ == bytes_.size(); }
  /// What is left; empty after a failure.
  [[nodiscard]] ByteView rest() const { return failed_ ? ByteView{} : bytes_.substr(position_); }

  /// A value only if every read succeeded and every byte was read. `what` names the message in the error's text.
  [[nodiscard]] Expected<void> finish(std::string_view what) const;

 private:
  ByteView take(std::size_t count);

  ByteView bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
  ErrorKind kind_ = ErrorKind::Malformed;
  std::string reason_;
};

/// Appends wire values to a buffer: std::string for public bytes, WipingBuffer for secret ones. Never fails; strings of 4 GiB or more are
/// our own bug and abort.
template <class Buffer>
class BasicBuilder {
 public:
  BasicBuilder& byte(std::uint8_t value) {
    out_.push_back(static_cast<char>(value));
    return *this;
  }
  BasicBuilder& uint32(std::uint32_t value) { return number(value, 4); }
  BasicBuilder& uint64(std::uint64_t value) { return number(value, 8); }
  BasicBuilder& string(ByteView value) {
    if (value.size() > UINT32_MAX) __builtin_trap();
    return uint32(static_cast<std::uint32_t>(value.size())).raw(value);
  }
  /// A positive mpint from its big-endian magnitude; leading zeroes are dropped.
  BasicBuilder& mpint(ByteView magnitude) {
    while (!magnitude.empty() && magnitude.front() == '\0') magnitude.remove_prefix(1);
    const bool sign_byte = !magnitude.empty() && (static_cast<unsigned char>(magnitude.front()) & 0x80) != 0;
    uint32(static_cast<std::uint32_t>(magnitude.size() + (sign_byte ? 1 : 0)));
    if (sign_byte) byte(0);
    return raw(magnitude);
  }
  BasicBuilder& raw(ByteView value) {
    out_.insert(out_.end(), value.begin(), value.end());
    return *this;
  }
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] ByteView view() const { return {out_.data(), out_.size()}; }
  /// Moves the bytes out; the builder is empty afterwards.
  [[nodiscard]] Buffer take() { return std::exchange(out_, Buffer{}); }

 private:
  BasicBuilder& number(std::uint64_t value, int width) {
    for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) byte(static_cast<std::uint8_t>(value >> shift));
    return *this;
  }
  Buffer out_;
};

using Builder = BasicBuilder<Bytes>;
using SecretBuilder = BasicBuilder<WipingBuffer>;

}  // namespace ptygate::certs
