// SPDX-License-Identifier: Apache-2.0
// Judges a line by what a real shell did with it: M1 (executed within decomposed), M2 (canonical runs the same), M4 (no syntax error).
#pragma once

#include <set>
#include <string>
#include <vector>

#include "policy/shell/line.h"
#include "sandbox.h"

namespace ptygate::policy::oracle {

/// What is wrong with accepting `line`, or "" (also for an opaque line, with `accepted` false).
struct Judgement {
  bool accepted = false;
  std::string fault;
};

[[nodiscard]] Judgement judge(Sandbox& sandbox, const std::string& line, Dialect dialect, const std::string& shell);

/// True when `started` can be the command: words in order, a RuntimeOne for one word, a RuntimeMany for any number.
[[nodiscard]] bool matches(const SimpleCommand& command, const std::vector<std::string>& started);

/// Every run of plain characters in the lines: names that some reading of a line could start.
[[nodiscard]] std::set<std::string> possibleNames(const std::vector<std::string>& lines);

}  // namespace ptygate::policy::oracle
