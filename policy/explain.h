// SPDX-License-Identifier: Apache-2.0
// A decision and its derivation as text for people and as one JSON object, for `policy explain`, the prompt and the ledger.
#pragma once

#include <string>

#include "policy/rules.h"

namespace ptygate::policy {

/// Several lines: verdict, reason and obligations, the simple commands with words and effects, the rules in the order tried.
///
/// Every foreign byte is escaped here as well (`\xNN` for what is not printable ASCII), so that the text is safe without a terminal
/// filter; callers may still filter.
[[nodiscard]] std::string explainText(const Request& request, const Decision& decision, const Derivation& derivation);

/// The same as one line of JSON without LF. Keys: verdict, rule, reason, advice, approvals, reviewers, not_owner, remember,
/// answer_within_ms and expires_ms (null: none), stdin, form, record, laboratory, opaque (null or text), commands, effects, canonical,
/// steps.
[[nodiscard]] std::string explainJson(const Decision& decision, const Derivation& derivation);

[[nodiscard]] std::string_view nameOf(Verdict verdict);  ///< "allow" …
[[nodiscard]] std::string_view nameOf(StdinRule rule);   ///< "none" …
[[nodiscard]] std::string_view nameOf(Context context);  ///< "exec" …
/// "top", "pipe", "and-or" … "wrapper:NAME".
[[nodiscard]] std::string viaText(const SimpleCommand& command);

}  // namespace ptygate::policy
