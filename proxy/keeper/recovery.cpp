// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/recovery.h"

#include <algorithm>

#include "proxy/base/log.h"
#include "proxy/keeper/evidence.h"
#include "recorder/recovery.h"
#include "recorder/store_paths.h"

namespace ptygate::keeper {

namespace {
constexpr std::chrono::hours kUnknownMemory{24};
}  // namespace

void RecoveryScan::onLine(const recorder::LedgerLine& line) {
  const recorder::LedgerEvent& event = line.event;
  const std::string& kind = event.kind;
  const auto request = static_cast<std::uint64_t>(std::max<std::int64_t>(0, event.number("request")));
  const auto hold = static_cast<HoldId>(std::max<std::int64_t>(0, event.number("hold")));
  const std::string session(event.text("session"));
  highest_request_ = std::max(highest_request_, request);
  highest_hold_ = std::max(highest_hold_, hold);
  if (kind == recorder::ledger_kind::kSessionOpened) {
    open_.emplace(session, 0);
  } else if (kind == recorder::ledger_kind::kSeal) {
    if (event.flag("final")) {
      open_.erase(session);
      sealed_.insert(session);
    } else if (const auto found = open_.find(session); found != open_.end()) {
      found->second = static_cast<std::uint64_t>(std::max<std::int64_t>(0, event.number("bytes")));
    }
  } else if (kind == recorder::ledger_kind::kRecovered) {
    open_.erase(session);
    sealed_.insert(session);
  } else if (kind == recorder::ledger_kind::kRequest) {
    if (hold != 0) holds_[hold] = {std::string(event.text("tag")), std::string(event.text("agent"))};
  } else if (kind == recorder::ledger_kind::kRelease) {
    running_[request] = {request, session, std::string(event.text("agent")), std::string(event.text("binding"))};
    holds_.erase(hold);
  } else if (kind == recorder::ledger_kind::kExit) {
    const auto found = running_.find(request);
    if (found == running_.end()) return;
    const bool unknown = event.text("ending") == evidence::nameOf(Ending::Unknown);
    if (unknown && now_ - line.at < kUnknownMemory) unknown_.emplace_back(found->second.agent, found->second.binding);
    running_.erase(found);
  } else if (kind == recorder::ledger_kind::kDecision) {
    if (event.text("verdict") == evidence::nameOf(policy::Verdict::Deny)) holds_.erase(hold);
  } else if (kind == "cancelled" || kind == "hold_expired") {
    holds_.erase(hold);
  } else if (kind == "agent_stopped") {
    stopped_.insert(std::string(event.text("agent")));
  } else if (kind == "agent_resumed") {
    stopped_.erase(std::string(event.text("agent")));
  }
}

DeskSeed RecoveryScan::seed() const {
  DeskSeed seed;
  seed.next_hold = highest_hold_ + 1;
  seed.unknown = unknown_;
  for (const auto& [request, unended] : running_) seed.unknown.emplace_back(unended.agent, unended.binding);
  // All of them: over its own limit the desk holds every writing command of the agent, where dropping one here would forget it.
  seed.stopped.assign(stopped_.begin(), stopped_.end());
  return seed;
}

std::vector<Recovered> RecoveryScan::holds() const {
  std::vector<Recovered> result;
  for (const auto& [id, held] : holds_) result.push_back({id, held.tag, held.agent});
  return result;
}

std::vector<RecoveryScan::Unended> RecoveryScan::unended() const {
  std::vector<Unended> result;
  for (const auto& [request, unended] : running_) result.push_back(unended);
  return result;
}

std::vector<RecoveryScan::Open> RecoveryScan::sessions() const {
  std::vector<Open> result;
  for (const auto& [session, sealed_bytes] : open_) result.push_back({session, sealed_bytes});
  return result;
}

std::vector<std::string> mendAfterCrash(Gate& gate, Journal& journal, const RecoveryScan& scan) {
  std::vector<std::string> notes;
  const int dir_fd = gate.dir_fd.get();
  for (const RecoveryScan::Unended& unended : scan.unended()) {
    Record record;
    record.kind = Record::Kind::Exit;
    record.waiter = unended.request;
    record.session = unended.session;
    record.agent = unended.agent;
    record.binding = unended.binding;
    record.ending = Ending::Unknown;
    journal.append(evidence::ofRecord(record));
  }
  std::vector<RecoveryScan::Open> open = scan.sessions();
  // A cast may be there without any line: the crash came between its creation and the first sync of the ledger.
  if (auto all = recorder::listSessions(dir_fd)) {
    for (const recorder::SessionId& id : *all) {
      if (!scan.isKnown(id.text())) open.push_back({id.text(), 0});
    }
  }
  std::vector<recorder::SessionId> mended;
  for (const RecoveryScan::Open& session : open) {
    const auto id = recorder::SessionId::parse(session.session);
    if (!id) continue;
    auto recovered = recorder::recoverCast(dir_fd, *id, session.sealed_bytes);
    if (!recovered && recovered.error().kind == recorder::RecorderError::Kind::NotFound) {
      // Its name was not on disk yet, so nothing was forwarded either.
      recorder::LedgerEvent lost{std::string(recorder::ledger_kind::kRecovered), {}};
      journal.append(lost.set("session", id->text()).set("bytes", std::int64_t{0}).set("missing", true));
      continue;
    }
    if (!recovered) {
      base::log(base::LogLevel::Error, "cast_not_recovered", {{"session", id->text()}, {"error", recovered.error().text}});
      notes.push_back("the recording " + id->text() + " could not be mended: " + recovered.error().text);
      continue;
    }
    base::log(base::LogLevel::Warn, "cast_recovered", {{"session", id->text()}, {"torn_bytes", recovered->torn_bytes}});
    journal.append(recorder::recoveredEvent(*id, *recovered));
    mended.push_back(*id);
  }
  if (journal.commitNow()) {
    for (const recorder::SessionId& id : mended) (void)recorder::sealCast(dir_fd, id);
  }
  return notes;
}

}  // namespace ptygate::keeper
