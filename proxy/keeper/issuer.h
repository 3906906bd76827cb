// SPDX-License-Identifier: Apache-2.0
// Credentials for targets: one for each recorded decision, for that login and target, never more. The keeper's only use of the user CA.
// Pure but for randomness: no sockets, no clock. Who decided is the caller's; this counts and checks what a hostile worker may ask.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/config/directory.h"
#include "proxy/keeper/gate.h"

namespace ptygate::keeper {

class Issuer {
 public:
  /// What a decision permits: one login at one target for one request.
  struct Permit {
    std::string agent;
    std::string connection;  ///< "c17"
    std::string target;
    std::string login;
    std::string purpose;  ///< "survey" or "release", for the ledger
  };
  struct Issued {
    Permit permit;
    std::string certificate;                             ///< text line; empty for an identity target
    const certs::Ed25519PrivateKey* identity = nullptr;  ///< borrowed from Keys
    std::string key_id;
    std::uint64_t serial = 0;
  };

  Issuer();

  /// A decision that permits one credential was recorded. One that was not used before is replaced, never added.
  void permit(WaiterId waiter, Permit permit) { permits_[waiter] = std::move(permit); }
  /// The request is over: what was not used is gone.
  void revoke(WaiterId waiter) { permits_.erase(waiter); }

  /// Uses the permit of `waiter` for this public key (ed25519 blob; ignored for an identity target). The permit is gone after
  /// any call. Error: why not, for log and alarm: no permit, another key type, target no longer configured.
  [[nodiscard]] tl::expected<Issued, std::string> take(WaiterId waiter, std::string_view public_key, const config::Config& config,
                                                       const config::Keys& keys, WallTime now);

 private:
  std::map<WaiterId, Permit> permits_;
  std::uint64_t next_serial_;
};

}  // namespace ptygate::keeper
