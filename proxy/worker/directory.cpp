// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker/directory.h"

#include <algorithm>

namespace ptygate::worker {

namespace {
constexpr std::string_view kSeparators = "=@%";
}

bool hasSeparator(std::string_view user) { return user.find_first_of(kSeparators) != std::string_view::npos; }

std::optional<Route> splitLogin(std::string_view user) {
  std::size_t at = user.find_first_of(kSeparators);
  if (at == std::string_view::npos || user.find_first_of(kSeparators, at + 1) != std::string_view::npos) return std::nullopt;
  if (at == 0 || at + 1 == user.size()) return std::nullopt;
  return Route{std::string(user.substr(0, at)), std::string(user.substr(at + 1))};
}

Directory::Directory(base::Configure configure) : configure_(std::move(configure)) {
  for (const base::IdentityKey& key : configure_.identities) keys_.emplace(key.blob, &key);
}

const base::IdentityKey* Directory::identityOf(const std::string& blob) const {
  auto found = keys_.find(blob);
  return found == keys_.end() ? nullptr : found->second;
}

bool Directory::knows(const std::string& identity) const {
  return std::any_of(configure_.identities.begin(), configure_.identities.end(), [&](const auto& key) { return key.name == identity; });
}

const base::TargetInfo* Directory::target(std::string_view name) const {
  for (const base::TargetInfo& target : configure_.targets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

const base::TargetInfo* Directory::targetByAddress(std::string_view host, std::uint16_t port) const {
  std::string address = std::string(host) + ":" + std::to_string(port);
  for (const base::TargetInfo& target : configure_.targets) {
    if (target.name + ":22" == address || std::find(target.aliases.begin(), target.aliases.end(), address) != target.aliases.end()) return &target;
  }
  return nullptr;
}

bool Directory::entitled(const std::string& identity, const std::string& target, const std::string& login) const {
  const base::TargetInfo* info = this->target(target);
  if (info == nullptr || std::find(info->logins.begin(), info->logins.end(), login) == info->logins.end()) return false;
  return std::any_of(configure_.identities.begin(), configure_.identities.end(), [&](const base::IdentityKey& key) {
    return key.name == identity && std::find(key.targets.begin(), key.targets.end(), target) != key.targets.end();
  });
}

}  // namespace ptygate::worker
