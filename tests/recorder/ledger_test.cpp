// SPDX-License-Identifier: Apache-2.0
#include "recorder/ledger.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "recorder/check.h"
#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using testing::readFile;
using testing::TempDir;
using testing::wall;
using testing::writeFile;
using Kind = RecorderError::Kind;

constexpr const char* kNovember = "ledger/ledger-2026-11.jsonl";

LedgerEvent decision(std::int64_t request = 7) {
  LedgerEvent event{"decision", {}};
  event.set("request", request)
      .set("command", "rm -rf /tmp/x\xff")
      .set("reviewers", std::vector<std::string>{"alice", "bob"})
      .set("final", true);
  return event;
}

std::vector<LedgerEvent> read(int dir_fd) {
  std::vector<LedgerEvent> events;
  const auto lines = readLedger(dir_fd, [&events](const LedgerLine& line) {
    events.push_back(line.event);
    return true;
  });
  EXPECT_TRUE(lines) << lines.error().text;
  return events;
}

// A ledger of three lines on disk; its bytes.
std::string makeLedger(const TempDir& dir) {
  Ledger ledger = std::move(*Ledger::open(dir.fd(), {}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*ledger.append(decision(i), wall()), static_cast<std::uint64_t>(i));
  EXPECT_TRUE(ledger.flush());
  return readFile(dir / kNovember);
}

TEST(LedgerLine, RefusesWhatTheGateWouldNotWrite) {
  const char* good = R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","status":0})";
  ASSERT_TRUE(parseLedgerLine(good));
  for (const char* line : {
           "",
           "{}",
           "[]",
           "null",
           R"({"n":1})",
           R"({"at":"2026-11-20T10:07:32.123Z","n":1,"kind":"exit"})",
           R"({"n":-1,"at":"2026-11-20T10:07:32.123Z","kind":"exit"})",
           R"({"n":"1","at":"2026-11-20T10:07:32.123Z","kind":"exit"})",
           R"({"n":1,"at":"2026-11-20T10:07:32Z","kind":"exit"})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":""})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a":null})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a":{}})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a":1.5})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a":[1]})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a":18446744073709551615})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a":1,"a":2})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","n":2})",
           R"({"n":1, "at":"2026-11-20T10:07:32.123Z","kind":"exit"})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"\u0065xit"})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a_base64":"AA=="})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a":"x","a_base64":"/w=="})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a":"x","a_base64":"eA=="})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","a":["x"],"a_base64":["eA==","eA=="]})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","":1})",
           R"({"n":1,"at":"2026-11-20T10:07:32.123Z","kind":"exit","status":0)",
       }) {
    EXPECT_FALSE(parseLedgerLine(line)) << line;
  }
}

TEST(LedgerLine, SurvivesDeepNesting) {
  EXPECT_FALSE(parseLedgerLine(std::string(1'000'000, '[')));
}

TEST(LedgerLine, GivesBackEveryByte) {
  LedgerEvent event{"request", {}};
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  event.set("command", all)
      .set("intent", "naïve \"x\"\n")
      .set("argv", std::vector<std::string>{"a\xfe", "ok", ""})
      .set("none", std::vector<std::string>{});
  event.set("low", INT64_MIN).set("high", INT64_MAX).set("yes", true).set("no", false);
  const std::string line = encodeLedgerLine(42, wall(), event);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto back = parseLedgerLine(line);
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(back->n, 42U);
  EXPECT_EQ(back->at, wall());
  EXPECT_EQ(back->event, event);
}

TEST(LedgerEvent, TakesALiteralZeroForANumber) {
  EXPECT_EQ(encodeLedgerLine(0, wall(), LedgerEvent{"exit", {}}.set("status", 0)),
            R"({"n":0,"at":"2026-11-20T10:07:32.123Z","kind":"exit","status":0})");
}

TEST(LedgerDeathTest, RefusesReservedAndRepeatedNames) {
  for (const char* name : {"n", "at", "kind", "x_base64", "", "twice"}) {
    LedgerEvent event{"exit", {}};
    event.set("twice", 1).set(name, 2);
    EXPECT_DEATH((void)encodeLedgerLine(0, wall(), event), "reserved or repeated") << name;
  }
}

