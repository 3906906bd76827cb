// SPDX-License-Identifier: Apache-2.0
// How verbs talk to the running gate: one connection a process, errors printed once.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "proxy/control/client.h"
#include "proxy/verbs/verb.h"

namespace ptygate::verbs {

/// Connects; prints why not and gives nullopt (the verb then ends with kUnreachable). A child of the gate has one connection for its
/// whole life: the second call of a process gives the same client.
[[nodiscard]] control::Client* gate(const Caller& caller);

/// Asks one verb. On failure prints it; `status` is then the exit status to return.
struct Asked {
  int status = kUnreachable;
  std::optional<control::Answer> answer;  ///< present when the gate answered, also with a status that is not 0
};
[[nodiscard]] Asked ask(const Caller& caller, const std::string& verb, const std::map<std::string, std::string>& args = {});

/// ask() for verbs whose whole result is one line: prints it and returns the exit status.
[[nodiscard]] int askAndTell(const Caller& caller, const std::string& verb, const std::map<std::string, std::string>& args = {});

/// For a child of the gate: asks who it runs for and compares with the verb's row. kDone, or the status to exit with, already explained.
[[nodiscard]] int confirmPermission(const Verb& verb, const Caller& caller);

}  // namespace ptygate::verbs
