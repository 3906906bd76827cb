// SPDX-License-Identifier: Apache-2.0
// The gate's directory: what lies where, reading it whole and strictly, and making a new one. Used by serve, reload, `policy check` and
// `init`.
//
//   DIR/ptygate.toml  policy.toml      0600   configuration and rules
//   DIR/keys/user_ca host_key …        0600   in a directory of 0700
//   DIR/rec/  DIR/ledger/  DIR/state/  0700   records; the surveys' memory
//   DIR/run/control.sock  run/ports    socket 0666 (the kernel says who connects), in directories of 0711
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "certs/private_key.h"
#include "policy/rules.h"
#include "proxy/config/config.h"

namespace ptygate::config {

/// Everything that `reload` replaces at once. Immutable.
struct Snapshot {
  std::shared_ptr<const Config> config;
  std::shared_ptr<const policy::RuleSet> rules;
  std::string rules_text_hash;  ///< = rules->hash()
  std::vector<std::string> warnings;
};

/// Reads DIR/ptygate.toml and DIR/policy.toml and checks them against each other. No side effect.
///
/// Refused besides what the parsers refuse: a symbolic link, another's file, a file that group or others may write (or, of keys, read).
/// Error: "file:line: what, and what to do".
[[nodiscard]] tl::expected<Snapshot, std::string> loadSnapshot(const std::string& dir);

/// Private keys, loaded by the keeper only.
struct Keys {
  certs::Ed25519PrivateKey user_ca;
  certs::Ed25519PrivateKey host_key;
  std::vector<std::pair<std::string, certs::Ed25519PrivateKey>> identities;  ///< by target name
};
/// Loads every key that `config` names; refuses one key in two uses. Error: text that names the file and says what to do.
[[nodiscard]] tl::expected<Keys, std::string> loadKeys(const std::string& dir, const Config& config);

/// loadSnapshot and loadKeys, keys forgotten: what `policy check` and a dry start need. Returns the warnings.
[[nodiscard]] tl::expected<std::vector<std::string>, std::string> check(const std::string& dir);

struct InitTarget {
  std::string name;
  std::string address;  ///< "host:port"
  std::vector<std::string> logins;
  std::vector<std::string> host_keys;  ///< key lines
  std::vector<std::pair<std::string, std::string>> labels;
};
struct InitIdentity {
  std::string name;
  std::vector<std::string> keys;                                  ///< key lines
  std::string unix_user;                                          ///< people only
  std::vector<std::string> may = {"review", "audit", "operate"};  ///< people only
  std::string owner;                                              ///< agents only
};
struct InitOptions {
  std::string dir;
  std::string listen_agents = "0.0.0.0:2222";
  std::string listen_people = "0.0.0.0:2223";
  std::vector<InitIdentity> agents;
  std::vector<InitIdentity> people;
  std::vector<InitTarget> targets;
  std::string policy;  ///< empty: the starter policy
};
struct InitDone {
  std::string user_ca_line;  ///< public key lines
  std::string host_key_line;
};
/// Makes DIR with new keys and the two files, and checks the result as `serve` will. Refuses a DIR that has anything in it; after an error
/// what was made is left for a person to look at. Without targets or identities the file has commented examples instead; with nobody
/// who may review, serve will refuse the rules until someone is named.
[[nodiscard]] tl::expected<InitDone, std::string> initDirectory(const InitOptions& options);

}  // namespace ptygate::config