TEST(Ledger, RefusesASecondGate) {
  const TempDir dir;
  const auto first = Ledger::open(dir.fd(), {});
  ASSERT_TRUE(first);
  const auto second = Ledger::open(dir.fd(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, Kind::Busy);
}

TEST(Ledger, RefusesDamageAndChangesNothing) {
  const TempDir dir;
  const std::string good = makeLedger(dir);
  const std::size_t first = good.find('\n') + 1;
  const std::size_t second = good.find('\n', first) + 1;
  const struct {
    const char* edge;
    std::string bytes;
  } rows[] = {
      {"first line removed", good.substr(first)},
      {"middle line removed", good.substr(0, first) + good.substr(second)},
      {"lines swapped", good.substr(first, second - first) + good.substr(0, first) + good.substr(second)},
      {"middle line torn", good.substr(0, first - 5) + "\n" + good.substr(first)},
      {"empty line", good.substr(0, first) + "\n" + good.substr(first)},
      {"last whole line is rubbish", good + "rubbish\n"},
      {"zeros from a lost block", good.substr(0, first) + std::string(100, '\0') + "\n"},
  };
  for (const auto& row : rows) {
    writeFile(dir / kNovember, row.bytes);
    const auto ledger = Ledger::open(dir.fd(), {});
    ASSERT_FALSE(ledger) << row.edge;
    EXPECT_EQ(ledger.error().kind, Kind::Damaged) << row.edge;
    EXPECT_EQ(readFile(dir / kNovember), row.bytes) << row.edge;
  }
}

TEST(Ledger, SetsATornLastLineAsideAtEveryByte) {
  const TempDir source;
  const std::string good = makeLedger(source);
  const std::size_t last = good.rfind('\n', good.size() - 2) + 1;
  for (std::size_t size = last; size <= good.size(); ++size) {
    const TempDir dir;
    writeFile(dir / kNovember, good.substr(0, size));
    auto ledger = Ledger::open(dir.fd(), {});
    ASSERT_TRUE(ledger) << size;
    const bool whole = size == good.size();
    const std::size_t torn = whole ? 0 : size - last;
    EXPECT_EQ(ledger->opening().lines, whole ? 3U : 2U);
    EXPECT_EQ(ledger->opening().torn_bytes, torn);
    EXPECT_EQ(readFile(dir / kNovember), whole ? good : good.substr(0, last));
    if (torn > 0) {
      EXPECT_EQ(readFile(dir / ("ledger/" + ledger->opening().torn_file)), good.substr(last, torn));
    }
    ASSERT_TRUE(ledger->append(decision(), wall()));
    ASSERT_TRUE(ledger->flush());
    EXPECT_EQ(read(dir.fd()).size(), whole ? 4U : 3U);
  }
}

TEST(Ledger, RefusesAnUnfinishedLineBeforeTheLastFile) {
  const TempDir dir;
  const std::string good = makeLedger(dir);
  writeFile(dir / kNovember, good + "{\"n\":3");
  writeFile(dir / "ledger/ledger-2026-12.jsonl", "");
  EXPECT_FALSE(Ledger::open(dir.fd(), {}));
}

TEST(Ledger, FailsForGoodAfterAShortWrite) {
  const TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{500, 500};
    setrlimit(RLIMIT_FSIZE, &limit);
    Ledger ledger = std::move(*Ledger::open(dir.fd(), {}));
    int code = 0;
    for (int i = 0; i < 10; ++i) (void)ledger.append(decision(i), wall());
    const auto refused = ledger.flush();
    if (refused || refused.error().kind != Kind::Failed) code |= 1;
    if (ledger.flush() || ledger.append(decision(), wall())) code |= 2;
    if (ledger.flushed() != 0 || ledger.committed() != 0 || !ledger.hasFailed()) code |= 4;
    _exit(code);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  // The next start keeps the whole lines and goes on.
  const auto ledger = Ledger::open(dir.fd(), {});
  ASSERT_TRUE(ledger);
  EXPECT_GT(ledger->opening().torn_bytes, 0U);
}

TEST(Ledger, RefusesALineThatIsTooLong) {
  const TempDir dir;
  Ledger ledger = std::move(*Ledger::open(dir.fd(), {}));
  LedgerEvent event{"request", {}};
  event.set("command", std::string(kMaxLedgerLineBytes, 'x'));
  const auto refused = ledger.append(event, wall());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::Limit);
  EXPECT_EQ(*ledger.append(decision(), wall()), 0U);
}

