// SPDX-License-Identifier: Apache-2.0
// See explain.h.
#include "policy/explain.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "policy/units.h"

namespace ptygate::policy {
namespace {

using Json = nlohmann::ordered_json;

std::string escaped(std::string_view text) {
  std::string result;
  for (unsigned char c : text) {
    if (c >= 0x20 && c < 0x7f && c != '\\') {
      result += char(c);
      continue;
    }
    std::array<char, 8> buffer{};
    std::snprintf(buffer.data(), buffer.size(), c == '\\' ? "\\\\" : "\\x%02x", unsigned(c));
    result += buffer.data();
  }
  return result;
}

std::string wordText(const Word& word) {
  switch (word.kind) {
    case Word::Kind::RuntimeOne:
      return "<one word, known at run time>";
    case Word::Kind::RuntimeMany:
      return "<any number of words, known at run time>";
    case Word::Kind::Literal:
      break;
  }
  const bool bare =
      !word.text.empty() &&
      word.text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.,:@+=-%") == std::string::npos;
  return bare ? word.text : "[" + escaped(word.text) + "]";
}

Json wordJson(const Word& word) {
  if (word.kind == Word::Kind::Literal) return word.text;
  return Json{{"runtime", word.kind == Word::Kind::RuntimeOne ? "one" : "many"}};
}

std::string patienceText(const std::optional<std::chrono::milliseconds>& patience) {
  return patience ? formatDuration(*patience) : "none";
}

std::string effectsText(EffectSet effects) {
  std::string text;
  for (std::string_view name : namesOf(effects)) text.append(text.empty() ? "" : ", ").append(name);
  return text.empty() ? "no effect" : text;
}

std::string commandText(const ClassifiedCommand& command, std::size_t number) {
  std::string text = "  " + std::to_string(number) + ".";
  for (const auto& [name, value] : command.command.assignments) text += " " + escaped(name) + "=" + wordText(value);
  for (const Word& word : command.command.argv) text += " " + wordText(word);
  for (const Redirection& redirection : command.command.redirections)
    text += " " + std::to_string(redirection.fd) + redirection.op + wordText(redirection.target);
  text += "\n     " + viaText(command.command) + "; " + effectsText(command.effects) + (command.sudo ? "; under sudo" : "") + "\n";
  for (const std::string& reason : command.reasons) text += "     - " + escaped(reason) + "\n";
  return text;
}

Json commandJson(const ClassifiedCommand& command) {
  Json json;
  json["argv"] = Json::array();
  for (const Word& word : command.command.argv) json["argv"].push_back(wordJson(word));
  json["assignments"] = Json::array();
  for (const auto& [name, value] : command.command.assignments) json["assignments"].push_back(Json::array({name, wordJson(value)}));
  json["redirections"] = Json::array();
  for (const Redirection& redirection : command.command.redirections)
    json["redirections"].push_back(Json{{"fd", redirection.fd}, {"op", redirection.op}, {"target", wordJson(redirection.target)}});
  json["via"] = viaText(command.command);
  json["effects"] = namesOf(command.effects);
  json["reasons"] = command.reasons;
  return json;
}

Json milliseconds(const std::optional<std::chrono::milliseconds>& patience) {
  return patience ? Json(patience->count()) : Json(nullptr);
}

}  // namespace

std::string_view nameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::Allow:
      return "allow";
    case Verdict::Hold:
      return "hold";
    case Verdict::Deny:
      return "deny";
  }
  return "deny";
}

std::string_view nameOf(StdinRule rule) {
  switch (rule) {
    case StdinRule::None:
      return "none";
    case StdinRule::Stream:
      return "stream";
    case StdinRule::Hold:
      return "hold";
    case StdinRule::Refuse:
      return "refuse";
  }
  return "refuse";
}

std::string_view nameOf(Context context) {
  switch (context) {
    case Context::Exec:
      return "exec";
    case Context::Shell:
      return "shell";
    case Context::Sftp:
      return "sftp";
    case Context::Forward:
      return "forward";
  }
  return "unknown";
}

