// SPDX-License-Identifier: Apache-2.0
// The way of `ssh -J`: a direct-tcpip channel of the outer connection joined to a socketpair, whose other end an inner connection serves.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "proxy/base/fd.h"
#include "proxy/base/loop.h"
#include "proxy/ssh/channel.h"

namespace ptygate::session {

/// Moves bytes both ways between an outer channel and a descriptor; encrypted bytes of the inner handshake, so nothing to record.
class JumpPipe {
 public:
  JumpPipe(base::Loop& loop, ssh::Channel& channel, base::Fd fd, std::function<void()> wake);
  void progress();
  /// Either side ended and everything was delivered.
  [[nodiscard]] bool isDone() const { return done_; }

 private:
  bool towardsInner();
  bool towardsClient();

  ssh::Channel& channel_;
  base::Fd fd_;
  base::Poll poll_;
  std::string buffer_;  ///< read from the inner side, not yet taken by the channel; at most kBufferBytes
  bool inner_ended_ = false;
  bool done_ = false;
  bool want_write_ = false;
  bool blocked_ = false;  ///< the channel's window is closed: reading from the inner side pauses
};

}  // namespace ptygate::session
