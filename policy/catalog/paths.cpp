// SPDX-License-Identifier: Apache-2.0
#include "policy/catalog/paths.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace ptygate::policy {
namespace {

using namespace std::string_view_literals;

// Everything below these is secret to readers.
constexpr std::array kSecretTrees = {
    "/root"sv,
    "/etc/ssl/private"sv,
    "/etc/pki"sv,
    "/etc/letsencrypt"sv,
    "/etc/sudoers.d"sv,
    "/etc/kubernetes"sv,
    "/etc/wireguard"sv,
    "/etc/openvpn"sv,
    "/etc/ppp"sv,
    "/etc/netplan"sv,
    "/etc/NetworkManager/system-connections"sv,
    "/etc/security"sv,
    "/etc/credstore"sv,
    "/etc/credstore.encrypted"sv,
    "/etc/rancher"sv,
    "/etc/vault.d"sv,
    "/etc/ipsec.d"sv,
    "/etc/dovecot"sv,
    "/etc/mysql"sv,
    "/etc/grafana"sv,
    "/etc/gitlab"sv,
    "/etc/freeradius"sv,
    "/etc/phpmyadmin"sv,
    "/etc/postfix"sv,
    "/etc/cloud"sv,
    "/etc/environment"sv,
    "/etc/exim4"sv,
    "/var/lib/kubelet"sv,
    "/var/lib/rancher"sv,
    "/var/lib/docker"sv,
    "/var/lib/containers"sv,
    "/var/lib/mysql"sv,
    "/var/lib/postgresql"sv,
    "/var/lib/redis"sv,
    "/var/lib/vault"sv,
    "/var/lib/cloud"sv,
    "/var/lib/sss"sv,
    "/var/lib/samba"sv,
    "/var/lib/private"sv,
    "/var/lib/systemd"sv,
    "/var/lib/NetworkManager"sv,
    "/var/backups"sv,
    "/var/spool"sv,
    "/var/mail"sv,
    "/var/cache/debconf"sv,
    "/run"sv,
    "/var/run"sv,
    "/lost+found"sv,
};

// Matched on every component, in lower case.
constexpr std::array kSecretNames = {
    ".ssh"sv,
    ".gnupg"sv,
    ".aws"sv,
    ".azure"sv,
    ".gcloud"sv,
    ".kube"sv,
    ".docker"sv,
    ".dockercfg"sv,
    ".netrc"sv,
    "_netrc"sv,
    ".pgpass"sv,
    ".my.cnf"sv,
    ".mylogin.cnf"sv,
    ".npmrc"sv,
    ".yarnrc"sv,
    ".yarnrc.yml"sv,
    ".pypirc"sv,
    ".env"sv,
    ".envrc"sv,
    ".htpasswd"sv,
    ".git-credentials"sv,
    ".password-store"sv,
    ".vault-token"sv,
    ".terraform.d"sv,
    ".terraformrc"sv,
    ".boto"sv,
    ".s3cfg"sv,
    ".lesshst"sv,
    ".viminfo"sv,
    ".mozilla"sv,
    ".thunderbird"sv,
    "keyrings"sv,
    ".xauthority"sv,
    ".iceauthority"sv,
    "kubeconfig"sv,
    ".m2"sv,
    ".gradle"sv,
    ".gem"sv,
    ".subversion"sv,
    ".erlang.cookie"sv,
    ".node_repl_history"sv,
    "wp-config.php"sv,
    "database.yml"sv,
    ".config"sv,
    ".irb-history"sv,
    "environ"sv,
    ".cargo"sv,
    ".composer"sv,
    "auth.json"sv,
    ".rclone.conf"sv,
    "rclone.conf"sv,
    ".smbcredentials"sv,
    ".fetchmailrc"sv,
    ".msmtprc"sv,
    ".muttrc"sv,
    "gshadow"sv,
    "shadow"sv,
    "shadow-"sv,
    "gshadow-"sv,
    "opasswd"sv,
    "sudoers"sv,
    "master.key"sv,
    "krb5.keytab"sv,
    "terraform.tfstate"sv,
    "acme.json"sv,
    "pg_hba.conf"sv,
    "pg_service.conf"sv,
    ".pg_service.conf"sv,
    "redis.conf"sv,
    "smbpasswd"sv,
};

constexpr std::array kSecretSuffixes = {
    ".pem"sv,    ".key"sv, ".p12"sv, ".pfx"sv,     ".jks"sv,     ".keystore"sv,     ".kdbx"sv,           ".kdb"sv,         ".ppk"sv,
    ".gpg"sv,    ".pgp"sv, ".asc"sv, ".tfstate"sv, ".tfvars"sv,  ".ovpn"sv,         ".keytab"sv,         "_history"sv,     "_key"sv,
    ".env"sv,    "_rsa"sv, "_dsa"sv, "_ecdsa"sv,   "_ed25519"sv, "_sk"sv,           ".tfstate.backup"sv, ".credentials"sv, ".token"sv,
    ".secret"sv, ".der"sv, ".p8"sv,  ".pkcs12"sv,  ".dump"sv,    ".mobileconfig"sv,
};

constexpr std::array kSecretFragments = {
    "credential"sv,  "secret"sv,      "password"sv,     "api_key"sv,    "apikey"sv,     "api-key"sv,
    "private_key"sv, "private-key"sv, "privatekey"sv,   "id_rsa"sv,     "id_ed25519"sv, "id_ecdsa"sv,
    "id_dsa"sv,      ".env."sv,       "access_token"sv, "shadow.bak"sv, "htpasswd"sv,
};

// Writing below these lasts beyond the session and needs, or gives, rights.
constexpr std::array kSystemTrees = {
    "/bin"sv,  "/sbin"sv, "/lib"sv, "/lib32"sv,     "/lib64"sv,       "/libx32"sv,    "/usr"sv, "/etc"sv,
    "/boot"sv, "/root"sv, "/opt"sv, "/var/spool"sv, "/var/lib"sv,     "/var/www"sv,   "/run"sv, "/var/run"sv,
    "/snap"sv, "/nix"sv,  "/efi"sv, "/initrd"sv,    "/var/backups"sv, "/var/cache"sv,
};

// Matched on every component of a written path, in lower case.
constexpr std::array kPersistNames = {
    ".git"sv,
    ".githooks"sv,
    ".husky"sv,
    "hooks"sv,
    ".ssh"sv,
    ".config"sv,
    ".local"sv,
    "bin"sv,
    "sbin"sv,
    "libexec"sv,
    ".gnupg"sv,
    ".github"sv,
    ".circleci"sv,
    ".vscode"sv,
    ".idea"sv,
    ".vim"sv,
    ".nvim"sv,
    ".emacs.d"sv,
    ".oh-my-zsh"sv,
    ".cargo"sv,
    ".npm"sv,
    ".m2"sv,
    ".gradle"sv,
    ".aws"sv,
    ".kube"sv,
    ".docker"sv,
    "crontabs"sv,
    "cron.d"sv,
    "systemd"sv,
    "autostart"sv,
    "node_modules"sv,
    ".venv"sv,
    "venv"sv,
    "site-packages"sv,
    ".pyenv"sv,
    ".rbenv"sv,
    ".nvm"sv,
    "makefile"sv,
    "gnumakefile"sv,
    "cmakelists.txt"sv,
    "cmakepresets.json"sv,
    "package.json"sv,
    "package-lock.json"sv,
    "pnpm-lock.yaml"sv,
    "yarn.lock"sv,
    "setup.py"sv,
    "setup.cfg"sv,
    "pyproject.toml"sv,
    "tox.ini"sv,
    "noxfile.py"sv,
    "conftest.py"sv,
    "pytest.ini"sv,
    "requirements.txt"sv,
    "cargo.toml"sv,
    "cargo.lock"sv,
    "build.rs"sv,
    "go.mod"sv,
    "pom.xml"sv,
    "rakefile"sv,
    "gemfile"sv,
    "dockerfile"sv,
    "containerfile"sv,
    "vagrantfile"sv,
    "jenkinsfile"sv,
    "procfile"sv,
    "justfile"sv,
    "taskfile.yml"sv,
    "taskfile.yaml"sv,
    "meson.build"sv,
    "configure"sv,
    "wscript"sv,
    "sconstruct"sv,
    "docker-compose.yml"sv,
    "docker-compose.yaml"sv,
    "compose.yml"sv,
    "compose.yaml"sv,
    "composer.json"sv,
    "playbook.yml"sv,
    "ansible.cfg"sv,
    ".ansible.cfg"sv,
    "known_hosts"sv,
    "authorized_keys"sv,
    "hosts"sv,
    "ld.so.preload"sv,
    "sitecustomize.py"sv,
    "usercustomize.py"sv,
    "binfmt.d"sv,
};

constexpr std::array kPersistSuffixes = {
    ".sh"sv,      ".bash"sv,  ".zsh"sv,   ".fish"sv,   ".py"sv,  ".pyc"sv,     ".pth"sv,   ".pl"sv,     ".pm"sv,   ".rb"sv,
    ".php"sv,     ".js"sv,    ".mjs"sv,   ".cjs"sv,    ".ts"sv,  ".lua"sv,     ".so"sv,    ".ko"sv,     ".jar"sv,  ".war"sv,
    ".exe"sv,     ".mk"sv,    ".cmake"sv, ".gradle"sv, ".kts"sv, ".service"sv, ".timer"sv, ".socket"sv, ".path"sv, ".mount"sv,
    ".desktop"sv, ".rules"sv, ".tf"sv,    ".deb"sv,    ".rpm"sv, ".gemspec"sv, ".el"sv,    ".vim"sv,    ".awk"sv,  "rc"sv,
};

// A recursive reader that is limited to these meets no file that is secret by its suffix. Suffixes under which people do keep secrets
// (.txt, .py, .yml, .sh) are left out.
constexpr std::array kHarmlessSuffixes = {
    ".log"sv, ".md"sv, ".rst"sv, ".c"sv, ".h"sv, ".cc"sv, ".cpp"sv, ".hpp"sv, ".go"sv, ".rs"sv, ".java"sv, ".css"sv, ".html"sv, ".proto"sv,
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = char(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

bool isBelow(std::string_view path, std::string_view tree) {
  if (tree == "/") return true;
  return path.starts_with(tree) && (path.size() == tree.size() || path[tree.size()] == '/');
}

template <typename List>
bool isBelowAny(std::string_view path, const List& trees) {
  return std::any_of(trees.begin(), trees.end(), [&](std::string_view tree) { return isBelow(path, tree); });
}

std::vector<std::string_view> components(std::string_view path) {
  std::vector<std::string_view> result;
  std::size_t start = 0;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (end > start) result.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return result;
}

struct Normal {
  std::string path;
  bool exact = true;  ///< false when ".." followed a name that may be a symbolic link: /var/run/../etc/shadow is /etc/shadow
};

Normal normalise(std::string_view path, const Cwd& cwd) {
  std::vector<std::pair<std::string_view, bool>> stack;  // component, known to be a real directory
  if (!path.starts_with('/')) {
    for (std::string_view part : components(cwd.path)) stack.emplace_back(part, cwd.physical);
  }
  Normal result;
  for (std::string_view part : components(path)) {
    if (part == ".") continue;
    if (part != "..") {
      stack.emplace_back(part, false);
      continue;
    }
    if (stack.empty()) continue;
    if (!stack.back().second) result.exact = false;
    stack.pop_back();
  }
  for (const auto& [part, real] : stack) {
    result.path += '/';
    result.path += part;
  }
  if (result.path.empty()) result.path = "/";
  return result;
}

bool isSecretName(std::string_view component) {
  const std::string name = lower(component);
  if (std::find(kSecretNames.begin(), kSecretNames.end(), name) != kSecretNames.end()) return true;
  for (std::string_view suffix : kSecretSuffixes) {
    if (name.ends_with(suffix)) return true;
  }
  // Password files of all kinds; the account list itself holds none.
  if (name.find("passwd") != std::string::npos && name != "passwd" && name != "passwd-") return true;
  for (std::string_view fragment : kSecretFragments) {
    if (name.find(fragment) != std::string::npos) return true;
  }
  // Editors' and packagers' copies of a secret file are as secret: shadow~, .env.bak, id_rsa.old.
  for (std::string_view copy :
       {"~"sv, ".bak"sv, ".old"sv, ".orig"sv, ".save"sv, ".swp"sv, ".backup"sv, ".dpkg-old"sv, ".dpkg-dist"sv, ".tmp"sv}) {
    if (name.size() > copy.size() && name.ends_with(copy) && isSecretName(name.substr(0, name.size() - copy.size()))) return true;
  }
  return false;
}

bool isSecretPath(std::string_view path) {
  if (isBelowAny(path, kSecretTrees)) return true;
  const auto parts = components(path);
  if (std::any_of(parts.begin(), parts.end(), isSecretName)) return true;
  // Remote URLs in .git/config may carry tokens.
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i - 1] == ".git" && (parts[i] == "config" || parts[i].starts_with("config."))) return true;
  }
  return false;
}

