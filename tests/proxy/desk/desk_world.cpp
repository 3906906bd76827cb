// SPDX-License-Identifier: Apache-2.0
#include "desk_world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace ptygate::keeper::testing {
namespace {

void must(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "desk invariant broken: %s\n", sentence);
  std::abort();
}

DeskLimits smallLimits() {
  DeskLimits limits;
  limits.holds = 12;
  limits.holds_per_agent = 8;
  limits.held_bytes = 12 * 700;
  limits.waiters_per_hold = 3;
  limits.waits_per_hold = 2;
  limits.running = 30;
  limits.closed_kept = 20;
  limits.unknown_kept = 2;
  limits.unknown_memory = std::chrono::minutes(20);
  return limits;
}

const char* const kAgents[] = {"bot", "ant", "alice"};  // alice is a person's name too: she must never decide for that agent
const char* const kPeople[] = {"alice", "bob", "carol", "dave", "bot"};
const char* const kCommands[] = {"rm x", "mv a b", "reboot", "systemctl restart api"};

}  // namespace

DeskWorld::DeskWorld(std::function<std::uint8_t()> next)
    : next_(std::move(next)), limits_(smallLimits()), desk_({}, limits_), now_(WallTime{} + std::chrono::hours(1000)) {}

policy::Decision DeskWorld::decision() {
  policy::Decision made;
  const std::uint8_t kind = pick(8);
  made.verdict = kind == 0 ? policy::Verdict::Deny : kind == 1 ? policy::Verdict::Allow : policy::Verdict::Hold;
  made.rule = "r";
  made.approvals = pick(6) == 0 ? 2 : pick(40) == 0 ? -1 : 1;
  if (pick(6) == 0) made.reviewers = {"role=ops", "carol"};
  made.not_owner = pick(5) == 0;
  if (pick(4) != 0) made.answer_within = std::chrono::seconds(pick(100));
  if (pick(4) != 0) made.expires = std::chrono::seconds(pick(250));
  made.form = policy::SendForm::Canonical;
  made.canonical = "canonical";
  return made;
}

void DeskWorld::submit() {
  Submission request;
  request.waiter = ++last_waiter_;
  request.session = "s" + std::to_string(request.waiter);
  request.agent = kAgents[pick(3)];
  request.owner = "bob";
  request.target = "web1";
  request.login = "root";
  request.command = kCommands[pick(4)];
  request.read_only = pick(5) == 0;
  request.fresh = decision();
  Asked asked{.request = request};
  asked.policy_allows = request.fresh.verdict == policy::Verdict::Allow;
  asked_.emplace(request.waiter, asked);
  apply(Submit{request});
  const Asked& after = asked_.at(request.waiter);
  must(after.is_final || after.hold != 0, "a request gets an answer or is held");
}

void DeskWorld::answer() {
  Answer message;
  message.ticket = ++last_ticket_;
  message.hold = someHold();
  const auto known = known_.find(message.hold);
  const std::string tag = known == known_.end() || known->second.binding.empty() ? "abcd" : tagOf(known->second.binding);
  message.tag = pick(8) == 0 ? "" : pick(8) == 0 ? "zzzz" : tag;
  message.person = kPeople[pick(5)];
  if (pick(2) == 0) message.roles = {"ops"};
  message.may_review = pick(10) != 0;
  message.approve = pick(4) != 0;
  if (pick(12) != 0) message.fresh = decision();
  const bool is_good =
      message.approve && message.may_review && message.tag == tag && message.fresh && message.fresh->verdict != policy::Verdict::Deny;
  if (is_good && known != known_.end() && !known->second.ended) known->second.approvers.insert(message.person);
  answer_fresh_ = message.fresh;
  tickets_.insert(message.ticket);
  apply(message);
  must(!tickets_.contains(message.ticket), "an answer gets a result at once");
  answer_fresh_.reset();
}

