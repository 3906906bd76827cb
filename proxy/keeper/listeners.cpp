// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/listeners.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "proxy/base/log.h"

namespace ptygate::keeper {

namespace {
constexpr int kAcceptsPerTurn = 32;
constexpr std::chrono::milliseconds kDescriptorsExhaustedPause{100};

std::string sourceOf(const base::SocketAddress& address) {
  char host[NI_MAXHOST] = "?";
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage), address.length, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  return host;
}

tl::expected<base::Fd, std::string> bindTo(const addrinfo& entry) {
  base::Fd fd(::socket(entry.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return tl::make_unexpected(std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), entry.ai_addr, entry.ai_addrlen) != 0) return tl::make_unexpected(std::string("bind: ") + std::strerror(errno));
  if (::listen(fd.get(), SOMAXCONN) != 0) return tl::make_unexpected(std::string("listen: ") + std::strerror(errno));
  return fd;
}
}  // namespace

Listeners::Listeners(Gate& gate, std::function<bool(Accepted)> take, std::function<bool(bool)> can_take)
    : gate_(gate), take_(std::move(take)), can_take_(std::move(can_take)) {}

tl::expected<void, std::string> Listeners::listen(const config::Address& address, bool people) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  // Blocking, once, at start.
  if (const int rc = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found); rc != 0) {
    return tl::make_unexpected(address.text() + ": " + ::gai_strerror(rc));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  auto fd = bindTo(*found);
  if (!fd) return tl::make_unexpected("listen on " + address.text() + ": " + fd.error());
  auto socket = std::make_unique<Socket>();
  base::SocketAddress bound;
  bound.length = sizeof bound.storage;
  ::getsockname(fd->get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.length);
  socket->address = bound.text();
  socket->people = people;
  socket->fd = std::move(*fd);
  socket->retry = base::Timer(gate_.loop);
  Socket* raw = socket.get();
  socket->poll = base::Poll(gate_.loop, socket->fd.get(), [this, raw](bool readable, bool) {
    if (readable) acceptSome(*raw);
  });
  socket->poll.want(can_take_(people), false);
  base::log(base::LogLevel::Info, "listening", {{"for", people ? "people" : "agents"}, {"address", socket->address}});
  sockets_.push_back(std::move(socket));
  return {};
}

void Listeners::resume(bool people) {
  for (auto& socket : sockets_) {
    if (socket->people == people) socket->poll.want(true, false);
  }
}

void Listeners::acceptSome(Socket& socket) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    // Left in the backlog while no worker could take it: a crashed worker must not cost a client its connection.
    if (!can_take_(socket.people)) {
      socket.poll.want(false, false);
      return;
    }
    base::SocketAddress peer;
    peer.length = sizeof peer.storage;
    base::Fd client(::accept4(socket.fd.get(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.valid()) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        base::log(base::LogLevel::Error, "accept_failed", {{"error", std::strerror(errno)}});
        socket.poll.want(false, false);  // the socket stays readable: without a pause this would spin
        socket.retry.start(kDescriptorsExhaustedPause, [&socket] { socket.poll.want(true, false); });
        return;
      }
      if (errno == EAGAIN) return;
      continue;  // this client is gone already
    }
    const int on = 1;
    ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)take_(Accepted{std::move(client), peer.text(), sourceOf(peer), socket.people});
  }
}

std::vector<std::string> Listeners::describe() const {
  std::vector<std::string> result;
  for (const auto& socket : sockets_) result.push_back((socket->people ? "people " : "agents ") + socket->address);
  return result;
}

}  // namespace ptygate::keeper
