// SPDX-License-Identifier: Apache-2.0
// The account that `policy explain` asks about. The gate keeps surveyed accounts in memory only, so offline it is unknown, or as the caller
// assumes it to be.
#pragma once

#include <optional>
#include <string>

#include "policy/account.h"

namespace ptygate::verbs {

struct AccountForExplain {
  std::optional<policy::Account> account;
  std::string note;  ///< what it rests on, safe to print
};

/// `assumed_shell` is empty (unknown), or bash, dash or sh.
[[nodiscard]] AccountForExplain accountFor(const std::string& login, const std::string& assumed_shell);

}  // namespace ptygate::verbs
