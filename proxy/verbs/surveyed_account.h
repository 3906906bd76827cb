// SPDX-License-Identifier: Apache-2.0
// The account that `policy explain` asks about: as the gate surveyed it, or as the caller assumes it to be.
#pragma once

#include <optional>
#include <string>

#include "policy/account.h"

namespace ptygate::verbs {

struct SurveyedAccount {
  std::optional<policy::Account> account;
  std::string note;  ///< what it is and where it is known from, safe to print
};

/// `assumed_shell` is empty, or bash, dash or sh: then no survey is looked at.
[[nodiscard]] SurveyedAccount accountFor(const std::string& dir, const std::string& target, const std::string& login,
                                         const std::string& assumed_shell);

}  // namespace ptygate::verbs