void DeskWorld::step() {
  const std::uint8_t seconds[] = {0, 0, 0, 1, 5, 20, 90};
  now_ += std::chrono::seconds(seconds[pick(7)]);
  if (pick(50) == 0) now_ -= std::chrono::minutes(30);
  const std::uint8_t kind = pick(20);
  if (kind < 7) return submit();
  if (kind < 12) return answer();
  switch (kind) {
    case 12:
    case 13: {
      const WaiterId waiter = someWaiter();
      apply(Detach{waiter});  // what was due before it may still answer
      if (const auto found = asked_.find(waiter); found != asked_.end() && !found->second.runs) found->second.attached = false;
      return;
    }
    case 14: {
      const WaiterId waiter = someWaiter();
      return apply(CancelWaiter{waiter});
    }
    case 15: {
      tickets_.insert(++last_ticket_);
      apply(Cancel{last_ticket_, someHold(), kAgents[pick(3)]});
      must(!tickets_.contains(last_ticket_), "a cancel gets a result at once");
      return;
    }
    case 16: {
      tickets_.insert(++last_ticket_);
      return apply(Wait{last_ticket_, someHold(), kAgents[pick(3)]});
    }
    case 17:
    case 18: {
      const WaiterId waiter = someWaiter();
      apply(Finished{waiter, Ending(pick(5)), 0, ""});
      if (const auto found = asked_.find(waiter); found != asked_.end()) found->second.runs = false;
      return;
    }
    default:
      break;
  }
  const std::uint8_t rare = pick(30);
  tickets_.insert(++last_ticket_);
  if (rare == 0) return apply(StopAgent{last_ticket_, kAgents[pick(3)], "dave", pick(2) == 0, ""});
  if (rare < 6) return apply(ResumeAgent{last_ticket_, kAgents[pick(3)], "dave", true});
  tickets_.erase(last_ticket_);
  if (rare == 6) return apply(Recovered{highest_ + 1 + pick(3), "abcd", "bot"});
  if (rare < 9 && !tickets_.empty()) {
    const TicketId ticket = *tickets_.begin();
    apply(DropWait{ticket});
    tickets_.erase(ticket);
    return;
  }
  apply(Tick{});
}

void DeskWorld::finish() {
  apply(Shutdown{});
  must(desk_.openCount() == 0, "no hold survives a shutdown");
  must(!desk_.nextDeadline(), "no deadline survives a shutdown");
  for (const auto& [waiter, asked] : asked_) must(asked.is_final || !asked.attached, "every attached waiter was answered in the end");
}

void DeskWorld::apply(const Message& message) {
  latest_ = std::max(latest_, now_);
  if (const auto* recovered = std::get_if<Recovered>(&message))
    highest_ = std::max(highest_, recovered->hold), known_[recovered->hold].ended = true;
  check(desk_.apply(message, now_));
  const auto deadline = desk_.nextDeadline();
  must(!deadline || *deadline >= latest_, "what was due is done");
  must(desk_.openCount() <= limits_.holds, "open holds are limited");
  std::map<std::string, std::size_t> per_agent;
  for (const HoldView& view : desk_.open()) {
    must(view.attached <= limits_.waiters_per_hold, "waiters are limited");
    must(view.state == HoldState::Pending || view.attached == 0, "an approved hold with a waiter is released");
    must(++per_agent[view.request.agent] <= limits_.holds_per_agent, "holds per agent are limited");
  }
}