std::string viaText(const SimpleCommand& command) {
  switch (command.via) {
    case Via::Top:
      return "top";
    case Via::Pipe:
      return "pipe";
    case Via::AndOr:
      return "and-or";
    case Via::Subshell:
      return "subshell";
    case Via::Substitution:
      return "substitution";
    case Via::Loop:
      return "loop";
    case Via::Branch:
      return "branch";
    case Via::Wrapper:
      return "wrapper:" + command.wrapper;
  }
  return "top";
}

std::string explainText(const Request& request, const Decision& decision, const Derivation& derivation) {
  const Classification& line = derivation.classification;
  std::string text = "verdict: " + std::string(nameOf(decision.verdict)) + " by " + escaped(decision.rule) + "\n";
  text += "reason:  " + escaped(decision.reason) + "\n";
  text += "request: agent " + escaped(request.agent) + ", " + escaped(request.login) + " on " + escaped(request.target) + ", " +
          std::string(nameOf(request.context)) + "\n";
  if (decision.verdict == Verdict::Hold) {
    text += "needs:   " + std::to_string(decision.approvals) + " approval(s)";
    for (std::size_t i = 0; i < decision.reviewers.size(); ++i) text += (i == 0 ? " of " : ", ") + escaped(decision.reviewers[i]);
    text += decision.not_owner ? ", not of the agent's owner" : "";
    text += "; answer within " + patienceText(decision.answer_within) + ", expires after " + patienceText(decision.expires) + "\n";
  }
  if (!decision.advice.empty()) text += "advice:  " + escaped(decision.advice) + "\n";
  text += "stdin:   " + std::string(nameOf(decision.stdin_rule)) + (decision.record_hash ? ", recorded as a hash" : "") + "\n";
  if (!line.opaque.empty()) text += "line:    cannot be taken apart: " + escaped(line.opaque) + "\n";
  if (!line.commands.empty()) text += "commands:\n";
  for (std::size_t i = 0; i < line.commands.size(); ++i) text += commandText(line.commands[i], i + 1);
  if (decision.form == SendForm::Canonical)
    text += "sent as: " + escaped(decision.canonical) + "\n";
  else if (decision.verdict != Verdict::Deny)
    text += "sent as: it is, in the account's own login environment\n";
  text += "how it was decided:\n";
  for (const std::string& step : derivation.steps) text += "  - " + escaped(step) + "\n";
  return text;
}

std::string explainJson(const Decision& decision, const Derivation& derivation) {
  const Classification& line = derivation.classification;
  Json json;
  json["verdict"] = nameOf(decision.verdict);
  json["rule"] = decision.rule;
  json["reason"] = decision.reason;
  json["advice"] = decision.advice;
  json["approvals"] = decision.verdict == Verdict::Hold ? decision.approvals : 0;
  json["reviewers"] = decision.reviewers;
  json["not_owner"] = decision.not_owner;
  json["remember"] = decision.remember;
  json["answer_within_ms"] = milliseconds(decision.answer_within);
  json["expires_ms"] = milliseconds(decision.expires);
  json["stdin"] = nameOf(decision.stdin_rule);
  json["form"] = decision.form == SendForm::Canonical ? "canonical" : "raw";
  json["record"] = decision.record_hash ? "hash" : "full";
  json["laboratory"] = decision.laboratory;
  json["opaque"] = line.opaque.empty() ? Json(nullptr) : Json(line.opaque);
  json["commands"] = Json::array();
  for (const ClassifiedCommand& command : line.commands) json["commands"].push_back(commandJson(command));
  json["effects"] = namesOf(line.effects);
  json["canonical"] = line.canonical.empty() ? Json(nullptr) : Json(line.canonical);
  json["steps"] = derivation.steps;
  // The parser lets only valid UTF-8 through, but words of an opaque line may be quoted in a reason.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ptygate::policy
