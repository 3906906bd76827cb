// SPDX-License-Identifier: Apache-2.0
// What a session needs of the world outside it: a line to the keeper, by request id. The worker implements it; tests fake it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "proxy/base/fd.h"
#include "proxy/base/messages.h"

namespace ptygate::session {

/// Gets the keeper's answers about one request (or dial, or ticket: they share one number space per worker).
class KeeperListener {
 public:
  virtual ~KeeperListener() = default;
  virtual void onKeeper(const base::ToWorker& message, std::vector<base::Fd> descriptors) = 0;
  /// A sync() of this listener's recording failed: nothing may be forwarded any more.
  virtual void onSyncFailed() {}
};

class KeeperLine {
 public:
  virtual ~KeeperLine() = default;
  /// A number for a request, dial or ticket, whose answers go to `listener` until forget(). Never reused in a worker's life.
  virtual std::uint64_t open(KeeperListener& listener) = 0;
  virtual void forget(std::uint64_t number) = 0;
  virtual void send(const base::ToKeeper& message) = 0;
  /// Syncs a recording in the pool (`cast`: a descriptor of its own); failure reaches the request's listener.
  virtual void sync(base::Fd cast, std::uint64_t request) = 0;
  /// Syncs the recording behind `cast` (a descriptor of its own) in the pool, then sends `finished`; outlives the session.
  virtual void finish(base::Fd cast, base::Finished finished) = 0;
};

}  // namespace ptygate::session
