// SPDX-License-Identifier: Apache-2.0
// `worker`: hidden; started by the keeper with its end of a socketpair as descriptor 3.
#include "proxy/worker/worker.h"

#include <sys/socket.h>
#include <unistd.h>

#include "proxy/verbs/functions.h"
#include "proxy/verbs/print.h"

namespace ptygate::verbs {

namespace {
constexpr int kKeeperDescriptor = 3;
}

int worker(const Arguments&, const Caller&) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(kKeeperDescriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return fail(kUsage, "worker is started by `ptygate serve` only, never by hand");
  }
  ::_exit(worker::runWorker(kKeeperDescriptor));  // no destructor of ours may run in a confined process
}

}  // namespace ptygate::verbs
