// SPDX-License-Identifier: Apache-2.0
// What a reviewer sees of one hold, as lines for a width. Pure: same values, same lines. Every foreign byte goes through base::escapeLine;
// escape sequences in the result are ours (SGR only), and only with colour on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ptygate::prompt {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// One held request, as the gate told it. Text is foreign and unescaped.
struct HoldShown {
  std::uint64_t id = 0;
  std::string tag;
  std::string session;  ///< for Watch; may be empty
  std::string agent;
  std::string owner;   ///< or empty
  std::string intent;  ///< or empty
  std::string target;
  std::string login;
  std::map<std::string, std::string> labels;
  std::string context;  ///< "exec" …
  std::string command;  ///< the exact bytes
  std::string stdin_sha256;
  std::string rule;
  std::string reason;
  std::vector<std::string> view;       ///< decomposition with effects, one line each
  std::vector<std::string> reviewers;  ///< whom the rule names; empty: anyone who may review
  int approvals_needed = 1;
  std::vector<std::string> approved_by;
  std::size_t attached = 1;  ///< 0: agent gone
  std::optional<WallTime> expires_at;
};

struct Style {
  std::size_t columns = 80;  ///< usable width; at least kMinColumns is assumed
  bool colour = false;       ///< SGR of ours
  bool plain = false;        ///< ASCII only besides foreign text, for pipes and screen readers
};
inline constexpr std::size_t kMinColumns = 24;

/// The lines that describe a hold, without line ends, each at most style.columns wide: who, where, why, the exact bytes with line numbers,
/// what they do, what is needed. A new number in the gutter is a line feed in the command; a gutter without one continues the line above.
/// Spaces at the end of a line are written \x20.
[[nodiscard]] std::vector<std::string> renderHold(const HoldShown& hold, const Style& style);

/// "4:32", "1:02:03", "now" once it passed, "no limit" for nullopt.
[[nodiscard]] std::string timeLeft(const std::optional<WallTime>& at, WallTime now);

/// Cuts escaped text into pieces of at most `columns` columns, never inside a character or before a combining mark.
[[nodiscard]] std::vector<std::string> wrapColumns(std::string_view escaped, std::size_t columns);

}  // namespace ptygate::prompt
