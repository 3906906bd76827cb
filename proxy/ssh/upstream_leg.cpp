// SPDX-License-Identifier: Apache-2.0
#include "proxy/ssh/upstream_leg.h"

#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include <algorithm>

#include "proxy/base/check.h"
#include "proxy/ssh/host_key.h"

namespace ptygate::ssh {

namespace {
constexpr const char* kCiphers = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes256-ctr,aes128-ctr";

// The pinned keys' types first, so that a target with several keys shows the pinned one; the others after them, so that a changed key is
// seen and named instead of failing as "no common algorithm".
std::string hostKeyAlgorithms(const std::vector<std::string>& pinned) {
  static const std::vector<std::string> kAll = {"ssh-ed25519",   "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
                                                "rsa-sha2-512", "rsa-sha2-256"};
  std::vector<std::string> order;
  auto add = [&](const std::string& name) {
    if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  };
  for (const std::string& blob : pinned) {
    std::string type = keyTypeOf(blob);
    if (type == "ssh-rsa") {
      add("rsa-sha2-512");
      add("rsa-sha2-256");
    } else if (std::find(kAll.begin(), kAll.end(), type) != kAll.end()) {
      add(type);
    }
  }
  for (const std::string& name : kAll) add(name);
  std::string list;
  for (const std::string& name : order) list += (list.empty() ? "" : ",") + name;
  return list;
}

void setNonBlocking(int fd) {
  int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}
}  // namespace

std::unique_ptr<UpstreamLeg> UpstreamLeg::start(base::Loop& loop, base::Fd socket, const std::string& login,
                                                const std::vector<std::string>& host_keys, std::uint64_t rekey_bytes,
                                                std::function<void()> on_progress) {
  ssh_session session = ssh_new();
  if (session == nullptr) return nullptr;
  bool process_config = false;
  ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &process_config);
  ssh_options_set(session, SSH_OPTIONS_HOST, "target");
  ssh_options_set(session, SSH_OPTIONS_USER, login.c_str());
  // A worker has no files: without these libssh would look for a home directory.
  ssh_options_set(session, SSH_OPTIONS_SSH_DIR, "/dev/null");
  ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
  ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
  ssh_options_set(session, SSH_OPTIONS_CIPHERS_C_S, kCiphers);
  ssh_options_set(session, SSH_OPTIONS_CIPHERS_S_C, kCiphers);
  ssh_options_set(session, SSH_OPTIONS_HOSTKEYS, hostKeyAlgorithms(host_keys).c_str());
  ssh_options_set(session, SSH_OPTIONS_REKEY_DATA, &rekey_bytes);
  int fd = socket.release();
  ssh_options_set(session, SSH_OPTIONS_FD, &fd);
  ssh_set_blocking(session, 0);

  std::unique_ptr<UpstreamLeg> leg(new UpstreamLeg);
  leg->loop_ = &loop;
  leg->fd_ = fd;
  leg->host_keys_ = host_keys;
  leg->on_progress_ = std::move(on_progress);
  leg->transport_ = std::make_unique<Transport>(loop, session);
  if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &leg->key_) != SSH_OK) return nullptr;
  leg->public_key_ = blobOf(leg->key_);
  leg->progress();
  return leg;
}

UpstreamLeg::~UpstreamLeg() {
  end();
  ssh_key_free(key_);
}

UpstreamLeg::State UpstreamLeg::progress() {
  if (state_ == State::Dead) return state_;
  if (state_ == State::KeyExchange) {
    int rc = ssh_connect(transport_->raw());
    // libssh clears O_NONBLOCK once connected; one full socket would then block the whole loop.
    setNonBlocking(fd_);
    if (!watching_ && rc != SSH_ERROR) {
      watching_ = true;
      transport_->watch(fd_, on_progress_);
    }
    if (rc == SSH_ERROR) {
      die("key exchange with the target failed: " + transport_->error());
    } else if (rc == SSH_OK) {
      checkHostKey();
    }
  }
  if (state_ == State::Authenticating) {
    int rc = by_agent_ ? ssh_userauth_agent(transport_->raw(), nullptr) : ssh_userauth_publickey(transport_->raw(), nullptr, key_);
    if (rc == SSH_AUTH_SUCCESS) {
      state_ = State::Open;
    } else if (rc != SSH_AUTH_AGAIN) {
      die("the target refused the gate's credential (is the gate's CA trusted there? see `ptygate targets set-up`)");
    }
  }
  if (state_ != State::Dead && !transport_->isAlive()) die("the target closed the connection");
  return state_;
}

void UpstreamLeg::checkHostKey() {
  ssh_key shown = nullptr;
  std::string blob;
  if (ssh_get_server_publickey(transport_->raw(), &shown) == SSH_OK) blob = blobOf(shown);
  ssh_key_free(shown);
  if (!blob.empty() && std::find(host_keys_.begin(), host_keys_.end(), blob) != host_keys_.end()) {
    state_ = State::Ready;
    return;
  }
  std::string pinned;
  for (const std::string& key : host_keys_) pinned += (pinned.empty() ? "" : ", ") + keyTypeOf(key) + " " + fingerprintOf(key);
  host_key_refused_ = true;
  die("the target's host key is not the pinned one: it showed " + keyTypeOf(blob) + " " + fingerprintOf(blob) + ", pinned is " + pinned);
}

void UpstreamLeg::authenticate(const std::string& certificate) {
  CHECK(state_ == State::Ready);
  std::size_t blank = certificate.find(' ');
  std::string base64 = blank == std::string::npos ? certificate : certificate.substr(blank + 1, certificate.find(' ', blank + 1) - blank - 1);
  ssh_key cert = nullptr;
  if (ssh_pki_import_cert_base64(base64.c_str(), SSH_KEYTYPE_ED25519_CERT01, &cert) != SSH_OK || ssh_pki_copy_cert_to_privkey(cert, key_) != SSH_OK) {
    ssh_key_free(cert);
    die("the gate's certificate could not be used");
    return;
  }
  ssh_key_free(cert);
  state_ = State::Authenticating;
}

void UpstreamLeg::authenticateByAgent(base::Fd agent) {
  CHECK(state_ == State::Ready);
  agent_ = std::move(agent);
  if (ssh_set_agent_socket(transport_->raw(), agent_.get()) != SSH_OK) {
    die("the keeper's signing socket could not be used");
    return;
  }
  (void)agent_.release();  // libssh closes it with the session
  by_agent_ = true;
  state_ = State::Authenticating;
}

std::unique_ptr<Channel> UpstreamLeg::newChannel() {
  if (state_ != State::Open) return nullptr;
  ssh_channel channel = ssh_channel_new(transport_->raw());
  if (channel == nullptr) return nullptr;
  auto made = std::make_unique<Channel>(*transport_, channel);
  live_.push_back(made.get());
  return made;
}

void UpstreamLeg::release(std::unique_ptr<Channel> channel) { std::erase(live_, channel.get()); }

void UpstreamLeg::sendKeepalive() {
  if (state_ == State::Open) ssh_send_keepalive(transport_->raw());
}

void UpstreamLeg::die(std::string why) {
  if (state_ == State::Dead) return;
  state_ = State::Dead;
  failure_ = std::move(why);
}

void UpstreamLeg::end() {
  for (Channel* channel : live_) channel->abandon();
  live_.clear();
  // No goodbye: ssh_disconnect forgets a descriptor that came by SSH_OPTIONS_FD without closing it (0.10.6); ssh_free closes it.
  if (transport_) transport_->end(false);
  if (state_ != State::Dead) die("ended");
}

}  // namespace ptygate::ssh
