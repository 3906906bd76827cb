// SPDX-License-Identifier: Apache-2.0
// What an agent asks for, and what the policy answers. Values only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/account.h"

namespace ptygate::policy {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

enum class Context : std::uint8_t { Exec, Shell, Sftp, Forward };  // further contexts come with their ways in

/// One thing that an agent asks. Everything a decision may depend on is in here (policy.md).
struct Request {
  std::string agent;
  std::string owner;       ///< the agent's owner (a person), or empty
  std::string target;
  std::string login;
  std::map<std::string, std::string> labels;  ///< of the target
  Context context = Context::Exec;
  std::string command;     ///< the exact bytes asked for
  std::string intent;      ///< PTYGATE_INTENT, or empty
  std::map<std::string, std::string> locale;  ///< validated LANG/LC_*
  std::optional<Account> account;             ///< nullopt: no survey; nothing is auto-allowed then except by `anything`
  bool trust_account_rc = false;              ///< the operator said so for this target
  bool pty = false;
};

enum class Verdict : std::uint8_t { Allow, Hold, Deny };

/// What may be done with the session's standard input (command-channel.md, "Not a PTY").
enum class StdinRule : std::uint8_t {
  None,    ///< upstream gets EOF at once
  Stream,  ///< data, forwarded as it comes (recorded)
  Hold,    ///< data with a write effect: held to EOF, then forwarded as one item
  Refuse,  ///< code or unknown: not possible yet, refused before the hold
};

/// How the bytes that run are made from the bytes that were asked.
enum class SendForm : std::uint8_t {
  Raw,        ///< byte for byte, in the account's own login environment
  Canonical,  ///< execString(canonical)
};

/// The policy's answer to one request.
struct Decision {
  Verdict verdict = Verdict::Hold;
  std::string rule;                 ///< name of the deciding rule, or "(unmatched)", "(opaque)", "(account)", "(stdin)", "(configuration)"
  std::string reason;               ///< one line for people and the agent
  std::string advice;               ///< the rule's advice to the agent, or empty
  bool may_change_and_retry = false;///< a deny says change-and-retry instead of stop-and-report
  int approvals = 1;                ///< distinct people, when held
  std::vector<std::string> reviewers;  ///< "role=ops", "alice"; empty: anyone who may review
  bool not_owner = false;
  std::optional<std::chrono::milliseconds> answer_within;  ///< nullopt: "none", blocks
  std::optional<std::chrono::milliseconds> expires;        ///< nullopt: "none"
  bool remember = true;
  std::string serialize;            ///< "", "target" or a key
  bool record_hash = false;         ///< record = "hash" granted by every covering rule; never for secret, unknown, interactive or opaque lines
  StdinRule stdin_rule = StdinRule::None;
  SendForm form = SendForm::Raw;    ///< Canonical only with verdict Allow and not `anything`
  std::string canonical;            ///< the text that execString takes; only with Canonical
  std::map<std::string, std::string> pins;  ///< environment pins; only with Canonical
  bool laboratory = false;          ///< allowed by an `anything = true` rule
};

}  // namespace ptygate::policy
