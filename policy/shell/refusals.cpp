// SPDX-License-Identifier: Apache-2.0
// Commands whose words do not say all that they run or change: most shell builtins, odd names, and the forms of test, printf and wait
// that take a variable's name (bash evaluates its subscript, which can run code).
#include <algorithm>
#include <array>
#include <span>

#include "policy/shell/tree.h"

namespace ptygate::policy {
namespace {

using Kind = Word::Kind;

/// Reserved words, and builtins of bash, dash, ksh, mksh, yash and zsh that change what later words mean, run their arguments, or
/// assign to named variables. Sorted.
constexpr std::array kRefusedNames = std::to_array<std::string_view>(
    {".",         "alarm",    "alias",     "autoload", "bg",        "bind",    "bindkey", "builtin", "caller",  "case",       "chdir",
     "compdef",   "compgen",  "complete",  "compopt",  "compound",  "coproc",  "declare", "dirs",    "disable", "disown",     "do",
     "done",      "elif",     "else",      "emulate",  "enable",    "esac",    "eval",    "exec",    "export",  "fc",         "fg",
     "fi",        "float",    "for",       "function", "functions", "getopts", "global",  "hash",    "help",    "hist",       "history",
     "if",        "in",       "integer",   "jobs",     "let",       "limit",   "local",   "login",   "logout",  "mapfile",    "nameref",
     "namespace", "newgrp",   "nocorrect", "noglob",   "popd",      "print",   "private", "pushd",   "pushln",  "r",          "read",
     "readarray", "readonly", "redirect",  "repeat",   "return",    "sched",   "select",  "set",     "setopt",  "shift",      "shopt",
     "source",    "stop",     "suspend",   "then",     "time",      "times",   "trap",    "typeset", "unalias", "unfunction", "unhash",
     "unlimit",   "unset",    "unsetopt",  "until",    "vared",     "wait",    "whence",  "while",   "zle",     "zmodload",   "zstyle"});
static_assert(std::is_sorted(kRefusedNames.begin(), kRefusedNames.end()));

bool isNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.+/:@,-").find(c) != std::string_view::npos;
}

bool isRefusedName(std::string_view name) {
  return std::binary_search(kRefusedNames.begin(), kRefusedNames.end(), name);
}

const char* refuseName(const Word& word) {
  if (word.kind != Kind::Literal) return "dynamic command name";
  const std::string& name = word.text;
  if (name == "[") return nullptr;
  if (name.empty() || name[0] == '-' || name[0] == '+' || !std::all_of(name.begin(), name.end(), isNameChar)) return "odd command name";
  if (name != "wait" && isRefusedName(name)) return "shell builtin or keyword outside the subset";
  return nullptr;
}

constexpr std::array kUnaryTests = std::to_array<std::string_view>(
    {"-b", "-c", "-d", "-e", "-f", "-g", "-h", "-k", "-n", "-p", "-r", "-s", "-u", "-w", "-x", "-z", "-G", "-L", "-N", "-O", "-S"});
constexpr std::array kBinaryTests = std::to_array<std::string_view>({"=", "==", "!=", "-nt", "-ot", "-ef"});
constexpr std::array kNumericTests = std::to_array<std::string_view>({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"});

bool isOneOf(std::span<const std::string_view> set, const Word& word) {
  return word.kind == Kind::Literal && std::find(set.begin(), set.end(), word.text) != set.end();
}

bool isInteger(const Word& word) {
  if (word.kind != Kind::Literal) return false;
  std::string_view digits = word.text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  return !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
}

/// test and [: with a runtime operand only the forms whose operator is fixed by its place.
const char* refuseTest(std::span<const Word> operands, Dialect dialect) {
  bool runtime = false;
  bool numeric = false;
  for (const Word& word : operands) {
    if (word.kind == Kind::RuntimeMany) return "test with an unknown number of operands";
    runtime = runtime || word.kind != Kind::Literal;
    numeric = numeric || isOneOf(kNumericTests, word);
    if (word.kind == Kind::Literal && (word.text == "-v" || word.text == "-R" || word.text.find('[') != std::string::npos)) {
      return "test of a variable's name";
    }
  }
  if (!operands.empty() && operands[0].kind == Kind::Literal && operands[0].text == "!") operands = operands.subspan(1);
  bool numbers = operands.size() == 3 && isOneOf(kNumericTests, operands[1]);
  // ksh and mksh evaluate the operands of -eq and its like as arithmetic: names, and code in their subscripts.
  if (dialect == Dialect::Sh && numeric && !(numbers && isInteger(operands[0]) && isInteger(operands[2]))) {
    return "numeric test of other than numbers";
  }
  if (!runtime || operands.size() == 1 || numbers) return nullptr;
  if (operands.size() == 2 && isOneOf(kUnaryTests, operands[0])) return nullptr;
  if (operands.size() == 3 && isOneOf(kBinaryTests, operands[1])) return nullptr;
  return "test whose operator is known only at run time";
}

/// printf: the format has to be known, since -v and %n assign to variables.
const char* refusePrintf(std::span<const Word> arguments) {
  if (!arguments.empty() && arguments[0].kind == Kind::Literal && arguments[0].text == "--") arguments = arguments.subspan(1);
  if (arguments.empty()) return nullptr;
  if (arguments[0].kind != Kind::Literal) return "printf with a dynamic format";
  std::string_view format = arguments[0].text;
  if (format.starts_with('-')) return "printf with an option";
  for (std::size_t i = format.find('%'); i != std::string_view::npos; i = format.find('%', i)) {
    std::size_t end = format.find_first_not_of("0123456789 +-#'*.hjlLtz", i + 1);
    if (end == std::string_view::npos) break;
    if (format[end] == 'n') return "printf with %n";
    i = end + 1;
  }
  return nullptr;
}

const char* refuseWait(std::span<const Word> arguments) {
  auto isNumber = [](const Word& word) {
    return word.kind == Kind::Literal && !word.text.empty() && word.text.find_first_not_of("0123456789") == std::string::npos;
  };
  bool single = arguments.size() == 1 && arguments[0].kind == Kind::RuntimeOne;
  return single || std::all_of(arguments.begin(), arguments.end(), isNumber) ? nullptr : "wait with an option";
}

const char* refuseArguments(std::span<const Word> argv, Dialect dialect);

/// Builtins whose number ksh and mksh evaluate as arithmetic.
const char* refuseNumbers(std::span<const Word> arguments) {
  bool literal = std::all_of(arguments.begin(), arguments.end(), [](const Word& word) {
    return word.kind == Kind::Literal && word.text.find_first_not_of("abcdefghijklmnopqrstuvwxyzHS0123456789-") == std::string::npos;
  });
  return literal ? nullptr : "number known only at run time";
}

/// command NAME …: as NAME; command -v and -V only look up.
const char* refuseCommandBuiltin(std::span<const Word> arguments, Dialect dialect) {
  if (arguments.empty()) return nullptr;
  bool lookup = arguments[0].kind == Kind::Literal && (arguments[0].text == "-v" || arguments[0].text == "-V");
  if (lookup) {
    bool options = std::any_of(arguments.begin() + 1, arguments.end(),
                               [](const Word& word) { return word.kind == Kind::RuntimeMany || word.text.starts_with('-'); });
    return options ? "command with odd options" : nullptr;
  }
  if (const char* why = refuseName(arguments[0])) return why;
  return refuseArguments(arguments, dialect);
}

const char* refuseArguments(std::span<const Word> argv, Dialect dialect) {
  const std::string& name = argv[0].text;
  std::span<const Word> rest = argv.subspan(1);
  if (name == "test") return refuseTest(rest, dialect);
  if (name == "[") {
    if (rest.empty() || rest.back().kind != Kind::Literal || rest.back().text != "]") return "[ without ]";
    return refuseTest(rest.first(rest.size() - 1), dialect);
  }
  if (name == "printf") return refusePrintf(rest);
  if (name == "wait") return refuseWait(rest);
  if (name == "command") return refuseCommandBuiltin(rest, dialect);
  if (dialect == Dialect::Sh && (name == "exit" || name == "break" || name == "continue" || name == "ulimit")) return refuseNumbers(rest);
  return nullptr;
}

}  // namespace

const char* refuseCommand(const SimpleCommand& command, Dialect dialect) {
  if (command.argv.empty()) return nullptr;
  if (const char* why = refuseName(command.argv[0])) return why;
  return refuseArguments(command.argv, dialect);
}

bool isAssignableName(std::string_view name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z') return false;
  for (char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  // bash acts on histchars and auto_resume; programs act on http_proxy and its like when the account exports them.
  return name != "histchars" && name != "auto_resume" && !name.ends_with("_proxy");
}

}  // namespace ptygate::policy
