// SPDX-License-Identifier: Apache-2.0
// Turns a session's events into asciicast v2 lines. Pure: no clock, no file. What it writes can be turned back into the exact bytes
// of every stream (cast_reader); FORMAT.md is the contract. Not here: writing (recording), reading (cast_reader).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "recorder/event.h"

namespace ptygate::recorder {

/// Bytes of a stream that one event may hold; a longer chunk becomes several events.
inline constexpr std::size_t kMaxEventBytes = 64 * 1024;
/// A marker's label is cut (on a character, with "…") beyond this. The whole command is in the ledger.
inline constexpr std::size_t kMaxMarkerBytes = 4096;
/// The longest line the encoder can write: every byte of an event as \u00XX, and room for time and code.
inline constexpr std::size_t kMaxCastLineBytes = 6 * kMaxEventBytes + 256;

struct CastHeader {
  std::uint32_t columns = 80;  ///< 1–65535; 0 is written as 80
  std::uint32_t rows = 24;     ///< 1–65535; 0 is written as 24
  std::int64_t timestamp = 0;  ///< seconds since 1970, UTC
  std::string title;           ///< "agent@target session"; bytes that are not UTF-8 become U+FFFD
  std::string term;            ///< env TERM; left out when empty
  std::string shell;           ///< env SHELL; left out when empty
};

/// The header's line, with its LF.
[[nodiscard]] std::string encodeHeader(const CastHeader& header);

/// One event line as it stands in a cast.
struct CastLine {
  std::chrono::microseconds at{0};  ///< since the session's start
  char code = 0;                    ///< one printable ASCII character; unknown ones are passed on
  std::string data;                 ///< valid UTF-8
};

/// Appends the line in the one spelling that the encoder uses: a line that was parsed from a cast of ours comes out as the same bytes.
void appendCastLine(const CastLine& line, std::string& out);

/// Encodes one session's events in order. A value; copying it copies the held characters and the clock.
///
/// A chunk that ends inside a UTF-8 character: the complete part is written as `o`, the rest is written at once as `h` (exact bytes,
/// base64), so that the caller may forward the whole chunk, and is shown with the next chunk of that stream.
class CastEncoder {
 public:
  /// Appends the lines of one event to `out`; whole lines only, and at least one, except for a stream event of no bytes (none).
  /// `at` is time since the session's start; an earlier value than the last is clamped to it, negative is 0.
  /// Markers and exits first show what is held (as U+FFFD).
  void encode(const CastEvent& event, std::chrono::microseconds at, std::string& out);

  /// Appends what is held as U+FFFD; nothing when nothing is held. For the end of a session.
  void flush(std::chrono::microseconds at, std::string& out);

 private:
  struct Held {
    unsigned char bytes[4] = {};
    std::uint8_t size = 0;
  };
  void stream(char code, Held& held, std::string_view bytes, std::string& out);
  void piece(char code, std::string_view bytes, std::string& out);
  void typed(char code, std::string_view bytes, std::string& out);
  void stdinData(std::string_view bytes, std::string& out);
  void exact(char code, std::string_view bytes, std::string_view shown, std::string& out);
  void line(char code, std::string_view utf8, std::string& out);
  void hold(char code, Held& held, std::string_view tail, std::string& out);
  void show(char code, Held& held, std::string& out);
  void begin(char code, std::string& out) const;
  void beginAt(std::chrono::microseconds at);

  Held output_;
  Held error_;
  std::int64_t last_us_ = 0;
  char time_[32] = {'0', '.', '0', '0', '0', '0', '0', '0'};
  std::uint8_t time_size_ = 8;
};

}  // namespace ptygate::recorder
