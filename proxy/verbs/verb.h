// SPDX-License-Identifier: Apache-2.0
// What a verb of the program is: a row of the table (table.cpp) and a function. Values only; the parsing of argv is table.cpp's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/control/protocol.h"

namespace ptygate::verbs {

/// Exit statuses of all verbs. `wait` adds 75, 124 and 126 for agents (proxy/verbs/README.md).
using control::kDone;
using control::kNegative;
using control::kNotPermitted;
using control::kUnreachable;
using control::kUsage;

/// One option or argument of a verb. The help text and the parser are made from the same value, so that help cannot lie.
struct Option {
  enum class Kind : std::uint8_t {
    Flag,    ///< --json
    Text,    ///< --agent NAME, at most once
    List,    ///< --label KEY=VALUE, any number of times; as argument: the rest of the command line
    Number,  ///< --idle-limit SECONDS: a decimal number from 0 to 1e9
    Choice,  ///< --shell bash|dash|sh: one of the words in `value`
  };
  std::string_view name;  ///< "--json"; without dashes it is a positional argument ("ID")
  Kind kind = Kind::Flag;
  std::string_view value;  ///< how help names the value; of Choice: the words, split by '|'
  std::string_view help;
  bool required = false;
  bool local_only = false;  ///< refused over SSH: it names a file or socket of the gate's host
};

/// The values that were given, checked against the verb's options.
class Arguments {
 public:
  [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
  /// The value, or `otherwise` when not given.
  [[nodiscard]] std::string text(std::string_view name, std::string_view otherwise = {}) const;
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;
  [[nodiscard]] double number(std::string_view name, double otherwise) const;
  void add(std::string_view name, std::string value) { values_[std::string(name)].push_back(std::move(value)); }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

/// Where and for whom a verb runs.
struct Caller {
  std::string dir;        ///< the gate's directory: ptygate.toml, policy.toml, rec/, ledger/, run/
  bool over_ssh = false;  ///< a child of the gate, for an authenticated person or agent at the other end of PTYGATE_CONTROL_FD
};

/// Who a verb is for. Decides where `--help` lists it; what is permitted the gate decides by its own table.
enum class Audience : std::uint8_t { Operate, Review, Audit, Policy, Agent, Hidden };

/// Which permission a verb needs when it runs as the gate's child and reads the gate's files itself, without asking the gate for each.
/// Checked by the child before it does anything (defence in depth: the gate checked before it started the child).
enum class Remote : std::uint8_t {
  Never,     ///< not over SSH
  AsksGate,  ///< every act is a question to the gate, which decides by the identity of the connection
  Operate,
  Review,
  Audit,
  Anyone,  ///< a person with any permission
};

struct Verb {
  std::string_view name;  ///< one or two words: "review", "policy check"
  Audience audience;
  Remote remote;
  std::string_view summary;  ///< one line for the list
  std::string_view details;  ///< further lines of its --help, or empty
  std::vector<Option> options;
  int (*run)(const Arguments&, const Caller&);
};

/// Every verb, in the order of the help text. Built once.
[[nodiscard]] const std::vector<Verb>& verbTable();

/// Parses the command line, finds the verb, runs it; the exit status of the process.
[[nodiscard]] int runCommandLine(int argc, char** argv);

}  // namespace ptygate::verbs
