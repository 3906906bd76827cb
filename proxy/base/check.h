// SPDX-License-Identifier: Apache-2.0
// CHECK: our own broken invariant ends the process, in release builds too. Never for bytes of a peer, files or configuration.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace ptygate::base {
[[noreturn]] inline void checkFailed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "ptygate: CHECK failed: %s at %s:%d\n", what, file, line);
  std::abort();
}
}  // namespace ptygate::base

#define CHECK(condition) ((condition) ? (void)0 : ::ptygate::base::checkFailed(#condition, __FILE__, __LINE__))
