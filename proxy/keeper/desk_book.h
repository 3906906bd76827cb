// SPDX-License-Identifier: Apache-2.0
// The desk's state and its steps. Private to desk*.cpp: everyone else includes desk.h, which says what the steps mean.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "proxy/keeper/desk.h"

namespace ptygate::keeper {

/// What a release needs: the strictest of every decision that was made for this hold.
struct Terms {
  int approvals = 1;
  std::vector<std::vector<std::string>> reviewer_lists;  ///< a person must be on each
  bool not_owner = false;
  policy::StdinRule stdin_rule = policy::StdinRule::None;
  bool record_hash = true;

  /// Takes over what `decision` demands beyond this. The first one given sets stdin_rule and record_hash.
  void tighten(const policy::Decision& decision, bool is_first);
};

struct Approval {
  std::string person;
  std::vector<std::string> roles;
};
struct Attached {
  WaiterId waiter = 0;
  std::string session;
  std::string connection;
  std::optional<WallTime> answer_by;
};
struct WaitingVerb {
  TicketId ticket = 0;
  std::optional<WallTime> until;
};

struct Hold {
  HoldId id = 0;
  std::string tag;
  std::string binding;
  HoldState state = HoldState::Pending;
  Submission request;
  Terms terms;
  std::vector<Attached> attached;  ///< oldest first
  std::vector<WaitingVerb> waits;
  std::vector<Approval> approvals;  ///< distinct people
  WallTime since{};
  std::optional<WallTime> expires_at;  ///< pending: expires; approved: repeat_within
  std::size_t bytes = 0;
};

/// A waiter is attached to a pending hold, or was released and runs.
struct Running {
  HoldId hold = 0;
  std::string binding;
  std::string agent;
  std::string session;
  bool read_only = false;
};
struct UntoldDenial {
  HoldId hold = 0;
  std::string reason;
  std::string person;
  Retry retry = Retry::StopAndReport;
  std::string advice;
  WallTime until{};
};

class Desk::Book {
 public:
  Book(DeskSeed seed, DeskLimits limits);
  std::vector<Effect> apply(const Message& message, WallTime now);
  [[nodiscard]] std::optional<WallTime> nextDeadline() const;
  [[nodiscard]] const std::map<HoldId, Hold>& holds() const { return holds_; }
  [[nodiscard]] const std::map<HoldId, ClosedView>& closed() const { return closed_; }
  [[nodiscard]] bool isStopped(std::string_view agent) const { return stopped_.find(agent) != stopped_.end(); }

 private:
  enum class Due : std::uint8_t { Answer, Verb, Hold };  // at the same instant "held, come back" goes out before the expiry

  // desk_requests.cpp
  void on(const Submit& message);
  void on(const Detach& message);
  void on(const CancelWaiter& message);
  void on(const Finished& message);
  void submit(const Submission& request, const std::optional<WallTime>& keep_answer_by);
  void deny(const Submission& request, const std::string& binding, const Denied& denial);
  void allow(const Submission& request, const std::string& binding);
  void openHold(const Submission& request, const policy::Decision& decision, const std::string& binding,
                const std::optional<WallTime>& keep_answer_by);
  void join(Hold& hold, const Submission& request, const std::optional<WallTime>& keep_answer_by);
  void repeat(Hold& hold, const Submission& request);
  void attach(Hold& hold, const Submission& request, std::optional<WallTime> answer_by);
  void release(Hold& hold, const Attached& to, const policy::Decision& fresh);
  [[nodiscard]] std::optional<std::string> limitFor(const Submission& request, std::size_t bytes) const;
  [[nodiscard]] bool isUnknown(const std::string& agent, const std::string& binding) const;
  void rememberUnknown(const std::string& agent, const std::string& binding);

  // desk_answers.cpp
  void on(const Answer& message);
  void on(const Cancel& message);
  void on(const Wait& message);
  void on(const DropWait& message);
  void on(const StopAgent& message);
  void on(const ResumeAgent& message);
  void on(const Recovered& message);
  void on(const Shutdown& message);
  void on(const Tick&) {}
  void approve(Hold& hold, const Answer& answer);
  void denyHold(Hold& hold, const Answer& answer);
  void approved(Hold& hold, const policy::Decision& fresh);
  [[nodiscard]] std::string whyEnded(HoldId hold) const;

  // desk.cpp
  void runDeadlines();
  void answerDue(WaiterId waiter);
  void verbDue(TicketId ticket);
  void holdDue(HoldId hold);
  void endWaits(Hold& hold, int code, const std::string& text);
  /// Forgets the open hold and remembers how it ended; its waiters must have been answered by `last`, which is copied to each.
  void close(Hold& hold, ClosedView::How how, std::vector<std::string> people, const std::string& reason, const Outcome* last);
  void cancel(Hold& hold, const std::string& person, const std::string& reason, const Outcome& last);
  void addClosed(ClosedView view);
  void dropDeadlines(const Hold& hold);
  void setExpiry(Hold& hold, std::optional<WallTime> at);
  [[nodiscard]] std::optional<WallTime> after(const std::optional<Milliseconds>& delay) const;
  Hold* find(HoldId hold);
  Hold* findByBinding(const std::string& binding);
  [[nodiscard]] static bool isEligible(const Hold& hold, const Approval& person);
  [[nodiscard]] static std::size_t approvalsOf(const Hold& hold);
  [[nodiscard]] static std::vector<std::string> peopleOf(const Hold& hold);

  Record& record(Record::Kind kind, const std::string& agent);
  Record& recordOf(Record::Kind kind, const Hold& hold);
  void recordRequest(const Submission& request, const std::string& binding, HoldId hold);
  Record& recordDecision(const Submission& request, const std::string& binding, HoldId hold, policy::Verdict verdict,
                         const std::string& rule, const std::string& reason, std::vector<std::string> people);
  void reply(WaiterId waiter, Outcome outcome) { out_.emplace_back(Reply{waiter, std::move(outcome)}); }
  void result(TicketId ticket, int code, std::string text) { out_.emplace_back(Result{ticket, code, std::move(text)}); }
  void notice(const Hold& hold, Notice::What what) { out_.emplace_back(Notice{hold.id, what}); }

  DeskLimits limits_;
  HoldId next_ = 1;
  WallTime now_ = WallTime::min();
  bool is_shut_ = false;
  std::vector<Effect> out_;

  std::map<HoldId, Hold> holds_;                        // open
  std::unordered_map<std::string, HoldId> by_binding_;  // of open holds; at most one each
  std::unordered_map<WaiterId, HoldId> waiting_;        // attached waiters
  std::unordered_map<WaiterId, Running> running_;
  std::unordered_map<TicketId, HoldId> verbs_;  // `wait` verbs
  std::set<std::tuple<WallTime, Due, std::uint64_t>> deadlines_;
  std::map<HoldId, ClosedView> closed_;
  struct Share {
    std::size_t holds = 0;
    std::size_t bytes = 0;
  };
  std::map<std::string, Share, std::less<>> shares_;  // open holds per agent
  std::size_t held_bytes_ = 0;
  std::unordered_map<std::string, UntoldDenial> untold_;                       // by binding; at most closed_kept
  std::unordered_map<std::string, std::pair<std::string, WallTime>> unknown_;  // binding → {agent, until}
  std::map<std::string, WallTime, std::less<>> crowded_;                       // agents with more unknown outcomes than are kept → until
  std::set<std::string, std::less<>> stopped_;
};

}  // namespace ptygate::keeper
