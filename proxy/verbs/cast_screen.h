// SPDX-License-Identifier: Apache-2.0
// Prints a cast's events on a person's terminal or into a pipe. All of it passes base::SafeTerminal or escapeLine.
#pragma once

#include <string>
#include <string_view>

#include "proxy/base/safe_text.h"
#include "recorder/cast_reader.h"

namespace ptygate::verbs {

class CastScreen {
 public:
  /// `colour`: markers of commands are set off in a colour of ours.
  explicit CastScreen(bool colour) : colour_(colour) {}

  /// What to print for one line of the cast; "" for what has no place on a screen. `Damaged` when the cast is not as recorded.
  [[nodiscard]] recorder::Result<std::string> show(recorder::CastLine line);

  /// The same for single parts: output of the session, and a line of ours (safe text) beside it.
  [[nodiscard]] std::string output(std::string_view bytes);
  [[nodiscard]] std::string ownLine(const std::string& text);

  /// What to print at the end, so that colours and screens of the session do not stay.
  [[nodiscard]] std::string finish();

  [[nodiscard]] bool hasEnded() const { return ended_; }  ///< the session's exit was shown

 private:
  recorder::CastDecoder decoder_;
  base::SafeTerminal filter_;
  bool colour_;
  bool at_line_start_ = true;
  bool ended_ = false;
};

}  // namespace ptygate::verbs
