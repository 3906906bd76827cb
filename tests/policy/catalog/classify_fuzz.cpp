// SPDX-License-Identifier: Apache-2.0
// Any bytes through classify(). Asserted: an opaque line has no commands and no canonical form; a plain canonical form classifies to the
// same commands and effects as the line did; a read never has unknown words.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/classify.h"

using namespace ptygate::policy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const Classification first = classify(Catalog::builtin(), line, Dialect::Bash, "/srv/app");
  if (!first.opaque.empty()) {
    if (!first.commands.empty() || !first.canonical.empty() || first.stdin_class != StdinClass::Code) std::abort();
    return 0;
  }
  const Classification again = classify(Catalog::builtin(), first.canonical_plain, Dialect::Bash, "/srv/app");
  if (!again.opaque.empty() || again.effects != first.effects || again.stdin_class != first.stdin_class) std::abort();
  if (again.commands.size() != first.commands.size() || again.canonical != first.canonical || again.pins != first.pins) std::abort();
  for (std::size_t i = 0; i < first.commands.size(); ++i) {
    if (first.commands[i].command.argv != again.commands[i].command.argv) std::abort();
    if (!first.commands[i].described && first.commands[i].effects.within({Effect::Read, Effect::Cwd})) std::abort();
  }
  return 0;
}
