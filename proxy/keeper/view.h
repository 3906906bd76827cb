// SPDX-License-Identifier: Apache-2.0
// What reviewers see of a request beside its bytes: the decomposition with effects, why the rules decided so. Plain text, foreign bytes
// included: whoever prints it escapes it. Pure.
#pragma once

#include <string>
#include <vector>

#include "policy/rules.h"

namespace ptygate::keeper {

/// Lines of a view are cut beyond this, each.
inline constexpr std::size_t kMaxViewLineBytes = 2048;
inline constexpr std::size_t kMaxViewLines = 200;

[[nodiscard]] std::vector<std::string> viewOf(const policy::Derivation& derivation, const policy::Request& request);
/// Held standard input: size, hash, and its first bytes.
[[nodiscard]] std::vector<std::string> viewOfStdin(std::uint64_t bytes, const std::string& sha256, const std::string& excerpt);
/// True when nothing of the line does more than read: a repeat after an unknown outcome needs no person.
[[nodiscard]] bool isReadOnly(const policy::Derivation& derivation);

}  // namespace ptygate::keeper
