// SPDX-License-Identifier: Apache-2.0
// What a worker knows of identities and targets, and how a login name is read. Pure; replaced as a whole on reload.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/base/messages.h"

namespace ptygate::worker {

/// Where a login name leads.
struct Route {
  std::string login;
  std::string target;
  bool operator==(const Route&) const = default;
};

/// "deploy=web1" → {deploy, web1}; also with '@' or '%'. nullopt: no separator (a verb or a jump), or not exactly one, or an empty half.
[[nodiscard]] std::optional<Route> splitLogin(std::string_view user);
/// True when `user` holds any separator: such a login is a route or nothing.
[[nodiscard]] bool hasSeparator(std::string_view user);

class Directory {
 public:
  explicit Directory(base::Configure configure);
  /// Whose key this is (SSH wire blob); nullptr: nobody's.
  [[nodiscard]] const base::IdentityKey* identityOf(const std::string& blob) const;
  [[nodiscard]] bool knows(const std::string& identity) const;
  [[nodiscard]] const base::TargetInfo* target(std::string_view name) const;
  /// The target that `-J` means by host and port: its name with port 22, or an alias, compared whole.
  [[nodiscard]] const base::TargetInfo* targetByAddress(std::string_view host, std::uint16_t port) const;
  /// True when `identity` may reach `target` as `login` at all (policy decides what it may do there).
  [[nodiscard]] bool entitled(const std::string& identity, const std::string& target, const std::string& login) const;
  [[nodiscard]] bool isPeople() const { return configure_.people; }
  [[nodiscard]] const base::WorkerLimits& limits() const { return configure_.limits; }

 private:
  base::Configure configure_;
  std::unordered_map<std::string, const base::IdentityKey*> keys_;
};

}  // namespace ptygate::worker
