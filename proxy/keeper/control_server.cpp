// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/control_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "proxy/base/log.h"

namespace ptygate::keeper {

namespace {
constexpr std::size_t kMaxConnections = 128;
/// A reviewer's first snapshot may be every held command in full; an agent's answers are small.
constexpr std::size_t kMaxQueuedForPeople = 128U << 20U;
constexpr std::size_t kMaxQueuedForAgents = 1U << 20U;

tl::unexpected<std::string> failure(const std::string& path, int why) {
  return tl::make_unexpected(path + ": " + std::strerror(why));
}

sockaddr_un addressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}
}  // namespace

ControlServer::ControlServer(Gate& gate, Hooks hooks) : gate_(gate), hooks_(std::move(hooks)) {}

tl::expected<void, std::string> ControlServer::listen() {
  const std::string path = gate_.dir + "/run/control.sock";
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return tl::make_unexpected(path + ": longer than a socket's path may be (107 bytes); use a shorter DIR");
  const sockaddr_un address = addressOf(path);
  base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return failure(path, errno);
  // The ledger's lock is held by now, so a socket that is there belongs to a gate that is gone.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failure(path, errno);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failure(path, errno);
  // Anyone on this host may connect; who that is the kernel says, and what he may the table.
  if (::chmod(path.c_str(), 0666) != 0) return failure(path, errno);
  if (::listen(socket.get(), 64) != 0) return failure(path, errno);
  listener_ = std::move(socket);
  listener_poll_ = base::Poll(gate_.loop, listener_.get(), [this](bool readable, bool) {
    if (readable) acceptSome();
  });
  listener_poll_.want(true, false);
  return {};
}

void ControlServer::stopListening() {
  listener_poll_ = base::Poll();
  listener_.reset();
  (void)::unlinkat(gate_.dir_fd.get(), "run/control.sock", 0);
}

void ControlServer::acceptSome() {
  for (int i = 0; i < 16; ++i) {
    base::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.valid()) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) continue;
    if (open_.size() >= kMaxConnections) {
      base::log(base::LogLevel::Warn, "control_refused", {{"uid", peer.uid}, {"reason", "too many control connections"}});
      continue;
    }
    adopt(std::move(client), hooks_.identify(peer.uid));
  }
}

void ControlServer::adopt(base::Fd socket, ControlCaller caller) {
  const ControlId id = next_++;
  auto connection = std::make_unique<Connection>();
  connection->caller = std::move(caller);
  connection->socket = std::move(socket);
  const int fd = connection->socket.get();
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  connection->poll = base::Poll(gate_.loop, fd, [this, id](bool readable, bool writable) { onReady(id, readable, writable); });
  connection->poll.want(true, false);
  open_[id] = std::move(connection);
}

void ControlServer::onReady(ControlId id, bool readable, bool writable) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  Connection& connection = *found->second;
  if (connection.closing) return;
  if (writable && !writeSome(connection)) return close(id);
  if (readable && !readSome(id, connection)) close(id);
}

bool ControlServer::readSome(ControlId id, Connection& connection) {
  std::array<char, 65536> buffer;
  const ssize_t n = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  const bool sound = connection.lines.feed({buffer.data(), static_cast<std::size_t>(n)});
  while (auto line = connection.lines.next()) {
    auto request = control::decodeRequest(*line);
    if (!request) {
      base::log(base::LogLevel::Warn, "control_malformed", {{"caller", connection.caller.name}, {"reason", request.error()}});
      send(id, control::Reply{0, control::kUsage, request.error()});
      return false;
    }
    hooks_.on_request(id, connection.caller, *request);
    if (connection.closing) return true;
  }
  return sound;
}

void ControlServer::send(ControlId id, const control::ServerLine& line) {
  const auto found = open_.find(id);
  if (found == open_.end() || found->second->closing) return;
  Connection& connection = *found->second;
  std::string text = control::encode(line) + "\n";
  const std::size_t most = connection.caller.kind == ControlCaller::Kind::Agent ? kMaxQueuedForAgents : kMaxQueuedForPeople;
  if (text.size() > control::kMaxLineBytes + 1 || connection.queued + text.size() > most) {
    base::log(base::LogLevel::Warn, "control_slow", {{"caller", connection.caller.name}, {"queued", connection.queued}});
    return closeSoon(id, connection);
  }
  connection.queued += text.size();
  connection.outbox.push_back(std::move(text));
  if (connection.outbox.size() == 1 && !writeSome(connection)) closeSoon(id, connection);
}

bool ControlServer::writeSome(Connection& connection) {
  while (!connection.outbox.empty()) {
    const std::string& front = connection.outbox.front();
    const ssize_t n = ::send(connection.socket.get(), front.data() + connection.sent, front.size() - connection.sent, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) return false;
      connection.poll.want(true, true);
      return true;
    }
    connection.sent += static_cast<std::size_t>(n);
    if (connection.sent < front.size()) continue;
    connection.queued -= front.size();
    connection.sent = 0;
    connection.outbox.pop_front();
  }
  connection.poll.want(true, false);
  return true;
}

void ControlServer::closeSoon(ControlId id, Connection& connection) {
  // The caller may be in the middle of using it.
  connection.closing = true;
  connection.poll.want(false, false);
  gate_.loop.defer([this, id] { close(id); });
}

void ControlServer::close(ControlId id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  const std::unique_ptr<Connection> gone = std::move(found->second);
  open_.erase(found);
  gone->poll = base::Poll();
  hooks_.on_closed(id);
}

void ControlServer::closeOf(const std::function<bool(const ControlCaller&)>& which) {
  for (const auto& [id, connection] : open_) {
    if (!connection->closing && which(connection->caller)) closeSoon(id, *connection);
  }
}

}  // namespace ptygate::keeper
