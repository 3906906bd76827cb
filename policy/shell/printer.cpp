// SPDX-License-Identifier: Apache-2.0
// Prints a tree in the canonical form, with the catalog's edits applied on the way.
#include "policy/shell/printer.h"

#include <array>

namespace ptygate::policy {
namespace {

bool isBare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_./:,+@%=-").find(c) != std::string_view::npos;
}

bool fitsDoubleQuotes(std::string_view text) {
  return text.find_first_of("\"$`\\!") == std::string_view::npos;
}

class Printer {
 public:
  explicit Printer(const std::vector<Edit>& edits) : edits_(edits) {}

  std::string line(const ListNode& root) {
    list(root, false);
    flushHeredocs();
    return std::move(out_);
  }

 private:
  /// `closed`: a keyword follows, so that the last item needs its separator.
  void list(const ListNode& node, bool closed) {
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const AndOrNode& item = node.items[i];
      andOr(item);
      bool last = i + 1 == node.items.size();
      if (item.background) out_ += " &";
      if (last && !closed) break;
      if (!pending_.empty()) {
        flushHeredocs();
      } else {
        out_ += item.background ? " " : "; ";
      }
    }
  }

  void andOr(const AndOrNode& node) {
    for (std::size_t i = 0; i < node.pipelines.size(); ++i) {
      if (i > 0) out_ += node.is_and[i - 1] ? " && " : " || ";
      const PipelineNode& pipeline = node.pipelines[i];
      if (pipeline.negated) out_ += "! ";
      for (std::size_t stage = 0; stage < pipeline.stages.size(); ++stage) {
        if (stage > 0) out_ += " | ";
        command(pipeline.stages[stage]);
      }
    }
  }

  void command(const CommandNode& node) {
    switch (node.kind) {
      case CommandNode::Kind::Simple:
        simple(node);
        return;
      case CommandNode::Kind::Group:
        out_ += "{ ";
        list(node.lists[0], true);
        out_ += "}";
        break;
      case CommandNode::Kind::Subshell:
        out_ += "( ";
        list(node.lists[0], false);
        if (!pending_.empty()) flushHeredocs();
        out_ += out_.back() == '\n' ? ")" : " )";
        break;
      case CommandNode::Kind::If:
        branches(node);
        break;
      case CommandNode::Kind::While:
      case CommandNode::Kind::Until:
        out_ += node.kind == CommandNode::Kind::While ? "while " : "until ";
        list(node.lists[0], true);
        body(node.lists[1]);
        break;
      case CommandNode::Kind::For:
        out_ += "for " + node.variable + " in";
        for (const WordNode& entry : node.words) spaced(entry);
        out_ += "; ";
        body(node.lists[0]);
        break;
    }
    redirections(node);
  }

  void body(const ListNode& node) {
    out_ += "do ";
    list(node, true);
    out_ += "done";
  }

  void branches(const CommandNode& node) {
    std::size_t pairs = node.lists.size() / 2;
    for (std::size_t i = 0; i < pairs; ++i) {
      out_ += i == 0 ? "if " : "elif ";
      list(node.lists[2 * i], true);
      out_ += "then ";
      list(node.lists[2 * i + 1], true);
    }
    if (node.has_else) {
      out_ += "else ";
      list(node.lists.back(), true);
    }
    out_ += "fi";
  }

  void simple(const CommandNode& node) {
    std::size_t start = out_.size();
    for (const AssignmentNode& assignment : node.assignments) {
      space(start);
      out_ += assignment.name + "=";
      bool empty = assignment.value.kind == Word::Kind::Literal && assignment.value.parts[0].text.empty();
      if (!empty) word(assignment.value);
    }
    bool named = false;
    for (const EditedWord& printed : editedWords(node, edits_)) {
      space(start);
      bool bracket = printed.literal == nullptr && printed.node->kind == Word::Kind::Literal && printed.node->parts[0].text == "[";
      if (bracket && !named) {
        out_ += '[';
      } else if (printed.literal != nullptr) {
        literal(*printed.literal);
      } else {
        word(*printed.node);
      }
      named = true;
    }
    for (const RedirectionNode& redirection : node.redirections) {
      space(start);
      redirect(redirection);
    }
  }

  void redirections(const CommandNode& node) {
    for (const RedirectionNode& redirection : node.redirections) {
      out_ += ' ';
      redirect(redirection);
    }
  }

