// SPDX-License-Identifier: Apache-2.0
#include "certs/wire.h"

#include "tests/certs/support.h"

namespace ptygate::certs {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using testing::expectError;

TEST(Cursor, RefusesAFieldBeyondTheEnd) {
  for (const std::string& bytes : {""s, "\0\0\0"s, "\0\0\0\x01"s, "\0\0\0\x05"s + "four"s, "\xff\xff\xff\xff"s + "x"s}) {
    Cursor cursor(bytes);
    EXPECT_EQ(cursor.string(), "");
    expectError(cursor.finish("test"), ErrorKind::Malformed);
  }
}

TEST(Cursor, RefusesBytesLeftOver) {
  Cursor cursor("\0\0\0\x01xy"sv);
  EXPECT_EQ(cursor.string(), "x");
  expectError(cursor.finish("test"), ErrorKind::Malformed);
}

TEST(Cursor, RefusesAStringOverItsLimit) {
  Cursor cursor("\0\0\0\x03xyz"sv);
  EXPECT_EQ(cursor.string(2), "");
  expectError(cursor.finish("test"), ErrorKind::TooLarge);
}

TEST(Cursor, RefusesATextWithNul) {
  Cursor cursor("\0\0\0\x03x\0z"sv);
  EXPECT_EQ(cursor.text(), "");
  expectError(cursor.finish("test"), ErrorKind::Malformed);
}

TEST(Cursor, RefusesMpintsThatAreNotPositiveAndMinimal) {
  struct Row {
    const char* what;
    std::string mpint;
  };
  for (const Row& row : {Row{"zero", ""s}, Row{"zero as a byte", "\0"s}, Row{"negative", "\x80"s}, Row{"superfluous zero", "\0\x7f"s}}) {
    const Bytes bytes = Builder().string(row.mpint).take();
    Cursor cursor(bytes);
    EXPECT_EQ(cursor.mpint(), "") << row.what;
    EXPECT_TRUE(cursor.hasFailed()) << row.what;
  }
}

TEST(Cursor, YieldsNothingAfterAFailure) {
  Cursor cursor(
      "\0\0\0\x09"
      "abcdefgh"sv);
  EXPECT_EQ(cursor.string(), "");
  EXPECT_EQ(cursor.uint32(), 0U);
  EXPECT_EQ(cursor.rest(), "");
  EXPECT_TRUE(cursor.atEnd());
}

TEST(Cursor, KeepsTheFirstReason) {
  Cursor cursor("");
  cursor.fail(ErrorKind::TooLarge, "first");
  cursor.byte();
  const auto end = cursor.finish("test");
  ASSERT_FALSE(end.has_value());
  EXPECT_EQ(end.error().kind, ErrorKind::TooLarge);
  EXPECT_NE(end.error().text.find("first"), std::string::npos);
}

TEST(Cursor, ReadsWhatTheBuilderWrote) {
  const Bytes bytes =
      Builder().byte(7).uint32(0x01020304).uint64(0xfffefdfcfbfaf9f8).string("a\0b"sv).mpint("\0\x80"sv).mpint("\x7f").take();
  Cursor cursor(bytes);
  EXPECT_EQ(cursor.byte(), 7);
  EXPECT_EQ(cursor.uint32(), 0x01020304U);
  EXPECT_EQ(cursor.uint64(), 0xfffefdfcfbfaf9f8U);
  EXPECT_EQ(cursor.string(), "a\0b"sv);
  EXPECT_EQ(cursor.mpint(), "\x80");
  EXPECT_EQ(cursor.mpint(), "\x7f");
  EXPECT_TRUE(cursor.finish("test").has_value());
}

TEST(Base64, RefusesEverySecondSpelling) {
  for (const std::string& text :
       {"QQ"s, "QQ="s, "QR=="s, "QUJ="s, "=QUJ"s, "Q=Q="s, "QQ==QQ=="s, " QQ=="s, "QQ==\n"s, "QUJ\n"s, "Q-_="s, "===="s, "QUI=\0"s}) {
    EXPECT_FALSE(base64Decode(text).has_value()) << escaped(text);
  }
}

TEST(Base64, RoundTripsEveryLengthUpToFour) {
  for (const std::string& bytes : {""s, "\0"s, "\xff\x00"s, "abc"s, "\xfb\xff\xfe\x01"s}) {
    EXPECT_EQ(base64Decode(base64Encode(bytes)), bytes);
    EXPECT_EQ(base64DecodeSecret(base64Encode(bytes))->expose(), bytes);
  }
}

TEST(Escaped, LeavesOnlyPrintableAscii) {
  EXPECT_EQ(escaped("a\x1b[2J\\\n\x7f\xc3\xa4 z"), "a\\x1b[2J\\\\\\x0a\\x7f\\xc3\\xa4 z");
}

TEST(SecretBytes, IsEmptyAfterAMove) {
  SecretBytes first(4);
  const SecretBytes second(std::move(first));
  EXPECT_EQ(second.size(), 4U);
  EXPECT_EQ(first.size(), 0U);  // NOLINT(bugprone-use-after-move): that is the question
}

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::is_convertible_v<SecretBytes, std::string>);

}  // namespace
}  // namespace ptygate::certs
