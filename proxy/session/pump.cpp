// SPDX-License-Identifier: Apache-2.0
#include "proxy/session/pump.h"

#include <algorithm>

namespace ptygate::session {

Pump::Result Pump::move(ssh::Channel& from, ssh::Channel& to, recorder::Recording& recording) {
  std::string_view available = from.readable(from_);
  if (available.empty()) return Result::Waiting;
  std::size_t length = std::min(available.size(), to.room());
  if (length == 0) return Result::Waiting;
  if (length > recorded_) {
    recorder::CastEvent event{kind_, available.substr(recorded_, length - recorded_), 0, 0};
    if (!recording.append(event, std::chrono::steady_clock::now())) return Result::RecorderFailed;
    recorded_ = length;
  }
  std::size_t sent = to.write(to_, available.substr(0, length));
  if (sent == 0) return Result::Waiting;
  recorded_ -= sent;
  bytes_ += sent;
  from.consume(from_, sent);
  return Result::Moved;
}

}  // namespace ptygate::session
