// SPDX-License-Identifier: Apache-2.0
#include "proxy/base/message_pipe.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "proxy/base/check.h"
#include "proxy/base/messages.h"

namespace ptygate::base {

namespace {
constexpr std::size_t kHeaderBytes = 5;
constexpr std::size_t kReadBytes = 64 * 1024;
// More descriptors than this waiting for their frames: the peer attaches descriptors to nothing.
constexpr std::size_t kMaxReceivedDescriptors = 256;

void appendHeader(std::string& out, std::size_t payload_bytes, std::size_t descriptors) {
  for (int shift = 24; shift >= 0; shift -= 8) out += char((payload_bytes >> unsigned(shift)) & 0xFFU);
  out += char(descriptors);
}
}  // namespace

MessagePipe::MessagePipe(Loop& loop, Fd socket, bool accept_descriptors, Handler handler)
    : socket_(std::move(socket)), accept_descriptors_(accept_descriptors), handler_(std::move(handler)), failure_(loop) {
  int flags = ::fcntl(socket_.get(), F_GETFL);
  ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
  ::fcntl(socket_.get(), F_SETFD, FD_CLOEXEC);
  poll_ = Poll(loop, socket_.get(), [this](bool readable, bool writable) { onReady(readable, writable); });
  poll_.want(true, false);
}

void MessagePipe::send(std::string payload, std::vector<Fd> descriptors) {
  CHECK(payload.size() <= kMaxMessageBytes);
  CHECK(descriptors.size() <= std::size_t(kMaxDescriptorsPerFrame));
  if (failed_) return;
  Outgoing frame;
  frame.bytes.reserve(kHeaderBytes + payload.size());
  appendHeader(frame.bytes, payload.size(), descriptors.size());
  frame.bytes += payload;
  frame.descriptors = std::move(descriptors);
  queued_bytes_ += frame.bytes.size();
  outbox_.push_back(std::move(frame));
  if (queued_bytes_ > kMaxQueuedBytes) {
    fail("the peer does not read: over 64 MiB queued");
    return;
  }
  // Only the first frame is written here; with more queued the socket is full and the poll drains them.
  if (outbox_.size() == 1) writeSome();
}

void MessagePipe::onReady(bool readable, bool writable) {
  if (writable) writeSome();
  if (!readable) return;
  // Bounded rounds, so that a flood on one pipe does not starve the loop.
  for (int round = 0; round < 16 && !failed_; ++round) {
    if (!readSome() || !takeFrames()) break;
  }
}

bool MessagePipe::readSome() {
  char buffer[kReadBytes];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 64)];
  iovec vector{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return false;
    fail(std::string("read: ") + std::strerror(errno));
    return false;
  }
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      received_.emplace_back(fd);
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0 || received_.size() > kMaxReceivedDescriptors || (!accept_descriptors_ && !received_.empty())) {
    fail("descriptors where none are due");
    return false;
  }
  if (got == 0) {
    fail("closed");
    return false;
  }
  inbox_.append(buffer, std::size_t(got));
  return true;
}

bool MessagePipe::takeFrames() {
  std::size_t at = 0;
  while (inbox_.size() - at >= kHeaderBytes) {
    auto byte = [&](std::size_t i) { return std::size_t(static_cast<unsigned char>(inbox_[at + i])); };
    std::size_t length = byte(0) << 24U | byte(1) << 16U | byte(2) << 8U | byte(3);
    std::size_t count = byte(4);
    if (length > kMaxMessageBytes || count > std::size_t(kMaxDescriptorsPerFrame)) {
      fail("frame out of bounds");
      return false;
    }
    if (inbox_.size() - at < kHeaderBytes + length) break;
    if (received_.size() < count) {
      fail("a frame lacks its descriptors");
      return false;
    }
    std::vector<Fd> descriptors;
    for (std::size_t i = 0; i < count; ++i) {
      descriptors.push_back(std::move(received_.front()));
      received_.pop_front();
    }
    std::string payload = inbox_.substr(at + kHeaderBytes, length);
    at += kHeaderBytes + length;
    bool understood = handler_.on_frame(payload, std::move(descriptors));
    if (failed_) return false;
    if (!understood) {
      fail("a frame that makes no sense here");
      return false;
    }
  }
  inbox_.erase(0, at);
  return true;
}

void MessagePipe::writeSome() {
  while (!outbox_.empty()) {
    Outgoing& frame = outbox_.front();
    iovec vector{frame.bytes.data() + frame.sent, frame.bytes.size() - frame.sent};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptorsPerFrame)] = {};
    if (!frame.descriptors.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(sizeof(int) * frame.descriptors.size());
      cmsghdr* part = CMSG_FIRSTHDR(&message);
      part->cmsg_level = SOL_SOCKET;
      part->cmsg_type = SCM_RIGHTS;
      part->cmsg_len = CMSG_LEN(sizeof(int) * frame.descriptors.size());
      for (std::size_t i = 0; i < frame.descriptors.size(); ++i) {
        int fd = frame.descriptors[i].get();
        std::memcpy(CMSG_DATA(part) + i * sizeof(int), &fd, sizeof(int));
      }
    }
    ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EINTR) {
        poll_.want(true, true);
        return;
      }
      fail(std::string("write: ") + std::strerror(errno));
      return;
    }
    frame.descriptors.clear();  // they went with the first byte; ours may close
    frame.sent += std::size_t(sent);
    queued_bytes_ -= std::size_t(sent);
    if (frame.sent == frame.bytes.size()) {
      outbox_.pop_front();
    }
  }
  poll_.want(true, false);
}

void MessagePipe::fail(const std::string& reason) {
  if (failed_) return;
  failed_ = true;
  poll_.want(false, false);
  // The owner destroys the pipe in on_end, so it runs from the loop, not from within send(); with the pipe gone before, it never runs.
  failure_.start(std::chrono::milliseconds(0), [on_end = handler_.on_end, reason] {
    if (on_end) on_end(reason);
  });
}

}  // namespace ptygate::base
