// SPDX-License-Identifier: Apache-2.0
// The two strings that carry an auto-allowed line through a login shell that nobody trusts to quote: PLAIN and STRING2 (exec.md,
// section 1). The login shell sees only '…' words of characters that mean the same in every shell; the line itself is read by one bash
// without start-up files. Not here: what the line means (shell/), whether it may run (evaluate.cpp).
#include <algorithm>
#include <cstdio>

#include "policy/account.h"

namespace ptygate::policy {
namespace {

// Decodes "=hh" words, refuses (125, "gate: refused NONCE") an account state that is not the surveyed one, then becomes env. `%q` of ";"
// yields the backslash that must not be sent; the "." keeps trailing LFs. Text and order are those tried on 13 login shells.
constexpr std::string_view kDecoder =
    R"(printf -v b %q ";"; b=${b%?}; for a; do printf -v a %b. "${a//=/${b}x}"; set -- "$@" "${a%.}"; shift; done; x=; )"
    R"(read -r x 2>/dev/null </proc/$PPID/comm; [[ $1 == "*" && $EUID == "$2" && -z $LD_PRELOAD$LD_AUDIT$LD_LIBRARY_PATH && )"
    R"(${x:-sshd} == sshd* ]] && cd -- "$3" && umask "$4" || { echo "gate: refused $5 $EUID $x" >&2; exit 125; }; shift 5; )"
    R"(exec /usr/bin/env -i "$@")";

// In bash a start-up file's function or alias `exec` would win; POSIX mode looks up special builtins first, the backslash defeats the
// alias (exec.md, section 2). The variable is not exported, and env -i would drop it.
constexpr std::string_view kBashPrefix = "POSIXLY_CORRECT=y; \\";

tl::unexpected<std::string> refusal(std::string text) {
  return tl::unexpected(std::move(text));
}

// The same in '…' of all shells: no ' (all), \ (fish), ! and LF (csh), bytes over 0x7e (yash, elvish, rc).
bool isSafeQuoted(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f && c != '\'' && c != '\\' && c != '!'; });
}

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::string encoded(std::string_view text) {
  std::string result = "'";
  for (unsigned char c : text) {
    const bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_/.,:@+-").find(char(c)) != std::string_view::npos;
    if (stays) {
      result += char(c);
      continue;
    }
    char escape[4];
    std::snprintf(escape, sizeof escape, "=%02x", unsigned(c));
    result += escape;
  }
  return result + "'";
}

const std::string& recordOf(const Account& account, const char* key) {
  static const std::string kNone;
  const auto found = account.records.find(key);
  return found == account.records.end() ? kNone : found->second;
}

bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// Words of `env -i`: NAME=VALUE…, then the final argv without the line.
std::vector<std::string> envWords(const Account& account, const std::map<std::string, std::string>& locale,
                                  const std::map<std::string, std::string>& pins) {
  std::map<std::string, std::string> environment = account.snapshot;
  for (const auto& [name, value] : locale) {
    if (isLocaleVariable(name, value)) environment[name] = value;
  }
  for (const auto& [name, value] : pins) environment[name] = value;
  std::vector<std::string> words;
  for (const auto& [name, value] : environment) words.push_back(name + "=" + value);
  for (const char* word : {"/bin/bash", "--noprofile", "--norc", "-p", "-c", "--"}) words.emplace_back(word);
  return words;
}

// SigIgn of a clean login is all zeros; anything else is cured by --default-signal where env has it.
bool ignoresSignals(const Account& account) {
  const std::string& signals = recordOf(account, "sig");
  const std::size_t digit = signals.find_first_of("123456789abcdef", signals.find(':') == std::string::npos ? 0 : signals.find(':'));
  return digit != std::string::npos;
}

std::string plainForm(const Account& account, const std::vector<std::string>& words, std::string_view canonical) {
  std::string line = "exec /usr/bin/env -i";
  if (account.env_default_signal && ignoresSignals(account)) line += " --default-signal";
  for (const std::string& word : words) line += " " + quoted(word);
  return line + " " + quoted(canonical);
}

std::string decodedForm(const Account& account, const std::vector<std::string>& words, std::string_view canonical, std::string_view nonce) {
  std::string line = "exec /bin/bash --noprofile --norc -p -c ";
  line += quoted(kDecoder);
  line += " gate";
  for (std::string_view word :
       {std::string_view("*"), std::string_view(account.uid), std::string_view(account.cwd), std::string_view(account.umask), nonce})
    line += " " + encoded(word);
  if (account.env_default_signal) line += " '--default-signal'";
  for (const std::string& word : words) line += " " + encoded(word);
  return line + " " + encoded(canonical);
}

/// Empty, or why no form can be right for this account.
std::string unfitness(const Account& account) {
  if (endsWith(account.shell, "/rbash")) return "the login shell is restricted (rbash)";
  if (endsWith(account.shell, "/nologin") || endsWith(account.shell, "/false") || endsWith(account.shell, "/git-shell"))
    return "the login shell runs no commands";
  if (account.bash.empty()) return "the target has no usable /bin/bash";
  if (recordOf(account, "t.env") != "/usr/bin/env") return "the target has no /usr/bin/env";
  if (!recordOf(account, "preload").empty()) return "the login environment sets LD_PRELOAD, LD_LIBRARY_PATH or LD_AUDIT";
  return {};
}

}  // namespace

tl::expected<std::string, std::string> execString(const Account& account, std::string_view canonical,
                                                  const std::map<std::string, std::string>& locale,
                                                  const std::map<std::string, std::string>& pins, std::string_view nonce) {
  if (std::string why = unfitness(account); !why.empty()) return tl::unexpected(std::move(why));
  if (canonical.empty() || canonical.find('\0') != std::string_view::npos) return refusal("the line is empty or has a NUL");
  const std::vector<std::string> words = envWords(account, locale, pins);
  const bool all_safe =
      isSafeQuoted(canonical) && std::all_of(words.begin(), words.end(), [](const std::string& word) { return isSafeQuoted(word); });
  // PLAIN leaves cwd and umask as the login left them, so it fits only where that is the account's own home.
  const bool plain = all_safe && account.cwd == account.home;
  const std::string& parent = recordOf(account, "ppid");
  if (!plain && !parent.empty() && parent.compare(0, 4, "sshd") != 0)
    return refusal("the login shell's parent is not sshd but another server or a wrapper");
  std::string line = endsWith(account.shell, "/bash") ? std::string(kBashPrefix) : std::string();
  line += plain ? plainForm(account, words, canonical) : decodedForm(account, words, canonical, nonce);
  if (line.size() > kMaxExecString)
    return refusal("the line would take " + std::to_string(line.size()) + " bytes, and " + std::to_string(kMaxExecString) +
                   " are the limit");
  return line;
}

}  // namespace ptygate::policy
