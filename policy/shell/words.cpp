// SPDX-License-Identifier: Apache-2.0
// Words: quoting, expansions, patterns, tilde and the few harmless uses of braces (POSIX XCU 2.2, 2.6).
#include <utility>

#include "policy/shell/parser.h"

namespace ptygate::policy {
namespace {

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool isNameChar(char c) {
  return isAlpha(c) || isDigit(c) || c == '_';
}
bool isPrintable(char c) {
  return c >= ' ' && c <= '~';
}

void addText(WordNode& word, char c, bool quoted) {
  if (word.parts.empty() || word.parts.back().kind != Part::Kind::Literal || word.parts.back().quoted != quoted) {
    word.parts.push_back({Part::Kind::Literal, quoted, {}, nullptr});
  }
  word.parts.back().text.push_back(c);
}

/// Quotes make a word even when nothing is in them.
void openQuotes(WordNode& word) {
  if (word.parts.empty() || word.parts.back().kind != Part::Kind::Literal || !word.parts.back().quoted) {
    word.parts.push_back({Part::Kind::Literal, true, {}, nullptr});
  }
}

void addPattern(WordNode& word, char c) {
  if (word.parts.empty() || word.parts.back().kind != Part::Kind::Pattern) word.parts.push_back({Part::Kind::Pattern, false, {}, nullptr});
  word.parts.back().text.push_back(c);
}

/// NUMBER {(+|-|*) NUMBER}, decimal without leading zeros (octal), with blanks between: never an error at run time.
bool isSum(std::string_view text) {
  bool number_expected = true;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
    } else if (isDigit(text[i])) {
      std::size_t end = i;
      while (end < text.size() && isDigit(text[end])) ++end;
      if (!number_expected || end - i > 9 || (text[i] == '0' && end - i > 1)) return false;
      number_expected = false;
      i = end;
    } else {
      if (number_expected) return false;
      number_expected = true;
      ++i;
    }
  }
  return !number_expected;
}

Word::Kind kindOf(const WordNode& word, bool splits, Dialect dialect) {
  Word::Kind kind = Word::Kind::Literal;
  for (const Part& part : word.parts) {
    if (part.kind == Part::Kind::Literal) continue;
    bool many = part.kind == Part::Kind::Tilde ? dialect == Dialect::Sh : !part.quoted || part.text == "@";
    if (many && splits) return Word::Kind::RuntimeMany;
    kind = Word::Kind::RuntimeOne;
  }
  return kind;
}

/// The normal form: in a pattern every unquoted character is Pattern; elsewhere literals are merged, and empty ones dropped where the
/// word is surely one argument without them.
void finishWord(WordNode& word, bool splits, Dialect dialect) {
  bool pattern = false;
  for (const Part& part : word.parts) pattern = pattern || part.kind == Part::Kind::Pattern;
  word.kind = kindOf(word, splits, dialect);
  std::vector<Part> merged;
  for (Part& part : word.parts) {
    if (part.kind == Part::Kind::Literal) {
      if (pattern && !part.quoted) {
        part.kind = Part::Kind::Pattern;
      } else {
        part.quoted = true;
      }
      if (part.text.empty() && word.kind == Word::Kind::RuntimeOne) continue;
    }
    bool text = part.kind == Part::Kind::Literal || part.kind == Part::Kind::Pattern;
    if (text && !merged.empty() && merged.back().kind == part.kind) {
      merged.back().text += part.text;
    } else {
      merged.push_back(std::move(part));
    }
  }
  if (merged.empty()) merged.push_back({Part::Kind::Literal, true, {}, nullptr});
  word.parts = std::move(merged);
}

}  // namespace

/// Reads one word; at an assignment's value it may be empty.
bool Parser::parseWord(WordNode& word, Place place) {
  if (++budget_.words > kMaxWords) return fail("more than 500 words");
  std::size_t start = pos_;
  bool splits = place != Place::AssignmentValue;
  bool good = true;
  while (good && !atWordEnd()) {
    char c = peek();
    switch (c) {
      case '\'':
        good = parseSingleQuoted(word);
        break;
      case '"':
        good = parseDoubleQuoted(word);
        break;
      case '\\':
        good = parseEscape(word);
        break;
      case '$':
        good = parseDollar(word, false);
        break;
      case '`':
        good = parseBackquotes(word, false);
        break;
      case '{':
        good = parseBraces(word, start, place);
        break;
      case '}':
        good = fail("stray }");
        break;
      case '~':
        good = parseTilde(word, start, place);
        break;
      case '*':
      case '?':
      case '[':
        if (!splits || (place == Place::Name && rawWord() == "[" && pos_ == start)) {
          addText(word, c, false);
        } else {
          addPattern(word, c);
        }
        ++pos_;
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x80) return fail("non-ASCII outside quotes");
        addText(word, c, false);
        ++pos_;
    }
  }
  if (!good) return false;
  if (peek() == '(') return fail("( inside a word");
  finishWord(word, splits, dialect_);
  // bash neither splits nor globs $x$, nor even $(cmd)a$ (5.2.15).
  if (word.lone_dollar && word.kind != Word::Kind::Literal) return fail("odd use of $");
  if (word.parts.size() > 1) {
    for (const Part& part : word.parts) {
      // Shells differ on what is left of "a$@b" and "$@"$x where there are no arguments.
      if (part.kind == Part::Kind::Parameter && part.text == "@") return fail("$@ inside a word");
    }
  }
  return true;
}

