// SPDX-License-Identifier: Apache-2.0
// What may reach a person's terminal: every foreign byte (commands, intents, reasons, output of targets) passes one of these on its way.
// Two guards for two uses: escapeLine for text that is judged (exact and reversible), SafeTerminal for output that is looked at (keeps its
// layout and colour). Not for files, JSON or shells. Neither detects look-alike letters (a Cyrillic "а" is printable); hasNonAscii tells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ptygate::base {

/// Returns one line of printable text from which the exact bytes can be read back.
///
/// Printable ASCII and printable, well-formed UTF-8 stay. Everything else is written out: a byte as \xHH (controls, line feed as \x0a,
/// bytes that are not UTF-8), a code point as \uHHHH or \UHHHHHHHH (C1 controls, bidi controls and right-to-left letters, which would
/// reorder the line, zero-width, default-ignorable and blank-looking characters, every space but ASCII's, unassigned and private ones,
/// and combining marks that have no base or are more than kMarksPerBase). A backslash is doubled only where it would read as one of
/// these (before x, u, U, another backslash, or something escaped), so `\n` and `\.` look as they were typed. At most 4 bytes come out
/// for one that goes in. Total; keeps no state.
[[nodiscard]] std::string escapeLine(std::string_view bytes);
inline constexpr int kMarksPerBase = 2;

/// escapeLine of at most the first `max_bytes` bytes, followed by "… (N bytes more)" if any are left out. For lists and logs: never for
/// what a person approves.
[[nodiscard]] std::string escapeClipped(std::string_view bytes, std::size_t max_bytes);

/// Whether any byte is outside ASCII.
[[nodiscard]] bool hasNonAscii(std::string_view bytes);

/// Terminal columns of text that escapeLine made (wide characters count 2, marks 0).
[[nodiscard]] std::size_t columnsOf(std::string_view escaped);

/// Filters the output of a target for replay, follow and watch. Streaming: any split of the same bytes gives the same output.
///
/// Passes: text (invalid UTF-8 and bidi controls as U+FFFD), BS HT LF CR, SGR, cursor movement, erase, insert/delete/scroll inside the
/// screen, scroll region, save/restore cursor, ESC ( B, and entering or leaving the alternate screen. Everything else is dropped and shown
/// as ␛ (other C0 controls as their own pictures; NUL and DEL vanish): OSC, DCS, APC, PM, SOS, queries, other modes, resets, charsets. A
/// control string ends at its terminator, at a line feed, at ESC or after kMaxString bytes, so that a target cannot hide what follows.
/// Not handled: SGR that makes text invisible (concealed, black on black) passes; escaped views show it.
class SafeTerminal {
 public:
  static constexpr std::size_t kMaxSequence = 64;  ///< bytes of one CSI sequence; longer is dropped
  static constexpr std::size_t kMaxString = 4096;  ///< bytes of one control string that are swallowed
  static constexpr unsigned kMaxParameter = 9999;  ///< larger numbers drop the sequence
  static constexpr unsigned kMaxRepeat = 1000;     ///< of REP (CSI b)

  enum class Dropped : std::uint8_t { Marked, Silent };
  /// Silent leaves the ␛ marks out, for a replay that must keep its columns.
  explicit SafeTerminal(Dropped dropped = Dropped::Marked) : dropped_(dropped) {}

  /// Returns what may be printed for these bytes; the end of an unfinished sequence or character is kept for the next call (bounded).
  [[nodiscard]] std::string filter(std::string_view bytes);
  /// Ends the stream: an unfinished character comes out as U+FFFD, an unfinished sequence as ␛. The filter starts anew afterwards.
  [[nodiscard]] std::string finish();
  /// What to print after a stream, so that its colours, scroll region and alternate screen do not stay.
  [[nodiscard]] static std::string_view resetSequence();

 private:
  enum class State : std::uint8_t { Ground, Escape, EscapeRest, Csi, CsiIgnore, String };
  void step(unsigned char byte, std::string& out);
  void ground(unsigned char byte, std::string& out);
  void escape(unsigned char byte, std::string& out);
  void csi(unsigned char byte, std::string& out);
  void string(unsigned char byte, std::string& out);
  void control(unsigned char byte, std::string& out);
  void endCharacter(std::string& out);
  void mark(std::string& out) const;

  Dropped dropped_;
  State state_ = State::Ground;
  std::string sequence_;       // bytes after "ESC [", or after ESC in EscapeRest
  std::string character_;      // an unfinished UTF-8 character
  std::size_t needed_ = 0;     // its length
  std::size_t swallowed_ = 0;  // bytes of the control string so far
  bool after_string_ = false;  // the ESC that is being read may be the first half of the string's ST
};

}  // namespace ptygate::base
