// SPDX-License-Identifier: Apache-2.0
// Looking at a session while it runs, by tailing its cast (which is always ahead of what the agent got). Used by watch, follow and review.
#pragma once

#include <functional>
#include <string>

#include "proxy/prompt/terminal.h"
#include "proxy/verbs/verb.h"

namespace ptygate::verbs {

struct Watching {
  bool from_start = false;
  const prompt::Terminal* terminal = nullptr;  ///< key by key input, for q; without it only the session's end or a signal ends it
  std::function<bool()> meanwhile;             ///< called about ten times a second; false ends the watching
};

/// Shows the session's output until it ends or the person has seen enough. `session` is a whole id; the gate has permitted the reading.
[[nodiscard]] int watchCast(const Caller& caller, const std::string& session, const Watching& watching);

}  // namespace ptygate::verbs
