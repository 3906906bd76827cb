// SPDX-License-Identifier: Apache-2.0
#include "proxy/ssh/transport.h"

#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "proxy/base/check.h"

namespace ptygate::ssh {

namespace {
// Polls of libssh in one wake-up; each reads at most 4 KiB. As much as a channel's inbox holds: what is over would go into libssh's own
// buffers, which move all they hold again and again. More would also let one busy connection starve the others.
constexpr int kPollBudget = 32;
}  // namespace

void startLibrary() {
  CHECK(ssh_init() == SSH_OK);
  ssh_set_log_level(SSH_LOG_NOLOG);
}

Transport::Transport(base::Loop& loop, ssh_session_struct* session) : loop_(loop), session_(session) {
  CHECK(session_ != nullptr);
}

Transport::~Transport() { end(false); }

void Transport::watch(int fd, std::function<void()> on_progress) {
  CHECK(event_ == nullptr);
  event_ = ssh_event_new();
  CHECK(event_ != nullptr);
  ssh_event_add_session(event_, session_);
  watched_ = base::Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!watched_.valid()) {
    failed_ = true;
    return;
  }
  int one = 1;
  ::setsockopt(watched_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  on_progress_ = std::move(on_progress);
  poll_ = base::Poll(loop_, watched_.get(), [this](bool, bool) { onReady(); });
  acknowledgeAtOnce();
  rearm();
}

void Transport::acknowledgeAtOnce() {
  // Without it the peer's next packet waits for our delayed ACK, on both legs: 40 ms after its KEXINIT and again after its first answer
  // (libssh.md, 14). The kernel forgets it, so it is said again at every wake-up: a wake-up for writing may have read as well.
  int one = 1;
  ::setsockopt(watched_.get(), IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

void Transport::onReady() {
  // While reading is paused a wake-up is for writing only; but libssh reads as it polls, so it polls once.
  const int budget = pause_ != Pause::None ? 1 : kPollBudget;
  for (int round = 0; round < budget && !failed_; ++round) {
    int rc = ssh_event_dopoll(event_, 0);
    if (rc == SSH_ERROR) failed_ = true;
    if (rc != SSH_OK) break;
  }
  acknowledgeAtOnce();
  on_progress_();
}

void Transport::rearm() {
  if (session_ == nullptr || !poll_.active()) return;
  if (!isAlive()) {
    poll_.want(false, false);
    return;
  }
  poll_.want(pause_ == Pause::None, pause_ != Pause::All && isWritePending());
}

bool Transport::isWritePending() const { return session_ != nullptr && (ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) != 0; }

void Transport::flush() {
  if (event_ == nullptr || failed_ || !isWritePending()) return;
  const int rc = ssh_event_dopoll(event_, 0);
  if (rc == SSH_ERROR) failed_ = true;
  if (rc != SSH_AGAIN) stirred_ = true;
}

bool Transport::isAlive() const {
  if (session_ == nullptr || failed_) return false;
  return (ssh_get_status(session_) & (SSH_CLOSED | SSH_CLOSED_ERROR)) == 0;
}

std::string Transport::error() const { return session_ == nullptr ? "ended" : ssh_get_error(session_); }

void Transport::end(bool say_goodbye) {
  if (session_ == nullptr) return;
  poll_ = base::Poll();
  if (say_goodbye && isAlive()) ssh_disconnect(session_);
  if (event_ != nullptr) {
    ssh_event_remove_session(event_, session_);
    ssh_event_free(event_);
    event_ = nullptr;
  }
  ssh_free(session_);
  session_ = nullptr;
  watched_.reset();
}

}  // namespace ptygate::ssh
