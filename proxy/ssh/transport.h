// SPDX-License-Identifier: Apache-2.0
// One ssh_session in the event loop, by the recipe of libssh.md: its own ssh_event, a poll on a dup of its socket, bounded progress.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "proxy/base/fd.h"
#include "proxy/base/loop.h"

struct ssh_session_struct;
struct ssh_event_struct;

namespace ptygate::ssh {

/// Starts libssh in this process: once, before confinement, since it reads the system's OpenSSL configuration.
void startLibrary();

class Transport {
 public:
  /// Adopts `session`.
  Transport(base::Loop& loop, ssh_session_struct* session);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Starts watching `fd` (the session's socket; dup'd here). `on_progress` runs after libssh read something or can write: a progress step.
  /// The callback may destroy the owner only through Loop::defer.
  void watch(int fd, std::function<void()> on_progress);
  /// Sets what to wait for from libssh's state; call after anything was written to this session.
  void rearm();
  /// False once the connection ended or failed.
  [[nodiscard]] bool isAlive() const;
  /// What is left in the kernel, so that its window closes instead of libssh's buffers filling. Takes effect with the next rearm().
  enum class Pause : std::uint8_t {
    None,
    Reading,  ///< nothing that could come may go anywhere now; but a wake-up for writing makes libssh read 4 KiB too
    All,      ///< and nothing of ours is waited for: window adjustments that libssh wants to send would make it read on and on
  };
  void pause(Pause pause) { pause_ = pause; }
  /// The socket is full: nothing can be written to any channel now.
  [[nodiscard]] bool isWritePending() const;
  /// libssh says "write pending" after every write until it has polled again. Polls once (which may also read 4 KiB into inboxes), so that
  /// only a socket that really is full stays pending. From progress steps only, never from a libssh callback.
  void flush();
  /// A flush() polled since the last call: it may have read, and no wake-up will come for that. The owner takes another progress step.
  [[nodiscard]] bool takeStirred() { return std::exchange(stirred_, false); }
  [[nodiscard]] ssh_session_struct* raw() const { return session_; }
  /// libssh's last error, for the log only.
  [[nodiscard]] std::string error() const;
  /// Sends a disconnect message where the protocol allows, and closes. Nothing of libssh may be used afterwards.
  void end(bool say_goodbye);

 private:
  void onReady();
  void acknowledgeAtOnce();

  base::Loop& loop_;
  ssh_session_struct* session_;
  ssh_event_struct* event_ = nullptr;
  bool failed_ = false;
  Pause pause_ = Pause::None;
  bool stirred_ = false;
  base::Fd watched_;
  base::Poll poll_;
  std::function<void()> on_progress_;
};

}  // namespace ptygate::ssh
