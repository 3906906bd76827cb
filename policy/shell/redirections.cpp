// SPDX-License-Identifier: Apache-2.0
// Redirections and heredocs (POSIX XCU 2.7). A target is always literal; descriptors are one digit, since dash reads `12>` as a word.
#include "policy/shell/parser.h"

namespace ptygate::policy {
namespace {

constexpr int kStdin = 0;
constexpr int kStdout = 1;
constexpr int kStderr = 2;

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isDelimiterChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || isDigit(c) || c == '_';
}

}  // namespace

/// How many digits stand here directly before < or >; 0 when they are (part of) a word.
std::size_t Parser::digitsBeforeRedirection() const {
  std::size_t digits = 0;
  while (isDigit(peek(digits))) ++digits;
  return peek(digits) == '<' || peek(digits) == '>' ? digits : 0;
}

bool Parser::atRedirection() const {
  if (peek() == '<' || peek() == '>') return true;
  if (peek() == '&' && peek(1) == '>') return true;
  return digitsBeforeRedirection() > 0;
}

bool Parser::parseRedirection(CommandNode& command) {
  RedirectionNode node;
  bool both = peek() == '&';
  std::size_t digits = digitsBeforeRedirection();
  if (digits > 1) return fail("descriptor of several digits");
  int fd = digits == 1 ? peek() - '0' : -1;
  pos_ += digits;
  if (both) {
    if (dialect_ != Dialect::Bash) return fail("&> is not POSIX");
    ++pos_;
  }
  char first = peek();
  node.fd = fd >= 0 ? fd : (first == '<' ? kStdin : kStdout);
  node.op = first;
  ++pos_;
  char second = peek();
  if (second == '(') return fail("process substitution");
  bool doubled = second == '>' || (first == '<' && second == '<');
  if (both ? second == '>' : (doubled || second == '&' || (first == '>' && second == '|'))) {
    node.op += second;
    ++pos_;
  }
  if (node.op == "<<") {
    if (!parseHeredoc(node)) return false;
  } else if (node.op.size() == 2 && node.op[1] == '&') {
    if (!parseDuplication(node)) return false;
  } else {
    if (!skipBlanks()) return false;
    if (atWordEnd() || digitsBeforeRedirection() > 0) return fail("redirection without a target");
    WordNode target;
    if (!parseWord(target, Place::Target)) return false;
    if (target.kind != Word::Kind::Literal) return fail("dynamic redirection target");
    for (const Part& part : target.parts) node.target += part.text;
    if (node.target.starts_with("/dev/tcp/") || node.target.starts_with("/dev/udp/")) return fail("network redirection");
  }
  command.redirections.push_back(std::move(node));
  if (both) command.redirections.push_back({kStderr, ">&", "1", nullptr});
  return true;
}

bool Parser::parseDuplication(RedirectionNode& node) {
  char target = peek();
  if (!isDigit(target) && target != '-') return fail(">& or <& with a word");
  ++pos_;
  // `>&1-` moves, `>&12` is another descriptor, and in `>&1>f` shells disagree about the digit.
  if (!atWordEnd() || peek() == '<' || peek() == '>') return fail(">& or <& with a word");
  // Aliases of standard input would make reads_own_stdin a guess.
  bool from_stdin = target == '0' && node.fd != kStdin;
  bool onto_stdin = node.fd == kStdin && target != '0' && target != '-';
  if (from_stdin || onto_stdin) return fail("standard input duplicated");
  node.target = target;
  return true;
}

bool Parser::parseHeredoc(RedirectionNode& node) {
  if (peek() == '<') return fail("here-string");
  PendingHeredoc heredoc;
  if (peek() == '-') {
    heredoc.strip_tabs = true;
    ++pos_;
  }
  if (nested_ || substitutions_ > 0) return fail("heredoc in a substitution");
  if (node.fd != kStdin) return fail("heredoc on another descriptor");
  if (!skipBlanks()) return false;
  char quote = peek() == '\'' || peek() == '"' ? peek() : '\0';
  if (quote != '\0') ++pos_;
  std::size_t start = pos_;
  while (isDelimiterChar(peek())) ++pos_;
  heredoc.delimiter = text_.substr(start, pos_ - start);
  heredoc.quoted = quote != '\0';
  if (heredoc.delimiter.empty()) return fail("odd heredoc delimiter");
  if (quote != '\0' && peek() != quote) return fail("odd heredoc delimiter");
  if (quote != '\0') ++pos_;
  if (!atWordEnd() || peek() == '(') return fail("odd heredoc delimiter");
  node.body = std::make_unique<std::string>();
  heredoc.body = node.body.get();
  pending_.push_back(heredoc);
  return true;
}

/// Reads the bodies of all pending heredocs; pos_ is after the newline that ended their line.
bool Parser::readHeredocs() {
  for (const PendingHeredoc& heredoc : pending_) {
    for (;;) {
      if (atEnd()) return fail("heredoc without its delimiter");
      std::size_t end = text_.find('\n', pos_);
      bool last = end == std::string_view::npos;
      std::string_view line = text_.substr(pos_, last ? std::string_view::npos : end - pos_);
      pos_ = last ? text_.size() : end + 1;
      if (heredoc.strip_tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
      if (line == heredoc.delimiter) break;
      if (!heredoc.quoted) {
        for (char c : line) {
          if (c == '$' || c == '`' || c == '\\') return fail("expansion in an unquoted heredoc");
          if (static_cast<unsigned char>(c) >= 0x80) return fail("non-ASCII outside quotes");
        }
      }
      heredoc.body->append(line).push_back('\n');
      if (last) return fail("heredoc without its delimiter");
    }
  }
  pending_.clear();
  return true;
}

}  // namespace ptygate::policy
