// SPDX-License-Identifier: Apache-2.0
// Reads a survey's answer and judges what it may be trusted for. The answer is the target's word (and a hostile start-up file can forge
// it, exec.md section 2): so everything here narrows, and a record that is missing, torn or odd counts as the worst case.
#include "policy/account.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "policy/digest.h"

namespace ptygate::policy {
namespace {

constexpr std::size_t kMaxRecords = 1000;
constexpr std::size_t kMaxKeyBytes = 4096;
constexpr std::size_t kMaxValueBytes = 16 * 1024;
constexpr std::size_t kMaxNoiseBytes = 4096;
constexpr std::size_t kMaxPathEntries = 64;

constexpr std::string_view kFallbackPath = "/usr/bin:/bin:/usr/sbin:/sbin";

tl::unexpected<std::string> refusal(std::string text) {
  return tl::unexpected(std::move(text));
}

bool allOf(std::string_view text, bool (*accept)(unsigned char)) {
  return std::all_of(text.begin(), text.end(), [accept](char c) { return accept(static_cast<unsigned char>(c)); });
}
bool isDigit(unsigned char c) {
  return c >= '0' && c <= '9';
}
bool isOctalDigit(unsigned char c) {
  return c >= '0' && c <= '7';
}
bool isPrintable(unsigned char c) {
  return c >= 0x20 && c < 0x7f;
}
bool isNumber(std::string_view text) {
  return !text.empty() && text.size() <= 10 && allOf(text, isDigit);
}
bool isAbsolutePath(std::string_view text) {
  return !text.empty() && text.front() == '/' && text.size() <= 4096 && allOf(text, isPrintable);
}

std::string_view baseName(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Keys are a name of the survey's own, or a kind and a path that the target has.
bool isKnownKey(std::string_view key) {
  static constexpr std::array kNames = {"v",     "lpath", "lhome", "lshell", "llang",  "lcall", "preload", "benv", "lxdg",
                                        "umask", "cwd",   "uid",   "gid",    "groups", "uname", "bb",      "user", "passwd",
                                        "home",  "shell", "sh",    "bashv",  "envv",   "ppid",  "sig",     "fsize"};
  if (std::find(kNames.begin(), kNames.end(), key) != kNames.end()) return true;
  if (key.substr(0, 2) == "t.") return key.size() > 2 && allOf(key.substr(2), [](unsigned char c) { return std::isalnum(c) != 0; });
  return key.substr(0, 2) == "f:" || key.substr(0, 2) == "d:" || key.substr(0, 2) == "P:";
}

// "uid gid mode type…" as stat -Lc "%u %g %a %F" prints it. `ls` text (no stat on the target) does not parse: not shown to be safe.
struct FileFacts {
  std::string_view uid;
  unsigned mode = 0;
  std::string_view rest;  ///< type, and for files " -> resolved"
};
std::optional<FileFacts> factsOf(std::string_view text) {
  std::array<std::string_view, 3> fields;
  for (auto& field : fields) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    field = text.substr(0, space);
    text.remove_prefix(space + 1);
  }
  if (!isNumber(fields[0]) || !isNumber(fields[1])) return std::nullopt;
  if (fields[2].empty() || fields[2].size() > 4 || !allOf(fields[2], isOctalDigit)) return std::nullopt;
  FileFacts facts{fields[0], 0, text};
  for (char c : fields[2]) facts.mode = facts.mode * 8 + unsigned(c - '0');
  return facts;
}
bool onlyRootWrites(const FileFacts& facts) {
  return facts.uid == "0" && (facts.mode & 022U) == 0;
}

const std::string& recordOf(const Account& account, const std::string& key) {
  static const std::string kNone;
  const auto found = account.records.find(key);
  return found == account.records.end() ? kNone : found->second;
}

bool isSafeDirectory(const Account& account, const std::string& key) {
  const auto facts = factsOf(recordOf(account, key));
  return facts && facts->rest == "directory" && onlyRootWrites(*facts);
}

std::string vettedPath(const Account& account) {
  std::string result;
  std::string_view left = recordOf(account, "lpath");
  for (std::size_t count = 0; count < kMaxPathEntries && !left.empty(); ++count) {
    const std::size_t colon = std::min(left.find(':'), left.size());
    const std::string_view entry = left.substr(0, colon);
    left.remove_prefix(std::min(colon + 1, left.size()));
    if (!isAbsolutePath(entry) || !isSafeDirectory(account, "P:" + std::string(entry))) continue;
    if (!result.empty()) result += ':';
    result += entry;
  }
  return result.empty() ? std::string(kFallbackPath) : result;
}

std::map<std::string, std::string> snapshotOf(const Account& account) {
  std::map<std::string, std::string> snapshot = {
      {"PATH", vettedPath(account)}, {"HOME", account.home}, {"USER", account.user}, {"LOGNAME", account.user}, {"SHELL", account.shell}};
  const auto addLocale = [&](const char* name, const char* record) {
    const std::string& value = recordOf(account, record);
    if (!value.empty() && isLocaleVariable(name, value)) snapshot[name] = value;
  };
  addLocale("LANG", "llang");
  addLocale("LC_ALL", "lcall");
  return snapshot;
}

// The start-up files that a login shell reads for `-c` (exec.md, section 2). nullopt: a shell that nobody judged.
struct StartupFiles {
  bool reads_none = false;
  std::vector<std::string> files;
};
std::optional<StartupFiles> startupFilesOf(const Account& account) {
  std::string_view name = baseName(account.shell);
  if (name == "sh") name = baseName(recordOf(account, "sh"));
  // `bash` found behind the name sh reads nothing for -c, but imports functions that the environment brings: not judged.
  if (name == "dash" || name == "ash" || name == "mksh" || name == "ksh" || name == "ksh93") return StartupFiles{true, {}};
  if (baseName(account.shell) == "sh") return std::nullopt;
  if (name == "bash") return StartupFiles{false, {"/etc/bash.bashrc", account.home + "/.bashrc"}};
  if (name == "zsh") return StartupFiles{false, {"/etc/zshenv", "/etc/zsh/zshenv", account.home + "/.zshenv"}};
  return std::nullopt;
}

// A present file has to be a regular one of root's at its own path (a symlink's target lies in directories that nobody looked at).
// An absent one is fine: homeIsRoots() sees to it that the account cannot create it.
bool isSafeFile(const Account& account, const std::string& path) {
  const std::string& record = recordOf(account, "f:" + path);
  if (record.empty()) return true;
  const std::size_t space = record.find(' ');  // skips the hash
  if (space == std::string::npos) return false;
  const auto facts = factsOf(std::string_view(record).substr(space + 1));
  if (!facts || !onlyRootWrites(*facts)) return false;
  return facts->rest == "regular file -> " + path || facts->rest == "regular empty file -> " + path;
}

bool homeIsRoots(const Account& account) {
  std::string directory = account.home;
  while (true) {
    if (!isSafeDirectory(account, "d:" + directory)) return false;
    if (directory == "/") return true;
    directory.erase(directory.rfind('/'));
    if (directory.empty()) directory = "/";
  }
}

/// Empty when the account's start-up files are beyond the account's reach; else why they are not.
std::string startupDistrust(const Account& account) {
  if (!recordOf(account, "preload").empty()) return "the login environment sets LD_PRELOAD, LD_LIBRARY_PATH or LD_AUDIT";
  const auto startup = startupFilesOf(account);
  if (!startup) return "it is not known which start-up files the login shell " + account.shell + " reads";
  if (startup->reads_none) return {};
  if (!recordOf(account, "benv").empty()) return "the login environment sets BASH_ENV or ENV";
  const std::string& xdg = recordOf(account, "lxdg");
  if (baseName(account.shell) == "zsh" && !xdg.empty() && xdg.back() != ':') return "the login environment sets ZDOTDIR";
  for (const std::string& file : startup->files) {
    if (!isSafeFile(account, file)) return "start-up file " + file + " is not a plain file that only root can write";
  }
  // A home behind a symlink has parents that the survey did not list.
  if (account.cwd != account.home)
    return "commands do not start in the home directory " + account.home + " itself (a symlink, or a start-up file that changes it)";
  if (!homeIsRoots(account))
    return "home directory " + account.home + " (or one above it) is not root's alone to write, so start-up files can be changed";
  return {};
}

// What auto-allow does not rest on, and what changes by itself: kernel upgrades, limits, the order of logins.
bool countsForHash(const Account& account, const std::string& key) {
  return key != "noise" && key != "uname" && key != "bb" && key != "fsize" && key != "sig" &&
         key != "f:" + account.home + "/.ssh/authorized_keys";
}

std::string hashOf(const Account& account) {
  std::string text;
  for (const auto& [key, value] : account.records) {
    if (!countsForHash(account, key)) continue;
    text.append(key).append("=").append(value).push_back('\0');  // neither has a NUL in it
  }
  return sha256Hex(text);
}

struct Frame {
  std::string_view records;
  std::string noise;
};
tl::expected<Frame, std::string> frameOf(std::string_view output, std::string_view nonce) {
  std::string begin("\0<", 2);
  begin.append(nonce).push_back('\0');
  std::string end("\0", 1);
  end.append(nonce).append(">").push_back('\0');
  const std::size_t start = output.find(begin);
  if (start == std::string_view::npos)
    return refusal("the survey's answer has no frame: start-up files end the shell, or it cannot run /bin/sh");
  // The frame's first NUL-terminated record starts where `begin` ended, so the closing mark's own NUL may be that byte.
  const std::size_t body = start + begin.size();
  const std::size_t stop = output.find(end, body - 1);
  if (stop == std::string_view::npos) return refusal("the survey's answer is torn: its end is missing");
  if (output.find(begin, start + 1) != std::string_view::npos) return refusal("the survey's answer has more than one frame");
  Frame frame;
  frame.records = stop < body ? std::string_view{} : output.substr(body, stop - body);
  frame.noise = output.substr(0, start);
  frame.noise += output.substr(stop + end.size());
  if (frame.noise.size() > kMaxNoiseBytes) frame.noise.resize(kMaxNoiseBytes);
  return frame;
}

tl::expected<std::map<std::string, std::string>, std::string> recordsOf(std::string_view body) {
  std::map<std::string, std::string> records;
  std::size_t count = 0;
  while (!body.empty()) {
    const std::size_t nul = std::min(body.find('\0'), body.size());
    const std::string_view record = body.substr(0, nul);
    body.remove_prefix(std::min(nul + 1, body.size()));
    if (++count > kMaxRecords) return refusal("the survey's answer has more than " + std::to_string(kMaxRecords) + " records");
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos) return refusal("the survey's answer has a record without \"=\"");
    const std::string key(record.substr(0, equals));
    const std::string_view value = record.substr(equals + 1);
    if (key.size() > kMaxKeyBytes || value.size() > kMaxValueBytes) return refusal("the survey's answer has a record that is too long");
    if (!isKnownKey(key)) return refusal("the survey's answer has an unknown key");
    // The script names a directory twice when it plays two parts; then both values agree.
    const auto [place, is_new] = records.emplace(key, value);
    if (!is_new && place->second != value)
      return refusal("the survey's answer contradicts itself about " + (allOf(key, isPrintable) ? key.substr(0, 64) : "a path"));
  }
  for (const char* key : {"v",    "lpath",  "lhome", "lshell", "preload", "benv",  "lxdg", "umask", "cwd",  "uid", "gid",
                          "user", "passwd", "home",  "shell",  "t.bash",  "t.env", "sh",   "bashv", "envv", "ppid"}) {
    if (records.find(key) == records.end()) return refusal(std::string("the survey's answer lacks \"") + key + "\"");
  }
  return records;
}

// "env (GNU coreutils) 9.1" -> at least 8.31, the first with --default-signal.
bool knowsDefaultSignal(std::string_view version) {
  static constexpr std::string_view kPrefix = "env (GNU coreutils) ";
  if (version.substr(0, kPrefix.size()) != kPrefix) return false;
  version.remove_prefix(kPrefix.size());
  const std::size_t dot = version.find('.');
  if (dot == std::string_view::npos || !isNumber(version.substr(0, dot)) || dot > 3) return false;
  const std::string_view minor = version.substr(dot + 1, version.find_first_not_of("0123456789", dot + 1) - dot - 1);
  if (!isNumber(minor) || minor.size() > 3) return false;
  const int major_number = std::stoi(std::string(version.substr(0, dot)));
  return major_number > 8 || (major_number == 8 && std::stoi(std::string(minor)) >= 31);
}

// exec.md's strings name /bin/bash, so that is the one that has to answer with a version; older ones than 4 were never tried.
bool hasUsableBash(const Account& account) {
  const std::string& version = recordOf(account, "bashv");
  const std::size_t dot = version.find('.');
  return !recordOf(account, "t.bash").empty() && dot != std::string::npos && dot <= 3 && isNumber(version.substr(0, dot)) &&
         std::stoi(version.substr(0, dot)) >= 4;
}

std::size_t colonsIn(std::string_view text) {
  return std::size_t(std::count(text.begin(), text.end(), ':'));
}

/// Empty, or what in the account's own facts cannot be right.
std::string oddity(const Account& account) {
  if (recordOf(account, "v") != "1") return "the survey's answer has another version";
  if (!isNumber(account.uid)) return "the survey's answer has no valid uid";
  if (account.umask.size() < 3 || account.umask.size() > 4 || !allOf(account.umask, isOctalDigit))
    return "the survey's answer has no valid umask";
  if (account.user.empty() || account.user.size() > 256 ||
      !allOf(account.user, [](unsigned char c) { return isPrintable(c) && c != ' ' && c != ':'; }))
    return "the survey's answer has no valid user name";
  if (!isAbsolutePath(account.home)) return "the account's home directory is not a plain absolute path";
  if (!isAbsolutePath(account.cwd)) return "the account's commands do not start in a plain absolute path";
  if (!isAbsolutePath(account.shell)) return "the account has no login shell of a plain absolute path";
  const std::string& passwd = recordOf(account, "passwd");
  if (!passwd.empty() && (colonsIn(passwd) != 6 || passwd.compare(0, account.user.size() + 1, account.user + ":") != 0))
    return "the account's passwd entry is malformed";
  return {};
}

}  // namespace

