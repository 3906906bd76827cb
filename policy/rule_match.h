// SPDX-License-Identifier: Apache-2.0
// Does a rule speak of this request, and of this command? Two readings: an allow rule has to cover a command for certain; a hold or
// deny rule already matches what the command may turn out to be at run time. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "policy/rule_data.h"

namespace ptygate::policy {

/// Empty when the rule's conditions on agent, target, login, labels, context and intent hold; else the first that does not.
[[nodiscard]] std::string requestMismatch(const Rule& rule, const Request& request);

/// Empty when the allow rule covers command `index` of the line for certain; else why not. A redirection, assignment, runtime word or
/// privilege that the rule does not name makes it not covered.
[[nodiscard]] std::string coverageMismatch(const Rule& rule, const Classification& line, std::size_t index);

/// True when a hold or deny rule matches command `index`: runtime words count as whatever would match.
[[nodiscard]] bool mayMatch(const Rule& rule, const Classification& line, std::size_t index);

/// The rule's reading of an opaque line: one command of unknown program with the effect `unknown`.
[[nodiscard]] bool mayMatchOpaque(const Rule& rule);

/// The rule's verdict reading over a whole line, without its conditions on the request: covers all (allow) or matches any (hold, deny).
/// For the rule's own tests (`match`, `no_match`).
[[nodiscard]] bool matchesLine(const Rule& rule, const Classification& line);

/// "git", "/usr/bin/git" -> "git"; "" for any other path: nobody knows what ./git or /tmp/git is.
[[nodiscard]] std::string programName(const SimpleCommand& command);

}  // namespace ptygate::policy
