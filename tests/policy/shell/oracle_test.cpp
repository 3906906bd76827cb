// SPDX-License-Identifier: Apache-2.0
// The parser against real shells. The hand-made lines are the project's vectors; the generated ones are new with every seed:
// PTYGATE_ORACLE_SEED and PTYGATE_ORACLE_LINES (accepted lines per dialect) make longer runs.
#include "oracle.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "generator.h"

namespace ptygate::policy::oracle {
namespace {

struct Vector {
  std::string line;
  std::string shell;  ///< empty: any
};

std::vector<Vector> readVectors(const std::string& name) {
  std::vector<Vector> vectors;
  std::ifstream in(std::string(PTYGATE_TESTS_DIR) + "/vectors/policy/" + name);
  for (std::string row; std::getline(in, row);) {
    nlohmann::json json = nlohmann::json::parse(row, nullptr, false);
    if (json.is_object()) vectors.push_back({json["line"], json.value("shell", "")});
  }
  return vectors;
}

std::vector<std::string> allLines() {
  std::vector<std::string> lines;
  for (const char* file : {"commands.jsonl", "misparses.jsonl"}) {
    for (const Vector& vector : readVectors(file)) lines.push_back(vector.line);
  }
  return lines;
}

/// Names that the lines or any accepted reading of them can start.
std::set<std::string> stubsFor(const std::vector<std::string>& lines) {
  std::set<std::string> names = possibleNames(lines);
  for (const std::string& line : lines) {
    ParseResult parsed = parseLine(line, Dialect::Bash);
    if (!parsed.line) continue;
    for (const SimpleCommand& command : parsed.line->commands()) {
      if (!command.argv.empty() && command.argv[0].text.find('/') == std::string::npos) names.insert(command.argv[0].text);
    }
  }
  names.erase("");
  return names;
}

std::uint64_t setting(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

struct Pairing {
  Dialect dialect;
  const char* shell;
};
constexpr Pairing kPairings[] = {{Dialect::Bash, "bash"}, {Dialect::Dash, "dash"}, {Dialect::Sh, "bash"}, {Dialect::Sh, "dash"}};

void judgeVectors(const std::string& file, std::size_t at_least) {
  std::vector<Vector> vectors = readVectors(file);
  ASSERT_GE(vectors.size(), at_least) << file;
  Sandbox sandbox(stubsFor(allLines()));
  for (const Pairing& run : kPairings) {
    std::size_t accepted = 0;
    for (const Vector& vector : vectors) {
      Judgement judgement = judge(sandbox, vector.line, run.dialect, run.shell);
      accepted += judgement.accepted ? 1 : 0;
      EXPECT_EQ(judgement.fault, "");
    }
    std::cout << file << ": dialect " << static_cast<int>(run.dialect) << " in " << run.shell << ": " << accepted << " of "
              << vectors.size() << " accepted\n";
  }
}

TEST(Oracle, SeesWhatALineRuns) {
  Sandbox sandbox({"cmd1", "cmd2"});
  Outcome outcome = sandbox.run("bash", "x='1 2' cmd1 \"$(cmd2 a)\" >out; echo hidden");
  ASSERT_EQ(outcome.started.size(), 2U) << outcome.errors;
  EXPECT_EQ(outcome.started[0].argv, (std::vector<std::string>{"cmd1", "o1 *.txt"}));
  EXPECT_EQ(outcome.started[0].environment, (std::vector<std::string>{"x=1 2"}));
  EXPECT_EQ(outcome.started[1].argv, (std::vector<std::string>{"cmd2", "a"}));
  EXPECT_EQ(outcome.written, (std::set<std::string>{"out"}));
}

TEST(Oracle, KeepsLinesAwayFromTheMachine) {
  Sandbox sandbox({"cmd1"});
  Outcome outcome = sandbox.run(
      "bash", "kill -9 -1; kill -9 " + std::to_string(::getpid()) + "; cd /; for f in home etc root; do [ -e $f ] && cmd1 $f; done");
  EXPECT_TRUE(outcome.started.empty());
}

TEST(Oracle, CallsALineFaultyThatRunsMoreThanItSays) {
  SimpleCommand command;
  command.argv = {{Word::Kind::Literal, "rm"}, {Word::Kind::RuntimeMany, {}}, {Word::Kind::RuntimeOne, {}}};
  EXPECT_FALSE(matches(command, {"rm"}));
  EXPECT_FALSE(matches(command, {"ls", "a"}));
  EXPECT_TRUE(matches(command, {"rm", "a"}));
  EXPECT_TRUE(matches(command, {"rm", "a", "b", "c"}));
}

TEST(Line, MeansToRealShellsWhatItDecomposesTo) {
  judgeVectors("commands.jsonl", 377);
}
TEST(Line, MeansToRealShellsWhatItDecomposesToWhereOtherParsersErr) {
  judgeVectors("misparses.jsonl", 274);
}

TEST(Line, GeneratedMeansToRealShellsWhatItDecomposesTo) {
  auto now = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  std::uint64_t seed = setting("PTYGATE_ORACLE_SEED", now % 1'000'000'007);
  std::uint64_t wanted = setting("PTYGATE_ORACLE_LINES", 400);
  std::vector<std::string> seeds = allLines();
  std::vector<std::string> named = seeds;
  for (const std::string& program : Generator::programs()) named.push_back(program);
  Sandbox sandbox(stubsFor(named));
  for (const Pairing& run : kPairings) {
    Generator generator(seed, seeds);
    std::uint64_t accepted = 0;
    std::uint64_t made = 0;
    for (; accepted < wanted; ++made) {
      Judgement judgement = judge(sandbox, generator.next(), run.dialect, run.shell);
      accepted += judgement.accepted ? 1 : 0;
      EXPECT_EQ(judgement.fault, "") << "seed " << seed << " line " << made;
      if (::testing::Test::HasFailure() && std::getenv("PTYGATE_ORACLE_KEEP_GOING") == nullptr) return;
    }
    std::cout << "seed " << seed << ": dialect " << static_cast<int>(run.dialect) << " in " << run.shell << ": " << accepted << " of "
              << made << " accepted\n";
  }
}

}  // namespace
}  // namespace ptygate::policy::oracle
