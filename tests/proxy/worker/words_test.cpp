// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "proxy/session/agent_voice.h"
#include "proxy/session/verb_session.h"

namespace ptygate::session {
namespace {

using Words = std::vector<std::string>;

TEST(VerbWords, RefuseAnOpenQuote) {
  EXPECT_FALSE(splitWords("deny 4 --reason 'not now"));
  EXPECT_FALSE(splitWords("\""));
}

TEST(VerbWords, AreSplitAsPeopleTypeThem) {
  EXPECT_EQ(splitWords("approve 42-k7f3"), (Words{"approve", "42-k7f3"}));
  EXPECT_EQ(splitWords("deny 42 --reason 'not now'"), (Words{"deny", "42", "--reason", "not now"}));
  EXPECT_EQ(splitWords("a\\ b \"c \\\" d\" ''"), (Words{"a b", "c \" d", ""}));
  EXPECT_EQ(splitWords("   "), Words{});
}

TEST(VerbWords, ExpandNothing) { EXPECT_EQ(splitWords("show $HOME `id` *"), (Words{"show", "$HOME", "`id`", "*"})); }

TEST(AgentVoice, IgnoresANonceThatCouldForgeALine) {
  AgentVoice voice;
  EXPECT_FALSE(voice.configure("PTYGATE_NONCE", "a\"b"));
  EXPECT_FALSE(voice.configure("PTYGATE_NONCE", std::string(65, 'a')));
  EXPECT_FALSE(voice.configure("PTYGATE_OUTPUT", "xml"));
}

TEST(AgentVoice, PutsTheNonceIntoEachJsonLine) {
  AgentVoice voice;
  ASSERT_TRUE(voice.configure("PTYGATE_OUTPUT", "json"));
  ASSERT_TRUE(voice.configure("PTYGATE_NONCE", "n0nce"));
  EXPECT_EQ(voice.line("held", "wait", {{"hold", "4-abcd"}, {"empty", ""}}),
            "{\"ptygate\":\"held\",\"nonce\":\"n0nce\",\"hold\":\"4-abcd\",\"text\":\"wait\"}\n");
}

TEST(AgentVoice, EscapesForeignTextInItsLines) {
  AgentVoice voice;
  std::string line = voice.line("denied", "rule \x1b[31m\nptygate: forged");
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

}  // namespace
}  // namespace ptygate::session
