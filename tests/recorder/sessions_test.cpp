// SPDX-License-Identifier: Apache-2.0
#include "recorder/sessions.h"

#include <gmock/gmock.h>

#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using testing::wall;

constexpr const char* kSession = "20261120-100732-k7f3a";

class Lines {
 public:
  Lines& add(LedgerEvent event, std::string_view at = "2026-11-20T10:07:32.123Z") {
    LedgerLine line;
    line.n = n_++;
    line.at = wall(at);
    line.event = std::move(event);
    index_.apply(line);
    return *this;
  }
  std::vector<SessionRow> rows() { return index_.take(); }

 private:
  SessionIndex index_;
  std::uint64_t n_ = 0;
};

LedgerEvent event(const char* kind) {
  return {kind, {}};
}

std::vector<SessionRow> sample() {
  Lines lines;
  lines.add(event("session_opened")
                .set("session", kSession)
                .set("request", 1)
                .set("agent", "bot")
                .set("target", "web1")
                .set("login", "deploy")
                .set("command", "systemctl restart api"));
  lines.add(event("request")
                .set("request", 1)
                .set("session", kSession)
                .set("hold", 42)
                .set("agent", "bot")
                .set("command", "systemctl restart api")
                .set("intent", "memory leak"));
  lines.add(event("answer").set("hold", 42).set("person", "alice").set("answer", "approve").set("reason", ""));
  lines.add(event("decision")
                .set("request", 1)
                .set("session", kSession)
                .set("hold", 42)
                .set("verdict", "allow")
                .set("rule", "restarts")
                .set("reviewers", std::vector<std::string>{"alice"}),
            "2026-11-20T10:07:40.000Z");
  lines.add(event("exit").set("request", 1).set("session", kSession).set("status", 3).set("ending", "exited"), "2026-11-20T10:08:00.000Z");
  lines.add(event("seal").set("session", kSession).set("bytes", 1234).set("final", true), "2026-11-20T10:08:00.123Z");
  lines.add(event("request").set("request", 2).set("agent", "bot").set("target", "db1").set("command", "rm -rf /"),
            "2026-11-21T00:00:00.000Z");
  lines.add(event("decision").set("request", 2).set("verdict", "deny").set("rule", "never").set("reason", "no"),
            "2026-11-21T00:00:00.001Z");
  return lines.rows();
}

std::size_t matching(const std::vector<std::string>& words) {
  const auto filter = SessionFilter::parse(words, wall("2026-11-21T01:00:00.000Z"));
  EXPECT_TRUE(filter);
  const auto rows = sample();
  return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](const SessionRow& row) { return filter->matches(row); }));
}

TEST(SessionFilter, RefusesWhatItDoesNotKnow) {
  for (const char* word :
       {"", "agent", "agent:", "nobody:x", "since:yesterday", "since:5", "since:-1h", "until:99999999999999999999d", "until:2026-13-01"}) {
    const auto filter = SessionFilter::parse(std::vector<std::string>{word}, wall());
    ASSERT_FALSE(filter) << word;
    EXPECT_EQ(filter.error().kind, RecorderError::Kind::Malformed);
  }
}

TEST(SessionFilter, KeepsWhatMatchesEveryWord) {
  const struct {
    std::vector<std::string> words;
    std::size_t count;
  } rows[] = {{{}, 2},
              {{"agent:bot"}, 2},
              {{"agent:bo"}, 0},
              {{"target:web1"}, 1},
              {{"login:deploy"}, 1},
              {{"verdict:deny"}, 1},
              {{"verdict:deny", "target:web1"}, 0},
              {{"rule:restarts"}, 1},
              {{"reviewer:alice"}, 1},
              {{"reviewer:bob"}, 0},
              {{"exit:3"}, 1},
              {{"exit:0"}, 0},
              {{"command:restart"}, 1},
              {{"text:leak"}, 1},
              {{"text:db1"}, 1},
              {{"command:leak"}, 0},
              {{std::string("session:") + kSession}, 1},
              {{"since:2026-11-21"}, 1},
              {{"until:2026-11-21"}, 1},
              {{"since:2h"}, 1},
              {{"since:3d"}, 2},
              {{"since:2026-11-20T10:07:33Z"}, 1},
              {{"command:with:colon"}, 0}};
  for (const auto& row : rows) EXPECT_EQ(matching(row.words), row.count) << ::testing::PrintToString(row.words);
}

TEST(SessionIndex, PutsASessionTogether) {
  const auto rows = sample();
  ASSERT_EQ(rows.size(), 2U);
  const SessionRow& row = rows[0];
  EXPECT_EQ(row.session, kSession);
  EXPECT_EQ(row.agent, "bot");
  EXPECT_EQ(row.bytes, 1234U);
  EXPECT_TRUE(row.sealed);
  EXPECT_EQ(row.duration(), std::chrono::milliseconds(28'000));
  ASSERT_EQ(row.commands.size(), 1U);
  EXPECT_EQ(row.commands[0].verdict, "allow");
  EXPECT_EQ(row.commands[0].rule, "restarts");
  EXPECT_THAT(row.commands[0].reviewers, ::testing::ElementsAre("alice"));
  EXPECT_EQ(row.commands[0].exit, 3);
  EXPECT_EQ(rows[1].session, "");
  EXPECT_EQ(rows[1].commands[0].verdict, "deny");
}

TEST(SessionIndex, JoinsARequestToTheSessionThatComesLater) {
  Lines lines;
  lines.add(event("request").set("request", 5).set("agent", "bot").set("command", "id"));
  lines.add(event("session_opened").set("session", kSession).set("target", "web1"), "2026-11-20T10:07:33.000Z");
  lines.add(event("decision").set("request", 5).set("session", kSession).set("verdict", "allow"));
  const auto rows = lines.rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].agent + "@" + rows[0].target, "bot@web1");
  EXPECT_EQ(rows[0].commands[0].command, "id");
  EXPECT_EQ(rows[0].start, wall());
}

TEST(SessionIndex, ShowsWhatWasNeverDecided) {
  for (const auto& [kind, verdict] :
       {std::pair("cancelled", "cancelled"), std::pair("hold_expired", "expired"), std::pair("detached", "held")}) {
    Lines lines;
    lines.add(event("request").set("request", 5).set("hold", 7).set("command", "id"));
    lines.add(event(kind).set("hold", 7).set("reason", "r"));
    EXPECT_EQ(lines.rows()[0].commands[0].verdict, verdict);
  }
}

TEST(SessionIndex, MarksARecoveredSession) {
  Lines lines;
  lines.add(event("session_opened").set("session", kSession).set("request", 1).set("agent", "bot"));
  lines.add(event("recovered").set("session", kSession).set("bytes", 99));
  const auto rows = lines.rows();
  EXPECT_TRUE(rows[0].recovered && rows[0].sealed);
  EXPECT_EQ(rows[0].bytes, 99U);
  EXPECT_FALSE(rows[0].commands[0].exit);
}

}  // namespace
}  // namespace ptygate::recorder
