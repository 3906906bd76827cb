// SPDX-License-Identifier: Apache-2.0
// What an operator does at a target so that the gate can log in, as text or as Ansible tasks. Pure: strings in, strings out.
// The names in it come from a checked configuration (config::isName, isLogin), so that they need no quoting in shell or YAML.
#pragma once

#include <string>

#include "proxy/config/config.h"

namespace ptygate::verbs {

/// For people: commands to paste, how to check, how to undo. `public_key`: the user CA's, or the target's identity key.
[[nodiscard]] std::string setUpText(const config::Target& target, const std::string& public_key);
/// The same as a play of Ansible tasks (YAML).
[[nodiscard]] std::string setUpAnsible(const config::Target& target, const std::string& public_key);

}  // namespace ptygate::verbs
