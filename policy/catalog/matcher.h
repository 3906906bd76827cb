// SPDX-License-Identifier: Apache-2.0
// Reads one call by its program's description: flags, subcommands, operands. Everything that is not listed is unknown.
// Not here: what the inner command of a wrapper does (wrappers.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "policy/catalog/paths.h"
#include "policy/catalog/schema.h"

namespace ptygate::policy {

/// Where a call holds the command that it runs.
struct InnerCall {
  const Inner* inner = nullptr;
  std::size_t begin = 0;  ///< argv index of its first word
  std::size_t end = 0;    ///< past its last word
  bool many = false;      ///< find's `{} +`
};

/// What a call does, by the catalog alone.
struct CallMatch {
  const Program* program = nullptr;  ///< nullptr: not in the catalog
  EffectSet effects;
  std::vector<std::string> reasons;
  std::vector<std::string> flags;
  bool described = true;  ///< every word of the call is in the catalog
  std::string opaque;     ///< not empty: the line is opaque, for this reason
  StdinClass stdin_class = StdinClass::None;
  std::vector<InnerCall> inner;
  std::vector<std::pair<std::size_t, std::vector<std::string>>> inserts;  ///< argv pins: position, words
  std::map<std::string, std::string> env;                                 ///< environment pins
};

/// Total. `argv` is not empty and its first word is a literal.
[[nodiscard]] CallMatch matchCall(const Catalog::Data& catalog, const std::vector<Word>& argv, const Cwds& cwds);

}  // namespace ptygate::policy
