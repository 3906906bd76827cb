// SPDX-License-Identifier: Apache-2.0
// Loads a rule file strictly: what it does not enforce it does not accept. Keys and their meaning: policy/README.md.
// Not here: matching (rule_match), deciding (evaluate).
#include "policy/rules.h"

#include <algorithm>
#include <array>

#include "policy/digest.h"
#include "policy/rule_data.h"
#include "policy/rule_match.h"
#include "policy/strict_toml.h"
#include "policy/units.h"

namespace ptygate::policy {
namespace {

constexpr std::size_t kMaxRules = 1000;
constexpr std::size_t kMaxArgvWords = 64;
constexpr std::size_t kMaxNameBytes = 80;
constexpr std::size_t kMaxAdviceBytes = 500;
constexpr std::int64_t kMaxApprovals = 10;

// Keys of the design that nothing enforces yet. Ignoring one would widen what the operator wrote.
constexpr std::array kNotYet = {
    "serialize",        "cwd",         "time",        "times",    "hours",      "windows", "time_window", "freeze",      "freezes",
    "external",         "check",       "bind",        "rate",     "count",      "runtime", "assign",      "assignments", "per_minute",
    "count_per_minute", "session_age", "max_effects", "escalate", "on_timeout", "risk",    "proof",       "raw_input",   "show_stdin",
    "max_risk"};

/// One rule while it is read. Errors go to the document through the table.
class RuleReader {
 public:
  RuleReader(const TomlTable& table, const PeopleFacts& people) : table_(table), people_(people) {}

  Rule read() {
    readName();
    for (const char* key : kNotYet) {
      if (table_.has(key)) table_.refuse(key, "not supported yet; remove it (nothing would enforce it)");
    }
    readVerdict();
    readRequestConditions();
    readCommandConditions();
    readObligations();
    // A misspelt key is named before what its absence leads to. The rule's own tests are read later.
    for (const char* key : {"match", "no_match"}) (void)table_.has(key);
    table_.finish();
    if (table_.ok()) refuseContradictions();
    if (table_.ok()) findReviewers();
    return std::move(rule_);
  }

 private:
  void readName();
  void readVerdict();
  void readRequestConditions();
  void readCommandConditions();
  void readArgv();
  void readRedirections();
  void readObligations();
  void refuseContradictions();
  void refuseAllowContradictions();
  void findReviewers();
  std::optional<EffectSet> effectsOf(const char* key);
  std::optional<Patience> patienceOf(const char* key);
  std::vector<std::string> globsOf(const char* key);
  void onlyFor(Verdict verdict, std::initializer_list<const char*> keys, const char* text);
  [[nodiscard]] bool mayReview(const PeopleFacts::Person& person) const;

