// SPDX-License-Identifier: Apache-2.0
// execString, judged by running the result in real login shells: what arrives has to be the line, the environment and the place that
// were asked for, whatever the bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "policy/account.h"
#include "support.h"

namespace ptygate::policy {
namespace {

using testing::accountWith;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::runAsLogin;
using ::testing::StartsWith;
using testing::testNonce;

using Shell = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

const std::vector<Shell>& loginShells() {
  static const std::vector<Shell> shells = [] {
    std::vector<Shell> found;
    for (const Shell& shell :
         {Shell{"/bin/bash"}, Shell{"/bin/dash"}, Shell{"/bin/busybox", "sh"}, Shell{"/bin/zsh"}, Shell{"/usr/bin/fish"},
          Shell{"/bin/tcsh"}, Shell{"/bin/mksh"}, Shell{"/bin/ksh93"}, Shell{"/usr/bin/yash"}}) {
      if (access(shell[0].c_str(), X_OK) == 0) found.push_back(shell);
    }
    return found;
  }();
  return shells;
}

Account accountHere(const Shell& shell, std::map<std::string, std::string> changes = {}) {
  const std::map<std::string, std::string> here = {
      {"uid", std::to_string(getuid())}, {"home", "/tmp"}, {"cwd", "/tmp"}, {"shell", shell[0]}, {"llang", ""}, {"sh", "/usr/bin/dash"}};
  for (const auto& [key, value] : here) changes.emplace(key, value);
  return accountWith(changes);
}

std::string formOf(const Account& account, std::string_view canonical, const Variables& locale = {}, const Variables& pins = {}) {
  const auto form = execString(account, canonical, locale, pins, testNonce());
  return form ? *form : "(refused) " + form.error();
}

const std::vector<std::string> kLoginEnvironment = {
    "PATH=/tmp/evil:/usr/bin:/bin", "HOME=/tmp", "BASH_ENV=/nonexistent/x", "GIT_DIR=/tmp", "IFS=x", "POSIXLY_CORRECT=1"};

TEST(ExecString, RefusesAccountsThatCannotCarryIt) {
  const auto refused = [](const std::map<std::string, std::string>& changes) { return formOf(accountWith(changes), "id"); };
  EXPECT_THAT(refused({{"shell", "/bin/rbash"}}), HasSubstr("(refused) the login shell is restricted"));
  EXPECT_THAT(refused({{"shell", "/usr/sbin/nologin"}}), HasSubstr("runs no commands"));
  EXPECT_THAT(refused({{"t.bash", ""}}), HasSubstr("no usable /bin/bash"));
  EXPECT_THAT(refused({{"bashv", ""}}), HasSubstr("no usable /bin/bash"));
  EXPECT_THAT(refused({{"bashv", "3.2.57(1)"}}), HasSubstr("no usable /bin/bash"));
  EXPECT_THAT(refused({{"t.env", ""}}), HasSubstr("no /usr/bin/env"));
  EXPECT_THAT(refused({{"preload", "/tmp/x.so"}}), HasSubstr("LD_PRELOAD"));
  EXPECT_THAT(formOf(accountWith({{"ppid", "dropbear"}}), "echo 'a'"), HasSubstr("not sshd"));
  EXPECT_THAT(formOf(accountWith(), ""), HasSubstr("empty"));
  EXPECT_THAT(formOf(accountWith(), std::string_view("a\0b", 3)), HasSubstr("NUL"));
}

TEST(ExecString, RefusesWhatExecveCouldNotTake) {
  const std::string largest_plain(kMaxExecString - formOf(accountWith(), "x").size() + 1, 'x');
  EXPECT_EQ(formOf(accountWith(), largest_plain).size(), kMaxExecString);
  EXPECT_THAT(formOf(accountWith(), largest_plain + "x"), HasSubstr("(refused) the line would take 131001 bytes"));
  EXPECT_THAT(formOf(accountWith(), std::string(64 * 1024, '\'')), HasSubstr("(refused) the line would take"));
}

TEST(ExecString, IsThePlainFormForPlainText) {
  EXPECT_EQ(formOf(accountWith({{"shell", "/bin/dash"}}), "git log | head -5"),
            "exec /usr/bin/env -i 'HOME=/root' 'LANG=C.UTF-8' 'LOGNAME=root' 'PATH=/usr/local/bin:/usr/bin:/bin' 'SHELL=/bin/dash' "
            "'USER=root' '/bin/bash' "
            "'--noprofile' '--norc' '-p' '-c' '--' 'git log | head -5'");
}

TEST(ExecString, OutrunsBashFunctionsAndAliasesOfStartUpFiles) {
  EXPECT_THAT(formOf(accountWith(), "id"), StartsWith("POSIXLY_CORRECT=y; \\exec /usr/bin/env -i '"));
  EXPECT_THAT(formOf(accountWith(), "echo 'a'"), StartsWith("POSIXLY_CORRECT=y; \\exec /bin/bash --noprofile --norc -p -c '"));
}

TEST(ExecString, IsTheDecodedFormWhereTheTextOrThePlaceNeedsIt) {
  const auto isDecoded = [](const std::string& form) { return form.find("printf -v") != std::string::npos; };
  for (const char* text : {"a'b", "a\\b", "a!b", "a\nb", "\xc3\xa9", "a\tb", "\x7f"})
    EXPECT_TRUE(isDecoded(formOf(accountWith(), text))) << text;
  EXPECT_TRUE(isDecoded(formOf(accountWith({{"cwd", "/srv"}}), "id")));
  EXPECT_TRUE(isDecoded(formOf(accountWith(), "id", {}, {{"GIT_X", "a'b"}})));
  EXPECT_FALSE(isDecoded(formOf(accountWith(), "id")));
}

TEST(ExecString, HasOnlyBytesThatMeanTheSameInEveryShell) {
  std::string every_byte;
  for (int c = 1; c < 256; ++c) every_byte += char(c);
  const std::string form = formOf(accountWith({{"shell", "/bin/dash"}}), every_byte);
  EXPECT_TRUE(std::all_of(form.begin(), form.end(), [](char c) { return c >= 0x20 && c < 0x7f && c != '\\' && c != '!'; })) << form;
}

TEST(ExecString, DropsALocaleThatIsNone) {
  const std::string form = formOf(accountWith(), "id", {{"LC_ALL", "C.UTF-8"}, {"LC_TIME", "$(x)"}, {"LD_PRELOAD", "x"}});
  EXPECT_THAT(form, HasSubstr("'LC_ALL=C.UTF-8'"));
  EXPECT_THAT(form, Not(HasSubstr("LC_TIME")));
  EXPECT_THAT(form, Not(HasSubstr("LD_PRELOAD=x")));
}

// What the line's bash really was given: its environment and argv from /proc, its cwd, umask and BASHOPTS.
constexpr const char* kTell =
    R"(/usr/bin/tr '\0' '\n' < /proc/$$/environ; echo --; pwd -P; umask; echo "$POSIXLY_CORRECT"; shopt -o posix)";

TEST(ExecString, GivesExactlyTheSnapshotLocaleAndPins) {
  for (const Shell& shell : loginShells()) {
    const Account account = accountHere(shell);
    const auto result =
        runAsLogin(shell, formOf(account, kTell, {{"LANG", "C.UTF-8"}}, {{"GIT_PAGER", "cat 'x\n"}}), kLoginEnvironment, "/tmp");
    EXPECT_EQ(result.err, "") << shell[0];
    EXPECT_EQ(result.out, "GIT_PAGER=cat 'x\n\nHOME=/tmp\nLANG=C.UTF-8\nLOGNAME=root\nPATH=/usr/local/bin:/usr/bin:/bin\nSHELL=" +
                              shell[0] + "\nUSER=root\n--\n/tmp\n0022\n\nposix          \toff\n")
        << shell[0];
  }
}

TEST(ExecString, PlainFormGivesTheSameEnvironment) {
  for (const Shell& shell : loginShells()) {
    const Account account = accountHere(shell);
    const std::string form = formOf(account, "/usr/bin/env; echo \"$POSIXLY_CORRECT\"; umask");
    ASSERT_THAT(form, Not(HasSubstr("printf -v")));
    const auto result = runAsLogin(shell, form, kLoginEnvironment, "/tmp");
    EXPECT_EQ(result.err, "") << shell[0];
    std::vector<std::string> lines;
    for (std::size_t at = 0, end = 0; (end = result.out.find('\n', at)) != std::string::npos; at = end + 1)
      lines.push_back(result.out.substr(at, end - at));
    std::sort(lines.begin(), lines.end());
    EXPECT_THAT(lines, ::testing::ElementsAre("", "0022", "HOME=/tmp", "LOGNAME=root", "PATH=/usr/local/bin:/usr/bin:/bin", "PWD=/tmp",
                                              "SHELL=" + shell[0], "SHLVL=1", "USER=root", "_=/usr/bin/env"))
        << shell[0];
  }
}

TEST(ExecString, DeliversEveryByteInEveryPosition) {
  // In '…' of the line, so that bash prints it as it arrived; ' itself as '\''.
  std::string wanted;
  std::string word = "'";
  for (int c = 1; c < 256; ++c) {
    for (const std::string& piece : {std::string(1, char(c)), "a" + std::string(1, char(c)), std::string(2, char(c)) + "0"}) {
      wanted += piece;
      for (char byte : piece) word += byte == '\'' ? std::string("'\\''") : std::string(1, byte);
    }
  }
  wanted += "\n\n";
  word += "\n\n'";
  for (const Shell& shell : loginShells()) {
    const auto result = runAsLogin(shell, formOf(accountHere(shell), "printf %s " + word), kLoginEnvironment, "/tmp");
    EXPECT_EQ(result.out, wanted) << shell[0];
    EXPECT_EQ(result.status, 0) << shell[0] << result.err;
  }
}

TEST(ExecString, KeepsTheLinesExitStatusAndArguments) {
  for (const Shell& shell : loginShells()) {
    EXPECT_EQ(runAsLogin(shell, formOf(accountHere(shell), "exit 7"), kLoginEnvironment).status, 7) << shell[0];
    EXPECT_EQ(runAsLogin(shell, formOf(accountHere(shell), "exit '9'"), kLoginEnvironment).status, 9) << shell[0];
    EXPECT_EQ(runAsLogin(shell, formOf(accountHere(shell), "kill -TERM $$"), kLoginEnvironment).status, 128 + 15) << shell[0];
    const auto result = runAsLogin(shell, formOf(accountHere(shell), "/usr/bin/tr '\\0' ' ' < /proc/$$/cmdline"), kLoginEnvironment);
    EXPECT_THAT(result.out, StartsWith("/bin/bash --noprofile --norc -p -c -- /usr/bin/tr")) << shell[0];
  }
}

TEST(ExecString, RunsALineThatLooksLikeAnOption) {
  const auto result = runAsLogin({"/bin/bash"}, formOf(accountHere({"/bin/bash"}), "-x"), kLoginEnvironment);
  EXPECT_EQ(result.status, 127);
  EXPECT_THAT(result.err, HasSubstr("command not found"));
}

TEST(ExecString, MovesToTheSurveyedPlaceAndUmask) {
  for (const Shell& shell : loginShells()) {
    const auto result =
        runAsLogin(shell, formOf(accountHere(shell, {{"cwd", "/usr"}, {"umask", "0077"}}), "pwd -P; umask"), kLoginEnvironment, "/");
    EXPECT_EQ(result.out, "/usr\n0077\n") << shell[0] << result.err;
  }
}

TEST(ExecString, RunsNothingWhenTheAccountIsNotTheSurveyedOne) {
  const std::string touched = "/tmp/ptygate-rules-must-not-exist-" + std::to_string(getpid());
  const std::string line = "touch '" + touched + "'";
  for (const Shell& shell : loginShells()) {
    struct Row {
      const char* why;
      std::map<std::string, std::string> changes;
      std::vector<std::string> environment;
    };
    for (const Row& row : {Row{"another uid", {{"uid", "54321"}}, {}}, Row{"a place that is gone", {{"cwd", "/nonexistent"}}, {}},
                           Row{"LD_LIBRARY_PATH since then", {}, {"LD_LIBRARY_PATH=/nonexistent"}}}) {
      const auto result = runAsLogin(shell, formOf(accountHere(shell, row.changes), line), row.environment);
      EXPECT_EQ(result.status, 125) << shell[0] << ": " << row.why;
      EXPECT_THAT(result.err, HasSubstr("gate: refused " + std::string(testNonce()))) << shell[0] << ": " << row.why;
      EXPECT_NE(access(touched.c_str(), F_OK), 0) << shell[0] << ": " << row.why;
    }
  }
}

TEST(ExecString, RunsNothingBehindAWrapperThatIsNotSshd) {
  // No "sshd" between: the login shell's parent is this test.
  const auto result = testing::run({"/bin/dash", "-c", formOf(accountHere({"/bin/dash"}), "echo 'ran'")}, {});
  EXPECT_EQ(result.status, 125);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("gate: refused"));
}

TEST(ExecString, BeatsAFunctionAndAnAliasNamedExecInBash) {
  const std::string rc = "/tmp/ptygate-rules-rc-" + std::to_string(getpid());
  for (const char* evil :
       {"exec() { echo EVIL; }\n", "shopt -s expand_aliases; alias exec='echo EVIL;'\n", "function /usr/bin/env { echo EVIL; }\n"}) {
    std::ofstream(rc) << evil;
    for (const char* line : {"echo good", "echo 'good'"}) {
      // BASH_ENV is read by bash -c before the line, as Debian's bash reads ~/.bashrc under sshd.
      const auto result = runAsLogin({"/bin/bash"}, formOf(accountHere({"/bin/bash"}), line), {"BASH_ENV=" + rc});
      EXPECT_EQ(result.out, "good\n") << evil << line << result.err;
    }
    // The same file without the prefix shows that the test can fail.
    if (std::string_view(evil).find("exec") != std::string_view::npos) {
      EXPECT_THAT(runAsLogin({"/bin/bash"}, "exec echo good", {"BASH_ENV=" + rc}).out, HasSubstr("EVIL")) << evil;
    }
  }
  unlink(rc.c_str());
}

TEST(ExecString, ListsTheLoginShellsItWasRunOn) {
  std::string names;
  for (const Shell& shell : loginShells()) names += shell[0] + " ";
  RecordProperty("login_shells", names);
  EXPECT_GE(loginShells().size(), 2U) << names;
}

}  // namespace
}  // namespace ptygate::policy
