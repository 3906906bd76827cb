// SPDX-License-Identifier: Apache-2.0
// Drives a desk with a list of actions (from random numbers or a fuzzer) and checks what must hold whatever happens. The model keeps its
// own books of what was asked and said, and believes nothing that the desk keeps inside; a broken invariant aborts with a sentence.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proxy/keeper/desk.h"

namespace ptygate::keeper::testing {

class DeskWorld {
 public:
  /// `next` gives one byte at a time; any values are meaningful.
  explicit DeskWorld(std::function<std::uint8_t()> next);
  /// Does one action and checks its effects.
  void step();
  /// Shuts the desk down and checks that nothing is left.
  void finish();
  /// How often each interesting thing happened, so that a test can see that it was reached.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  struct Asked {
    Submission request;
    bool attached = true;   // nobody detached or cancelled it
    bool is_final = false;  // it got an outcome that is not Held
    bool runs = false;
    HoldId hold = 0;
    bool policy_allows = false;  // an Allow decision was made for it, by Submit or by the Answer that asked it anew
  };
  struct Known {
    std::string binding;
    std::set<std::string> approvers;  // people whose approval was sent well-formed for this id
    int at_least = 1;                 // approvals that the first decision asked for
    bool ended = false;
    bool released = false;
    std::optional<WallTime> expires_at;
  };
  std::uint8_t pick(std::uint8_t below) { return std::uint8_t(next_() % below); }
  policy::Decision decision();
  void submit();
  void answer();
  void apply(const Message& message);
  void check(const std::vector<Effect>& effects);
  void checkReply(const Reply& reply);
  void checkReleased(WaiterId waiter, const Released& released);
  HoldId someHold();
  WaiterId someWaiter();

  std::function<std::uint8_t()> next_;
  DeskLimits limits_;
  Desk desk_;
  WallTime now_;
  WallTime latest_{};  // the largest that the desk was given
  WaiterId last_waiter_ = 0;
  TicketId last_ticket_ = 0;
  HoldId highest_ = 0;
  std::map<WaiterId, Asked> asked_;
  std::map<HoldId, Known> known_;
  std::set<TicketId> tickets_;                     // without a Result yet
  std::set<WaiterId> decided_, released_records_;  // Records seen, by waiter
  std::optional<policy::Decision> answer_fresh_;   // of the Answer being applied
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace ptygate::keeper::testing
