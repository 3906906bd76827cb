// SPDX-License-Identifier: Apache-2.0
// One literal SQL statement: is it a read? A strict reader of a small subset; what it does not know is not a read.
#pragma once

#include <string>
#include <string_view>

#include "policy/classify.h"

namespace ptygate::policy {

struct SqlEffects {
  EffectSet effects;  ///< {Read} for a read; Write, Destructive, Exec, Unknown … otherwise
  std::string reason;
};

/// `program` is the client ("psql", "mysql", "sqlite3"): their words for commands of the client itself differ. Total.
[[nodiscard]] SqlEffects classifySql(std::string_view text, std::string_view program);
inline constexpr std::size_t kMaxSqlBytes = 16 * 1024;

}  // namespace ptygate::policy
