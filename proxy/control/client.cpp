// SPDX-License-Identifier: Apache-2.0
#include "proxy/control/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace ptygate::control {

namespace {

tl::unexpected<Failure> failure(std::string text, int status = kUnreachable) {
  return tl::make_unexpected(Failure{status, std::move(text)});
}

tl::expected<base::Fd, Failure> inherited(std::string_view text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc() || end != text.data() + text.size() || fd < 3 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return failure("PTYGATE_CONTROL_FD does not name an open descriptor: run this verb through the gate, or unset the variable");
  }
  return base::Fd(fd);
}

tl::expected<base::Fd, Failure> connectTo(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return failure(path + ": longer than a socket's path may be (107 bytes)");
  std::memcpy(address.sun_path, path.data(), path.size());
  base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return failure(std::string("socket: ") + std::strerror(errno));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int why = errno;
    std::string text = path + ": " + std::strerror(why);
    if (why == ENOENT || why == ECONNREFUSED)
      text += ". Is the gate running? (ptygate serve --dir DIR; --dir or PTYGATE_DIR names its directory)";
    return failure(std::move(text));
  }
  return socket;
}

}  // namespace

tl::expected<Client, Failure> Client::connect(const std::string& dir) {
  const char* descriptor = std::getenv("PTYGATE_CONTROL_FD");
  auto socket = descriptor != nullptr ? inherited(descriptor) : connectTo(dir + "/run/control.sock");
  if (!socket) return tl::unexpected(socket.error());
  // What this verb starts (a pager) must not speak for us, nor find the variable and fail on it.
  ::unsetenv("PTYGATE_CONTROL_FD");
  return Client(std::move(*socket));
}

tl::expected<void, Failure> Client::sendLine(const std::string& line) {
  const std::string bytes = line + '\n';
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      pollfd wait{socket_.get(), POLLOUT, 0};
      (void)::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return failure(std::string("the gate closed the connection: ") + std::strerror(errno));
    }
  }
  return {};
}

tl::expected<bool, Failure> Client::readSome(std::chrono::milliseconds timeout) {
  const bool forever = timeout.count() < 0;
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    int wait_ms = -1;
    if (!forever) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      wait_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    }
    pollfd wait{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&wait, 1, wait_ms);
    if (ready < 0 && errno != EINTR) return failure(std::string("poll: ") + std::strerror(errno));
    // A signal has to reach the caller's loop (a terminal that was resized); without a time limit there is nobody to hand back to.
    if (ready < 0 && !forever) return false;
    if (ready > 0) break;
    if (ready == 0 && !forever && std::chrono::steady_clock::now() >= end) return false;
  }
  std::array<char, 65536> buffer;
  const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (n < 0) return failure(std::string("the connection to the gate failed: ") + std::strerror(errno));
  if (n == 0) return failure("the gate closed the connection");
  if (!lines_.feed({buffer.data(), static_cast<std::size_t>(n)})) return failure("the gate sent a line that is too long");
  return true;
}

tl::expected<std::optional<ServerLine>, Failure> Client::nextLine() {
  auto line = lines_.next();
  if (!line) return std::optional<ServerLine>();
  auto decoded = decodeServerLine(*line);
  if (!decoded) return failure("the gate's answer makes no sense: " + decoded.error());
  return std::optional<ServerLine>(std::move(*decoded));
}

tl::expected<Answer, Failure> Client::call(const std::string& verb, const std::map<std::string, std::string>& args) {
  const std::uint64_t id = next_id_++;
  const std::string request = encode(Request{id, verb, args});
  if (request.size() > kMaxLineBytes) return failure("the arguments are too long", kUsage);
  if (auto sent = sendLine(request); !sent) return tl::unexpected(sent.error());
  Answer answer;
  for (;;) {
    auto line = nextLine();
    if (!line) return tl::unexpected(line.error());
    if (!*line) {
      if (auto read = readSome(std::chrono::milliseconds(-1)); !read) return tl::unexpected(read.error());
      continue;
    }
    if (auto* event = std::get_if<Event>(&**line)) {
      events_.push_back(std::move(*event));
    } else if (auto* item = std::get_if<ItemLine>(&**line); item != nullptr && item->id == id) {
      answer.items.push_back(std::move(item->item));
    } else if (auto* end = std::get_if<Reply>(&**line); end != nullptr && end->id == id) {
      answer.end = std::move(*end);
      return answer;
    } else if (end != nullptr && subscription_ == end->id) {
      return failure("the subscription was ended: " + end->text, end->status);
    }
  }
}

tl::expected<void, Failure> Client::subscribeHolds() {
  const std::uint64_t id = next_id_++;
  subscription_ = id;
  return sendLine(encode(Request{id, "subscribe-holds", {}}));
}

tl::expected<std::optional<Event>, Failure> Client::nextEvent(std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (!events_.empty()) {
      std::optional<Event> event(std::move(events_.front()));
      events_.pop_front();
      return event;
    }
    auto line = nextLine();
    if (!line) return tl::unexpected(line.error());
    if (*line) {
      if (auto* event = std::get_if<Event>(&**line)) return std::optional<Event>(std::move(*event));
      const auto* reply = std::get_if<Reply>(&**line);
      if (reply != nullptr && subscription_ == reply->id) return failure(reply->text, reply->status);
      continue;
    }
    auto left = timeout;
    if (timeout.count() >= 0) {
      left = std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()));
    }
    auto read = readSome(left);
    if (!read) return tl::unexpected(read.error());
    if (!*read) return std::optional<Event>();
  }
}

}  // namespace ptygate::control
