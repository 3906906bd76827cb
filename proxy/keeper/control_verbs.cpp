// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/control_verbs.h"

#include <algorithm>

#include "proxy/base/log.h"
#include "proxy/keeper/evidence.h"

namespace ptygate::keeper {

namespace {

enum Who : unsigned { kReview = 1, kAudit = 2, kOperate = 4, kPeople = 7, kAgent = 8 };
constexpr std::size_t kListedCommandBytes = 512;
constexpr std::size_t kMaxTicketsPerConnection = 16;
constexpr std::size_t kMaxTextBytes = 8192;

std::int64_t unixMs(WallTime time) {
  return time.time_since_epoch().count();
}

std::string cut(const std::string& text) {
  return text.size() <= kMaxTextBytes ? text : text.substr(0, kMaxTextBytes) + "…";
}

const char* wordOf(ClosedView::How how) {
  switch (how) {
    case ClosedView::How::Released:
      return "released";
    case ClosedView::How::Denied:
      return "denied";
    case ClosedView::How::Expired:
      return "expired";
    case ClosedView::How::Cancelled:
      return "cancelled";
  }
  return "ended";
}

const char* wordOf(Notice::What what) {
  switch (what) {
    case Notice::What::New:
      return "new";
    case Notice::What::Joined:
      return "joined";
    case Notice::What::AgentGone:
      return "agent-gone";
    case Notice::What::AgentBack:
      return "agent-back";
    case Notice::What::Approval:
      return "approval";
    case Notice::What::Approved:
      return "approved";
    case Notice::What::Released:
      return "released";
    case Notice::What::Denied:
      return "denied";
    case Notice::What::Expired:
      return "expired";
    case Notice::What::Cancelled:
      return "cancelled";
  }
  return "changed";
}

std::vector<std::string> cutLines(const std::vector<std::string>& lines) {
  std::vector<std::string> result;
  std::size_t total = 0;
  for (const std::string& line : lines) {
    total += line.size() + 16;
    if (total > control::kMaxViewBytes) {
      result.emplace_back("… the rest of the decomposition does not fit here; the command above is whole");
      return result;
    }
    result.push_back(line);
  }
  return result;
}

std::string people(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::vector<std::string> fingerprints(const std::vector<certs::PublicKey>& keys) {
  std::vector<std::string> result;
  for (const certs::PublicKey& key : keys) result.push_back(std::string(key.typeName()) + " " + key.fingerprint());
  return result;
}

std::vector<std::string> rightsText(const config::Person& person) {
  std::vector<std::string> may;
  if (person.may_review) may.emplace_back("review");
  if (person.may_audit) may.emplace_back("audit");
  if (person.may_operate) may.emplace_back("operate");
  return may;
}

control::OwnRequest ownRequest(const HoldView& view) {
  control::OwnRequest own;
  own.id = view.id;
  own.tag = view.tag;
  own.state = view.state == HoldState::Approved ? "approved" : "pending";
  own.target = view.request.target;
  own.login = view.request.login;
  own.command = view.request.command.substr(0, kListedCommandBytes);
  own.reason = cut(view.request.fresh.reason);
  if (view.expires_at) own.expires_ms = unixMs(*view.expires_at);
  return own;
}

}  // namespace

control::Hold holdFor(const HoldView& view, bool full) {
  const Submission& request = view.request;
  control::Hold hold;
  hold.id = view.id;
  hold.tag = view.tag;
  hold.approved = view.state == HoldState::Approved;
  hold.agent = request.agent;
  hold.owner = request.owner;
  hold.target = request.target;
  hold.login = request.login;
  hold.labels = request.labels;
  hold.command = full ? request.command : request.command.substr(0, kListedCommandBytes);
  hold.command_bytes = request.command.size();
  hold.intent = request.intent;
  hold.rule = request.fresh.rule;
  hold.reason = cut(request.fresh.reason);
  if (full) hold.lines = cutLines(request.view);
  hold.approvals_needed = view.approvals_needed;
  hold.approved_by = view.approved_by;
  hold.attached = view.attached;
  hold.since_ms = unixMs(view.since);
  if (view.expires_at) hold.expires_ms = unixMs(*view.expires_at);
  hold.session = request.session;
  return hold;
}

ControlVerbs::ControlVerbs(Parts parts, Hooks hooks) : parts_(parts), hooks_(std::move(hooks)) {}

const std::vector<ControlVerbs::Row>& ControlVerbs::table() {
  static const std::vector<Row> kTable = {
      {"whoami", kPeople | kAgent, &ControlVerbs::whoami, {}},
      {"status", kPeople | kAgent, &ControlVerbs::status, {}},
      {"pending", kReview | kOperate, &ControlVerbs::pending, {}},
      {"show", kPeople, &ControlVerbs::show, {"hold"}},
      {"approve", kReview, &ControlVerbs::approve, {"hold", "reason"}},
      {"deny", kReview, &ControlVerbs::deny, {"hold", "reason", "retry"}},
      {"subscribe-holds", kReview, &ControlVerbs::subscribe, {}},
      {"watch", kReview | kAudit, &ControlVerbs::watch, {"session"}},
      {"reload", kOperate, &ControlVerbs::reload, {}},
      {"targets", kPeople, &ControlVerbs::targets, {"name"}},
      {"targets-accept", kOperate, &ControlVerbs::acceptTarget, {"name", "login"}},
      {"agents", kPeople, &ControlVerbs::agents, {}},
      {"agents-stop", kOperate | kReview, &ControlVerbs::stopAgent, {"name", "reason"}},
      {"agents-resume", kOperate, &ControlVerbs::resumeAgent, {"name"}},
      {"wait", kAgent, &ControlVerbs::wait, {"hold"}},
      {"cancel", kAgent, &ControlVerbs::cancel, {"hold"}},
  };
  return kTable;
}

std::string ControlVerbs::Call::arg(const char* name) const {
  const auto found = request.args.find(name);
  return found == request.args.end() ? std::string() : found->second;
}

unsigned ControlVerbs::rightsOf(const Call& call) {
  switch (call.caller.kind) {
    case ControlCaller::Kind::Nobody:
      return 0;
    case ControlCaller::Kind::Agent:
      return kAgent;
    case ControlCaller::Kind::Operator:
      return kOperate | kAudit;
    case ControlCaller::Kind::Person:
      break;
  }
  // Looked up at each question: rights that a reload took away are gone at once.
  if (call.person == nullptr) return 0;
  return (call.person->may_review ? kReview : 0U) | (call.person->may_audit ? kAudit : 0U) | (call.person->may_operate ? kOperate : 0U);
}

void ControlVerbs::onRequest(ControlId id, const ControlCaller& caller, const control::Request& request) {
  const config::Person* person = caller.kind == ControlCaller::Kind::Person ? parts_.gate.config().person(caller.name) : nullptr;
  const Call call{id, caller, request, person};
  if (caller.kind == ControlCaller::Kind::Agent && parts_.gate.config().agent(caller.name) == nullptr)
    return reply(call, control::kNotPermitted, "not permitted");
  for (const Row& row : table()) {
    if (request.verb != row.verb) continue;
    if ((rightsOf(call) & row.who) == 0) {
      base::log(base::LogLevel::Warn, "control_not_permitted", {{"caller", caller.name}, {"verb", request.verb}});
      return reply(call, control::kNotPermitted, request.verb + ": you are not permitted to do this");
    }
    for (const auto& argument : request.args) {
      const bool known = std::any_of(row.args.begin(), row.args.end(), [&](const char* each) { return argument.first == each; });
      if (!known) return reply(call, control::kUsage, "unknown argument");
    }
    return (this->*row.handler)(call);
  }
  reply(call, control::kUsage, "unknown verb");
}

void ControlVerbs::reply(const Call& call, int status, std::string text) {
  hooks_.send(call.connection, control::Reply{call.request.id, status, std::move(text)});
}

void ControlVerbs::item(const Call& call, control::Item value) {
  hooks_.send(call.connection, control::ItemLine{call.request.id, std::move(value)});
}

std::string ControlVerbs::who(const Call& call) const {
  return call.caller.kind == ControlCaller::Kind::Operator ? "operator" : call.caller.name;
}

TicketId ControlVerbs::ticket(const Call& call, bool is_wait) {
  const TicketId ticket = parts_.requests.newTicket();
  tickets_[ticket] = {call.connection, call.request.id, is_wait};
  return ticket;
}

void ControlVerbs::onClosed(ControlId id) {
  subscriptions_.erase(id);
  std::vector<TicketId> dropped;
  for (const auto& [ticket, entry] : tickets_) {
    if (entry.connection == id) dropped.push_back(ticket);
  }
  for (const TicketId gone : dropped) {
    const bool is_wait = tickets_.at(gone).is_wait;
    tickets_.erase(gone);
    if (is_wait) parts_.requests.apply(DropWait{gone});
  }
}

void ControlVerbs::onResult(const Result& result) {
  const auto found = tickets_.find(result.ticket);
  if (found == tickets_.end()) return;
  const Ticket ticket = found->second;
  tickets_.erase(found);
  hooks_.send(ticket.connection, control::Reply{ticket.request, result.code, cut(result.text)});
}

// ---- everyone ---------------------------------------------------------------------------------------------------------------------

void ControlVerbs::whoami(const Call& call) {
  control::WhoAmI me;
  me.name = call.caller.name;
  switch (call.caller.kind) {
    case ControlCaller::Kind::Person:
      me.kind = "person";
      me.may = rightsText(*call.person);
      break;
    case ControlCaller::Kind::Agent:
      me.kind = "agent";
      me.targets = parts_.gate.config().agent(call.caller.name)->targets;
      break;
    case ControlCaller::Kind::Operator:
      me.kind = "operator";
      me.may = {"audit", "operate"};
      break;
    case ControlCaller::Kind::Nobody:
      break;
  }
  item(call, std::move(me));
  reply(call, control::kDone, "");
}

void ControlVerbs::status(const Call& call) {
  if (call.caller.kind != ControlCaller::Kind::Agent) {
    item(call, hooks_.status());
    return reply(call, control::kDone, "");
  }
  for (Requests::RecentHold& recent : parts_.requests.recentHolds(call.caller.name)) {
    if (const auto view = parts_.requests.desk().show(recent.hold)) {
      if (view->request.agent == call.caller.name) item(call, ownRequest(*view));
    } else if (const auto closed = parts_.requests.desk().closed(recent.hold); closed && closed->agent == call.caller.name) {
      control::OwnRequest own;
      own.id = closed->id;
      own.tag = closed->tag;
      own.state = wordOf(closed->how);
      own.target = std::move(recent.target);
      own.login = std::move(recent.login);
      own.command = std::move(recent.command);
      own.reason = cut(closed->reason);
      item(call, std::move(own));
    }
  }
  const bool stopped = parts_.requests.desk().isStopped(call.caller.name);
  reply(call, control::kDone, stopped ? "this agent was stopped by a person" : "");
}

// ---- people -----------------------------------------------------------------------------------------------------------------------

void ControlVerbs::pending(const Call& call) {
  for (const HoldView& view : parts_.requests.desk().open()) item(call, holdFor(view, /*full=*/false));
  reply(call, control::kDone, "");
}

void ControlVerbs::show(const Call& call) {
  const auto ref = control::parseHoldRef(call.arg("hold"));
  if (!ref) return reply(call, control::kUsage, "a hold is needed, like 42 or 42-k7f3");
  if (const auto view = parts_.requests.desk().show(ref->id)) {
    if (!ref->tag.empty() && ref->tag != view->tag)
      return reply(call, control::kNegative, "hold " + std::to_string(ref->id) + " has another tag");
    item(call, holdFor(*view, /*full=*/true));
    return reply(call, control::kDone, "");
  }
  if (const auto closed = parts_.requests.desk().closed(ref->id)) {
    item(call, control::ClosedHold{closed->id, closed->tag, closed->agent, wordOf(closed->how), closed->people, cut(closed->reason),
                                   unixMs(closed->at)});
    return reply(call, control::kDone, "");
  }
  reply(call, control::kNegative, "no hold " + std::to_string(ref->id));
}

void ControlVerbs::answer(const Call& call, bool approve) {
  const auto ref = control::parseHoldRef(call.arg("hold"));
  if (!ref)
    return reply(call, control::kUsage, approve ? "a hold with its tag is needed, like 42-k7f3" : "a hold is needed, like 42 or 42-k7f3");
  const std::string retry = call.arg("retry");
  if (!retry.empty() && retry != "stop-and-report" && retry != "change-and-retry")
    return reply(call, control::kUsage, "retry is stop-and-report or change-and-retry");
  keeper::Answer message;
  message.hold = ref->id;
  message.tag = ref->tag;
  message.person = call.person->name;
  message.roles = call.person->roles;
  message.may_review = call.person->may_review;
  message.approve = approve;
  message.reason = call.arg("reason");
  message.retry = retry == "change-and-retry" ? Retry::ChangeAndRetry : Retry::StopAndReport;
  if (const Submission* request = parts_.requests.desk().requestOf(ref->id)) message.fresh = parts_.requests.evaluateAgain(*request);
  message.ticket = ticket(call, false);
  parts_.requests.apply(message);
}

void ControlVerbs::approve(const Call& call) {
  answer(call, true);
}
void ControlVerbs::deny(const Call& call) {
  answer(call, false);
}

void ControlVerbs::subscribe(const Call& call) {
  if (subscriptions_.contains(call.connection)) return reply(call, control::kUsage, "subscribed already");
  subscriptions_[call.connection] = call.request.id;
  for (const HoldView& view : parts_.requests.desk().open()) {
    control::Event event;
    event.id = call.request.id;
    event.what = "open";
    event.hold = holdFor(view, /*full=*/true);
    hooks_.send(call.connection, event);
  }
  control::Event ready;
  ready.id = call.request.id;
  ready.kind = control::Event::Kind::Ready;
  hooks_.send(call.connection, ready);
}

void ControlVerbs::onNotice(const Notice& notice) {
  if (subscriptions_.empty()) return;
  control::Event event;
  event.what = wordOf(notice.what);
  if (const auto view = parts_.requests.desk().show(notice.hold)) {
    event.hold = holdFor(*view, /*full=*/true);
  } else {
    event.kind = control::Event::Kind::Gone;
    event.gone = notice.hold;
    if (const auto closed = parts_.requests.desk().closed(notice.hold)) {
      event.what = wordOf(closed->how);
      event.text = cut(people(closed->people) + (closed->people.empty() || closed->reason.empty() ? "" : ": ") + closed->reason);
    }
  }
  for (const auto& [connection, request] : subscriptions_) {
    event.id = request;
    hooks_.send(connection, event);
  }
}

void ControlVerbs::watch(const Call& call) {
  std::string session = call.arg("session");
  if (const auto ref = control::parseHoldRef(session)) {
    const auto view = parts_.requests.desk().show(ref->id);
    if (!view) return reply(call, control::kNegative, "no open hold " + std::to_string(ref->id));
    session = view->request.session;
  }
  auto id = recorder::SessionId::parse(session);
  if (!id) {
    auto found = recorder::findSession(parts_.gate.dir_fd.get(), session);
    if (!found) return reply(call, control::kNegative, found.error().text);
    id = std::move(*found);
  }
  const control::SessionFile file{id->text(), parts_.gate.dir + "/" + recorder::castPath(*id), parts_.requests.isOpen(id->text())};
  if (auto cast = recorder::openCast(parts_.gate.dir_fd.get(), *id); !cast)
    return reply(call, control::kNegative, "no session " + id->text());
  item(call, file);
  reply(call, control::kDone, "");
}

void ControlVerbs::reload(const Call& call) {
  auto done = hooks_.reload(who(call));
  if (done) return reply(call, control::kDone, *done);
  reply(call, control::kNegative, cut("nothing was changed: " + done.error()));
}

void ControlVerbs::targets(const Call& call) {
  const std::string wanted = call.arg("name");
  bool found = wanted.empty();
  for (const config::Target& target : parts_.gate.config().targets) {
    if (!wanted.empty() && target.name != wanted) continue;
    found = true;
    control::TargetRow row;
    row.name = target.name;
    row.address = target.address.text();
    row.logins = target.logins;
    for (const config::Address& alias : target.aliases) row.aliases.push_back(alias.text());
    row.host_keys = fingerprints(target.host_keys);
    row.labels = target.labels;
    row.credential = target.identity_key.empty() ? "certificate" : "identity";
    row.accounts = parts_.surveys.describe(target.name);
    item(call, std::move(row));
  }
  reply(call, found ? control::kDone : control::kNegative, found ? "" : "no target of this name");
}

void ControlVerbs::acceptTarget(const Call& call) {
  const std::string target = call.arg("name"), login = call.arg("login");
  const std::string hash = parts_.surveys.accept(target, login);
  if (hash.empty()) return reply(call, control::kNegative, "nothing to accept: no changed account of this target and login");
  parts_.journal.append(evidence::accountAccepted(target, login, hash, who(call)));
  parts_.journal.whenCommitted([this, connection = call.connection, request = call.request.id] {
    hooks_.send(connection, control::Reply{request, control::kDone, "accepted"});
  });
}

void ControlVerbs::agents(const Call& call) {
  for (const config::Agent& agent : parts_.gate.config().agents) {
    control::AgentRow row;
    row.name = agent.name;
    row.owner = agent.owner;
    row.keys = fingerprints(agent.keys);
    row.targets = agent.targets;
    row.stopped = parts_.requests.desk().isStopped(agent.name);
    row.connections = parts_.connections.ofIdentity(agent.name);
    row.holds = parts_.requests.desk().openOf(agent.name).size();
    item(call, std::move(row));
  }
  reply(call, control::kDone, "");
}

void ControlVerbs::stopAgent(const Call& call) {
  const std::string name = call.arg("name");
  if (parts_.gate.config().agent(name) == nullptr) return reply(call, control::kNegative, "no agent of this name");
  const std::string reason = call.arg("reason").substr(0, 500);
  parts_.requests.apply(StopAgent{ticket(call, false), name, who(call), true, reason});
  hooks_.end_agent(name, reason.empty() ? "stopped by a person" : "stopped by a person: " + reason);
}

void ControlVerbs::resumeAgent(const Call& call) {
  const std::string name = call.arg("name");
  if (parts_.gate.config().agent(name) == nullptr) return reply(call, control::kNegative, "no agent of this name");
  parts_.requests.apply(ResumeAgent{ticket(call, false), name, who(call), true});
}

// ---- agents -----------------------------------------------------------------------------------------------------------------------

void ControlVerbs::wait(const Call& call) {
  const auto ref = control::parseHoldRef(call.arg("hold"));
  if (!ref) return reply(call, control::kUsage, "a hold is needed, like 42 or 42-k7f3");
  const auto open =
      std::count_if(tickets_.begin(), tickets_.end(), [&](const auto& entry) { return entry.second.connection == call.connection; });
  if (static_cast<std::size_t>(open) >= kMaxTicketsPerConnection) return reply(call, control::kUsage, "too many questions at once");
  parts_.requests.apply(Wait{ticket(call, true), ref->id, call.caller.name});
}

void ControlVerbs::cancel(const Call& call) {
  const auto ref = control::parseHoldRef(call.arg("hold"));
  if (!ref) return reply(call, control::kUsage, "a hold is needed, like 42 or 42-k7f3");
  parts_.requests.apply(Cancel{ticket(call, false), ref->id, call.caller.name});
}

}  // namespace ptygate::keeper
