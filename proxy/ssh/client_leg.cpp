// SPDX-License-Identifier: Apache-2.0
#include "proxy/ssh/client_leg.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "proxy/ssh/host_key.h"

namespace ptygate::ssh {

namespace {
// `ssh gate yes | head -1` ends only if the client sends eow@openssh.com, which it does to servers whose banner looks like OpenSSH's.
constexpr const char* kBanner = "OpenSSH_9.2p1 ptygate";
// No chacha20-poly1305: OpenSSH's client would pick it, and aes-gcm costs the relay half as much.
constexpr const char* kCiphers = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";
constexpr const char* kKeyTypes =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com,"
    "sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";
constexpr std::size_t kMaxRefusals = 64;
}  // namespace

tl::expected<std::unique_ptr<ServerIdentity>, std::string> ServerIdentity::create(const std::string& host_key) {
  ssh_key key = nullptr;
  if (ssh_pki_import_privkey_base64(host_key.c_str(), nullptr, nullptr, nullptr, &key) != SSH_OK)
    return tl::make_unexpected("the gate's host key cannot be read by libssh");
  ssh_bind bind = ssh_bind_new();
  bool process_config = false;
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &process_config);
  // The bind owns the key from here.
  if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) != SSH_OK) {
    ssh_key_free(key);
    ssh_bind_free(bind);
    return tl::make_unexpected("libssh refuses the gate's host key");
  }
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BANNER, kBanner);
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_CIPHERS_C_S, kCiphers);
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_CIPHERS_S_C, kCiphers);
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, kKeyTypes);
  return std::unique_ptr<ServerIdentity>(new ServerIdentity(bind));
}

ServerIdentity::~ServerIdentity() { ssh_bind_free(bind_); }

struct ClientLeg::Callbacks {
  ssh_server_callbacks_struct table{};

  static ClientLeg& of(void* user) { return *static_cast<ClientLeg*>(user); }

  static int answer(ClientLeg& leg, bool ok, bool final_try) {
    if (ok) return SSH_AUTH_SUCCESS;
    if (final_try && ++leg.failed_attempts_ >= leg.limits_.auth_attempts) leg.state_ = State::Dead;
    return SSH_AUTH_DENIED;
  }
  static int onNone(ssh_session, const char* user, void* data) noexcept {
    ClientLeg& leg = of(data);
    bool ok = leg.mayAuthenticate() && user != nullptr && leg.admission_->offerNone(user);
    leg.logged_in_ = leg.logged_in_ || ok;
    return answer(leg, ok, false);
  }
  static int onKey(ssh_session, const char* user, ssh_key key, char signature_state, void* data) noexcept {
    ClientLeg& leg = of(data);
    // A bad signature arrives as SSH_PUBLICKEY_STATE_WRONG; only VALID may log in, and NONE is a probe.
    const bool verified = signature_state == SSH_PUBLICKEY_STATE_VALID;
    const bool probe = signature_state == SSH_PUBLICKEY_STATE_NONE;
    if (!leg.mayAuthenticate() || user == nullptr || (!verified && !probe)) return answer(leg, false, true);
    std::string blob = blobOf(key);
    bool ok = !blob.empty() && leg.admission_->offerKey(user, blob, verified);
    leg.logged_in_ = ok && verified;
    return answer(leg, ok, true);
  }
  static ssh_channel onSession(ssh_session session, void* data) noexcept {
    ClientLeg& leg = of(data);
    if (!leg.logged_in_ || leg.live_.size() >= leg.limits_.channels) return nullptr;
    ssh_channel channel = ssh_channel_new(session);
    if (channel == nullptr) return nullptr;
    leg.sessions_.push_back(std::make_unique<Channel>(*leg.transport_, channel));
    leg.live_.emplace(channel, leg.sessions_.back().get());
    return channel;
  }
  static int onMessage(ssh_session, ssh_message message, void* data) noexcept {
    ClientLeg& leg = of(data);
    constexpr int kReplyRefused = 1;
    switch (ssh_message_type(message)) {
      case SSH_REQUEST_CHANNEL_OPEN: return leg.logged_in_ ? openJump(leg, message) : kReplyRefused;
      case SSH_REQUEST_CHANNEL: {
        if (ssh_message_subtype(message) == SSH_CHANNEL_REQUEST_UNKNOWN) noteUnknown(leg, ssh_message_channel_request_channel(message));
        return kReplyRefused;
      }
      case SSH_REQUEST_GLOBAL:
        if (leg.refusals_.size() < kMaxRefusals) leg.refusals_.emplace_back("remote port forwarding");
        return kReplyRefused;
      default: return kReplyRefused;
    }
  }
  static int openJump(ClientLeg& leg, ssh_message message) {
    if (ssh_message_subtype(message) != SSH_CHANNEL_DIRECT_TCPIP || leg.live_.size() >= leg.limits_.channels) {
      if (leg.refusals_.size() < kMaxRefusals) leg.refusals_.emplace_back("a channel of a kind that is not offered");
      return 1;
    }
    if (!leg.admission_->offerJump()) {
      if (leg.refusals_.size() < kMaxRefusals) leg.refusals_.emplace_back("port forwarding");
      return 1;
    }
    const char* host = ssh_message_channel_request_open_destination(message);
    int port = ssh_message_channel_request_open_destination_port(message);
    if (host == nullptr || port <= 0 || port > 65535) return 1;
    DirectTcpip jump{host, std::uint16_t(port), nullptr};
    ssh_channel channel = ssh_message_channel_request_open_reply_accept(message);
    if (channel == nullptr) return 0;
    jump.channel = std::make_unique<Channel>(*leg.transport_, channel);
    leg.live_.emplace(channel, jump.channel.get());
    leg.jumps_.push_back(std::move(jump));
    return 0;
  }
  // The request's name is not accessible; eow@openssh.com is the only one that clients send unasked (libssh.md, "Gaps").
  static void noteUnknown(ClientLeg& leg, ssh_channel raw) {
    auto found = leg.live_.find(raw);
    if (found != leg.live_.end()) found->second->noteEndOfWrite();
  }
};

