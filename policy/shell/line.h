// SPDX-License-Identifier: Apache-2.0
// A command line of bash or a POSIX sh, parsed strictly: what simple commands it can run, and how to print it again.
// Not here: what the commands do (policy/catalog), whether they may run (policy/rules).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ptygate::policy {

/// The shell that will read the line. `Sh` is what POSIX promises of any sh: the intersection.
enum class Dialect : std::uint8_t { Bash, Dash, Sh };

/// One word of a simple command, after quote removal.
struct Word {
  enum class Kind : std::uint8_t {
    Literal,      ///< `text` is exactly the one argument the command gets
    RuntimeOne,   ///< exactly one argument, value known only at run time ("$x", "$(cmd)", a"$b")
    RuntimeMany,  ///< any number of arguments, none included ($x, *.log, $(cmd), ~)
  };
  Kind kind = Kind::Literal;
  std::string text;  ///< of Literal only
  bool operator==(const Word&) const = default;
};

/// A redirection. `op` is one of < > >> >| <> <& >& << (heredocs; <<- is printed as <<).
struct Redirection {
  int fd = -1;  ///< explicit or the operator's default, so never -1 in a result
  std::string op;
  Word target;  ///< file, or "1"/"-" after >& and <&; for << the literal body
  bool operator==(const Redirection&) const = default;
};

/// How a simple command is reached within its line.
enum class Via : std::uint8_t { Top, Pipe, AndOr, Subshell, Substitution, Loop, Branch, Wrapper };

/// One simple command, in source order (inner ones after the command that contains them). The redirections of a compound command
/// (`{ a; } >f`) are an entry of their own with empty argv, before the commands inside.
struct SimpleCommand {
  std::vector<Word> argv;  ///< empty when the command is only assignments or redirections
  std::vector<std::pair<std::string, Word>> assignments;
  std::vector<Redirection> redirections;
  Via via = Via::Top;
  std::string wrapper;          ///< the wrapping program's name, when via is Wrapper (set by the catalog, never by the parser)
  bool reads_pipe = false;      ///< its standard input is an earlier pipe stage of the line
  bool reads_own_stdin = true;  ///< its standard input is the line's own (not a pipe, file, heredoc or `&` job)
  bool in_background = false;
  bool operator==(const SimpleCommand&) const = default;
};

/// A change of one simple command before printing: the catalog's pins (git gets `-c core.fsmonitor=`…).
struct Edit {
  std::size_t command = 0;         ///< index into ParsedLine::commands()
  std::size_t position = 0;        ///< insert before this argv index; with `replace`, the word to replace
  std::vector<std::string> words;  ///< literal words; exactly one with `replace`
  bool replace = false;            ///< replace argv[position], which has to be a Literal
};

/// A line inside the accepted subset. Holds the syntax tree; movable only.
class ParsedLine {
 public:
  ParsedLine(ParsedLine&&) noexcept;
  ParsedLine& operator=(ParsedLine&&) noexcept;
  ~ParsedLine();

  [[nodiscard]] const std::vector<SimpleCommand>& commands() const;

  /// The canonical form: same structure, every literal word quoted as exec.md needs (only where needed, then with "…" where nothing in it
  /// is special to double quotes, else with '…', so that PLAIN is possible), one line unless a heredoc forbids. Empty when an edit names
  /// a word that does not exist. The caller has to check print() by parsing it again: printsBack().
  [[nodiscard]] std::string print(const std::vector<Edit>& edits = {}) const;

  /// Text that is equal for lines of equal structure and words only; for tests and printsBack. Empty when an edit does not apply.
  [[nodiscard]] std::string describe(const std::vector<Edit>& edits = {}) const;

  struct Tree;
  explicit ParsedLine(std::unique_ptr<Tree>);

 private:
  std::unique_ptr<Tree> tree_;
};

/// Why a line is outside the subset, for people: "process substitution", "brace expansion" …
struct Opaque {
  std::string reason;
};

/// Limits beyond which a line is opaque (policy.md, section 1).
inline constexpr std::size_t kMaxLineBytes = 64 * 1024;
inline constexpr int kMaxDepth = 40;
inline constexpr std::size_t kMaxWords = 500;

/// Either a ParsedLine or the reason why not. Total: never throws, never asserts on any bytes.
struct ParseResult {
  std::optional<ParsedLine> line;
  Opaque opaque;  ///< reason is empty when `line` has a value
};

/// Parses one line (any bytes, NUL included) as `dialect` would. Pure; about a microsecond per word.
[[nodiscard]] ParseResult parseLine(std::string_view bytes, Dialect dialect);

/// True when parsing `canonical` gives commands and structure equal to `line` with `edits` applied. False means: treat as opaque.
[[nodiscard]] bool printsBack(const ParsedLine& line, const std::vector<Edit>& edits, std::string_view canonical, Dialect dialect);

}  // namespace ptygate::policy
