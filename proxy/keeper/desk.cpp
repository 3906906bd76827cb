// SPDX-License-Identifier: Apache-2.0
// The desk's frame: order, deadlines, ends of holds, records, views. Requests are in desk_requests.cpp, people's and agents' verbs in
// desk_answers.cpp.
#include "proxy/keeper/desk.h"

#include <algorithm>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/keeper/desk_book.h"

namespace ptygate::keeper {
namespace {

constexpr Milliseconds kLongestDelay{std::chrono::hours(24 * 3650)};  // keeps sums far from overflow
constexpr int kDenied = 126, kExpired = 124, kLater = 75, kTrouble = 255;  // exit status at the agent's client

std::string hexOf(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

/// Raw bytes of 64 hex digits; empty for anything else.
std::string bytesOfHex(std::string_view hex) {
  if (hex.size() != 64) return {};
  std::string bytes;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    if (digit(hex[i]) < 0 || digit(hex[i + 1]) < 0) return {};
    bytes += char(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return bytes;
}

int strictness(policy::StdinRule rule) {
  switch (rule) {
    case policy::StdinRule::Stream:
      return 0;
    case policy::StdinRule::Hold:
      return 1;
    case policy::StdinRule::None:
      return 2;
    case policy::StdinRule::Refuse:
      return 3;
  }
  return 3;
}

HoldView viewOf(const Hold& hold, const std::vector<std::string>& people) {
  return {hold.id, hold.tag, hold.state, hold.request, hold.terms.approvals, people, hold.attached.size(), hold.since, hold.expires_at};
}

}  // namespace

std::optional<int> exitStatusOf(const Outcome& outcome) {
  struct Status {
    std::optional<int> operator()(const Held&) const { return std::nullopt; }
    std::optional<int> operator()(const Released&) const { return std::nullopt; }
    std::optional<int> operator()(const Denied&) const { return kDenied; }
    std::optional<int> operator()(const Expired&) const { return kExpired; }
    std::optional<int> operator()(const Later&) const { return kLater; }
    std::optional<int> operator()(const Cancelled&) const { return kDenied; }
    std::optional<int> operator()(const Trouble&) const { return kTrouble; }
  };
  return std::visit(Status{}, outcome);
}

void Terms::tighten(const policy::Decision& decision, bool is_first) {
  if (decision.verdict == policy::Verdict::Hold) {
    approvals = std::max(approvals, decision.approvals);
    not_owner = not_owner || decision.not_owner;
    const bool is_new = std::find(reviewer_lists.begin(), reviewer_lists.end(), decision.reviewers) == reviewer_lists.end();
    if (!decision.reviewers.empty() && is_new) reviewer_lists.push_back(decision.reviewers);
  }
  if (is_first || strictness(decision.stdin_rule) > strictness(stdin_rule)) stdin_rule = decision.stdin_rule;
  record_hash = record_hash && decision.record_hash;
}

// ---- facade ---------------------------------------------------------------------------------------------------------------------

Desk::Desk(DeskSeed seed, DeskLimits limits) : book_(std::make_unique<Book>(std::move(seed), limits)) {}
Desk::~Desk() = default;
Desk::Desk(Desk&&) noexcept = default;
Desk& Desk::operator=(Desk&&) noexcept = default;

std::vector<Effect> Desk::apply(const Message& message, WallTime now) {
  return book_->apply(message, now);
}
std::optional<WallTime> Desk::nextDeadline() const {
  return book_->nextDeadline();
}
std::size_t Desk::openCount() const {
  return book_->holds().size();
}
bool Desk::isStopped(std::string_view agent) const {
  return book_->isStopped(agent);
}

std::vector<HoldView> Desk::open() const {
  std::vector<HoldView> views;
  for (const auto& [id, hold] : book_->holds()) views.push_back(*show(id));
  return views;
}

std::vector<HoldView> Desk::openOf(std::string_view agent) const {
  std::vector<HoldView> views;
  for (const auto& [id, hold] : book_->holds()) {
    if (hold.request.agent == agent) views.push_back(*show(id));
  }
  return views;
}

std::optional<HoldView> Desk::show(HoldId hold) const {
  const auto found = book_->holds().find(hold);
  if (found == book_->holds().end()) return std::nullopt;
  std::vector<std::string> people;
  for (const Approval& approval : found->second.approvals) people.push_back(approval.person);
  return viewOf(found->second, people);
}

std::optional<ClosedView> Desk::closed(HoldId hold) const {
  const auto found = book_->closed().find(hold);
  if (found == book_->closed().end()) return std::nullopt;
  return found->second;
}

const Submission* Desk::requestOf(HoldId hold) const {
  const auto found = book_->holds().find(hold);
  return found == book_->holds().end() ? nullptr : &found->second.request;
}

// ---- order and deadlines --------------------------------------------------------------------------------------------------------

Desk::Book::Book(DeskSeed seed, DeskLimits limits) : limits_(limits), next_(std::max<HoldId>(seed.next_hold, 1)) {
  now_ = WallTime{};
  for (std::string& agent : seed.stopped) stopped_.insert(std::move(agent));
  // Their age is not known here, so they start anew: longer is the safe side.
  for (const auto& [agent, hex] : seed.unknown) {
    const std::string binding = bytesOfHex(hex);
    if (binding.empty() || unknown_.size() >= limits_.unknown_kept) {
      crowded_[agent] = WallTime::max();
    } else {
      unknown_[binding] = {agent, WallTime::max()};
    }
  }
}

std::vector<Effect> Desk::Book::apply(const Message& message, WallTime now) {
  now_ = std::max(now_, now);
  out_.clear();
  runDeadlines();
  std::visit([this](const auto& m) { on(m); }, message);
  return std::exchange(out_, {});
}

std::optional<WallTime> Desk::Book::nextDeadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return std::get<WallTime>(*deadlines_.begin());
}

void Desk::Book::runDeadlines() {
  while (!deadlines_.empty() && std::get<WallTime>(*deadlines_.begin()) <= now_) {
    const auto [at, due, id] = *deadlines_.begin();
    deadlines_.erase(deadlines_.begin());
    switch (due) {
      case Due::Answer:
        answerDue(id);
        break;
      case Due::Verb:
        verbDue(id);
        break;
      case Due::Hold:
        holdDue(id);
        break;
    }
  }
}

void Desk::Book::answerDue(WaiterId waiter) {
  const auto found = waiting_.find(waiter);
  CHECK(found != waiting_.end());
  Hold& hold = holds_.at(found->second);
  const auto at = std::find_if(hold.attached.begin(), hold.attached.end(), [&](const Attached& a) { return a.waiter == waiter; });
  Record& left = recordOf(Record::Kind::Detached, hold);
  left.waiter = waiter;
  left.session = at->session;
  left.reason = "not decided within answer_within";
  hold.attached.erase(at);
  waiting_.erase(found);
  reply(waiter, Later{hold.id, hold.tag});
  if (hold.attached.empty()) notice(hold, Notice::What::AgentGone);
}

void Desk::Book::verbDue(TicketId ticket) {
  const auto found = verbs_.find(ticket);
  CHECK(found != verbs_.end());
  Hold& hold = holds_.at(found->second);
  std::erase_if(hold.waits, [&](const WaitingVerb& w) { return w.ticket == ticket; });
  verbs_.erase(found);
  result(ticket, 75, "still held as " + std::to_string(hold.id) + "-" + hold.tag);
}

void Desk::Book::holdDue(HoldId id) {
  Hold& hold = holds_.at(id);
  hold.expires_at.reset();
  const bool was_approved = hold.state == HoldState::Approved;
  const std::string reason = was_approved ? "approved, but the command was not repeated in time" : "nobody decided in time";
  recordOf(Record::Kind::Expired, hold).reason = reason;
  notice(hold, Notice::What::Expired);
  endWaits(hold, 124, "expired: " + reason);
  const Outcome last = Expired{hold.id, hold.tag};
  close(hold, ClosedView::How::Expired, {}, reason, &last);
}

// ---- ends -----------------------------------------------------------------------------------------------------------------------

void Desk::Book::endWaits(Hold& hold, int code, const std::string& text) {
  for (const WaitingVerb& wait : hold.waits) {
    if (wait.until) deadlines_.erase({*wait.until, Due::Verb, wait.ticket});
    verbs_.erase(wait.ticket);
    result(wait.ticket, code, text);
  }
  hold.waits.clear();
}

void Desk::Book::close(Hold& hold, ClosedView::How how, std::vector<std::string> people, const std::string& reason, const Outcome* last) {
  CHECK(hold.waits.empty());
  CHECK(last != nullptr || hold.attached.empty());
  dropDeadlines(hold);
  for (const Attached& attached : hold.attached) {
    waiting_.erase(attached.waiter);
    reply(attached.waiter, *last);
  }
  const auto share = shares_.find(hold.request.agent);
  share->second.bytes -= hold.bytes;
  if (--share->second.holds == 0) shares_.erase(share);
  held_bytes_ -= hold.bytes;
  by_binding_.erase(hold.binding);
  addClosed({hold.id, hold.tag, hold.request.agent, how, std::move(people), reason, now_});
  holds_.erase(HoldId(hold.id));  // a copy: the reference dies with the node
}

void Desk::Book::cancel(Hold& hold, const std::string& person, const std::string& reason, const Outcome& last) {
  Record& line = recordOf(Record::Kind::Cancelled, hold);
  line.person = person;
  line.reason = reason;
  notice(hold, Notice::What::Cancelled);
  endWaits(hold, 126, "cancelled: " + reason);
  close(hold, ClosedView::How::Cancelled, person.empty() ? std::vector<std::string>{} : std::vector{person}, reason, &last);
}

void Desk::Book::addClosed(ClosedView view) {
  const HoldId id = view.id;
  closed_.insert_or_assign(id, std::move(view));
  while (closed_.size() > limits_.closed_kept) closed_.erase(closed_.begin());
}

void Desk::Book::dropDeadlines(const Hold& hold) {
  if (hold.expires_at) deadlines_.erase({*hold.expires_at, Due::Hold, hold.id});
  for (const Attached& attached : hold.attached) {
    if (attached.answer_by) deadlines_.erase({*attached.answer_by, Due::Answer, attached.waiter});
  }
}

void Desk::Book::setExpiry(Hold& hold, std::optional<WallTime> at) {
  if (hold.expires_at) deadlines_.erase({*hold.expires_at, Due::Hold, hold.id});
  hold.expires_at = at;
  if (at) deadlines_.insert({*at, Due::Hold, hold.id});
}

std::optional<WallTime> Desk::Book::after(const std::optional<Milliseconds>& delay) const {
  if (!delay) return std::nullopt;
  return now_ + std::clamp(*delay, Milliseconds{0}, kLongestDelay);
}

Hold* Desk::Book::find(HoldId hold) {
  const auto found = holds_.find(hold);
  return found == holds_.end() ? nullptr : &found->second;
}

Hold* Desk::Book::findByBinding(const std::string& binding) {
  const auto found = by_binding_.find(binding);
  return found == by_binding_.end() ? nullptr : &holds_.at(found->second);
}

bool Desk::Book::isEligible(const Hold& hold, const Approval& person) {
  // One who asks is never one who decides; the configuration refuses a name that is both, and so does this.
  if (person.person.empty() || person.person == hold.request.agent) return false;
  if (hold.terms.not_owner && person.person == hold.request.owner) return false;
  const auto isNamed = [&](const std::string& reviewer) {
    constexpr std::string_view kRole = "role=";
    if (!reviewer.starts_with(kRole)) return reviewer == person.person;
    return std::find(person.roles.begin(), person.roles.end(), reviewer.substr(kRole.size())) != person.roles.end();
  };
  return std::all_of(hold.terms.reviewer_lists.begin(), hold.terms.reviewer_lists.end(),
                     [&](const auto& list) { return std::any_of(list.begin(), list.end(), isNamed); });
}

std::size_t Desk::Book::approvalsOf(const Hold& hold) {
  return std::size_t(std::count_if(hold.approvals.begin(), hold.approvals.end(), [&](const Approval& a) { return isEligible(hold, a); }));
}

std::vector<std::string> Desk::Book::peopleOf(const Hold& hold) {
  std::vector<std::string> people;
  for (const Approval& approval : hold.approvals) {
    if (isEligible(hold, approval)) people.push_back(approval.person);
  }
  return people;
}

// ---- records --------------------------------------------------------------------------------------------------------------------

Record& Desk::Book::record(Record::Kind kind, const std::string& agent) {
  Record line;
  line.kind = kind;
  line.at = now_;
  line.agent = agent;
  return std::get<Record>(out_.emplace_back(std::move(line)));
}

Record& Desk::Book::recordOf(Record::Kind kind, const Hold& hold) {
  Record& line = record(kind, hold.request.agent);
  line.hold = hold.id;
  line.tag = hold.tag;
  line.binding = hexOf(hold.binding);
  return line;
}

void Desk::Book::recordRequest(const Submission& request, const std::string& binding, HoldId hold) {
  Record& line = record(Record::Kind::Request, request.agent);
  line.waiter = request.waiter;
  line.hold = hold;
  line.binding = hexOf(binding);
  line.tag = tagOf(binding);
  line.session = request.session;
  line.connection = request.connection;
  line.owner = request.owner;
  line.target = request.target;
  line.login = request.login;
  line.context = request.context;
  line.cwd = request.cwd;
  line.command = request.command;
  line.stdin_sha256 = request.stdin_sha256;
  line.intent = request.intent;
  line.rule_set_hash = request.rule_set_hash;
}

Record& Desk::Book::recordDecision(const Submission& request, const std::string& binding, HoldId hold, policy::Verdict verdict,
                                   const std::string& rule, const std::string& reason, std::vector<std::string> people) {
  Record& line = record(Record::Kind::Decision, request.agent);
  line.waiter = request.waiter;
  line.hold = hold;
  line.binding = hexOf(binding);
  line.tag = tagOf(binding);
  line.session = request.session;
  line.connection = request.connection;
  line.target = request.target;
  line.login = request.login;
  line.verdict = verdict;
  line.rule = rule;
  line.reason = reason;
  line.people = std::move(people);
  line.rule_set_hash = request.rule_set_hash;
  return line;
}

}  // namespace ptygate::keeper
