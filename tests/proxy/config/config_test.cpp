// SPDX-License-Identifier: Apache-2.0
// ptygate.toml: what is refused, with line and advice; what defaults are; how targets and identities are resolved.
#include "proxy/config/config.h"

#include <gtest/gtest.h>

#include <string>

namespace ptygate::config {
namespace {

constexpr const char* kKeyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
constexpr const char* kKeyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/";
constexpr const char* kKeyC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEBBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f";

std::string quoted(const char* key) {
  return "[\"" + std::string(key) + "\"]";
}

std::string listen() {
  return "[listen]\nagents = [\"127.0.0.1:2222\"]\npeople = [\"127.0.0.1:2223\"]\n";
}
std::string person(const std::string& more = "") {
  return "[[person]]\nname = \"alice\"\nkeys = " + quoted(kKeyA) + "\nmay = [\"review\", \"operate\"]\n" + more;
}
std::string agent(const std::string& more = "") {
  return "[[agent]]\nname = \"builder\"\nkeys = " + quoted(kKeyB) + "\n" + more;
}
std::string target(const std::string& name = "web1", const std::string& more = "") {
  return "[[target]]\nname = \"" + name + "\"\naddress = \"" + name +
         ".example.net:2200\"\nlogins = [\"deploy\"]\nhost_keys = " + quoted(kKeyC) + "\n" + more;
}
std::string whole() {
  return listen() + person() + agent() + target();
}

std::shared_ptr<const Config> loaded(const std::string& text) {
  auto config = parseConfig(text, "ptygate.toml");
  EXPECT_TRUE(config.has_value()) << (config ? "" : config.error());
  return config ? *config : std::make_shared<const Config>();
}

TEST(Config, RefusesEachMistakeWithItsLineAndAdvice) {
  const struct {
    std::string text;
    const char* expected;
  } rows[] = {
      {"", "ptygate.toml:1: listen: agents = [\"host:port\"] is missing"},
      {"[listen]\nagent = [\"127.0.0.1:1\"]\n", "ptygate.toml:2: unknown key \"agent\"; did you mean \"agents\"?"},
      {listen() + "[gate]\nworker = 1\n", "ptygate.toml:5: unknown key \"worker\"; did you mean \"workers\"?"},
      {listen() + "[gate]\nworkers = 0\n", "ptygate.toml:5: workers: a number from 1 to 64"},
      {listen() + "[gate]\nuser_ca = \"/etc/ca\"\n", "ptygate.toml:5: user_ca: a path below"},
      {listen() + "[gate]\nuser_ca = \"keys/../../ca\"\n", "ptygate.toml:5: user_ca: a path below"},
      {listen() + "[gate]\nlog_level = \"loud\"\n", "ptygate.toml:5: log_level: \"loud\""},
      {listen() + "[limits]\nlogin_grace = \"30\"\n", "ptygate.toml:5: login_grace: \"30\" has no unit"},
      {listen() + "[limits]\ncommand = \"1MiB\"\n", "ptygate.toml:5: command: between"},
      {listen() + "[limits]\nholds = -1\n", "ptygate.toml:5: holds: a number"},
      {listen() + "[limit]\nholds = 1\n", "ptygate.toml:4: unknown key \"limit\"; did you mean \"limits\"?"},
      {"[listen]\nagents = [\"127.0.0.1:2222\"]\npeople = [\"127.0.0.1:2222\"]\n",
       "ptygate.toml:3: people: agents and people need listeners of their own"},
      {"[listen]\nagents = [\"::1:22\"]\n", "ptygate.toml:2: agents: \"::1:22\": \"host:port\""},
      {listen() + "[[person]]\nname = \"al=ice\"\nkeys = []\nmay = []\n", "ptygate.toml:5: name: \"al=ice\" is not a name"},
      {listen() + "[[person]]\nname = \"a@b\"\nmay = []\n", "is not a name"},
      {listen() + "[[person]]\nname = \"a%b\"\nmay = []\n", "is not a name"},
      {listen() + "[[person]]\nname = \"bob\"\nmay = [\"review\"]\n", "ptygate.toml:4: a person needs keys or a unix_user"},
      {listen() + "[[person]]\nname = \"bob\"\nunix_user = \"bob\"\nmay = [\"approve\"]\n",
       "ptygate.toml:7: may: \"approve\": one of review, audit, operate"},
      {listen() + "[[person]]\nname = \"bob\"\nunix_user = \"bob\"\n", "the key may is missing"},
      {listen() + person() + person(), "is the name of another person already"},
      {listen() + "[[agent]]\nname = \"builder\"\n", "the key keys is missing"},
      {listen() + "[[agent]]\nname = \"builder\"\nkeys = []\n", "at least one key is needed"},
      {listen() + "[[agent]]\nname = \"builder\"\nkeys = [\"restrict " + std::string(kKeyB) + "\"]\n", "no options"},
      {listen() + "[[agent]]\nname = \"builder\"\nkeys = [\"ssh-ed25519 AAAA\"]\n", "ptygate.toml:6: keys:"},
      {listen() + agent("owner = \"zoe\"\n"), "owner: \"zoe\" is no [[person]]"},
      {listen() + target() + agent("targets = [\"web2\"]\n"), "targets: \"web2\" is no target; did you mean \"web1\"?"},
      {listen() + agent() + agent(), "is the name of another agent already"},
      {listen() + person() + "[[agent]]\nname = \"alice\"\nkeys = " + quoted(kKeyB) + "\n", "\"alice\" is the name of a person already"},
      {listen() + person() + "[[agent]]\nname = \"builder\"\nkeys = " + quoted(kKeyA) + "\n", "is the person alice's already"},
      {listen() + person("unix_user = \"al\"\n") + agent("unix_user = \"al\"\n"), "unix_user: \"al\" is the person alice's already"},
      {listen() + "[[target]]\nname = \"web1\"\naddress = \"h:22\"\nlogins = [\"d\"]\n", "host_keys is missing: the gate never asks"},
      {listen() + "[[target]]\nname = \"web1\"\naddress = \"h:22\"\nlogins = [\"d\"]\nhost_keys = [\"nonsense\"]\n",
       "ptygate.toml:8: host_keys:"},
      {listen() + "[[target]]\nname = \"web1\"\naddress = \"h:0\"\nlogins = [\"d\"]\nhost_keys = " + quoted(kKeyC) + "\n",
       "ptygate.toml:6: address:"},
      {listen() + "[[target]]\nname = \"web1\"\naddress = \"h\"\nlogins = []\nhost_keys = " + quoted(kKeyC) + "\n", "at least one login"},
      {listen() + "[[target]]\nname = \"web1\"\naddress = \"h\"\nlogins = [\"a=b\"]\nhost_keys = " + quoted(kKeyC) + "\n",
       "\"a=b\" is not a login name"},
      {listen() + target() + target(), "is the name of another target already"},
      {listen() + target("web1", "aliases = [\"x\"]\n") + target("web2", "aliases = [\"x:22\"]\n"),
       "aliases: \"x:22\" names the target \"web1\" already"},
      {listen() + target("web1", "aliases = [\"web2\"]\n") + target("web2"), "names the target \"web1\" already"},
      {listen() + target("web1", "labels = { env = \"a b\" }\n"), "labels: \"env=a b\""},
      {listen() + target("web1", "credential = \"password\"\n"), "credential: \"password\""},
      {listen() + target("web1", "credential = \"identity\"\n"), "needs identity_key"},
      {listen() + target("web1", "identity_key = \"keys/x\"\n"), "goes with credential"},
      {listen() + target("web1", "certificate_validity = \"2d\"\n"), "at most 1h is permitted"},
      {listen() + target("web1", "source_address = \"10.0.0.0/33\"\n"), "source_address:"},
      {listen() + target("web1", "host_key = \"x\"\n"), "unknown key \"host_key\"; did you mean \"host_keys\"?"},
  };
  for (const auto& row : rows) {
    const auto config = parseConfig(row.text, "ptygate.toml");
    ASSERT_FALSE(config.has_value()) << row.expected << "\n" << row.text;
    EXPECT_NE(config.error().find(row.expected), std::string::npos) << config.error() << "\nexpected: " << row.expected;
    EXPECT_TRUE(config.error().starts_with("ptygate.toml:")) << config.error();
  }
}

TEST(Config, HasTheDocumentedDefaults) {
  const auto config = loaded(whole());
  EXPECT_EQ(config->limits.startups_per_source, 10U);
  EXPECT_EQ(config->limits.connections, 1000U);
  EXPECT_EQ(config->limits.worker.login_grace_ms, 30'000U);
  EXPECT_EQ(config->limits.worker.command_bytes, 131'071U);
  EXPECT_EQ(config->targets[0].certificate_validity, std::chrono::minutes(2));
  EXPECT_EQ(config->survey_valid, std::chrono::hours(1));
  EXPECT_GE(config->workers, 1U);
  EXPECT_LE(config->workers, 4U);
  EXPECT_EQ(config->hash.size(), 64U);
}

TEST(Config, TakesEveryLimitByName) {
  const auto config =
      loaded(whole() +
             "[limits]\nlogin_grace = \"5s\"\nauth_attempts = 3\nchannels_per_connection = 7\ncommand = \"1KiB\"\nheld_stdin = \"2KiB\"\n"
             "cast = \"1MiB\"\nkeepalive = \"1m\"\nupstream_idle = \"2m\"\nrekey = \"1MiB\"\nconnect = \"3s\"\nstartups_per_source = 11\n"
             "connections = 12\nconnections_per_agent = 13\nrequests_per_agent = 14\nholds = 15\nholds_per_agent = 16\nheld = \"1MiB\"\n"
             "held_per_agent = \"1MiB\"\nverbs = 17\nverbs_per_identity = 18\nfree_space = \"0B\"\nrepeat_within = \"9s\"\n");
  const Limits& limits = config->limits;
  EXPECT_EQ(limits.worker.login_grace_ms, 5000U);
  EXPECT_EQ(limits.worker.auth_attempts, 3U);
  EXPECT_EQ(limits.worker.channels_per_connection, 7U);
  EXPECT_EQ(limits.worker.command_bytes, 1024U);
  EXPECT_EQ(limits.worker.held_stdin_bytes, 2048U);
  EXPECT_EQ(limits.worker.cast_bytes, 1048576U);
  EXPECT_EQ(limits.worker.rekey_bytes, 1048576U);
  EXPECT_EQ(limits.worker.connect_ms, 3000U);
  EXPECT_EQ(limits.holds_per_agent, 16U);
  EXPECT_EQ(limits.verbs_per_identity, 18U);
  EXPECT_EQ(limits.free_space_bytes, 0U);
  EXPECT_EQ(limits.repeat_within, std::chrono::seconds(9));
}

TEST(Config, ResolvesAgentsTargetsByNameGlobAndLabel) {
  const std::string targets =
      target("web1", "labels = { env = \"prod\" }\n") + target("web2") + target("db1", "labels = { env = \"prod\" }\n");
  const auto entitled = [&](const std::string& line) { return loaded(listen() + targets + agent(line))->agents[0].targets; };
  using Names = std::vector<std::string>;
  EXPECT_EQ(entitled(""), (Names{"web1", "web2", "db1"}));
  EXPECT_EQ(entitled("targets = []\n"), Names{});
  EXPECT_EQ(entitled("targets = [\"web2\"]\n"), Names{"web2"});
  EXPECT_EQ(entitled("targets = [\"web*\"]\n"), (Names{"web1", "web2"}));
  EXPECT_EQ(entitled("targets = [\"env=prod\"]\n"), (Names{"web1", "db1"}));
  EXPECT_EQ(entitled("targets = [\"env=pr*\"]\n"), Names{});
}

TEST(Config, AliasesAreNameAndAddressAndWhatIsListedAndNeverTwoTargets) {
  const std::string shared = "[[target]]\nname = \"a\"\naddress = \"shared:2200\"\nlogins = [\"d\"]\nhost_keys = " + quoted(kKeyC) +
                             "\naliases = [\"w\", \"[::1]:23\"]\n" +
                             "[[target]]\nname = \"b\"\naddress = \"shared:2200\"\nlogins = [\"e\"]\nhost_keys = " + quoted(kKeyC) + "\n";
  const auto both = loaded(listen() + shared);
  std::vector<std::string> aliases;
  for (const Address& alias : both->target("a")->aliases) aliases.push_back(alias.text());
  EXPECT_EQ(aliases, (std::vector<std::string>{"w:22", "[::1]:23", "a:22", "a:2200"}));
}

TEST(Config, WarnsWhenNobodyCanReview) {
  const auto config = loaded(listen() + agent() + target());
  ASSERT_FALSE(config->warnings.empty());
  EXPECT_NE(config->warnings[0].find("nobody may review"), std::string::npos);
}

TEST(Config, AddressesNeedBracketsForIpv6) {
  EXPECT_EQ(parseAddress("[::1]:22", 0)->text(), "[::1]:22");
  EXPECT_EQ(parseAddress("[::1]", 22)->text(), "[::1]:22");
  EXPECT_EQ(parseAddress("h", 22)->text(), "h:22");
  for (const char* bad : {"", ":22", "h:", "h:65536", "h:2x", "h:-1", "::1", "[::1", "[::1]22", "[h]:22", "-h:22", "h h:22", "h:22:23"}) {
    EXPECT_FALSE(parseAddress(bad, 22).has_value()) << bad;
  }
}

TEST(Config, GlobsMatchWholeNames) {
  EXPECT_TRUE(globMatches("*", ""));
  EXPECT_TRUE(globMatches("w?b*1", "web-1"));
  EXPECT_FALSE(globMatches("web", "web1"));
  EXPECT_FALSE(globMatches("?", ""));
  EXPECT_FALSE(globMatches("*a", "ab"));
  EXPECT_TRUE(globMatches("*a*b", "xaxaxb"));
}

}  // namespace
}  // namespace ptygate::config