bool isLocaleVariable(std::string_view name, std::string_view value) {
  const bool known_name = name == "LANG" || (name.size() > 3 && name.size() <= 32 && name.substr(0, 3) == "LC_" &&
                                             allOf(name.substr(3), [](unsigned char c) { return c >= 'A' && c <= 'Z'; }));
  return known_name && value.size() <= 64 && allOf(value, [](unsigned char c) {
           return isDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '@' || c == '-';
         });
}

tl::expected<Account, std::string> parseSurvey(std::string_view output, std::string_view nonce) {
  if (nonce.size() < 8) return refusal("the survey has no nonce");
  if (output.size() > kMaxSurveyBytes) return refusal("the survey's answer is over " + std::to_string(kMaxSurveyBytes) + " bytes");
  const auto frame = frameOf(output, nonce);
  if (!frame) return tl::unexpected(frame.error());
  auto records = recordsOf(frame->records);
  if (!records) return tl::unexpected(records.error());

  Account account;
  account.records = std::move(*records);
  account.user = recordOf(account, "user");
  account.home = recordOf(account, "home");
  account.uid = recordOf(account, "uid");
  account.cwd = recordOf(account, "cwd");
  account.umask = recordOf(account, "umask");
  account.shell = recordOf(account, "shell");
  if (account.shell.empty() && !recordOf(account, "passwd").empty()) account.shell = "/bin/sh";  // passwd(5)
  if (std::string odd = oddity(account); !odd.empty()) return tl::unexpected(std::move(odd));
  if (!frame->noise.empty()) account.records["noise"] = frame->noise;
  if (hasUsableBash(account)) account.bash = "/bin/bash";
  account.env_default_signal = knowsDefaultSignal(recordOf(account, "envv"));
  account.snapshot = snapshotOf(account);
  account.startup_reason = startupDistrust(account);
  account.startup_trusted = account.startup_reason.empty();
  account.hash = hashOf(account);
  return account;
}

std::optional<Dialect> dialectOf(const Account& account) {
  const std::string_view shell = baseName(account.shell);
  if (shell == "bash") return Dialect::Bash;
  if (shell == "dash") return Dialect::Dash;
  if (shell != "sh") return std::nullopt;
  const std::string_view real = baseName(recordOf(account, "sh"));
  if (real == "dash") return Dialect::Dash;
  if (real == "bash") return Dialect::Sh;
  return std::nullopt;  // busybox and others: what their sh adds to POSIX is not known
}

}  // namespace ptygate::policy
