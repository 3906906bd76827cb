// SPDX-License-Identifier: Apache-2.0
// The catalog in memory: what the TOML files say about each program (README.md describes the keys). Values only; filled by loader.cpp,
// read by matcher.cpp and wrappers.cpp. Private to policy/catalog.
#pragma once

#include <re2/re2.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/classify.h"

namespace ptygate::policy {

/// The type of an operand or of a flag's value: decides which checks its text gets.
enum class Kind : std::uint8_t {
  Str,
  Int,
  Pattern,
  Path,
  FileIn,
  TreeIn,
  TreeNames,
  FileOut,
  CodeIn,
  Url,
  Host,
  KeyValue,
  Command,
  Shell,
  Code,
  Sql,
  SqlSelect,
  Container,
  Pod,
  Unit,
  Package,
  User,
  Revision,
  Lang,
  Word,
};

/// What a flag tells about the rest of the call.
enum class Mark : std::uint8_t {
  Tree,     ///< file-in operands are read recursively
  Skip,     ///< the first operand of the list is given by this flag (grep -e, sed -e)
  NotLast,  ///< the "$" operand is given by this flag (cp -t)
  Out,      ///< file-in operands are also written (sed -i)
  Stdin,    ///< standard input is read as the program's class says, whatever the operands
  NoStdin,  ///< standard input is not read
  Filter,   ///< names of a recursive read are limited to this pattern (grep --include)
};

struct ValueSpec {
  Kind kind = Kind::Str;
  std::string name;                ///< of Lang: its table; empty otherwise
  std::vector<std::string> words;  ///< of Word: the permitted texts
  EffectSet effects;
};

struct FlagSpec {
  enum class Value : std::uint8_t { None, Required, Attached };
  Value value = Value::None;
  ValueSpec type;
  std::vector<ValueSpec> further;  ///< of find's multi: the second and later words
  EffectSet effects;
  bool opaque = false;
  std::set<Mark> marks;
};

struct OperandSpec {
  ValueSpec type;
  bool repeat = false;  ///< "*": this one and all that follow
  bool last = false;    ///< "$": the last operand of at least two
};

struct TextRule {
  std::string flag;  ///< only this flag's value; empty: operands
  std::optional<std::string> contains, prefix;
  std::vector<std::string> equals;
  std::shared_ptr<const RE2> not_regex;  ///< hits every text that is not a full match
  std::shared_ptr<const RE2> regex;      ///< full match; shared since specs are copied into modes and subcommands, never changed
  EffectSet effects;
};

struct Lang {
  std::vector<std::shared_ptr<const RE2>> safe;  ///< full match
  EffectSet otherwise;
};

struct Pins {
  std::map<std::string, std::string> env;
  std::vector<std::string> argv;               ///< inserted after the program's name, or after the subcommand for a subcommand's pins
  std::map<std::string, std::string> sql_env;  ///< only when SQL was classified as a read
  std::vector<std::string> sql_argv;
  [[nodiscard]] bool empty() const { return env.empty() && argv.empty() && sql_env.empty() && sql_argv.empty(); }
};

/// How a program runs another command.
struct Inner {
  enum class At : std::uint8_t { Operands, AfterDashes, Flag };
  enum class Through : std::uint8_t { Argv, Shell, RemoteShell };
  At at = At::Operands;
  Through through = Through::Argv;
  std::set<std::string> flags;  ///< of At::Flag
  std::set<std::string> until;  ///< of find's -exec
  bool assigns = false;         ///< NAME=VALUE words before the command
  bool append = false;          ///< any number of unknown words follow (xargs)
  bool privilege = false;
  bool env_lost = false;           ///< environment pins do not reach the command
  bool cwd_lost = false;           ///< runs elsewhere or in an unknown directory
  bool stdin_lost = false;         ///< the command does not get the line's standard input
  bool stdin_code = false;         ///< whatever reads standard input in there counts as code
  std::optional<Dialect> dialect;  ///< of Through::Shell and RemoteShell
};

/// One way of calling a program: the program itself, a subcommand or a mode.
struct CallSpec {
  EffectSet base;
  std::map<std::string, FlagSpec> flags;
  std::vector<OperandSpec> operands;
  std::vector<TextRule> rules;
  std::set<std::string> require_any;  ///< of modes
  std::vector<CallSpec> modes;
  std::vector<Inner> inner;
  Pins pins;
  StdinClass stdin_class = StdinClass::None;
  bool stdin_without_file = false;  ///< read only when no file operand is given, or one is "-"
  bool number = false;              ///< -NUM is a described flag
  bool stop = false;                ///< options end at the first operand
  bool any_operands = false;        ///< every word is an operand without effect, runtime words included
  bool default_here = false;        ///< without an operand "." is read
  bool needs_operand = false;       ///< without an operand the call is not described
};

struct Program {
  enum class Style : std::uint8_t { Gnu, Dash, Find, Tar, Dd };
  std::string name;
  Style style = Style::Gnu;
  bool opaque = false;       ///< a line with it is opaque
  bool changes_cwd = false;  ///< cd
  CallSpec call;
  std::map<std::string, FlagSpec> global;       ///< before a subcommand
  bool global_after = false;                    ///< they may follow it too (kubectl)
  std::map<std::string, CallSpec> subcommands;  ///< "status", "system df"
  EffectSet otherwise;                          ///< besides unknown, when no subcommand matches
  std::map<std::string, Lang> langs;
};

/// A call in a catalog file that a test classifies.
struct Example {
  std::string line;
  EffectSet effects;
  StdinClass stdin_class = StdinClass::None;
  bool opaque = false;
  std::string origin;  ///< "file:line"
};

struct Catalog::Data {
  std::map<std::string, std::shared_ptr<const Program>> programs;  ///< names and aliases
  std::vector<Example> examples;
};

}  // namespace ptygate::policy