TEST(Ledger, WritesNothingBeforeFlushAndCountsWhatIsWhere) {
  const TempDir dir;
  Ledger ledger = std::move(*Ledger::open(dir.fd(), {}));
  ASSERT_EQ(*ledger.append(decision(), wall()), 0U);
  ASSERT_EQ(*ledger.append(decision(), wall()), 1U);
  EXPECT_FALSE(std::filesystem::exists(dir / kNovember));
  EXPECT_EQ(ledger.appended(), 2U);
  EXPECT_EQ(ledger.flushed(), 0U);
  ASSERT_TRUE(ledger.flush());
  EXPECT_EQ(ledger.flushed(), 2U);
  EXPECT_EQ(ledger.committed(), 0U);
  ASSERT_EQ(*ledger.append(decision(), wall()), 2U);
  ledger.noteCommitted(2);
  EXPECT_EQ(ledger.committed(), 2U);
  EXPECT_EQ(read(dir.fd()).size(), 2U);
}

TEST(Ledger, GivesBackItsLinesAndGoesOnCounting) {
  const TempDir dir;
  const std::string bytes = makeLedger(dir);
  std::vector<std::uint64_t> numbers;
  std::string lines;
  auto ledger = Ledger::open(dir.fd(), [&](const LedgerLine& line) {
    numbers.push_back(line.n);
    lines += std::string(line.line) + "\n";
    EXPECT_EQ(line.event, decision(static_cast<std::int64_t>(line.n)));
  });
  ASSERT_TRUE(ledger);
  EXPECT_THAT(numbers, ::testing::ElementsAre(0U, 1U, 2U));
  EXPECT_EQ(lines, bytes);
  EXPECT_EQ(*ledger->append(decision(), wall()), 3U);
}

TEST(Ledger, BeginsAFileEachMonthAndNeverGoesBack) {
  const TempDir dir;
  {
    Ledger ledger = std::move(*Ledger::open(dir.fd(), {}));
    ASSERT_TRUE(ledger.append(decision(0), wall("2026-11-30T23:59:59.999Z")));
    ASSERT_TRUE(ledger.append(decision(1), wall("2026-12-01T00:00:00.000Z")));
    ASSERT_TRUE(ledger.append(decision(2), wall("2026-11-30T23:59:58.000Z")));  // the clock was set back
    ASSERT_TRUE(ledger.flush());
    EXPECT_EQ(ledger.flushed(), 3U);
  }
  EXPECT_EQ(std::count(std::istreambuf_iterator<char>(std::ifstream(dir / kNovember).rdbuf()), {}, '\n'), 1);
  Ledger again = std::move(*Ledger::open(dir.fd(), {}));
  ASSERT_TRUE(again.append(decision(3), wall("2026-10-01T00:00:00.000Z")));
  ASSERT_TRUE(again.flush());
  EXPECT_FALSE(std::filesystem::exists(dir / "ledger/ledger-2026-10.jsonl"));
  EXPECT_EQ(read(dir.fd()).size(), 4U);
}

TEST(Ledger, IsReadWhileALineIsHalfWritten) {
  const TempDir dir;
  const std::string good = makeLedger(dir);
  writeFile(dir / kNovember, good + "{\"n\":3,\"at");
  EXPECT_EQ(read(dir.fd()).size(), 3U);
}

// The definition in RFC 6962, section 2.1, as it stands there.
Sha256 rootByDefinition(const std::vector<std::string>& leaves, std::size_t from, std::size_t to) {
  if (from == to) return Hasher().digest();
  if (to - from == 1) return leafHash(leaves[from]);
  std::size_t k = 1;
  while (k * 2 < to - from) k *= 2;
  return nodeHash(rootByDefinition(leaves, from, from + k), rootByDefinition(leaves, from + k, to));
}

TEST(MerkleTree, HasTheRootOfRfc6962AtEverySize) {
  MerkleTree tree;
  std::vector<std::string> leaves;
  for (int size = 0; size < 70; ++size) {
    EXPECT_EQ(tree.root(), rootByDefinition(leaves, 0, leaves.size())) << size;
    leaves.push_back("leaf " + std::to_string(size));
    tree.add(leaves.back());
  }
}

TEST(MerkleTree, HashesTheEmptyLeafAsCertificateTransparencyDoes) {
  EXPECT_EQ(hex(leafHash("")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  EXPECT_EQ(hex(MerkleTree().root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Ledger, HasTheRootOverItsLinesAlsoAfterReopening) {
  const TempDir dir;
  const std::string bytes = makeLedger(dir);
  std::vector<std::string> leaves;
  std::istringstream in(bytes);
  for (std::string line; std::getline(in, line);) leaves.push_back(line);
  EXPECT_EQ(Ledger::open(dir.fd(), {})->root(), rootByDefinition(leaves, 0, leaves.size()));
}

}  // namespace
}  // namespace ptygate::recorder
