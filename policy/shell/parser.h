// SPDX-License-Identifier: Apache-2.0
// The recursive-descent parser of one line. Internal to policy/shell. Its rule: whatever is not known to mean the same in every
// version of the dialect's shells is refused, so every failure is an opaque line and never a guess.
#pragma once

#include <cstddef>
#include <string_view>

#include "policy/shell/tree.h"

namespace ptygate::policy {

/// What the parser and the nested ones for backquotes share: the limits of one line.
struct Budget {
  std::size_t words = 0;
  int depth = 0;
};

/// Parses `text` as a whole list. One object parses once. Functions return false after setting reason(); the tree is then to be dropped.
class Parser {
 public:
  Parser(std::string_view text, Dialect dialect, Budget& budget, bool nested)
      : text_(text), dialect_(dialect), budget_(budget), nested_(nested) {}

  [[nodiscard]] bool parseAll(ListNode& list);
  [[nodiscard]] const char* reason() const { return reason_; }

 private:
  enum class Place : std::uint8_t { Name, Argument, AssignmentValue, Target };

  // Characters and tokens (parser.cpp).
  bool fail(const char* why);
  [[nodiscard]] char peek(std::size_t ahead = 0) const { return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0'; }
  [[nodiscard]] bool atEnd() const { return pos_ >= text_.size(); }
  [[nodiscard]] bool atWordEnd() const;
  [[nodiscard]] std::string_view rawWord() const;
  bool skipBlanks();
  bool skipComment();
  bool skipNewlines();
  bool enter();
  void leave() { --budget_.depth; }

  // Grammar (parser.cpp).
  bool parseList(ListNode& list);
  bool parseAndOr(AndOrNode& node);
  bool parsePipeline(PipelineNode& node);
  bool parseCommand(CommandNode& node);
  bool parseCompound(CommandNode& node, std::string_view keyword);
  bool parseSubshell(CommandNode& node);
  bool parseIf(CommandNode& node);
  bool parseFor(CommandNode& node);
  bool parseBody(ListNode& list);
  bool takeKeyword(std::string_view keyword);
  bool parseSimple(CommandNode& node);
  [[nodiscard]] std::size_t assignmentNameLength() const;
  bool parseAssignment(CommandNode& node, std::size_t name_length);
  [[nodiscard]] bool listEnds() const;

  // Redirections (redirections.cpp).
  [[nodiscard]] bool atRedirection() const;
  [[nodiscard]] std::size_t digitsBeforeRedirection() const;
  bool parseRedirection(CommandNode& node);
  bool parseDuplication(RedirectionNode& node);
  bool parseHeredoc(RedirectionNode& node);
  bool readHeredocs();

  // Words (words.cpp).
  bool parseWord(WordNode& word, Place place);
  bool parseSingleQuoted(WordNode& word);
  bool parseDoubleQuoted(WordNode& word);
  bool parseAnsiQuoted(WordNode& word);
  bool parseEscape(WordNode& word);
  bool parseDollar(WordNode& word, bool quoted);
  bool parseBraceParameter(WordNode& word, bool quoted);
  bool parseSubstitution(WordNode& word, bool quoted);
  bool parseBackquotes(WordNode& word, bool quoted);
  bool parseArithmetic(WordNode& word, bool quoted);
  bool parseTilde(WordNode& word, std::size_t start, Place place);
  bool parseBraces(WordNode& word, std::size_t start, Place place);

  std::string_view text_;
  Dialect dialect_;
  Budget& budget_;
  bool nested_;            ///< the text of backquotes
  int substitutions_ = 0;  ///< open $( around pos_
  std::size_t pos_ = 0;
  const char* reason_ = nullptr;

  /// A heredoc whose body has not come yet.
  struct PendingHeredoc {
    std::string* body = nullptr;  ///< the node's, stable
    std::string_view delimiter;
    bool quoted = false;
    bool strip_tabs = false;
  };
  std::vector<PendingHeredoc> pending_;
};

}  // namespace ptygate::policy
