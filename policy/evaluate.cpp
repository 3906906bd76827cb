// SPDX-License-Identifier: Apache-2.0
// Decides one request (policy.md, section 3): a matching deny wins, then the strictest of the matching holds, then allow if every
// simple command is covered; all else is held. Everything that is missing or odd ends in a hold.
#include <algorithm>

#include "policy/rule_data.h"
#include "policy/rule_match.h"
#include "policy/rules.h"

namespace ptygate::policy {
namespace {

constexpr std::size_t kMaxQuotedBytes = 80;

std::string quoted(const std::string& name) {
  return "\"" + name + "\"";
}

std::string listOf(EffectSet effects) {
  std::string text;
  for (std::string_view name : namesOf(effects)) text.append(text.empty() ? "" : ", ").append(name);
  return text.empty() ? "no effect" : text;
}

// Cut between characters, so that valid UTF-8 stays valid: reasons end in JSON.
std::string shortened(const std::string& text) {
  std::size_t cut = std::min(text.size(), kMaxQuotedBytes);
  while (cut > 0 && cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xc0U) == 0x80U) --cut;
  return text.substr(0, cut);
}

/// "2 (rm: destructive)": enough for a reason; the whole command is shown beside it.
std::string describe(const Classification& line, std::size_t index) {
  const ClassifiedCommand& command = line.commands[index];
  std::string name = "(no command)";
  if (!command.command.argv.empty()) name = shortened(command.command.argv.front().text);
  return std::to_string(index + 1) + " (" + name + ": " + listOf(command.effects) + ")";
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "" : ", ").append(part);
  return text;
}

/// One evaluation: what is known of the line, and the derivation if somebody wants it.
class Evaluation {
 public:
  Evaluation(const RuleSet::Data& rules, const Catalog& catalog, const Request& request, Derivation* derivation)
      : rules_(rules), request_(request), derivation_(derivation) {
    const auto dialect = request.account ? dialectOf(*request.account) : std::nullopt;
    // Without a known shell the line is still taken apart, as POSIX sh, so that deny and hold rules can see into it.
    line_ = classify(catalog, request.command, dialect.value_or(Dialect::Sh), request.account ? request.account->cwd : "");
    shell_unknown_ = !dialect;
  }

  Decision decide() {
    Decision decision = decideByRules();
    if (derivation_ != nullptr) derivation_->classification = std::move(line_);
    return decision;
  }

 private:
  Decision decideByRules();
  std::optional<Decision> laboratoryAllow();
  Decision allowIfCovered();
  Decision allowCanonical(const std::vector<const Rule*>& covering);
  [[nodiscard]] std::string autoAllowObstacle() const;
  const Rule* coveringRule(std::size_t index, std::string& why);
  std::vector<const Rule*> matching(Verdict verdict);
  std::string matchedCommands(const Rule& rule);
  Decision denied(const Rule& rule);
  Decision heldBy(const std::vector<const Rule*>& holds);
  Decision byDefault(Verdict verdict, std::string rule, std::string reason);
  [[nodiscard]] Decision heldByDefault() const;
  [[nodiscard]] StdinRule stdinRuleOf(StdinClass stdin_class, EffectSet effects, std::optional<StdinRule> wanted) const;
  [[nodiscard]] bool mayRecordHash() const;
  void step(const Rule& rule, const std::string& text) {
    if (derivation_ != nullptr) derivation_->steps.push_back("rule " + quoted(rule.name) + ": " + text);
  }
  void step(const std::string& text) {
    if (derivation_ != nullptr) derivation_->steps.push_back(text);
  }

  const RuleSet::Data& rules_;
  const Request& request_;
  Derivation* derivation_;
  Classification line_;
  bool shell_unknown_ = false;
};

// What may be done with the session's standard input. Code is refused whatever a rule says, except that `stdin = "none"` closes it.
StdinRule Evaluation::stdinRuleOf(StdinClass stdin_class, EffectSet effects, std::optional<StdinRule> wanted) const {
  if (stdin_class == StdinClass::None) return StdinRule::None;
  if (wanted == StdinRule::None) return StdinRule::None;
  if (stdin_class == StdinClass::Code) return StdinRule::Refuse;
  if (wanted) return *wanted;
  return effects.within({Effect::Read, Effect::Secret}) ? StdinRule::Stream : StdinRule::Hold;
}

// A hash instead of the bytes loses evidence: never where the line may show a secret or nobody knows what it does.
bool Evaluation::mayRecordHash() const {
  return line_.opaque.empty() && !line_.effects.meets({Effect::Secret, Effect::Unknown, Effect::Interactive});
}

Decision Evaluation::heldByDefault() const {
  Decision decision;
  decision.verdict = Verdict::Hold;
  decision.answer_within = rules_.defaults.answer_within;
  decision.expires = rules_.defaults.expires;
  decision.stdin_rule = stdinRuleOf(line_.stdin_class, line_.effects, std::nullopt);
  return decision;
}