bool isPersistPath(std::string_view path) {
  if (isBelowAny(path, kSystemTrees)) return true;
  const auto parts = components(path);
  for (std::string_view part : parts) {
    const std::string name = lower(part);
    if (std::find(kPersistNames.begin(), kPersistNames.end(), name) != kPersistNames.end()) return true;
  }
  if (parts.empty()) return true;
  const std::string name = lower(parts.back());
  if (name.starts_with('.')) return true;  // .bashrc, .gitattributes, .envrc …: a hidden file is configuration until shown otherwise
  return std::any_of(kPersistSuffixes.begin(), kPersistSuffixes.end(), [&](std::string_view suffix) { return name.ends_with(suffix); });
}

/// /proc/self/root, /dev/fd, /sys: names of other things than files.
bool isSpecial(std::string_view path) {
  return isBelowAny(path, std::array{"/proc"sv, "/sys"sv, "/dev"sv});
}

bool isHarmlessDevice(std::string_view path) {
  return path == "/dev/null" || path == "/dev/zero" || path == "/dev/urandom" || path == "/dev/full";
}

std::string_view describe(EffectSet effects) {
  if (effects.has(Effect::Secret)) return "secret";
  if (effects.has(Effect::Unknown)) return "unknown";
  if (effects.has(Effect::Network)) return "network";
  if (effects.has(Effect::Privilege)) return "system file";
  if (effects.has(Effect::Persist)) return "persists";
  return "";
}

