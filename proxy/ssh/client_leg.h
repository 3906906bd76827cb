// SPDX-License-Identifier: Apache-2.0
// The agent's (or a person's) side of a connection: we are the SSH server. Key exchange, authentication, channels as they open.
// Who may log in is asked of an Admission; this file knows no identities.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "proxy/base/fd.h"
#include "proxy/ssh/channel.h"
#include "proxy/ssh/transport.h"

struct ssh_bind_struct;

namespace ptygate::ssh {

/// Answers authentication. Called from within libssh: it must not touch the connection, only decide and remember.
class Admission {
 public:
  virtual ~Admission() = default;
  /// A public key was offered for `user`. `verified`: its signature was checked, so true logs in. Not verified: only a probe; true
  /// says "this key would do". Blob is the SSH wire form.
  virtual bool offerKey(const std::string& user, const std::string& blob, bool verified) = 0;
  /// No credential at all; true only where the identity is known already (the inner connection of a jump).
  virtual bool offerNone(const std::string& user) = 0;
  /// May this logged-in client open a direct-tcpip channel at all? Where it leads is decided after it was accepted.
  virtual bool offerJump() = 0;
};

/// The gate's host key and server settings, made once in a process.
class ServerIdentity {
 public:
  /// `host_key` is the openssh-key-v1 text. Error: text for the log.
  static tl::expected<std::unique_ptr<ServerIdentity>, std::string> create(const std::string& host_key);
  ~ServerIdentity();

 private:
  friend class ClientLeg;
  explicit ServerIdentity(ssh_bind_struct* bind) : bind_(bind) {}
  ssh_bind_struct* bind_;
};

/// A direct-tcpip channel the client opened (RFC 4254, 7.2): a jump, or a forward.
struct DirectTcpip {
  std::string host;
  std::uint16_t port = 0;
  std::unique_ptr<Channel> channel;
};

class ClientLeg {
 public:
  enum class State : std::uint8_t {
    KeyExchange,     ///< not yet encrypted
    Authenticating,  ///< waiting for a key
    Open,            ///< logged in; channels may open
    Dead,            ///< ended by the peer, or by a protocol error
  };
  struct Limits {
    std::uint64_t auth_attempts = 6;
    std::uint64_t channels = 64;
    std::uint64_t rekey_bytes = 1024ULL * 1024 * 1024;
  };

  /// Takes over an accepted socket. nullptr when libssh refuses it. `on_progress` is the connection's progress step.
  static std::unique_ptr<ClientLeg> accept(base::Loop& loop, base::Fd socket, ServerIdentity& identity, Admission& admission, Limits limits,
                                           bool offer_none, std::function<void()> on_progress);
  ~ClientLeg();

  /// Drives the handshake; call in every progress step.
  State progress();
  [[nodiscard]] State state() const { return state_; }
  /// Session channels and direct-tcpip channels that opened since the last call.
  [[nodiscard]] std::vector<std::unique_ptr<Channel>> takeSessions();
  [[nodiscard]] std::vector<DirectTcpip> takeJumps();
  /// Destroys a channel that was taken. Every taken channel goes back here, or is left alone after end().
  void release(std::unique_ptr<Channel> channel);
  /// What else was asked and refused at once ("tcpip-forward"), for the record; bounded.
  [[nodiscard]] std::vector<std::string> takeRefusals();

  [[nodiscard]] std::string clientVersion() const;
  [[nodiscard]] std::string error() const { return transport_->error(); }
  void sendKeepalive();
  void rearm() { transport_->rearm(); }
  void pause(Transport::Pause pause) { transport_->pause(pause); }
  [[nodiscard]] bool isWritePending() const { return transport_->isWritePending(); }
  [[nodiscard]] bool takeStirred() { return transport_->takeStirred(); }
  /// Ends the transport; channels that others hold are abandoned (closed, without libssh) and may be destroyed later.
  void end();

  struct Callbacks;

 private:
  friend struct Callbacks;
  ClientLeg() = default;
  // Not `state_ == Authenticating`: the request can arrive in the wake-up that ends the key exchange, before progress() has seen that end.
  // libssh itself refuses authentication before the keys are in use.
  [[nodiscard]] bool mayAuthenticate() const { return state_ != State::Dead && state_ != State::Open && !logged_in_; }

  std::unique_ptr<Callbacks> callbacks_;
  std::unique_ptr<Transport> transport_;
  Admission* admission_ = nullptr;
  Limits limits_;
  State state_ = State::KeyExchange;
  std::uint64_t failed_attempts_ = 0;
  std::map<ssh_channel_struct*, Channel*> live_;  ///< all channels, also those taken by sessions
  bool logged_in_ = false;
  std::vector<std::unique_ptr<Channel>> sessions_;
  std::vector<DirectTcpip> jumps_;
  std::vector<std::string> refusals_;
};

}  // namespace ptygate::ssh