  void redirect(const RedirectionNode& node) {
    int standard = node.op[0] == '<' ? 0 : 1;
    if (node.fd != standard) out_ += static_cast<char>('0' + node.fd);
    out_ += node.op;
    if (node.op == "<<") {
      pending_.push_back(node.body.get());
      out_ += "'" + delimiterOf(*node.body) + "'";
    } else {
      literal(node.target);
    }
  }

  static std::string delimiterOf(const std::string& body) {
    std::string delimiter = "EOF";
    while (("\n" + body).find("\n" + delimiter + "\n") != std::string::npos) delimiter += '_';
    return delimiter;
  }

  /// A heredoc's body has to follow the next newline, so this newline stands for the separator.
  void flushHeredocs() {
    if (pending_.empty()) return;
    for (const std::string* body : pending_) {
      out_ += '\n';
      out_ += *body;
      out_ += delimiterOf(*body);
    }
    out_ += '\n';
    pending_.clear();
  }

  void space(std::size_t start) {
    if (out_.size() > start) out_ += ' ';
  }

  void spaced(const WordNode& node) {
    out_ += ' ';
    word(node);
  }

  /// `quote`: among unquoted pattern characters, where the difference counts.
  void literal(std::string_view text, bool quote = false) {
    bool bare = !text.empty() && !quote;
    for (char c : text) bare = bare && isBare(c);
    if (bare || (text == "]" && !quote)) {
      out_ += text;
    } else if (fitsDoubleQuotes(text)) {
      out_ += '"';
      out_ += text;
      out_ += '"';
    } else {
      out_ += '\'';
      for (char c : text) {
        if (c == '\'') {
          out_ += "'\\''";
        } else {
          out_ += c;
        }
      }
      out_ += '\'';
    }
  }

  void word(const WordNode& node) {
    bool one_pair = node.kind == Word::Kind::RuntimeOne && node.parts.size() > 1;
    bool pattern = false;
    for (const Part& part : node.parts) {
      pattern = pattern || part.kind == Part::Kind::Pattern;
      one_pair =
          one_pair && part.quoted && part.kind != Part::Kind::Tilde && (part.kind != Part::Kind::Literal || fitsDoubleQuotes(part.text));
    }
    if (one_pair) out_ += '"';
    bool after_tilde = false;
    for (const Part& part : node.parts) {
      if (after_tilde) {
        homePath(part.text, part.kind == Part::Kind::Pattern);
        after_tilde = false;
        continue;
      }
      after_tilde = part.kind == Part::Kind::Tilde;
      if (part.kind == Part::Kind::Literal) {
        if (one_pair) {
          out_ += part.text;
        } else {
          literal(part.text, pattern);
        }
        continue;
      }
      bool quotes = part.quoted && !one_pair && part.kind != Part::Kind::Tilde;
      if (quotes) out_ += '"';
      expansion(part);
      if (quotes) out_ += '"';
    }
    if (one_pair) out_ += '"';
  }

  /// What follows ~ starts with a slash, which only expands the ~ when it is not quoted.
  void homePath(std::string_view text, bool raw) {
    out_ += '/';
    text.remove_prefix(1);
    if (raw) {
      out_ += text;
    } else if (!text.empty()) {
      literal(text);
    }
  }

  void expansion(const Part& part) {
    switch (part.kind) {
      case Part::Kind::Literal:
        break;
      case Part::Kind::Pattern:
        out_ += part.text;
        break;
      case Part::Kind::Tilde:
        out_ += '~';
        break;
      case Part::Kind::Arithmetic:
        out_ += "$((" + part.text + "))";
        break;
      case Part::Kind::Parameter: {
        bool special = std::string_view("#?$!-").find(part.text[0]) != std::string_view::npos;
        out_ += special ? "$" + part.text : "${" + part.text + "}";
        break;
      }
      case Part::Kind::Substitution:
        // The blank keeps $( ( apart from arithmetic; the accepted grammar has no heredoc in here.
        out_ += "$(";
        if (startsWithSubshell(*part.list)) out_ += ' ';
        list(*part.list, false);
        out_ += ')';
        break;
    }
  }

  static bool startsWithSubshell(const ListNode& node) {
    const PipelineNode& first = node.items[0].pipelines[0];
    return !first.negated && first.stages[0].kind == CommandNode::Kind::Subshell;
  }

  const std::vector<Edit>& edits_;
  std::string out_;
  std::vector<const std::string*> pending_;
};

}  // namespace

std::string printTree(const ListNode& root, const std::vector<Edit>& edits) {
  return Printer(edits).line(root);
}

}  // namespace ptygate::policy
