// SPDX-License-Identifier: Apache-2.0
// Makes records in a gate's directory by the recorder's own writers, as a keeper and a worker would.
#pragma once

#include <string>
#include <vector>

namespace ptygate::verbs::test {

/// One finished session of agent "bot" as deploy@web1: cast and ledger lines, allowed by rule "test", exit status 0.
void writeSession(const std::string& dir, const std::string& session, const std::string& command, const std::vector<std::string>& output);

}  // namespace ptygate::verbs::test
