// SPDX-License-Identifier: Apache-2.0
// The real git in a repository whose .git/config is hostile: what the catalog calls a read, run in its canonical form with its pins, runs
// none of the planted programs. The same lines without pins do (so that the test can fail).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "policy/classify.h"

namespace ptygate::policy {
namespace {

namespace fs = std::filesystem;

std::string shellQuoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

class HostileRepository : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ptygate-git-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    const std::string setup = R"SH(
set -e
git init -q -b main .; git config user.email a@b; git config user.name a
echo one > f; git add f; git commit -q -m one; echo two > f; git add f; git commit -q -m two
git checkout -q -b side HEAD~1; echo three > f; git commit -q -a -m three; git checkout -q main; git merge -q side -m m -s ours
printf '#!/bin/sh\necho "$0 $*" >> %s/P\ncat 2>/dev/null </dev/null\nexit 0\n' "$PWD" > evil; chmod +x evil
E=$PWD/evil
git config core.fsmonitor $E; git config core.pager $E; git config pager.log $E; git config pager.show $E; git config core.editor $E
git config diff.external $E; git config diff.x.textconv $E; git config diff.x.command $E; git config filter.x.clean $E; git config filter.x.smudge $E
git config filter.x.process $E; git config merge.x.driver $E; git config log.showSignature true; git config gpg.program $E; git config gpg.ssh.program $E
git config log.diffMerges remerge; git config diff.submodule diff; git config core.sshCommand $E; git config credential.helper "!$E"
git config interactive.diffFilter $E; git config alias.log "!$E"; git config alias.zz "!$E"; git config core.askPass $E; git config status.submoduleSummary true
mkdir h; for n in post-index-change reference-transaction post-checkout pre-commit pre-auto-gc; do cp evil h/$n; done; git config core.hooksPath $PWD/h
printf '* diff=x filter=x merge=x\n' > .git/info/attributes
git config core.repositoryformatversion 1; git config extensions.partialClone origin; git config remote.origin.promisor true
git config protocol.ext.allow always; git config remote.origin.url "ext::$E"
printf 'tree %s\nparent %s\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\nsigned\n' \
  "$(git rev-parse main^{tree})" "$(git rev-parse main)" > c
c=$(env GIT_ALLOW_PROTOCOL=none git hash-object -t commit -w --no-filters c); rm c; printf '%s\n' "$c" > .git/refs/heads/main
o=$(printf 'one\n' | git hash-object --stdin --no-filters); rm -f ".git/objects/$(echo $o | cut -c1-2)/$(echo $o | cut -c3-)"
touch -d '2001-01-01' f; rm -f P
)SH";
    ASSERT_EQ(run(setup), 0);
  }
  void TearDown() override { fs::remove_all(root_); }

  int run(const std::string& script, const std::map<std::string, std::string>& env = {}) {
    std::string command = "cd " + shellQuoted(root_) + " && env -i PATH=/usr/bin:/bin HOME=" + shellQuoted(root_);
    for (const auto& [name, value] : env) command += " " + name + "=" + shellQuoted(value);
    return std::system((command + " /bin/bash --noprofile --norc -p -c -- " + shellQuoted(script) + " >/dev/null 2>&1").c_str());
  }
  bool planted() {
    const bool there = fs::exists(root_ + "/P");
    fs::remove(root_ + "/P");
    return there;
  }

  std::string root_;
};

TEST_F(HostileRepository, RunsNothingInWhatTheCatalogCallsARead) {
  int unpinned = 0;
  for (const char* line : {"git log",
                           "git log -p",
                           "git log --oneline -5",
                           "git log --stat",
                           "git log --format='%G?'",
                           "git log --graph --all",
                           "git log --first-parent -p",
                           "git show",
                           "git show HEAD~1",
                           "git show HEAD:f",
                           "git show --stat",
                           "git diff --cached",
                           "git diff --cached --stat",
                           "git grep one",
                           "git grep -n one HEAD",
                           "git branch -a",
                           "git branch -v",
                           "git branch --contains HEAD",
                           "git tag -l",
                           "git tag --contains HEAD",
                           "git rev-parse HEAD",
                           "git ls-files",
                           "git ls-files -d",
                           "git ls-tree -r HEAD",
                           "git describe --always",
                           "git reflog",
                           "git cat-file -p HEAD",
                           "git cat-file -p HEAD~2:f",
                           "git rev-list --all",
                           "git stash list",
                           "git worktree list",
                           "git show-ref",
                           "git shortlog HEAD",
                           "git merge-base main side",
                           "git for-each-ref",
                           "git log -S one",
                           "git log --follow f",
                           "git log -G one --all",
                           "git for-each-ref --format='%(signature:grade)'"}) {
    const Classification found = classify(Catalog::builtin(), line, Dialect::Bash, root_);
    ASSERT_TRUE(found.opaque.empty()) << line;
    std::string why;
    for (const auto& command : found.commands)
      for (const auto& reason : command.reasons) why += "\n  " + reason;
    EXPECT_TRUE(found.effects.within({Effect::Read})) << line << why;
    run(line);
    unpinned += planted();
    run(found.canonical, found.pins);
    EXPECT_FALSE(planted()) << line;
  }
  EXPECT_GE(unpinned, 8) << "the repository is not hostile";
}

TEST_F(HostileRepository, IsWhyStatusDiffAndBlameAreExec) {
  for (const char* line : {"git status", "git diff", "git blame f"}) {
    const Classification found = classify(Catalog::builtin(), line, Dialect::Bash, root_);
    EXPECT_TRUE(found.effects.has(Effect::Exec)) << line;
    run("touch -d 2002-02-02 f");
    run(found.canonical, found.pins);
    EXPECT_TRUE(planted()) << line << ": no filter ran; may it be a read by now?";
  }
}

}  // namespace
}  // namespace ptygate::policy
