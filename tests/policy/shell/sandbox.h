// SPDX-License-Identifier: Apache-2.0
// A place to run any line in a real shell: user, mount, pid and network namespaces and a chroot that holds the shells and stubs only.
// Needs unprivileged user namespaces; a test that cannot have them fails, since skipping would hide unsoundness.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace ptygate::policy::oracle {

/// One program start as the stub saw it.
struct Started {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< NAME=VALUE with a lower-case name, sorted
  auto operator<=>(const Started&) const = default;
};

/// What one line did.
struct Outcome {
  std::vector<Started> started;   ///< sorted: pipes and jobs have no order
  std::set<std::string> written;  ///< files of the working directory that are new or changed
  std::string errors;             ///< what the shell and the programs wrote to stderr
  bool timed_out = false;
};

class Sandbox {
 public:
  /// `stubs`: names of programs to provide in PATH, besides absolute /bin and /usr/bin of the same names. Aborts the test run on failure.
  explicit Sandbox(const std::set<std::string>& stubs);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  /// Runs `SHELL -c -- LINE` with a fresh working directory (a.txt, b.txt, sub/) and waits for every process it left.
  /// `shell` is "bash" (--noprofile --norc) or "dash".
  Outcome run(const std::string& shell, const std::string& line);

 private:
  std::string root_;
  int socket_ = -1;
  int child_ = -1;
};

}  // namespace ptygate::policy::oracle