bool Parser::parseSingleQuoted(WordNode& word) {
  openQuotes(word);
  for (++pos_; !atEnd(); ++pos_) {
    char c = peek();
    if (c == '\'') {
      ++pos_;
      return true;
    }
    if (c == '\n' && !pending_.empty()) return fail("newline in quotes before a heredoc's body");
    addText(word, c, true);
  }
  return fail("unterminated quote");
}

bool Parser::parseDoubleQuoted(WordNode& word) {
  ++pos_;
  // "$@" may be no word at all, so only quotes around nothing leave an empty part.
  if (peek() == '"') openQuotes(word);
  while (!atEnd()) {
    char c = peek();
    if (c == '"') {
      ++pos_;
      return true;
    }
    if (c == '$') {
      if (!parseDollar(word, true)) return false;
    } else if (c == '`') {
      if (!parseBackquotes(word, true)) return false;
    } else if (c == '\\') {
      char next = peek(1);
      if (next == '\n') return fail("backslash-newline inside a token");
      bool special = next == '$' || next == '`' || next == '"' || next == '\\';
      addText(word, special ? next : c, true);
      pos_ += special ? 2 : 1;
    } else {
      if (c == '\n' && !pending_.empty()) return fail("newline in quotes before a heredoc's body");
      addText(word, c, true);
      ++pos_;
    }
  }
  return fail("unterminated quote");
}

/// $'…' with the escapes that every bash reads alike and that yield no control character but LF and TAB.
bool Parser::parseAnsiQuoted(WordNode& word) {
  if (dialect_ != Dialect::Bash) return fail("$' is not POSIX");
  word.ansi_quoted = true;
  openQuotes(word);
  for (pos_ += 2; !atEnd(); ++pos_) {
    char c = peek();
    if (c == '\'') {
      ++pos_;
      return true;
    }
    if (c == '\n') return fail("newline in $'");
    if (c == '\\') {
      ++pos_;
      switch (peek()) {
        case 'n':
          c = '\n';
          break;
        case 't':
          c = '\t';
          break;
        case '\\':
        case '\'':
        case '"':
          c = peek();
          break;
        default:
          return fail("escape in $'");
      }
    }
    addText(word, c, true);
  }
  return fail("unterminated quote");
}

bool Parser::parseEscape(WordNode& word) {
  char next = peek(1);
  if (next == '\n') return fail("backslash-newline inside a token");
  if (!isPrintable(next)) return fail("backslash before nothing or an odd character");
  addText(word, next, true);
  pos_ += 2;
  return true;
}

bool Parser::parseDollar(WordNode& word, bool quoted) {
  char next = peek(1);
  if (next == '(') return peek(2) == '(' ? parseArithmetic(word, quoted) : parseSubstitution(word, quoted);
  if (next == '{') return parseBraceParameter(word, quoted);
  if (next == '\'' && !quoted) return parseAnsiQuoted(word);
  if (isAlpha(next) || next == '_') {
    std::size_t length = 1;
    while (isNameChar(peek(1 + length))) ++length;
    std::string name(text_.substr(pos_ + 1, length));
    if (name == "LINENO") return fail("$LINENO");
    word.parts.push_back({Part::Kind::Parameter, quoted, std::move(name), nullptr});
    pos_ += 1 + length;
    return true;
  }
  if (isDigit(next) && isDigit(peek(2))) return fail("$ with two digits");
  if (next != '\0' && (isDigit(next) || std::string_view("@*#?$!-").find(next) != std::string_view::npos)) {
    word.parts.push_back({Part::Kind::Parameter, quoted, std::string(1, next), nullptr});
    pos_ += 2;
    return true;
  }
  bool last = quoted ? next == '"' || next == ' ' || (dialect_ == Dialect::Bash && (next == '|' || next == ')' || next == '/'))
                     : pos_ + 1 == text_.size() || std::string_view(" \t\n;&|)<>").find(next) != std::string_view::npos;
  if (!last) return fail("odd use of $");
  addText(word, '$', true);
  word.lone_dollar = true;
  ++pos_;
  return true;
}

