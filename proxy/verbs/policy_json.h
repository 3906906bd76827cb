// SPDX-License-Identifier: Apache-2.0
// A classified line as the JSON that `policy decompose` and `policy explain --json` print. The shape is in README.md and does not change.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "policy/classify.h"

namespace ptygate::verbs {

/// {"opaque", "commands", "canonical"}. Every literal word of an accepted line is valid UTF-8, since the parser refuses other bytes.
[[nodiscard]] nlohmann::ordered_json jsonOfLine(const policy::Classification& line);

/// "bash", "dash" or "sh"; anything else is taken as sh (the table lets nothing else through).
[[nodiscard]] policy::Dialect dialectNamed(std::string_view name);

}  // namespace ptygate::verbs
