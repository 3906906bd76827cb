// SPDX-License-Identifier: Apache-2.0
// Our own broken invariants end the process, in release builds too. Hostile or damaged input is never a matter of check().
#pragma once

#include <cstdio>
#include <cstdlib>

namespace ptygate::recorder {

inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "ptygate recorder: broken invariant: %s\n", what);
  std::abort();
}

}  // namespace ptygate::recorder
