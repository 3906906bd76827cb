// SPDX-License-Identifier: Apache-2.0
// Fragments are chosen where shells and parsers are known to disagree (shared cases, policy.md).
#include "generator.h"

#include <iterator>
#include <string_view>

namespace ptygate::policy::oracle {
namespace {

constexpr std::string_view kPrograms[] = {"cmd1", "cmd2", "cmd3", "rm", "git", "grep", "fail1", "ls", "evil", "xargs", "c-d", "a.b"};

constexpr std::string_view kSoup[] = {
    "cmd1",
    "cmd2",
    "rm",
    "evil",
    "1",
    "2",
    "12",
    "-rf",
    "--output=x",
    "a=b",
    "x=1",
    "x=",
    "y=$(cmd3)",
    "a",
    "b",
    "x.txt",
    "{}",
    "{",
    "}",
    "{a,b}",
    "{0}",
    "a{b}c",
    "stash@{0}",
    ",",
    "..",
    "!",
    "!x",
    "[",
    "]",
    "[ab]",
    "*",
    "*.txt",
    "?",
    "~",
    "~/x",
    "~root",
    "a~",
    "=~",
    ":~",
    "#",
    "#x",
    "x#y",
    "''",
    "\"\"",
    "'a b'",
    "\"a b\"",
    "\"#\"",
    "';'",
    "\";\"",
    "\\;",
    "\\#",
    "\\ ",
    "\\a",
    "\\\\",
    "\\$",
    "\\n",
    "\\{",
    "\\\n",
    " \\\n ",
    "$x",
    "${x}",
    "\"$x\"",
    "\"${x}y\"",
    "$?",
    "$#",
    "$@",
    "\"$@\"",
    "\"a$@b\"",
    "$*",
    "$1",
    "$$x",
    "$",
    "\"$\"",
    "a$",
    "$(cmd2)",
    "\"$(cmd2 b)\"",
    "`cmd3`",
    "\"`cmd3 a`\"",
    "$(cmd1 $(cmd2))",
    "$(",
    ")",
    "(",
    "$((1+2))",
    "$((",
    "))",
    "$'a'",
    "$'a\\'b'",
    "$\"a\"",
    "'",
    "\"",
    "`",
    ";",
    ";;",
    "&",
    "&&",
    "||",
    "|",
    "|&",
    "\n",
    "\n\n",
    " ",
    "  ",
    "\t",
    ">",
    ">>",
    "<",
    "<>",
    ">|",
    ">&",
    "<&",
    ">&-",
    "<&-",
    "2>&1",
    ">&2",
    "1>out",
    "2>out",
    "12>out",
    ">out",
    "> out",
    "<a.txt",
    "&>out",
    "&>>out",
    "2>&-",
    "<&0",
    ">/dev/null",
    "{fd}>out",
    "<<EOF",
    "<<'EOF'",
    "<<-EOF",
    "\nEOF\n",
    "\nEOF",
    "<<<",
    "<(cmd2)",
    ">(cmd2)",
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "while",
    "until",
    "do",
    "done",
    "for",
    "in",
    "case",
    "esac",
    "time",
    "function",
    "select",
    "coproc",
    "for i in a b; do",
    "if cmd1; then",
    "while false; do",
    "until true; do",
    "; done",
    "; fi",
    "; }",
    "{ ",
    "( ",
    " )",
    "()",
    "true",
    "false",
    ":",
    "echo",
    "printf",
    "test",
    "cd",
    "exit",
    "break",
    "command",
    "eval",
    "exec",
    "set",
    ".",
    "return",
    "é",
    "\"é\"",
    "%",
    "%s",
    "^",
    "@",
    "@(a)",
    "+",
    "-",
    "--",
    "-a2",
};

constexpr std::string_view kWords[] = {
    "a",        "-rf",        "2",        "--opt=val",  "a=b",       "if",           "done",      "{}",           "!",
    "x.txt",    "*.txt",      "[ab].txt", "?",          "a*b",       "'a b'*",       "''",        "\"\"",         "'it is'",
    "\"it's\"", "'\"'\\''b'", "\\$x",     "'$x'",       "\"a\\$b\"", "\"a\\\\b\"",   "\"a\\nb\"", "\\#",          "a#b",
    "\"#b\"",   "stash@{0}",  "foo$",     "HEAD~1",     "~",         "~/x",          "a:b",       "100%",         "'a\nb'",
    "\"a\nb\"", "$x",         "\"$x\"",   "\"a${x}b\"", "a\"$x\"b",  "$x$y",         "\"$x\"$y",  "$?",           "\"$#\"",
    "\"$@\"",   "x\"$@\"y",   "\"$*\"",   "''\"$@\"",   "''$x",      "\"\"$x\"\"",   "$((1+2))",  "\"$((2*3))\"", "]",
    "[",        "^",          "\"!\"",    "'\\'",       "\"\\\\\"",  "\"`cmd3 a`\"", "`cmd3 b`",  "\"é\"",        "'\xE2\x82\xAC'*",
    "[!a]*",    "a]",         "@",        "%s",         ",",         "+x",           "=",         "a==b",         "\"a\"'b'\\c",
    "\\ ",      "a\\ b",      "-",        "--",         "1=2",       "b~c",          "/a/b.c",    "x\\*",         "'*'?",
    "\"[\"a]",
};

constexpr std::string_view kRedirections[] = {">out",  "2>out",  ">>out",      "2>&1",   ">&2",     "2>/dev/null", "<a.txt",  "< a.txt",
                                              ">|out", "<>out",  ">&-",        "<&-",    "2>&-",    "> \"o u t\"", ">'out'2", "&>out",
                                              "<&0",   ">\\out", "1>out 2>&1", "&>>out", "0<b.txt", "3>out",       ">out.{}", ">2"};

constexpr std::string_view kBuiltins[] = {"[ -f a.txt ]",
                                          "test \"$x\" = a",
                                          "printf '%s\\n' \"$x\"",
                                          "echo a $x",
                                          "cd sub",
                                          "true",
                                          "false",
                                          ": $x",
                                          "cd",
                                          "command cmd2 a",
                                          "[ ! -d \"$x\" ]",
                                          "wait",
                                          "exit",
                                          "break",
                                          "pwd",
                                          "test $x",
                                          "printf -v a",
                                          "echo -n",
                                          "umask 022"};

constexpr std::string_view kInsertions = " \t\n;&|<>(){}[]*?~#$`'\"\\!=,.-+@%^019aexé";

}  // namespace

Generator::Generator(std::uint64_t seed, std::vector<std::string> seeds) : state_(seed), seeds_(std::move(seeds)) {}

std::vector<std::string> Generator::programs() {
  return {std::begin(kPrograms), std::end(kPrograms)};
}

/// splitmix64: the same numbers everywhere, unlike std::uniform_int_distribution.
std::uint64_t Generator::random(std::uint64_t below) {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return (z ^ (z >> 31U)) % below;
}

std::string Generator::next() {
  switch (random(4)) {
    case 0:
      return soup();
    case 1:
      return list(3);
    case 2:
      return mutate(list(2));
    default:
      return mutate(seeds_[random(seeds_.size())]);
  }
}

std::string Generator::soup() {
  std::string line;
  for (std::uint64_t count = 1 + random(8); count > 0; --count) {
    line += pick(kSoup);
    if (random(3) > 0) line += ' ';
  }
  return line;
}

std::string Generator::mutate(std::string line) {
  for (std::uint64_t count = 1 + random(3); count > 0; --count) {
    std::size_t at = random(line.size() + 1);
    switch (random(5)) {
      case 0:
        line.insert(at, 1, kInsertions[random(kInsertions.size())]);
        break;
      case 1:
        line.insert(at, pick(kSoup));
        break;
      case 2:
        line.erase(at, 1 + random(2));
        break;
      case 3:
        line.insert(at, " " + pick(kWords));
        break;
      default:
        line.insert(at, line.substr(random(line.size() + 1), 1 + random(5)));
        break;
    }
  }
  return line;
}

std::string Generator::word(int depth) {
  if (depth > 0 && random(12) == 0) {
    std::string inner = list(depth - 1);
    return random(2) == 0 ? "\"$(" + inner + ")\"" : "$( " + inner + " )";
  }
  std::string text = pick(kWords);
  if (random(6) == 0) text += pick(kWords);
  return text;
}

std::string Generator::redirection() {
  return pick(kRedirections);
}

std::string Generator::simple(int depth) {
  std::string line;
  auto add = [&](const std::string& text) {
    if (!line.empty()) line += random(10) == 0 ? " \\\n" : random(8) == 0 ? "\t" : " ";
    line += text;
  };
  if (random(8) == 0) add("x=" + word(depth));
  if (random(20) == 0) add("y=" + pick(kWords));
  if (random(12) == 0) add(redirection());
  if (random(10) == 0) {
    add(pick(kBuiltins));
  } else {
    add(pick(kPrograms));
  }
  for (std::uint64_t count = random(4); count > 0; --count) {
    add(word(depth));
    if (random(6) == 0) line += (random(2) == 0 ? " " : "") + redirection();
  }
  return line;
}

std::string Generator::command(int depth) {
  if (depth == 0) return simple(0);
  std::string after = random(5) == 0 ? " " + redirection() : "";
  switch (random(12)) {
    case 0:
      return "{ " + list(depth - 1) + "; }" + after;
    case 1:
      return (random(2) == 0 ? "(" : "( ") + list(depth - 1) + ")" + after;
    case 2:
      return "if " + list(depth - 1) + "; then " + list(depth - 1) + (random(2) == 0 ? "; else " + list(depth - 1) : "") + "; fi" + after;
    case 3:
      return "for i in " + word(depth - 1) + " " + word(0) + "; do " + list(depth - 1) + "; cmd1 \"$i\"; done" + after;
    case 4:
      return "while " + list(depth - 1) + "; do " + list(depth - 1) + "; break; done" + after;
    case 5:
      return "until " + list(depth - 1) + "\ndo\n" + list(depth - 1) + "\nbreak; done" + after;
    case 6:
      return "cmd1 " + word(0) + " <<'EOF'" + after + "\n$(evil)\n'a b'\nEOF\n" + simple(0);
    default:
      return simple(depth);
  }
}

std::string Generator::list(int depth) {
  std::string line = random(12) == 0 ? "! " : "";
  line += command(depth);
  for (std::uint64_t count = random(3); count > 0; --count) {
    static constexpr std::string_view kBetween[] = {"; ", ";", " && ", "&&", " || ", " | ", "|", " & ", "\n", " # c;evil\n", " |& ", "&\n"};
    line += pick(kBetween) + command(depth);
  }
  return line;
}

}  // namespace ptygate::policy::oracle
