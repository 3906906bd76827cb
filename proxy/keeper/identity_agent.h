// SPDX-License-Identifier: Apache-2.0
// ssh-agent for targets that cannot trust a CA: the keeper keeps the identity key and answers one sign request over a socketpair, only for
// a userauth blob with that login and key. The protocol is certs/agent_protocol.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "certs/private_key.h"
#include "proxy/keeper/gate.h"

namespace ptygate::keeper {

class IdentityAgents {
 public:
  explicit IdentityAgents(Gate& gate) : gate_(gate) {}

  /// Opens a conversation and returns the worker's end. It ends after one signature, a wrong message, kMaxRequests, or a minute.
  [[nodiscard]] tl::expected<base::Fd, std::string> open(const certs::Ed25519PrivateKey& key, std::string target, std::string login);
  /// Ends every conversation: the keys are about to be replaced.
  void closeAll() { open_.clear(); }

 private:
  struct Conversation {
    const certs::Ed25519PrivateKey* key = nullptr;
    std::string target, login, buffer;
    int requests = 0;
    bool signed_once = false;
    base::Fd socket;
    base::Poll poll;
    base::Timer timer;
  };
  void onReadable(std::uint64_t id);
  /// The answer to one message; empty: end the conversation.
  [[nodiscard]] std::string answer(Conversation& conversation, std::string_view message);

  Gate& gate_;
  std::map<std::uint64_t, std::unique_ptr<Conversation>> open_;
  std::uint64_t next_ = 1;
};

}  // namespace ptygate::keeper