bool Parser::parseBraceParameter(WordNode& word, bool quoted) {
  std::size_t begin = pos_ + 2;
  std::size_t end = begin;
  if (begin < text_.size() && (isAlpha(text_[begin]) || text_[begin] == '_')) {
    while (end < text_.size() && isNameChar(text_[end])) ++end;
  } else if (begin < text_.size() && isDigit(text_[begin])) {
    while (end < text_.size() && isDigit(text_[end])) ++end;
  } else if (begin < text_.size() && (text_[begin] == '@' || text_[begin] == '*')) {
    ++end;
  }
  if (end == begin || end >= text_.size() || text_[end] != '}') return fail("parameter operator");
  std::string name(text_.substr(begin, end - begin));
  if (name == "LINENO") return fail("$LINENO");
  word.parts.push_back({Part::Kind::Parameter, quoted, std::move(name), nullptr});
  pos_ = end + 1;
  return true;
}

bool Parser::parseSubstitution(WordNode& word, bool quoted) {
  if (!pending_.empty()) return fail("substitution before a heredoc's body");
  pos_ += 2;
  ++substitutions_;
  auto list = std::make_unique<ListNode>();
  if (!parseList(*list)) return false;
  if (peek() != ')') return fail("syntax error: $( without )");
  ++pos_;
  --substitutions_;
  word.parts.push_back({Part::Kind::Substitution, quoted, {}, std::move(list)});
  return true;
}

/// `…` where the text between means the same whatever the shell does with backslashes and quotes first.
bool Parser::parseBackquotes(WordNode& word, bool quoted) {
  if (nested_) return fail("nested backquotes");
  std::size_t end = text_.find('`', pos_ + 1);
  if (end == std::string_view::npos) return fail("unterminated quote");
  std::string_view inner = text_.substr(pos_ + 1, end - pos_ - 1);
  if (inner.find('\\') != std::string_view::npos) return fail("backslash in backquotes");
  if (quoted && inner.find('"') != std::string_view::npos) return fail("double quotes in quoted backquotes");
  if (!pending_.empty()) return fail("substitution before a heredoc's body");
  Parser parser(inner, dialect_, budget_, true);
  auto list = std::make_unique<ListNode>();
  if (!parser.parseAll(*list)) return fail(parser.reason());
  pos_ = end + 1;
  word.parts.push_back({Part::Kind::Substitution, quoted, {}, std::move(list)});
  return true;
}

bool Parser::parseArithmetic(WordNode& word, bool quoted) {
  std::size_t begin = pos_ + 3;
  std::size_t end = text_.find_first_not_of("0123456789 +-*", begin);
  if (end == std::string_view::npos || text_.substr(end, 2) != "))") return fail("arithmetic with more than digits and + - *");
  std::string_view text = text_.substr(begin, end - begin);
  if (!isSum(text)) return fail("arithmetic other than a sum of decimal numbers");
  word.parts.push_back({Part::Kind::Arithmetic, quoted, std::string(text), nullptr});
  pos_ = end + 2;
  return true;
}

bool Parser::parseTilde(WordNode& word, std::size_t start, Place place) {
  if (pos_ == start) {
    ++pos_;
    if (!atWordEnd() && peek() != '/') return fail("named home directory");
    if (place == Place::Target) return fail("dynamic redirection target");
    word.parts.push_back({Part::Kind::Tilde, true, {}, nullptr});
    return true;
  }
  // bash expands ~ after = and : in what looks like an assignment, even among arguments.
  char before = text_[pos_ - 1];
  bool plain = word.parts.size() == 1 && word.parts[0].kind == Part::Kind::Literal && !word.parts[0].quoted;
  if (!plain) return fail("odd ~");
  if (!isNameChar(before) && before != '.' && before != '/' && before != '@' && before != '-' && before != '^') return fail("odd ~");
  addText(word, '~', false);
  ++pos_;
  return true;
}

/// {}, stash@{0}, file.{}: literal in every shell, since the whole word is plain and has one pair of braces without , and ..
/// (brace expansion pairs { with a later } when no comma stands between: {a},b} has two words).
bool Parser::parseBraces(WordNode& word, std::size_t start, Place place) {
  std::string_view raw = text_.substr(start, pos_ - start);
  std::string_view rest = rawWord();
  constexpr std::string_view kAround = "_./:@^=+-";
  for (char c : raw) {
    if (!isNameChar(c) && kAround.find(c) == std::string_view::npos) return fail("brace expansion");
  }
  std::size_t close = 1;
  while (close < rest.size() && (isNameChar(rest[close]) || rest[close] == '-')) ++close;
  if (close >= rest.size() || rest[close] != '}') return fail("brace expansion");
  for (char c : rest.substr(close + 1)) {
    if (!isNameChar(c) && kAround.find(c) == std::string_view::npos) return fail("brace expansion");
  }
  if (rest.find("..") != std::string_view::npos) return fail("brace expansion");
  if (raw.empty() && close > 1 && (peek(rest.size()) == '<' || peek(rest.size()) == '>')) return fail("{fd} redirection");
  if (place == Place::Target) return fail("braces in a redirection target");
  for (char c : rest) addText(word, c, false);
  pos_ += rest.size();
  return true;
}

}  // namespace ptygate::policy
