// SPDX-License-Identifier: Apache-2.0
// The rules that `ptygate init` writes. They are meant to be read and changed by people; the tests load them as they are.
#include "policy/rules.h"

namespace ptygate::policy {
namespace {

constexpr std::string_view kHead = R"toml(# Rules of ptygate. After a change: `ptygate policy check`, then `ptygate reload`.
#
# A deny rule wins; then the strictest of the matching hold rules; a line is allowed only if allow rules cover every simple command in
# it. Whatever no rule covers is held for a person. `ptygate policy explain 'LINE'` shows how a line is decided.

[defaults]
unmatched = "hold"        # no rule covers the line: "hold" or "deny"; "allow" is refused here
opaque = "hold"           # the line cannot be taken apart safely: "hold" or "deny"
answer_within = "50s"     # how long the agent is kept waiting before it is told to come back; "none" blocks
expires = "5m"            # how long people have; "none" keeps waiting
on_timeout = "expire"     # nobody answered: the command does not run

# Commands that only read run without asking. What shows secrets, reaches the network, writes, or is not described in the catalog in
# every word is not covered here.
[[rule]]
name = "read-only commands"
verdict = "allow"
effects = ["read"]
match = ["git log --oneline | head -5", "df -h", "uptime"]
no_match = ["rm -rf /srv/app", "cat /etc/shadow", "curl http://example.com/", "git push", "echo x > /etc/motd"]

# `git status` and `git diff` are not covered: they can run filters that the repository's own .git/config names. Where nobody but people
# you trust writes the repositories, you can allow them:
# [[rule]]
# name = "git work tree"
# verdict = "allow"
# argv = ["git", "{oneof:status|diff}", "{flags}*"]
# effects = ["read", "exec"]

# Start, reload and restart of services (stopping one counts as destructive, below). When you trust an agent with it, make this an allow
# rule for your staging targets: write verdict = "allow" and targets = ["env=staging"] instead of verdict and approvals.
[[rule]]
name = "service restarts"
verdict = "hold"
argv = ["systemctl", "{oneof:restart|reload|start}", "{unit}"]
approvals = 1
match = ["systemctl restart nginx", "sudo systemctl start app.service"]
no_match = ["systemctl status nginx", "systemctl stop nginx"]

)toml";

constexpr std::string_view kTwo =
    R"toml(# What cannot be undone needs two different people. A line that cannot be taken apart may be destructive too; it is held for one, who
# sees all of it. To ask two for those as well, write effects_any = ["destructive", "unknown"].
[[rule]]
name = "destructive commands"
verdict = "hold"
effects_any = ["destructive"]
approvals = 2
remember = "never"
advice = "if you can, propose a way that can be undone"
match = ["rm -rf /srv/app", "ls && rm -rf /srv/app"]
no_match = ["ls /srv/app"]
)toml";

constexpr std::string_view kOne =
    R"toml(# What cannot be undone should need two different people (approvals = 2). This gate has fewer than two reviewers, so it asks one:
# add a [[person]] with may = ["review"] to ptygate.toml, then write 2 here.
[[rule]]
name = "destructive commands"
verdict = "hold"
effects_any = ["destructive"]
approvals = 1
remember = "never"
advice = "if you can, propose a way that can be undone"
match = ["rm -rf /srv/app", "ls && rm -rf /srv/app"]
no_match = ["ls /srv/app"]
)toml";

}  // namespace

std::string starterPolicy(std::size_t reviewers) {
  return std::string(kHead) + std::string(reviewers >= 2 ? kTwo : kOne);
}

}  // namespace ptygate::policy
