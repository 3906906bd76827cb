// SPDX-License-Identifier: Apache-2.0
// Moves one stream from one channel to the other: recorded first, then forwarded. No byte takes another way.
#pragma once

#include <cstdint>

#include "proxy/ssh/channel.h"
#include "recorder/recording.h"

namespace ptygate::session {

/// One direction of one stream. Remembers how much of the source's inbox is recorded but not yet taken by the far end.
class Pump {
 public:
  enum class Result : std::uint8_t { Moved, Waiting, RecorderFailed };
  Pump(ssh::Stream from, ssh::Stream to, recorder::CastEvent::Kind kind) : from_(from), to_(to), kind_(kind) {}

  /// Records and forwards what `to` can take now. Moved: call again; Waiting: nothing to read, or the far end is full.
  /// RecorderFailed is final: nothing of this call was forwarded and nothing may be forwarded any more.
  Result move(ssh::Channel& from, ssh::Channel& to, recorder::Recording& recording);
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  ssh::Stream from_;
  ssh::Stream to_;
  recorder::CastEvent::Kind kind_;
  std::size_t recorded_ = 0;  ///< bytes at the front of the inbox that the cast has already
  std::uint64_t bytes_ = 0;
};

}  // namespace ptygate::session