PathEffects finish(std::string_view path, EffectSet effects) {
  PathEffects result{effects, {}};
  const std::string_view what = describe(effects);
  if (!what.empty()) result.reason = "path " + std::string(path) + ": " + std::string(what);
  return result;
}

/// Applies `one` to every normal form that `path` may have.
template <typename One>
PathEffects overForms(std::string_view path, const Cwds& cwds, One one) {
  EffectSet effects;
  if (path.empty() || path.find('\0') != std::string_view::npos || path.starts_with('~')) {
    effects.add(Effect::Unknown);  // some programs expand a tilde themselves
  }
  if (path.starts_with('/')) {
    const Normal normal = normalise(path, Cwd{});
    if (!normal.exact) effects.add(Effect::Unknown);
    effects.add(one(normal.path));
  } else if (!cwds.known) {
    effects.add(Effect::Unknown);
    effects.add(one(normalise(path, Cwd{"/?", false}).path));
  } else {
    for (const Cwd& cwd : cwds.list) {
      const Normal normal = normalise(path, cwd);
      if (!normal.exact) effects.add(Effect::Unknown);
      effects.add(one(normal.path));
    }
  }
  // The text itself as well: `x/../../.ssh/id_rsa` names a secret whatever it resolves to.
  const auto parts = components(path);
  if (std::any_of(parts.begin(), parts.end(), isSecretName)) effects.add(Effect::Secret);
  return finish(path, effects);
}

