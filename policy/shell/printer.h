// SPDX-License-Identifier: Apache-2.0
// Trees as text: the canonical line, and a description for comparison. Internal to policy/shell.
#pragma once

#include <string>
#include <vector>

#include "policy/shell/tree.h"

namespace ptygate::policy {

/// True when every edit names a word that exists and no word is replaced twice. The two functions below need it.
[[nodiscard]] bool editsApply(const std::vector<SimpleCommand>& commands, const std::vector<Edit>& edits);

/// The canonical line: a valid line of every dialect that the tree's own line was valid in.
[[nodiscard]] std::string printTree(const ListNode& root, const std::vector<Edit>& edits);

/// Text that two trees share only when they are equal: structure, words, redirections. Independent of the printer.
[[nodiscard]] std::string describeTree(const ListNode& root, const std::vector<Edit>& edits);

}  // namespace ptygate::policy
