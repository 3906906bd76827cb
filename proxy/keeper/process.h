// SPDX-License-Identifier: Apache-2.0
// Starting our own program again as a child (worker, verb) and learning of its end. No shell, no PATH, and no descriptor but those named.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "proxy/base/loop.h"

namespace ptygate::keeper {

struct ChildSpec {
  std::string program;                           ///< path to execute
  std::vector<std::string> argv;                 ///< with argv[0]
  std::vector<std::string> environment;          ///< the whole of it, "NAME=value"
  std::vector<std::pair<int, int>> descriptors;  ///< {ours, number in the child}; every other one is closed
  bool new_session = false;                      ///< setsid: verbs, so that their signals reach what they start
  bool terminal = false;                         ///< descriptor 0 becomes the controlling terminal (with new_session)
  int death_signal = 0;                          ///< sent by the kernel when the keeper dies; 0: none
};

/// Forks and executes. Error: text. That the execution itself failed shows as exit status 127.
[[nodiscard]] tl::expected<pid_t, std::string> spawnChild(const ChildSpec& spec);

/// Reaps children by pid. Only pids given to it, never "any child".
class Reaper {
 public:
  explicit Reaper(base::Loop& loop);
  /// Calls `fn(wait status)` from the loop once `pid` has ended.
  void watch(pid_t pid, std::function<void(int)> fn);

 private:
  void reap();
  std::map<pid_t, std::function<void(int)>> watched_;
};

/// "exit 1", "signal 9".
[[nodiscard]] std::string describeEnd(int wait_status);

}  // namespace ptygate::keeper
