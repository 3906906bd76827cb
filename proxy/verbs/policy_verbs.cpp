// SPDX-License-Identifier: Apache-2.0
// `policy check` and `policy explain`: offline, from the gate's directory. They decide nothing for anybody.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "policy/rules.h"
#include "policy/strict_toml.h"
#include "policy/units.h"
#include "proxy/config/directory.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/gate_files.h"
#include "proxy/verbs/policy_json.h"
#include "proxy/verbs/print.h"
#include "proxy/verbs/surveyed_account.h"

namespace ptygate::verbs {

namespace {

using Json = nlohmann::ordered_json;

std::string_view nameOfVerdict(policy::Verdict verdict) {
  switch (verdict) {
    case policy::Verdict::Allow: return "allow";
    case policy::Verdict::Hold: return "hold";
    case policy::Verdict::Deny: return "deny";
  }
  return "hold";
}

std::string_view nameOfStdin(policy::StdinRule rule) {
  switch (rule) {
    case policy::StdinRule::None: return "none: the command gets end of file at once";
    case policy::StdinRule::Stream: return "stream: forwarded as it comes";
    case policy::StdinRule::Hold: return "hold: held to its end, then forwarded as one item";
    case policy::StdinRule::Refuse: return "refused: it would be code, or nobody knows what reads it";
  }
  return "";
}

std::string_view wordOfStdin(policy::StdinRule rule) {
  const std::string_view text = nameOfStdin(rule);
  return text.substr(0, text.find(':'));
}

int checkPolicyFile(const std::string& file, const std::string& dir) {
  const auto config = loadConfigOf(dir);
  if (!config) return fail(kNegative, config.error());
  const FileText text = readWhole(file, policy::kMaxTomlBytes);
  if (!text.ok) return fail(kNegative, text.text);
  const auto rules = policy::RuleSet::load(text.text, file, policy::Catalog::builtin(), (*config)->peopleFacts());
  if (!rules) return fail(kNegative, shown(rules.error()));
  for (const auto& warning : (*rules)->warnings()) putLine("warning: " + shown(warning));
  if ((*rules)->hasLaboratoryAllow()) putLine("UNSAFE: an allow rule has anything = true");
  putLine(shown(file) + ": sound, for the people and agents of " + shown(dir) + "/ptygate.toml (sha256 " + (*rules)->hash().substr(0, 16) + "…)");
  return kDone;
}

struct Question {
  policy::Request request;
  std::string account_note;  ///< what is known of the account, for people
};

// What the gate would ask the policy; an error is a text for people.
tl::expected<Question, std::string> questionOf(const Arguments& arguments, const std::string& dir, const config::Config& config) {
  Question question;
  policy::Request& request = question.request;
  request.agent = arguments.text("--agent");
  request.target = arguments.text("--target");
  const config::Agent* agent = config.agent(request.agent);
  if (agent == nullptr) return tl::unexpected("no agent \"" + shown(request.agent) + "\" in " + shown(dir) + "/ptygate.toml");
  const config::Target* target = config.target(request.target);
  if (target == nullptr) return tl::unexpected("no target \"" + shown(request.target) + "\" in " + shown(dir) + "/ptygate.toml");
  if (!config::Config::isEntitled(*agent, request.target)) {
    return tl::unexpected(shown(request.agent) + " is not entitled to " + shown(request.target) + ": the gate would refuse the login");
  }
  request.owner = agent->owner;
  request.login = arguments.text("--login", target->logins.empty() ? "" : target->logins.front());
  if (std::find(target->logins.begin(), target->logins.end(), request.login) == target->logins.end()) {
    return tl::unexpected(shown(request.target) + " has no login \"" + shown(request.login) + "\": the gate would refuse it");
  }
  request.labels = target->labels;
  request.command = arguments.text("CMD");
  request.intent = arguments.text("--intent");
  request.trust_account_rc = target->trust_account_rc;
  SurveyedAccount account = accountFor(dir, request.target, request.login, arguments.text("--assume-shell"));
  request.account = std::move(account.account);
  question.account_note = std::move(account.note);
  return question;
}

void printDerivation(const policy::Derivation& derivation) {
  const policy::Classification& line = derivation.classification;
  if (!line.opaque.empty()) putLine("opaque: " + shown(line.opaque) + " (never allowed without a person)");
  std::size_t number = 0;
  for (const auto& command : line.commands) {
    std::string words;
    for (const auto& word : command.command.argv) {
      words += (words.empty() ? "" : " ") + (word.kind == policy::Word::Kind::Literal        ? "[" + shown(word.text) + "]"
                                             : word.kind == policy::Word::Kind::RuntimeOne ? std::string("[?]")
                                                                                             : std::string("[?…]"));
    }
    std::string effects;
    for (std::string_view effect : policy::namesOf(command.effects)) effects += (effects.empty() ? "" : " ") + std::string(effect);
    putLine("command " + std::to_string(++number) + ": " + words + "  → " + (effects.empty() ? "no effect" : effects));
    for (const auto& reason : command.reasons) putLine("    " + shown(reason));
  }
  for (const auto& step : derivation.steps) putLine("  " + shown(step));
}

void printDecision(const policy::Decision& decision, const Question& question) {
  putLine("account: " + question.account_note);
  putLine("decision: " + std::string(nameOfVerdict(decision.verdict)) + " by " + shown(decision.rule) +
          (decision.reason.empty() ? "" : ": " + shown(decision.reason)));
  if (decision.laboratory) putLine("UNSAFE: allowed by a rule with anything = true");
  if (decision.verdict == policy::Verdict::Hold) {
    std::string who;
    for (const auto& reviewer : decision.reviewers) who += (who.empty() ? "" : ", ") + shown(reviewer);
    putLine("needs: " + std::to_string(decision.approvals) + (decision.approvals == 1 ? " person" : " distinct people") + " of " +
            (who.empty() ? "those who may review" : who) + (decision.not_owner ? ", not the agent's owner" : ""));
    putLine("expires: " + (decision.expires ? "after " + policy::formatDuration(*decision.expires) : std::string("never")));
  }
  if (decision.verdict == policy::Verdict::Deny) {
    putLine(decision.may_change_and_retry ? "the agent is told: change and retry" : "the agent is told: stop and report");
  }
  if (!decision.advice.empty()) putLine("advice: " + shown(decision.advice));
  if (decision.verdict != policy::Verdict::Deny) {
    putLine("stdin: " + std::string(nameOfStdin(decision.stdin_rule)));
    if (decision.form == policy::SendForm::Canonical) {
      putLine("runs as: " + shown(decision.canonical) + "   (in a clean bash; the account's own environment does not reach it)");
    } else {
      putLine("runs as: the exact bytes, in the account's own login environment");
    }
  }
}

Json jsonOfDecision(const policy::Decision& decision, const policy::Derivation& derivation, const Question& question) {
  Json object;
  object["verdict"] = nameOfVerdict(decision.verdict);
  object["rule"] = decision.rule;
  object["reason"] = decision.reason;
  object["advice"] = decision.advice;
  object["approvals"] = decision.approvals;
  object["reviewers"] = decision.reviewers;
  object["not_owner"] = decision.not_owner;
  object["expires_ms"] = decision.expires ? Json(decision.expires->count()) : Json(nullptr);
  object["answer_within_ms"] = decision.answer_within ? Json(decision.answer_within->count()) : Json(nullptr);
  object["stdin"] = wordOfStdin(decision.stdin_rule);
  object["form"] = decision.form == policy::SendForm::Canonical ? "canonical" : "raw";
  object["laboratory"] = decision.laboratory;
  object["account"] = question.account_note;
  object["account_known"] = question.request.account.has_value();
  object["line"] = jsonOfLine(derivation.classification);
  object["steps"] = derivation.steps;
  return object;
}

}  // namespace

int policyCheck(const Arguments& arguments, const Caller& caller) {
  if (arguments.has("FILE")) return checkPolicyFile(arguments.text("FILE"), caller.dir);
  const auto warnings = config::check(caller.dir);
  if (!warnings) return fail(kNegative, shown(warnings.error()));
  for (const auto& warning : *warnings) putLine("warning: " + shown(warning));
  putLine(shown(caller.dir) + ": configuration, policy and keys are sound");
  return kDone;
}

int policyExplain(const Arguments& arguments, const Caller& caller) {
  const auto snapshot = config::loadSnapshot(caller.dir);
  if (!snapshot) return fail(kNegative, shown(snapshot.error()));
  const auto question = questionOf(arguments, caller.dir, *snapshot->config);
  if (!question) return fail(kNegative, question.error());
  policy::Derivation derivation;
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const policy::Decision decision = policy::evaluate(*snapshot->rules, policy::Catalog::builtin(), question->request, now, &derivation);
  if (arguments.has("--json")) {
    putJson(jsonOfDecision(decision, derivation, *question));
  } else {
    printDerivation(derivation);
    printDecision(decision, *question);
  }
  return decision.verdict == policy::Verdict::Deny ? kNegative : kDone;
}

}  // namespace ptygate::verbs
