// SPDX-License-Identifier: Apache-2.0
// The connections to one target as one login, for one client connection: dialled early, authenticated once, shared by many channels;
// one more when the target refuses a channel (MaxSessions). Decides nothing; asks the keeper for sockets and credentials.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/loop.h"
#include "proxy/session/keeper_line.h"
#include "proxy/ssh/upstream_leg.h"

namespace ptygate::session {

class Upstreams;

/// Connections to one target that one client connection may hold. sshd's MaxSessions is 10, our channel limit 64.
inline constexpr std::size_t kMaxLegs = 8;

/// One exec request on its way to the target and, once running, its channel.
class UpstreamExec {
 public:
  enum class State : std::uint8_t {
    Connecting,  ///< no leg is open yet
    Opening,     ///< the channel, then env, then exec are requested
    Running,     ///< the target accepted the exec request
    Failed,      ///< nothing was run; failure() says why
    Lost,        ///< exec was sent, its answer was not seen: it may run
  };
  UpstreamExec(Upstreams& pool, std::uint64_t request, std::string command, std::map<std::string, std::string> env);
  ~UpstreamExec();
  UpstreamExec(const UpstreamExec&) = delete;
  UpstreamExec& operator=(const UpstreamExec&) = delete;

  State progress();
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  /// The channel, from Opening on; nullptr before.
  [[nodiscard]] ssh::Channel* channel() { return channel_.get(); }
  void rearm();

 private:
  friend class Upstreams;
  void fail(std::string why);
  void step();
  void dropChannel();

  Upstreams& pool_;
  std::uint64_t request_;
  std::string command_;
  std::map<std::string, std::string> env_;
  std::map<std::string, std::string>::const_iterator next_env_;
  State state_ = State::Connecting;
  std::uint64_t leg_ = 0;  ///< Upstreams' number of the leg it waits for or runs on; 0: none
  std::unique_ptr<ssh::Channel> channel_;
  bool opened_ = false;
  bool asked_credential_ = false;
  int tries_ = 0;
  std::string failure_;
};

class Upstreams : public KeeperListener {
 public:
  Upstreams(base::Loop& loop, KeeperLine& line, std::uint64_t connection, std::string agent, base::TargetInfo target, std::string login,
            const base::WorkerLimits& limits, std::function<void()> on_progress);
  ~Upstreams() override;

  /// Starts a connection and its key exchange when there is none; never authenticates.
  void preDial();
  void progress();
  void onKeeper(const base::ToWorker& message, std::vector<base::Fd> descriptors) override;
  void rearm();
  /// Nothing that targets send can be delivered now (the client's socket is full, or all its windows are closed): leave it in the kernel.
  void pause(ssh::Transport::Pause pause);
  /// The one open leg's socket is full, so nothing the client sends can be delivered. False with none or several.
  [[nodiscard]] bool isBlocked() const;
  /// Transport::takeStirred of any leg.
  [[nodiscard]] bool takeStirred();
  void sendKeepalives();
  /// Closes legs that had no channel for the idle limit.
  void closeIdle();
  [[nodiscard]] bool hostKeyRefused() const { return host_key_refused_; }

 private:
  friend class UpstreamExec;
  struct Leg {
    std::uint64_t number = 0;
    std::uint64_t dial = 0;
    std::uint64_t ticket = 0;        ///< a WantCredential under way
    bool full = false;               ///< the target refused a channel
    std::unique_ptr<ssh::UpstreamLeg> ssh;
    std::string failure;             ///< not empty: dead
    bool was_authenticated = false;
    base::SteadyTime idle_since;
    base::SteadyTime started;
  };
  Leg* find(std::uint64_t number);
  /// A leg to wait for or use; dials one when needed. nullptr at kMaxLegs.
  Leg* choose();
  Leg& dial();
  void noteDead(Leg& leg);

  base::Loop& loop_;
  KeeperLine& line_;
  std::uint64_t connection_;
  std::string agent_;
  base::TargetInfo target_;
  std::string login_;
  const base::WorkerLimits& limits_;
  std::function<void()> on_progress_;
  std::vector<std::unique_ptr<Leg>> legs_;
  std::uint64_t next_leg_ = 1;
  bool host_key_refused_ = false;
};

}  // namespace ptygate::session
