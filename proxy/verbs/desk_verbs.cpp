// SPDX-License-Identifier: Apache-2.0
// Verbs that ask the running gate and print its answer: the desk's (pending, show, approve, deny), agents' and people's own, the gate's
// status. Nothing is decided here; the gate knows who is at the other end of the connection.
#include <chrono>
#include <nlohmann/json.hpp>

#include "proxy/base/safe_text.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/gate_client.h"
#include "proxy/verbs/print.h"

namespace ptygate::verbs {

namespace {

// Columns of a command in a listing; `show` has all of it.
constexpr std::size_t kListedCommandBytes = 60;

std::int64_t nowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string leftText(const std::optional<std::int64_t>& expires_ms) {
  if (!expires_ms) return "no limit";
  const std::int64_t left = *expires_ms - nowMs();
  return left <= 0 ? "over" : durationText(static_cast<double>(left) / 1000);
}

std::string joined(const std::vector<std::string>& words, std::string_view none = "-") {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + shown(word);
  return text.empty() ? std::string(none) : text;
}

std::string labelsText(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [key, value] : labels) text += (text.empty() ? "" : " ") + shown(key + "=" + value);
  return text.empty() ? "-" : text;
}

// The protocol's object, and for holds and requests what scripts would else put together: "hold" as approve takes it, the command as text.
nlohmann::ordered_json jsonOfItem(const control::Item& item) {
  auto object = nlohmann::ordered_json::parse(control::jsonOf(item), nullptr, false);
  const auto add = [&object](std::uint64_t id, const std::string& tag, const std::string& command) {
    object["hold"] = std::to_string(id) + "-" + tag;
    object["command_text"] = command;
  };
  if (const auto* hold = std::get_if<control::Hold>(&item)) add(hold->id, hold->tag, hold->command);
  if (const auto* own = std::get_if<control::OwnRequest>(&item)) add(own->id, own->tag, own->command);
  return object;
}

void printJson(const control::Answer& answer) {
  for (const auto& item : answer.items) putJson(jsonOfItem(item));
}

void printField(std::string_view name, std::string_view value) {
  put(std::string(name) + ":" + std::string(name.size() < 12 ? 12 - name.size() : 1, ' '));
  putLine(value);
}

void printHold(const control::Hold& hold) {
  printField("hold", std::to_string(hold.id) + "-" + shown(hold.tag) + (hold.approved ? " (approved, waits for one equal repeat)" : ""));
  printField("agent", shown(hold.agent) + (hold.owner.empty() ? "" : " (owner " + shown(hold.owner) + ")") +
                          (hold.attached == 0 ? "; agent gone" : ""));
  printField("intent", hold.intent.empty() ? "(none stated)" : shown(hold.intent));
  printField("where", shown(hold.login) + "@" + shown(hold.target) + "  " + labelsText(hold.labels));
  printField("command", shown(hold.command));
  if (base::hasNonAscii(hold.command)) printField("", "contains characters outside ASCII: look-alike letters are possible");
  printField("bytes", std::to_string(hold.command_bytes) + (hold.command_bytes > hold.command.size() ? " (cut here)" : ""));
  printField("held by", shown(hold.rule) + ": " + shown(hold.reason));
  printField("approvals", std::to_string(hold.approved_by.size()) + " of " + std::to_string(hold.approvals_needed) +
                              (hold.approved_by.empty() ? "" : " (" + joined(hold.approved_by) + ")"));
  printField("since", timeText(hold.since_ms) + ", time left " + leftText(hold.expires_ms));
  printField("session", shown(hold.session));
  for (const auto& line : hold.lines) putLine("  " + shown(line));
}

void printClosed(const control::ClosedHold& hold) {
  printField("hold", std::to_string(hold.id) + "-" + shown(hold.tag));
  printField("agent", shown(hold.agent));
  printField("ended", shown(hold.how) + " at " + timeText(hold.at_ms) + (hold.people.empty() ? "" : " by " + joined(hold.people)));
  if (!hold.reason.empty()) printField("reason", shown(hold.reason));
}

void printReport(const control::StatusReport& report) {
  for (const auto& line : report.unsafe) putLine("UNSAFE: " + shown(line));
  for (const auto& line : report.notes) putLine("note: " + shown(line));
  printField("version", shown(report.version));
  printField("up since", timeText(report.started_ms));
  printField("listens", joined(report.listeners));
  printField("workers", std::to_string(report.workers));
  printField("connections", std::to_string(report.connections));
  printField("sessions", std::to_string(report.sessions));
  printField("holds", std::to_string(report.holds));
  printField("ledger", std::to_string(report.ledger_leaves) + " leaves");
  printField("policy", shown(report.policy_hash));
  printField("config", shown(report.config_hash));
}

void printOwn(const std::vector<control::Item>& items) {
  Columns columns({"ID", "STATE", "WHERE", "LEFT", "COMMAND"});
  for (const auto& item : items) {
    const auto* own = std::get_if<control::OwnRequest>(&item);
    if (own == nullptr) continue;
    const bool open = own->state == "pending" || own->state == "approved";
    columns.add({std::to_string(own->id) + "-" + shown(own->tag), shown(own->state), own->target.empty() ? std::string("-") : shown(own->login + "@" + own->target),
                 open ? leftText(own->expires_ms) : "-",
                 base::escapeClipped(own->command, kListedCommandBytes) + (own->reason.empty() ? "" : "  (" + shown(own->reason) + ")")});
  }
  if (columns.empty())
    putLine("no requests of yours");
  else
    columns.print();
}

// Asks, and prints the items as JSON or by `print`.
template <class Print>
int listing(const Arguments& arguments, const Caller& caller, const std::string& verb, const std::map<std::string, std::string>& args,
            Print print) {
  const Asked asked = ask(caller, verb, args);
  if (asked.status != kDone || !asked.answer) return asked.status;
  if (arguments.has("--json"))
    printJson(*asked.answer);
  else
    print(asked.answer->items);
  return kDone;
}

}  // namespace

