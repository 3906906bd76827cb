// SPDX-License-Identifier: Apache-2.0
// One end of the socketpair between keeper and worker: frames of bytes, with descriptors attached. Knows nothing of what they mean.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/fd.h"
#include "proxy/base/loop.h"

namespace ptygate::base {

/// The owner may destroy it in on_end, never in on_frame.
/// Frame: u32 big-endian payload length, u8 number of descriptors, payload. Descriptors ride on the frame's first byte (SCM_RIGHTS).
class MessagePipe {
 public:
  /// Unsent frames hold at most this; over it the peer is stuck and the pipe fails.
  static constexpr std::size_t kMaxQueuedBytes = 64 * 1024 * 1024;
  static constexpr int kMaxDescriptorsPerFrame = 3;

  struct Handler {
    /// One whole frame; the descriptors are the receiver's now. Return false to fail the pipe (the frame made no sense).
    std::function<bool(std::string_view payload, std::vector<Fd> descriptors)> on_frame;
    /// The peer is gone or broke the framing. Called once, from the loop; no on_frame after it.
    std::function<void(const std::string& reason)> on_end;
  };

  /// `accept_descriptors` false: a frame with descriptors fails the pipe (a worker never sends any).
  MessagePipe(Loop& loop, Fd socket, bool accept_descriptors, Handler handler);
  MessagePipe(const MessagePipe&) = delete;
  MessagePipe& operator=(const MessagePipe&) = delete;

  /// Sends one frame, in order; what the socket does not take now is queued. `payload` within kMaxMessageBytes, by CHECK.
  void send(std::string payload, std::vector<Fd> descriptors = {});
  [[nodiscard]] std::size_t queuedBytes() const { return queued_bytes_; }

 private:
  struct Outgoing {
    std::string bytes;
    std::size_t sent = 0;
    std::vector<Fd> descriptors;
  };
  void onReady(bool readable, bool writable);
  bool readSome();
  bool takeFrames();
  void writeSome();
  void fail(const std::string& reason);

  Fd socket_;
  bool accept_descriptors_;
  Handler handler_;
  Poll poll_;
  std::string inbox_;
  std::deque<Fd> received_;
  std::deque<Outgoing> outbox_;
  std::size_t queued_bytes_ = 0;
  bool failed_ = false;
  Timer failure_;
};

}  // namespace ptygate::base
