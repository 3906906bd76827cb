// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/init_text.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "policy/strict_toml.h"
#include "proxy/base/fd.h"
#include "proxy/verbs/print.h"

namespace ptygate::verbs {

tl::expected<config::InitTarget, std::string> parseTargetOption(std::string_view value) {
  const std::size_t equals = value.find('=');
  const std::size_t at = value.find('@', equals == std::string_view::npos ? 0 : equals);
  if (equals == std::string_view::npos || equals == 0 || at == std::string_view::npos || at == equals + 1) {
    return tl::unexpected(std::string("should be NAME=LOGIN@HOST:PORT, as web1=deploy@10.0.0.5:22"));
  }
  config::InitTarget target;
  target.name = std::string(value.substr(0, equals));
  target.logins.emplace_back(value.substr(equals + 1, at - equals - 1));
  std::string_view rest = value.substr(at + 1);
  const std::size_t comma = std::min(rest.find(','), rest.size());
  target.address = std::string(rest.substr(0, comma));
  if (!config::parseAddress(target.address, 22)) return tl::unexpected("\"" + shown(target.address) + "\" is not HOST:PORT");
  rest.remove_prefix(comma);
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the comma
    const std::size_t end = std::min(rest.find(','), rest.size());
    if (end == 0) return tl::unexpected(std::string("an empty login after a comma"));
    target.logins.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return target;
}

namespace {

bool writeNew(const std::string& path, std::string_view text, mode_t mode) {
  base::Fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  return out.valid() && ::write(out.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(out.get()) == 0;
}

}  // namespace

std::string writePublicKeys(const std::string& dir, const config::InitDone& keys) {
  for (const auto& [file, line] :
       {std::pair("/keys/user_ca.pub", &keys.user_ca_line), std::pair("/keys/host_key.pub", &keys.host_key_line)}) {
    if (!writeNew(dir + file, *line + "\n", 0644)) return "cannot write " + shown(dir) + file + ": " + std::strerror(errno);
  }
  return "";
}

std::string trustAccountStartUp(const std::string& dir) {
  const std::string path = dir + "/ptygate.toml";
  const FileText file = readWhole(path, policy::kMaxTomlBytes);
  if (!file.ok) return file.text;
  static constexpr std::string_view kHead = "\n[[target]]\n";  // initDirectory's examples are comments: "#[[target]]"
  std::string text = file.text;
  for (std::size_t at = text.find(kHead); at != std::string::npos; at = text.find(kHead, at + kHead.size())) {
    text.insert(at + kHead.size(), "trust_account_rc = true   # by `init --trust-account-rc`: its start-up files are trusted\n");
  }
  const std::string next = path + ".new";
  const bool written = writeNew(next, text, 0600) && std::rename(next.c_str(), path.c_str()) == 0;
  return written ? "" : "cannot rewrite " + shown(path) + ": " + std::strerror(errno);
}

}  // namespace ptygate::verbs
