// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/gate.h"

#include <sys/random.h>

#include "proxy/base/check.h"

namespace ptygate::keeper {

std::string randomWord(std::size_t n) {
  std::string out(n, '\0');
  CHECK(n <= 256 && ::getrandom(out.data(), n, 0) == static_cast<ssize_t>(n));
  for (char& c : out) c = "abcdefghijklmnopqrstuvwxyz234567"[static_cast<unsigned char>(c) & 31U];
  return out;
}

void Gate::inPool(std::function<void()> work, std::function<void()> done) {
  ++in_flight;
  loop.inPool(std::move(work), [this, done = std::move(done)] {
    --in_flight;
    done();
  });
}

}  // namespace ptygate::keeper
