// SPDX-License-Identifier: Apache-2.0
// The target's side of a connection: we are the SSH client. Key exchange, the pinned host key, authentication by certificate or by an
// agent socket of the keeper's. It never asks, never learns a host key, and authenticates only when told.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/fd.h"
#include "proxy/ssh/channel.h"
#include "proxy/ssh/transport.h"

struct ssh_key_struct;

namespace ptygate::ssh {

class UpstreamLeg {
 public:
  enum class State : std::uint8_t {
    KeyExchange,     ///< TCP is connected; keys are exchanged
    Ready,           ///< the host key is the pinned one; waits for authenticate()
    Authenticating,
    Open,            ///< channels may be opened
    Dead,            ///< see failure()
  };

  /// Takes over a connected socket. `host_keys` are the pinned blobs; the connection dies unless the target shows one of them.
  static std::unique_ptr<UpstreamLeg> start(base::Loop& loop, base::Fd socket, const std::string& login,
                                            const std::vector<std::string>& host_keys, std::uint64_t rekey_bytes,
                                            std::function<void()> on_progress);
  ~UpstreamLeg();

  State progress();
  [[nodiscard]] State state() const { return state_; }
  /// The fresh key this leg made for itself (ed25519 blob): what the keeper certifies.
  [[nodiscard]] const std::string& publicKey() const { return public_key_; }
  /// In Ready: logs in with a certificate for publicKey(), in the form "ssh-ed25519-cert-v01@openssh.com AAAA…".
  void authenticate(const std::string& certificate);
  /// In Ready: logs in with whatever key the ssh-agent behind `agent` (the keeper) offers.
  void authenticateByAgent(base::Fd agent);
  /// Why it is Dead, for people: names both fingerprints when the host key is not the pinned one.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool hostKeyRefused() const { return host_key_refused_; }

  /// A channel to open(); nullptr when dead.
  [[nodiscard]] std::unique_ptr<Channel> newChannel();
  /// Destroys a channel made here.
  void release(std::unique_ptr<Channel> channel);
  [[nodiscard]] std::size_t channels() const { return live_.size(); }
  void sendKeepalive();
  void rearm() { transport_->rearm(); }
  void pause(Transport::Pause pause) { transport_->pause(pause); }
  [[nodiscard]] bool isWritePending() const { return transport_->isWritePending(); }
  [[nodiscard]] bool takeStirred() { return transport_->takeStirred(); }
  /// Ends the transport; channels that others hold are abandoned.
  void end();

 private:
  UpstreamLeg() = default;
  void checkHostKey();
  void die(std::string why);

  std::unique_ptr<Transport> transport_;
  State state_ = State::KeyExchange;
  bool watching_ = false;
  base::Loop* loop_ = nullptr;
  std::function<void()> on_progress_;
  std::vector<std::string> host_keys_;
  std::string public_key_;
  ssh_key_struct* key_ = nullptr;
  base::Fd agent_;
  bool by_agent_ = false;
  std::string failure_;
  bool host_key_refused_ = false;
  std::vector<Channel*> live_;
  int fd_ = -1;
};

}  // namespace ptygate::ssh
