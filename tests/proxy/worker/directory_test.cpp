// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker/directory.h"

#include <gtest/gtest.h>

namespace ptygate::worker {
namespace {

TEST(Login, RefusesTwoSeparatorsAndEmptyHalves) {
  for (const char* user : {"a=b=c", "a=b@c", "a@b%c", "=web1", "deploy=", "=", "a==b"}) {
    EXPECT_FALSE(splitLogin(user)) << user;
    EXPECT_TRUE(hasSeparator(user)) << user;
  }
}

TEST(Login, TakesEachSeparatorOnce) {
  for (const char* user : {"deploy=web1", "deploy@web1", "deploy%web1"}) EXPECT_EQ(splitLogin(user), (Route{"deploy", "web1"})) << user;
}

TEST(Login, WithoutASeparatorIsNoRoute) {
  EXPECT_FALSE(splitLogin("deploy"));
  EXPECT_FALSE(hasSeparator("deploy"));
}

base::Configure sample() {
  base::Configure configure;
  configure.identities = {{"bot", "KEY1", {"web1"}}, {"bot", "KEY2", {"web1"}}, {"other", "KEY3", {}}};
  configure.targets = {{"web1", {"web1.example.net:22", "10.0.0.5:2200"}, {"deploy"}, {"HK"}}, {"db1", {}, {"deploy"}, {"HK"}}};
  return configure;
}

TEST(Directory, EntitlesOnlyListedTargetsAndLogins) {
  Directory directory(sample());
  EXPECT_FALSE(directory.entitled("bot", "db1", "deploy"));
  EXPECT_FALSE(directory.entitled("bot", "web1", "root"));
  EXPECT_FALSE(directory.entitled("bot", "web2", "deploy"));
  EXPECT_FALSE(directory.entitled("other", "web1", "deploy"));
  EXPECT_FALSE(directory.entitled("", "web1", "deploy"));
  EXPECT_TRUE(directory.entitled("bot", "web1", "deploy"));
}

TEST(Directory, ComparesJumpAddressesWhole) {
  Directory directory(sample());
  EXPECT_EQ(directory.targetByAddress("web1", 2200), nullptr);
  EXPECT_EQ(directory.targetByAddress("web1.example.net", 2222), nullptr);
  EXPECT_EQ(directory.targetByAddress("WEB1", 22), nullptr);
  EXPECT_EQ(directory.targetByAddress("web1.", 22), nullptr);
  EXPECT_EQ(directory.targetByAddress("10.0.0.5", 22), nullptr);
  ASSERT_NE(directory.targetByAddress("web1", 22), nullptr);
  ASSERT_NE(directory.targetByAddress("10.0.0.5", 2200), nullptr);
  EXPECT_EQ(directory.targetByAddress("10.0.0.5", 2200)->name, "web1");
}

TEST(Directory, KnowsKeysByTheirWholeBlob) {
  Directory directory(sample());
  EXPECT_EQ(directory.identityOf("KEY"), nullptr);
  EXPECT_EQ(directory.identityOf(""), nullptr);
  ASSERT_NE(directory.identityOf("KEY2"), nullptr);
  EXPECT_EQ(directory.identityOf("KEY2")->name, "bot");
}

}  // namespace
}  // namespace ptygate::worker
