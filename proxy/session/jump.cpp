// SPDX-License-Identifier: Apache-2.0
#include "proxy/session/jump.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ptygate::session {

namespace {
constexpr std::size_t kBufferBytes = 64 * 1024;
}

JumpPipe::JumpPipe(base::Loop& loop, ssh::Channel& channel, base::Fd fd, std::function<void()> wake) : channel_(channel), fd_(std::move(fd)) {
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
  poll_ = base::Poll(loop, fd_.get(), [wake = std::move(wake)](bool, bool) { wake(); });
  poll_.want(true, false);
}

bool JumpPipe::towardsInner() {
  std::string_view bytes = channel_.readable(ssh::Stream::Out);
  if (bytes.empty()) return false;
  ssize_t wrote = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (wrote > 0) {
    channel_.consume(ssh::Stream::Out, std::size_t(wrote));
    return true;
  }
  if (wrote < 0 && (errno == EAGAIN || errno == EINTR)) {
    want_write_ = true;
  } else {
    inner_ended_ = true;
  }
  return false;
}

bool JumpPipe::towardsClient() {
  if (buffer_.empty() && !inner_ended_) {
    // One scratch buffer for all pipes of this one-threaded process; only what the channel does not take is kept.
    static char scratch[kBufferBytes];
    std::size_t room = std::min(channel_.room(), sizeof scratch);
    if (room == 0) {
      blocked_ = true;
      return false;
    }
    ssize_t got = ::recv(fd_.get(), scratch, room, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) inner_ended_ = true;
    if (got <= 0) return false;
    std::string_view bytes(scratch, std::size_t(got));
    std::size_t sent = channel_.write(ssh::Stream::Out, bytes);
    buffer_.assign(bytes.substr(sent));
    return sent > 0;
  }
  if (buffer_.empty()) return false;
  std::size_t sent = channel_.write(ssh::Stream::Out, buffer_);
  buffer_.erase(0, sent);
  return sent > 0;
}

void JumpPipe::progress() {
  if (done_) return;
  want_write_ = false;
  blocked_ = false;
  for (bool moved = true; moved;) {
    moved = towardsInner();
    moved = towardsClient() || moved;
  }
  if (inner_ended_ && buffer_.empty()) {
    channel_.sendEof();
    channel_.close();
    done_ = true;
  } else if (channel_.atEof()) {
    ::shutdown(fd_.get(), SHUT_WR);
    if (channel_.isClosed()) done_ = true;
  }
  if (done_) {
    poll_ = base::Poll();
    fd_.reset();
    return;
  }
  // A full channel pauses reading from the inner side: its own SSH windows then close.
  poll_.want(buffer_.empty() && !blocked_ && !inner_ended_, want_write_);
}

}  // namespace ptygate::session
