// SPDX-License-Identifier: Apache-2.0
// The reviewer's real terminal: key by key input, its size, and the certainty that its settings come back. Used by verbs that talk to a
// person; knows nothing of holds. Output processing stays on (LF goes to a new line).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace ptygate::prompt {

struct Size {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// Puts a terminal into key-by-key mode without echo or signal keys (C-c arrives as byte 3), and restores it when it is destroyed, at
/// exit(), and when a signal ends the process. At most one exists at a time. The descriptors stay the caller's.
class Terminal {
 public:
  static constexpr std::size_t kMaxRead = 4096;

  /// Fails with a sentence where `in` is no terminal or its settings cannot be changed.
  [[nodiscard]] static tl::expected<Terminal, std::string> open(int in, int out);
  Terminal(Terminal&& other) noexcept;
  Terminal& operator=(Terminal&&) = delete;
  ~Terminal();

  /// Whether descriptors can carry the prompt's terminal mode: both are terminals and TERM is neither empty nor "dumb".
  [[nodiscard]] static bool isUsable(int in, int out);
  /// Whatever one read(2) gives, at most kMaxRead bytes; nullopt at the end of input or an error. Blocks unless `in` is non-blocking (then
  /// "" when nothing is there).
  [[nodiscard]] std::optional<std::string> read() const;
  /// Writes all of it, blocking; false when the terminal is gone.
  [[nodiscard]] bool write(std::string_view text) const;
  /// The terminal's size now (80x24 where it does not tell); ask again about once a second or on SIGWINCH.
  [[nodiscard]] Size size() const;
  /// Lends the terminal to something else (Watch): original settings until resume().
  void suspend() const;
  void resume() const;

 private:
  Terminal(int in, int out) : in_(in), out_(out) {}
  int in_;
  int out_;
};

}  // namespace ptygate::prompt
