// SPDX-License-Identifier: Apache-2.0
// Each input is a list of actions for the desk; DeskWorld aborts on a broken invariant.
#include <cstddef>
#include <cstdint>

#include "desk_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::size_t at = 0;
  ptygate::keeper::testing::DeskWorld world([&] { return at < size ? data[at++] : std::uint8_t{0}; });
  while (at < size) world.step();
  world.finish();
  return 0;
}