int gateStatus(const Arguments& arguments, const Caller& caller) {
  return listing(arguments, caller, "status", {}, [](const std::vector<control::Item>& items) {
    const auto* report = items.empty() ? nullptr : std::get_if<control::StatusReport>(&items.front());
    if (report != nullptr)
      printReport(*report);
    else
      printOwn(items);
  });
}

int pending(const Arguments& arguments, const Caller& caller) {
  return listing(arguments, caller, "pending", {}, [](const std::vector<control::Item>& items) {
    Columns columns({"HOLD", "AGENT", "WHERE", "WAITS", "LEFT", "HAS", "COMMAND"});
    for (const auto& item : items) {
      const auto* hold = std::get_if<control::Hold>(&item);
      if (hold == nullptr) continue;
      columns.add({std::to_string(hold->id) + "-" + shown(hold->tag), shown(hold->agent) + (hold->attached == 0 ? " (gone)" : ""),
                   shown(hold->login + "@" + hold->target), durationText(static_cast<double>(nowMs() - hold->since_ms) / 1000),
                   leftText(hold->expires_ms),
                   hold->approved ? "approved" : std::to_string(hold->approved_by.size()) + "/" + std::to_string(hold->approvals_needed),
                   base::escapeClipped(hold->command, kListedCommandBytes)});
    }
    if (columns.empty())
      putLine("nothing is held");
    else
      columns.print();
  });
}

int showHold(const Arguments& arguments, const Caller& caller) {
  return listing(arguments, caller, "show", {{"hold", arguments.text("ID")}}, [](const std::vector<control::Item>& items) {
    for (const auto& item : items) {
      if (const auto* hold = std::get_if<control::Hold>(&item)) printHold(*hold);
      if (const auto* closed = std::get_if<control::ClosedHold>(&item)) printClosed(*closed);
    }
  });
}

int approve(const Arguments& arguments, const Caller& caller) {
  const std::string hold = arguments.text("ID-TAG");
  const auto reference = control::parseHoldRef(hold);
  if (!reference || reference->tag.empty()) {
    return fail(kUsage, "\"" + shown(hold) + "\" is not a hold with its tag (42-k7f3); `ptygate pending` shows it");
  }
  std::map<std::string, std::string> args{{"hold", hold}};
  if (arguments.has("--reason")) args["reason"] = arguments.text("--reason");
  return askAndTell(caller, "approve", args);
}

