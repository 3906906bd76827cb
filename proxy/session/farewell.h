// SPDX-License-Identifier: Apache-2.0
// The end of a session towards the client: the last lines on stderr, the exit status, EOF, close; each as soon as the window allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proxy/session/session.h"

namespace ptygate::session {

// Exit statuses of the gate itself (architecture.md, "What the agent meets").
inline constexpr int kExitDenied = 126;
inline constexpr int kExitExpired = 124;
inline constexpr int kExitLater = 75;
inline constexpr int kExitUnknown = 76;
inline constexpr int kExitTrouble = 255;

class Farewell {
 public:
  Farewell() = default;
  Farewell(std::string words, int status) : words_(std::move(words)), status_(status) {}
  Farewell(std::string words, ssh::ExitSignal signal) : words_(std::move(words)), signal_(std::move(signal)) {}

  /// Words that were said before and are not sent yet.
  void precede(std::string words) { words_.insert(0, words); }

  /// True once the channel is closed. A client that does not read for kPatience is left with what it got.
  bool progress(ssh::Channel& client, base::SteadyTime now);

 private:
  static constexpr std::chrono::seconds kPatience{10};
  std::string words_;
  int status_ = kExitTrouble;
  std::optional<ssh::ExitSignal> signal_;
  std::optional<base::SteadyTime> since_;
  bool done_ = false;
};

/// A request that is refused at once: a sentence, exit status 126. Shells, subsystems, PTY commands, forwards, for now.
class RefusedSession : public Session {
 public:
  RefusedSession(base::Loop& loop, ssh::Channel& client, std::string words, int status = kExitDenied)
      : loop_(loop), client_(client), farewell_(std::move(words), status) {}
  void progress() override { done_ = done_ || farewell_.progress(client_, loop_.now()); }
  [[nodiscard]] bool isDone() const override { return done_; }
  void onClientGone() override { done_ = true; }
  void stop(const std::string&) override { done_ = true; }

 private:
  base::Loop& loop_;
  ssh::Channel& client_;
  Farewell farewell_;
  bool done_ = false;
};

}  // namespace ptygate::session
