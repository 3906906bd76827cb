// SPDX-License-Identifier: Apache-2.0
#include "policy/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ptygate::policy {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

TEST(Duration, RefusesWhatHasNoPlainUnitAndSaysWhatToWrite) {
  struct Row {
    const char* text;
    const char* says;
  };
  for (const Row& row :
       {Row{"", "is not a duration"}, Row{"5", "has no unit"}, Row{"m", "is not a duration"}, Row{"-5m", "is not a duration"},
        Row{"+5m", "is not a duration"}, Row{" 5m", "is not a duration"}, Row{"5 m", "unknown unit"}, Row{"5min", "unknown unit"},
        Row{"1.5h", "unknown unit"}, Row{"0s", "is zero"}, Row{"367d", "too large"}, Row{"99999999999999999999s", "too large"},
        Row{"5M", "unknown unit"}, Row{"none", "is not a duration"}}) {
    const auto parsed = parseDuration(row.text);
    ASSERT_FALSE(parsed) << row.text;
    EXPECT_THAT(parsed.error(), HasSubstr(row.says)) << row.text;
  }
}

TEST(Duration, ReadsEveryUnitAndItsLargestValue) {
  EXPECT_EQ(*parseDuration("1ms"), milliseconds(1));
  EXPECT_EQ(*parseDuration("50s"), milliseconds(50'000));
  EXPECT_EQ(*parseDuration("5m"), milliseconds(300'000));
  EXPECT_EQ(*parseDuration("2h"), milliseconds(7'200'000));
  EXPECT_EQ(*parseDuration("366d"), milliseconds(366LL * 86'400'000));
}

TEST(Duration, IsPrintedInTheLargestExactUnit) {
  EXPECT_EQ(formatDuration(milliseconds(90'000)), "90s");
  EXPECT_EQ(formatDuration(milliseconds(120'000)), "2m");
  EXPECT_EQ(formatDuration(milliseconds(1'001)), "1001ms");
  EXPECT_EQ(formatDuration(milliseconds(0)), "0ms");
}

TEST(Size, RefusesDecimalUnitsAndBareNumbers) {
  EXPECT_THAT(parseBytes("64KB").error(), HasSubstr("unknown unit \"KB\"; write a size such as"));
  EXPECT_THAT(parseBytes("64").error(), HasSubstr("has no unit"));
  EXPECT_THAT(parseBytes("2000GiB").error(), HasSubstr("too large"));
  EXPECT_THAT(parseBytes("18446744073709551615GiB").error(), HasSubstr("too large"));
}

TEST(Size, ReadsAndPrintsTheSameForm) {
  for (const char* text : {"0B", "1B", "64KiB", "8MiB", "1024GiB", "1025KiB"}) {
    const auto parsed = parseBytes(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(formatBytes(*parsed), text);
  }
}

}  // namespace
}  // namespace ptygate::policy
