// SPDX-License-Identifier: Apache-2.0
#include "recorder/sessions.h"

#include <algorithm>
#include <charconv>

#include "recorder/store_paths.h"

namespace ptygate::recorder {
namespace {

constexpr std::string_view kKeys = "agent, target, login, session, command, verdict, rule, reviewer, exit, text, since, until";

void setIf(std::string& out, const LedgerEvent& event, std::string_view name) {
  if (const std::string_view text = event.text(name); !text.empty()) out = text;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool isCommandKey(std::string_view key) {
  return key == "command" || key == "verdict" || key == "rule" || key == "reviewer" || key == "exit" || key == "text";
}

bool isSessionKey(std::string_view key) {
  return key == "agent" || key == "target" || key == "login" || key == "session";
}

// "90m", "24h", "7d" before now; a day; or a whole time.
std::optional<WallTime> when(std::string_view text, WallTime now) {
  if (auto time = parseTime(text)) return *time;
  if (auto day = parseTime(std::string(text) + "T00:00:00.000Z")) return *day;
  if (text.size() == 20 && text.ends_with('Z')) {
    if (auto time = parseTime(std::string(text.substr(0, 19)) + ".000Z")) return *time;
  }
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  constexpr std::int64_t kMost = 1'000'000;
  if (error != std::errc() || end + 1 != text.data() + text.size() || count < 0 || count > kMost) return std::nullopt;
  switch (*end) {
    case 's':
      return now - std::chrono::seconds(count);
    case 'm':
      return now - std::chrono::minutes(count);
    case 'h':
      return now - std::chrono::hours(count);
    case 'd':
      return now - std::chrono::days(count);
    default:
      return std::nullopt;
  }
}

std::string_view sessionValue(const SessionRow& row, std::string_view key) {
  if (key == "agent") return row.agent;
  if (key == "target") return row.target;
  if (key == "login") return row.login;
  return row.session;
}

bool matchesTerm(const SessionRow& row, const CommandRow& command, std::string_view key, std::string_view value) {
  if (key == "command") return contains(command.command, value);
  if (key == "verdict") return command.verdict == value;
  if (key == "rule") return command.rule == value;
  if (key == "reviewer") return std::find(command.reviewers.begin(), command.reviewers.end(), value) != command.reviewers.end();
  if (key == "exit") return command.exit && std::to_string(*command.exit) == value;
  return contains(command.command, value) || contains(command.intent, value) || contains(command.reason, value) ||
         contains(row.agent, value) || contains(row.target, value);
}

}  // namespace

std::optional<std::chrono::milliseconds> SessionRow::duration() const {
  if (!end) return std::nullopt;
  return std::max(*end - start, std::chrono::milliseconds(0));
}

SessionRow& SessionIndex::rowOf(const LedgerLine& line) {
  const std::string session(line.event.text("session"));
  if (const auto known = by_session_.find(session); !session.empty() && known != by_session_.end()) return rows_[known->second];
  if (!session.empty()) by_session_.emplace(session, rows_.size());
  SessionRow& row = rows_.emplace_back();
  row.session = session;
  row.start = line.at;
  return row;
}

// A request that came before its session moves into the session's row, whichever line brings the two together.
void SessionIndex::join(std::int64_t request, const std::string& session) {
  const auto known = by_request_.find(request);
  if (known == by_request_.end() || session.empty() || rows_[known->second.row].session == session) return;
  SessionRow& old = rows_[known->second.row];
  if (!old.session.empty()) return;  // a request belongs to one session; the first one stays
  if (const auto row = by_session_.find(session); row == by_session_.end()) {
    old.session = session;
    by_session_.emplace(session, known->second.row);
    return;
  }
  SessionRow& row = rows_[by_session_.find(session)->second];
  row.start = std::min(row.start, old.start);
  for (std::string SessionRow::*field : {&SessionRow::agent, &SessionRow::target, &SessionRow::login, &SessionRow::peer}) {
    if ((row.*field).empty()) row.*field = std::move(old.*field);
  }
  row.commands.push_back(std::move(old.commands[known->second.command]));
  old.commands.clear();  // an empty row without a session: take() drops it
  known->second = {by_session_.find(session)->second, row.commands.size() - 1};
}

CommandRow* SessionIndex::commandOf(const LedgerLine& line, bool make) {
  if (!line.event.find("request")) return nullptr;
  const std::int64_t request = line.event.number("request");
  const std::string session(line.event.text("session"));
  join(request, session);
  if (const auto known = by_request_.find(request); known != by_request_.end()) {
    return &rows_[known->second.row].commands[known->second.command];
  }
  if (!make) return nullptr;
  SessionRow& row = rowOf(line);
  CommandRow& command = row.commands.emplace_back();
  command.request = request;
  command.at = line.at;
  by_request_[request] = {static_cast<std::size_t>(&row - rows_.data()), row.commands.size() - 1};
  return &command;
}

// An answer, a cancellation or an expiry names the hold; every request that waits for it learns of it.
void SessionIndex::holdEvent(const LedgerLine& line) {
  const LedgerEvent& event = line.event;
  const auto waiting = by_hold_.find(event.number("hold"));
  if (waiting == by_hold_.end()) return;
  for (const std::int64_t request : waiting->second) {
    const Place place = by_request_.at(request);
    CommandRow& command = rows_[place.row].commands[place.command];
    if (event.kind == "answer") {
      const std::string person(event.text("person"));
      if (std::find(command.reviewers.begin(), command.reviewers.end(), person) == command.reviewers.end())
        command.reviewers.push_back(person);
      if (event.text("answer") == "deny") setIf(command.reason, event, "reason");
      continue;
    }
    if (command.verdict == "allow" || command.verdict == "deny") continue;
    command.verdict = event.kind == "cancelled" ? "cancelled" : "expired";
    setIf(command.reason, event, "reason");
  }
}

void SessionIndex::apply(const LedgerLine& line) {
  const LedgerEvent& event = line.event;
  const std::string_view kind = event.kind;
  if (kind == "answer" || kind == "cancelled" || kind == "hold_expired") return holdEvent(line);
  const bool of_request =
      kind == ledger_kind::kRequest || kind == ledger_kind::kSessionOpened || kind == ledger_kind::kDecision || kind == "joined";
  const bool of_session = kind == ledger_kind::kExit || kind == ledger_kind::kSeal || kind == ledger_kind::kRecovered;
  if (!of_request && !of_session) return;
  CommandRow* command = commandOf(line, of_request);
  if (command) {
    if (const std::int64_t hold = event.number("hold"); hold != 0) {
      auto& waiting = by_hold_[hold];
      if (std::find(waiting.begin(), waiting.end(), command->request) == waiting.end()) waiting.push_back(command->request);
      if (command->verdict.empty()) command->verdict = "held";
    }
    setIf(command->command, event, "command");
    setIf(command->intent, event, "intent");
    if (kind == ledger_kind::kDecision) {
      setIf(command->verdict, event, "verdict");
      setIf(command->rule, event, "rule");
      setIf(command->reason, event, "reason");
      if (!event.list("reviewers").empty()) command->reviewers = event.list("reviewers");
      command->decided = line.at;
    }
  }
  SessionRow* row = command ? &rows_[by_request_[command->request].row] : nullptr;
  if (!row) {
    if (event.text("session").empty()) return;
    row = &rowOf(line);
  }
  setIf(row->agent, event, "agent");
  setIf(row->target, event, "target");
  setIf(row->login, event, "login");
  setIf(row->peer, event, "peer");
  if (!of_session) return;
  row->end = line.at;
  if (kind == ledger_kind::kExit) {
    if (!command && row->commands.size() == 1) command = &row->commands[0];
    if (!command) return;
    command->exit = event.number("status");
    setIf(command->signal, event, "signal");
    setIf(command->ending, event, "ending");
    return;
  }
  row->bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, event.number("bytes")));
  row->recovered = row->recovered || kind == ledger_kind::kRecovered;
  row->sealed = row->sealed || row->recovered || event.flag("final");
}

