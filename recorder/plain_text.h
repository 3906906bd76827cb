// SPDX-License-Identifier: Apache-2.0
// Foreign text as text that is safe to print and hides nothing: for transcripts, listings and search hits. Pure.
// Not here: text for a live terminal that keeps its colours (proxy/base/safe_text).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ptygate::recorder {

/// Drops control sequences that only paint (CSI, charset and single-character escapes), over any split of the input. Everything that could
/// hide or carry text (OSC, DCS and other strings, bidirectional and invisible characters, other controls) is shown by a visible stand-in.
class PlainText {
 public:
  /// Appends what `utf8` shows to `out`. CR LF and CR become LF; TAB stays. Input that is not UTF-8 is shown with U+FFFD.
  void append(std::string_view utf8, std::string& out);
  /// Ends an unfinished sequence: shows what was held back.
  void finish(std::string& out);

 private:
  enum class State : std::uint8_t { Text, Return, Escape, Sequence };
  void text(std::string_view utf8, std::string& out);
  void sequence(char c, std::string& out);

  State state_ = State::Text;
  std::string pending_;  ///< after ESC, at most kMaxSequence bytes
};

/// One line: as PlainText, with LF and TAB shown as well.
[[nodiscard]] std::string plainLine(std::string_view bytes);

}  // namespace ptygate::recorder
