// SPDX-License-Identifier: Apache-2.0
// One client connection: its leg, its sessions, its way to the target, the inner connections of its jumps. Routes events; holds no rule.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/session/jump.h"
#include "proxy/session/session.h"
#include "proxy/session/upstreams.h"
#include "proxy/ssh/client_leg.h"
#include "proxy/worker/directory.h"

namespace ptygate::worker {

/// Inner connections of jumps that one connection may have at once.
inline constexpr std::size_t kMaxJumps = 16;

/// What all connections of a worker share.
struct WorkerContext {
  base::Loop& loop;
  session::KeeperLine& line;
  ssh::ServerIdentity& identity;
  const std::unique_ptr<Directory>& directory;  ///< replaced by reloads, so read anew each time
};

class Connection final : private ssh::Admission {
 public:
  /// For the inner connection of a jump: who the outer one is, and which target was named (nullptr: none that exists).
  struct Inner {
    std::string identity;
    std::string target;  ///< empty: unknown, every login is refused
  };

  /// nullptr when the socket cannot be served. `on_ended` is called once, from the loop; the owner destroys the connection then.
  static std::unique_ptr<Connection> create(const WorkerContext& context, std::uint64_t number, base::Fd socket, std::optional<Inner> inner,
                                            std::function<void()> on_ended);
  ~Connection() override;

  /// One progress step of everything here. Safe to call from anywhere but a libssh callback.
  void progress();
  /// Ends it: sessions are stopped with `reason`, the client is disconnected soon after.
  void stop(const std::string& reason);
  [[nodiscard]] const std::string& identity() const { return identity_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  struct Entry {
    std::unique_ptr<ssh::Channel> channel;
    session::Preamble preamble;
    std::unique_ptr<session::Session> session;
  };
  struct Jump {
    std::unique_ptr<ssh::Channel> channel;
    std::unique_ptr<session::JumpPipe> pipe;
    std::unique_ptr<Connection> connection;
    bool inner_ended = false;
  };

  Connection(const WorkerContext& context, std::uint64_t number, std::optional<Inner> inner, std::function<void()> on_ended);
  bool offerKey(const std::string& user, const std::string& blob, bool verified) override;
  bool offerNone(const std::string& user) override;
  bool offerJump() override;

  void step();
  void onOpen();
  void takeChannels();
  void startJump(ssh::DirectTcpip jump);
  void takeAsks(Entry& entry);
  void begin(Entry& entry, const ssh::Ask& ask);
  void refuse(Entry& entry, const std::string& what, const std::string& text);
  session::SessionContext sessionContext();
  void reap();
  void keepAlive();
  void end(const std::string& reason);

  WorkerContext context_;
  std::uint64_t number_;
  std::optional<Inner> inner_;
  std::function<void()> on_ended_;
  base::WorkerLimits limits_;
  std::unique_ptr<ssh::ClientLeg> leg_;
  std::string identity_;
  std::string fingerprint_;
  std::string user_;
  std::optional<Route> route_;
  bool pre_dial_ = false;            ///< a probe named an agent that may reach route_
  std::optional<Route> pre_dialled_;  ///< what upstreams_ was made for before the login
  std::string pre_dialled_for_;
  bool open_ = false;
  bool ended_ = false;
  bool stopping_ = false;
  std::string stop_reason_;
  bool had_sessions_ = false;  ///< when it began to stop
  bool leaving_ = false;       ///< stopping, and everything is said
  bool in_progress_ = false;
  bool again_ = false;
  std::unique_ptr<session::Upstreams> upstreams_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<std::unique_ptr<Jump>> jumps_;
  base::Timer grace_;
  base::Timer keepalive_;
  base::Timer wake_;
};

}  // namespace ptygate::worker