void DeskWorld::check(const std::vector<Effect>& effects) {
  for (const Effect& effect : effects) {
    if (const auto* record = std::get_if<Record>(&effect)) {
      must(record->at == latest_, "records carry a time that never goes back");
      if (record->kind == Record::Kind::Decision && record->verdict == policy::Verdict::Allow) decided_.insert(record->waiter);
      if (record->kind == Record::Kind::Release) {
        must(decided_.contains(record->waiter), "a decision is recorded before its release");
        must(released_records_.insert(record->waiter).second, "a waiter is released once");
      }
      const bool ends = record->kind == Record::Kind::Expired || record->kind == Record::Kind::Cancelled ||
                        (record->kind == Record::Kind::Answer && !record->approve);
      if (ends) {
        must(!known_[record->hold].ended || record->reason == "restart", "a hold ends once");
        known_[record->hold].ended = true;
      }
    } else if (const auto* reply = std::get_if<Reply>(&effect)) {
      checkReply(*reply);
    } else if (const auto* result = std::get_if<Result>(&effect)) {
      must(tickets_.erase(result->ticket) == 1, "a ticket gets one result");
    } else if (const auto* notice = std::get_if<Notice>(&effect)) {
      if (notice->what == Notice::What::Denied) known_[notice->hold].ended = true;
    }
  }
}

void DeskWorld::checkReply(const Reply& reply) {
  const auto found = asked_.find(reply.waiter);
  must(found != asked_.end(), "replies go to waiters that asked");
  Asked& asked = found->second;
  must(!asked.is_final, "nothing follows a final outcome");
  must(asked.attached, "nobody answers a client that is gone");
  if (const auto* held = std::get_if<Held>(&reply.outcome)) {
    Known& known = known_[held->hold];
    if (known.binding.empty()) {
      must(held->hold > highest_, "ids are never reused");
      highest_ = held->hold;
      known.binding = bindingOf(asked.request);
      known.at_least = asked.request.fresh.verdict == policy::Verdict::Hold && !answer_fresh_ ? asked.request.fresh.approvals : 1;
    }
    must(!known.ended && !known.released, "an ended hold takes no waiter");
    must(known.binding == bindingOf(asked.request), "only equal requests join");
    known.expires_at = held->expires_at;
    asked.hold = held->hold;
    if (answer_fresh_) asked.policy_allows = false;
    ++counts_["held"];
    return;
  }
  asked.is_final = true;
  if (const auto* released = std::get_if<Released>(&reply.outcome)) return checkReleased(reply.waiter, *released);
  ++counts_["outcome " + std::to_string(reply.outcome.index())];
}

void DeskWorld::checkReleased(WaiterId waiter, const Released& released) {
  Asked& asked = asked_.at(waiter);
  asked.runs = true;
  must(released_records_.contains(waiter), "a release is recorded before it is told");
  must(released.command == asked.request.command, "what runs is what was asked, byte for byte");
  must(released.decision.verdict == policy::Verdict::Allow, "a release carries an allow");
  if (released.hold == 0) {
    const bool asked_anew = answer_fresh_ && answer_fresh_->verdict == policy::Verdict::Allow;
    must(asked.policy_allows || asked_anew, "policy releases only what policy allows");
    ++counts_["released by policy"];
    return;
  }
  Known& known = known_.at(released.hold);
  must(!known.released, "one approval is one run");
  must(!known.ended, "nothing runs after a denial, expiry or cancellation");
  must(known.binding == bindingOf(asked.request), "an approval covers its binding only");
  known.released = true;
  const std::set<std::string> people(released.approved_by.begin(), released.approved_by.end());
  must(people.size() == released.approved_by.size(), "the people are distinct");
  must(int(people.size()) >= std::max(1, known.at_least), "there are as many as the rule asked for");
  for (const std::string& person : people) {
    must(known.approvers.contains(person), "each of them approved this very hold with its tag");
    must(person != asked.request.agent, "one who asks is never one who decides");
  }
  must(released.decision.form == policy::SendForm::Raw && released.decision.canonical.empty(), "an approved line is sent as shown");
  ++counts_[asked.hold == released.hold ? "released to a waiter" : "released to a repeat"];
  if (people.size() > 1) ++counts_["released by two"];
}

HoldId DeskWorld::someHold() {
  const std::uint8_t back = pick(10);
  return highest_ >= back ? highest_ - back : highest_;
}

WaiterId DeskWorld::someWaiter() {
  const std::uint8_t back = pick(12);
  return last_waiter_ >= back ? last_waiter_ - back : last_waiter_;
}

}  // namespace ptygate::keeper::testing
