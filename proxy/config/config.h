// SPDX-License-Identifier: Apache-2.0
// ptygate.toml as values: gate, listeners, identities, targets, limits. Strict: what is unknown, doubled or loose is refused with file,
// line and what to do. Not here: rules (policy/rules), private keys (the keeper loads them), reading of directories (directory.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "certs/key.h"
#include "policy/rules.h"
#include "proxy/base/log.h"
#include "proxy/base/messages.h"

namespace ptygate::config {

/// Host (name or literal address, no brackets) and port.
struct Address {
  std::string host;
  std::uint16_t port = 0;
  /// "web1:22", "[::1]:22".
  [[nodiscard]] std::string text() const;
  bool operator==(const Address&) const = default;
};

struct Agent {
  std::string name;
  std::vector<certs::PublicKey> keys;
  std::string owner;                 ///< a person, or empty
  std::string unix_user;             ///< its account on the gate's host, or empty
  std::vector<std::string> targets;  ///< names, resolved from names, globs and label=value
};

struct Person {
  std::string name;
  std::vector<certs::PublicKey> keys;
  std::string unix_user;  ///< who this is on the control socket, or empty
  bool may_review = false;
  bool may_audit = false;
  bool may_operate = false;
  std::vector<std::string> roles;
};

struct Target {
  std::string name;
  Address address;
  std::vector<std::string> logins;
  std::vector<Address> aliases;  ///< what -J may name: the configured ones, NAME:22, NAME:PORT and the address
  std::vector<certs::PublicKey> host_keys;
  std::map<std::string, std::string> labels;
  bool trust_account_rc = false;
  std::string identity_key;    ///< file below DIR, for targets that cannot trust a CA; empty: certificates
  std::string source_address;  ///< of certificates, CIDR list; empty: none
  std::chrono::milliseconds certificate_validity{120'000};
};

/// What the keeper limits, beside the workers' limits. README.md lists keys and defaults.
struct Limits {
  base::WorkerLimits worker;
  std::uint64_t startups_per_source = 10;  ///< connections of one source address that have not logged in
  std::uint64_t connections = 1000;
  std::uint64_t connections_per_agent = 200;
  std::uint64_t requests_per_agent = 4096;  ///< exec requests of one agent that have not ended
  std::uint64_t holds = 4096;
  std::uint64_t holds_per_agent = 2048;
  std::uint64_t held_bytes = 64ULL << 20U;
  std::uint64_t held_bytes_per_agent = 32ULL << 20U;
  std::uint64_t verbs = 64;  ///< verb children at once
  std::uint64_t verbs_per_identity = 16;
  std::uint64_t free_space_bytes = 256ULL << 20U;  ///< below it no new session begins
  std::chrono::milliseconds repeat_within{120'000};
};

struct Config {
  std::vector<Address> listen_agents;    ///< at least one
  std::vector<Address> listen_people;    ///< none: people come by the control socket only
  std::uint64_t workers = 1;             ///< for agents; people have one of their own
  std::string user_ca = "keys/user_ca";  ///< files below DIR
  std::string host_key = "keys/host_key";
  base::LogLevel log_level = base::LogLevel::Info;
  std::chrono::milliseconds survey_valid{3'600'000};
  Limits limits;
  std::vector<Agent> agents;
  std::vector<Person> people;
  std::vector<Target> targets;
  std::string hash;                   ///< sha256 hex of the file's bytes
  std::vector<std::string> warnings;  ///< for the log and `status`

  [[nodiscard]] const Agent* agent(std::string_view name) const;
  [[nodiscard]] const Person* person(std::string_view name) const;
  [[nodiscard]] const Target* target(std::string_view name) const;
  /// True when this agent may reach this target.
  [[nodiscard]] static bool isEntitled(const Agent& agent, std::string_view target);
  /// What the policy has to know of people.
  [[nodiscard]] policy::PeopleFacts peopleFacts() const;
};

/// Reads the text of a ptygate.toml. Pure: touches no file. Error: "origin:line: what, and what to do".
[[nodiscard]] tl::expected<std::shared_ptr<const Config>, std::string> parseConfig(std::string_view text, std::string_view origin);

/// "host:port", "[v6]:port", "host" or "[v6]" (then `default_port`, unless that is 0). nullopt: none of these.
[[nodiscard]] std::optional<Address> parseAddress(std::string_view text, std::uint16_t default_port);

/// Names of agents, people, targets and labels: [A-Za-z0-9] and then [A-Za-z0-9._-], at most 64. So never `=`, `@`, `%`, `/`, blank.
[[nodiscard]] bool isName(std::string_view text);
/// Login names: as isName, or beginning with `_`, at most 32.
[[nodiscard]] bool isLogin(std::string_view text);
/// Shell-like match of a whole name: `*` any run, `?` one character.
[[nodiscard]] bool globMatches(std::string_view pattern, std::string_view name);

}  // namespace ptygate::config
