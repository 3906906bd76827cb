// SPDX-License-Identifier: Apache-2.0
// A loaded rule file, for the files that load, match and explain it. Everyone else uses rules.h.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/placeholders.h"
#include "policy/rules.h"

namespace ptygate::policy {

/// A waiting time; `none` waits for ever.
using Patience = std::optional<std::chrono::milliseconds>;

/// A redirection that an allow rule names: "read:GLOB", "write:GLOB" (also append) or "heredoc".
struct RedirectionPermit {
  enum class Kind : unsigned char { Read, Write, Heredoc } kind = Kind::Read;
  std::string glob;
};

struct Rule {
  std::string name;
  Verdict verdict = Verdict::Hold;

  // Whose request: all that are given have to hold.
  std::vector<std::string> agents;
  std::vector<std::string> targets;
  std::vector<std::string> logins;
  std::map<std::string, std::string> labels;
  std::vector<Context> contexts;
  std::optional<bool> intent;

  // Which commands.
  bool anything = false;
  std::vector<WordPattern> argv;
  std::vector<std::string> programs;
  std::optional<EffectSet> effects;
  std::optional<EffectSet> effects_any;
  std::optional<bool> sudo;
  std::vector<RedirectionPermit> redirections;

  // What follows.
  int approvals = 1;
  std::vector<std::string> reviewers;
  std::set<std::string> eligible;  ///< names of the people who may review under it
  bool not_owner = false;
  bool remember = true;
  std::optional<Patience> answer_within;
  std::optional<Patience> expires;
  std::string advice;
  bool may_change_and_retry = false;
  std::optional<StdinRule> stdin_rule;
  bool record_hash = false;

  /// True when it looks at commands at all; a rule that does not applies to every line of the requests it matches.
  [[nodiscard]] bool looksAtCommands() const { return !argv.empty() || !programs.empty() || effects || effects_any || sudo; }
};

struct RuleDefaults {
  Verdict unmatched = Verdict::Hold;
  Verdict opaque = Verdict::Hold;
  Patience answer_within = std::chrono::seconds(50);
  Patience expires = std::chrono::minutes(5);
};

struct RuleSet::Data {
  RuleDefaults defaults;
  std::vector<Rule> rules;
  std::string hash;
  std::vector<std::string> warnings;
};

}  // namespace ptygate::policy
