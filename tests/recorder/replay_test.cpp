// SPDX-License-Identifier: Apache-2.0
#include "recorder/replay.h"

#include <cmath>

#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using namespace std::chrono_literals;

const std::string kLines =
    "[0.500000,\"m\",\"#1 allow(r) a\"]\n[1.000000,\"e\",\"x\"]\n[1.000000,\"o\",\"x\"]\n[11.000000,\"m\",\"#2 hold(r) b\"]\n"
    "[12.000000,\"r\",\"100x30\"]\n[14.000000,\"o\",\"y\"]\n[14.000000,\"x\",\"3\"]\n";

std::vector<std::int64_t> delaysInMs(const ReplayOptions& options) {
  Player player(CastReader(kLines), options);
  std::vector<std::int64_t> delays;
  while (true) {
    const auto frame = player.next();
    if (!frame || !*frame) break;
    delays.push_back((*frame)->delay.count() / 1000);
  }
  return delays;
}

TEST(Player, WaitsAsTheSessionDid) {
  EXPECT_EQ(delaysInMs({}), (std::vector<std::int64_t>{500, 500, 10'000, 1000, 2000, 0}));
}

TEST(Player, DividesBySpeedAndCutsIdleTime) {
  EXPECT_EQ(delaysInMs({2.0, {}, 0}), (std::vector<std::int64_t>{250, 250, 5000, 500, 1000, 0}));
  EXPECT_EQ(delaysInMs({2.0, 1s, 0}), (std::vector<std::int64_t>{250, 250, 500, 500, 500, 0}));
}

TEST(Player, TakesNoSpeedThatWouldStopIt) {
  for (const double speed : {0.0, -1.0, std::nan("")}) {
    for (const auto delay : delaysInMs({speed, {}, 0})) EXPECT_LE(delay, 10'000 / kMinSpeed) << speed;
  }
}

TEST(Player, RushesToTheCommandAskedFor) {
  EXPECT_EQ(delaysInMs({1.0, {}, 2}), (std::vector<std::int64_t>{0, 0, 0, 1000, 2000, 0}));
}

TEST(Player, SaysWhenTheCommandWasNeverFound) {
  Player player(CastReader(kLines), {1.0, {}, 9});
  while (*player.next()) {
  }
  EXPECT_FALSE(player.hasBegun());
}

TEST(Player, GivesEveryKindOfFrame) {
  Player player(CastReader(kLines), {});
  EXPECT_EQ((*player.next())->text, "#1 allow(r) a");
  EXPECT_EQ((*player.next())->text, "x");
  (void)player.next();
  const auto resize = *player.next();
  EXPECT_EQ(resize->kind, Frame::Kind::Resize);
  EXPECT_EQ(resize->number, 100U);
  EXPECT_EQ(resize->rows, 30U);
  (void)player.next();
  const auto exit = *player.next();
  EXPECT_EQ(exit->kind, Frame::Kind::Exit);
  EXPECT_EQ(exit->number, 3U);
}

TEST(Marker, HasANumberOnlyWhenItIsACommand) {
  EXPECT_EQ(commandNumber("#7 allow(r) x"), 7U);
  EXPECT_EQ(commandNumber("#12"), 12U);
  for (const char* label : {"", "#", "7", "#x", "#7x", "gap begins: #7", "#99999999999"}) EXPECT_EQ(commandNumber(label), 0U) << label;
}

TEST(Marker, IsListedWithItsTime) {
  const auto rows = listMarkers(CastReader(encodeHeader({}) + kLines));
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[1].number, 2U);
  EXPECT_EQ((*rows)[1].at, 11s);
}

}  // namespace
}  // namespace ptygate::recorder
