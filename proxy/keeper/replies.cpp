// SPDX-License-Identifier: Apache-2.0
// What comes from the desk: records into the ledger, and only after they are on disk the replies, results and notices. Also the ends:
// lost workers, shutdown, a failed ledger.
#include <algorithm>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/keeper/evidence.h"
#include "proxy/keeper/requests.h"
#include "recorder/recovery.h"

namespace ptygate::keeper {

using base::LogLevel;

namespace {

constexpr std::size_t kExecNonceLetters = 16;
constexpr std::size_t kRecentHolds = 20;

std::string holdName(HoldId hold, const std::string& tag) {
  return hold == 0 ? std::string() : std::to_string(hold) + "-" + tag;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

/// Ends that are told to the worker as they are. Held and Released are handled before.
struct EndOf {
  base::Outcome operator()(const Denied& denied) const {
    base::Outcome out = kind(base::Outcome::Kind::Denied);
    out.hold = denied.hold == 0 ? "" : std::to_string(denied.hold);
    out.rule = denied.rule;
    out.reason = denied.by.empty() ? denied.reason : "by " + denied.by + (denied.reason.empty() ? "" : ": " + denied.reason);
    out.advice = denied.advice;
    out.may_change_and_retry = denied.retry == Retry::ChangeAndRetry;
    out.marker = "#1 deny(" + denied.rule + ")";
    return out;
  }
  base::Outcome operator()(const Expired& expired) const {
    return held(base::Outcome::Kind::Expired, expired.hold, expired.tag, "#1 expired");
  }
  base::Outcome operator()(const Later& later) const {
    return held(base::Outcome::Kind::Later, later.hold, later.tag, "#1 held, not decided yet");
  }
  base::Outcome operator()(const Cancelled& cancelled) const {
    base::Outcome out = kind(base::Outcome::Kind::Cancelled);
    out.hold = cancelled.hold == 0 ? "" : std::to_string(cancelled.hold);
    out.reason = cancelled.reason;
    out.marker = "#1 cancelled";
    return out;
  }
  base::Outcome operator()(const Trouble& trouble) const {
    base::Outcome out = kind(base::Outcome::Kind::Trouble);
    out.reason = trouble.reason;
    return out;
  }
  base::Outcome operator()(const Held&) const { return kind(base::Outcome::Kind::Trouble); }
  base::Outcome operator()(const Released&) const { return kind(base::Outcome::Kind::Trouble); }

 private:
  static base::Outcome kind(base::Outcome::Kind value) {
    base::Outcome out;
    out.kind = value;
    return out;
  }
  static base::Outcome held(base::Outcome::Kind value, HoldId hold, const std::string& tag, const char* marker) {
    base::Outcome out = kind(value);
    out.hold = holdName(hold, tag);
    out.marker = marker;
    return out;
  }
};

std::string heldText(const Held& held) {
  std::string text = "held as " + holdName(held.hold, held.tag) + ": " + held.reason;
  if (held.approvals > 1) text += " (needs " + std::to_string(held.approvals) + " people)";
  return text;
}

}  // namespace

/// What goes out once the ledger has everything before it.
struct Requests::Delivery {
  WaiterId waiter = 0;  ///< 0: a result or notice
  std::optional<base::ToWorker> message;
  bool released = false;
  bool ends = false;         ///< the desk knows the waiter no more
  bool not_started = false;  ///< released by the desk, but it cannot be sent
  std::optional<Result> result;
  std::optional<Notice> notice;
};

void Requests::apply(const Message& message) {
  if (failed_) return;
  carryOut(desk_.apply(message, wallNow()));
  armTimer();
}

void Requests::armTimer() {
  const auto deadline = desk_.nextDeadline();
  if (!deadline || failed_) {
    timer_.stop();
    return;
  }
  const auto left = std::max(*deadline - wallNow(), std::chrono::milliseconds(0));
  // A wall clock that is set forward must not leave holds open for long: look again at least each minute.
  timer_.start(std::min<std::chrono::milliseconds>(left, std::chrono::minutes(1)), [this] { apply(Tick{}); });
}

void Requests::carryOut(std::vector<Effect> effects) {
  std::vector<Delivery> deliveries;
  for (Effect& effect : effects) {
    if (const auto* record = std::get_if<Record>(&effect)) {
      parts_.journal.append(evidence::ofRecord(*record));
      if (record->kind == Record::Kind::Request && record->hold != 0) {
        auto& recent = recent_[record->agent];
        std::erase_if(recent, [&](const RecentHold& known) { return known.hold == record->hold; });
        recent.push_front({record->hold, record->target, record->login, record->command.substr(0, kRecentCommandBytes)});
        if (recent.size() > kRecentHolds) recent.pop_back();
      }
    } else if (const auto* reply = std::get_if<Reply>(&effect)) {
      prepareReply(*reply, deliveries);
    } else if (auto* result = std::get_if<Result>(&effect)) {
      deliveries.push_back({0, std::nullopt, false, false, false, std::move(*result), std::nullopt});
    } else if (const auto* notice = std::get_if<Notice>(&effect)) {
      deliveries.push_back({0, std::nullopt, false, false, false, std::nullopt, *notice});
    }
  }
  if (deliveries.empty()) return;
  parts_.journal.whenCommitted([this, list = std::move(deliveries)]() mutable {
    for (Delivery& delivery : list) deliver(delivery);
  });
}

void Requests::prepareReply(const Reply& reply, std::vector<Delivery>& deliveries) {
  Delivery delivery;
  delivery.waiter = reply.waiter;
  const auto found = live_.find(reply.waiter);
  Live* live = found == live_.end() ? nullptr : found->second.get();
  if (const auto* held = std::get_if<Held>(&reply.outcome)) {
    if (live != nullptr) {
      live->hold = holdName(held->hold, held->tag);
      delivery.message = base::Notice{live->exec.request, live->hold, heldText(*held)};
    }
  } else if (const auto* released = std::get_if<Released>(&reply.outcome)) {
    bool sound = false;
    base::Outcome outcome;
    if (live != nullptr) outcome = releaseOf(*live, *released, sound);
    delivery.released = sound;
    delivery.not_started = !sound;
    delivery.ends = true;
    if (live != nullptr) delivery.message = std::move(outcome);
  } else {
    base::Outcome outcome = std::visit(EndOf{}, reply.outcome);
    delivery.ends = true;
    if (live != nullptr) {
      outcome.request = live->exec.request;
      // The agent compares it with the name that it was told when the hold began.
      if (!outcome.hold.empty() && live->hold.starts_with(outcome.hold + "-")) outcome.hold = live->hold;
      delivery.message = std::move(outcome);
    }
  }
  deliveries.push_back(std::move(delivery));
}

base::Outcome Requests::releaseOf(Live& live, const Released& released, bool& sound) {
  CHECK(released.decision.verdict == policy::Verdict::Allow);
  CHECK(released.command == live.exec.command);  // what was shown is what runs
  base::Outcome outcome;
  outcome.request = live.exec.request;
  outcome.kind = base::Outcome::Kind::Trouble;
  const policy::Decision& decision = released.decision;
  const bool canonical = decision.form == policy::SendForm::Canonical;
  if (canonical) {
    if (!live.account) return outcome;
    auto exec = policy::execString(*live.account, decision.canonical, live.exec.locale, decision.pins, randomWord(kExecNonceLetters));
    if (!exec) {
      outcome.reason = "the command cannot be put into its safe form: " + exec.error();
      return outcome;
    }
    outcome.exec = std::move(*exec);
  } else {
    outcome.exec = live.exec.command;
    outcome.env = live.exec.locale;
  }
  sound = true;
  outcome.kind = base::Outcome::Kind::Release;
  outcome.stdin_rule = static_cast<std::uint8_t>(decision.stdin_rule);
  outcome.record_hash = decision.record_hash;
  outcome.rule = decision.rule;
  outcome.reason = decision.reason;
  outcome.hold = released.hold == 0 ? "" : std::to_string(released.hold);
  outcome.marker = released.approved_by.empty() ? "#1 allow(" + decision.rule + ") " : "#1 approved(" + joined(released.approved_by) + ") ";
  outcome.marker += live.exec.command;
  parts_.journal.append(evidence::sending(live.waiter, live.sessionText(), canonical ? "canonical" : "raw", outcome.exec));
  return outcome;
}

void Requests::deliver(Delivery& delivery) {
  if (failed_) return;
  if (delivery.result) return hooks_.on_result(*delivery.result);
  if (delivery.notice) return hooks_.on_notice(*delivery.notice);
  const auto found = live_.find(delivery.waiter);
  Live* live = found == live_.end() ? nullptr : found->second.get();
  if (delivery.released && (live == nullptr || live->client_gone || live->state != State::Waiting)) {
    // Released at the very moment when its client left: it never runs with nobody attached.
    if (live != nullptr) live->state = State::Ended;
    return tellDesk(delivery.waiter, Ending::NotStarted, 0, "");
  }
  if (live != nullptr && live->state == State::Waiting && delivery.message) {
    if (delivery.ends) live->state = delivery.released ? State::Released : State::Ended;
    if (delivery.released) permit(*live, "release");
    if (auto* outcome = std::get_if<base::Outcome>(&*delivery.message)) {
      base::log(LogLevel::Info, "decided",
                {{"connection", live->connection},
                 {"session", live->sessionText()},
                 {"agent", live->exec.agent},
                 {"target", live->exec.target},
                 {"outcome", delivery.released ? "release" : "end"},
                 {"rule", outcome->rule},
                 {"hold", outcome->hold}});
    }
    hooks_.send(live->worker, *delivery.message, {});
  }
  if (delivery.not_started) tellDesk(delivery.waiter, Ending::NotStarted, 0, "");
}

void Requests::tellDesk(WaiterId waiter, Ending ending, int status, const std::string& signal) {
  apply(keeper::Finished{waiter, ending, status, signal});
}

std::vector<Requests::RecentHold> Requests::recentHolds(const std::string& agent) const {
  const auto found = recent_.find(agent);
  return found == recent_.end() ? std::vector<RecentHold>() : std::vector<RecentHold>(found->second.begin(), found->second.end());
}

// ---- ends -------------------------------------------------------------------------------------------------------------------------

void Requests::sealLater(const recorder::SessionId& session) {
  parts_.journal.whenCommitted([this, session] {
    if (auto sealed = recorder::sealCast(parts_.gate.dir_fd.get(), session); !sealed) {
      base::log(LogLevel::Warn, "cast_not_sealed", {{"session", session.text()}, {"error", sealed.error().text}});
    }
  });
}

void Requests::recoverLater(const recorder::SessionId& session) {
  struct Job {
    std::optional<recorder::Result<recorder::Recovered>> result;
  };
  auto job = std::make_unique<Job>();
  Job* raw = job.release();
  const int dir_fd = parts_.gate.dir_fd.get();
  parts_.gate.inPool(
      [raw, dir_fd, session] { raw->result.emplace(recorder::recoverCast(dir_fd, session, 0)); },
      [this, raw, session] {
        const std::unique_ptr<Job> done(raw);
        if (!*done->result) {
          base::log(LogLevel::Error, "cast_not_recovered", {{"session", session.text()}, {"error", done->result->error().text}});
          parts_.gate.note("the recording " + session.text() + " could not be mended: " + done->result->error().text);
          return;
        }
        parts_.journal.append(recorder::recoveredEvent(session, **done->result));
        sealLater(session);
      });
}

void Requests::workerGone(WorkerId worker) {
  std::vector<WaiterId> lost;
  for (const auto& [waiter, live] : live_) {
    if (live->worker == worker) lost.push_back(waiter);
  }
  for (const WaiterId waiter : lost) {
    const auto found = live_.find(waiter);
    if (found == live_.end()) continue;
    Live& live = *found->second;
    switch (live.state) {
      case State::Surveying:
        leaveSurvey(live);
        break;
      case State::Waiting:
        apply(Detach{waiter});
        break;
      case State::Released:
        tellDesk(waiter, Ending::Unknown, 0, "");
        break;
      case State::StdinAsked:
      case State::Ended:
        break;
    }
    if (live.session) recoverLater(*live.session);
    forget(live);
  }
  highest_number_.erase(worker);
}

void Requests::shutDown() {
  for (const auto& [waiter, live] : live_) {
    if (live->state != State::Surveying && live->state != State::StdinAsked) continue;
    refuse(*live, base::Outcome::Kind::Trouble, "the gate is stopping");
  }
  apply(Shutdown{});
}

void Requests::fail(const std::string& reason) {
  if (failed_) return;
  failed_ = true;
  timer_.stop();
  for (const auto& [waiter, live] : live_) {
    if (live->state == State::Released || live->state == State::Ended) continue;
    refuse(*live, base::Outcome::Kind::Trouble, reason);
  }
}

}  // namespace ptygate::keeper
