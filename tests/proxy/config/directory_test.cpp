// SPDX-License-Identifier: Apache-2.0
// A gate's directory on a real disk: init makes one that passes its own check; loose permissions and foreign files are refused.
#include "proxy/config/directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace ptygate::config {
namespace {

constexpr const char* kKeyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
constexpr const char* kKeyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/";
constexpr const char* kKeyC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEBBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f";

class Directory : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ptygate-config-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
    options_.dir = root_ + "/gate";
    options_.agents = {{"builder", {kKeyB}, "", {}, "alice"}};
    options_.people = {{"alice", {kKeyA}, "", {"review", "audit", "operate"}, ""}};
    options_.targets = {{"web1", "127.0.0.1:22", {"deploy"}, {kKeyC}, {{"env", "test"}}}};
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  [[nodiscard]] mode_t modeOf(const std::string& name) const {
    struct stat info {};
    EXPECT_EQ(::stat((options_.dir + "/" + name).c_str(), &info), 0) << name;
    return info.st_mode & 07777U;
  }
  [[nodiscard]] std::string errorAfterInit() const {
    const auto checked = check(options_.dir);
    return checked ? std::string() : checked.error();
  }
  std::string root_;
  InitOptions options_;
};

TEST_F(Directory, InitRefusesADirectoryWithContent) {
  std::filesystem::create_directory(options_.dir);
  std::ofstream(options_.dir + "/x") << "x";
  const auto made = initDirectory(options_);
  ASSERT_FALSE(made.has_value());
  EXPECT_NE(made.error().find("is not empty"), std::string::npos) << made.error();
}

TEST_F(Directory, InitRefusesOptionsThatServeWouldRefuseBeforeItMakesAnything) {
  options_.agents[0].keys = {kKeyA};  // alice's
  ASSERT_FALSE(initDirectory(options_).has_value());
  EXPECT_FALSE(std::filesystem::exists(options_.dir));
}

TEST_F(Directory, InitMakesADirectoryThatPassesItsOwnCheck) {
  const auto made = initDirectory(options_);
  ASSERT_TRUE(made.has_value()) << made.error();
  EXPECT_TRUE(made->user_ca_line.starts_with("ssh-ed25519 "));
  EXPECT_EQ(errorAfterInit(), "");
  EXPECT_EQ(modeOf("keys/user_ca"), 0600U);
  EXPECT_EQ(modeOf("keys/host_key"), 0600U);
  EXPECT_EQ(modeOf("ptygate.toml"), 0600U);
  for (const char* name : {"keys", "rec", "ledger", "state"}) EXPECT_EQ(modeOf(name), 0700U) << name;
  EXPECT_EQ(modeOf("run"), 0711U);
  const auto snapshot = loadSnapshot(options_.dir);
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->config->targets[0].labels.at("env"), "test");
  EXPECT_FALSE(snapshot->rules->hasLaboratoryAllow());
}

TEST_F(Directory, InitWithoutOptionsWritesExamplesAndTheRulesWaitForAReviewer) {
  options_.agents.clear();
  options_.people.clear();
  options_.targets.clear();
  const auto made = initDirectory(options_);
  ASSERT_TRUE(made.has_value()) << made.error();
  EXPECT_NE(errorAfterInit().find("policy.toml:"), std::string::npos) << errorAfterInit();
  std::ofstream(options_.dir + "/ptygate.toml", std::ios::app)
      << "[[person]]\nname = \"alice\"\nkeys = [\"" << kKeyA << "\"]\nmay = [\"review\"]\n";
  EXPECT_EQ(errorAfterInit(), "");
}

TEST_F(Directory, RefusesAKeyThatOthersMayRead) {
  ASSERT_TRUE(initDirectory(options_).has_value());
  ASSERT_EQ(::chmod((options_.dir + "/keys/user_ca").c_str(), 0640), 0);
  EXPECT_NE(errorAfterInit().find("keys/user_ca"), std::string::npos) << errorAfterInit();
}

TEST_F(Directory, RefusesAConfigurationThatOthersMayWrite) {
  ASSERT_TRUE(initDirectory(options_).has_value());
  for (const char* name : {"/ptygate.toml", "/policy.toml"}) {
    ASSERT_EQ(::chmod((options_.dir + name).c_str(), 0620), 0);
    EXPECT_NE(errorAfterInit().find("group or others may write"), std::string::npos) << errorAfterInit();
    ASSERT_EQ(::chmod((options_.dir + name).c_str(), 0600), 0);
  }
}

TEST_F(Directory, RefusesADirectoryWhereOthersMayReplaceAKey) {
  ASSERT_TRUE(initDirectory(options_).has_value());
  for (const auto& [name, mode] : {std::pair<const char*, mode_t>{"", 0711}, {"/keys", 0700}}) {
    const std::string path = options_.dir + name;
    for (const mode_t loose : {mode_t{0020}, mode_t{0002}}) {
      ASSERT_EQ(::chmod(path.c_str(), mode | loose), 0);
      EXPECT_NE(errorAfterInit().find(path + ": group or others may write"), std::string::npos) << errorAfterInit();
    }
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
  }
  EXPECT_TRUE(check(options_.dir).has_value());
}

TEST_F(Directory, RefusesASymbolicLinkForAConfiguration) {
  ASSERT_TRUE(initDirectory(options_).has_value());
  std::filesystem::rename(options_.dir + "/policy.toml", root_ + "/policy.toml");
  std::filesystem::create_symlink(root_ + "/policy.toml", options_.dir + "/policy.toml");
  EXPECT_NE(errorAfterInit().find("symbolic link"), std::string::npos) << errorAfterInit();
}

TEST_F(Directory, RefusesOneKeyAsHostKeyAndAuthority) {
  ASSERT_TRUE(initDirectory(options_).has_value());
  std::filesystem::copy_file(options_.dir + "/keys/user_ca", options_.dir + "/keys/host_key",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_NE(errorAfterInit().find("are one key"), std::string::npos) << errorAfterInit();
}

TEST_F(Directory, SaysWhichFileIsMissingAndHowToMakeOne) {
  const std::string error = errorAfterInit();
  EXPECT_NE(error.find("ptygate.toml"), std::string::npos) << error;
  EXPECT_NE(error.find("ptygate init"), std::string::npos) << error;
}

}  // namespace
}  // namespace ptygate::config
