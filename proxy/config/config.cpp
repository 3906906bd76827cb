// SPDX-License-Identifier: Apache-2.0
#include "proxy/config/config.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <thread>

#include "certs/encoding.h"
#include "certs/source_address.h"
#include "policy/account.h"
#include "policy/digest.h"
#include "policy/strict_toml.h"
#include "policy/units.h"

namespace ptygate::config {

using policy::TomlTable;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxLoginBytes = 32;
constexpr std::size_t kMaxLabelBytes = 64;
constexpr std::uint64_t kMaxWorkers = 64;
constexpr std::uint64_t kDefaultWorkersAtMost = 4;
constexpr milliseconds kMaxCertificateValidity{3'600'000};

bool isAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool isNameRest(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return isAlphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

std::string quoted(std::string_view text) {
  return "\"" + certs::escaped(text.substr(0, 80)) + "\"";
}

// ---- single values ----------------------------------------------------------------------------------------------------------------

milliseconds duration(const TomlTable& table, const char* key, milliseconds otherwise,
                      milliseconds most = milliseconds(366LL * 86'400'000)) {
  const auto text = table.string(key);
  if (!text) return otherwise;
  const auto value = policy::parseDuration(*text);
  if (!value) {
    table.refuse(key, value.error());
  } else if (*value > most) {
    table.refuse(key, "at most " + policy::formatDuration(most) + " is permitted");
  } else {
    return *value;
  }
  return otherwise;
}

void durationMs(const TomlTable& table, const char* key, std::uint64_t& out) {
  out = static_cast<std::uint64_t>(duration(table, key, milliseconds(out)).count());
}

void bytes(const TomlTable& table, const char* key, std::uint64_t& out, std::uint64_t least, std::uint64_t most) {
  const auto text = table.string(key);
  if (!text) return;
  const auto value = policy::parseBytes(*text);
  if (!value) {
    table.refuse(key, value.error());
  } else if (*value < least || *value > most) {
    table.refuse(key, "between " + policy::formatBytes(least) + " and " + policy::formatBytes(most) + " is permitted");
  } else {
    out = *value;
  }
}

void count(const TomlTable& table, const char* key, std::uint64_t& out, std::uint64_t most) {
  const auto value = table.integer(key);
  if (!value) return;
  if (*value < 1 || static_cast<std::uint64_t>(*value) > most) {
    table.refuse(key, "a number from 1 to " + std::to_string(most) + " is needed");
  } else {
    out = static_cast<std::uint64_t>(*value);
  }
}

/// A file below DIR: relative, without `..`, so that no configuration points the keeper at another's key.
std::string fileBelow(const TomlTable& table, const char* key, std::string otherwise) {
  const auto text = table.string(key);
  if (!text) return otherwise;
  const bool sound = !text->empty() && text->front() != '/' && ("/" + *text + "/").find("/../") == std::string::npos &&
                     text->find('\0') == std::string::npos && text->size() <= 255;
  if (!sound) table.refuse(key, "a path below the gate's directory is needed, like \"keys/user_ca\", without \"..\"");
  return *text;
}

std::string name(const TomlTable& table) {
  std::string value = table.requiredString("name");
  if (table.ok() && !isName(value)) {
    table.refuse("name", quoted(value) + " is not a name: letters, digits, '.', '_' and '-' (no '=', '@', '%', '/' or blank), at most 64");
  }
  return value;
}

std::string unixUser(const TomlTable& table) {
  std::string value = table.string("unix_user").value_or("");
  if (!value.empty() && !isLogin(value)) table.refuse("unix_user", quoted(value) + " is not a user name");
  return value;
}

std::vector<certs::PublicKey> publicKeys(const TomlTable& table, const char* key, bool required) {
  std::vector<certs::PublicKey> result;
  if (required && !table.has(key)) {
    (void)table.requiredStrings(key);
    return result;
  }
  const auto lines = table.strings(key);
  if (!lines) return result;
  if (lines->empty() && required) table.refuse(key, "at least one key is needed, as a line \"ssh-ed25519 AAAA…\"");
  for (const std::string& line : *lines) {
    auto parsed = certs::parseKeyLine(line);
    if (!parsed) {
      table.refuse(key, quoted(line) + ": " + parsed.error().text + "; a line \"ssh-ed25519 AAAA…\" is needed (no options, no host name)");
      return result;
    }
    if (std::find(result.begin(), result.end(), parsed->key) != result.end())
      table.refuse(key, "the key " + parsed->key.fingerprint() + " is listed twice");
    result.push_back(std::move(parsed->key));
  }
  return result;
}

std::optional<Address> address(const TomlTable& table, const char* key, std::uint16_t default_port) {
  const auto text = table.string(key);
  if (!text) return std::nullopt;
  auto parsed = parseAddress(*text, default_port);
  if (!parsed) table.refuse(key, quoted(*text) + ": \"host:port\" or \"[v6 address]:port\" is needed");
  return parsed;
}

// ---- tables -----------------------------------------------------------------------------------------------------------------------

void readGate(const TomlTable& root, Config& config) {
  const unsigned cores = std::thread::hardware_concurrency();
  config.workers = std::clamp<std::uint64_t>(cores, 1, kDefaultWorkersAtMost);
  const auto gate = root.table("gate");
  if (!gate) return;
  count(*gate, "workers", config.workers, kMaxWorkers);
  config.user_ca = fileBelow(*gate, "user_ca", config.user_ca);
  config.host_key = fileBelow(*gate, "host_key", config.host_key);
  config.survey_valid = duration(*gate, "survey_valid", config.survey_valid);
  static const std::map<std::string, base::LogLevel, std::less<>> kLevels = {
      {"debug", base::LogLevel::Debug}, {"info", base::LogLevel::Info}, {"warn", base::LogLevel::Warn}, {"error", base::LogLevel::Error}};
  if (const auto level = gate->string("log_level")) {
    const auto found = kLevels.find(*level);
    if (found == kLevels.end()) {
      gate->refuse("log_level", quoted(*level) + ": one of debug, info, warn, error is needed");
    } else {
      config.log_level = found->second;
    }
  }
  gate->finish();
}

std::vector<Address> addresses(const TomlTable& table, const char* key) {
  std::vector<Address> result;
  for (const std::string& text : table.strings(key).value_or(std::vector<std::string>())) {
    const auto parsed = parseAddress(text, 0);
    if (!parsed) {
      table.refuse(key, quoted(text) + ": \"host:port\" or \"[v6 address]:port\" is needed");
      continue;
    }
    result.push_back(*parsed);
  }
  return result;
}

void readListen(const TomlTable& root, Config& config) {
  const auto listen = root.table("listen");
  if (listen) {
    config.listen_agents = addresses(*listen, "agents");
    config.listen_people = addresses(*listen, "people");
    for (const Address& address : config.listen_people) {
      const bool shared = std::find(config.listen_agents.begin(), config.listen_agents.end(), address) != config.listen_agents.end();
      if (shared && address.port != 0) listen->refuse("people", "agents and people need listeners of their own");
    }
    listen->finish();
  }
  if (root.ok() && config.listen_agents.empty()) root.refuse("listen", "agents = [\"host:port\"] is missing in [listen]");
}

void readLimits(const TomlTable& root, Config& config) {
  const auto table = root.table("limits");
  if (!table) return;
  Limits& limits = config.limits;
  base::WorkerLimits& worker = limits.worker;
  constexpr std::uint64_t kMany = 1'000'000;
  constexpr std::uint64_t kKiB = 1024;
  constexpr std::uint64_t kMiB = 1024 * kKiB;
  constexpr std::uint64_t kGiB = 1024 * kMiB;
  durationMs(*table, "login_grace", worker.login_grace_ms);
  count(*table, "auth_attempts", worker.auth_attempts, 100);
  count(*table, "channels_per_connection", worker.channels_per_connection, 10'000);
  bytes(*table, "command", worker.command_bytes, 1, policy::kMaxRawString);
  bytes(*table, "held_stdin", worker.held_stdin_bytes, 0, kGiB);
  bytes(*table, "cast", worker.cast_bytes, kMiB, 1024 * kGiB);
  durationMs(*table, "keepalive", worker.keepalive_ms);
  durationMs(*table, "upstream_idle", worker.upstream_idle_ms);
  bytes(*table, "rekey", worker.rekey_bytes, kMiB, 1024 * kGiB);
  durationMs(*table, "connect", worker.connect_ms);
  count(*table, "startups_per_source", limits.startups_per_source, kMany);
  count(*table, "connections", limits.connections, kMany);
  count(*table, "connections_per_agent", limits.connections_per_agent, kMany);
  count(*table, "requests_per_agent", limits.requests_per_agent, kMany);
  count(*table, "holds", limits.holds, kMany);
  count(*table, "holds_per_agent", limits.holds_per_agent, kMany);
  bytes(*table, "held", limits.held_bytes, kMiB, 16 * kGiB);
  bytes(*table, "held_per_agent", limits.held_bytes_per_agent, kMiB, 16 * kGiB);
  count(*table, "verbs", limits.verbs, 10'000);
  count(*table, "verbs_per_identity", limits.verbs_per_identity, 10'000);
  bytes(*table, "free_space", limits.free_space_bytes, 0, 1024 * kGiB);
  limits.repeat_within = duration(*table, "repeat_within", limits.repeat_within);
  table->finish();
}

std::map<std::string, std::string> labels(const TomlTable& table) {
  auto result = table.stringMap("labels");
  for (const auto& [key, value] : result) {
    const bool sound = isName(key) && !value.empty() && value.size() <= kMaxLabelBytes && isNameRest(value);
    if (!sound) table.refuse("labels", quoted(key + "=" + value) + ": names and values are letters, digits, '.', '_' and '-', at most 64");
  }
  return result;
}

void addAlias(Target& target, Address alias) {
  if (std::find(target.aliases.begin(), target.aliases.end(), alias) == target.aliases.end()) target.aliases.push_back(std::move(alias));
}

Target readTarget(const TomlTable& table) {
  Target target;
  target.name = name(table);
  if (!table.has("address")) (void)table.requiredString("address");
  if (auto parsed = address(table, "address", 22)) target.address = *parsed;
  target.logins = table.requiredStrings("logins");
  if (table.ok() && target.logins.empty()) table.refuse("logins", "at least one login is needed");
  for (const std::string& login : target.logins) {
    if (!isLogin(login)) table.refuse("logins", quoted(login) + " is not a login name");
    if (std::count(target.logins.begin(), target.logins.end(), login) > 1) table.refuse("logins", quoted(login) + " is listed twice");
  }
  for (const std::string& alias : table.strings("aliases").value_or(std::vector<std::string>())) {
    const auto parsed = parseAddress(alias, 22);
    if (!parsed) {
      table.refuse("aliases", quoted(alias) + ": \"host\" (port 22) or \"host:port\" is needed");
      continue;
    }
    addAlias(target, *parsed);
  }
  addAlias(target, Address{target.name, 22});
  addAlias(target, Address{target.name, target.address.port});
  addAlias(target, target.address);
  if (!table.has("host_keys")) {
    table.refuse("",
                 "the key host_keys is missing: the gate never asks about an unknown host. Take the lines of the target's own "
                 "/etc/ssh/ssh_host_*_key.pub over a way that you trust");
  }
  target.host_keys = publicKeys(table, "host_keys", true);
  target.labels = labels(table);
  target.trust_account_rc = table.boolean("trust_account_rc").value_or(false);
  const std::string credential = table.string("credential").value_or("certificate");
  if (credential == "identity") {
    target.identity_key = table.has("identity_key") ? fileBelow(table, "identity_key", "") : std::string();
    if (target.identity_key.empty()) table.refuse("credential", "\"identity\" needs identity_key = \"keys/…\"");
  } else if (credential != "certificate") {
    table.refuse("credential", quoted(credential) + ": \"certificate\" or \"identity\" is needed");
  } else if (table.has("identity_key")) {
    table.refuse("identity_key", "goes with credential = \"identity\" only");
  }
  target.source_address = table.string("source_address").value_or("");
  if (!target.source_address.empty()) {
    const auto list = certs::parseAddressList(target.source_address);
    if (!list) table.refuse("source_address", list.error().text + "; a list like \"10.0.0.7,192.0.2.0/24\" is needed");
  }
  target.certificate_validity = duration(table, "certificate_validity", target.certificate_validity, kMaxCertificateValidity);
  table.finish();
  return target;
}

void readTargets(const TomlTable& root, Config& config) {
  std::set<std::string> names;
  std::map<std::string, std::string> target_of_alias;
  for (const TomlTable& table : root.tables("target")) {
    Target target = readTarget(table);
    if (!names.insert(target.name).second) table.refuse("name", quoted(target.name) + " is the name of another target already");
    for (const Address& alias : target.aliases) {
      // The address itself may be shared (one host, two accounts of it): then it is no alias of either.
      const auto [known, is_new] = target_of_alias.emplace(alias.text(), target.name);
      if (is_new) continue;
      const auto listed = table.strings("aliases").value_or(std::vector<std::string>());
      const bool explicit_alias =
          std::any_of(listed.begin(), listed.end(), [&](const std::string& text) { return parseAddress(text, 22) == alias; });
      if (explicit_alias || alias.host == target.name)
        table.refuse("aliases", quoted(alias.text()) + " names the target " + quoted(known->second) + " already");
      known->second = "";
    }
    config.targets.push_back(std::move(target));
  }
  for (Target& target : config.targets) {
    std::erase_if(target.aliases, [&](const Address& alias) { return target_of_alias[alias.text()] != target.name; });
  }
}

void readPeople(const TomlTable& root, Config& config) {
  std::set<std::string> names;
  for (const TomlTable& table : root.tables("person")) {
    Person person;
    person.name = name(table);
    if (!names.insert(person.name).second) table.refuse("name", quoted(person.name) + " is the name of another person already");
    person.keys = publicKeys(table, "keys", false);
    person.unix_user = unixUser(table);
    if (table.ok() && person.keys.empty() && person.unix_user.empty()) table.refuse("", "a person needs keys or a unix_user to come in by");
    for (const std::string& may : table.requiredStrings("may")) {
      if (may == "review") {
        person.may_review = true;
      } else if (may == "audit") {
        person.may_audit = true;
      } else if (may == "operate") {
        person.may_operate = true;
      } else {
        table.refuse("may", quoted(may) + ": one of review, audit, operate is needed");
      }
    }
    person.roles = table.strings("roles").value_or(std::vector<std::string>());
    for (const std::string& role : person.roles) {
      if (!isName(role)) table.refuse("roles", quoted(role) + " is not a name");
    }
    table.finish();
    config.people.push_back(std::move(person));
  }
}

std::vector<std::string> resolveTargets(const TomlTable& table, const Config& config) {
  std::vector<std::string> result;
  const auto patterns = table.strings("targets");
  for (const Target& target : config.targets) {
    const auto covers = [&](const std::string& pattern) {
      const std::size_t equals = pattern.find('=');
      if (equals == std::string::npos) return globMatches(pattern, target.name);
      const auto label = target.labels.find(pattern.substr(0, equals));
      return label != target.labels.end() && label->second == pattern.substr(equals + 1);
    };
    if (!patterns || std::any_of(patterns->begin(), patterns->end(), covers)) result.push_back(target.name);
  }
  if (!patterns) return result;
  for (const std::string& pattern : *patterns) {
    const bool plain = pattern.find_first_of("*?=") == std::string::npos;
    if (!plain || config.target(pattern) != nullptr) continue;
    std::vector<std::string> names;
    for (const Target& target : config.targets) names.push_back(target.name);
    const std::string nearest = policy::nearestWord(pattern, names);
    table.refuse("targets", quoted(pattern) + " is no target" + (nearest.empty() ? "" : "; did you mean " + quoted(nearest) + "?"));
  }
  return result;
}

void readAgents(const TomlTable& root, Config& config) {
  std::set<std::string> names;
  for (const TomlTable& table : root.tables("agent")) {
    Agent agent;
    agent.name = name(table);
    if (!names.insert(agent.name).second) table.refuse("name", quoted(agent.name) + " is the name of another agent already");
    if (config.person(agent.name) != nullptr) table.refuse("name", quoted(agent.name) + " is the name of a person already");
    agent.keys = publicKeys(table, "keys", true);
    agent.unix_user = unixUser(table);
    agent.owner = table.string("owner").value_or("");
    if (!agent.owner.empty() && config.person(agent.owner) == nullptr) table.refuse("owner", quoted(agent.owner) + " is no [[person]]");
    agent.targets = resolveTargets(table, config);
    table.finish();
    config.agents.push_back(std::move(agent));
  }
}

/// One who asks is never one who decides: no key and no Unix user may be two identities.
void refuseSharedIdentities(const TomlTable& root, const Config& config) {
  std::map<std::string, std::string> owner_of_key;
  std::map<std::string, std::string> owner_of_user;
  const auto visit = [&](const TomlTable& table, const std::string& who, const std::vector<certs::PublicKey>& keys,
                         const std::string& user) {
    for (const certs::PublicKey& key : keys) {
      const auto [known, is_new] = owner_of_key.emplace(key.blob(), who);
      if (!is_new)
        table.refuse("keys", "the key " + key.fingerprint() + " is " + known->second + "'s already; each identity needs keys of its own");
    }
    if (user.empty()) return;
    const auto [known, is_new] = owner_of_user.emplace(user, who);
    if (!is_new) table.refuse("unix_user", quoted(user) + " is " + known->second + "'s already; each identity needs an account of its own");
  };
  const auto people = root.tables("person");
  for (std::size_t i = 0; i < people.size() && i < config.people.size(); ++i) {
    visit(people[i], "the person " + config.people[i].name, config.people[i].keys, config.people[i].unix_user);
  }
  const auto agents = root.tables("agent");
  for (std::size_t i = 0; i < agents.size() && i < config.agents.size(); ++i) {
    visit(agents[i], "the agent " + config.agents[i].name, config.agents[i].keys, config.agents[i].unix_user);
  }
}

void addWarnings(Config& config) {
  const bool reviewed = std::any_of(config.people.begin(), config.people.end(), [](const Person& person) { return person.may_review; });
  if (!reviewed) config.warnings.emplace_back("nobody may review: every hold will expire");
  if (config.agents.empty()) config.warnings.emplace_back("no [[agent]]: nobody can connect");
  if (config.targets.empty()) config.warnings.emplace_back("no [[target]]: agents can reach nothing");
  for (const Agent& agent : config.agents) {
    if (agent.targets.empty()) config.warnings.push_back("the agent " + agent.name + " may reach no target");
  }
}

template <class T>
const T* named(const std::vector<T>& list, std::string_view wanted) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const T& entry) { return entry.name == wanted; });
  return found == list.end() ? nullptr : &*found;
}

}  // namespace

std::string Address::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

const Agent* Config::agent(std::string_view wanted) const {
  return named(agents, wanted);
}
const Person* Config::person(std::string_view wanted) const {
  return named(people, wanted);
}
const Target* Config::target(std::string_view wanted) const {
  return named(targets, wanted);
}

bool Config::isEntitled(const Agent& agent, std::string_view target) {
  return std::find(agent.targets.begin(), agent.targets.end(), target) != agent.targets.end();
}

policy::PeopleFacts Config::peopleFacts() const {
  policy::PeopleFacts facts;
  for (const Person& person : people) facts.people.push_back({person.name, person.roles, person.may_review});
  for (const Agent& agent : agents) facts.owner_of_agent[agent.name] = agent.owner;
  return facts;
}

tl::expected<std::shared_ptr<const Config>, std::string> parseConfig(std::string_view text, std::string_view origin) {
  auto document = policy::TomlDocument::parse(text, origin);
  if (!document) return tl::unexpected(document.error());
  const TomlTable root = document->root();
  auto config = std::make_shared<Config>();
  config->hash = policy::sha256Hex(text);
  readGate(root, *config);
  readListen(root, *config);
  readLimits(root, *config);
  readTargets(root, *config);
  readPeople(root, *config);
  readAgents(root, *config);
  if (root.ok()) refuseSharedIdentities(root, *config);
  root.finish();
  if (!document->error().empty()) return tl::unexpected(document->error());
  addWarnings(*config);
  return config;
}

std::optional<Address> parseAddress(std::string_view text, std::uint16_t default_port) {
  Address address;
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    address.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (address.host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string::npos || address.host.find(':') == std::string::npos)
      return std::nullopt;
    if (!port.empty() && port.front() != ':') return std::nullopt;
  } else {
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) return std::nullopt;  // v6 needs brackets
    address.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    if (address.host.empty() || !isNameRest(address.host) || address.host.front() == '-') return std::nullopt;
  }
  if (address.host.empty() || address.host.size() > 255) return std::nullopt;
  if (port.empty()) {
    if (default_port == 0) return std::nullopt;
    address.port = default_port;
    return address;
  }
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || port.empty() || end != port.data() + port.size()) return std::nullopt;
  if (address.port == 0 && default_port != 0) return std::nullopt;  // port 0 (choose one) makes sense for listeners only
  return address;
}

bool isName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && isAlphanumeric(text.front()) && isNameRest(text);
}

bool isLogin(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLoginBytes && (isAlphanumeric(text.front()) || text.front() == '_') && isNameRest(text);
}

bool globMatches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
      ++p, ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace ptygate::config
