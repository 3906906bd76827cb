// SPDX-License-Identifier: Apache-2.0
// The gate's own words to an agent: lines that begin "ptygate: " on stderr, or JSON lines with the agent's nonce, which a target cannot
// know (architecture.md, "What the agent meets"). Not here: when to say what.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace ptygate::session {

/// PTYGATE_NONCE: at most this many bytes of [A-Za-z0-9._-]; another value is ignored.
inline constexpr std::size_t kMaxNonceBytes = 64;
/// PTYGATE_INTENT: at most this many bytes (architecture.md).
inline constexpr std::size_t kMaxIntentBytes = 500;

class AgentVoice {
 public:
  /// PTYGATE_OUTPUT=json or text, PTYGATE_NONCE=x. Returns false for a name or value that is not ours (then nothing changed).
  bool configure(std::string_view name, std::string_view value);
  /// One line, with its LF. `what` is a fixed word ("held", "denied"); `text` a sentence; `fields` go into the JSON form only.
  [[nodiscard]] std::string line(std::string_view what, std::string_view text,
                                 std::initializer_list<std::pair<std::string_view, std::string_view>> fields = {}) const;

 private:
  bool json_ = false;
  std::string nonce_;
};

}  // namespace ptygate::session
