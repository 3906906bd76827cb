// SPDX-License-Identifier: Apache-2.0
// The survey: one fixed script that tells about an account on a target, as a command line for one exec (exec.md, section 3). It is
// compiled in, takes no input of the agent's, writes nothing and reads no standard input. Reading the answer: account.cpp.
#include <cstdio>

#include "policy/account.h"

namespace ptygate::policy {
namespace {

// Answer: NUL "<NONCE" NUL, "key=value" NUL …, "NONCE>" NUL. The first act resets PATH; the login PATH and LC_ALL arrive as $2 and $3.
// Plain POSIX sh: it ran under bash, dash, busybox and mksh as /bin/sh. Change nothing here without running tests/policy/rules.
constexpr std::string_view kSurveyText =
    R"sh(N=$1; LC_ALL=C; export LC_ALL; PATH=/usr/bin:/bin:/usr/sbin:/sbin; p() { printf '%s\000' "$1=$2"; })sh" "\n"
    R"sh(w() { for d in /usr/bin /bin /usr/sbin /sbin; do if [ -x "$d/$1" ]; then printf %s "$d/$1"; return; fi; done; })sh" "\n"
    R"sh(S() { stat -Lc "%u %g %a %F" "$1" 2>/dev/null || ls -nLd "$1" 2>/dev/null; })sh" "\n"
    R"sh(H() { if [ -f "$1" ]; then if [ -r "$1" ]; then sha256sum < "$1" | cut -c 1-64; else echo unreadable; fi; else echo -; fi; })sh" "\n"
    R"sh(printf '\000%s\000' "<$N"; p v 1; p lpath "$2"; p lhome "$HOME"; p lshell "$SHELL"; p llang "$LANG"; p lcall "$3"; p preload "${LD_PRELOAD-}${LD_LIBRARY_PATH-}${LD_AUDIT-}"; p benv "${BASH_ENV-}${ENV-}"; p lxdg "${XDG_CONFIG_HOME-}:${ZDOTDIR-}")sh" "\n"
    R"sh(p umask "$(umask)"; p cwd "$(pwd -P)"; p uid "$(id -u)"; p gid "$(id -g)"; p groups "$(id -G)"; p uname "$(uname -srm)"; p bb "$(busybox 2>/dev/null | head -n 1)")sh" "\n"
    R"sh(u=$(id -un) || u=$LOGNAME; e=; if [ -n "$(w getent)" ]; then e=$(getent passwd "$u"); fi; if [ -z "$e" ]; then while IFS= read -r l; do case $l in "$u":*) e=$l; break;; esac; done < /etc/passwd; fi)sh" "\n"
    R"sh(p user "$u"; p passwd "$e"; h=${e%:*}; h=${h##*:}; h=${h:-$HOME}; s=${e##*:}; p home "$h"; p shell "$s"; for t in bash dash sh zsh fish busybox env setsid mkfifo stty flock sha256sum stat perl python3 unshare; do p "t.$t" "$(w $t)"; done)sh" "\n"
    R"sh(p sh "$(readlink -f /bin/sh)"; p bashv "$( [ -x /bin/bash ] && /bin/bash --noprofile --norc -p -c 'echo $BASH_VERSION')"; p envv "$(env --version 2>/dev/null | head -n 1)"; p ppid "$(cat /proc/$PPID/comm 2>/dev/null)"; p sig "$(grep ^SigIgn /proc/self/status 2>/dev/null)"; p fsize "$(ulimit -f)")sh" "\n"
    R"sh(z=${ZDOTDIR:-$h}; x=${XDG_CONFIG_HOME:-$h/.config})sh" "\n"
    R"sh(for f in /etc/bash.bashrc /etc/profile /etc/environment "$h/.bashrc" "$h/.bash_profile" "$h/.bash_login" "$h/.profile" "$h/.inputrc" /etc/zshenv /etc/zsh/zshenv "$z/.zshenv" "$z/.zprofile" "$z/.zshrc" "$z/.zlogin" /etc/fish/config.fish /etc/fish/conf.d/*.fish "$x/fish/config.fish" "$x"/fish/conf.d/*.fish "$x/fish/fish_variables" /etc/csh.cshrc /etc/csh.login "$h/.tcshrc" "$h/.cshrc" "$h/.login" /etc/mkshrc "$h/.mkshrc" "$h/.kshrc" "$h/.ssh/rc" "$h/.ssh/environment" "$h/.ssh/authorized_keys" "$h/.pam_environment" /etc/ssh/sshrc "${BASH_ENV:-/-}"; do if [ -e "$f" ] || [ -L "$f" ]; then p "f:$f" "$(H "$f") $(S "$f") -> $(readlink -f "$f")"; fi; done)sh" "\n"
    R"sh(d=$h; while :; do p "d:$d" "$(S "$d")"; if [ "$d" = / ]; then break; fi; d=${d%/*}; d=${d:-/}; done)sh" "\n"
    R"sh(for d in "$x" "$x/fish" "$x/fish/conf.d" "$h/.ssh" "$z"; do if [ -d "$d" ]; then p "d:$d" "$(S "$d")"; fi; done; IFS=:; for d in $2; do p "P:$d" "$(S "$d")"; done; printf '%s\000' "$N>")sh" "\n";

bool isPlain(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("_/.,:@+-").find(char(c)) != std::string_view::npos;
}

// Inside '…' only backslash digits and plain characters: the same bytes in every login shell that was tried, fish and csh included.
std::string octal(std::string_view text) {
  std::string result;
  for (unsigned char c : text) {
    if (isPlain(c)) {
      result += char(c);
      continue;
    }
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\0%03o", unsigned(c));
    result += escape;
  }
  return result;
}

}  // namespace

std::string surveyCommand(std::string_view nonce) {
  std::string line = R"(exec /bin/sh -c 'c=$(printf %b. "$1"); exec /bin/sh -c "${c%.}" gate "$2" "$PATH" "$LC_ALL"' gate ')";
  line += octal(kSurveyText);
  line += "' ";
  line += nonce;
  return line;
}

}  // namespace ptygate::policy
