// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/gate_files.h"

#include <sys/stat.h>

#include "certs/key_file.h"
#include "policy/strict_toml.h"
#include "proxy/verbs/print.h"

namespace ptygate::verbs {

tl::expected<std::shared_ptr<const config::Config>, std::string> loadConfigOf(const std::string& dir) {
  const std::string path = dir + "/ptygate.toml";
  const FileText file = readWhole(path, policy::kMaxTomlBytes);
  if (!file.ok) {
    return tl::unexpected(file.text + ". Is " + shown(dir) + " the gate's directory? Say --dir DIR, or make one: ptygate init DIR");
  }
  auto config = config::parseConfig(file.text, path);
  if (!config) return tl::unexpected(shown(config.error()));
  return *config;
}

tl::expected<certs::PublicKey, std::string> publicKeyOf(const Caller& caller, const std::string& file) {
  const std::string path = caller.dir + "/" + file;
  struct stat found {};
  if (::stat((path + ".pub").c_str(), &found) == 0) {
    const FileText text = readWhole(path + ".pub", certs::kMaxKeyLineBytes);
    if (!text.ok) return tl::unexpected(text.text);
    auto line = certs::parseKeyLine(text.text);
    if (!line) return tl::unexpected(shown(path) + ".pub: " + shown(line.error().text));
    return std::move(line->key);
  }
  if (caller.over_ssh)
    return tl::unexpected("no " + shown(file) + ".pub on the gate: its operator makes it by ssh-keygen -y -f " + shown(path));
  auto key = certs::loadPrivateKeyFile(path);
  if (!key) return tl::unexpected(shown(key.error().text));
  return key->publicKey();
}

}  // namespace ptygate::verbs
