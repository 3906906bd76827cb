// SPDX-License-Identifier: Apache-2.0
// The command line itself: refusals, exit statuses, and help that tells the truth.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "program.h"

namespace ptygate::verbs::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::vector<std::string> wordsOf(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> linesOf(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The verbs that `ptygate --help` lists: two blanks, the name, at least two blanks, the summary.
std::vector<std::vector<std::string>> listedVerbs() {
  std::vector<std::vector<std::string>> verbs;
  for (const auto& line : linesOf(run({"--help"}).out)) {
    if (!line.starts_with("  ")) continue;
    const std::string name = line.substr(2, line.find("  ", 2) - 2);
    verbs.push_back(wordsOf(name));
  }
  return verbs;
}

struct Refusal {
  const char* edge;
  std::vector<std::string> args;
  int status;
  const char* says;
};

TEST(CommandLine, RefusesWithTheStatusAndASentence) {
  const std::vector<Refusal> table = {
      {"no verb", {}, 2, ""},
      {"unknown verb", {"frobnicate"}, 2, "unknown verb \"frobnicate\""},
      {"near verb", {"aprove"}, 2, "did you mean \"approve\"?"},
      {"near verb of two words", {"polcy", "check"}, 2, "did you mean \"policy check\"?"},
      {"first word alone", {"policy"}, 2, "check, explain, decompose"},
      {"wrong second word", {"policy", "chekc"}, 2, "policy has no \"chekc\""},
      {"an option first", {"--json", "status"}, 2, "a verb comes first"},
      {"an escape sequence as verb", {"\x1b]52;c;x\x07"}, 2, "\\x1b]52"},
      {"missing argument", {"show"}, 2, "ID is missing"},
      {"missing required option", {"deny", "42"}, 2, "--reason is missing"},
      {"option without its value", {"deny", "42", "--reason"}, 2, "--reason"},
      {"unknown option", {"status", "--frob"}, 2, "--frob"},
      {"abbreviated option", {"status", "--js"}, 2, "--js"},
      {"one argument too many", {"show", "42", "43"}, 2, "43"},
      {"an option twice", {"deny", "1", "--reason", "a", "--reason", "b"}, 2, "--reason"},
      {"not a number", {"replay", "x", "--speed", "fast"}, 2, "not a number"},
      {"a negative number", {"replay", "x", "--speed=-1"}, 2, "not a number"},
      {"not a number but NaN", {"replay", "x", "--speed", "nan"}, 2, "not a number"},
      {"not one of the words", {"policy", "decompose", "--shell", "zsh"}, 2, "not one of bash|dash|sh"},
      {"a flag with a value", {"status", "--json=1"}, 2, "json"},
      {"an unknown filter", {"sessions", "colour:red"}, 2, "colour"},
      {"two forms", {"export", "x", "--text", "--cast"}, 2, "one form"},
      {"approve without the tag", {"approve", "42"}, 2, "42-k7f3"},
      {"no gate there", {"status"}, 3, "Is the gate running?"},
      {"no gate there, --dir in front", {"--dir", "/nonexistent/x", "pending"}, 3, "/nonexistent/x"},
      {"no configuration there", {"policy", "check"}, 1, "/nonexistent/ptygate"},
      {"no such file", {"certs", "inspect", "/nonexistent/cert"}, 1, "/nonexistent/cert"},
      {"not a certificate", {"certs", "inspect", "/dev/null"}, 1, "not an OpenSSH certificate"},
  };
  for (const auto& row : table) {
    const Ran ran = run(row.args);
    EXPECT_EQ(ran.status, row.status) << row.edge << "\n" << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(row.says)) << row.edge;
    if (row.args.empty()) continue;  // prints the list of verbs
    EXPECT_EQ(ran.out, "") << row.edge;
    EXPECT_THAT(ran.err, StartsWith("ptygate: ")) << row.edge;
  }
}

TEST(CommandLine, RefusesOverSshWhatNamesThisHost) {
  const auto nobody = [](const control::Request& request) -> std::vector<control::ServerLine> {
    ADD_FAILURE() << "asked the gate: " << request.verb;
    return {};
  };
  const std::vector<std::vector<std::string>> table = {
      {"serve"},
      {"worker"},
      {"init", "/tmp/x"},
      {"status", "--dir", "/tmp"},
      {"--dir", "/tmp", "status"},
      {"export", "x", "--output", "/tmp/x"},
      {"policy", "check", "/etc/passwd"},
  };
  for (const auto& args : table) {
    Invocation what;
    what.args = args;
    what.gate = nobody;
    EXPECT_EQ(run(what).status, 4) << args.front();
  }
}

TEST(CommandLine, RefusesOverSshWhatThePersonMayNot) {
  const auto gateFor = [](control::WhoAmI who) {
    return [who](const control::Request& request) -> std::vector<control::ServerLine> {
      EXPECT_EQ(request.verb, "whoami");
      return {control::ItemLine{request.id, who}, control::Reply{request.id, 0, ""}};
    };
  };
  struct Row {
    std::vector<std::string> args;
    control::WhoAmI who;
  };
  const std::vector<Row> table = {
      {{"sessions"}, {"agent", "bot", {}, {}}},
      {{"sessions"}, {"agent", "bot", {"audit"}, {}}},
      {{"sessions"}, {"person", "alice", {"review", "operate"}, {}}},
      {{"replay", "x"}, {"person", "alice", {"review"}, {}}},
      {{"export", "x"}, {"person", "alice", {}, {}}},
      {{"review"}, {"person", "alice", {"audit", "operate"}, {}}},
      {{"certs", "show"}, {"person", "alice", {"review"}, {}}},
      {{"targets", "set-up", "web1"}, {"person", "alice", {"review"}, {}}},
      {{"policy", "check"}, {"person", "alice", {"audit"}, {}}},
      {{"policy", "decompose"}, {"agent", "bot", {}, {}}},
  };
  for (const auto& row : table) {
    Invocation what;
    what.args = row.args;
    what.gate = gateFor(row.who);
    const Ran ran = run(what);
    EXPECT_EQ(ran.status, 4) << row.args.front() << " as " << row.who.kind;
    EXPECT_THAT(ran.err, HasSubstr("not permitted"));
  }
}

TEST(CommandLine, ReadsNoFileOverSshForCertsInspect) {
  Invocation what;
  what.args = {"certs", "inspect", "/etc/hostname"};
  what.gate = [](const control::Request& request) -> std::vector<control::ServerLine> {
    return {control::ItemLine{request.id, control::WhoAmI{"person", "alice", {"audit"}, {}}}, control::Reply{request.id, 0, ""}};
  };
  const Ran ran = run(what);
  EXPECT_EQ(ran.status, 4);
  EXPECT_THAT(ran.err, HasSubstr("standard input only"));
}

TEST(CommandLine, TakesAWordInBracketsAsOneWord) {
  // CLI11 would split "[a,b]" into a list where it converts values.
  const Ran ran = run({"policy", "explain", "[a,b]", "--agent", "x", "--target", "y"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, Not(HasSubstr("usage:")));
}

TEST(CommandLine, TellsItsVersion) {
  const Ran ran = run({"--version"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.out, testing::MatchesRegex("ptygate [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(Help, ListsVerbsByAudienceAndHidesTheWorker) {
  const Ran ran = run({"--help"});
  EXPECT_EQ(ran.status, 0);
  for (const char* heading : {"Operators:", "Reviewers:", "Auditors:", "Policy (offline):", "Agents"})
    EXPECT_THAT(ran.out, HasSubstr(heading));
  EXPECT_THAT(ran.out, Not(HasSubstr("worker ")));
  EXPECT_GE(listedVerbs().size(), 25u);
}

TEST(Help, OfEveryVerbExitsWithZeroAndNamesTheVerb) {
  for (const auto& verb : listedVerbs()) {
    std::vector<std::string> args = verb;
    args.push_back("--help");
    const Ran ran = run(args);
    std::string name = verb[0] + (verb.size() > 1 ? " " + verb[1] : "");
    EXPECT_EQ(ran.status, 0) << name;
    EXPECT_THAT(ran.out, StartsWith("usage: ptygate " + name)) << name;
    EXPECT_EQ(ran.err, "") << name;
  }
}

TEST(Help, NamesOnlyOptionsThatTheParserKnows) {
  for (const auto& verb : listedVerbs()) {
    std::vector<std::string> help = verb;
    help.push_back("--help");
    for (const auto& line : linesOf(run(help).out)) {
      const auto words = wordsOf(line);
      if (!line.starts_with("  --") || words.empty()) continue;
      const bool takes_value = line.substr(2, line.find("  ", 2) - 2).find(' ') != std::string::npos;
      // `--help` after the option: if the option is known, help is printed; if not, it is still an unknown option.
      std::vector<std::string> args = verb;
      args.push_back(words[0]);
      if (takes_value) args.push_back("1");
      args.push_back("--help");
      const Ran known = run(args);
      EXPECT_EQ(known.status, 0) << verb[0] << " " << words[0] << known.err;
      if (!takes_value) continue;
      std::vector<std::string> bare = verb;
      bare.push_back(words[0]);
      const Ran refused = run(bare);
      EXPECT_EQ(refused.status, 2) << verb[0] << " " << words[0] << ": took no value though help names one";
      EXPECT_THAT(refused.err, HasSubstr(words[0])) << verb[0];
    }
  }
}

TEST(Help, FitsAHundredAndSixtyColumns) {
  for (const auto& verb : listedVerbs()) {
    std::vector<std::string> args = verb;
    args.push_back("--help");
    for (const auto& line : linesOf(run(args).out)) EXPECT_LE(line.size(), 160u) << line;
  }
}

}  // namespace
}  // namespace ptygate::verbs::test
