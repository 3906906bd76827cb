// SPDX-License-Identifier: Apache-2.0
// `serve`: the keeper, in the foreground. Everything is in proxy/keeper.
#include "proxy/keeper/keeper.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/print.h"

namespace ptygate::verbs {

int serve(const Arguments&, const Caller& caller) {
  keeper::KeeperOptions options;
  options.dir = caller.dir;
  return keeper::runKeeper(options);
}

}  // namespace ptygate::verbs
