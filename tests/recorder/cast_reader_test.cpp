// SPDX-License-Identifier: Apache-2.0
#include "recorder/cast_reader.h"

#include <fcntl.h>

#include "recorder/base64.h"
#include "recorder/json_text.h"
#include "recorder/utf8.h"
#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using testing::decode;

TEST(CastLine, RefusesWhatIsNotExactlyTimeCodeAndText) {
  const struct {
    const char* edge;
    const char* line;
  } rows[] = {
      {"empty", ""},
      {"an object", R"({"a":1})"},
      {"two elements", R"([1,"o"])"},
      {"four elements", R"([1,"o","x","y"])"},
      {"data is a number", R"([1,"o",2])"},
      {"code of two characters", R"([1,"oo","x"])"},
      {"empty code", R"([1,"","x"])"},
      {"negative time", R"([-1,"o","x"])"},
      {"exponent", R"([1e3,"o","x"])"},
      {"no decimals after the point", R"([1.,"o","x"])"},
      {"seven decimals", R"([1.1234567,"o","x"])"},
      {"ten digits", R"([1234567890,"o","x"])"},
      {"something after it", R"([1,"o","x"] )"},
      {"string not closed", R"([1,"o","x)"},
      {"backslash at the end", "[1,\"o\",\"x\\"},
      {"unknown escape", R"([1,"o","\q"])"},
      {"raw control character", "[1,\"o\",\"\x01\"]"},
      {"invalid UTF-8", "[1,\"o\",\"\xff\"]"},
      {"lone high surrogate", R"([1,"o","\ud800"])"},
      {"lone low surrogate", R"([1,"o","\udc00"])"},
      {"high surrogate without low", R"([1,"o","\ud800\u0041"])"},
      {"short \\u", R"([1,"o","\u12"])"},
  };
  for (const auto& row : rows) EXPECT_FALSE(parseCastLine(row.line)) << row.edge;
}

TEST(CastLine, TakesWhatOtherWritersWrite) {
  const auto line = parseCastLine(R"([0.25, "o", "\u00e9\ud83d\ude00\/\n"])");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->at.count(), 250'000);
  EXPECT_EQ(line->code, 'o');
  EXPECT_EQ(line->data, "é😀/\n");
}

TEST(CastHeader, RefusesForeignVersionsAndSizes) {
  for (const char* line : {"", "[]", "{}", R"({"version":3,"width":80,"height":24})", R"({"version":2,"width":80})",
                           R"({"version":2,"width":0,"height":24})", R"({"version":2,"width":"80","height":24})",
                           R"({"version":2,"width":80,"height":24)", R"({"version":"2","width":80,"height":24})"}) {
    EXPECT_FALSE(parseHeader(line)) << line;
  }
}

TEST(CastReader, RefusesALineLongerThanTheLimit) {
  CastReader reader("[1,\"o\",\"" + std::string(kMaxCastLineBytes, 'x') + "\"]\n");
  EXPECT_FALSE(reader.next());
}

TEST(CastReader, RefusesTimeThatGoesBackAndSaysWhere) {
  CastReader reader(std::string("[2,\"o\",\"a\"]\n[1,\"o\",\"b\"]\n"));
  ASSERT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.offset(), 12U);
}

TEST(CastReader, TellsAnUnfinishedLastLine) {
  CastReader reader(std::string("[2,\"o\",\"a\"]\n[3,\"o\",\"b"));
  ASSERT_TRUE(*reader.next());
  EXPECT_FALSE(*reader.next());
  EXPECT_EQ(reader.offset(), 12U);
  EXPECT_EQ(reader.tornBytes(), 9U);
}

TEST(CastReader, FollowsAFileThatGrows) {
  const testing::TempDir dir;
  testing::writeFile(dir / "a", "[1,\"o\",\"a\"]\n[2,\"o\"");
  CastReader reader(Fd(open((dir / "a").c_str(), O_RDONLY)));
  EXPECT_TRUE(*reader.next());
  EXPECT_FALSE(*reader.next());
  std::ofstream(dir / "a", std::ios::app) << ",\"b\"]\n";
  const auto line = reader.next();
  ASSERT_TRUE(line && *line);
  EXPECT_EQ((*line)->data, "b");
}

