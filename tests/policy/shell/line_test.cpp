// SPDX-License-Identifier: Apache-2.0
// Tables of lines: what is refused and why, what is decomposed and into what, and how it is printed.
#include "policy/shell/line.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ptygate::policy {
namespace {

constexpr Dialect kDialects[] = {Dialect::Bash, Dialect::Dash, Dialect::Sh};

std::string reasonOf(const std::string& line, Dialect dialect = Dialect::Bash) {
  return parseLine(line, dialect).opaque.reason;
}

/// Commands as text: words in <>, {one} and {many} for runtime words, assignments before, redirections after, flags last.
std::string show(const Word& word) {
  return word.kind == Word::Kind::Literal ? "<" + word.text + ">" : word.kind == Word::Kind::RuntimeOne ? "{one}" : "{many}";
}

std::string show(const std::string& line, Dialect dialect = Dialect::Bash) {
  ParseResult parsed = parseLine(line, dialect);
  if (!parsed.line) return "OPAQUE " + parsed.opaque.reason;
  std::string text;
  for (const SimpleCommand& command : parsed.line->commands()) {
    if (!text.empty()) text += " ; ";
    std::string one;
    for (const auto& [name, value] : command.assignments) one += " " + name + "=" + show(value);
    for (const Word& word : command.argv) one += " " + show(word);
    for (const Redirection& redirection : command.redirections)
      one += " " + std::to_string(redirection.fd) + redirection.op + redirection.target.text;
    text += one.empty() ? one : one.substr(1);
  }
  return text;
}

struct Row {
  const char* line;
  const char* expected;
};

// ---- Refused in every dialect.

TEST(Line, RefusesBytesThatPeopleOrShellsMisread) {
  const std::pair<std::string, std::string> rows[] = {
      {std::string("ls\0x", 4), "control character"},
      {"ls\r", "control character"},
      {"ls \r\nrm x", "control character"},
      {"echo '\x1b[2K'", "control character"},
      {"echo '\x7f'", "control character"},
      {"echo '\xff'", "invalid UTF-8"},
      {"echo '\xc0\xaf'", "invalid UTF-8"},          // overlong
      {"echo '\xed\xa0\x80'", "invalid UTF-8"},      // surrogate
      {"echo '\xf4\x90\x80\x80'", "invalid UTF-8"},  // above U+10FFFF
      {"echo '\xe2\x82'", "invalid UTF-8"},          // cut short
      {"echo \"\xe2\x80\xae\"", "invisible character"},
      {"echo '\xe2\x80\x8b'", "invisible character"},
      {"echo '\xc2\x85'", "invisible character"},
      {"git\xc2\xa0status", "non-ASCII outside quotes"},
      {"echo \xc3\xa9", "non-ASCII outside quotes"},
      {"echo a # \xc3\xa9", "non-ASCII outside quotes"},
  };
  for (const auto& [line, reason] : rows) {
    for (Dialect dialect : kDialects) EXPECT_EQ(reasonOf(line, dialect), reason) << line;
  }
}

TEST(Line, RefusesWhatIsNoCommand) {
  for (const char* line : {"",
                           " ",
                           "\n",
                           "# only a comment",
                           "\\\n",
                           ";",
                           "&",
                           "; ls",
                           "ls ;; rm",
                           "ls;& rm",
                           "ls & ; rm",
                           "ls && ",
                           "ls | ",
                           "| ls",
                           "&& ls",
                           "ls ||| rm",
                           "ls & & rm",
                           "( )",
                           "(",
                           ")",
                           "ls )",
                           "(ls",
                           "{ }",
                           "{ ls",
                           "{ ls }",
                           "{ls; }",
                           "ls }",
                           "(ls) rm",
                           "{ ls; } rm",
                           "(ls)(rm)",
                           "if true; then ls",
                           "if ls; fi",
                           "if; then ls; fi",
                           "if ls then ls; fi",
                           "while true; do; done",
                           "while true; ls; done",
                           "then ls",
                           "fi",
                           "done",
                           "esac",
                           "ls 'a",
                           "ls \"a",
                           "ls `a",
                           "ls $(a",
                           "ls \\",
                           "a(b)",
                           "echo (a)",
                           "a = (b)"}) {
    for (Dialect dialect : kDialects) EXPECT_NE(reasonOf(line, dialect), "") << line;
  }
}

TEST(Line, RefusesConstructsOutsideTheSubset) {
  for (const char* line : {
           // expansions
           "{rm,-rf,/}",
           "r{m,m} x",
           "echo {1..3}",
           "echo {a},b}",
           "echo a{},x}",
           "echo {a",
           "echo a}",
           "echo ''{a}",
           "echo x{a}{b}",
           "cat @(a|b)",
           "cat !(a)",
           "cat +(a)",
           "cat ${x:-y}",
           "cat ${x/a/b}",
           "cat ${#x}",
           "cat ${!x}",
           "cat ${x@P}",
           "cat ${a[0]}",
           "cat ${x",
           "cat ${}",
           "cat ${?}",
           "cat $((x))",
           "cat $((a[0]))",
           "cat $((1/0))",
           "cat $(())",
           "cat $((1+))",
           "cat $((1 2))",
           "cat $((08))",
           "cat $((-1))",
           "cat $((cmd1) | cmd2)",
           "cat $[1+1]",
           "cat $\"a\"",
           "cat $'\\x72'",
           "cat $'a\\",
           "cat $10",
           "cat $LINENO",
           "cat $x$",
           "cat \"a$@b\"",
           "cat ''\"$@\"",
           "cat ~root",
           "cat ~root/x",
           "cat ~+",
           "cat a=~",
           "cat a:~/x",
           "cat --x=~/y",
           "x=a:~/b",
           "cat $()",
           "cat ``",
           "cat `a \\` b`",
           "cat \"`a \"b\"`\"",
           "cat `a # b`",
           "cat <(a)",
           "cat >(a)",
           "cat x<(a)",
           "cat $(a # 'b'\n)",
           "cat $%",
           // assignments
           "A=b",
           "PATH=/x ls",
           "LD_PRELOAD=x ls",
           "IFS=x",
           "_=1 ls",
           "x+=y ls",
           "x=(a b)",
           "x=( a )",
           "a[0]=1",
           "1x=2 ls",
           "x-y=1 ls",
           "http_proxy=e curl x",
           "histchars=a",
           "x=1 y=$(a) b",
           "x=$(a) y=1 b",
           "x=$(a) b >f",
           "x=$(a) >f",
           "for PATH in a; do ls; done",
           "for no_proxy in a; do ls; done",
           // redirections
           "ls > $x",
           "ls > $(a)",
           "ls > ~/x",
           "ls > *",
           "ls > a*",
           "ls >",
           "ls > #x",
           "ls >\n a",
           "ls < 12>out",
           "ls 12>out",
           "ls >&out",
           "ls >& 1",
           "ls >&$x",
           "ls 2>&12",
           "ls 2>&1-",
           "ls >&1>out",
           "ls >&-x",
           "ls {fd}>out",
           "ls {fd}<out",
           "ls <<< x",
           "ls >/dev/tcp/1/2",
           "ls </dev/udp/1/2",
           "ls 3<&0",
           "ls <&3",
           "ls 2>&0",
           "ls > {a}",
           "ls 3<<E\nE",
           // heredocs
           "cat <<E\n$x\nE",
           "cat <<E\n`a`\nE",
           "cat <<E\na\\\nE\nE",
           "cat <<E\nx",
           "cat <<E",
           "cat <<E\n E",
           "cat <<$x\n$x",
           "cat <<'E'x\nEx",
           "cat <<\\E\nE",
           "cat $(cat <<E\nE\n)",
           "cat <<E 'a\nb'\nE",
           "cat <<E $(a\nb)\nE\n",
           "cat <<E \\\n a\nE",
           // line continuation
           "l\\\ns",
           "ls a\\\nb",
           "ls \"a\\\nb\"",
           "ls &\\\n& rm",
           "ls \\\n#x",
           // names
           "$x",
           "$x -rf y",
           "$(a) b",
           "`a`",
           "\"$(a)\" b",
           "git${x}status",
           "*",
           "/\?\?\?/rm x",
           "./* x",
           "~/bin/x",
           "{}",
           "''",
           "\"\" x",
           "-x",
           "+x",
           "'a b'",
           "'a=b' c",
           "$'rm' x",
           "ls\\ x",
           "%1",
           "!x",
           "'if'",
           "a*b",
           "\xd0\xb3it",
           "!",
           "! ! ls",
           "!ls",
           "ls | ! rm",
           "[x",
           "a]b",
           // keywords and builtins
           "case x in x) rm;; esac",
           "select i in a; do rm; done",
           "coproc rm",
           "time rm",
           "function f { rm; }",
           "f() { rm; }",
           "f () ( rm )",
           "[[ a ]]",
           "((1))",
           "( (a) ) b",
           "((a))",
           "for ((;;)); do a; done",
           "for i; do a; done",
           "for i do a; done",
           "for i in a; { b; }",
           "for i in; do a; done",
           "eval a",
           "exec a",
           ". a",
           "source a",
           "alias a=b",
           "unalias a",
           "export a",
           "declare a",
           "typeset a",
           "local a",
           "readonly a",
           "set -x",
           "shopt -s a",
           "read a",
           "mapfile a",
           "readarray a",
           "unset a",
           "let a",
           "trap a EXIT",
           "hash -p a b",
           "enable -f a b",
           "builtin eval a",
           "bind a",
           "complete a",
           "compgen -C a b",
           "getopts a b",
           "return",
           "shift",
           "fc -s",
           "history",
           "jobs -x a",
           "fg",
           "bg",
           "wait -n",
           "wait -p a",
           "wait $x",
           "in",
           "command -p a",
           "command eval a",
           "command -v $x",
           "command $x",
           "command . a",
           // variables named at run time
           "test -v x",
           "[ -v x ]",
           "[ -R x ]",
           "test -n 'a[0]'",
           "test $x",
           "[ $x = a ]",
           "[ a \"$x\" b ]",
           "[ \"$x\" a ]",
           "[ \"$x\" = a -a \"$y\" = b ]",
           "[ a",
           "[ a ] b",
           "printf -v x a",
           "printf \"$x\"",
           "printf $x",
           "printf '%n' PATH",
           "printf '%5.3hn' PATH",
           "printf -- -v x",
       }) {
    for (Dialect dialect : kDialects) EXPECT_NE(reasonOf(line, dialect), "") << line << " is decomposed into " << show(line, dialect);
  }
}

TEST(Line, RefusesBashSyntaxForOtherShells) {
  for (const char* line : {"ls &> out", "ls &>> out", "ls |& cat", "echo $'a'"}) {
    EXPECT_EQ(reasonOf(line, Dialect::Bash), "") << line;
    EXPECT_NE(reasonOf(line, Dialect::Dash), "") << line;
    EXPECT_NE(reasonOf(line, Dialect::Sh), "") << line;
  }
}

TEST(Line, RefusesForAnyShWhatKornShellsEvaluate) {
  for (const char* line :
       {"[ \"$x\" -eq 1 ]", "test 1 -lt \"$x\"", "[ x -eq 1 ]", "exit \"$x\"", "for i in a; do break $x; done", "ulimit -n $x"}) {
    EXPECT_EQ(reasonOf(line, Dialect::Bash), "") << line;
    EXPECT_EQ(reasonOf(line, Dialect::Dash), "") << line;
    EXPECT_NE(reasonOf(line, Dialect::Sh), "") << line;
  }
  EXPECT_EQ(reasonOf("[ 1 -eq 2 ] && exit 3", Dialect::Sh), "");
}

TEST(Line, RefusesAboveItsLimits) {
  EXPECT_EQ(reasonOf("echo " + std::string(kMaxLineBytes - 5, 'a')), "");
  EXPECT_EQ(reasonOf("echo " + std::string(kMaxLineBytes - 4, 'a')), "longer than 64 KiB");
  std::string words = "echo";
  for (std::size_t i = 1; i < kMaxWords; ++i) words += " a";
  EXPECT_EQ(reasonOf(words), "");
  EXPECT_EQ(reasonOf(words + " a"), "more than 500 words");
  auto nested = [](int depth) {
    std::string line = "ls";
    for (int i = 0; i < depth; ++i) line = "( " + line + " )";
    return line;
  };
  EXPECT_EQ(reasonOf(nested(kMaxDepth - 1)), "");
  EXPECT_EQ(reasonOf(nested(kMaxDepth)), "nested too deeply");
  EXPECT_NE(reasonOf(std::string(kMaxLineBytes, '(')), "");
  std::string substitutions;
  for (int i = 0; i < 16'000; ++i) substitutions += "$(a ";
  EXPECT_EQ(reasonOf("a " + substitutions), "nested too deeply");
}

// ---- Accepted.

TEST(Line, DecomposesWords) {
  const Row rows[] = {
      {"  git   status  ", "<git> <status>"},
      {"git sta\"tu\"s", "<git> <status>"},
      {"\\rm -r''f x", "<rm> <-rf> <x>"},
      {"echo 'it'\\''s' \"a\\$b\" \"a\\nb\" \"\\\\\"", "<echo> <it's> <a$b> <a\\nb> <\\>"},
      {"echo '' \"\" ''a", "<echo> <> <> <a>"},
      {"echo \"a\"#x; rm y", "<echo> <a#x> ; <rm> <y>"},
      {"echo $HOME#x; rm y", "<echo> {many} ; <rm> <y>"},
      {"echo a #b; rm x", "<echo> <a>"},
      {"echo a # c\\\nrm b", "<echo> <a> ; <rm> <b>"},
      {"echo if then fi ! { x", "OPAQUE brace expansion"},
      {"echo if then fi ! =", "<echo> <if> <then> <fi> <!> <=>"},
      {"find . -exec rm {} \\;", "<find> <.> <-exec> <rm> <{}> <;>"},
      {"git show stash@{0} HEAD~1 HEAD^ a~", "<git> <show> <stash@{0}> <HEAD~1> <HEAD^> <a~>"},
      {"grep foo$ \"bar$\" a.txt", "<grep> <foo$> <bar$> <a.txt>"},
      {"echo \"$x\" $x ${x} \"${x}y\" \"$(a)\" $?", "<echo> {one} {many} {many} {one} {one} {many} ; <a>"},
      {"echo \"$@\" \"$*\" $*", "<echo> {many} {one} {many}"},
      {"echo * '*' \\* a? [ab] [ ]", "<echo> {many} <*> <*> {many} {many} {many} <]>"},
      {"cat ~ ~/x", "<cat> {one} {one}"},
      {"cat $((1+2)) \"$((3))\"", "<cat> {many} {one}"},
      {"ls \\\n  -l \\\n\\\n x", "<ls> <-l> <x>"},
      {"echo 'a\\\nb'", "<echo> <a\\\nb>"},
      {"echo $'a\\n\\'b\\t'", "<echo> <a\n'b\t>"},
      {"echo '\xc3\xa9'", "<echo> <\xc3\xa9>"},
      {"a=b x y=z", "a=<b> <x> <y=z>"},
      {"x= ls", "x=<> <ls>"},
      {"x=* y=~/a z=\"$b\"$c d", "x=<*> y={one} z={one} <d>"},
      {"x=$(a)", "x={one} ; <a>"},
      {"[ -f a ] && [ ! -d \"$x\" ] && test \"$x\" = 'y'", "<[> <-f> <a> <]> ; <[> <!> <-d> {one} <]> ; <test> {one} <=> <y>"},
      {"printf '%s %%n\\n' \"$x\" $y", "<printf> <%s %%n\\n> {one} {many}"},
      {"command -v git; command ls", "<command> <-v> <git> ; <command> <ls>"},
      {"wait; wait 12; wait \"$!\"", "<wait> ; <wait> <12> ; <wait> {one}"},
  };
  for (const Row& row : rows) EXPECT_EQ(show(row.line), row.expected) << row.line;
  EXPECT_EQ(show("cat ~/x", Dialect::Sh), "<cat> {many}") << "not every sh keeps the expansion whole";
}

TEST(Line, DecomposesRedirections) {
  const Row rows[] = {
      {"echo x>out", "<echo> <x> 1>out"},
      {"echo 2>out", "<echo> 2>out"},
      {"echo a2>out", "<echo> <a2> 1>out"},
      {"echo \\2>out", "<echo> <2> 1>out"},
      {"echo 2 >out", "<echo> <2> 1>out"},
      {"curl h -oout2>err", "<curl> <h> <-oout2> 1>err"},
      {"git log >&- --output=out", "<git> <log> <--output=out> 1>&-"},
      {"git status 2>/dev/null --output=x", "<git> <status> <--output=x> 2>/dev/null"},
      {">out", "1>out"},
      {">\"out\"1 cmd", "<cmd> 1>out1"},
      {"cmd 2>&1 >&2 <&0 <&- 3>&1", "<cmd> 2>&1 1>&2 0<&0 0<&- 3>&1"},
      {"cmd <a <>b >>c >|d", "<cmd> 0<a 0<>b 1>>c 1>|d"},
      {"cmd &>out", "<cmd> 1>out 2>&1"},
      {"cmd 2&>>out", "<cmd> <2> 1>>out 2>&1"},
      {"cmd |& x", "<cmd> 2>&1 ; <x>"},
      {"{ a; b; } >out 2>&1", "1>out 2>&1 ; <a> ; <b>"},
      {"while a; do b; done <f", "0<f ; <a> ; <b>"},
      {"cat <<EOF\nhello\nEOF\nrm y", "<cat> 0<<hello\n ; <rm> <y>"},
      {"cat <<'EOF' >out && x\n$(pwn)\nEOF", "<cat> 0<<$(pwn)\n 1>out ; <x>"},
      {"cat <<EOF\nx\n EOF\nrm y\nEOF\n", "<cat> 0<<x\n EOF\nrm y\n"},
      {"cat <<-E\n\ta\n\tE", "<cat> 0<<a\n"},
      {"a <<A; b <<B\n1\nA\n2\nB", "<a> 0<<1\n ; <b> 0<<2\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(show(row.line), row.expected) << row.line;
}

TEST(Line, DecomposesStructure) {
  const Row rows[] = {
      {"git status;rm -rf /", "<git> <status> ; <rm> <-rf> </>"},
      {"a&&b||c|d&e", "<a> ; <b> ; <c> ; <d> ; <e>"},
      {"a &\n\n# c\nb", "<a> ; <b>"},
      {"! a | b", "<a> ; <b>"},
      {"(a;b) && { c; }", "<a> ; <b> ; <c>"},
      {"if a; then b; elif c; then d; else e; fi", "<a> ; <b> ; <c> ; <d> ; <e>"},
      {"until a\ndo\nb\ndone", "<a> ; <b>"},
      {"for i in 1 \"$(x)\" *.txt; do rm \"$i\"; done", "<x> ; <rm> {one}"},
      {"cmd1 \"$(cmd2 \"$(rm x)\")\" `y`", "<cmd1> {one} {many} ; <cmd2> {one} ; <rm> <x> ; <y>"},
      {"cmd1 $( (a) )", "<cmd1> {many} ; <a>"},
      {"cmd1 \"$(cmd2 ')')\"", "<cmd1> {one} ; <cmd2> <)>"},
  };
  for (const Row& row : rows) {
    for (Dialect dialect : kDialects) EXPECT_EQ(show(row.line, dialect), row.expected) << row.line;
  }
}

struct Reach {
  const char* line;
  const char* expected;  ///< per command: NAME:via[:pipe][:own][:bg]
};

std::string reachOf(const std::string& line, Dialect dialect) {
  constexpr const char* kVia[] = {"top", "pipe", "and-or", "subshell", "substitution", "loop", "branch", "wrapper"};
  ParseResult parsed = parseLine(line, dialect);
  if (!parsed.line) return "OPAQUE " + parsed.opaque.reason;
  std::string text;
  for (const SimpleCommand& command : parsed.line->commands()) {
    if (command.argv.empty()) continue;
    text += (text.empty() ? "" : " ") + command.argv[0].text + ":" + kVia[static_cast<int>(command.via)];
    if (command.reads_pipe) text += ":pipe";
    if (command.reads_own_stdin) text += ":own";
    if (command.in_background) text += ":bg";
  }
  return text;
}

TEST(Line, TellsHowACommandIsReachedAndWhatItReads) {
  const Reach rows[] = {
      {"a; b", "a:top:own b:top:own"},
      {"a | b | c", "a:pipe:own b:pipe:pipe c:pipe:pipe"},
      {"a && b", "a:and-or:own b:and-or:own"},
      {"(a)", "a:subshell:own"},
      {"{ a; }", "a:top:own"},
      {"if a; then b; fi", "a:branch:own b:branch:own"},
      {"while a; do b; done <f", "a:loop b:loop"},
      {"x | while a; do b; done", "x:pipe:own a:loop:pipe b:loop:pipe"},
      {"x | (a; b <f)", "x:pipe:own a:subshell:pipe b:subshell"},
      {"a <f $(b)", "a:top b:substitution:own"},
      {"x | a $(b)", "x:pipe:own a:pipe:pipe b:substitution:pipe"},
      {"for i in $(b); do a; done <f", "b:substitution a:loop"},
      {"a <<E\nE", "a:top"},
      {"a <&-", "a:top"},
      {"a <&0", "a:top:own"},
      {"a &", "a:top:bg"},
      {"{ a; } & b", "a:top:bg b:top:own"},
      {"a && b &", "a:and-or:bg b:and-or:bg"},
  };
  for (const Reach& row : rows) {
    for (Dialect dialect : kDialects) EXPECT_EQ(reachOf(row.line, dialect), row.expected) << row.line;
  }
}

TEST(Line, KnowsThatBashLeavesStandardInputToSomeJobs) {
  for (Dialect dialect : {Dialect::Bash, Dialect::Sh}) {
    EXPECT_EQ(reachOf("a | b &", dialect), "a:pipe:own:bg b:pipe:pipe:bg");
    EXPECT_EQ(reachOf("a $(b) &", dialect), "a:top:bg b:substitution:own:bg");
    EXPECT_EQ(reachOf("a <&0 &", dialect), "a:top:own:bg");
  }
  EXPECT_EQ(reachOf("a | b &", Dialect::Dash), "a:pipe:bg b:pipe:pipe:bg");
}

// ---- Printed.

TEST(Line, PrintsTheCanonicalForm) {
  const Row rows[] = {
      {"git   'log'|head   -5", "git log | head -5"},
      {"a&&b||! c\nd&e", "a && b || ! c; d & e"},
      {"a &", "a &"},
      {"echo 'a b' \"it's\" 'x\"y' '$x' '!' '' a\\'b\\\"c", "echo \"a b\" \"it's\" 'x\"y' '$x' '!' \"\" 'a'\\''b\"c'"},
      {"echo $x \"a $x b\" \"$x\"'$'y", "echo ${x} \"a ${x} b\" \"${x}\"'$y'"},
      {"echo *.txt '*'? a' 'b*", "echo *.txt \"*\"? a\" \"b*"},
      {"cat ~/'a b' ~", "cat ~/\"a b\" ~"},
      {"x=a\\ b y= cmd >f 2>&1 z", "x=\"a b\" y= cmd z >f 2>&1"},
      {"( (a);b )", "( ( a ); b )"},
      {"cat $( (a) ) `b`", "cat $( ( a )) $(b)"},
      {"{ a\nb & }", "{ a; b & }"},
      {"if a\nthen b\nelif c\nthen d\nelse e\nfi >f", "if a; then b; elif c; then d; else e; fi >f"},
      {"for i in a \"b c\"\ndo x & done", "for i in a \"b c\"; do x & done"},
      {"while a;do b;done", "while a; do b; done"},
      {"cat <<EOF; b\n$\nEOF", "OPAQUE"},
      {"cat <<E|c; b\nx\nE", "cat <<'EOF' | c\nx\nEOF\nb"},
      {"{ cat <<'E'\nEOF\nE\n}", "{ cat <<'EOF_'\nEOF\nEOF_\n}"},
      {"[ -f '[' ]", "OPAQUE"},
      {"echo '[' [a']'*", "echo \"[\" [a\"]\"*"},
      {"[ -f a ]", "[ -f a ]"},
      {"echo {} a~b", "echo \"{}\" \"a~b\""},
      {"a |& b &>c", "a 2>&1 | b >c 2>&1"},
  };
  for (const Row& row : rows) {
    ParseResult parsed = parseLine(row.line, Dialect::Bash);
    std::string printed = parsed.line ? parsed.line->print() : "OPAQUE";
    EXPECT_EQ(printed, row.expected) << row.line;
    if (parsed.line) {
      EXPECT_TRUE(printsBack(*parsed.line, {}, printed, Dialect::Bash)) << row.line;
    }
  }
}

TEST(Line, PrintsEdits) {
  ParseResult parsed = parseLine("echo \"$(git log)\" | git status -s", Dialect::Bash);
  ASSERT_TRUE(parsed.line);
  ASSERT_EQ(parsed.line->commands()[1].argv[0].text, "git");
  std::vector<Edit> edits = {
      {1, 1, {"-c", "core.fsmonitor="}, false}, {2, 1, {"-c", "a=b c"}, false}, {2, 3, {"--"}, false}, {2, 2, {"-b"}, true}};
  std::string printed = parsed.line->print(edits);
  EXPECT_EQ(printed, "echo \"$(git -c core.fsmonitor= log)\" | git -c \"a=b c\" status -b --");
  EXPECT_TRUE(printsBack(*parsed.line, edits, printed, Dialect::Bash));
  EXPECT_FALSE(printsBack(*parsed.line, {}, printed, Dialect::Bash)) << "the edits are part of what is compared";
}

TEST(Line, PrintsNothingForEditsThatNameNoWord) {
  ParseResult parsed = parseLine("git $x >f; { a; } >g", Dialect::Bash);
  ASSERT_TRUE(parsed.line);
  const std::vector<std::vector<Edit>> bad = {
      {{9, 0, {"x"}, false}},      // no such command
      {{0, 3, {"x"}, false}},      // beyond the words
      {{0, 2, {"x"}, true}},       // nothing there to replace
      {{0, 1, {"x"}, true}},       // a runtime word
      {{0, 0, {"x", "y"}, true}},  // two words for one
      {{0, 0, {}, true}},          // none for one
      {{0, 0, {"x"}, true}, {0, 0, {"y"}, true}},
      {{1, 0, {"x"}, false}},  // the entry of a compound command's redirections
  };
  for (const std::vector<Edit>& edits : bad) {
    EXPECT_EQ(parsed.line->print(edits), "");
    EXPECT_FALSE(printsBack(*parsed.line, edits, parsed.line->print(), Dialect::Bash));
  }
}

TEST(Line, DoesNotPrintBackWhatIsAnotherLine) {
  ParseResult parsed = parseLine("a 'b c' && d", Dialect::Bash);
  ASSERT_TRUE(parsed.line);
  for (const char* other :
       {"", "a b c && d", "a 'b c' || d", "a 'b c'; d", "a 'b c' && d x", "a 'b c' && d >f", "x=1 a 'b c' && d", "(a 'b c' && d)",
        "a 'b c' && ! d", "a 'b c' && d &", "a \"$b c\" && d", "a 'b c' && d; e", "a 'b c' && \xff"}) {
    EXPECT_FALSE(printsBack(*parsed.line, {}, other, Dialect::Bash)) << other;
  }
  EXPECT_TRUE(printsBack(*parsed.line, {}, "a b\\ c&&d", Dialect::Bash));
}

TEST(Line, RefusesEditsThatWouldNotPrintBack) {
  ParseResult parsed = parseLine("git log", Dialect::Bash);
  ASSERT_TRUE(parsed.line);
  for (const char* word : {"\x01", "\xff", "a\rb"}) {
    std::vector<Edit> edits = {{0, 1, {word}, false}};
    EXPECT_FALSE(printsBack(*parsed.line, edits, parsed.line->print(edits), Dialect::Bash));
  }
  std::vector<Edit> rename = {{0, 0, {"eval"}, true}};
  EXPECT_FALSE(printsBack(*parsed.line, rename, parsed.line->print(rename), Dialect::Bash));
}

}  // namespace
}  // namespace ptygate::policy
