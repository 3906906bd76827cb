// SPDX-License-Identifier: Apache-2.0
// What the tests of accounts and rules share: real shells run as children, and a surveyed account made from records.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/account.h"

namespace ptygate::policy::testing {

struct RunResult {
  int status = -1;  ///< exit status, or 128 + signal
  std::string out;
  std::string err;
};

/// Runs argv (argv[0] an absolute path) with exactly this environment and waits. No standard input.
[[nodiscard]] RunResult run(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                            const std::string& cwd = "/");

/// Runs `SHELL -c line` as a child of a process whose name is "sshd", as a login shell under sshd is. `shell` may hold arguments
/// ("/usr/bin/busybox sh").
[[nodiscard]] RunResult runAsLogin(const std::vector<std::string>& shell, const std::string& line,
                                   const std::vector<std::string>& environment, const std::string& cwd = "/");

[[nodiscard]] std::string_view testNonce();

/// A survey's answer with these records over those of a plain root account with bash on Debian 12; a value of "-" removes one.
[[nodiscard]] std::string surveyAnswer(const std::map<std::string, std::string>& changes = {}, std::string_view nonce = testNonce());

/// parseSurvey of surveyAnswer; ends the test program when it does not parse.
[[nodiscard]] Account accountWith(const std::map<std::string, std::string>& changes = {});

/// The same with the home /srv/app, root's as well: below /root the catalog takes every read for a secret one.
[[nodiscard]] Account workAccount(std::map<std::string, std::string> changes = {});

}  // namespace ptygate::policy::testing