  const TomlTable& table_;
  const PeopleFacts& people_;
  Rule rule_;
};

void RuleReader::readName() {
  rule_.name = table_.requiredString("name");
  if (!table_.ok()) return;
  if (rule_.name.empty() || rule_.name.size() > kMaxNameBytes || hasUnfitCharacter(rule_.name))
    table_.refuse("name", "write 1 to " + std::to_string(kMaxNameBytes) + " bytes of plain text");
  else if (rule_.name.front() == '(')
    table_.refuse("name", "names in parentheses, such as (unmatched), are the gate's own");
}

std::optional<Verdict> verdictNamed(std::string_view name) {
  if (name == "allow") return Verdict::Allow;
  if (name == "hold") return Verdict::Hold;
  if (name == "deny") return Verdict::Deny;
  return std::nullopt;
}

void RuleReader::readVerdict() {
  const std::string text = table_.requiredString("verdict");
  const auto verdict = verdictNamed(text);
  if (!verdict) table_.refuse("verdict", "\"" + text + "\" is none of \"allow\", \"hold\", \"deny\"");
  rule_.verdict = verdict.value_or(Verdict::Deny);
}

std::vector<std::string> RuleReader::globsOf(const char* key) {
  auto globs = table_.strings(key);
  if (!globs) return {};
  if (globs->empty()) table_.refuse(key, "an empty list matches nothing; leave the key out to match everything");
  for (const std::string& glob : *globs) {
    if (glob.empty() || hasUnfitCharacter(glob)) table_.refuse(key, "an entry is empty or holds a control or invisible character");
    if (glob.find_first_of("[]{}\\") != std::string::npos) table_.refuse(key, "\"" + glob + "\": only * and ? are special in globs");
  }
  return std::move(*globs);
}

void RuleReader::readRequestConditions() {
  rule_.agents = globsOf("agents");
  rule_.targets = globsOf("targets");
  rule_.logins = globsOf("logins");
  for (const std::string& target : rule_.targets) {
    if (target.front() == '=' || target.back() == '=') table_.refuse("targets", "\"" + target + "\": write a name, a glob, or label=value");
  }
  rule_.labels = table_.stringMap("labels");
  if (table_.has("labels") && rule_.labels.empty()) table_.refuse("labels", "an empty table says nothing; leave it out");
  if (const auto contexts = table_.strings("context")) {
    if (contexts->empty()) table_.refuse("context", "an empty list matches nothing");
    for (const std::string& name : *contexts) {
      if (name == "exec")
        rule_.contexts.push_back(Context::Exec);
      else if (name == "shell")
        rule_.contexts.push_back(Context::Shell);
      else if (name == "sftp")
        rule_.contexts.push_back(Context::Sftp);
      else if (name == "forward")
        rule_.contexts.push_back(Context::Forward);
      else if (name == "stdin" || name.compare(0, 5, "data:") == 0)
        table_.refuse("context", "\"" + name + "\" is not supported yet");
      else
        table_.refuse("context", "\"" + name + "\" is none of \"exec\", \"shell\", \"sftp\", \"forward\"");
    }
  }
  rule_.intent = table_.boolean("intent");
}

std::optional<EffectSet> RuleReader::effectsOf(const char* key) {
  const auto names = table_.strings(key);
  if (!names) return std::nullopt;
  EffectSet effects;
  for (const std::string& name : *names) {
    const auto effect = effectNamed(name);
    if (effect) {
      effects.add(*effect);
      continue;
    }
    std::vector<std::string> known;
    for (unsigned i = 0; i <= unsigned(Effect::Unknown); ++i) known.emplace_back(nameOf(Effect(i)));
    const std::string nearest = nearestWord(name, known);
    table_.refuse(key, "unknown effect \"" + name + "\"" + (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
  }
  return effects;
}

void RuleReader::readArgv() {
  const auto words = table_.strings("argv");
  if (!words) return;
  if (words->empty() || words->size() > kMaxArgvWords) table_.refuse("argv", "write 1 to " + std::to_string(kMaxArgvWords) + " words");
  for (const std::string& word : *words) {
    auto pattern = WordPattern::parse(word);
    if (!pattern) {
      table_.refuse("argv", pattern.error());
      return;
    }
    rule_.argv.push_back(std::move(*pattern));
  }
  if (rule_.argv.empty()) return;
  const WordPattern& program = rule_.argv.front();
  const bool has_slash = program.isExact() ? program.text().find('/') != std::string::npos
                                           : std::any_of(program.choices().begin(), program.choices().end(),
                                                         [](const std::string& name) { return name.find('/') != std::string::npos; });
  if (!program.isExact() && program.kind() != WordPattern::Kind::OneOf)
    table_.refuse("argv", "the first word is the program's name, or {oneof:…} of names");
  else if (has_slash)
    table_.refuse("argv", "write the program's name without its directory; it is matched in /bin, /usr/bin, /sbin and /usr/sbin");
}

void RuleReader::readRedirections() {
  const auto entries = table_.strings("redirect");
  if (!entries) return;
  for (const std::string& entry : *entries) {
    const std::size_t colon = std::min(entry.find(':'), entry.size());
    const std::string kind = entry.substr(0, colon);
    const std::string glob = entry.substr(std::min(colon + 1, entry.size()));
    if (entry == "heredoc") {
      rule_.redirections.push_back({RedirectionPermit::Kind::Heredoc, ""});
      continue;
    }
    if (kind != "read" && kind != "write") {
      table_.refuse("redirect", "\"" + entry + "\" is none of \"read:GLOB\", \"write:GLOB\", \"heredoc\"");
      return;
    }
    if (auto path = WordPattern::parse("{path:" + glob + "}"); !path) {
      table_.refuse("redirect", path.error());
      return;
    }
    rule_.redirections.push_back({kind == "read" ? RedirectionPermit::Kind::Read : RedirectionPermit::Kind::Write, glob});
  }
}

void RuleReader::readCommandConditions() {
  rule_.anything = table_.boolean("anything").value_or(false);
  if (table_.has("anything") && !rule_.anything) table_.refuse("anything", "write true, or leave it out");
  readArgv();
  if (auto programs = table_.strings("programs")) {
    rule_.programs = std::move(*programs);
    if (rule_.programs.empty()) table_.refuse("programs", "an empty list matches nothing");
    for (const std::string& name : rule_.programs) {
      if (name.empty() || name.find_first_of("/*?{}") != std::string::npos)
        table_.refuse("programs", "\"" + name + "\": write plain program names");
    }
  }
  rule_.effects = effectsOf("effects");
  rule_.effects_any = effectsOf("effects_any");
  if (rule_.effects_any && rule_.effects_any->empty()) table_.refuse("effects_any", "an empty list matches nothing");
  rule_.sudo = table_.boolean("sudo");
  readRedirections();
}

std::optional<Patience> RuleReader::patienceOf(const char* key) {
  const auto text = table_.string(key);
  if (!text) return std::nullopt;
  if (*text == "none") return Patience{};
  const auto duration = parseDuration(*text);
  if (!duration) {
    table_.refuse(key, duration.error() + ", or \"none\"");
    return std::nullopt;
  }
  return Patience{*duration};
}

void RuleReader::readObligations() {
  if (const auto approvals = table_.integer("approvals")) {
    if (*approvals < 1 || *approvals > kMaxApprovals) table_.refuse("approvals", "write 1 to " + std::to_string(kMaxApprovals));
    rule_.approvals = int(std::clamp<std::int64_t>(*approvals, 1, kMaxApprovals));
  }
  if (auto reviewers = table_.strings("reviewers")) {
    rule_.reviewers = std::move(*reviewers);
    if (rule_.reviewers.empty()) table_.refuse("reviewers", "an empty list is nobody; leave it out for everyone who may review");
  }
  rule_.not_owner = table_.boolean("not_owner").value_or(false);
  if (const auto remember = table_.string("remember")) {
    if (*remember != "never" && *remember != "offer") table_.refuse("remember", "\"" + *remember + "\" is none of \"never\", \"offer\"");
    rule_.remember = *remember != "never";
  }
  rule_.answer_within = patienceOf("answer_within");
  rule_.expires = patienceOf("expires");
  rule_.advice = table_.string("advice").value_or("");
  if (rule_.advice.size() > kMaxAdviceBytes || hasUnfitCharacter(rule_.advice))
    table_.refuse("advice",
                  "write one line of at most " + std::to_string(kMaxAdviceBytes) + " bytes, without control or invisible characters");
  if (const auto retry = table_.string("retry")) {
    if (*retry != "stop-and-report" && *retry != "change-and-retry")
      table_.refuse("retry", "\"" + *retry + "\" is none of \"stop-and-report\", \"change-and-retry\"");
    rule_.may_change_and_retry = *retry == "change-and-retry";
  }
  if (const auto text = table_.string("stdin")) {
    if (*text == "none")
      rule_.stdin_rule = StdinRule::None;
    else if (*text == "stream")
      rule_.stdin_rule = StdinRule::Stream;
    else if (*text == "hold")
      rule_.stdin_rule = StdinRule::Hold;
    else
      table_.refuse("stdin", "\"" + *text + "\" is none of \"none\", \"stream\", \"hold\"");
  }
  if (const auto record = table_.string("record")) {
    if (*record != "full" && *record != "hash") table_.refuse("record", "\"" + *record + "\" is none of \"full\", \"hash\"");
    rule_.record_hash = *record == "hash";
  }
}

// A key under a verdict that cannot use it is a misunderstanding, and the operator should hear of it.
void RuleReader::onlyFor(Verdict verdict, std::initializer_list<const char*> keys, const char* text) {
  if (rule_.verdict == verdict) return;
  for (const char* key : keys) {
    if (table_.has(key)) table_.refuse(key, text);
  }
}

void RuleReader::refuseAllowContradictions() {
  if (rule_.effects_any) table_.refuse("effects_any", "an allow rule needs effects = […]: every effect has to be within");
  if (rule_.anything) {
    for (const char* key : {"argv", "programs", "effects", "sudo", "redirect"}) {
      if (table_.has(key)) table_.refuse(key, "anything = true already matches every command");
    }
    return;
  }
  if (rule_.argv.empty() && !rule_.effects)
    table_.refuse("", "an allow rule needs argv or effects to say which commands (for a laboratory: anything = true)");
  const bool has_flags =
      std::any_of(rule_.argv.begin(), rule_.argv.end(), [](const WordPattern& p) { return p.kind() == WordPattern::Kind::Flags; });
  if (has_flags && !rule_.effects) table_.refuse("argv", "{flags}* needs effects = […], the most that the flags may do");
  if (!rule_.redirections.empty() && rule_.argv.empty())
    table_.refuse("redirect", "it belongs to argv; under effects, a redirection counts by its effect");
}

void RuleReader::refuseContradictions() {
  onlyFor(Verdict::Hold, {"approvals", "reviewers", "not_owner", "remember", "answer_within", "expires"}, "it belongs to hold rules");
  onlyFor(Verdict::Deny, {"retry"}, "it belongs to deny rules");
  onlyFor(Verdict::Allow, {"redirect"}, "it belongs to allow rules: a hold or deny rule matches whatever the redirections are");
  onlyFor(Verdict::Allow, {"anything"}, "it belongs to allow rules: a hold or deny rule without conditions on commands matches every line");
  if (rule_.verdict == Verdict::Deny) {
    for (const char* key : {"stdin", "record"}) {
      if (table_.has(key)) table_.refuse(key, "nothing runs under a deny rule");
    }
  }
  if (rule_.verdict == Verdict::Allow && table_.has("advice")) table_.refuse("advice", "it belongs to hold and deny rules");
  if (rule_.verdict == Verdict::Allow) refuseAllowContradictions();
}

bool RuleReader::mayReview(const PeopleFacts::Person& person) const {
  if (!person.may_review) return false;
  if (rule_.reviewers.empty()) return true;
  return std::any_of(rule_.reviewers.begin(), rule_.reviewers.end(), [&](const std::string& wanted) {
    if (wanted.compare(0, 5, "role=") != 0) return wanted == person.name;
    return std::find(person.roles.begin(), person.roles.end(), wanted.substr(5)) != person.roles.end();
  });
}

void RuleReader::findReviewers() {
  if (rule_.verdict != Verdict::Hold) return;
  for (const auto& person : people_.people) {
    if (mayReview(person)) rule_.eligible.insert(person.name);
  }
  for (const std::string& wanted : rule_.reviewers) {
    const bool is_role = wanted.compare(0, 5, "role=") == 0;
    const bool known = std::any_of(people_.people.begin(), people_.people.end(), [&](const PeopleFacts::Person& person) {
      if (!person.may_review) return false;
      return is_role ? std::find(person.roles.begin(), person.roles.end(), wanted.substr(5)) != person.roles.end() : wanted == person.name;
    });
    if (!known) table_.refuse("reviewers", "no person who may review is \"" + wanted + "\" (write a person's name or role=ROLE)");
  }
  if (int(rule_.eligible.size()) < rule_.approvals) {
    table_.refuse("approvals", "the rule asks " + std::to_string(rule_.approvals) + " people, and only " +
                                   std::to_string(rule_.eligible.size()) + " may review under it; nobody could ever release a command");
    return;
  }
  if (!rule_.not_owner) return;
  for (const auto& [agent, owner] : people_.owner_of_agent) {
    const bool concerns =
        rule_.agents.empty() || std::any_of(rule_.agents.begin(), rule_.agents.end(),
                                            [&, &name = agent](const std::string& glob) { return globMatches(glob, name); });
    if (concerns && int(rule_.eligible.size() - rule_.eligible.count(owner)) < rule_.approvals)
      table_.refuse("not_owner", "without " + owner + ", the owner of agent " + agent + ", too few people may review under the rule");
  }
}

// ---- the file ----

std::optional<Verdict> defaultVerdict(const TomlTable& table, const char* key) {
  const auto text = table.string(key);
  if (!text) return std::nullopt;
  if (*text == "allow") {
    table.refuse(key, "\"allow\" is refused as a default; write \"hold\" or \"deny\" (for a laboratory: a rule with anything = true)");
    return std::nullopt;
  }
  const auto verdict = verdictNamed(*text);
  if (!verdict) table.refuse(key, "\"" + *text + "\" is none of \"hold\", \"deny\"");
  return verdict;
}

Patience defaultPatience(const TomlTable& table, const char* key, Patience fallback) {
  const auto text = table.string(key);
  if (!text) return fallback;
  if (*text == "none") return std::nullopt;
  const auto duration = parseDuration(*text);
  if (!duration) table.refuse(key, duration.error() + ", or \"none\"");
  return duration ? Patience{*duration} : fallback;
}

RuleDefaults readDefaults(const TomlTable& root) {
  RuleDefaults defaults;
  const auto table = root.table("defaults");
  if (!table) return defaults;
  defaults.unmatched = defaultVerdict(*table, "unmatched").value_or(defaults.unmatched);
  defaults.opaque = defaultVerdict(*table, "opaque").value_or(defaults.opaque);
  defaults.answer_within = defaultPatience(*table, "answer_within", defaults.answer_within);
  defaults.expires = defaultPatience(*table, "expires", defaults.expires);
  if (const auto on_timeout = table->string("on_timeout")) {
    if (*on_timeout == "escalate")
      table->refuse("on_timeout", "\"escalate\" is not supported yet; write \"expire\"");
    else if (*on_timeout != "expire")
      table->refuse("on_timeout", "\"" + *on_timeout + "\" is not \"expire\", the only end of a hold that nobody answered");
  }
  table->finish();
  return defaults;
}

// A rule's own tests: lines as an agent would send them to a bash account that starts in /.
void runRuleTests(const TomlTable& table, const Rule& rule, const Catalog& catalog) {
  const auto examine = [&](const char* key, bool wanted) {
    for (const std::string& line : table.strings(key).value_or(std::vector<std::string>{})) {
      const Classification classification = classify(catalog, line, Dialect::Bash, "/");
      if (matchesLine(rule, classification) == wanted) continue;
      std::string why;
      if (!classification.opaque.empty()) why = "the line is opaque: " + classification.opaque;
      for (std::size_t i = 0; why.empty() && wanted && rule.verdict == Verdict::Allow && i < classification.commands.size(); ++i) {
        const std::string mismatch = coverageMismatch(rule, classification, i);
        if (!mismatch.empty()) why = "command " + std::to_string(i + 1) + ": " + mismatch;
      }
      table.refuse(key, "rule \"" + rule.name + "\" " + (wanted ? "does not match" : "matches") + " its own test line \"" + line + "\"" +
                            (why.empty() ? "" : " (" + why + ")"));
    }
  };
  examine("match", true);
  examine("no_match", false);
}

void warnAbout(const Rule& rule, std::vector<std::string>& warnings) {
  if (rule.verdict != Verdict::Allow) return;
  const std::string name = "rule \"" + rule.name + "\" ";
  if (rule.anything) warnings.push_back(name + "allows every command (anything = true): UNSAFE, for laboratories only");
  if (rule.effects && rule.effects->has(Effect::Unknown)) warnings.push_back(name + "allows commands whose effects are unknown");
  if (rule.effects && rule.effects->has(Effect::Exec)) warnings.push_back(name + "allows the effect exec: such a command can run anything");
  if (rule.sudo == true && rule.argv.empty()) warnings.push_back(name + "allows sudo by effects, not by argv");
  for (const WordPattern& pattern : rule.argv) {
    if (pattern.kind() == WordPattern::Kind::Runtime)
      warnings.push_back(name + "allows a word that nobody sees before it runs ({runtime}); it may be an option");
  }
}

}  // namespace

RuleSet::RuleSet(RuleSet&&) noexcept = default;
RuleSet::~RuleSet() = default;
RuleSet::RuleSet(std::unique_ptr<Data> data) : data_(std::move(data)) {}

bool RuleSet::hasLaboratoryAllow() const {
  return std::any_of(data_->rules.begin(), data_->rules.end(),
                     [](const Rule& rule) { return rule.verdict == Verdict::Allow && rule.anything; });
}
const std::string& RuleSet::hash() const {
  return data_->hash;
}
std::vector<std::string> RuleSet::warnings() const {
  return data_->warnings;
}

tl::expected<std::shared_ptr<const RuleSet>, std::string> RuleSet::load(std::string_view text, std::string_view origin,
                                                                        const Catalog& catalog, const PeopleFacts& people) {
  auto document = TomlDocument::parse(text, origin);
  if (!document) return tl::unexpected(document.error());
  const TomlTable root = document->root();
  auto data = std::make_unique<Data>();
  data->hash = sha256Hex(text);
  data->defaults = readDefaults(root);
  std::set<std::string> names;
  for (const TomlTable& table : root.tables("rule")) {
    if (data->rules.size() >= kMaxRules) table.refuse("", "more than " + std::to_string(kMaxRules) + " rules");
    Rule rule = RuleReader(table, people).read();
    if (table.ok() && !names.insert(rule.name).second) table.refuse("name", "another rule has the name \"" + rule.name + "\"");
    if (table.ok()) runRuleTests(table, rule, catalog);
    table.finish();
    if (!table.ok()) break;
    warnAbout(rule, data->warnings);
    data->rules.push_back(std::move(rule));
  }
  root.finish();
  if (!document->error().empty()) return tl::unexpected(document->error());
  return std::make_shared<const RuleSet>(std::move(data));
}

}  // namespace ptygate::policy