EffectSet readEffects(std::string_view path) {
  EffectSet effects;
  if (isSpecial(path)) {
    if (!isHarmlessDevice(path)) effects.add(Effect::Unknown);
    return effects;
  }
  if (isSecretPath(path)) effects.add(Effect::Secret);
  return effects;
}

}  // namespace

void Cwds::change(std::string_view path) {
  if (path.empty() || path.starts_with('-') || path.starts_with('~')) return lose();
  if (!known && !path.starts_with('/')) return;
  if (!known) return;  // the old, unknown one may stay when cd fails
  std::vector<Cwd> added;
  for (const Cwd& cwd : list) {
    const Normal normal = normalise(path, cwd);
    if (!normal.exact) return lose();
    added.push_back(Cwd{normal.path, normal.path == "/"});
  }
  for (Cwd& cwd : added) {
    if (std::find(list.begin(), list.end(), cwd) == list.end()) list.push_back(std::move(cwd));
  }
  if (list.size() > kMaxCwds) lose();
}

void Cwds::add(const Cwds& other) {
  if (!known) return;
  if (!other.known) return lose();
  for (const Cwd& cwd : other.list) {
    if (std::find(list.begin(), list.end(), cwd) == list.end()) list.push_back(cwd);
  }
  if (list.size() > kMaxCwds) lose();
}

