// SPDX-License-Identifier: Apache-2.0
// From the question to the desk: what is checked, opened, surveyed and evaluated. What comes back from the desk is in replies.cpp.
#include "proxy/keeper/requests.h"

#include <sys/random.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/keeper/evidence.h"
#include "proxy/keeper/view.h"

namespace ptygate::keeper {

using base::LogLevel;

namespace {
constexpr std::chrono::seconds kSpaceCheckedFor{1};
constexpr std::size_t kMaxIntentBytes = 500;
constexpr std::size_t kMaxLocaleVariables = 16;
constexpr int kSessionIdAttempts = 8;
constexpr std::size_t kSha256HexDigits = 64;

std::string logName(WorkerId worker, std::uint64_t number) {
  return "w" + std::to_string(worker) + "r" + std::to_string(number);
}

bool isHexDigest(const std::string& text) {
  return text.size() == kSha256HexDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
}  // namespace

Requests::Requests(Parts parts, Desk desk, WaiterId first_waiter, Hooks hooks)
    : parts_(parts), desk_(std::move(desk)), hooks_(std::move(hooks)), timer_(parts.gate.loop), next_waiter_(first_waiter) {}

Requests::Live* Requests::find(WorkerId worker, std::uint64_t number) {
  const auto known = by_number_.find({worker, number});
  return known == by_number_.end() ? nullptr : live_.at(known->second).get();
}

// ---- the question -----------------------------------------------------------------------------------------------------------------

std::string Requests::onExec(WorkerId worker, base::ExecRequest&& message) {
  const Connection* connection = parts_.connections.find(message.connection, worker);
  if (connection == nullptr || connection->people) return "an exec request for a connection that is not this worker's";
  if (!connection->speaksFor(message.agent)) return "an exec request for an agent who did not log in";
  if (by_number_.contains({worker, message.request})) return "a request number that is in use";
  if (message.command.size() > policy::kMaxRawString) return "a command over the protocol's limit";
  if (message.intent.size() > kMaxIntentBytes || message.locale.size() > kMaxLocaleVariables)
    return "an intent or environment over the protocol's limit";
  for (const auto& [name, value] : message.locale) {
    if (!policy::isLocaleVariable(name, value)) return "an environment variable that is no locale";
  }
  std::uint64_t& highest = highest_number_[worker];
  highest = std::max(highest, message.request);

  const WaiterId waiter = next_waiter_++;
  auto owned = std::make_unique<Live>();
  Live& live = *owned;
  live.waiter = waiter;
  live.worker = worker;
  live.exec = std::move(message);
  live.connection = connectionName(connection->id);
  const std::string peer = connection->peer;
  by_number_[{worker, live.exec.request}] = waiter;
  ++of_agent_[live.exec.agent];
  live_[waiter] = std::move(owned);
  base::log(LogLevel::Debug, "request",
            {{"connection", live.connection},
             {"request", waiter},
             {"number", logName(worker, live.exec.request)},
             {"agent", live.exec.agent},
             {"target", live.exec.target},
             {"login", live.exec.login}});

  if (failed_ || parts_.gate.stopping) {
    refuse(live, base::Outcome::Kind::Trouble, "the gate is stopping");
  } else if (connection->identity.empty()) {
    refuse(live, base::Outcome::Kind::Trouble, connection->refused_reason);
  } else if (std::string why = refusalOf(live.exec); !why.empty()) {
    parts_.journal.append(evidence::refused(live.connection, live.exec.agent, live.exec.target, why));
    refuse(live, base::Outcome::Kind::Denied, why);
  } else if (isSpaceLow()) {
    refuse(live, base::Outcome::Kind::Trouble, "the gate has too little disk space to record a session");
  } else if (!openSession(live, peer)) {
    refuse(live, base::Outcome::Kind::Trouble, "the gate cannot make a recording");
  } else {
    needAccount(live);
  }
  return {};
}

std::string Requests::refusalOf(const base::ExecRequest& exec) const {
  const config::Config& config = parts_.gate.config();
  const config::Agent* agent = config.agent(exec.agent);
  const config::Target* target = config.target(exec.target);
  const bool known = agent != nullptr && target != nullptr && config::Config::isEntitled(*agent, exec.target) &&
                     std::find(target->logins.begin(), target->logins.end(), exec.login) != target->logins.end();
  // One sentence for all of these: an agent learns nothing about targets that are not its own.
  if (!known) return "this target or login is not known";
  if (exec.command.size() > config.limits.worker.command_bytes) return "the command is longer than the gate permits";
  if (ofAgent(exec.agent) > config.limits.requests_per_agent)
    return "too many requests of this agent have not ended (limit requests_per_agent)";
  return {};
}

bool Requests::isSpaceLow() {
  const auto now = parts_.gate.loop.now();
  if (space_checked_ && now - *space_checked_ < kSpaceCheckedFor) return space_low_;
  space_checked_ = now;
  struct statvfs info {};
  const bool told = ::fstatvfs(parts_.gate.dir_fd.get(), &info) == 0;
  const bool low = !told || std::uint64_t(info.f_bavail) * info.f_frsize < parts_.gate.config().limits.free_space_bytes;
  if (low && !space_low_) {
    base::log(LogLevel::Error, "disk_space_low", {{"dir", parts_.gate.dir}});
    parts_.gate.note("disk space is under the floor (limit free_space): new sessions are refused");
  }
  space_low_ = low;
  return low;
}

bool Requests::openSession(Live& live, const std::string& peer) {
  const WallTime now = wallNow();
  for (int attempt = 0; attempt < kSessionIdAttempts; ++attempt) {
    std::array<std::uint8_t, recorder::SessionId::kRandomBytes> random{};
    CHECK(::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
    auto id = recorder::SessionId::generate(now, random);
    auto cast = recorder::createCast(parts_.gate.dir_fd.get(), id);
    if (!cast && cast.error().kind == recorder::RecorderError::Kind::Exists) continue;
    if (!cast) {
      base::log(LogLevel::Error, "cast_not_created", {{"error", cast.error().text}});
      parts_.gate.note("a recording could not be created: " + cast.error().text);
      return false;
    }
    live.session = std::move(id);
    parts_.journal.syncDirectory(std::move(cast->directory));
    parts_.journal.append(evidence::sessionOpened(live.waiter, live.session->text(), live.connection, peer, live.exec));
    std::vector<base::Fd> descriptors;
    descriptors.emplace_back(cast->file.release());
    const auto started = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    hooks_.send(live.worker, base::SessionOpened{live.exec.request, live.session->text(), started}, std::move(descriptors));
    return true;
  }
  return false;
}

void Requests::refuse(Live& live, base::Outcome::Kind kind, const std::string& reason) {
  live.state = State::Ended;
  base::Outcome outcome;
  outcome.request = live.exec.request;
  outcome.kind = kind;
  outcome.reason = reason;
  hooks_.send(live.worker, outcome, {});
}

// ---- the survey -------------------------------------------------------------------------------------------------------------------

void Requests::needAccount(Live& live) {
  live.state = State::Surveying;
  switch (parts_.surveys.ask(live.exec.target, live.exec.login, live.waiter, parts_.gate.loop.now())) {
    case Surveys::Answer::Known:
      return evaluate(live);
    case Surveys::Answer::Wait:
      return;
    case Surveys::Answer::Order:
      return orderSurvey(live);
  }
}

void Requests::orderSurvey(Live& live) {
  live.makes_survey = true;
  const std::string nonce = parts_.surveys.nonce(live.exec.target, live.exec.login);
  parts_.journal.append(evidence::surveyOrdered(live.sessionText(), live.exec.target, live.exec.login, nonce));
  parts_.journal.whenCommitted([this, waiter = live.waiter, nonce] {
    const auto found = live_.find(waiter);
    if (found == live_.end() || found->second->state != State::Surveying || !found->second->makes_survey) return;
    permit(*found->second, "survey");
    hooks_.send(found->second->worker, base::SurveyOrder{found->second->exec.request, policy::surveyCommand(nonce)}, {});
  });
}

void Requests::leaveSurvey(Live& live) {
  if (live.state != State::Surveying) return;
  live.makes_survey = false;
  const WaiterId next = parts_.surveys.abandon(live.exec.target, live.exec.login, live.waiter);
  const auto found = live_.find(next);
  if (next != 0 && found != live_.end()) orderSurvey(*found->second);
}

std::string Requests::onSurveyResult(WorkerId worker, const base::SurveyResult& message) {
  Live* live = find(worker, message.request);
  // The request may have ended while its survey ran; what comes then is not used.
  if (live == nullptr || live->state != State::Surveying || !live->makes_survey) return {};
  if (!live->had_permit) return "a survey that was not ordered";
  const auto done =
      parts_.surveys.finish(live->exec.target, live->exec.login, live->waiter, message.output, message.error, parts_.gate.loop.now());
  if (!done) return {};
  live->makes_survey = false;
  parts_.issuer.revoke(live->waiter);
  const std::string where = live->exec.login + " on " + live->exec.target;
  parts_.journal.append(
      evidence::surveyed(live->sessionText(), live->exec.target, live->exec.login, done->hash, done->changed, done->error));
  base::log(done->error.empty() ? LogLevel::Info : LogLevel::Warn, "surveyed",
            {{"connection", live->connection}, {"account", where}, {"changed", done->changed}, {"error", done->error}});
  if (done->changed) parts_.gate.note("the account " + where + " changed");
  const std::string unreachable =
      message.unreachable ? (message.error.empty() ? std::string("the target cannot be reached") : message.error) : std::string();
  for (const WaiterId waiter : done->waiting) {
    const auto found = live_.find(waiter);
    if (found == live_.end() || found->second->state != State::Surveying) continue;
    if (!unreachable.empty()) {
      refuse(*found->second, base::Outcome::Kind::Trouble, unreachable);
    } else {
      evaluate(*found->second);
    }
  }
  return {};
}

// ---- evaluation -------------------------------------------------------------------------------------------------------------------

policy::Request Requests::policyRequest(const Live& live) const {
  const config::Config& config = parts_.gate.config();
  const config::Agent* agent = config.agent(live.exec.agent);
  const config::Target* target = config.target(live.exec.target);
  policy::Request request;
  request.agent = live.exec.agent;
  if (agent != nullptr) request.owner = agent->owner;
  request.target = live.exec.target;
  request.login = live.exec.login;
  if (target != nullptr) {
    request.labels = target->labels;
    request.trust_account_rc = target->trust_account_rc && !parts_.surveys.isChanged(live.exec.target, live.exec.login);
  }
  request.command = live.exec.command;
  request.intent = live.exec.intent;
  request.locale = live.exec.locale;
  if (live.account) request.account = *live.account;
  return request;
}

void Requests::evaluate(Live& live) {
  // A reload may have come while the survey ran.
  if (std::string why = refusalOf(live.exec); !why.empty()) return refuse(live, base::Outcome::Kind::Denied, why);
  live.account = parts_.surveys.account(live.exec.target, live.exec.login);
  const policy::Request request = policyRequest(live);
  policy::Derivation derivation;
  live.decision = policy::evaluate(*parts_.gate.snapshot.rules, policy::Catalog::builtin(), request, wallNow(), &derivation);
  live.view = viewOf(derivation, request);
  live.read_only = isReadOnly(derivation);
  const policy::StdinRule rule = live.decision.stdin_rule;
  const bool asks =
      live.decision.verdict != policy::Verdict::Deny && (rule == policy::StdinRule::Hold || rule == policy::StdinRule::Refuse);
  if (!asks) return submit(live);
  live.state = State::StdinAsked;
  hooks_.send(live.worker, base::StdinCheck{live.exec.request, rule == policy::StdinRule::Hold}, {});
}

std::string Requests::onStdinState(WorkerId worker, const base::StdinState& message) {
  Live* live = find(worker, message.request);
  if (live == nullptr || live->state == State::Ended) return {};
  if (live->state != State::StdinAsked) return "a state of standard input that nobody asked for";
  const bool held = live->decision.stdin_rule == policy::StdinRule::Hold;
  const auto deny = [&](const char* reason) {
    live->decision.verdict = policy::Verdict::Deny;
    live->decision.rule = "(stdin)";
    live->decision.reason = reason;
    live->decision.advice = "put the data into a file on the target, or send it without standard input";
    live->decision.may_change_and_retry = true;
    live->decision.stdin_rule = policy::StdinRule::None;
  };
  if (held && message.over_limit) {
    deny("standard input is longer than the gate holds (limit held_stdin)");
  } else if (held && message.bytes > 0) {
    if (!isHexDigest(message.sha256) || message.excerpt.size() > base::kStdinExcerptBytes) return "a malformed state of standard input";
    live->stdin_sha256 = message.sha256;
    for (std::string& line : viewOfStdin(message.bytes, message.sha256, message.excerpt)) live->view.push_back(std::move(line));
  } else if (!held && message.bytes > 0) {
    deny("code or unknown data on standard input cannot be reviewed yet");
  } else {
    live->decision.stdin_rule = policy::StdinRule::None;
  }
  submit(*live);
  return {};
}

void Requests::submit(Live& live) {
  live.state = State::Waiting;
  const policy::Request facts = policyRequest(live);
  Submission submission;
  submission.waiter = live.waiter;
  submission.session = live.sessionText();
  submission.connection = live.connection;
  submission.agent = live.exec.agent;
  submission.owner = facts.owner;
  submission.target = live.exec.target;
  submission.login = live.exec.login;
  submission.labels = facts.labels;
  submission.command = live.exec.command;
  submission.stdin_sha256 = live.stdin_sha256;
  submission.intent = live.exec.intent;
  submission.rule_set_hash = parts_.gate.snapshot.rules->hash();
  submission.read_only = live.read_only;
  submission.fresh = live.decision;
  submission.view = std::move(live.view);
  apply(Submit{std::move(submission)});
}

policy::Decision Requests::evaluateAgain(const Submission& submitted) const {
  Live probe;
  probe.exec.agent = submitted.agent;
  probe.exec.target = submitted.target;
  probe.exec.login = submitted.login;
  probe.exec.command = submitted.command;
  probe.exec.intent = submitted.intent;
  if (const auto live = live_.find(submitted.waiter); live != live_.end()) probe.exec.locale = live->second->exec.locale;
  if (refusalOf(probe.exec) == "this target or login is not known") {
    policy::Decision gone;
    gone.verdict = policy::Verdict::Deny;
    gone.rule = "(configuration)";
    gone.reason = "the agent may no longer reach this target and login";
    return gone;
  }
  probe.account = parts_.surveys.account(submitted.target, submitted.login);
  policy::Decision decision = policy::evaluate(*parts_.gate.snapshot.rules, policy::Catalog::builtin(), policyRequest(probe), wallNow());
  // What was found out about standard input before the hold stays: nothing came, so nothing is passed on.
  if (submitted.fresh.stdin_rule == policy::StdinRule::None) decision.stdin_rule = policy::StdinRule::None;
  return decision;
}

// ---- credentials and leaving ------------------------------------------------------------------------------------------------------

void Requests::permit(Live& live, const char* purpose) {
  live.had_permit = true;
  parts_.issuer.permit(live.waiter, {live.exec.agent, live.connection, live.exec.target, live.exec.login, purpose});
}

std::string Requests::onWantCredential(WorkerId worker, const base::WantCredential& message) {
  base::Credential answer;
  answer.ticket = message.ticket;
  const auto refuse_with = [&](const std::string& why) {
    base::log(LogLevel::Warn, "credential_refused", {{"worker", worker}, {"request", message.request}, {"reason", why}});
    parts_.journal.append(evidence::alarm("", "", "credential refused: " + why));
    answer.error = "no credential for this request";
    hooks_.send(worker, answer, {});
    return std::string();
  };
  const Live* live = find(worker, message.request);
  if (live == nullptr) {
    // A request may end while a leg that it opened still logs in; a number that was never a request is a lie.
    if (message.request > highest_number_[worker]) return "a credential for a request that never was";
    return refuse_with("the request has ended");
  }
  if (!live->had_permit) return "a credential without a decision";
  if (failed_) return refuse_with("the ledger failed");
  auto issued = parts_.issuer.take(live->waiter, message.public_key, parts_.gate.config(), *parts_.gate.keys, wallNow());
  if (!issued) return refuse_with(issued.error());
  if (issued->identity == nullptr) {
    parts_.journal.append(evidence::certificate(live->waiter, live->sessionText(), issued->permit.target, issued->permit.login,
                                                issued->key_id, issued->serial, issued->permit.purpose));
    answer.certificate = issued->certificate;
    hooks_.send(worker, answer, {});
    return {};
  }
  auto socket = parts_.identities.open(*issued->identity, issued->permit.target, issued->permit.login);
  if (!socket) return refuse_with(socket.error());
  parts_.journal.append(
      evidence::identityOffered(live->waiter, live->sessionText(), issued->permit.target, issued->permit.login, issued->permit.purpose));
  answer.identity = true;
  answer.public_key = issued->identity->publicKey().line();
  std::vector<base::Fd> descriptors;
  descriptors.push_back(std::move(*socket));
  hooks_.send(worker, answer, std::move(descriptors));
  return {};
}

std::string Requests::onLeave(WorkerId worker, const base::Leave& message) {
  Live* live = find(worker, message.request);
  if (live == nullptr || live->client_gone) return {};
  live->client_gone = true;
  switch (live->state) {
    case State::Surveying:
      leaveSurvey(*live);
      live->state = State::Ended;
      break;
    case State::StdinAsked:
      live->state = State::Ended;
      break;
    case State::Waiting:
      if (message.cancel) {
        apply(CancelWaiter{live->waiter});
      } else {
        apply(Detach{live->waiter});
      }
      break;
    case State::Released:
    case State::Ended:
      break;
  }
  return {};
}

std::string Requests::onFinished(WorkerId worker, const base::Finished& message) {
  Live* live = find(worker, message.request);
  if (live == nullptr) return "the end of a request that is not open";
  if (!message.cast_sha256.empty() && !isHexDigest(message.cast_sha256)) return "a malformed hash of a recording";
  if (message.ran && live->state != State::Released) return "a command ran that was not released";
  switch (live->state) {
    case State::Surveying:
      leaveSurvey(*live);
      break;
    case State::Waiting:
      apply(Detach{live->waiter});
      break;
    case State::Released: {
      Ending ending = Ending::Unknown;
      if (!message.ran) {
        ending = Ending::NotStarted;
      } else if (message.outcome_known) {
        ending = message.exit_signal.empty() ? Ending::Exited : Ending::Signalled;
      } else if (live->client_gone) {
        ending = Ending::ClientGone;
      }
      tellDesk(live->waiter, ending, static_cast<int>(message.exit_status), message.exit_signal);
      break;
    }
    case State::StdinAsked:
    case State::Ended:
      break;
  }
  if (live->session && !message.cast_sha256.empty()) {
    parts_.journal.append(evidence::seal(live->session->text(), message));
    sealLater(*live->session);
  } else if (live->session) {
    recoverLater(*live->session);
  }
  base::log(LogLevel::Info, "session_ended",
            {{"connection", live->connection},
             {"session", live->sessionText()},
             {"agent", live->exec.agent},
             {"target", live->exec.target},
             {"ran", message.ran},
             {"status", message.exit_status},
             {"signal", message.exit_signal},
             {"note", message.error}});
  forget(*live);
  return {};
}

void Requests::forget(Live& live) {
  parts_.issuer.revoke(live.waiter);
  by_number_.erase({live.worker, live.exec.request});
  const auto count = of_agent_.find(live.exec.agent);
  if (count != of_agent_.end() && --count->second == 0) of_agent_.erase(count);
  live_.erase(live.waiter);  // `live` ends here
}

std::uint64_t Requests::ofAgent(const std::string& agent) const {
  const auto found = of_agent_.find(agent);
  return found == of_agent_.end() ? 0 : found->second;
}

bool Requests::isOpen(const std::string& session) const {
  return std::any_of(live_.begin(), live_.end(), [&](const auto& entry) { return entry.second->sessionText() == session; });
}

}  // namespace ptygate::keeper
