// SPDX-License-Identifier: Apache-2.0
// `sessions`: the list of recorded sessions, from the ledger.
#include "recorder/sessions.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "proxy/base/safe_text.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/print.h"
#include "recorder/store_paths.h"

namespace ptygate::verbs {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kListedCommandBytes = 60;  // export has all of it

std::string exitText(const recorder::CommandRow& command) {
  if (!command.signal.empty()) return shown(command.signal);
  if (command.exit) return std::to_string(*command.exit);
  return command.ending.empty() || command.ending == "exited" ? "-" : shown(command.ending);
}

std::string verdictText(const recorder::CommandRow& command) {
  std::string who;
  for (const auto& reviewer : command.reviewers) who += (who.empty() ? "" : ",") + shown(reviewer);
  return (command.verdict.empty() ? "-" : shown(command.verdict)) + (who.empty() ? "" : " by " + who);
}

std::int64_t millisecondsOf(recorder::WallTime at) {
  return at.time_since_epoch().count();
}

std::string durationOf(const recorder::SessionRow& row) {
  const auto duration = row.duration();
  return duration ? durationText(static_cast<double>(duration->count()) / 1000) : "runs";
}

void addRow(Columns& columns, const recorder::SessionRow& row) {
  const std::string name = row.session.empty() ? "-" : shown(row.session);
  const std::string where = shown(row.login + "@" + row.target);
  const std::string size = bytesText(row.bytes) + (row.recovered ? " (recovered)" : "");
  if (row.commands.empty())
    columns.add({name, timeText(millisecondsOf(row.start)), shown(row.agent), where, "-", "-", durationOf(row), size, "-"});
  for (const auto& command : row.commands) {
    columns.add({name, timeText(millisecondsOf(row.start)), shown(row.agent), where, verdictText(command), exitText(command),
                 durationOf(row), size, base::escapeClipped(command.command, kListedCommandBytes)});
  }
}

Json jsonOf(const recorder::CommandRow& command) {
  Json object;
  object["at"] = recorder::formatTime(command.at);
  object["command"] = command.command;
  object["intent"] = command.intent;
  object["verdict"] = command.verdict;
  object["rule"] = command.rule;
  object["reason"] = command.reason;
  object["reviewers"] = command.reviewers;
  object["decided"] = command.decided ? Json(recorder::formatTime(*command.decided)) : Json(nullptr);
  object["exit"] = command.exit ? Json(*command.exit) : Json(nullptr);
  object["signal"] = command.signal;
  object["ending"] = command.ending;
  return object;
}

Json jsonOf(const recorder::SessionRow& row) {
  Json object;
  object["session"] = row.session.empty() ? Json(nullptr) : Json(row.session);
  object["agent"] = row.agent;
  object["target"] = row.target;
  object["login"] = row.login;
  object["peer"] = row.peer;
  object["start"] = recorder::formatTime(row.start);
  object["end"] = row.end ? Json(recorder::formatTime(*row.end)) : Json(nullptr);
  object["bytes"] = row.bytes;
  object["sealed"] = row.sealed;
  object["recovered"] = row.recovered;
  object["command"] = row.commands.empty() ? Json(nullptr) : Json(row.commands.front().command);  // an exec session has one
  object["commands"] = Json::array();
  for (const auto& command : row.commands) object["commands"].push_back(jsonOf(command));
  return object;
}

}  // namespace

int listSessions(const Arguments& arguments, const Caller& caller) {
  const std::vector<std::string> words = arguments.list("FILTER");
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto filter = recorder::SessionFilter::parse(words, now);
  if (!filter) return fail(kUsage, shown(filter.error().text));
  const auto directory = recorder::openDirectory(caller.dir);
  if (!directory) {
    return fail(kNegative,
                shown(directory.error().text) + ". Is " + shown(caller.dir) + " the gate's directory, and may you read it? Say --dir DIR");
  }
  const auto rows = recorder::listRows(directory->get(), *filter);
  if (!rows) return fail(kNegative, shown(rows.error().text));
  if (rows->empty()) return fail(kNegative, words.empty() ? "no sessions yet" : "no session matches");
  Columns columns({"SESSION", "START", "AGENT", "WHERE", "VERDICT", "EXIT", "TOOK", "SIZE", "COMMAND"});
  for (const auto& row : *rows) {
    if (arguments.has("--json"))
      putJson(jsonOf(row));
    else
      addRow(columns, row);
  }
  if (!arguments.has("--json")) columns.print();
  return kDone;
}

}  // namespace ptygate::verbs
