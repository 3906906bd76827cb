// SPDX-License-Identifier: Apache-2.0
// initDirectory: a new gate's directory. The text that it writes is the example that operators edit, so it explains itself.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "certs/key_file.h"
#include "proxy/base/fd.h"
#include "proxy/config/directory.h"

namespace ptygate::config {

namespace {

using Done = tl::expected<void, std::string>;

tl::unexpected<std::string> failure(const std::string& path) {
  return tl::make_unexpected(path + ": " + std::strerror(errno));
}

/// A TOML basic string. Names were checked; this is for addresses, labels and comments in keys.
std::string toml(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) continue;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string tomlList(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& entry : list) out += (out.size() > 1 ? ", " : "") + toml(entry);
  return out + "]";
}

Done makeDirectory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return failure(path);
  if (::chmod(path.c_str(), mode) != 0) return failure(path);
  return {};
}

Done refuseContent(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return errno == ENOENT ? Done() : Done(failure(path));
  if (!S_ISDIR(info.st_mode)) return tl::make_unexpected(path + ": is there already and is no directory");
  if (info.st_uid != ::geteuid()) return tl::make_unexpected(path + ": belongs to another user; run init as the gate's user");
  DIR* entries = ::opendir(path.c_str());
  if (entries == nullptr) return failure(path);
  bool empty = true;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name(entry->d_name);
    empty = empty && (name == "." || name == "..");
  }
  ::closedir(entries);
  if (!empty) return tl::make_unexpected(path + ": is not empty; name a new directory (a gate's keys and records are never replaced)");
  return {};
}

Done writeFile(const std::string& path, std::string_view text) {
  base::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return failure(path);
  while (!text.empty()) {
    const ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failure(path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(file.get()) != 0) return failure(path);
  return {};
}

std::string personText(const InitIdentity& person) {
  std::string out = "\n[[person]]\nname = " + toml(person.name) + "\n";
  if (!person.keys.empty()) out += "keys = " + tomlList(person.keys) + "\n";
  if (!person.unix_user.empty()) out += "unix_user = " + toml(person.unix_user) + "\n";
  return out + "may = " + tomlList(person.may) + "\n";
}

std::string agentText(const InitIdentity& agent) {
  std::string out = "\n[[agent]]\nname = " + toml(agent.name) + "\nkeys = " + tomlList(agent.keys) + "\n";
  if (!agent.owner.empty()) out += "owner = " + toml(agent.owner) + "\n";
  return out;
}

std::string targetText(const InitTarget& target) {
  std::string out = "\n[[target]]\nname = " + toml(target.name) + "\naddress = " + toml(target.address) +
                    "\nlogins = " + tomlList(target.logins) + "\nhost_keys = " + tomlList(target.host_keys) + "\n";
  if (target.labels.empty()) return out;
  std::string labels;
  for (const auto& [key, value] : target.labels) labels += (labels.empty() ? "" : ", ") + toml(key) + " = " + toml(value);
  return out + "labels = { " + labels + " }\n";
}

constexpr std::string_view kPersonExample = R"(
# Who reviews, audits, operates: by key on the people's listener, or by Unix account on the gate's host.
#[[person]]
#name = "alice"
#keys = ["ssh-ed25519 AAAA…"]
#unix_user = "alice"
#may = ["review", "audit", "operate"]
#roles = ["ops"]
)";
constexpr std::string_view kAgentExample = R"(
#[[agent]]
#name = "builder"
#keys = ["ssh-ed25519 AAAA…"]
#owner = "alice"
#targets = ["web*", "env=test"]    # default: all
)";
constexpr std::string_view kTargetExample = R"(
# host_keys: the target's own /etc/ssh/ssh_host_*_key.pub, taken over a way that you trust. `ptygate targets set-up web1` says what it needs.
#[[target]]
#name = "web1"
#address = "10.0.0.7:22"
#logins = ["deploy"]
#aliases = ["web1.example.net"]
#host_keys = ["ssh-ed25519 AAAA…"]
#labels = { env = "prod" }
)";

std::string configText(const InitOptions& options) {
  std::string out =
      "# ptygate: gate, identities, targets. Rules are in policy.toml. Keys, defaults and limits: proxy/config/README.md.\n"
      "# After a change: `ptygate policy check --dir DIR`, then `ptygate reload --dir DIR`.\n\n[listen]\nagents = " +
      tomlList({options.listen_agents}) + "\npeople = " + tomlList({options.listen_people}) + "\n";
  for (const InitIdentity& person : options.people) out += personText(person);
  if (options.people.empty()) out += kPersonExample;
  for (const InitIdentity& agent : options.agents) out += agentText(agent);
  if (options.agents.empty()) out += kAgentExample;
  for (const InitTarget& target : options.targets) out += targetText(target);
  if (options.targets.empty()) out += kTargetExample;
  return out;
}

tl::expected<std::string, std::string> makeKey(const std::string& path, const std::string& comment) {
  auto key = certs::Ed25519PrivateKey::generate();
  if (!key) return tl::make_unexpected(path + ": " + key.error().text);
  if (auto written = certs::writePrivateKeyFile(path, *key, comment); !written) return tl::make_unexpected(written.error().text);
  return key->publicKey().line() + " " + comment;
}

}  // namespace

tl::expected<InitDone, std::string> initDirectory(const InitOptions& options) {
  // Refuse what serve would refuse before anything is made, so that a typo leaves no half-made directory.
  const std::string text = configText(options);
  const auto config = parseConfig(text, options.dir + "/ptygate.toml");
  if (!config) return tl::unexpected(config.error());
  if (auto free = refuseContent(options.dir); !free) return tl::unexpected(free.error());
  const std::pair<const char*, mode_t> directories[] = {{"", 0711},     {"/run", 0711},    {"/keys", 0700},
                                                        {"/rec", 0700}, {"/ledger", 0700}, {"/state", 0700}};
  for (const auto& [name, mode] : directories) {
    if (auto made = makeDirectory(options.dir + name, mode); !made) return tl::unexpected(made.error());
  }
  auto user_ca = makeKey(options.dir + "/keys/user_ca", "ptygate-user-ca");
  if (!user_ca) return tl::unexpected(user_ca.error());
  auto host_key = makeKey(options.dir + "/keys/host_key", "ptygate-host-key");
  if (!host_key) return tl::unexpected(host_key.error());
  const auto reviewers =
      std::count_if((*config)->people.begin(), (*config)->people.end(), [](const Person& person) { return person.may_review; });
  const std::string rules =
      options.policy.empty() ? policy::starterPolicy(static_cast<std::size_t>(std::max<std::ptrdiff_t>(reviewers, 1))) : options.policy;
  if (auto written = writeFile(options.dir + "/policy.toml", rules); !written) return tl::unexpected(written.error());
  if (auto written = writeFile(options.dir + "/ptygate.toml", text); !written) return tl::unexpected(written.error());
  // Without a reviewer the rules cannot load: serve and `policy check` say so until the operator has named one.
  if (reviewers == 0) return InitDone{*user_ca, *host_key};
  if (auto checked = check(options.dir); !checked) return tl::unexpected(checked.error());
  return InitDone{*user_ca, *host_key};
}

}  // namespace ptygate::config
