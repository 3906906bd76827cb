// SPDX-License-Identifier: Apache-2.0
// Verbs that work on a gate's directory without a running gate: init, certs, targets set-up, policy check and explain.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "program.h"

namespace ptygate::verbs::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

class Directory : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"agent", "person", "target", "second"}) makeKey(name);
  }
  void makeKey(const std::string& name) {
    ASSERT_EQ(runOther({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", temp_.at(name)}).status, 0);
  }
  std::vector<std::string> initArgs(const std::string& dir) const {
    return {"init",        temp_.at(dir), "--agent",  "bot=" + temp_.at("agent.pub"),  "--person",   "alice=" + temp_.at("person.pub"),
            "--unix-user", "root",        "--target", "web1=deploy@127.0.0.1:22,root", "--host-key", temp_.at("target.pub"),
            "--label",     "env=prod"};
  }
  std::string made(std::vector<std::string> more = {}) {
    auto args = initArgs("gate");
    args.insert(args.end(), more.begin(), more.end());
    const Ran ran = run(args);
    EXPECT_EQ(ran.status, 0) << ran.err;
    init_output_ = ran.out;
    return temp_.at("gate");
  }
  TempDir temp_;
  std::string init_output_;
};

TEST_F(Directory, InitRefusesWhatItCannotUse) {
  struct Row {
    const char* edge;
    std::vector<std::string> args;
    const char* says;
  };
  const std::string pub = temp_.at("agent.pub");
  const std::vector<Row> table = {
      {"a private key", {"--agent", "bot=" + temp_.at("agent")}, "private key"},
      {"no such key file", {"--agent", "bot=/nonexistent/key.pub"}, "/nonexistent/key.pub"},
      {"no name", {"--person", "=" + pub}, "NAME=KEYFILE"},
      {"a key file that is none", {"--person", "alice=/etc/hostname"}, "not a public key line"},
      {"a target without its host key", {"--target", "web1=deploy@h:22"}, "needs --host-key"},
      {"a host key without a target", {"--host-key", pub}, "without --target"},
      {"two targets, one host key", {"--target", "a=x@h:1", "--target", "b=x@h:2", "--host-key", pub}, "2 targets need as many"},
      {"a target without login", {"--target", "web1=h:22", "--host-key", pub}, "NAME=LOGIN@HOST:PORT"},
      {"a target with a bad port", {"--target", "web1=a@h:99999", "--host-key", pub}, "HOST:PORT"},
      {"an empty further login", {"--target", "web1=a@h:22,", "--host-key", pub}, "empty login"},
      {"a label without value", {"--target", "web1=a@h:22", "--host-key", pub, "--label", "env"}, "KEY=VALUE"},
      {"a local user without a person", {"--unix-user", "root"}, "--person"},
      {"trust without a target", {"--trust-account-rc"}, "--target"},
  };
  for (const auto& row : table) {
    std::vector<std::string> args = {"init", temp_.at("refused")};
    args.insert(args.end(), row.args.begin(), row.args.end());
    const Ran ran = run(args);
    EXPECT_EQ(ran.status, 2) << row.edge << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(row.says)) << row.edge;
    EXPECT_FALSE(std::filesystem::exists(temp_.at("refused"))) << row.edge << ": something was made";
  }
}

TEST_F(Directory, InitRefusesADirectoryWithContent) {
  made();
  const std::string before = readFile(temp_.at("gate/keys/user_ca.pub"));
  EXPECT_EQ(run(initArgs("gate")).status, 1);
  EXPECT_EQ(readFile(temp_.at("gate/keys/user_ca.pub")), before);
}

TEST_F(Directory, InitMakesWhatServeAccepts) {
  const std::string dir = made();
  const Ran check = run({"policy", "check", "--dir", dir});
  EXPECT_EQ(check.status, 0) << check.err;
  struct stat info {};
  ASSERT_EQ(::stat((dir + "/keys/user_ca").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  const Ran fingerprint = runOther({"ssh-keygen", "-l", "-f", temp_.at("target.pub")});
  EXPECT_THAT(init_output_, HasSubstr(fingerprint.out.substr(4, 50))) << "the target's fingerprint is shown for comparison";
}

TEST_F(Directory, InitTrustsStartUpFilesOnlyWhenAsked) {
  EXPECT_THAT(readFile(made() + "/ptygate.toml"), Not(HasSubstr("trust_account_rc = true")));
  auto args = initArgs("trusting");
  args.push_back("--trust-account-rc");
  ASSERT_EQ(run(args).status, 0);
  EXPECT_THAT(readFile(temp_.at("trusting/ptygate.toml")), HasSubstr("\ntrust_account_rc = true"));
  EXPECT_EQ(run({"policy", "check", "--dir", temp_.at("trusting")}).status, 0);
}

TEST_F(Directory, CertsShowGivesWhatSshKeygenGives) {
  const std::string dir = made();
  const Ran ran = run({"certs", "show", "--dir", dir, "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json first = Json::parse(ran.out.substr(0, ran.out.find('\n')), nullptr, false);
  ASSERT_TRUE(first.is_object());
  EXPECT_EQ(first["name"], "user_ca");
  const Ran theirs = runOther({"ssh-keygen", "-l", "-f", dir + "/keys/user_ca"});
  EXPECT_THAT(theirs.out, HasSubstr(first["fingerprint"].get<std::string>()));
}

TEST_F(Directory, CertsInspectReadsACertificateFromFileAndFromStandardInput) {
  ASSERT_EQ(runOther({"ssh-keygen", "-q", "-s", temp_.at("person"), "-I", "id\x1b[31m", "-n", "deploy", "-V", "+5m", temp_.at("agent.pub")})
                .status,
            0);
  const std::string file = temp_.at("agent-cert.pub");
  const Ran from_file = run({"certs", "inspect", file});
  EXPECT_EQ(from_file.status, 0) << from_file.err;
  EXPECT_THAT(from_file.out, HasSubstr("deploy"));
  EXPECT_THAT(from_file.out, Not(HasSubstr("\x1b"))) << "a key id reached the terminal unescaped";
  const Ran from_input = run({"certs", "inspect", "-", "--json"}, readFile(file));
  EXPECT_EQ(from_input.status, 0) << from_input.err;
  const Json object = Json::parse(from_input.out, nullptr, false);
  EXPECT_EQ(object["principals"], Json::parse(R"(["deploy"])"));
  EXPECT_EQ(object["signature_checked"], false);
}

TEST_F(Directory, SetUpRefusesAnUnknownTargetAndNamesTheKnownOnes) {
  const Ran ran = run({"targets", "set-up", "web9", "--dir", made()});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("it has: web1"));
}

// The lines between the marker and EOF.
std::string hereDocument(const std::string& text, const std::string& file) {
  const std::string start = "cat > " + file + " <<'EOF'\n";
  const std::size_t at = text.find(start);
  if (at == std::string::npos) return "";
  return text.substr(at + start.size(), text.find("EOF\n", at + start.size()) - at - start.size());
}

TEST_F(Directory, SetUpPrintsWhatARealSshdAccepts) {
  const std::string dir = made();
  const Ran ran = run({"targets", "set-up", "web1", "--dir", dir});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const std::string key = hereDocument(ran.out, "/etc/ssh/ptygate_user_ca.pub");
  EXPECT_EQ(key.substr(0, 70), readFile(dir + "/keys/user_ca.pub").substr(0, 70));
  std::string snippet = hereDocument(ran.out, "/etc/ssh/sshd_config.d/50-ptygate.conf");
  ASSERT_THAT(snippet, HasSubstr("TrustedUserCAKeys"));
  writeFile(temp_.at("sshd_config"), "HostKey " + temp_.at("target") + "\n" + snippet);
  const Ran sshd = runOther({"/usr/sbin/sshd", "-T", "-f", temp_.at("sshd_config"), "-C", "user=deploy,host=gate,addr=127.0.0.1"});
  ASSERT_EQ(sshd.status, 0) << sshd.err;
  EXPECT_THAT(sshd.out, HasSubstr("trustedusercakeys /etc/ssh/ptygate_user_ca.pub"));
  EXPECT_THAT(sshd.out, HasSubstr("permituserrc no"));
  const Ran other = runOther({"/usr/sbin/sshd", "-T", "-f", temp_.at("sshd_config"), "-C", "user=carol,host=gate,addr=127.0.0.1"});
  EXPECT_THAT(other.out, HasSubstr("permituserrc yes")) << "other people's logins stay as they are";
  EXPECT_THAT(ran.out, HasSubstr("# Undo"));
}

TEST_F(Directory, SetUpPrintsARestrictedLineForIdentityTargets) {
  const std::string dir = made();
  ASSERT_EQ(runOther({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir + "/keys/web1"}).status, 0);
  std::string config = readFile(dir + "/ptygate.toml");
  const std::string anchor = "\nname = \"web1\"\n";
  config.insert(config.find(anchor) + anchor.size(), "credential = \"identity\"\nidentity_key = \"keys/web1\"\n");
  writeFile(dir + "/ptygate.toml", config);
  const Ran ran = run({"targets", "set-up", "web1", "--dir", dir});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\nrestrict,pty ssh-ed25519 AAAA"));
  EXPECT_THAT(ran.out, Not(HasSubstr("TrustedUserCAKeys")));
  EXPECT_THAT(run({"targets", "set-up", "web1", "--ansible", "--dir", dir}).out, HasSubstr("key_options: 'restrict,pty'"));
}

TEST_F(Directory, PolicyCheckNamesFileLineAndNearestKey) {
  const std::string dir = made();
  writeFile(temp_.at("bad.toml"), "[[rule]]\nname = \"x\"\neffects = [\"read\"]\nverdict = \"allow\"\nadvise = \"x\"\n");
  const Ran ran = run({"policy", "check", temp_.at("bad.toml"), "--dir", dir});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("bad.toml:5"));
  EXPECT_THAT(ran.err, HasSubstr("advice"));
}

TEST_F(Directory, PolicyCheckRefusesLooseKeyPermissions) {
  const std::string dir = made();
  ASSERT_EQ(::chmod((dir + "/keys/user_ca").c_str(), 0644), 0);
  const Ran ran = run({"policy", "check", "--dir", dir});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("user_ca"));
}

TEST_F(Directory, PolicyCheckLoadsNoPrivateKeyOverSsh) {
  const std::string dir = made();
  ASSERT_EQ(::unlink((dir + "/keys/user_ca").c_str()), 0);
  Invocation what;
  what.args = {"policy", "check"};
  what.env = {{"PTYGATE_DIR", dir}};
  what.gate = [](const control::Request& request) -> std::vector<control::ServerLine> {
    return {control::ItemLine{request.id, control::WhoAmI{"person", "alice", {"operate"}, {}}}, control::Reply{request.id, 0, ""}};
  };
  const Ran ran = run(what);
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(run({"policy", "check", "--dir", dir}).status, 1);
}

TEST_F(Directory, PolicyExplainRefusesWhoIsUnknown) {
  const std::string dir = made();
  for (const auto& [agent, target, login] :
       {std::tuple("nobody", "web1", "deploy"), {"bot", "web9", "deploy"}, {"bot", "web1", "nobody"}}) {
    const Ran ran = run({"policy", "explain", "ls", "--agent", agent, "--target", target, "--login", login, "--dir", dir});
    EXPECT_EQ(ran.status, 1);
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(Directory, PolicyExplainAllowsAReadOnlyUnderAnAssumedAccount) {
  const std::string dir = made();
  const std::vector<std::string> base = {"policy", "explain", "git log", "--agent", "bot", "--target", "web1", "--dir", dir, "--json"};
  const Json unknown = Json::parse(run(base).out, nullptr, false);
  EXPECT_EQ(unknown["verdict"], "hold") << unknown;
  EXPECT_EQ(unknown["account_known"], false);
  auto assumed = base;
  assumed.insert(assumed.end(), {"--assume-shell", "bash"});
  const Json known = Json::parse(run(assumed).out, nullptr, false);
  EXPECT_EQ(known["verdict"], "allow") << known;
  EXPECT_THAT(known["account"].get<std::string>(), HasSubstr("assumed"));
}

TEST_F(Directory, PolicyExplainShowsForeignBytesEscaped) {
  const std::string dir = made();
  const Ran ran = run({"policy", "explain", "echo \x1b]52;c;x\x07 \xe2\x80\xae", "--agent", "bot", "--target", "web1", "--dir", dir});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(ran.out, Not(HasSubstr("\xe2\x80\xae")));
}

}  // namespace
}  // namespace ptygate::verbs::test
