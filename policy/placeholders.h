// SPDX-License-Identifier: Apache-2.0
// One word of a rule's `argv`: the exact word, or a typed placeholder that stands for one whole word. Not here: positions and
// runtime words (rule_match).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace ptygate::policy {

/// True when `text` has a control byte (C0, DEL, C1), a bidirectional control or an invisible character that could make a person read
/// something else than what runs. `text` is valid UTF-8 or treated as unfit.
[[nodiscard]] bool hasUnfitCharacter(std::string_view text);

/// Shell-like glob over a name: `*` any run, `?` any one byte. No classes, no escapes.
[[nodiscard]] bool globMatches(std::string_view glob, std::string_view name);

/// Glob over an absolute path: `*` within one component, `**` as a whole component any number of components (at the end: one or more).
/// Only a normal absolute path matches: no "//", no "." or ".." component, no slash at its end.
[[nodiscard]] bool pathGlobMatches(std::string_view glob, std::string_view path);

class WordPattern {
 public:
  enum class Kind : unsigned char { Exact, Int, Name, Path, OneOf, Unit, Container, Branch, Sha, Re, Flags, Runtime };

  /// Parses one entry of `argv`: "{int} {name} {path:GLOB} {oneof:a|b} {unit} {container} {branch} {sha} {re:EXPRESSION} {flags}*
  /// {runtime}", anything without a brace is an exact word. Error: text for people.
  [[nodiscard]] static tl::expected<WordPattern, std::string> parse(std::string_view text);

  WordPattern(WordPattern&&) noexcept;
  WordPattern& operator=(WordPattern&&) noexcept;
  ~WordPattern();

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool isExact() const { return kind_ == Kind::Exact; }
  [[nodiscard]] const std::string& text() const { return text_; }                     ///< as written
  [[nodiscard]] const std::vector<std::string>& choices() const { return choices_; }  ///< of OneOf

  /// True when the literal `word` is one that this stands for. A placeholder matches neither the empty word nor one that starts with
  /// "-" or has an unfit character. Flags and Runtime match no literal here: their matching needs the command (rule_match).
  [[nodiscard]] bool matches(std::string_view word) const;

 private:
  struct Expression;
  WordPattern();

  Kind kind_ = Kind::Exact;
  std::string text_;
  std::string argument_;  ///< exact word, path glob or expression
  std::vector<std::string> choices_;
  std::unique_ptr<Expression> expression_;
};

}  // namespace ptygate::policy
