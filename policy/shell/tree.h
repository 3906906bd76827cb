// SPDX-License-Identifier: Apache-2.0
// The syntax tree of an accepted line: what parser.cpp builds, commands.cpp lists and printer.cpp prints. Internal to policy/shell.
// Words are already in a normal form (see finishWord), so that equal trees mean equal lines.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/shell/line.h"

namespace ptygate::policy {

struct ListNode;

/// A piece of a word. `quoted` matters to Parameter, Substitution and Arithmetic (splitting) and never to Literal once finished.
struct Part {
  enum class Kind : std::uint8_t {
    Literal,       ///< `text` after quote removal
    Pattern,       ///< `text` as written, unquoted, of a word with * ? or [
    Parameter,     ///< `text` is the name or the special character
    Substitution,  ///< `list`
    Arithmetic,    ///< `text` is digits, blanks and + - *
    Tilde,         ///< a leading ~ before / or the word's end
  };
  Kind kind = Kind::Literal;
  bool quoted = false;
  std::string text;
  std::unique_ptr<ListNode> list;
};

struct WordNode {
  Word::Kind kind = Word::Kind::Literal;
  bool ansi_quoted = false;  ///< written with $'…'
  bool lone_dollar = false;  ///< has a $ that starts no expansion
  std::vector<Part> parts;
};

struct RedirectionNode {
  int fd = 0;
  std::string op;
  std::string target;
  std::unique_ptr<std::string> body;  ///< of <<; on the heap since it is read after the node was moved into its tree
  [[nodiscard]] const std::string& text() const { return body ? *body : target; }
};

struct AssignmentNode {
  std::string name;
  WordNode value;
};

struct CommandNode {
  enum class Kind : std::uint8_t { Simple, Group, Subshell, If, While, Until, For };
  Kind kind = Kind::Simple;
  std::vector<AssignmentNode> assignments;    ///< Simple
  std::vector<WordNode> words;                ///< Simple: argv; For: the list
  std::string variable;                       ///< For
  std::vector<ListNode> lists;                ///< Group, Subshell, For: body; While, Until: condition, body; If: (condition, body)+
  bool has_else = false;                      ///< If: the last list is the else branch
  std::vector<RedirectionNode> redirections;  ///< in source order
  /// Index into ParsedLine::commands(); of a compound command: of the entry that stands for its redirections, when it has any.
  std::size_t index = 0;
};

struct PipelineNode {
  bool negated = false;
  std::vector<CommandNode> stages;
};

struct AndOrNode {
  std::vector<PipelineNode> pipelines;
  std::vector<bool> is_and;  ///< one fewer than pipelines; false means ||
  bool background = false;
};

struct ListNode {
  std::vector<AndOrNode> items;
  bool terminated = false;  ///< the last item was followed by ; & or a newline
};

struct ParsedLine::Tree {
  ListNode root;
  std::vector<SimpleCommand> commands;
};

/// Fills commands and the nodes' indices from the root. In source order; see line.h for the fields' meaning.
void listCommands(ParsedLine::Tree& tree, Dialect dialect);

/// The reason why a command could run or change more than its words say, or nullptr.
[[nodiscard]] const char* refuseCommand(const SimpleCommand& command, Dialect dialect);

/// True for a name that a line may assign to: plain lower case, no variable that programs or shells act on.
[[nodiscard]] bool isAssignableName(std::string_view name);

/// The reason why bytes can be no accepted line whatever their grammar (invalid UTF-8, control and invisible characters), or nullptr.
[[nodiscard]] const char* refuseBytes(std::string_view bytes);

}  // namespace ptygate::policy
