// SPDX-License-Identifier: Apache-2.0
// The grammar: lists, and-or lists, pipelines, compound and simple commands (POSIX XCU 2.9 and 2.10, the accepted part of it).
#include "policy/shell/parser.h"

#include <algorithm>
#include <array>

namespace ptygate::policy {
namespace {

constexpr std::array<std::string_view, 8> kClosers = {"then", "do", "done", "fi", "else", "elif", "}", "esac"};

bool isBlank(char c) {
  return c == ' ' || c == '\t';
}
bool isMeta(char c) {
  return isBlank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' || c == '>' || c == '(' || c == ')';
}
bool isNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

/// Shells differ on whether earlier assignments and the command's redirections reach a substitution in an assignment.
bool isOrderUnclear(const CommandNode& node) {
  if (node.assignments.size() < 2 && node.redirections.empty()) return false;
  return std::any_of(node.assignments.begin(), node.assignments.end(), [](const AssignmentNode& assignment) {
    const std::vector<Part>& parts = assignment.value.parts;
    return std::any_of(parts.begin(), parts.end(), [](const Part& part) { return part.kind == Part::Kind::Substitution; });
  });
}

}  // namespace

bool Parser::fail(const char* why) {
  if (reason_ == nullptr) reason_ = why;
  return false;
}

bool Parser::atWordEnd() const {
  return atEnd() || isMeta(text_[pos_]);
}

std::string_view Parser::rawWord() const {
  std::size_t end = pos_;
  while (end < text_.size() && !isMeta(text_[end])) ++end;
  return text_.substr(pos_, end - pos_);
}

bool Parser::enter() {
  if (++budget_.depth > kMaxDepth) return fail("nested too deeply");
  return true;
}

bool Parser::skipBlanks() {
  for (;;) {
    char c = peek();
    if (isBlank(c)) {
      ++pos_;
    } else if (c == '\\' && peek(1) == '\n') {
      // Joined with what precedes it, it could form another operator or word: only after a blank is it surely nothing.
      if (pos_ > 0 && !isBlank(text_[pos_ - 1]) && text_[pos_ - 1] != '\n') return fail("backslash-newline inside a token");
      if (!pending_.empty()) return fail("backslash-newline before a heredoc's body");
      pos_ += 2;
      if (peek() == '#') return fail("comment after a backslash-newline");
    } else if (c == '#') {
      return skipComment();
    } else {
      return true;
    }
  }
}

bool Parser::skipComment() {
  if (nested_) return fail("comment in backquotes");
  for (; !atEnd() && peek() != '\n'; ++pos_) {
    char c = peek();
    if (static_cast<unsigned char>(c) >= 0x80) return fail("non-ASCII outside quotes");
    // Shells before bash 5.2 look for the end of $( without fully knowing comments.
    if (substitutions_ > 0 && std::string_view("'\"`()\\$").find(c) != std::string_view::npos) return fail("comment in a substitution");
  }
  return true;
}

bool Parser::skipNewlines() {
  for (;;) {
    if (!skipBlanks()) return false;
    if (peek() != '\n') return true;
    ++pos_;
    if (!pending_.empty() && !readHeredocs()) return false;
  }
}

bool Parser::parseAll(ListNode& list) {
  if (!parseList(list)) return false;
  if (!atEnd()) return fail("syntax error");
  if (!pending_.empty()) return fail("heredoc without a body");
  return true;
}

bool Parser::listEnds() const {
  if (atEnd() || peek() == ')') return true;
  return std::find(kClosers.begin(), kClosers.end(), rawWord()) != kClosers.end();
}

bool Parser::parseList(ListNode& list) {
  if (!enter() || !skipNewlines()) return false;
  for (;;) {
    AndOrNode& item = list.items.emplace_back();
    if (!parseAndOr(item) || !skipBlanks()) return false;
    list.terminated = false;
    if (peek() == ';' || peek() == '&') {
      item.background = peek() == '&';
      ++pos_;
      if (!item.background && (peek() == ';' || peek() == '&')) return fail("syntax error: ;; or ;&");
      list.terminated = true;
      if (!skipBlanks()) return false;
    }
    if (peek() == '\n') {
      list.terminated = true;
      if (!skipNewlines()) return false;
    }
    if (listEnds()) break;
    if (!list.terminated) return fail("syntax error");
  }
  leave();
  return true;
}

bool Parser::parseAndOr(AndOrNode& node) {
  for (;;) {
    if (!parsePipeline(node.pipelines.emplace_back()) || !skipBlanks()) return false;
    bool is_and = peek() == '&' && peek(1) == '&';
    bool is_or = peek() == '|' && peek(1) == '|';
    if (!is_and && !is_or) return true;
    node.is_and.push_back(is_and);
    pos_ += 2;
    if (!skipNewlines()) return false;
  }
}

bool Parser::parsePipeline(PipelineNode& node) {
  if (!skipBlanks()) return false;
  if (rawWord() == "!") {
    if (!isBlank(peek(1))) return fail("odd negation");
    node.negated = true;
    ++pos_;
    if (!skipBlanks()) return false;
  }
  for (;;) {
    CommandNode& stage = node.stages.emplace_back();
    if (!parseCommand(stage) || !skipBlanks()) return false;
    bool pipes = peek() == '|' && peek(1) != '|';
    bool with_errors = pipes && peek(1) == '&';
    if (with_errors && dialect_ != Dialect::Bash) return fail("|& is not POSIX");
    if (with_errors) stage.redirections.push_back({2, ">&", "1", nullptr});
    if (isOrderUnclear(stage)) return fail("substitution in one of several assignments, or beside redirections");
    if (!pipes) return true;
    pos_ += with_errors ? 2 : 1;
    if (!skipNewlines()) return false;
  }
}

bool Parser::parseCommand(CommandNode& node) {
  if (!skipBlanks()) return false;
  if (peek() == '(') return parseSubshell(node);
  std::string_view word = rawWord();
  for (std::string_view keyword : {"{", "if", "while", "until", "for"}) {
    if (word == keyword) return parseCompound(node, keyword);
  }
  return parseSimple(node);
}

bool Parser::parseCompound(CommandNode& node, std::string_view keyword) {
  pos_ += keyword.size();
  bool good = false;
  if (keyword == "{") {
    node.kind = CommandNode::Kind::Group;
    if (!isBlank(peek()) && peek() != '\n') return fail("{ without a blank");
    good = parseBody(node.lists.emplace_back()) && takeKeyword("}");
  } else if (keyword == "if") {
    good = parseIf(node);
  } else if (keyword == "for") {
    good = parseFor(node);
  } else {
    node.kind = keyword == "while" ? CommandNode::Kind::While : CommandNode::Kind::Until;
    good = parseBody(node.lists.emplace_back()) && takeKeyword("do") && parseBody(node.lists.emplace_back()) && takeKeyword("done");
  }
  if (!good) return false;
  while (skipBlanks() && atRedirection()) {
    if (!parseRedirection(node)) return false;
  }
  if (reason_ == nullptr && !atWordEnd()) return fail("word after a compound command");
  return reason_ == nullptr;
}

bool Parser::parseSubshell(CommandNode& node) {
  if (peek(1) == '(') return fail("((");
  ++pos_;
  node.kind = CommandNode::Kind::Subshell;
  if (!parseList(node.lists.emplace_back())) return false;
  if (peek() != ')') return fail("syntax error: ( without )");
  ++pos_;
  while (skipBlanks() && atRedirection()) {
    if (!parseRedirection(node)) return false;
  }
  if (reason_ == nullptr && !atWordEnd()) return fail("word after a compound command");
  return reason_ == nullptr;
}

/// A list that a keyword has to end, so it needs a separator before that.
bool Parser::parseBody(ListNode& list) {
  if (!parseList(list)) return false;
  if (!list.terminated) return fail("syntax error: missing separator");
  return true;
}

bool Parser::takeKeyword(std::string_view keyword) {
  if (rawWord() != keyword) return fail("syntax error: unexpected or missing keyword");
  pos_ += keyword.size();
  return true;
}

bool Parser::parseIf(CommandNode& node) {
  node.kind = CommandNode::Kind::If;
  for (;;) {
    if (!parseBody(node.lists.emplace_back()) || !takeKeyword("then") || !parseBody(node.lists.emplace_back())) return false;
    if (rawWord() != "elif") break;
    pos_ += 4;
  }
  if (rawWord() == "else") {
    pos_ += 4;
    node.has_else = true;
    if (!parseBody(node.lists.emplace_back())) return false;
  }
  return takeKeyword("fi");
}

bool Parser::parseFor(CommandNode& node) {
  node.kind = CommandNode::Kind::For;
  if (!isBlank(peek()) || !skipBlanks()) return fail("for without a name");
  std::string_view name = rawWord();
  if (!isAssignableName(name)) return fail("loop variable is not a plain lower-case name");
  node.variable = name;
  pos_ += name.size();
  if (!skipBlanks()) return false;
  if (rawWord() != "in") return fail("for without in");
  pos_ += 2;
  while (skipBlanks() && !atWordEnd()) {
    if (digitsBeforeRedirection() > 0) return fail("redirection in a loop's words");
    if (!parseWord(node.words.emplace_back(), Place::Argument)) return false;
  }
  if (reason_ != nullptr) return false;
  if (node.words.empty() || (peek() != ';' && peek() != '\n')) return fail("syntax error in for");
  if (peek() == ';') ++pos_;
  return skipNewlines() && takeKeyword("do") && parseBody(node.lists.emplace_back()) && takeKeyword("done");
}

bool Parser::parseSimple(CommandNode& node) {
  while (skipBlanks()) {
    if (atRedirection()) {
      if (!parseRedirection(node)) return false;
      continue;
    }
    if (peek() == '(') return fail("( after a word or redirection");
    if (atWordEnd()) break;
    std::size_t name_length = node.words.empty() ? assignmentNameLength() : 0;
    if (name_length > 0) {
      if (!parseAssignment(node, name_length)) return false;
    } else {
      Place place = node.words.empty() ? Place::Name : Place::Argument;
      if (!parseWord(node.words.emplace_back(), place)) return false;
      if (node.words.size() == 1 && node.words[0].ansi_quoted) return fail("oddly quoted command name");
    }
  }
  if (reason_ != nullptr) return false;
  if (node.words.empty() && node.assignments.empty() && node.redirections.empty()) return fail("syntax error: missing command");
  return true;
}

/// Length of NAME where NAME= starts here, else 0.
std::size_t Parser::assignmentNameLength() const {
  std::size_t length = 0;
  while (isNameStart(peek(length)) || (length > 0 && isDigit(peek(length)))) ++length;
  if (peek(length) == '+' && peek(length + 1) == '=') return length;
  return length > 0 && peek(length) == '=' ? length : 0;
}

bool Parser::parseAssignment(CommandNode& node, std::size_t name_length) {
  std::string_view name = text_.substr(pos_, name_length);
  pos_ += name_length;
  if (peek() == '+') return fail("+= assignment");
  if (!isAssignableName(name)) return fail("assignment to a name that is not plain lower case");
  ++pos_;
  AssignmentNode& assignment = node.assignments.emplace_back();
  assignment.name = name;
  return parseWord(assignment.value, Place::AssignmentValue);
}

}  // namespace ptygate::policy
