// SPDX-License-Identifier: Apache-2.0
// The desk: every decision of policy or of a person is made here, in one total order. Pure: no clock, no I/O, no thread, no evaluation of
// policy (decisions come in with the messages). It does not know workers, sockets or the ledger's format.
//
//   Submit ─ Deny ──────────────────────────────────────────▶ Denied
//          ─ Allow ─────────────────────────────────────────▶ Released ─ Finished ▶ (unknown: an equal repeat is held)
//          ─ Hold ─▶ Pending ─ N people, someone attached ──▶ Released
//                      │ ├─── N people, nobody attached ────▶ Approved ─ equal Submit ▶ Released (once)
//                      │ │                                      └─ repeat_within passed ▶ expired
//                      │ ├─── one person denies ────────────▶ Denied
//                      │ ├─── expires passed ───────────────▶ Expired
//                      │ └─── cancel, stop, restart ────────▶ Cancelled
//                      └ answer_within passed or client gone: the waiter leaves (Later), the hold stays, detached
//
// Joining: a request whose whole binding is equal to a pending hold's waits for the same answer. One approval is one run: the oldest
// attached waiter's. The other waiters are submitted again with the decision that was evaluated for the release (in most cases: a new hold
// with a new number, for all of them). A denial, expiry or cancellation ends all of them.
//
// An approval is checked twice: against the decision that was shown and the one evaluated at release; the stricter of both counts (more
// approvals, both reviewer lists, not_owner, stdin). Anyone who may review may deny, also who could not approve.
//
// Not handled: `serialize`, on_timeout = "escalate", edits, grants, deny memory beyond telling one repeat (policy.md, section 6).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/keeper/desk_types.h"

namespace ptygate::keeper {

/// sha256 (32 raw bytes) over (agent, target, login, context, cwd, command, stdin hash, intent), each preceded by its length (8 bytes,
/// big-endian).
[[nodiscard]] std::string bindingOf(const Submission& request);

/// The four letters (base32, lower case) that people repeat to approve: the first 20 bits of the binding.
[[nodiscard]] std::string tagOf(std::string_view binding);

/// What the desk has to know from the ledger when it starts.
struct DeskSeed {
  HoldId next_hold = 1;                                      ///< above every id in the ledger
  std::vector<std::pair<std::string, std::string>> unknown;  ///< {agent, hex binding}: released, end not seen
  std::vector<std::string> stopped;                          ///< agents that a person stopped
};

class Desk {
 public:
  explicit Desk(DeskSeed seed = {}, DeskLimits limits = {});
  ~Desk();
  Desk(Desk&&) noexcept;
  Desk& operator=(Desk&&) noexcept;

  /// Takes one message and returns what has to be done, in order.
  ///
  /// Every Record comes before the Replies and Results that depend on it: deliver a Reply or Result only after the ledger committed all
  /// Records before it, of this and earlier calls. If the ledger fails, deliver nothing any more and end the sessions. Deadlines that
  /// passed by `now` take effect before the message, so that an expired hold cannot be approved late. `now` never goes back inside: an
  /// earlier value than the last one is taken as the last one. A Submit whose waiter id is in use has no effect and gets no reply.
  [[nodiscard]] std::vector<Effect> apply(const Message& message, WallTime now);

  /// When the next Tick is due; nullopt: nothing waits.
  [[nodiscard]] std::optional<WallTime> nextDeadline() const;

  /// Open holds by id, oldest first. For people: never show it to an agent.
  [[nodiscard]] std::vector<HoldView> open() const;
  /// Open holds of one agent, for its `status`.
  [[nodiscard]] std::vector<HoldView> openOf(std::string_view agent) const;
  /// One open hold; nullopt: not open (see closed()).
  [[nodiscard]] std::optional<HoldView> show(HoldId hold) const;
  /// One ended hold, while closed_kept remembers it.
  [[nodiscard]] std::optional<ClosedView> closed(HoldId hold) const;
  /// The request of an open hold, to evaluate it again before an Answer; valid until the next apply. nullptr: not open.
  [[nodiscard]] const Submission* requestOf(HoldId hold) const;
  [[nodiscard]] std::size_t openCount() const;
  [[nodiscard]] bool isStopped(std::string_view agent) const;

 private:
  class Book;
  std::unique_ptr<Book> book_;
};

}  // namespace ptygate::keeper
