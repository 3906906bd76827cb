// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/identity_agent.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "certs/agent_protocol.h"
#include "proxy/base/log.h"

namespace ptygate::keeper {

namespace {
constexpr std::chrono::milliseconds kLifetime{60'000};
constexpr int kMaxRequests = 16;
}  // namespace

tl::expected<base::Fd, std::string> IdentityAgents::open(const certs::Ed25519PrivateKey& key, std::string target, std::string login) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return tl::make_unexpected(std::string(std::strerror(errno)));
  const std::uint64_t id = next_++;
  auto conversation = std::make_unique<Conversation>();
  conversation->key = &key;
  conversation->target = std::move(target);
  conversation->login = std::move(login);
  conversation->socket.reset(pair[0]);
  conversation->timer = base::Timer(gate_.loop);
  conversation->timer.start(kLifetime, [this, id] { open_.erase(id); });
  conversation->poll = base::Poll(gate_.loop, pair[0], [this, id](bool readable, bool) {
    if (readable) onReadable(id);
  });
  conversation->poll.want(true, false);
  open_[id] = std::move(conversation);
  return base::Fd(pair[1]);
}

void IdentityAgents::onReadable(std::uint64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  Conversation& conversation = *found->second;
  std::array<char, 4096> bytes;
  const ssize_t n = ::recv(conversation.socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  bool keep = n > 0;
  if (keep) conversation.buffer.append(bytes.data(), static_cast<std::size_t>(n));
  while (keep) {
    auto message = certs::takeAgentMessage(conversation.buffer);
    if (!message) keep = false;
    if (!message || !*message) break;
    const std::string reply = answer(conversation, **message);
    // A reply is under a kilobyte and the socket's buffer far larger: what does not fit is a peer that does not read.
    keep = !reply.empty() &&
           ::send(conversation.socket.get(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(reply.size());
  }
  if (!keep) open_.erase(id);
}

std::string IdentityAgents::answer(Conversation& conversation, std::string_view message) {
  if (++conversation.requests > kMaxRequests) return {};
  auto request = certs::parseAgentRequest(message);
  if (!request) return {};
  if (std::holds_alternative<certs::IdentitiesRequest>(*request)) {
    return certs::identitiesAnswer({certs::Identity{conversation.key->publicKey(), "ptygate"}});
  }
  const auto* sign = std::get_if<certs::SignRequest>(&*request);
  if (sign == nullptr || conversation.signed_once) return certs::agentFailure();
  auto reply = certs::answerSignRequest(*sign, conversation.login, *conversation.key);
  base::log(reply ? base::LogLevel::Info : base::LogLevel::Warn, "identity_signature",
            {{"target", conversation.target}, {"login", conversation.login}, {"result", reply ? "signed" : reply.error().text}});
  conversation.signed_once = true;
  return reply ? *reply : certs::agentFailure();
}

}  // namespace ptygate::keeper