int deny(const Arguments& arguments, const Caller& caller) {
  return askAndTell(
      caller, "deny",
      {{"hold", arguments.text("ID")}, {"reason", arguments.text("--reason")}, {"retry", arguments.text("--retry", "stop-and-report")}});
}

int reload(const Arguments&, const Caller& caller) {
  return askAndTell(caller, "reload");
}

int agentWait(const Arguments& arguments, const Caller& caller) {
  return askAndTell(caller, "wait", {{"hold", arguments.text("ID")}});
}

int agentCancel(const Arguments& arguments, const Caller& caller) {
  return askAndTell(caller, "cancel", {{"hold", arguments.text("ID")}});
}

int whoami(const Arguments& arguments, const Caller& caller) {
  return listing(arguments, caller, "whoami", {}, [](const std::vector<control::Item>& items) {
    const auto* who = items.empty() ? nullptr : std::get_if<control::WhoAmI>(&items.front());
    if (who == nullptr) return;
    putLine(shown(who->kind) + " " + shown(who->name));
    if (who->kind == "agent")
      putLine("targets: " + joined(who->targets, "none"));
    else
      putLine("may: " + joined(who->may, "nothing"));
  });
}

int agentsList(const Arguments& arguments, const Caller& caller) {
  return listing(arguments, caller, "agents", {}, [](const std::vector<control::Item>& items) {
    Columns columns({"AGENT", "OWNER", "STATE", "CONNECTIONS", "HOLDS", "TARGETS", "KEYS"});
    for (const auto& item : items) {
      const auto* agent = std::get_if<control::AgentRow>(&item);
      if (agent == nullptr) continue;
      columns.add({shown(agent->name), agent->owner.empty() ? "-" : shown(agent->owner), agent->stopped ? "STOPPED" : "in",
                   std::to_string(agent->connections), std::to_string(agent->holds), joined(agent->targets), joined(agent->keys)});
    }
    columns.print();
  });
}

int agentsStop(const Arguments& arguments, const Caller& caller) {
  std::map<std::string, std::string> args{{"name", arguments.text("NAME")}};
  if (arguments.has("--reason")) args["reason"] = arguments.text("--reason");
  return askAndTell(caller, "agents-stop", args);
}

int agentsResume(const Arguments& arguments, const Caller& caller) {
  return askAndTell(caller, "agents-resume", {{"name", arguments.text("NAME")}});
}

int targetsList(const Arguments& arguments, const Caller& caller) {
  return listing(arguments, caller, "targets", {}, [](const std::vector<control::Item>& items) {
    Columns columns({"TARGET", "ADDRESS", "LOGINS", "LABELS", "CREDENTIAL"});
    for (const auto& item : items) {
      const auto* target = std::get_if<control::TargetRow>(&item);
      if (target == nullptr) continue;
      columns.add(
          {shown(target->name), shown(target->address), joined(target->logins), labelsText(target->labels), shown(target->credential)});
    }
    columns.print();
  });
}

int targetsShow(const Arguments& arguments, const Caller& caller) {
  return listing(arguments, caller, "targets", {{"name", arguments.text("NAME")}}, [](const std::vector<control::Item>& items) {
    for (const auto& item : items) {
      const auto* target = std::get_if<control::TargetRow>(&item);
      if (target == nullptr) continue;
      printField("target", shown(target->name));
      printField("address", shown(target->address));
      printField("logins", joined(target->logins));
      printField("aliases", joined(target->aliases));
      printField("labels", labelsText(target->labels));
      printField("credential", shown(target->credential));
      for (const auto& key : target->host_keys) printField("host key", shown(key));
      for (const auto& account : target->accounts) printField("account", shown(account));
      if (target->accounts.empty()) printField("account", "not surveyed yet: the first command to a login surveys it");
    }
  });
}

int targetsAccept(const Arguments& arguments, const Caller& caller) {
  return askAndTell(caller, "targets-accept", {{"name", arguments.text("NAME")}, {"login", arguments.text("LOGIN")}});
}

}  // namespace ptygate::verbs