Decision Evaluation::byDefault(Verdict verdict, std::string rule, std::string reason) {
  step("default " + rule + ": " + (verdict == Verdict::Deny ? "denied" : "held"));
  Decision decision = heldByDefault();
  decision.verdict = verdict;
  if (verdict == Verdict::Deny) decision.stdin_rule = StdinRule::None;
  decision.rule = std::move(rule);
  decision.reason = std::move(reason);
  return decision;
}

std::string Evaluation::matchedCommands(const Rule& rule) {
  if (!rule.looksAtCommands()) return "every line of this request";
  if (!line_.opaque.empty()) return "the line, which cannot be taken apart";
  std::vector<std::string> found;
  for (std::size_t i = 0; i < line_.commands.size() && found.size() < 4; ++i) {
    if (mayMatch(rule, line_, i)) found.push_back(describe(line_, i));
  }
  return "command " + join(found);
}

std::vector<const Rule*> Evaluation::matching(Verdict verdict) {
  std::vector<const Rule*> found;
  for (const Rule& rule : rules_.rules) {
    if (rule.verdict != verdict) continue;
    if (const std::string mismatch = requestMismatch(rule, request_); !mismatch.empty()) {
      step(rule, "no, " + mismatch);
    } else if (matchesLine(rule, line_)) {
      step(rule, std::string(verdict == Verdict::Deny ? "denies " : "holds ") + matchedCommands(rule));
      found.push_back(&rule);
    } else {
      step(rule, "no, it matches no command of the line");
    }
  }
  return found;
}

Decision Evaluation::denied(const Rule& rule) {
  Decision decision;
  decision.verdict = Verdict::Deny;
  decision.rule = rule.name;
  decision.reason = "denied by rule " + quoted(rule.name) + ": " + matchedCommands(rule);
  decision.advice = rule.advice;
  decision.may_change_and_retry = rule.may_change_and_retry;
  return decision;
}

// Strictest: most approvals, then fewest people who may give them, then never remembered, then the order of the file.
bool isStricter(const Rule* a, const Rule* b) {
  if (a->approvals != b->approvals) return a->approvals > b->approvals;
  if (a->eligible.size() != b->eligible.size()) return a->eligible.size() < b->eligible.size();
  return !a->remember && b->remember;
}

Decision Evaluation::heldBy(const std::vector<const Rule*>& holds) {
  const Rule& rule = **std::min_element(holds.begin(), holds.end(), isStricter);
  Decision decision = heldByDefault();
  decision.rule = rule.name;
  decision.reason = "held by rule " + quoted(rule.name) + ": " + matchedCommands(rule);
  decision.advice = rule.advice;
  decision.approvals = rule.approvals;
  decision.reviewers = rule.reviewers;
  if (rule.answer_within) decision.answer_within = *rule.answer_within;
  if (rule.expires) decision.expires = *rule.expires;
  decision.stdin_rule = stdinRuleOf(line_.stdin_class, line_.effects, rule.stdin_rule);
  decision.record_hash = rule.record_hash && mayRecordHash();
  // What the other holds ask besides: their reviewers as far as enough people are left, and each "not" and "never".
  std::set<std::string> people = rule.eligible;
  for (const Rule* other : holds) {
    decision.not_owner = decision.not_owner || other->not_owner;
    decision.remember = decision.remember && other->remember;
    if (!other->record_hash) decision.record_hash = false;
    std::set<std::string> both;
    std::set_intersection(people.begin(), people.end(), other->eligible.begin(), other->eligible.end(), std::inserter(both, both.end()));
    if (int(both.size()) >= rule.approvals) people = std::move(both);
  }
  if (people != rule.eligible) decision.reviewers.assign(people.begin(), people.end());
  if (!line_.opaque.empty()) decision.reason += "; not taken apart: " + line_.opaque;
  return decision;
}

std::optional<Decision> Evaluation::laboratoryAllow() {
  for (const Rule& rule : rules_.rules) {
    if (rule.verdict != Verdict::Allow || !rule.anything) continue;
    if (const std::string mismatch = requestMismatch(rule, request_); !mismatch.empty()) {
      step(rule, "no, " + mismatch);
      continue;
    }
    step(rule, "allows every command (anything = true)");
    Decision decision;
    decision.verdict = Verdict::Allow;
    decision.rule = rule.name;
    decision.reason = "allowed by laboratory rule " + quoted(rule.name) + ", as sent";
    decision.laboratory = true;
    decision.stdin_rule =
        rule.stdin_rule == StdinRule::Stream ? StdinRule::Stream : stdinRuleOf(line_.stdin_class, line_.effects, rule.stdin_rule);
    decision.record_hash = rule.record_hash && mayRecordHash();
    return decision;
  }
  return std::nullopt;
}

const Rule* Evaluation::coveringRule(std::size_t index, std::string& why) {
  for (const Rule& rule : rules_.rules) {
    if (rule.verdict != Verdict::Allow || rule.anything) continue;
    std::string mismatch = requestMismatch(rule, request_);
    if (mismatch.empty()) mismatch = coverageMismatch(rule, line_, index);
    if (mismatch.empty()) {
      step(rule, "covers command " + describe(line_, index));
      return &rule;
    }
    step(rule, "does not cover command " + describe(line_, index) + ": " + mismatch);
    why = mismatch;
  }
  return nullptr;
}