TEST(CastDecoder, RefusesOrdersThatTheEncoderNeverWrites) {
  const struct {
    const char* edge;
    const char* lines;
  } rows[] = {
      {"b without its text", "[1,\"b\",\"AA==\"]\n[1,\"m\",\"x\"]\n"},
      {"b that is not base64", "[1,\"b\",\"A\"]\n"},
      {"b of nothing", "[1,\"b\",\"\"]\n"},
      {"base64 with bits left over", "[1,\"b\",\"AB==\"]\n"},
      {"e without its twin", "[1,\"e\",\"x\"]\n[1,\"o\",\"y\"]\n"},
      {"held bytes that do not come back", "[1,\"h\",\"1 4oI=\"]\n[1,\"o\",\"x\"]\n"},
      {"held bytes that are a whole character", "[1,\"h\",\"1 QQ==\"]\n"},
      {"held bytes of a third stream", "[1,\"h\",\"3 4oI=\"]\n"},
      {"exit without status", "[1,\"x\",\"\"]\n"},
      {"exit with more than a status", "[1,\"x\",\"1 \"]\n"},
      {"resize without rows", "[1,\"r\",\"80\"]\n"},
      {"secret without length", "[1,\"k\",\"secret x\"]\n"},
  };
  for (const auto& row : rows) EXPECT_NE(decode(row.lines).problem, "") << row.edge;
}

TEST(CastDecoder, PassesOverCodesOfOthers) {
  EXPECT_EQ(decode("[1,\"z\",\"x\"]\n[1,\"o\",\"y\"]\n").output, "y");
}

TEST(Utf8, AgreesWithTheUnicodeTableAtItsEdges) {
  const struct {
    const char* bytes;
    std::size_t valid, span, tail;
  } rows[] = {
      {"\x7f", 1, 0, 0},
      {"\xc2\x80", 2, 0, 0},
      {"\xc1\x80", 0, 1, 0},
      {"\xe0\xa0\x80", 3, 0, 0},
      {"\xe0\x9f\x80", 0, 1, 0},
      {"\xed\x9f\xbf", 3, 0, 0},
      {"\xed\xa0\x80", 0, 1, 0},
      {"\xf0\x90\x80\x80", 4, 0, 0},
      {"\xf0\x8f\x80\x80", 0, 1, 0},
      {"\xf4\x8f\xbf\xbf", 4, 0, 0},
      {"\xf4\x90\x80\x80", 0, 1, 0},
      {"\xf5", 0, 1, 0},
      {"\xf0\x9f\x98", 0, 3, 3},
      {"\xf0\x9f", 0, 2, 2},
      {"\xe2", 0, 1, 1},
      {"\xe2\x82x", 0, 2, 0},
      {"\x80", 0, 1, 0},
      {"\xe2\x82\xac\xe2", 3, 0, 1},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(validPrefix(row.bytes), row.valid) << ::testing::PrintToString(row.bytes);
    if (row.valid == 0) {
      EXPECT_EQ(invalidSpan(row.bytes), row.span) << ::testing::PrintToString(row.bytes);
    }
    EXPECT_EQ(incompleteTail(row.bytes), row.tail) << ::testing::PrintToString(row.bytes);
  }
}

TEST(ByteProfile, CountsAlikeAtEveryAlignmentAndLength) {
  std::string bytes;
  for (int i = 0; i < 9000; ++i) bytes.push_back(static_cast<char>(i * 7 + i / 256));
  for (std::size_t size : {0UL, 1UL, 15UL, 16UL, 17UL, 4079UL, 4080UL, 4081UL, 9000UL}) {
    std::size_t expected = 0;
    for (std::size_t i = 0; i < size; ++i) expected += profileOf(std::string_view(bytes).substr(i, 1)).binary;
    EXPECT_EQ(profileOf(std::string_view(bytes).substr(0, size)).binary, expected) << size;
  }
  EXPECT_EQ(profileOf(std::string(5000, '\0')).binary, 5000U);
  EXPECT_EQ(profileOf("plain\ttext\r\n\x1b[0m\b\a").binary, 0U);
}

}  // namespace
}  // namespace ptygate::recorder
