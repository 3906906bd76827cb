// SPDX-License-Identifier: Apache-2.0
// Trees as text: the canonical line, and a description for comparison. Internal to policy/shell.
#pragma once

#include <string>
#include <vector>

#include "policy/shell/tree.h"

namespace ptygate::policy {

/// A word of a simple command after its edits: of the tree, or inserted by an edit.
struct EditedWord {
  const WordNode* node = nullptr;
  const std::string* literal = nullptr;
};

[[nodiscard]] std::vector<EditedWord> editedWords(const CommandNode& node, const std::vector<Edit>& edits);

/// True when every edit names a word that exists and no word is replaced twice. All functions here need it.
[[nodiscard]] bool editsApply(const std::vector<SimpleCommand>& commands, const std::vector<Edit>& edits);

/// The canonical line: a valid line of every dialect that the tree's own line was valid in.
[[nodiscard]] std::string printTree(const ListNode& root, const std::vector<Edit>& edits);

/// Text that two trees share only when they are equal: structure, words, redirections. Independent of the printer.
[[nodiscard]] std::string describeTree(const ListNode& root, const std::vector<Edit>& edits);

}  // namespace ptygate::policy
