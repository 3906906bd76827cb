// SPDX-License-Identifier: Apache-2.0
// What a start learns from the ledger, written by the same translator that the keeper uses.
#include "proxy/keeper/recovery.h"

#include <gtest/gtest.h>

#include "proxy/keeper/evidence.h"

namespace ptygate::keeper {
namespace {

struct Lines {
  RecoveryScan scan{wallNow()};
  std::uint64_t n = 0;

  void add(const recorder::LedgerEvent& event, WallTime at = wallNow()) {
    recorder::LedgerLine line;
    line.n = n++;
    line.at = at;
    line.event = event;
    scan.onLine(line);
  }
  void add(
      Record::Kind kind, WaiterId waiter, HoldId hold, const std::function<void(Record&)>& more = [](Record&) {}, WallTime at = wallNow()) {
    Record record;
    record.kind = kind;
    record.waiter = waiter;
    record.hold = hold;
    record.tag = hold == 0 ? "" : "k7f3";
    record.session = "20261120-100732-aaaa" + std::string(1, char('a' + waiter % 26));
    record.agent = "builder";
    record.binding = std::string(64, char('a' + waiter % 6));
    more(record);
    add(evidence::ofRecord(record), at);
  }
};

TEST(Recovery, HoldsWithoutAnEndAreOpen) {
  Lines lines;
  for (HoldId hold = 1; hold <= 5; ++hold) lines.add(Record::Kind::Request, hold, hold);
  lines.add(Record::Kind::Release, 1, 1);
  lines.add(Record::Kind::Decision, 2, 2, [](Record& record) { record.verdict = policy::Verdict::Deny; });
  lines.add(Record::Kind::Expired, 0, 3);
  lines.add(Record::Kind::Cancelled, 0, 4);
  const auto holds = lines.scan.holds();
  ASSERT_EQ(holds.size(), 1U);
  EXPECT_EQ(holds[0].hold, 5U);
  EXPECT_EQ(holds[0].tag, "k7f3");
  EXPECT_EQ(lines.scan.seed().next_hold, 6U);
  EXPECT_EQ(lines.scan.nextWaiter(), 6U);
}

TEST(Recovery, ReleasedCommandsWithoutAnExitAreUnknown) {
  Lines lines;
  lines.add(Record::Kind::Release, 1, 0);
  lines.add(Record::Kind::Release, 2, 0);
  lines.add(Record::Kind::Exit, 1, 0, [](Record& record) { record.ending = Ending::Exited; });
  ASSERT_EQ(lines.scan.unended().size(), 1U);
  EXPECT_EQ(lines.scan.unended()[0].request, 2U);
  ASSERT_EQ(lines.scan.seed().unknown.size(), 1U);
  EXPECT_EQ(lines.scan.seed().unknown[0].first, "builder");
}

TEST(Recovery, UnknownEndsAreRememberedForADayOnly) {
  Lines lines;
  const auto unknown = [](Record& record) { record.ending = Ending::Unknown; };
  lines.add(Record::Kind::Release, 1, 0);
  lines.add(Record::Kind::Exit, 1, 0, unknown, wallNow() - std::chrono::hours(25));
  lines.add(Record::Kind::Release, 2, 0);
  lines.add(Record::Kind::Exit, 2, 0, unknown);
  EXPECT_TRUE(lines.scan.unended().empty());
  EXPECT_EQ(lines.scan.seed().unknown.size(), 1U);
}

TEST(Recovery, SessionsWithoutAFinalSealAreOpen) {
  Lines lines;
  base::ExecRequest exec;
  for (const char* session : {"20261120-100732-aaaaa", "20261120-100732-bbbbb", "20261120-100732-ccccc"}) {
    lines.add(evidence::sessionOpened(1, session, "c1", "", exec));
  }
  base::Finished finished;
  finished.cast_sha256 = std::string(64, '0');
  lines.add(evidence::seal("20261120-100732-aaaaa", finished));
  recorder::LedgerEvent recovered{"recovered", {}};
  lines.add(recovered.set("session", "20261120-100732-bbbbb"));
  const auto open = lines.scan.sessions();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].session, "20261120-100732-ccccc");
  EXPECT_TRUE(lines.scan.isKnown("20261120-100732-aaaaa"));
  EXPECT_FALSE(lines.scan.isKnown("20261120-100732-zzzzz"));
}

TEST(Recovery, StoppedAgentsStayStopped) {
  Lines lines;
  const auto of = [](const char* name) { return [name](Record& record) { record.agent = name; }; };
  lines.add(Record::Kind::Stopped, 0, 0, of("a"));
  lines.add(Record::Kind::Stopped, 0, 0, of("b"));
  lines.add(Record::Kind::Resumed, 0, 0, of("a"));
  EXPECT_EQ(lines.scan.seed().stopped, std::vector<std::string>{"b"});
}

}  // namespace
}  // namespace ptygate::keeper
