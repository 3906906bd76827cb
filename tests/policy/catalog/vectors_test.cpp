// SPDX-License-Identifier: Apache-2.0
// tests/vectors/policy/commands.jsonl: what a real bash or dash ran for each line. A line is opaque, or it decomposes as the file says,
// every command that really ran is among the decomposed ones, and its effects hold what the file says (unknown stands for any effect).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "policy/classify.h"

namespace ptygate::policy {
namespace {

using nlohmann::json;

/// Does `got` (with runtime words) describe the concrete or expected argv?
bool covers(const std::vector<Word>& got, std::size_t at, const std::vector<std::string>& argv, std::size_t from) {
  if (at == got.size()) return from == argv.size();
  const Word& word = got[at];
  if (word.kind == Word::Kind::RuntimeMany) {
    for (std::size_t next = from; next <= argv.size(); ++next) {
      if (covers(got, at + 1, argv, next)) return true;
    }
    return false;
  }
  if (from >= argv.size()) return false;
  if (word.kind == Word::Kind::Literal && word.text != argv[from]) return false;
  return covers(got, at + 1, argv, from + 1);
}

struct Vector {
  std::string id, line, shell;
  bool must_be_opaque = false;
  std::vector<std::vector<std::string>> commands, ran;
  EffectSet effects;
};

std::vector<Vector> vectors() {
  std::vector<Vector> result;
  std::ifstream file(std::string(PTYGATE_TESTS_DIR) + "/vectors/policy/commands.jsonl");
  std::string text;
  while (std::getline(file, text)) {
    const json entry = json::parse(text, nullptr, false);
    if (entry.is_discarded()) continue;
    Vector vector{entry["id"], entry["line"], entry["shell"], false, {}, {}, {}};
    if (entry["must_decompose_to"].is_string())
      vector.must_be_opaque = true;
    else
      vector.commands = entry["must_decompose_to"].get<std::vector<std::vector<std::string>>>();
    if (entry["bash_ran"].is_array()) vector.ran = entry["bash_ran"].get<std::vector<std::vector<std::string>>>();
    for (const std::string& name : entry["effects"].get<std::vector<std::string>>()) {
      if (const auto effect = effectNamed(name)) vector.effects.add(*effect);
    }
    result.push_back(std::move(vector));
  }
  return result;
}

/// An expected argv, where {one} and {many} may stand for words, against a decomposed one.
bool equal(const std::vector<Word>& got, const std::vector<std::string>& wanted) {
  if (covers(got, 0, wanted, 0)) {
    // A runtime word of ours may not hide a literal that the file names.
    std::size_t literals = 0, found = 0;
    for (const std::string& word : wanted) literals += word != "{one}" && word != "{many}";
    for (const Word& word : got) found += word.kind == Word::Kind::Literal;
    return literals == found;
  }
  return false;
}

TEST(Vectors, AreOpaqueOrDecomposeAsARealShellRanThem) {
  const auto all = vectors();
  ASSERT_EQ(all.size(), 377U);
  int decomposed = 0;
  for (const Vector& vector : all) {
    SCOPED_TRACE(vector.id + ": " + vector.line);
    const Dialect dialect = vector.shell == "dash" ? Dialect::Dash : Dialect::Bash;
    const Classification found = classify(Catalog::builtin(), vector.line, dialect, "/srv/app");
    if (!found.opaque.empty()) {
      EXPECT_TRUE(found.commands.empty());
      EXPECT_TRUE(found.canonical.empty());
      continue;
    }
    ++decomposed;
    EXPECT_FALSE(vector.must_be_opaque);
    for (const auto& wanted : vector.commands) {
      EXPECT_TRUE(std::any_of(found.commands.begin(), found.commands.end(),
                              [&](const ClassifiedCommand& each) { return equal(each.command.argv, wanted); }))
          << "not decomposed: " << json(wanted).dump();
    }
    for (const auto& ran : vector.ran) {
      EXPECT_TRUE(std::any_of(found.commands.begin(), found.commands.end(),
                              [&](const ClassifiedCommand& each) { return covers(each.command.argv, 0, ran, 0); }))
          << "ran but not decomposed: " << json(ran).dump();
    }
  }
  RecordProperty("decomposed", decomposed);
  EXPECT_GT(decomposed, 150);
}

TEST(Vectors, AreNeverUnderClassified) {
  for (const Vector& vector : vectors()) {
    const Dialect dialect = vector.shell == "dash" ? Dialect::Dash : Dialect::Bash;
    const Classification found = classify(Catalog::builtin(), vector.line, dialect, "/srv/app");
    if (found.effects.has(Effect::Unknown)) continue;
    EffectSet wanted = vector.effects;
    // The file gives `read` to every command that does nothing else; echo reads nothing.
    EffectSet allowed = found.effects;
    allowed.add(Effect::Read);
    std::string names;
    for (std::string_view name : namesOf(found.effects)) names += " " + std::string(name);
    EXPECT_TRUE(wanted.within(allowed)) << vector.id << ": " << vector.line << ":" << names;
  }
}

}  // namespace
}  // namespace ptygate::policy