Decision Evaluation::allowIfCovered() {
  if (request_.context != Context::Exec)
    return byDefault(rules_.defaults.unmatched, "(unmatched)", "only exec requests can be allowed without a person so far");
  if (line_.commands.empty()) return byDefault(rules_.defaults.unmatched, "(unmatched)", "the line has no command that a rule could cover");
  std::vector<const Rule*> covering;
  std::vector<std::string> uncovered;
  for (std::size_t i = 0; i < line_.commands.size(); ++i) {
    std::string why;
    if (const Rule* rule = coveringRule(i, why))
      covering.push_back(rule);
    else if (uncovered.size() < 4)
      uncovered.push_back(describe(line_, i));
  }
  if (!uncovered.empty()) return byDefault(rules_.defaults.unmatched, "(unmatched)", "no rule allows command " + join(uncovered));
  if (const std::string obstacle = autoAllowObstacle(); !obstacle.empty()) {
    step("every command is covered, but " + obstacle);
    Decision decision = heldByDefault();
    decision.rule = "(account)";
    decision.reason = "rule " + quoted(covering.front()->name) + " would allow it, but " + obstacle;
    return decision;
  }
  return allowCanonical(covering);
}

// Rules judged the text; what makes the text true is that one known shell reads it in a known environment (exec.md).
std::string Evaluation::autoAllowObstacle() const {
  if (!request_.account) return "the account on the target was not surveyed";
  const Account& account = *request_.account;
  if (shell_unknown_) return "the login shell " + account.shell + " is not one whose lines are understood (bash, dash)";
  if (!account.startup_trusted && !request_.trust_account_rc)
    return "the account's start-up files are not trusted: " + account.startup_reason + " (see trust_account_rc)";
  if (line_.canonical.empty()) return "the line has no canonical form";
  std::string visible = line_.canonical;
  std::erase_if(visible, [](char c) { return c == '\n' || c == '\t'; });
  if (hasUnfitCharacter(visible)) return "the line holds a control, invisible or bidirectional character";
  static constexpr std::string_view kAnyNonce = "0123456789abcdef";
  if (const auto form = execString(account, line_.canonical, request_.locale, line_.pins, kAnyNonce); !form) return form.error();
  return {};
}

Decision Evaluation::allowCanonical(const std::vector<const Rule*>& covering) {
  Decision decision;
  decision.verdict = Verdict::Allow;
  decision.form = SendForm::Canonical;
  decision.canonical = line_.canonical;
  decision.pins = line_.pins;
  decision.rule = covering.front()->name;
  std::vector<std::string> names;
  decision.record_hash = mayRecordHash();
  // Strictest answer of the commands that read the line's stdin; the enum is not in order of strictness.
  const auto strictness = [](StdinRule rule) {
    return rule == StdinRule::Stream ? 0 : rule == StdinRule::Hold ? 1 : rule == StdinRule::None ? 2 : 3;
  };
  std::optional<StdinRule> stdin_rule;
  for (std::size_t i = 0; i < covering.size(); ++i) {
    const Rule& rule = *covering[i];
    const ClassifiedCommand& command = line_.commands[i];
    if (std::find(names.begin(), names.end(), quoted(rule.name)) == names.end()) names.push_back(quoted(rule.name));
    if (!rule.record_hash) decision.record_hash = false;
    if (command.stdin_class == StdinClass::None) continue;
    const StdinRule one = stdinRuleOf(command.stdin_class, command.effects, rule.stdin_rule);
    if (!stdin_rule || strictness(one) > strictness(*stdin_rule)) stdin_rule = one;
  }
  decision.stdin_rule = stdin_rule.value_or(stdinRuleOf(line_.stdin_class, line_.effects, std::nullopt));
  decision.reason = "allowed by rule " + join(names);
  return decision;
}

Decision Evaluation::decideByRules() {
  step(line_.opaque.empty()
           ? "the line has " + std::to_string(line_.commands.size()) + " simple command(s), in all: " + listOf(line_.effects)
           : "the line is opaque: " + line_.opaque);
  if (shell_unknown_)
    step(request_.account ? "login shell " + request_.account->shell + ": not understood, read as POSIX sh"
                          : "no survey: read as POSIX sh");
  if (const auto denies = matching(Verdict::Deny); !denies.empty()) return denied(*denies.front());
  if (const auto holds = matching(Verdict::Hold); !holds.empty()) return heldBy(holds);
  if (auto laboratory = laboratoryAllow()) return std::move(*laboratory);
  if (!line_.opaque.empty()) return byDefault(rules_.defaults.opaque, "(opaque)", "the line cannot be taken apart safely: " + line_.opaque);
  return allowIfCovered();
}

}  // namespace

Decision evaluate(const RuleSet& rules, const Catalog& catalog, const Request& request, WallTime now, Derivation* derivation) {
  (void)now;  // rules on time windows come with their keys; the signature is the contract already
  return Evaluation(rules.data(), catalog, request, derivation).decide();
}

}  // namespace ptygate::policy
