// SPDX-License-Identifier: Apache-2.0
// The desk's side towards agents' requests: submit, join, repeat, release, leave, end.
#include <algorithm>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/keeper/desk_book.h"

namespace ptygate::keeper {
namespace {

constexpr std::string_view kUnknownRule = "(outcome unknown)";
constexpr Milliseconds kUnknownAnswerWithin{50'000};  // an allow rule says nothing about waiting: the defaults of policy.md, section 3
constexpr Milliseconds kUnknownExpires{300'000};

/// An allowed command whose last end was not seen goes to a person once.
policy::Decision heldForUnknown(policy::Decision decision) {
  decision.verdict = policy::Verdict::Hold;
  decision.reason = "the same command ran before and its end was not seen; allowed by \"" + decision.rule + "\" otherwise";
  decision.rule = kUnknownRule;
  decision.approvals = std::max(decision.approvals, 1);
  decision.answer_within = kUnknownAnswerWithin;
  decision.expires = kUnknownExpires;
  return decision;
}

std::size_t bytesOf(const Submission& request) {
  constexpr std::size_t kPerLine = 32, kPerHold = 512;
  std::size_t bytes = kPerHold + request.command.size() + request.intent.size();
  for (const std::string& line : request.view) bytes += line.size() + kPerLine;
  return bytes;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Denied denialOf(const policy::Decision& decision, HoldId hold) {
  return {hold,           decision.rule, decision.reason, "", decision.may_change_and_retry ? Retry::ChangeAndRetry : Retry::StopAndReport,
          decision.advice};
}

}  // namespace

void Desk::Book::on(const Submit& message) {
  const Submission& request = message.request;
  if (request.waiter == 0 || waiting_.contains(request.waiter) || running_.contains(request.waiter)) return;
  submit(request, std::nullopt);
}

void Desk::Book::submit(const Submission& request, const std::optional<WallTime>& keep_answer_by) {
  if (is_shut_) return reply(request.waiter, Trouble{"the gate is stopping; nothing ran"});
  const std::string binding = bindingOf(request);
  if (isStopped(request.agent)) {
    return deny(request, binding, {0, "(stopped)", "this agent was stopped by a person", "", Retry::StopAndReport, ""});
  }
  Hold* same = findByBinding(binding);
  const bool is_approved = same != nullptr && same->state == HoldState::Approved;
  if (request.fresh.verdict == policy::Verdict::Deny) {
    deny(request, binding, denialOf(request.fresh, is_approved ? same->id : 0));
    if (is_approved) cancel(*same, "", "policy denies it now: " + request.fresh.rule, Cancelled{same->id, request.fresh.reason});
    return;
  }
  if (is_approved) return repeat(*same, request);
  if (const auto untold = untold_.find(binding); untold != untold_.end()) {
    const UntoldDenial told = std::exchange(untold->second, {});
    untold_.erase(untold);
    if (now_ < told.until && request.fresh.verdict == policy::Verdict::Hold) {
      return deny(request, binding, {told.hold, "(denied)", told.reason, told.person, told.retry, told.advice});
    }
  }
  const bool needs_person = !request.read_only && isUnknown(request.agent, binding);
  if (request.fresh.verdict == policy::Verdict::Allow && !needs_person) return allow(request, binding);
  if (same != nullptr) return join(*same, request, keep_answer_by);
  if (request.fresh.verdict == policy::Verdict::Hold) return openHold(request, request.fresh, binding, keep_answer_by);
  openHold(request, heldForUnknown(request.fresh), binding, keep_answer_by);
}

void Desk::Book::deny(const Submission& request, const std::string& binding, const Denied& denial) {
  recordRequest(request, binding, denial.hold);
  std::vector<std::string> people = denial.by.empty() ? std::vector<std::string>{} : std::vector{denial.by};
  recordDecision(request, binding, denial.hold, policy::Verdict::Deny, denial.rule, denial.reason, std::move(people));
  reply(request.waiter, denial);
}

void Desk::Book::allow(const Submission& request, const std::string& binding) {
  if (running_.size() >= limits_.running) {
    return deny(request, binding,
                {0, "(limit)", "too many commands run at once (limit running)", "", Retry::ChangeAndRetry, "wait, then repeat"});
  }
  recordRequest(request, binding, 0);
  recordDecision(request, binding, 0, policy::Verdict::Allow, request.fresh.rule, request.fresh.reason, {});
  Record& line = record(Record::Kind::Release, request.agent);
  line.waiter = request.waiter;
  line.session = request.session;
  line.binding = std::get<Record>(out_[out_.size() - 2]).binding;
  running_[request.waiter] = {0, binding, request.agent, request.session, request.read_only};
  reply(request.waiter, Released{0, request.fresh, {}, request.command});
}

std::optional<std::string> Desk::Book::limitFor(const Submission& request, std::size_t bytes) const {
  if (holds_.size() >= limits_.holds) return "too many commands are held (limit holds)";
  if (bytes > limits_.held_bytes - std::min(held_bytes_, limits_.held_bytes)) return "too many bytes are held (limit held_bytes)";
  const auto found = shares_.find(request.agent);
  const Share share = found == shares_.end() ? Share{} : found->second;
  if (share.holds >= limits_.holds_per_agent) return "too many commands of this agent are held (limit holds_per_agent)";
  if (bytes > limits_.held_bytes_per_agent - std::min(share.bytes, limits_.held_bytes_per_agent)) {
    return "too many bytes of this agent are held (limit held_bytes_per_agent)";
  }
  return std::nullopt;
}

void Desk::Book::openHold(const Submission& request, const policy::Decision& decision, const std::string& binding,
                          const std::optional<WallTime>& keep_answer_by) {
  const std::size_t bytes = bytesOf(request);
  if (const auto limit = limitFor(request, bytes)) {
    return deny(request, binding, {0, "(limit)", *limit, "", Retry::ChangeAndRetry, "wait for the answers to the held commands"});
  }
  const HoldId id = next_++;
  Hold& hold = holds_[id];
  hold.id = id;
  hold.tag = tagOf(binding);
  hold.binding = binding;
  hold.request = request;
  hold.request.fresh = decision;
  hold.terms.tighten(decision, true);
  hold.since = now_;
  hold.bytes = bytes;
  by_binding_[binding] = id;
  held_bytes_ += bytes;
  Share& share = shares_[request.agent];
  share.bytes += bytes;
  ++share.holds;
  setExpiry(hold, after(decision.expires));
  recordRequest(request, binding, id);
  recordDecision(request, binding, id, policy::Verdict::Hold, decision.rule, decision.reason, {});
  attach(hold, request, keep_answer_by ? keep_answer_by : after(decision.answer_within));
  notice(hold, Notice::What::New);
}

void Desk::Book::join(Hold& hold, const Submission& request, const std::optional<WallTime>& keep_answer_by) {
  if (hold.attached.size() >= limits_.waiters_per_hold) {
    return deny(request, hold.binding,
                {0, "(limit)", "this command is held already and too many wait for it (limit waiters_per_hold)", "", Retry::ChangeAndRetry,
                 "wait for the answer"});
  }
  const bool was_gone = hold.attached.empty();
  hold.terms.tighten(request.fresh, false);
  recordRequest(request, hold.binding, hold.id);
  Record& line = recordOf(Record::Kind::Joined, hold);
  line.waiter = request.waiter;
  line.session = request.session;
  const auto& within = request.fresh.verdict == policy::Verdict::Hold ? request.fresh.answer_within : hold.request.fresh.answer_within;
  attach(hold, request, keep_answer_by ? keep_answer_by : after(within));
  notice(hold, was_gone ? Notice::What::AgentBack : Notice::What::Joined);
}

void Desk::Book::attach(Hold& hold, const Submission& request, std::optional<WallTime> answer_by) {
  hold.attached.push_back({request.waiter, request.session, request.connection, answer_by});
  waiting_[request.waiter] = hold.id;
  if (answer_by) deadlines_.insert({*answer_by, Due::Answer, request.waiter});
  reply(request.waiter, Held{hold.id, hold.tag, hold.terms.approvals, hold.request.fresh.reason, answer_by, hold.expires_at});
}

void Desk::Book::repeat(Hold& hold, const Submission& request) {
  if (running_.size() >= limits_.running) {
    return deny(request, hold.binding,
                {0, "(limit)", "too many commands run at once (limit running)", "", Retry::ChangeAndRetry, "repeat soon"});
  }
  hold.terms.tighten(request.fresh, false);
  recordRequest(request, hold.binding, hold.id);
  if (approvalsOf(hold) >= std::size_t(hold.terms.approvals)) {
    release(hold, {request.waiter, request.session, request.connection, std::nullopt}, request.fresh);
    notice(hold, Notice::What::Released);
    return close(hold, ClosedView::How::Released, peopleOf(hold), "", nullptr);
  }
  // Policy asks for more now than these people gave: back to the queue with the approvals that still count.
  std::erase_if(hold.approvals, [&](const Approval& a) { return !isEligible(hold, a); });
  hold.state = HoldState::Pending;
  hold.request.fresh = request.fresh;
  setExpiry(hold, after(request.fresh.expires));
  recordDecision(request, hold.binding, hold.id, policy::Verdict::Hold, request.fresh.rule, request.fresh.reason, peopleOf(hold));
  attach(hold, request, after(request.fresh.answer_within));
  notice(hold, Notice::What::New);
}

void Desk::Book::release(Hold& hold, const Attached& to, const policy::Decision& fresh) {
  const std::vector<std::string> people = peopleOf(hold);
  CHECK(people.size() >= std::size_t(hold.terms.approvals) && !people.empty());
  policy::Decision decision = fresh;
  decision.verdict = policy::Verdict::Allow;
  decision.reason = "approved by " + joined(people);
  decision.form = policy::SendForm::Raw;  // what was shown is what runs, byte for byte
  decision.canonical.clear();
  decision.pins.clear();
  decision.laboratory = false;
  decision.stdin_rule = hold.terms.stdin_rule;
  decision.record_hash = hold.terms.record_hash;
  Record& decided = recordDecision(hold.request, hold.binding, hold.id, policy::Verdict::Allow, decision.rule, decision.reason, people);
  decided.waiter = to.waiter;
  decided.session = to.session;
  decided.connection = to.connection;
  Record& released = recordOf(Record::Kind::Release, hold);
  released.waiter = to.waiter;
  released.session = to.session;
  running_[to.waiter] = {hold.id, hold.binding, hold.request.agent, to.session, hold.request.read_only};
  reply(to.waiter, Released{hold.id, std::move(decision), people, hold.request.command});
}

void Desk::Book::on(const Detach& message) {
  const auto found = waiting_.find(message.waiter);
  if (found == waiting_.end()) return;  // runs already (the worker tells how it ends), or was answered
  Hold& hold = holds_.at(found->second);
  const auto at = std::find_if(hold.attached.begin(), hold.attached.end(), [&](const Attached& a) { return a.waiter == message.waiter; });
  if (at->answer_by) deadlines_.erase({*at->answer_by, Due::Answer, at->waiter});
  Record& line = recordOf(Record::Kind::Detached, hold);
  line.waiter = message.waiter;
  line.session = at->session;
  line.reason = "the client is gone";
  hold.attached.erase(at);
  waiting_.erase(found);
  if (hold.attached.empty()) notice(hold, Notice::What::AgentGone);
}

void Desk::Book::on(const CancelWaiter& message) {
  const auto found = waiting_.find(message.waiter);
  if (found == waiting_.end()) return;
  Hold& hold = holds_.at(found->second);
  const Cancelled last{hold.id, "cancelled by the agent"};
  if (hold.attached.size() == 1) return cancel(hold, "", last.reason, last);
  on(Detach{message.waiter});
  reply(message.waiter, last);
}

void Desk::Book::on(const Finished& message) {
  const auto found = running_.find(message.waiter);
  if (found == running_.end()) return;
  const Running run = std::move(found->second);
  running_.erase(found);
  Record& line = record(Record::Kind::Exit, run.agent);
  line.waiter = message.waiter;
  line.hold = run.hold;
  line.session = run.session;
  line.ending = message.ending;
  line.status = message.status;
  line.signal = message.signal;
  const bool is_seen = message.ending == Ending::Exited || message.ending == Ending::Signalled;
  if (is_seen && run.hold != 0) unknown_.erase(run.binding);  // a person let the repeat run and its end is known
  if (message.ending == Ending::Unknown && !run.read_only) rememberUnknown(run.agent, run.binding);
}

bool Desk::Book::isUnknown(const std::string& agent, const std::string& binding) const {
  const auto found = unknown_.find(binding);
  if (found != unknown_.end() && now_ < found->second.second) return true;
  const auto crowd = crowded_.find(agent);
  return crowd != crowded_.end() && now_ < crowd->second;
}

void Desk::Book::rememberUnknown(const std::string& agent, const std::string& binding) {
  const WallTime until = now_ + limits_.unknown_memory;
  if (unknown_.size() >= limits_.unknown_kept && !unknown_.contains(binding)) {
    std::erase_if(unknown_, [&](const auto& entry) { return entry.second.second <= now_; });
  }
  if (unknown_.size() >= limits_.unknown_kept && !unknown_.contains(binding)) {
    // Forgetting one would let it be retried unseen: rather every writing command of this agent meets a person for that time.
    WallTime& crowd = crowded_[agent];
    crowd = std::max(crowd, until);
    return;
  }
  unknown_[binding] = {agent, until};
}

}  // namespace ptygate::keeper
