// SPDX-License-Identifier: Apache-2.0
#include "policy/placeholders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ptygate::policy {
namespace {

using ::testing::HasSubstr;

bool matches(const char* pattern, std::string_view word) {
  auto parsed = WordPattern::parse(pattern);
  if (!parsed) ADD_FAILURE() << pattern << ": " << parsed.error();
  return parsed && parsed->matches(word);
}

std::string errorOf(const char* pattern) {
  const auto parsed = WordPattern::parse(pattern);
  return parsed ? "(accepted)" : parsed.error();
}

TEST(Placeholder, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(errorOf("{number}"), HasSubstr("unknown placeholder \"{number}\"; known: {int}"));
  EXPECT_THAT(errorOf("--since={int}"), HasSubstr("whole word"));
  EXPECT_THAT(errorOf("{}"), HasSubstr("whole word"));
  EXPECT_THAT(errorOf("{int"), HasSubstr("whole word"));
  EXPECT_THAT(errorOf("{int}*"), HasSubstr("whole word"));
  EXPECT_THAT(errorOf("{flags}"), HasSubstr("write \"{flags}*\""));
  EXPECT_THAT(errorOf("{path:srv/**}"), HasSubstr("absolute"));
  EXPECT_THAT(errorOf("{path:/srv/../etc}"), HasSubstr("absolute"));
  EXPECT_THAT(errorOf("{path:/srv/a**}"), HasSubstr("component of its own"));
  EXPECT_THAT(errorOf("{path:/srv/[ab]}"), HasSubstr("not supported"));
  EXPECT_THAT(errorOf("{oneof:a||b}"), HasSubstr("empty choice"));
  EXPECT_THAT(errorOf("{oneof:}"), HasSubstr("empty choice"));
  EXPECT_THAT(errorOf("{oneof:-a|b}"), HasSubstr("starts with \"-\""));
  EXPECT_THAT(errorOf("{re:(}"), HasSubstr("{re:…}"));
  EXPECT_THAT(errorOf("{re:}"), HasSubstr("1 to 200"));
  EXPECT_THAT(errorOf(""), HasSubstr("empty word"));
  EXPECT_THAT(errorOf("a\xe2\x80\xae"), HasSubstr("bidirectional"));
}

TEST(Placeholder, NeverMatchesAnEmptyWordAnOptionOrWhatMisleadsTheEye) {
  for (const char* pattern : {"{int}", "{name}", "{path:/**}", "{oneof:a|b}", "{unit}", "{container}", "{branch}", "{sha}", "{re:.*}"}) {
    EXPECT_FALSE(matches(pattern, "")) << pattern;
    EXPECT_FALSE(matches(pattern, "-x")) << pattern;
    EXPECT_FALSE(matches(pattern, "-1")) << pattern;
  }
  for (const char* word : {"a\n", "a\x1b[2J", "a\x7f", "a\t",
                           "\xe2\x80\xae"
                           "a",
                           "a\xe2\x80\x8b", "a\xe2\x81\xa6", "\xd8\x9c", "\xc2\x85",
                           "\xef\xbb\xbf"
                           "a",
                           "a\xc2\xa0", "a\xe2\x80\xa8"}) {
    EXPECT_FALSE(matches("{re:(?s).*}", word)) << testing::PrintToString(word);
  }
  EXPECT_TRUE(matches("{re:.*}",
                      "gr\xc3\xbc\xc3\x9f"
                      "e \xe4\xbd\xa0"));
}

TEST(Placeholder, HasALimitOnTheWord) {
  EXPECT_TRUE(matches("{re:a*}", std::string(1024, 'a')));
  EXPECT_FALSE(matches("{re:a*}", std::string(1025, 'a')));
}

TEST(Placeholder, MatchesItsTypeOnly) {
  struct Row {
    const char* pattern;
    std::vector<const char*> accepted;
    std::vector<const char*> refused;
  };
  const Row rows[] = {
      {"{int}", {"0", "42", "007"}, {"4.2", "1e3", "0x1", "+1", "1234567890123456789"}},
      {"{name}", {"web1", "a.b_c-d"}, {"a b", "a/b", ".a", "a;b", "a$b", "\xc3\xbc"}},
      {"{unit}", {"nginx", "nginx.service", "getty@tty1.service"}, {"*", "ngin?", "a/b", "[a-z]*", "a\\x2d"}},
      {"{container}", {"app_1", "0a1b"}, {"a/b", "a:b", "../a"}},
      {"{branch}",
       {"main", "feature/x-1", "v1.2"},
       {"main..dev", "a@{1}", "a:b", "/a", "a/", "a//b", "a.lock", "a/.b", "a~1", "a^", "HEAD~", "a."}},
      {"{sha}", {"deadbee", "0123456789abcdef0123456789abcdef01234567"}, {"deadbe", "DEADBEEF", "xyzxyzx"}},
      {"{oneof:a|b c}", {"a", "b c"}, {"b", "a|b c", "A"}},
      {"{re:v[0-9]+}", {"v1", "v22"}, {"xv1", "v1x", "v1\n"}},
      {"{path:/srv/app/**}",
       {"/srv/app/x", "/srv/app/x/y.z"},
       {"/srv/app", "/srv/app/", "/srv/apple/x", "/srv/app/../x", "/srv/app/./x", "/srv//app/x", "srv/app/x", "/srv/app/x/.."}},
      {"{path:/srv/*/log}", {"/srv/a/log", "/srv/.h/log"}, {"/srv/a/b/log", "/srv/log", "/srv/a/log/x"}},
      {"{path:/srv/**/log}", {"/srv/log", "/srv/a/log", "/srv/a/b/log"}, {"/srv/a", "/log"}},
      {"{path:/a?c}", {"/abc"}, {"/ac", "/a/c"}},
      {"restart", {"restart"}, {"Restart", "restart ", ""}},
  };
  for (const Row& row : rows) {
    for (const char* word : row.accepted) EXPECT_TRUE(matches(row.pattern, word)) << row.pattern << " " << word;
    for (const char* word : row.refused) EXPECT_FALSE(matches(row.pattern, word)) << row.pattern << " " << word;
  }
}

TEST(Glob, KnowsStarsAndQuestionMarksOnly) {
  EXPECT_TRUE(globMatches("deploy-*", "deploy-"));
  EXPECT_TRUE(globMatches("*-*-x", "a-b-c-x"));
  EXPECT_TRUE(globMatches("a?c", "abc"));
  EXPECT_TRUE(globMatches("*", ""));
  EXPECT_FALSE(globMatches("deploy-*", "xdeploy-a"));
  EXPECT_FALSE(globMatches("a", "ab"));
  EXPECT_FALSE(globMatches("[ab]", "a"));
  EXPECT_FALSE(globMatches("", "a"));
}

TEST(Glob, IsNotSlowOnManyStars) {
  EXPECT_FALSE(globMatches(std::string(40, '*') + "b", std::string(5'000, 'a')));
  std::string glob;
  for (int i = 0; i < 30; ++i) glob += "a*";
  EXPECT_FALSE(globMatches(glob + "b", std::string(2'000, 'a')));
}

}  // namespace
}  // namespace ptygate::policy
