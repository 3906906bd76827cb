// SPDX-License-Identifier: Apache-2.0
// Random lists of actions against the model in desk_world.h. The seed is printed; PTYGATE_DESK_SEED repeats or varies it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "desk_world.h"

namespace ptygate::keeper::testing {
namespace {

TEST(DeskRandom, KeepsItsInvariantsOverAHundredThousandActions) {
  const char* given = std::getenv("PTYGATE_DESK_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20260101;
  std::cout << "seed " << seed << "\n";
  std::map<std::string, std::uint64_t> counts;
  for (std::uint64_t run = 0; run < 240; ++run) {
    std::mt19937_64 random(seed + run);
    DeskWorld world([&] { return std::uint8_t(random() >> 56); });
    for (int i = 0; i < 500; ++i) world.step();
    world.finish();
    for (const auto& [what, count] : world.counts()) counts[what] += count;
  }
  // A walk that never gets anywhere proves nothing.
  for (const char* what : {"held", "released by policy", "released to a waiter", "released to a repeat", "released by two", "outcome 2",
                           "outcome 3", "outcome 4", "outcome 5", "outcome 6"}) {
    EXPECT_GT(counts[what], 50U) << what;
    std::cout << what << ": " << counts[what] << "\n";
  }
}

}  // namespace
}  // namespace ptygate::keeper::testing