std::vector<SessionRow> SessionIndex::take() {
  std::vector<SessionRow> rows = std::move(rows_);
  *this = SessionIndex();
  std::erase_if(rows, [](const SessionRow& row) { return row.session.empty() && row.commands.empty(); });
  std::stable_sort(rows.begin(), rows.end(), [](const SessionRow& a, const SessionRow& b) { return a.start < b.start; });
  return rows;
}

Result<SessionFilter> SessionFilter::parse(std::span<const std::string> words, WallTime now) {
  SessionFilter filter;
  for (const std::string& word : words) {
    const std::size_t colon = word.find(':');
    const std::string key = word.substr(0, colon);
    const std::string value = colon == std::string::npos ? "" : word.substr(colon + 1);
    if (colon == std::string::npos || value.empty()) return failure(RecorderError::Kind::Malformed, word + ": filters are key:value");
    if (key == "since" || key == "until") {
      const auto time = when(value, now);
      if (!time)
        return failure(RecorderError::Kind::Malformed, word + ": not a day, a time (2026-11-20T10:07:32Z) or an age (90m, 24h, 7d)");
      (key == "since" ? filter.since_ : filter.until_) = time;
    } else if (isCommandKey(key)) {
      filter.command_terms_.push_back({key, value});
    } else if (isSessionKey(key)) {
      filter.session_terms_.push_back({key, value});
    } else {
      return failure(RecorderError::Kind::Malformed, key + ": no such filter; there are " + std::string(kKeys));
    }
  }
  return filter;
}

bool SessionFilter::matches(const SessionRow& row) const {
  if (since_ && row.start < *since_) return false;
  if (until_ && row.start >= *until_) return false;
  for (const Term& term : session_terms_) {
    if (sessionValue(row, term.key) != term.value) return false;
  }
  if (command_terms_.empty()) return true;
  return std::any_of(row.commands.begin(), row.commands.end(), [this, &row](const CommandRow& command) {
    return std::all_of(command_terms_.begin(), command_terms_.end(),
                       [&](const Term& term) { return matchesTerm(row, command, term.key, term.value); });
  });
}

Result<std::vector<SessionRow>> listRows(int dir_fd, const SessionFilter& filter) {
  SessionIndex index;
  auto read = readLedger(dir_fd, [&index](const LedgerLine& line) {
    index.apply(line);
    return true;
  });
  if (!read) {
    if (read.error().kind == RecorderError::Kind::NotFound) return std::vector<SessionRow>();
    return tl::unexpected(read.error());
  }
  std::vector<SessionRow> rows = index.take();
  std::erase_if(rows, [&filter](const SessionRow& row) { return !filter.matches(row); });
  return rows;
}

}  // namespace ptygate::recorder
