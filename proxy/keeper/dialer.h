// SPDX-License-Identifier: Apache-2.0
// Connects to a target's configured address and to nothing else. Speaks no byte to it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "proxy/base/fd.h"
#include "proxy/config/config.h"
#include "proxy/keeper/gate.h"

namespace ptygate::keeper {

class Dialer {
 public:
  using Done = std::function<void(tl::expected<base::Fd, std::string>)>;
  explicit Dialer(Gate& gate) : gate_(gate) {}

  /// Resolves and tries the addresses in order, all within `limit`; calls `done` once, from the loop: a connected socket (non-blocking,
  /// TCP_NODELAY), or text that names no address (the agent may see it).
  void dial(const config::Address& address, std::chrono::milliseconds limit, Done done);
  [[nodiscard]] std::size_t underWay() const { return attempts_.size(); }

 private:
  struct Attempt {
    Done done;
    std::vector<base::SocketAddress> addresses;
    std::size_t next = 0;
    base::Fd socket;
    base::Poll poll;
    base::Timer timer;
    std::string error;
  };
  void tryNext(std::uint64_t id);
  void finish(std::uint64_t id, tl::expected<base::Fd, std::string> result);

  Gate& gate_;
  std::map<std::uint64_t, std::unique_ptr<Attempt>> attempts_;
  std::uint64_t next_ = 1;
};

}  // namespace ptygate::keeper
