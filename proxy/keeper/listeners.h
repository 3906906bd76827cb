// SPDX-License-Identifier: Apache-2.0
// The two TCP listeners: accepts within the limits of start-ups, hands each socket on. Reads nothing from a client.
#pragma once

#include <functional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "proxy/base/fd.h"
#include "proxy/config/config.h"
#include "proxy/keeper/gate.h"

namespace ptygate::keeper {

class Listeners {
 public:
  struct Accepted {
    base::Fd socket;     ///< non-blocking, close-on-exec, TCP_NODELAY
    std::string peer;    ///< "10.0.0.7:40122"
    std::string source;  ///< "10.0.0.7"
    bool people = false;
  };
  /// `take` gets each new client. False: no worker is ready; the listener stops accepting until resume().
  Listeners(Gate& gate, std::function<bool(Accepted)> take, std::function<bool(bool people)> can_take);

  /// Binds and listens. Error: text that names the address.
  [[nodiscard]] tl::expected<void, std::string> listen(const config::Address& address, bool people);
  void resume(bool people);
  void close() { sockets_.clear(); }
  /// "agents 127.0.0.1:2222" of each, with real ports.
  [[nodiscard]] std::vector<std::string> describe() const;

 private:
  struct Socket {
    base::Fd fd;
    bool people = false;
    std::string address;
    base::Poll poll;
    base::Timer retry;
  };
  void acceptSome(Socket& socket);

  Gate& gate_;
  std::function<bool(Accepted)> take_;
  std::function<bool(bool)> can_take_;
  std::vector<std::unique_ptr<Socket>> sockets_;
};

}  // namespace ptygate::keeper
