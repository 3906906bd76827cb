// SPDX-License-Identifier: Apache-2.0
// From what the keeper does to lines of the ledger: the only translator. Pure. README.md lists the kinds and their fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/messages.h"
#include "proxy/keeper/desk_types.h"
#include "recorder/event.h"

namespace ptygate::keeper::evidence {

/// One line of the desk.
[[nodiscard]] recorder::LedgerEvent ofRecord(const Record& record);

[[nodiscard]] recorder::LedgerEvent gateStarted(std::string_view version, std::string_view config_hash, std::string_view policy_hash,
                                                const std::vector<std::string>& listeners);
[[nodiscard]] recorder::LedgerEvent gateStopped(std::string_view reason);
[[nodiscard]] recorder::LedgerEvent configurationLoaded(std::string_view config_hash, std::string_view policy_hash, std::string_view by);
[[nodiscard]] recorder::LedgerEvent login(std::string_view connection, bool people, std::string_view identity, std::string_view fingerprint,
                                          std::string_view peer, std::string_view client, std::string_view user);
[[nodiscard]] recorder::LedgerEvent logout(std::string_view connection, std::string_view identity, std::string_view reason);
[[nodiscard]] recorder::LedgerEvent sessionOpened(WaiterId request, std::string_view session, std::string_view connection,
                                                  std::string_view peer, const base::ExecRequest& exec);
[[nodiscard]] recorder::LedgerEvent refused(std::string_view connection, std::string_view identity, std::string_view target,
                                            std::string_view what);
[[nodiscard]] recorder::LedgerEvent surveyOrdered(std::string_view session, std::string_view target, std::string_view login,
                                                  std::string_view nonce);
[[nodiscard]] recorder::LedgerEvent surveyed(std::string_view session, std::string_view target, std::string_view login,
                                             std::string_view hash, bool changed, std::string_view error);
[[nodiscard]] recorder::LedgerEvent accountAccepted(std::string_view target, std::string_view login, std::string_view hash,
                                                    std::string_view by);
/// What exactly will be sent; `form` is raw (then exec is the request's command) or canonical.
[[nodiscard]] recorder::LedgerEvent sending(WaiterId request, std::string_view session, std::string_view form, std::string_view exec);
[[nodiscard]] recorder::LedgerEvent certificate(WaiterId request, std::string_view session, std::string_view target, std::string_view login,
                                                std::string_view key_id, std::uint64_t serial, std::string_view purpose);
[[nodiscard]] recorder::LedgerEvent identityOffered(WaiterId request, std::string_view session, std::string_view target,
                                                    std::string_view login, std::string_view purpose);
[[nodiscard]] recorder::LedgerEvent seal(std::string_view session, const base::Finished& finished);
[[nodiscard]] recorder::LedgerEvent alarm(std::string_view connection, std::string_view target, std::string_view text);
[[nodiscard]] recorder::LedgerEvent verb(std::string_view connection, std::string_view identity, const std::vector<std::string>& argv,
                                         std::string_view refusal);

/// Words as they stand in the ledger; recovery reads them back.
[[nodiscard]] std::string_view nameOf(Ending ending);
[[nodiscard]] std::string_view nameOf(policy::Verdict verdict);
[[nodiscard]] std::string_view nameOf(policy::Context context);

}  // namespace ptygate::keeper::evidence
