// SPDX-License-Identifier: Apache-2.0
// The desk's side towards people (approve, deny, stop) and the agents' verbs (cancel, wait).
#include <algorithm>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/keeper/desk_book.h"

namespace ptygate::keeper {
namespace {

constexpr int kDone = 0, kNegative = 1, kUsage = 2, kNotPermitted = 4;  // exit status of verbs
constexpr int kWaitDenied = 126, kWaitExpired = 124, kWaitHeld = 75;    // of `wait`

std::string nameOf(const Hold& hold) {
  return std::to_string(hold.id) + "-" + hold.tag;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// The same words for an id that never was, one of another agent and one that ended: an agent learns nothing about others.
std::string notYours(HoldId hold) {
  return "no open hold " + std::to_string(hold) + " of yours";
}

}  // namespace

std::string Desk::Book::whyEnded(HoldId hold) const {
  const std::string name = "hold " + std::to_string(hold);
  const auto found = closed_.find(hold);
  if (found == closed_.end()) return name + (hold != 0 && hold < next_ ? " ended long ago" : " is not known");
  const ClosedView& view = found->second;
  switch (view.how) {
    case ClosedView::How::Released:
      return name + " was approved by " + joined(view.people) + " and released";
    case ClosedView::How::Denied:
      return name + " was denied by " + (view.people.empty() ? "policy" : joined(view.people)) + ": " + view.reason;
    case ClosedView::How::Expired:
      return name + " expired: " + view.reason;
    case ClosedView::How::Cancelled:
      return name + " was cancelled: " + view.reason;
  }
  return name + " ended";
}

void Desk::Book::on(const Answer& answer) {
  if (!answer.may_review || answer.person.empty()) return result(answer.ticket, kNotPermitted, "you may not review");
  if (answer.reason.size() > limits_.reason_bytes) {
    return result(answer.ticket, kUsage, "the reason is longer than " + std::to_string(limits_.reason_bytes) + " bytes");
  }
  Hold* hold = find(answer.hold);
  if (hold == nullptr) return result(answer.ticket, kNegative, whyEnded(answer.hold));
  if (answer.person == hold->request.agent) return result(answer.ticket, kNotPermitted, "one who asks is never one who decides");
  const bool needs_tag = answer.approve || !answer.tag.empty();
  if (needs_tag && answer.tag != hold->tag) {
    const std::string id = std::to_string(hold->id);
    return result(answer.ticket, kNegative,
                  (answer.tag.empty() ? "approving needs the tag" : "this tag is not that of hold " + id) + ": see `show " + id + "`");
  }
  if (hold->state == HoldState::Approved) {
    return result(answer.ticket, kNegative, "hold " + nameOf(*hold) + " was approved already by " + joined(peopleOf(*hold)));
  }
  if (answer.approve) {
    approve(*hold, answer);
  } else {
    denyHold(*hold, answer);
  }
}

void Desk::Book::approve(Hold& hold, const Answer& answer) {
  if (!answer.fresh) return result(answer.ticket, kNegative, "policy was not evaluated again; nothing is released");
  Approval approval{answer.person, answer.roles};
  if (answer.fresh->verdict != policy::Verdict::Deny) hold.terms.tighten(*answer.fresh, false);
  if (!isEligible(hold, approval)) return result(answer.ticket, kNotPermitted, "the rule names other reviewers for hold " + nameOf(hold));
  const auto given =
      std::find_if(hold.approvals.begin(), hold.approvals.end(), [&](const Approval& a) { return a.person == answer.person; });
  const bool is_repeat = given != hold.approvals.end();
  if (is_repeat && isEligible(hold, *given))
    return result(answer.ticket, kNegative, "you approved hold " + nameOf(hold) + " already; it needs another person");
  if (!hold.attached.empty() && running_.size() >= limits_.running) {
    return result(answer.ticket, kNegative, "too many commands run at once (limit running); the hold stays");
  }
  Record& line = recordOf(Record::Kind::Answer, hold);
  line.person = answer.person;
  line.approve = true;
  line.reason = answer.reason;
  if (answer.fresh->verdict == policy::Verdict::Deny) {
    const policy::Decision& fresh = *answer.fresh;
    recordDecision(hold.request, hold.binding, hold.id, policy::Verdict::Deny, fresh.rule, fresh.reason, {});
    notice(hold, Notice::What::Denied);
    endWaits(hold, kWaitDenied, "denied: " + fresh.reason);
    result(answer.ticket, kNegative, "policy denies it now: " + fresh.reason);
    const Outcome last = Denied{
        hold.id, fresh.rule, fresh.reason, "", fresh.may_change_and_retry ? Retry::ChangeAndRetry : Retry::StopAndReport, fresh.advice};
    return close(hold, ClosedView::How::Denied, {}, fresh.reason, &last);
  }
  if (is_repeat) {
    *given = std::move(approval);  // the roles changed since
  } else {
    hold.approvals.push_back(std::move(approval));
  }
  const std::size_t have = approvalsOf(hold);
  if (have < std::size_t(hold.terms.approvals)) {
    notice(hold, Notice::What::Approval);
    return result(answer.ticket, kDone,
                  "approved " + nameOf(hold) + ": " + std::to_string(have) + " of " + std::to_string(hold.terms.approvals));
  }
  const bool runs = !hold.attached.empty();
  result(answer.ticket, kDone, "approved " + nameOf(hold) + (runs ? "" : ": the agent is gone; it runs if the agent repeats it in time"));
  approved(hold, *answer.fresh);
}

void Desk::Book::approved(Hold& hold, const policy::Decision& fresh) {
  const std::string people = joined(peopleOf(hold));
  if (hold.attached.empty()) {
    hold.state = HoldState::Approved;
    setExpiry(hold, after(limits_.repeat_within));
    notice(hold, Notice::What::Approved);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limits_.repeat_within).count();
    return endWaits(hold, kDone, "approved by " + people + ": repeat the command within " + std::to_string(seconds) + " s");
  }
  // One approval is one run. The others are taken out first and asked anew once this hold is closed.
  for (const Attached& attached : hold.attached) {
    waiting_.erase(attached.waiter);
    if (attached.answer_by) deadlines_.erase({*attached.answer_by, Due::Answer, attached.waiter});
  }
  const std::vector<Attached> attached = std::exchange(hold.attached, {});
  Submission again = hold.request;
  again.fresh = fresh;
  release(hold, attached.front(), fresh);
  notice(hold, Notice::What::Released);
  endWaits(hold, kDone, "approved by " + people + "; it ran for a client that was waiting");
  close(hold, ClosedView::How::Released, peopleOf(hold), "", nullptr);
  for (std::size_t i = 1; i < attached.size(); ++i) {
    again.waiter = attached[i].waiter;
    again.session = attached[i].session;
    again.connection = attached[i].connection;
    submit(again, attached[i].answer_by);
  }
}

void Desk::Book::denyHold(Hold& hold, const Answer& answer) {
  Record& line = recordOf(Record::Kind::Answer, hold);
  line.person = answer.person;
  line.reason = answer.reason;
  line.retry = answer.retry;
  const std::string reason = answer.reason.empty() ? "no reason given" : answer.reason;
  const std::string& rule = hold.request.fresh.rule;
  recordDecision(hold.request, hold.binding, hold.id, policy::Verdict::Deny, rule, reason, {answer.person});
  notice(hold, Notice::What::Denied);
  endWaits(hold, kWaitDenied, "denied by " + answer.person + ": " + reason);
  result(answer.ticket, kDone, "denied " + nameOf(hold));
  if (hold.attached.empty()) {
    if (untold_.size() >= limits_.closed_kept) std::erase_if(untold_, [&](const auto& entry) { return entry.second.until <= now_; });
    if (untold_.size() < limits_.closed_kept) {
      untold_[hold.binding] = {hold.id, reason, answer.person, answer.retry, hold.request.fresh.advice, now_ + limits_.deny_told_within};
    }
  }
  const Outcome last = Denied{hold.id, rule, reason, answer.person, answer.retry, hold.request.fresh.advice};
  close(hold, ClosedView::How::Denied, {answer.person}, reason, &last);
}

void Desk::Book::on(const Cancel& message) {
  Hold* hold = find(message.hold);
  if (hold == nullptr || hold->request.agent != message.agent) return result(message.ticket, kNegative, notYours(message.hold));
  const std::string name = nameOf(*hold);
  cancel(*hold, "", "cancelled by the agent", Cancelled{hold->id, "cancelled by the agent"});
  result(message.ticket, kDone, "cancelled " + name);
}

void Desk::Book::on(const Wait& message) {
  if (verbs_.contains(message.ticket)) return;
  if (const auto ended = closed_.find(message.hold); ended != closed_.end() && ended->second.agent == message.agent) {
    switch (ended->second.how) {
      case ClosedView::How::Released:
        return result(message.ticket, kDone, whyEnded(message.hold));
      case ClosedView::How::Expired:
        return result(message.ticket, kWaitExpired, whyEnded(message.hold));
      case ClosedView::How::Denied:
      case ClosedView::How::Cancelled:
        return result(message.ticket, kWaitDenied, whyEnded(message.hold));
    }
  }
  Hold* hold = find(message.hold);
  if (hold == nullptr || hold->request.agent != message.agent) return result(message.ticket, kNegative, notYours(message.hold));
  if (hold->state == HoldState::Approved)
    return result(message.ticket, kDone, "approved by " + joined(peopleOf(*hold)) + ": repeat the command now");
  if (hold->waits.size() >= limits_.waits_per_hold) return result(message.ticket, kWaitHeld, "still held as " + nameOf(*hold));
  const std::optional<WallTime> until = after(hold->request.fresh.answer_within);
  hold->waits.push_back({message.ticket, until});
  verbs_[message.ticket] = hold->id;
  if (until) deadlines_.insert({*until, Due::Verb, message.ticket});
}

void Desk::Book::on(const DropWait& message) {
  const auto found = verbs_.find(message.ticket);
  if (found == verbs_.end()) return;
  Hold& hold = holds_.at(found->second);
  const auto at = std::find_if(hold.waits.begin(), hold.waits.end(), [&](const WaitingVerb& w) { return w.ticket == message.ticket; });
  if (at->until) deadlines_.erase({*at->until, Due::Verb, at->ticket});
  hold.waits.erase(at);
  verbs_.erase(found);
}

void Desk::Book::on(const StopAgent& message) {
  if (!message.permitted || message.person.empty()) return result(message.ticket, kNotPermitted, "you may not stop agents");
  if (message.reason.size() > limits_.reason_bytes) return result(message.ticket, kUsage, "the reason is too long");
  stopped_.insert(message.agent);
  Record& line = record(Record::Kind::Stopped, message.agent);
  line.person = message.person;
  line.reason = message.reason;
  std::vector<HoldId> ids;
  for (const auto& [id, hold] : holds_) {
    if (hold.request.agent == message.agent) ids.push_back(id);
  }
  const std::string reason = "the agent was stopped by " + message.person;
  for (const HoldId id : ids) cancel(holds_.at(id), message.person, reason, Cancelled{id, reason});
  result(message.ticket, kDone, "stopped " + message.agent + ", " + std::to_string(ids.size()) + " holds cancelled");
}

void Desk::Book::on(const ResumeAgent& message) {
  if (!message.permitted || message.person.empty()) return result(message.ticket, kNotPermitted, "you may not resume agents");
  if (stopped_.erase(message.agent) == 0) return result(message.ticket, kNegative, message.agent + " is not stopped");
  record(Record::Kind::Resumed, message.agent).person = message.person;
  result(message.ticket, kDone, "resumed " + message.agent);
}

void Desk::Book::on(const Recovered& message) {
  constexpr HoldId kLargest = HoldId{1} << 53;  // exact in JSON; a larger one is not from our ledger
  if (message.hold == 0 || message.hold > kLargest || holds_.contains(message.hold)) return;
  next_ = std::max(next_, message.hold + 1);
  Record& line = record(Record::Kind::Cancelled, message.agent);
  line.hold = message.hold;
  line.tag = message.tag;
  line.reason = "restart";
  addClosed({message.hold, message.tag, message.agent, ClosedView::How::Cancelled, {}, "restart", now_});
}

void Desk::Book::on(const Shutdown&) {
  is_shut_ = true;
  while (!holds_.empty()) cancel(holds_.begin()->second, "", "the gate stops", Trouble{"the gate is stopping; nothing ran"});
}

}  // namespace ptygate::keeper
