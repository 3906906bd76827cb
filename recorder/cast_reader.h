// SPDX-License-Identifier: Apache-2.0
// Reads casts: lines, strictly and within limits, and from lines the exact bytes of every stream. For replay, export and recovery; also
// while the cast still grows. Not here: what to show and when (replay, transcript).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/cast_encoder.h"
#include "recorder/error.h"
#include "recorder/fd.h"

namespace ptygate::recorder {

/// The header's line. Foreign keys are read and written over by nobody.
inline constexpr std::size_t kMaxHeaderBytes = 64 * 1024;

/// The header, or `Damaged`: not asciicast v2 with numbers where they belong.
[[nodiscard]] Result<CastHeader> parseHeader(std::string_view line);
/// `[time, "c", "data"]` without LF, or `Damaged`. Time has at most 6 decimals and 9 digits before them.
[[nodiscard]] Result<CastLine> parseCastLine(std::string_view line);

/// Walks a cast line by line. Total: every input gives lines, an end, or an error; never more memory than one line.
class CastReader {
 public:
  explicit CastReader(Fd fd) : fd_(std::move(fd)) {}
  /// Reads from memory instead; for tests, and for what is in memory anyway.
  explicit CastReader(std::string text) : buffer_(std::move(text)) {}

  /// The header. Call first, once. `Damaged` also when the file ends before its LF.
  [[nodiscard]] Result<CastHeader> header();

  /// The next line; nothing at the present end of the file. A file that grew may be asked again.
  /// `Damaged` for a line that does not parse or goes back in time: offset() is where it begins, and every later call says the same.
  [[nodiscard]] Result<std::optional<CastLine>> next();

  /// Where the next line begins: after the last whole line that was returned.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  /// After next() found the end: bytes of an unfinished last line.
  [[nodiscard]] std::uint64_t tornBytes() const { return buffer_.size() - begin_; }

 private:
  [[nodiscard]] Result<std::optional<std::string_view>> line(std::size_t limit);
  void taken(std::size_t size);

  Fd fd_;
  std::string buffer_;
  std::size_t begin_ = 0;   ///< of the unread part of buffer_
  std::size_t search_ = 0;  ///< no LF before this
  std::uint64_t offset_ = 0;
  std::chrono::microseconds last_{0};
};

/// One event with the exact bytes that were recorded.
struct Decoded {
  CastEvent::Kind kind = CastEvent::Kind::Output;
  std::chrono::microseconds at{0};
  std::string bytes;         ///< Output, Error, Stdin, Key, Input: exact. Marker: the label
  std::string display;       ///< what a player shows for Output and Error, when it differs from `bytes`; else empty
  std::uint32_t number = 0;  ///< Secret: bytes; Resize: columns; Exit: status
  std::uint32_t rows = 0;
};

/// The inverse of CastEncoder: lines in, events with exact bytes out. `Damaged` for lines in an order that the encoder never writes.
class CastDecoder {
 public:
  /// Nothing for lines that only prepare (`b`, `h`, `e` before its twin) and for codes that are not ours.
  [[nodiscard]] Result<std::optional<Decoded>> apply(CastLine line);

  /// True between groups of lines that belong together; a cast ends here and nowhere else.
  [[nodiscard]] bool isWhole() const { return !exact_ && !twin_; }
  /// Bytes of an unfinished character that were recorded (and perhaps forwarded) but not shown yet.
  [[nodiscard]] std::string_view heldOutput() const { return held_output_; }
  [[nodiscard]] std::string_view heldError() const { return held_error_; }

 private:
  [[nodiscard]] Result<std::optional<Decoded>> text(CastEvent::Kind kind, CastLine line);
  [[nodiscard]] Result<std::optional<Decoded>> error(CastLine line);
  [[nodiscard]] Result<std::optional<Decoded>> twin(CastLine line);
  [[nodiscard]] Result<std::optional<Decoded>> held(const CastLine& line);

  std::optional<std::string> exact_;  ///< from `b`, for the next text line
  std::optional<Decoded> twin_;       ///< from `e`, until its `o`
  std::string twin_text_;
  std::string held_output_;
  std::string held_error_;
};

}  // namespace ptygate::recorder
