// SPDX-License-Identifier: Apache-2.0
// A tree as text for comparison, and how edits apply to it. Shares nothing with the printer, whose work it checks.
#include "policy/shell/printer.h"

namespace ptygate::policy {

std::vector<EditedWord> editedWords(const CommandNode& node, const std::vector<Edit>& edits) {
  std::vector<EditedWord> words;
  for (std::size_t position = 0; position <= node.words.size(); ++position) {
    const std::string* replacement = nullptr;
    for (const Edit& edit : edits) {
      if (edit.command != node.index || edit.position != position) continue;
      if (edit.replace) {
        replacement = &edit.words[0];
      } else {
        for (const std::string& word : edit.words) words.push_back({nullptr, &word});
      }
    }
    if (position == node.words.size()) break;
    words.push_back(replacement != nullptr ? EditedWord{nullptr, replacement} : EditedWord{&node.words[position], nullptr});
  }
  return words;
}

bool editsApply(const std::vector<SimpleCommand>& commands, const std::vector<Edit>& edits) {
  for (std::size_t i = 0; i < edits.size(); ++i) {
    const Edit& edit = edits[i];
    if (edit.command >= commands.size()) return false;
    const std::vector<Word>& argv = commands[edit.command].argv;
    if (argv.empty() || edit.position > argv.size()) return false;
    if (!edit.replace) continue;
    if (edit.words.size() != 1 || edit.position >= argv.size() || argv[edit.position].kind != Word::Kind::Literal) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (edits[j].replace && edits[j].command == edit.command && edits[j].position == edit.position) return false;
    }
  }
  return true;
}

namespace {

/// Writes a tree as text that is equal for equal trees only: every node has a letter, every text its length.
class Describer {
 public:
  explicit Describer(const std::vector<Edit>& edits) : edits_(edits) {}

  std::string line(const ListNode& root) {
    list(root);
    return std::move(out_);
  }

 private:
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }
  void number(std::size_t value) { out_ += std::to_string(value) + ":"; }

  void list(const ListNode& node) {
    out_ += 'L';
    number(node.items.size());
    for (const AndOrNode& item : node.items) {
      out_ += item.background ? '&' : ';';
      number(item.pipelines.size());
      for (std::size_t i = 0; i < item.pipelines.size(); ++i) {
        if (i > 0) out_ += item.is_and[i - 1] ? 'a' : 'o';
        out_ += item.pipelines[i].negated ? '!' : 'p';
        number(item.pipelines[i].stages.size());
        for (const CommandNode& stage : item.pipelines[i].stages) command(stage);
      }
    }
  }

  void command(const CommandNode& node) {
    out_ += 'C';
    number(static_cast<std::size_t>(node.kind));
    number(node.assignments.size());
    for (const AssignmentNode& assignment : node.assignments) {
      text(assignment.name);
      word(assignment.value);
    }
    words(node);
    text(node.variable);
    out_ += node.has_else ? 'e' : '.';
    number(node.lists.size());
    for (const ListNode& inner : node.lists) list(inner);
    number(node.redirections.size());
    for (const RedirectionNode& redirection : node.redirections) {
      number(static_cast<std::size_t>(redirection.fd));
      text(redirection.op);
      text(redirection.text());
    }
  }

  void words(const CommandNode& node) {
    if (node.kind != CommandNode::Kind::Simple) {
      number(node.words.size());
      for (const WordNode& entry : node.words) word(entry);
      return;
    }
    std::vector<EditedWord> printed = editedWords(node, edits_);
    number(printed.size());
    for (const EditedWord& entry : printed) {
      if (entry.literal != nullptr) {
        literal(*entry.literal);
      } else {
        word(*entry.node);
      }
    }
  }

  void literal(std::string_view value) {
    out_ += 'W';
    number(static_cast<std::size_t>(Word::Kind::Literal));
    number(1);
    out_ += 'q';
    number(static_cast<std::size_t>(Part::Kind::Literal));
    text(value);
  }

  void word(const WordNode& node) {
    out_ += 'W';
    number(static_cast<std::size_t>(node.kind));
    number(node.parts.size());
    for (const Part& part : node.parts) {
      out_ += part.quoted ? 'q' : 'u';
      number(static_cast<std::size_t>(part.kind));
      text(part.text);
      if (part.list) list(*part.list);
    }
  }

  const std::vector<Edit>& edits_;
  std::string out_;
};

}  // namespace

std::string describeTree(const ListNode& root, const std::vector<Edit>& edits) {
  return Describer(edits).line(root);
}

}  // namespace ptygate::policy
