// SPDX-License-Identifier: Apache-2.0
// `policy check` and `policy explain`: offline, from the gate's directory. They decide nothing for anybody.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "policy/explain.h"
#include "policy/rules.h"
#include "policy/strict_toml.h"
#include "proxy/config/directory.h"
#include "proxy/verbs/assumed_account.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/gate_files.h"
#include "proxy/verbs/print.h"

namespace ptygate::verbs {

namespace {

using Json = nlohmann::ordered_json;

int checkPolicyFile(const std::string& file, const std::string& dir) {
  const auto config = loadConfigOf(dir);
  if (!config) return fail(kNegative, config.error());
  const FileText text = readWhole(file, policy::kMaxTomlBytes);
  if (!text.ok) return fail(kNegative, text.text);
  const auto rules = policy::RuleSet::load(text.text, file, policy::Catalog::builtin(), (*config)->peopleFacts());
  if (!rules) return fail(kNegative, shown(rules.error()));
  for (const auto& warning : (*rules)->warnings()) putLine("warning: " + shown(warning));
  if ((*rules)->hasLaboratoryAllow()) putLine("UNSAFE: an allow rule has anything = true");
  putLine(shown(file) + ": sound, for the people and agents of " + shown(dir) + "/ptygate.toml (sha256 " + (*rules)->hash().substr(0, 16) +
          "…)");
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
  AccountForExplain account = accountFor(request.login, arguments.text("--assume-shell"));
  request.account = std::move(account.account);
  question.account_note = std::move(account.note);
  return question;
}

}  // namespace

int policyCheck(const Arguments& arguments, const Caller& caller) {
  if (arguments.has("FILE")) return checkPolicyFile(arguments.text("FILE"), caller.dir);
  if (caller.over_ssh) {
    // Without the keys: a process that serves a person never holds them.
    const auto snapshot = config::loadSnapshot(caller.dir);
    if (!snapshot) return fail(kNegative, shown(snapshot.error()));
    for (const auto& warning : snapshot->warnings) putLine("warning: " + shown(warning));
    putLine("configuration and policy are sound (keys are not looked at over SSH)");
    return kDone;
  }
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
    Json object = Json::parse(policy::explainJson(decision, derivation), nullptr, false);
    if (object.is_discarded()) return fail(kNegative, "the explanation is no JSON; this is a fault of ptygate");
    object["account"] = question->account_note;
    object["account_known"] = question->request.account.has_value();
    putJson(object);
  } else {
    put(policy::explainText(question->request, decision, derivation));
    putLine("account: " + question->account_note);
  }
  return decision.verdict == policy::Verdict::Deny ? kNegative : kDone;
}

}  // namespace ptygate::verbs
