// SPDX-License-Identifier: Apache-2.0
// `init DIR`: turns options into config::InitOptions, prints what was made and what comes next. Fetches nothing from any network.
#include <algorithm>

#include "certs/key.h"
#include "policy/strict_toml.h"
#include "proxy/config/directory.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/init_text.h"
#include "proxy/verbs/print.h"

namespace ptygate::verbs {

namespace {

constexpr std::size_t kMaxKeyFileBytes = 64 * 1024;

using Keys = tl::expected<std::vector<std::string>, std::string>;

// Public keys from a file, one a line (blank lines and # lines do not count), checked.
Keys keysOfText(const std::string& text, const std::string& origin) {
  std::vector<std::string> keys;
  std::size_t start = 0;
  std::size_t number = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string line = text.substr(start, end - start);
    start = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos || line.front() == '#') continue;
    if (line.find("PRIVATE KEY") != std::string::npos) {
      return tl::unexpected(shown(origin) + " is a private key; name the public one (" + shown(origin) + ".pub)");
    }
    const auto parsed = certs::parseKeyLine(line);
    if (!parsed) {
      return tl::unexpected(shown(origin) + ":" + std::to_string(number) +
                            ": not a public key line (\"ssh-ed25519 AAAA…\"): " + shown(parsed.error().text));
    }
    keys.push_back(parsed->key.line() + (parsed->comment.empty() ? "" : " " + shown(parsed->comment)));
  }
  if (keys.empty()) return tl::unexpected(shown(origin) + ": no public key in it");
  return keys;
}

Keys keysOfFile(const std::string& path) {
  const FileText file = readWhole(path, kMaxKeyFileBytes);
  if (!file.ok) return tl::unexpected(file.text);
  return keysOfText(file.text, path);
}

// A host key is a file, or the line itself.
Keys hostKeysOf(const std::string& file_or_line) {
  if (file_or_line.find(' ') != std::string::npos) {
    const std::string type = file_or_line.substr(0, file_or_line.find(' '));
    if (certs::keyTypeNamed(type)) return keysOfText(file_or_line, "--host-key");
  }
  return keysOfFile(file_or_line);
}

std::string addIdentities(const std::vector<std::string>& values, const char* option, std::vector<config::InitIdentity>& out) {
  for (const std::string& value : values) {
    const std::size_t equals = value.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == value.size()) {
      return std::string(option) + " " + shown(value) + ": should be NAME=KEYFILE";
    }
    const Keys keys = keysOfFile(value.substr(equals + 1));
    if (!keys) return std::string(option) + " " + shown(value) + ": " + keys.error();
    config::InitIdentity identity;
    identity.name = value.substr(0, equals);
    identity.keys = *keys;
    out.push_back(std::move(identity));
  }
  return "";
}

std::string addTargets(const Arguments& arguments, std::vector<config::InitTarget>& out) {
  for (const std::string& value : arguments.list("--target")) {
    auto target = parseTargetOption(value);
    if (!target) return "--target " + shown(value) + ": " + target.error();
    out.push_back(std::move(*target));
  }
  const std::vector<std::string> host_keys = arguments.list("--host-key");
  if (out.empty() && !host_keys.empty()) return "--host-key without --target";
  if (out.size() > 1 && host_keys.size() != out.size()) {
    return std::to_string(out.size()) + " targets need as many --host-key, in the same order (a file may hold several keys)";
  }
  for (std::size_t i = 0; i < host_keys.size(); ++i) {
    const Keys keys = hostKeysOf(host_keys[i]);
    if (!keys) return keys.error();
    auto& target = out[out.size() > 1 ? i : 0];
    target.host_keys.insert(target.host_keys.end(), keys->begin(), keys->end());
  }
  for (const auto& target : out) {
    if (target.host_keys.empty()) {
      return "--target " + shown(target.name) +
             " needs --host-key: the target's own /etc/ssh/ssh_host_ed25519_key.pub, brought over a way that you trust";
    }
  }
  for (const std::string& label : arguments.list("--label")) {
    const std::size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos) return "--label " + shown(label) + ": should be KEY=VALUE";
    for (auto& target : out) target.labels.emplace_back(label.substr(0, equals), label.substr(equals + 1));
  }
  return "";
}

void tell(const config::InitOptions& options, const config::InitDone& done) {
  const std::string dir = shown(options.dir);
  putLine("made " + dir + ": ptygate.toml, policy.toml, keys/, rec/, ledger/, run/");
  putLine("user CA:  " + done.user_ca_line);
  putLine("host key: " + done.host_key_line);
  for (const auto& target : options.targets) {
    for (const auto& line : target.host_keys) {
      const auto key = certs::parseKeyLine(line);
      if (key)
        putLine("target " + shown(target.name) + ": host key " + key->key.fingerprint() +
                " — compare it with ssh-keygen -lf at the target");
    }
  }
  putLine("next:");
  for (const auto& target : options.targets)
    putLine("  ptygate targets set-up " + shown(target.name) + " --dir " + dir + "    what the target needs");
  putLine("  ptygate policy check --dir " + dir);
  putLine("  ptygate serve --dir " + dir);
}

}  // namespace

int init(const Arguments& arguments, const Caller&) {
  config::InitOptions options;
  options.dir = arguments.text("DIR");
  options.listen_agents = arguments.text("--listen-agents", options.listen_agents);
  options.listen_people = arguments.text("--listen-people", options.listen_people);
  std::string error = addIdentities(arguments.list("--agent"), "--agent", options.agents);
  if (error.empty()) error = addIdentities(arguments.list("--person"), "--person", options.people);
  if (error.empty()) error = addTargets(arguments, options.targets);
  if (error.empty() && arguments.has("--unix-user")) {
    if (options.people.empty())
      error = "--unix-user needs --person: it names that person's account on this host";
    else
      options.people.front().unix_user = arguments.text("--unix-user");
  }
  const bool trust_rc = arguments.has("--trust-account-rc");
  if (error.empty() && trust_rc && options.targets.empty()) error = "--trust-account-rc needs --target";
  if (!error.empty()) return fail(kUsage, error);
  const auto done = config::initDirectory(options);
  if (!done) return fail(kNegative, shown(done.error()));
  error = writePublicKeys(options.dir, *done);
  if (error.empty() && trust_rc) error = trustAccountStartUp(options.dir);
  if (!error.empty()) return fail(kNegative, error);
  tell(options, *done);
  return kDone;
}

}  // namespace ptygate::verbs
