// SPDX-License-Identifier: Apache-2.0
// Surveys, forged and real. The real ones run on this machine's own shells.
#include "policy/account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include "support.h"

namespace ptygate::policy {
namespace {

using testing::accountWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::surveyAnswer;
using testing::testNonce;

std::string errorOf(const std::string& answer) {
  const auto parsed = parseSurvey(answer, testNonce());
  return parsed ? "(accepted)" : parsed.error();
}

TEST(Survey, RefusesAnAnswerWithoutItsFrame) {
  const std::string whole = surveyAnswer();
  EXPECT_THAT(errorOf(""), HasSubstr("no frame"));
  EXPECT_THAT(errorOf("Last login: today\n"), HasSubstr("no frame"));
  EXPECT_THAT(errorOf(surveyAnswer({}, "othernonce")), HasSubstr("no frame"));
  EXPECT_THAT(errorOf(whole + whole), HasSubstr("more than one frame"));
}

TEST(Survey, RefusesEveryTornPrefix) {
  const std::string whole = surveyAnswer();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    ASSERT_FALSE(parseSurvey(std::string_view(whole).substr(0, length), testNonce())) << length;
  }
}

TEST(Survey, RefusesTooMuch) {
  EXPECT_THAT(errorOf(surveyAnswer() + std::string(kMaxSurveyBytes, 'x')), HasSubstr("over 65536 bytes"));
  EXPECT_THAT(errorOf(surveyAnswer({{"uname", std::string(20'000, 'x')}})), HasSubstr("too long"));
  std::map<std::string, std::string> many;
  for (int i = 0; i < 1200; ++i) many["P:/" + std::to_string(i)] = "";
  EXPECT_THAT(errorOf(surveyAnswer(many)), HasSubstr("more than 1000 records"));
}

TEST(Survey, RefusesRecordsThatItsScriptCannotHaveWritten) {
  std::string contradiction = surveyAnswer();
  contradiction.insert(contradiction.find("uid=0"), std::string("d:/root=0 0 777 directory\0", 26));
  EXPECT_THAT(errorOf(contradiction), HasSubstr("contradicts itself about d:/root"));
  std::string escape = surveyAnswer({{"P:/\x1b[2J", "1"}});
  escape.insert(escape.find("uid=0"), std::string("P:/\x1b[2J=2\0", 10));
  EXPECT_THAT(errorOf(escape), HasSubstr("contradicts itself about a path"));
  EXPECT_THAT(errorOf(surveyAnswer({{"evil", "1"}})), HasSubstr("unknown key"));
  EXPECT_THAT(errorOf(surveyAnswer({{"v", "2"}})), HasSubstr("another version"));
  std::string naked = surveyAnswer();
  naked.insert(naked.find("uid=0"), std::string("naked\0", 6));
  EXPECT_THAT(errorOf(naked), HasSubstr("without \"=\""));
}

TEST(Survey, RefusesAnAnswerThatLacksAKey) {
  for (const char* key : {"v", "lpath", "preload", "benv", "umask", "cwd", "uid", "user", "home", "shell", "t.bash", "t.env", "sh"}) {
    EXPECT_THAT(errorOf(surveyAnswer({{key, "-"}})), HasSubstr(std::string("lacks \"") + key)) << key;
  }
}

TEST(Survey, RefusesFactsThatCannotBe) {
  struct Row {
    const char* key;
    const char* value;
  };
  for (const Row& row : {Row{"uid", "root"}, Row{"uid", ""}, Row{"umask", "0999"}, Row{"umask", "u=rwx"}, Row{"home", "relative"},
                         Row{"home", "/a\nb"}, Row{"home", "/a\x1b[2J"}, Row{"cwd", ""}, Row{"shell", "bash"}, Row{"user", ""},
                         Row{"user", "a b"}, Row{"passwd", "other:x:0:0:root:/root:/bin/bash"}, Row{"passwd", "root:x:0:0"}}) {
    EXPECT_NE(errorOf(surveyAnswer({{row.key, row.value}})), "(accepted)") << row.key << "=" << row.value;
  }
}

TEST(Survey, KeepsNoiseAroundTheFrameApart) {
  const auto account = parseSurvey("Welcome!\n" + surveyAnswer() + "bye\n", testNonce());
  ASSERT_TRUE(account);
  EXPECT_EQ(account->records.at("noise"), "Welcome!\nbye\n");
  EXPECT_EQ(account->hash, accountWith().hash);
}

TEST(Survey, AcceptsARepeatedRecordThatAgrees) {
  std::string twice = surveyAnswer();
  twice.insert(twice.find("uid=0"), std::string("d:/root=0 0 700 directory\0", 26));
  EXPECT_TRUE(parseSurvey(twice, testNonce()));
}

TEST(Snapshot, DropsPathEntriesThatOthersCouldFill) {
  const Account account =
      accountWith({{"lpath", "/opt/a:.::bin:/usr/bin:/home/u/bin:/grp:/oth:/gone:/link=x:/usr/local/bin:/usr/bin/../bin\x80"},
                   {"P:/opt/a", "0 0 1777 directory"},
                   {"P:.", "0 0 755 directory"},
                   {"P:", "0 0 755 directory"},
                   {"P:bin", "0 0 755 directory"},
                   {"P:/home/u/bin", "1000 0 755 directory"},
                   {"P:/grp", "0 50 2775 directory"},
                   {"P:/oth", "drwxr-xr-x 2 0 0 4096 Jan 1 2024 /oth"},
                   {"P:/gone", ""},
                   {"P:/link=x", "0 0 755 directory"}});
  EXPECT_EQ(account.snapshot.at("PATH"), "/usr/bin:/usr/local/bin");
}

TEST(Snapshot, FallsBackToSystemDirectoriesWhenNoEntryIsSafe) {
  EXPECT_EQ(accountWith({{"lpath", ""}}).snapshot.at("PATH"), "/usr/bin:/bin:/usr/sbin:/sbin");
  EXPECT_EQ(accountWith({{"lpath", "/home/u/bin"}}).snapshot.at("PATH"), "/usr/bin:/bin:/usr/sbin:/sbin");
}

TEST(Snapshot, HoldsOnlyWhatTheLineNeeds) {
  const Account account = accountWith({{"llang", "de_DE.UTF-8"}, {"lcall", "$(reboot)"}});
  EXPECT_EQ(account.snapshot, (std::map<std::string, std::string>{{"HOME", "/root"},
                                                                  {"LANG", "de_DE.UTF-8"},
                                                                  {"LOGNAME", "root"},
                                                                  {"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                                                  {"SHELL", "/bin/bash"},
                                                                  {"USER", "root"}}));
}

TEST(StartupTrust, IsRefusedWhereTheAccountCouldChangeWhatRunsFirst) {
  struct Row {
    const char* why;
    std::map<std::string, std::string> changes;
  };
  const Row rows[] = {
      {"LD_PRELOAD", {{"preload", "/tmp/x.so"}}},
      {"BASH_ENV", {{"benv", "/tmp/x"}}},
      {".bashrc of the account", {{"f:/root/.bashrc", "af50 1000 0 644 regular file -> /root/.bashrc"}}},
      {".bashrc group-writable", {{"f:/root/.bashrc", "af50 0 0 664 regular file -> /root/.bashrc"}}},
      {".bashrc a symlink", {{"f:/root/.bashrc", "af50 0 0 644 regular file -> /srv/rc"}}},
      {".bashrc a pipe", {{"f:/root/.bashrc", "- 0 0 644 fifo -> /root/.bashrc"}}},
      {".bashrc dangling", {{"f:/root/.bashrc", "-  -> /srv/gone"}}},
      {"bash.bashrc shown by ls", {{"f:/etc/bash.bashrc", "af4f -rw-r--r-- 1 0 0 1994 Jan 1 2024 /etc/bash.bashrc -> /etc/bash.bashrc"}}},
      {"home of the account, no .bashrc", {{"f:/root/.bashrc", "-"}, {"d:/root", "1000 1000 755 directory"}}},
      {"home writable by all", {{"d:/root", "0 0 1777 directory"}}},
      {"parent writable by its group", {{"d:/", "0 0 775 directory"}}},
      {"home not shown", {{"d:/root", "-"}}},
      {"home behind a symlink", {{"cwd", "/data/root"}}},
      {"zsh with ZDOTDIR", {{"shell", "/bin/zsh"}, {"lxdg", ":/tmp/z"}}},
      {"fish", {{"shell", "/usr/bin/fish"}}},
      {"tcsh", {{"shell", "/bin/tcsh"}}},
      {"sh that is bash", {{"shell", "/bin/sh"}, {"sh", "/usr/bin/bash"}}},
      {"dash with LD_PRELOAD", {{"shell", "/bin/dash"}, {"preload", "/tmp/x.so"}}},
  };
  for (const Row& row : rows) {
    const Account account = accountWith(row.changes);
    EXPECT_FALSE(account.startup_trusted) << row.why;
    EXPECT_FALSE(account.startup_reason.empty()) << row.why;
  }
}

TEST(StartupTrust, HoldsWhereOnlyRootWritesOrNothingIsRead) {
  EXPECT_TRUE(accountWith().startup_trusted);
  EXPECT_TRUE(accountWith({{"f:/root/.bashrc", "-"}, {"f:/etc/bash.bashrc", "-"}}).startup_trusted);
  for (const char* shell : {"/bin/dash", "/bin/sh", "/bin/mksh", "/bin/ksh", "/bin/ash"}) {
    const Account account = accountWith({{"shell", shell},
                                         {"uid", "1000"},
                                         {"d:/root", "1000 1000 755 directory"},
                                         {"f:/root/.bashrc", "x 1000 0 666 regular file -> /root/.bashrc"}});
    EXPECT_TRUE(account.startup_trusted) << shell << ": " << account.startup_reason;
  }
}

TEST(Dialect, IsKnownForBashAndDashAndShThatIsOneOfThem) {
  EXPECT_EQ(dialectOf(accountWith()), Dialect::Bash);
  EXPECT_EQ(dialectOf(accountWith({{"shell", "/usr/bin/dash"}})), Dialect::Dash);
  EXPECT_EQ(dialectOf(accountWith({{"shell", "/bin/sh"}})), Dialect::Dash);
  EXPECT_EQ(dialectOf(accountWith({{"shell", ""}})), Dialect::Dash) << "passwd(5): an empty shell is /bin/sh";
  EXPECT_EQ(dialectOf(accountWith({{"shell", "/bin/sh"}, {"sh", "/usr/bin/bash"}})), Dialect::Sh);
  EXPECT_EQ(dialectOf(accountWith({{"shell", "/bin/sh"}, {"sh", "/bin/busybox"}})), std::nullopt);
  for (const char* shell : {"/bin/zsh", "/usr/bin/fish", "/bin/tcsh", "/bin/ash", "/bin/rbash", "/bin/mksh", "/usr/sbin/nologin"})
    EXPECT_EQ(dialectOf(accountWith({{"shell", shell}})), std::nullopt) << shell;
}

TEST(AccountHash, ChangesWithWhatAutoAllowRestsOnAndWithNothingElse) {
  const std::string hash = accountWith().hash;
  EXPECT_EQ(hash.size(), 64U);
  EXPECT_NE(accountWith({{"f:/root/.bashrc", "beef 0 0 644 regular file -> /root/.bashrc"}}).hash, hash);
  EXPECT_NE(accountWith({{"umask", "0002"}}).hash, hash);
  EXPECT_NE(accountWith({{"P:/bin", "0 0 777 directory"}}).hash, hash);
  EXPECT_EQ(accountWith({{"uname", "Linux 6.2"}}).hash, hash);
  EXPECT_EQ(accountWith({{"f:/root/.ssh/authorized_keys", "beef 0 0 600 regular file -> /root/.ssh/authorized_keys"}}).hash, hash);
}

TEST(LocaleVariable, IsOnlyAPlainLocaleNameUnderAPlainName) {
  for (const auto& [name, value] : std::vector<std::pair<const char*, const char*>>{{"LANGUAGE", "de"},
                                                                                    {"LC_", "C"},
                                                                                    {"LC_all", "C"},
                                                                                    {"LC_A1", "C"},
                                                                                    {"PATH", "C"},
                                                                                    {"LANG", "a b"},
                                                                                    {"LANG", "/tmp/x"},
                                                                                    {"LANG", "C\n"},
                                                                                    {"LANG", "$(x)"}})
    EXPECT_FALSE(isLocaleVariable(name, value)) << name << "=" << value;
  EXPECT_FALSE(isLocaleVariable("LANG", std::string(65, 'a')));
  EXPECT_TRUE(isLocaleVariable("LANG", "de_DE.UTF-8@euro"));
  EXPECT_TRUE(isLocaleVariable("LC_ALL", "C"));
  EXPECT_TRUE(isLocaleVariable("LC_ALL", ""));
}

class RealSurvey : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(RealSurvey, DescribesThisMachinesOwnAccount) {
  ASSERT_EQ(access(GetParam()[0].c_str(), X_OK), 0) << GetParam()[0] << " is not installed: run scripts/setup";
  const passwd* entry = getpwuid(getuid());
  ASSERT_NE(entry, nullptr);
  const std::string home = entry->pw_dir;
  const std::string command = surveyCommand(testNonce());
  EXPECT_LT(command.size(), 7'000U);
  EXPECT_THAT(command, Not(HasSubstr("\n")));
  EXPECT_THAT(command, Not(HasSubstr("!")));
  const auto result = testing::runAsLogin(
      GetParam(), command, {"PATH=/tmp:relative:/usr/bin:/bin", "HOME=" + home, "LANG=C.UTF-8", "SHELL=/bin/bash", "BASH_ENV="}, home);
  EXPECT_EQ(result.err, "");
  ASSERT_EQ(result.status, 0);
  const auto account = parseSurvey(result.out, testNonce());
  ASSERT_TRUE(account) << account.error();
  EXPECT_EQ(account->user, entry->pw_name);
  EXPECT_EQ(account->uid, std::to_string(getuid()));
  EXPECT_EQ(account->home, home);
  EXPECT_EQ(account->shell, entry->pw_shell);
  EXPECT_EQ(account->umask, "0022");
  EXPECT_EQ(account->cwd, home);
  EXPECT_EQ(account->bash, "/bin/bash");
  EXPECT_TRUE(account->env_default_signal);
  EXPECT_EQ(account->snapshot.at("PATH"), "/usr/bin:/bin");
  EXPECT_EQ(account->snapshot.at("LANG"), "C.UTF-8");
  EXPECT_EQ(account->records.at("ppid"), "sshd");
  EXPECT_EQ(account->records.count("noise"), 0U);
}

INSTANTIATE_TEST_SUITE_P(Shells, RealSurvey,
                         ::testing::Values(std::vector<std::string>{"/bin/bash"}, std::vector<std::string>{"/bin/dash"},
                                           std::vector<std::string>{"/bin/busybox", "sh"}),
                         [](const auto& shell) { return shell.param.size() > 1 ? std::string("busybox") : shell.param[0].substr(5); });

}  // namespace
}  // namespace ptygate::policy
