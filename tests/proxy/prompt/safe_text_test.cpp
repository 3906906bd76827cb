// SPDX-License-Identifier: Apache-2.0
#include "proxy/base/safe_text.h"

#include <gtest/gtest.h>

#include <random>

#include "safe_text_checks.h"

namespace ptygate::base::testing {
namespace {

struct Row {
  std::string_view bytes;
  std::string_view shown;
  const char* edge;
};

TEST(EscapeLine, MakesEverythingVisibleThatCouldActOrHide) {
  using namespace std::string_view_literals;
  const Row rows[] = {
      {"\x1b]52;c;cm0=\x07"sv, "\\x1b]52;c;cm0=\\x07", "OSC 52"},
      {"a\0b"sv, "a\\x00b", "NUL"},
      {"a\r\nb\tc\x7f"sv, "a\\x0d\\x0ab\\x09c\\x7f", "line ends, tab, DEL"},
      {"\xff\xfe"sv, "\\xff\\xfe", "never UTF-8"},
      {"\xc0\xaf"sv, "\\xc0\\xaf", "overlong slash"},
      {"\xed\xa0\x80"sv, "\\xed\\xa0\\x80", "surrogate"},
      {"\xf4\x90\x80\x80"sv, "\\xf4\\x90\\x80\\x80", "above the last code point"},
      {"\xe2\x82"sv, "\\xe2\\x82", "cut character"},
      {"\xc2\x9b"
       "31m"sv,
       "\\u009b31m", "C1 CSI"},
      {"rm \xe2\x80\xae"
       "x"sv,
       "rm \\u202ex", "right-to-left override"},
      {"\xe2\x81\xa6"sv, "\\u2066", "isolate"},
      {"a\xe2\x80\x8b"
       "b"sv,
       "a\\u200bb", "zero width space"},
      {"\xef\xbb\xbf"sv, "\\ufeff", "byte order mark"},
      {"a\xc2\xa0"
       "b"sv,
       "a\\u00a0b", "no-break space"},
      {"\xe3\x80\x80"sv, "\\u3000", "ideographic space"},
      {"\xe2\xa0\x80"sv, "\\u2800", "braille blank"},
      {"\xe3\x85\xa4"sv, "\\u3164", "Hangul filler"},
      {"\xd7\x90"sv, "\\u05d0", "Hebrew letter reorders"},
      {"\xd8\xa7"sv, "\\u0627", "Arabic letter reorders"},
      {"\xe2\x80\xa8"sv, "\\u2028", "line separator"},
      {"\xee\x80\x80"sv, "\\ue000", "private use"},
      {"\xf3\xa0\x81\x81"sv, "\\U000e0041", "tag letter"},
      {"\xcc\x81"sv, "\\u0301", "mark on nothing"},
      {"/\x20\xcc\x81"sv, "/ \\u0301", "mark on a space"},
      {"e\xcc\x81\xcc\x81\xcc\x81"sv, "e\xcc\x81\xcc\x81\\u0301", "third mark"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(escapeLine(row.bytes), row.shown) << row.edge;
    EXPECT_EQ(unescapeLine(row.shown), row.bytes) << row.edge;
  }
}

TEST(EscapeLine, LeavesOrdinaryTextAsItWasTyped) {
  for (const std::string_view text :
       {"systemctl restart api", R"(printf 'a\nb' | grep '\.log$')", "grüße 東京 ✓ 😀", "", "~`!@#$%^&*()[]{}<>?"}) {
    EXPECT_EQ(escapeLine(text), text);
  }
}

TEST(EscapeLine, DoublesABackslashOnlyWhereItWouldReadAsAnEscape) {
  const Row rows[] = {
      {R"(\x1b)", R"(\\x1b)", "typed, not an ESC byte"},
      {R"(\u202e)", R"(\\u202e)", "typed"},
      {R"(\U)", R"(\\U)", "typed"},
      {R"(\\)", R"(\\\)", "two"},
      {R"(\)", R"(\)", "alone"},
      {"\\\x1b", R"(\\\x1b)", "before an escape"},
      {R"(\\n)", R"(\\\n)", "two before n"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(escapeLine(row.bytes), row.shown) << row.edge;
    EXPECT_EQ(unescapeLine(row.shown), row.bytes) << row.edge;
  }
}

TEST(EscapeLine, IsPrintableAndReversibleForRandomBytesAndForEveryCodePoint) {
  std::mt19937 random(20260101);
  const std::string_view kinds =
      "\\xuU\x1b\xc2\x9b\xe2\x80\xae \xcc\x81"
      "e";
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 24, '\0');
    for (char& byte : bytes) byte = random() % 2 == 0 ? char(random()) : kinds[random() % kinds.size()];
    const std::string escaped = escapeLine(bytes);
    ASSERT_EQ(unescapeLine(escaped), bytes);
    ASSERT_EQ(whyNotPrintable(escaped), std::nullopt) << escaped;
  }
  for (std::uint32_t code = 0x80; code <= 0x10ffff; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    char written[16];
    std::snprintf(written, sizeof written, "\\U%08x", code);
    const std::string bytes = unescapeLine(written);
    const std::string escaped = escapeLine(bytes);
    ASSERT_EQ(unescapeLine(escaped), bytes) << written;
    ASSERT_EQ(whyNotPrintable(escaped), std::nullopt) << written;
  }
}

TEST(EscapeClipped, SaysHowMuchIsMissingAndCutsNoCharacter) {
  EXPECT_EQ(escapeClipped("short", 10), "short");
  EXPECT_EQ(escapeClipped("0123456789abc", 10), "0123456789… (3 bytes more)");
  EXPECT_EQ(escapeClipped("123\xe2\x9c\x93"
                          "abc",
                          4),
            "123… (6 bytes more)");
}

TEST(ColumnsOf, CountsWideCharactersTwiceAndMarksNot) {
  EXPECT_EQ(columnsOf("abc"), 3U);
  EXPECT_EQ(columnsOf("東京"), 4U);
  EXPECT_EQ(columnsOf("e\xcc\x81"), 1U);
}

}  // namespace
}  // namespace ptygate::base::testing
