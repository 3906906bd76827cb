// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/dialer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace ptygate::keeper {

void Dialer::dial(const config::Address& address, std::chrono::milliseconds limit, Done done) {
  const std::uint64_t id = next_++;
  auto attempt = std::make_unique<Attempt>();
  attempt->done = std::move(done);
  attempt->timer = base::Timer(gate_.loop);
  attempt->timer.start(limit, [this, id] { finish(id, tl::make_unexpected(std::string("no answer in time"))); });
  attempts_[id] = std::move(attempt);
  ++gate_.in_flight;
  gate_.loop.resolve(address.host, std::to_string(address.port),
                     [this, id](tl::expected<std::vector<base::SocketAddress>, std::string> found) {
                       --gate_.in_flight;
                       const auto waiting = attempts_.find(id);
                       if (waiting == attempts_.end()) return;
                       if (!found) {
                         finish(id, tl::make_unexpected("name not resolved: " + found.error()));
                         return;
                       }
                       waiting->second->addresses = std::move(*found);
                       tryNext(id);
                     });
}

void Dialer::tryNext(std::uint64_t id) {
  Attempt& attempt = *attempts_.at(id);
  attempt.poll = base::Poll();
  while (attempt.next < attempt.addresses.size()) {
    const base::SocketAddress& address = attempt.addresses[attempt.next++];
    attempt.socket.reset(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!attempt.socket.valid()) {
      attempt.error = std::strerror(errno);
      continue;
    }
    const int on = 1;
    ::setsockopt(attempt.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(attempt.socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 && errno != EINPROGRESS) {
      attempt.error = std::strerror(errno);
      continue;
    }
    attempt.poll = base::Poll(gate_.loop, attempt.socket.get(), [this, id](bool, bool) {
      Attempt& ready = *attempts_.at(id);
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(ready.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0) {
        finish(id, std::move(ready.socket));
        return;
      }
      ready.error = std::strerror(error);
      tryNext(id);
    });
    attempt.poll.want(false, true);
    return;
  }
  finish(id, tl::make_unexpected(attempt.error.empty() ? std::string("no address") : attempt.error));
}

void Dialer::finish(std::uint64_t id, tl::expected<base::Fd, std::string> result) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end()) return;
  const std::unique_ptr<Attempt> attempt = std::move(found->second);
  attempts_.erase(found);
  attempt->poll = base::Poll();  // before the descriptor goes to a worker
  attempt->done(std::move(result));
}

}  // namespace ptygate::keeper
