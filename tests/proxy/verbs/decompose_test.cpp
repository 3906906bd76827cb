// SPDX-License-Identifier: Apache-2.0
// `policy decompose`: one JSON object for each line, in the documented shape, for all lines that are known to be hard.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "program.h"

namespace ptygate::verbs::test {
namespace {

using Json = nlohmann::json;

std::vector<Json> linesOf(const std::string& text) {
  std::vector<Json> objects;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    Json object = Json::parse(line, nullptr, false);
    EXPECT_FALSE(object.is_discarded()) << line;
    objects.push_back(std::move(object));
  }
  return objects;
}

std::vector<Json> decompose(const std::string& input, const std::string& shell = "bash") {
  const Ran ran = run({"policy", "decompose", "--shell", shell, "--json"}, input);
  EXPECT_EQ(ran.status, 0) << ran.err;
  return linesOf(ran.out);
}

std::string nul(const std::string& line) {
  return line + std::string(1, '\0');
}

bool isWord(const Json& word) {
  if (word.is_string()) return true;
  return word.is_object() && word.size() == 1 && word.contains("runtime") && (word["runtime"] == "one" || word["runtime"] == "many");
}

std::set<std::string> keysOf(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

void expectCommandShape(const Json& command) {
  EXPECT_EQ(keysOf(command), (std::set<std::string>{"argv", "assignments", "redirections", "via", "effects"}));
  for (const auto& word : command["argv"]) EXPECT_TRUE(isWord(word)) << command;
  for (const auto& assignment : command["assignments"]) {
    ASSERT_EQ(assignment.size(), 2u);
    EXPECT_TRUE(assignment[0].is_string());
    EXPECT_TRUE(isWord(assignment[1]));
  }
  for (const auto& redirection : command["redirections"]) {
    EXPECT_EQ(keysOf(redirection), (std::set<std::string>{"fd", "op", "target"}));
    EXPECT_TRUE(redirection["fd"].is_number_unsigned()) << redirection;
    EXPECT_TRUE(isWord(redirection["target"]));
  }
  static const std::set<std::string> kVias = {"top", "pipe", "and-or", "subshell", "substitution", "loop", "branch"};
  const std::string via = command["via"];
  EXPECT_TRUE(kVias.contains(via) || (via.starts_with("wrapper:") && via.size() > 8)) << via;
  static const std::set<std::string> kEffects = {"read",      "secret",  "write", "destructive", "exec",        "network",
                                                 "privilege", "persist", "env",   "cwd",         "interactive", "unknown"};
  for (const auto& effect : command["effects"]) EXPECT_TRUE(kEffects.contains(effect)) << effect;
}

void expectShape(const Json& object) {
  EXPECT_EQ(keysOf(object), (std::set<std::string>{"opaque", "commands", "canonical"}));
  if (object["opaque"].is_null()) {
    EXPECT_TRUE(object["canonical"].is_string());
    for (const auto& command : object["commands"]) expectCommandShape(command);
  } else {
    EXPECT_FALSE(object["opaque"].get<std::string>().empty());
    EXPECT_TRUE(object["commands"].empty());
    EXPECT_TRUE(object["canonical"].is_null());
  }
}

TEST(Decompose, PrintsNothingForNoInput) {
  EXPECT_TRUE(decompose("").empty());
}

TEST(Decompose, CallsHostileBytesOpaqueAndPrintsValidJson) {
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
  const auto objects = decompose(nul("echo \xff\xfe") + nul(all) + nul("echo \"\xed\xa0\x80\"") + nul(std::string(3'000'000, 'a')));
  ASSERT_EQ(objects.size(), 4u);
  for (const auto& object : objects) {
    expectShape(object);
    EXPECT_FALSE(object["opaque"].is_null());
  }
}

TEST(Decompose, GivesOneObjectForEachTerminatedLine) {
  EXPECT_EQ(decompose(nul("")).size(), 1u);
  EXPECT_EQ(decompose(nul("") + nul("")).size(), 2u);
  EXPECT_EQ(decompose(nul("git log") + nul("a\nb")).size(), 2u);
  EXPECT_EQ(decompose("git log").size(), 1u) << "a last line without its NUL counts";
}

TEST(Decompose, AgreesWithItselfLineByLineAndAllAtOnce) {
  const std::vector<std::string> lines = {"git log | head -5", "rm -rf /", "x=1 ls $y", "echo \"a b\" > f"};
  std::string all;
  for (const auto& line : lines) all += nul(line);
  const auto together = decompose(all);
  ASSERT_EQ(together.size(), lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(decompose(nul(lines[i])), std::vector<Json>{together[i]});
}

TEST(Decompose, HasTheShapeOfTheExample) {
  const auto objects = decompose(nul("a=1 git log $x 2> x | wc -l"));
  ASSERT_EQ(objects.size(), 1u);
  expectShape(objects[0]);
  ASSERT_TRUE(objects[0]["opaque"].is_null()) << objects[0];
  const Json& first = objects[0]["commands"][0];
  EXPECT_EQ(first["argv"], Json::parse(R"(["git","log",{"runtime":"many"}])"));
  EXPECT_EQ(first["assignments"], Json::parse(R"([["a","1"]])"));
  EXPECT_EQ(first["redirections"], Json::parse(R"([{"fd":2,"op":">","target":"x"}])"));
  EXPECT_EQ(objects[0]["commands"][1]["via"], "pipe");
}

TEST(Decompose, KeepsItsShapeOnEveryKnownCase) {
  std::ifstream file(std::string(PTYGATE_TESTS_DIR) + "/vectors/policy/commands.jsonl");
  ASSERT_TRUE(file);
  std::map<std::string, std::string> input;
  std::map<std::string, std::size_t> count;
  for (std::string line; std::getline(file, line);) {
    const Json entry = Json::parse(line, nullptr, false);
    ASSERT_FALSE(entry.is_discarded());
    input[entry["shell"]] += nul(entry["line"].get<std::string>());
    ++count[entry["shell"]];
  }
  ASSERT_GE(count["bash"], 300u);
  std::size_t transparent = 0;
  for (const auto& [shell, text] : input) {
    const auto objects = decompose(text, shell);
    EXPECT_EQ(objects.size(), count[shell]) << shell;
    for (const auto& object : objects) {
      expectShape(object);
      transparent += object["opaque"].is_null();
    }
  }
  EXPECT_GE(transparent, 100u) << "almost everything is opaque: the parser is not at work";
}

}  // namespace
}  // namespace ptygate::verbs::test
