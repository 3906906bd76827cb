// SPDX-License-Identifier: Apache-2.0
#include "policy/strict_toml.h"

#include <gtest/gtest.h>

namespace ptygate::policy {
namespace {

TEST(StrictToml, NamesTheLineOfASyntaxError) {
  const auto document = TomlDocument::parse("a = 1\nb = \n", "x.toml");
  ASSERT_FALSE(document.has_value());
  EXPECT_TRUE(document.error().starts_with("x.toml:2: ")) << document.error();
}

TEST(StrictToml, NamesAnUnknownKeyAndTheNearestKnownOne) {
  auto document = TomlDocument::parse("name = \"x\"\n\nexpiers = \"5m\"\n", "x.toml");
  ASSERT_TRUE(document.has_value());
  const TomlTable root = document->root();
  EXPECT_EQ(root.requiredString("name"), "x");
  (void)root.string("expires");
  root.finish();
  EXPECT_EQ(document->error(), "x.toml:3: unknown key \"expiers\"; did you mean \"expires\"?");
}

TEST(StrictToml, RefusesAnotherTypeAndAMissingKey) {
  auto document = TomlDocument::parse("a = 1\n", "x.toml");
  ASSERT_TRUE(document.has_value());
  EXPECT_FALSE(document->root().string("a").has_value());
  EXPECT_EQ(document->error(), "x.toml:1: a: a string is needed, this is an integer");
  auto other = TomlDocument::parse("[t]\n", "x.toml");
  (void)other->root().table("t")->requiredStrings("names");
  EXPECT_NE(other->error().find("the key names is missing"), std::string::npos) << other->error();
}

TEST(StrictToml, KeepsTheFirstError) {
  auto document = TomlDocument::parse("a = 1\nb = 2\n", "x.toml");
  document->root().refuse("b", "first");
  document->root().refuse("a", "second");
  EXPECT_EQ(document->error(), "x.toml:2: b: first");
  EXPECT_FALSE(document->root().ok());
}

TEST(StrictToml, ReadsTablesAndArraysOfTables) {
  auto document = TomlDocument::parse("[[rule]]\nname = \"a\"\n[[rule]]\nname = \"b\"\nlabels = { env = \"prod\" }\n", "x.toml");
  const auto rules = document->root().tables("rule");
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[1].requiredString("name"), "b");
  EXPECT_EQ(rules[1].stringMap("labels").at("env"), "prod");
  for (const auto& rule : rules) {
    (void)rule.stringMap("labels");
    (void)rule.requiredString("name");
    rule.finish();
  }
  document->root().finish();
  EXPECT_TRUE(document->error().empty()) << document->error();
}

TEST(StrictToml, RefusesOversizedText) {
  EXPECT_FALSE(TomlDocument::parse(std::string(kMaxTomlBytes + 1, '#'), "x").has_value());
}

}  // namespace
}  // namespace ptygate::policy