PathEffects readPath(std::string_view path, const Cwds& cwds) {
  return overForms(path, cwds, readEffects);
}

PathEffects readTree(std::string_view path, const Cwds& cwds) {
  PathEffects result = overForms(path, cwds, readEffects);
  result.effects.add(Effect::Secret);
  result.reason = "everything below " + std::string(path) + ": may hold secrets";
  return result;
}

PathEffects listTree(std::string_view path, const Cwds& cwds) {
  return overForms(path, cwds, [](std::string_view normal) {
    EffectSet effects = readEffects(normal);
    if (normal == "/" || normal == "/etc" || normal == "/var" || normal == "/var/lib" || normal == "/home") effects.add(Effect::Secret);
    // A home directory itself: /home/NAME.
    if (normal.starts_with("/home/") && components(normal).size() == 2) effects.add(Effect::Secret);
    for (std::string_view tree : kSecretTrees) {
      if (isBelow(tree, normal)) effects.add(Effect::Secret);
    }
    return effects;
  });
}

PathEffects writePath(std::string_view path, const Cwds& cwds) {
  if (path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/"))
    return finish(path, {Effect::Network, Effect::Unknown, Effect::Write});
  PathEffects result = overForms(path, cwds, [](std::string_view normal) {
    EffectSet effects;
    if (isHarmlessDevice(normal)) return effects;
    effects.add(Effect::Write);
    if (isSpecial(normal)) effects.add(Effect::Unknown);
    if (isSecretPath(normal)) effects.add(Effect::Secret);
    if (isPersistPath(normal)) effects.add(Effect::Persist);
    if (isBelowAny(normal, kSystemTrees)) effects.add(Effect::Privilege);
    return effects;
  });
  if (result.effects.has(Effect::Unknown)) result.effects.add(Effect::Write);
  return result;
}

PathEffects readRevision(std::string_view text, const Cwds& cwds) {
  // Pathspec magic and patterns can name any tracked file in ways that no list of names sees.
  if (text.starts_with(':') || text.find_first_of("*?[") != std::string_view::npos) return finish(text, {Effect::Unknown});
  const std::size_t colon = text.find(':');
  const std::string_view path = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (path.empty()) return {};
  PathEffects result = readPath(path, cwds);
  // A revision is no path, and `HEAD:x` counts from the work tree's root: an unknown directory does not matter there, a secret name does.
  if (result.effects.has(Effect::Secret) || path.starts_with('/') || path.starts_with("../")) return result;
  return {};
}

bool isHarmlessPattern(std::string_view pattern) {
  if (!pattern.starts_with("*.") || pattern.find_first_of("*?[]{}\\/", 1) != std::string_view::npos) return false;
  const std::string suffix = lower(pattern.substr(1));
  return std::find(kHarmlessSuffixes.begin(), kHarmlessSuffixes.end(), suffix) != kHarmlessSuffixes.end();
}

std::string_view baseName(std::string_view path) {
  const auto parts = components(path);
  return parts.empty() ? path : parts.back();
}

}  // namespace ptygate::policy
