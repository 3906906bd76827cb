// SPDX-License-Identifier: Apache-2.0
// Every (state, event) pair of one hold, with the effects in order. The table's type has its size: a new state or event without its row
// or column does not build. How to read a cell: summary() in desk_builders.h.
#include <gtest/gtest.h>

#include <array>

#include "desk_builders.h"

namespace ptygate::keeper::testing {
namespace {

enum State { kUnknownId, kPending, kDetached, kApproved, kReleased, kDenied, kExpired, kCancelled, kStates };
enum Happens {
  kApprove,
  kApproveWrongTag,
  kApproveNoTag,
  kDenies,
  kAgentCancels,
  kForeignCancels,
  kAgentWaits,
  kForeignWaits,
  kClientGone,
  kWaiterCancels,
  kEqualHeld,
  kEqualAllowed,
  kEqualDenied,
  kOtherHeld,
  kEnds,
  kLater,
  kMuchLater,
  kStops,
  kShuts,
  kEvents
};
constexpr std::array<const char*, kStates> kStateNames = {"unknown id", "pending", "detached", "approved",
                                                          "released",   "denied",  "expired",  "cancelled"};
constexpr std::array<const char*, kEvents> kEventNames = {
    "approve",       "approve wrong tag",    "approve no tag", "deny",          "agent cancels", "foreign cancels", "agent waits",
    "foreign waits", "client gone",          "waiter cancels", "equal held",    "equal allowed", "equal denied",    "other held",
    "ends",          "answer_within passed", "expires passed", "agent stopped", "shutdown"};

/// A desk whose hold 1 of waiter 1 is in that state at second 10.
Desk deskIn(State state) {
  Desk desk;
  if (state == kUnknownId) return desk;
  (void)desk.apply(Submit{request(1)}, at(0));
  if (state == kDetached || state == kApproved) (void)desk.apply(Detach{1}, at(1));
  if (state == kApproved || state == kReleased) (void)desk.apply(answer(desk, 1, "alice", true), at(2));
  if (state == kDenied) (void)desk.apply(answer(desk, 1, "alice", false), at(2));
  if (state == kCancelled) (void)desk.apply(Cancel{1, 1, "bot"}, at(2));
  if (state == kExpired) {
    desk = Desk();
    Submission quick = request(1);
    quick.fresh.expires = std::chrono::seconds(5);
    (void)desk.apply(Submit{quick}, at(0));
    (void)desk.apply(Tick{}, at(6));
  }
  return desk;
}

std::vector<Effect> happen(Desk& desk, Happens event) {
  Answer approval = answer(desk, 1, "carol", true);
  if (approval.tag.empty()) approval.tag = tagOf(bindingOf(request(1)));
  switch (event) {
    case kApprove:
      return desk.apply(approval, at(10));
    case kApproveWrongTag:
      approval.tag = "aaaa";
      return desk.apply(approval, at(10));
    case kApproveNoTag:
      approval.tag = "";
      return desk.apply(approval, at(10));
    case kDenies:
      approval.approve = false;
      return desk.apply(approval, at(10));
    case kAgentCancels:
      return desk.apply(Cancel{5, 1, "bot"}, at(10));
    case kForeignCancels:
      return desk.apply(Cancel{5, 1, "other"}, at(10));
    case kAgentWaits:
      return desk.apply(Wait{5, 1, "bot"}, at(10));
    case kForeignWaits:
      return desk.apply(Wait{5, 1, "other"}, at(10));
    case kClientGone:
      return desk.apply(Detach{1}, at(10));
    case kWaiterCancels:
      return desk.apply(CancelWaiter{1}, at(10));
    case kEqualHeld:
      return desk.apply(Submit{request(2)}, at(10));
    case kEqualAllowed:
      return desk.apply(Submit{request(2, "systemctl restart api", kAllow)}, at(10));
    case kEqualDenied:
      return desk.apply(Submit{request(2, "systemctl restart api", kDeny)}, at(10));
    case kOtherHeld:
      return desk.apply(Submit{request(2, "systemctl restart db")}, at(10));
    case kEnds:
      return desk.apply(Finished{1, Ending::Exited, 0, ""}, at(10));
    case kLater:
      return desk.apply(Tick{}, at(60));
    case kMuchLater:
      return desk.apply(Tick{}, at(1000));
    case kStops:
      return desk.apply(StopAgent{5, "bot", "alice", true, "odd"}, at(10));
    case kShuts:
      return desk.apply(Shutdown{}, at(10));
    case kEvents:
      break;
  }
  return {};
}

constexpr std::array<std::array<const char*, kEvents>, kStates> kTable = {{
#include "desk_table.inc"
}};

TEST(DeskTable, EveryStateMeetsEveryEventAsWritten) {
  for (int state = 0; state < kStates; ++state) {
    for (int event = 0; event < kEvents; ++event) {
      Desk desk = deskIn(State(state));
      ASSERT_NE(kTable[state][event], nullptr) << "no cell for " << kStateNames[state] << " / " << kEventNames[event];
      EXPECT_EQ(summary(happen(desk, Happens(event))), kTable[state][event]) << kStateNames[state] << " / " << kEventNames[event];
    }
  }
}

}  // namespace
}  // namespace ptygate::keeper::testing
