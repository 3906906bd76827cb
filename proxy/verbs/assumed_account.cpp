// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/assumed_account.h"

namespace ptygate::verbs {

namespace {

// A plain account whose start-up files are trusted: what `policy explain` may suppose, never what the gate itself uses.
policy::Account assumedAccount(const std::string& login, const std::string& shell) {
  policy::Account account;
  account.user = login;
  account.shell = "/bin/" + shell;
  account.home = login == "root" ? "/root" : "/home/" + login;
  account.cwd = account.home;
  account.uid = login == "root" ? "0" : "1000";
  account.umask = "0022";
  account.bash = "/bin/bash";
  account.env_default_signal = true;
  account.startup_trusted = true;
  account.records = {{"umask", "0022"},         {"cwd", account.cwd},        {"sh", "/usr/bin/dash"},
                     {"t.env", "/usr/bin/env"}, {"t.bash", "/usr/bin/bash"}, {"ppid", "sshd"}};
  account.snapshot = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                      {"HOME", account.home},
                      {"USER", login},
                      {"LOGNAME", login},
                      {"SHELL", account.shell},
                      {"LANG", "C.UTF-8"}};
  account.hash = "assumed";
  return account;
}

}  // namespace

AccountForExplain accountFor(const std::string& login, const std::string& assumed_shell) {
  if (!assumed_shell.empty()) {
    return {assumedAccount(login, assumed_shell), "assumed: /bin/" + assumed_shell + " with trusted start-up files; nothing was surveyed"};
  }
  return {std::nullopt,
          "not known offline, so that nothing is allowed without a person; --assume-shell bash supposes one, `ptygate targets show` tells "
          "the real one"};
}

}  // namespace ptygate::verbs