std::unique_ptr<ClientLeg> ClientLeg::accept(base::Loop& loop, base::Fd socket, ServerIdentity& identity, Admission& admission, Limits limits,
                                             bool offer_none, std::function<void()> on_progress) {
  ssh_session session = ssh_new();
  if (session == nullptr) return nullptr;
  bool process_config = false;
  ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &process_config);
  int fd = socket.get();
  if (ssh_bind_accept_fd(identity.bind_, session, fd) != SSH_OK) {
    ssh_free(session);
    return nullptr;
  }
  (void)socket.release();  // the session owns it now
  std::unique_ptr<ClientLeg> leg(new ClientLeg);
  leg->admission_ = &admission;
  leg->limits_ = limits;
  leg->callbacks_ = std::make_unique<Callbacks>();
  ssh_server_callbacks_struct& table = leg->callbacks_->table;
  ssh_callbacks_init(&table);
  table.userdata = leg.get();
  table.auth_pubkey_function = Callbacks::onKey;
  table.auth_none_function = Callbacks::onNone;
  table.channel_open_request_session_function = Callbacks::onSession;
  ssh_set_server_callbacks(session, &table);
  ssh_set_message_callback(session, Callbacks::onMessage, leg.get());
  ssh_set_auth_methods(session, SSH_AUTH_METHOD_PUBLICKEY | (offer_none ? SSH_AUTH_METHOD_NONE : 0));
  ssh_options_set(session, SSH_OPTIONS_REKEY_DATA, &limits.rekey_bytes);
  ssh_set_blocking(session, 0);
  leg->transport_ = std::make_unique<Transport>(loop, session);
  // The first call registers the socket with the session's poll context, from which ssh_event_add_session takes it over.
  if (ssh_handle_key_exchange(session) == SSH_ERROR) return nullptr;
  leg->transport_->watch(fd, std::move(on_progress));
  return leg;
}

ClientLeg::~ClientLeg() { end(); }

ClientLeg::State ClientLeg::progress() {
  if (state_ == State::Dead || !transport_->isAlive()) return state_ = State::Dead;
  if (state_ == State::KeyExchange) {
    int rc = ssh_handle_key_exchange(transport_->raw());
    if (rc == SSH_OK) state_ = State::Authenticating;
    if (rc == SSH_ERROR) state_ = State::Dead;
  }
  if (logged_in_) state_ = State::Open;  // also straight from KeyExchange: see mayAuthenticate()
  if (!transport_->isAlive()) state_ = State::Dead;
  return state_;
}

std::vector<std::unique_ptr<Channel>> ClientLeg::takeSessions() { return std::exchange(sessions_, {}); }
std::vector<DirectTcpip> ClientLeg::takeJumps() { return std::exchange(jumps_, {}); }
std::vector<std::string> ClientLeg::takeRefusals() { return std::exchange(refusals_, {}); }

std::string ClientLeg::clientVersion() const {
  const char* banner = transport_->raw() != nullptr ? ssh_get_clientbanner(transport_->raw()) : nullptr;
  return banner != nullptr ? banner : "";
}

void ClientLeg::sendKeepalive() {
  if (transport_->isAlive()) ssh_send_keepalive(transport_->raw());
}

void ClientLeg::release(std::unique_ptr<Channel> channel) {
  live_.erase(channel->raw());
}

void ClientLeg::end() {
  for (auto& [raw, channel] : live_) channel->abandon();
  live_.clear();
  sessions_.clear();
  jumps_.clear();
  if (transport_) transport_->end(true);
  state_ = State::Dead;
}

}  // namespace ptygate::ssh
