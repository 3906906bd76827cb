// SPDX-License-Identifier: Apache-2.0
#include "proxy/session/farewell.h"

namespace ptygate::session {

bool Farewell::progress(ssh::Channel& client, base::SteadyTime now) {
  if (done_ || client.raw() == nullptr) return done_ = true;
  if (client.isClosed()) words_.clear();  // it reads no more, but until our CLOSE it takes an exit status
  if (!since_) since_ = now;
  if (!words_.empty()) {
    words_.erase(0, client.write(ssh::Stream::Err, words_));
    if (!words_.empty() && now - *since_ < kPatience) return false;
  }
  if (signal_) {
    client.sendExitSignal(*signal_);
  } else {
    client.sendExitStatus(status_);
  }
  client.sendEof();
  client.close();
  return done_ = true;
}

}  // namespace ptygate::session
