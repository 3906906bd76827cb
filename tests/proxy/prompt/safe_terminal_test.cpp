// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "proxy/base/safe_text.h"
#include "safe_text_checks.h"

namespace ptygate::base::testing {
namespace {

std::string filtered(std::string_view bytes) {
  SafeTerminal terminal;
  std::string out = terminal.filter(bytes);
  return out + terminal.finish();
}

struct Row {
  std::string_view bytes;
  std::string_view shown;
  const char* edge;
};

TEST(SafeTerminal, DropsAndMarksWhatActsOnTheTerminal) {
  using namespace std::string_view_literals;
  const Row rows[] = {
      {"a\x1b]52;c;cm0=\x07"
       "b",
       "a␛b", "OSC 52 writes the clipboard"},
      {"a\x1b]0;title\x1b\\b", "a␛b", "title, ended by ST"},
      {"\x1bP+q544e\x1b\\x", "␛x", "DCS query"},
      {"\x1b_Gf=1\x1b\\x", "␛x", "APC"},
      {"\x1b^pm\x1b\\x", "␛x", "PM"},
      {"\x1bXsos\x1b\\x", "␛x", "SOS"},
      {"\x1b[c\x1b[>c\x1b[6n\x1b[?6n\x1b[x\x1b[21t", "␛␛␛␛␛␛", "queries"},
      {"\x1b[?2004h\x1b[?1000h\x1b[4h\x1b[20l\x1b[?25l", "␛␛␛␛␛", "modes"},
      {"\x1b[?1049;2004h", "␛", "a mode beside the alternate screen"},
      {"\x1b"
       "c\x1b[!p\x1b#8\x1b=\x1b(0\x1bZ",
       "␛␛␛␛␛␛", "resets, charsets, old query"},
      {"\x1b[>4;2m\x1b[?1m\x1b[5 q\x1b[0;1$r", "␛␛␛␛", "private and intermediate bytes"},
      {"\x1b[99999C\x1b[5000b\x1b[1;2;3H\x1b[1;2;3;4;5T\x1b[1;2s", "␛␛␛␛␛", "numbers too large or too many"},
      {"\x05\x07\x0e\x0f\x0b\x0c"sv, "␅␇␎␏␋␌", "C0 controls"},
      {"a\0\x7f"
       "b"sv,
       "ab", "NUL and DEL"},
      {"\xc2\x9b"
       "31m",
       "␛31m", "C1 CSI as UTF-8: its text stays"},
      {"\x9b"
       "31m",
       "\xef\xbf\xbd"
       "31m",
       "C1 CSI as a byte"},
      {"a\xe2\x80\xae"
       "b",
       "a\xef\xbf\xbd"
       "b",
       "bidi override"},
      {"\x1b", "␛", "ends in ESC"},
      {"\x1b[31", "␛", "ends in CSI"},
      {"\x1b(", "␛", "ends in an intermediate"},
      {"\xe2\x82", "\xef\xbf\xbd", "ends in a character"},
      {"\x1b\\", "␛", "a terminator of nothing"},
  };
  for (const Row& row : rows) EXPECT_EQ(filtered(row.bytes), row.shown) << row.edge;
}

TEST(SafeTerminal, PassesColourMovementEraseAndTheAlternateScreen) {
  for (const std::string_view text : {"\x1b[m", "\x1b[1;31m", "\x1b[38:2::1:2:3m", "\x1b[38;5;196m", "\x1b[2J\x1b[H", "\x1b[10;20H",
                                      "\x1b[3A\x1b[B\x1b[5G", "\x1b[K", "\x1b[1;24r", "\x1b[?1049h\x1b[?1049l",
                                      "\x1b"
                                      "7\x1b"
                                      "8\x1bM",
                                      "\x1b[L\x1b[2P\x1b[4X", "\x1b(B", "a\b\t\r\nb", "grüße 東京 😀", "\x1b[20b"}) {
    EXPECT_EQ(filtered(text), text);
  }
}

TEST(SafeTerminal, CannotBeMadeToHideWhatFollows) {
  EXPECT_EQ(filtered("\x1b]0;never ended\nrm -rf /"), "␛\nrm -rf /");
  const std::string flood = "\x1b]" + std::string(5000, 'x') + "visible";
  EXPECT_TRUE(filtered(flood).ends_with("visible"));
  EXPECT_LE(flood.size() - filtered(flood).size(), SafeTerminal::kMaxString);
  const std::string digits = "\x1b[" + std::string(20000, '1') + "visible";
  EXPECT_TRUE(filtered(digits).ends_with("isible"));
  EXPECT_GT(filtered(digits).size(), 10000U);
  EXPECT_EQ(filtered("\x1b]0;x\x1b[31mred"), "␛\x1b[31mred") << "a string that is broken off by another sequence";
  EXPECT_EQ(filtered("\x1b[3\nrm"), "␛\nrm") << "a control inside a sequence";
}

TEST(SafeTerminal, GivesTheSameForEverySplit) {
  const std::string bytes = "a\x1b]0;t\x1b\\\xe6\x9d\xb1\x1b[1;31mx\x1b[?2004h\xff\x1b(B\x1b[\x1b[K\x1bP1\x07z\xe2";
  const std::string expected = filtered(bytes);
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      SafeTerminal terminal;
      std::string out = terminal.filter(bytes.substr(0, first));
      out += terminal.filter(bytes.substr(first, second - first));
      out += terminal.filter(bytes.substr(second));
      out += terminal.finish();
      ASSERT_EQ(out, expected) << first << " " << second;
    }
  }
}

TEST(SafeTerminal, PrintsOnlyItsAllowListForRandomSequences) {
  std::mt19937 random(20260101);
  const std::string_view kinds = "\x1b\x1b\x1b[[]P(?;:0123456789hlmABHJKbrsuTtcnqx\x07\n\\\xc2\x9b\xe2\x80\xae$ >!";
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = random() % 8 == 0 ? char(random()) : kinds[random() % kinds.size()];
    ASSERT_EQ(whyNotSafe(filtered(bytes)), std::nullopt) << escapeLine(bytes);
  }
}

TEST(SafeTerminal, LeavesTheMarksOutWhenToldTo) {
  SafeTerminal terminal(SafeTerminal::Dropped::Silent);
  EXPECT_EQ(terminal.filter("a\x1b[?2004hb\x07"
                            "c\x1b]0;x\x07"
                            "d"),
            "abcd");
}

TEST(SafeTerminal, StartsAnewAfterItsEnd) {
  SafeTerminal terminal;
  (void)terminal.filter("\x1b]0;");
  (void)terminal.finish();
  EXPECT_EQ(terminal.filter("text"), "text");
  EXPECT_EQ(whyNotSafe(SafeTerminal::resetSequence()), std::nullopt);
}

}  // namespace
}  // namespace ptygate::base::testing
