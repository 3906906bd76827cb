// SPDX-License-Identifier: Apache-2.0
#include "proxy/config/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include "certs/key_file.h"
#include "policy/strict_toml.h"
#include "proxy/base/fd.h"

namespace ptygate::config {

namespace {

tl::unexpected<std::string> failure(const std::string& path, const std::string& text) {
  return tl::make_unexpected(path + ": " + text);
}

tl::expected<std::string, std::string> readConfigFile(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.valid()) {
    if (errno == ELOOP) return failure(path, "is a symbolic link; put the file itself there");
    return failure(path, std::string(std::strerror(errno)) + (errno == ENOENT ? "; `ptygate init DIR` makes a new one" : ""));
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return failure(path, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return failure(path, "is no regular file");
  if (info.st_uid != ::geteuid() && info.st_uid != 0) return failure(path, "belongs to another user; chown it to the gate's user or root");
  if ((info.st_mode & 022U) != 0) return failure(path, "group or others may write it; chmod go-w " + path);
  if (static_cast<std::size_t>(info.st_size) > policy::kMaxTomlBytes) return failure(path, "is larger than 4 MiB");
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(path, std::strerror(errno));
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > policy::kMaxTomlBytes) return failure(path, "is larger than 4 MiB");
  }
}

std::string directoryOf(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

/// Who may write a directory can put another file in a key's place, whatever the file's own mode is.
tl::expected<void, std::string> checkDirectory(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return failure(path, std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) return failure(path, "is no directory");
  if (info.st_uid != ::geteuid() && info.st_uid != 0) return failure(path, "belongs to another user; chown it to the gate's user or root");
  if ((info.st_mode & 022U) != 0) return failure(path, "group or others may write it; chmod go-w " + path);
  return {};
}

}  // namespace

tl::expected<Snapshot, std::string> loadSnapshot(const std::string& dir) {
  const std::string config_path = dir + "/ptygate.toml";
  const std::string policy_path = dir + "/policy.toml";
  auto config_text = readConfigFile(config_path);
  if (!config_text) return tl::unexpected(config_text.error());
  auto config = parseConfig(*config_text, config_path);
  if (!config) return tl::unexpected(config.error());
  auto policy_text = readConfigFile(policy_path);
  if (!policy_text) return tl::unexpected(policy_text.error());
  auto rules = policy::RuleSet::load(*policy_text, policy_path, policy::Catalog::builtin(), (*config)->peopleFacts());
  if (!rules) return tl::unexpected(rules.error());
  Snapshot snapshot{*config, *rules, (*rules)->hash(), (*config)->warnings};
  for (std::string& warning : (*rules)->warnings()) snapshot.warnings.push_back(std::move(warning));
  return snapshot;
}

tl::expected<Keys, std::string> loadKeys(const std::string& dir, const Config& config) {
  std::set<std::string> directories{dir};
  for (const std::string& file : {config.user_ca, config.host_key}) directories.insert(directoryOf(dir + "/" + file));
  for (const Target& target : config.targets) {
    if (!target.identity_key.empty()) directories.insert(directoryOf(dir + "/" + target.identity_key));
  }
  for (const std::string& directory : directories) {
    if (auto checked = checkDirectory(directory); !checked) return tl::unexpected(checked.error());
  }
  auto user_ca = certs::loadPrivateKeyFile(dir + "/" + config.user_ca);
  if (!user_ca) return tl::unexpected(user_ca.error().text);
  auto host_key = certs::loadPrivateKeyFile(dir + "/" + config.host_key);
  if (!host_key) return tl::unexpected(host_key.error().text);
  // The host key is given to workers, so it must not be able to sign certificates or open a target.
  if (host_key->publicKey() == user_ca->publicKey())
    return tl::make_unexpected(config.host_key + ": the host key and the user CA are one key; make a new host key");
  Keys keys{std::move(*user_ca), std::move(*host_key), {}};
  for (const Target& target : config.targets) {
    if (target.identity_key.empty()) continue;
    auto identity = certs::loadPrivateKeyFile(dir + "/" + target.identity_key);
    if (!identity) return tl::unexpected("target " + target.name + ": " + identity.error().text);
    if (identity->publicKey() == keys.user_ca.publicKey() || identity->publicKey() == keys.host_key.publicKey()) {
      return tl::make_unexpected("target " + target.name + ": its identity key is the gate's CA or host key; give it a key of its own");
    }
    for (const auto& [other, key] : keys.identities) {
      // A signature does not say for which host it is (certs/agent_protocol.h): one key for each target.
      if (key.publicKey() == identity->publicKey())
        return tl::make_unexpected("targets " + other + " and " + target.name + " have the same identity key; give each its own");
    }
    keys.identities.emplace_back(target.name, std::move(*identity));
  }
  return keys;
}

tl::expected<std::vector<std::string>, std::string> check(const std::string& dir) {
  auto snapshot = loadSnapshot(dir);
  if (!snapshot) return tl::unexpected(snapshot.error());
  auto keys = loadKeys(dir, *snapshot->config);
  if (!keys) return tl::unexpected(keys.error());
  return snapshot->warnings;
}

}  // namespace ptygate::config
