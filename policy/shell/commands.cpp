// SPDX-License-Identifier: Apache-2.0
// Lists the simple commands of a tree: their words as the policy sees them, how each is reached, and where its standard input comes from.
#include "policy/shell/tree.h"

namespace ptygate::policy {
namespace {

/// What a command inherits from the constructs around it.
struct Context {
  Via via = Via::Top;
  bool pipe = false;      ///< standard input is an earlier stage
  bool own_stdin = true;  ///< standard input is the line's own
  bool background = false;
};

Word wordOf(const WordNode& node) {
  Word word{node.kind, {}};
  if (node.kind == Word::Kind::Literal) {
    for (const Part& part : node.parts) word.text += part.text;
  }
  return word;
}

class Lister {
 public:
  Lister(std::vector<SimpleCommand>& out, Dialect dialect) : out_(out), dialect_(dialect) {}

  void list(ListNode& node, const Context& context) {
    for (AndOrNode& item : node.items) andOr(item, context);
  }

 private:
  void andOr(AndOrNode& node, Context context) {
    if (node.pipelines.size() > 1) context.via = Via::AndOr;
    if (node.background) {
      context.background = true;
      // bash gives /dev/null to a background subshell, but not to the first stage of a background pipeline (measured, 5.2.15), nor to
      // the substitutions of a background simple command; those get it where the command is listed.
      bool alone = node.pipelines.size() == 1;
      const CommandNode& first = node.pipelines[0].stages[0];
      bool simple = alone && first.kind == CommandNode::Kind::Simple;
      bool keeps = dialect_ != Dialect::Dash && alone && (node.pipelines[0].stages.size() > 1 || simple || inputIsKept(first));
      if (!keeps) context = detached(context);
      if (keeps && simple && node.pipelines[0].stages.size() == 1) {
        simpleInBackground(node.pipelines[0].stages[0], context);
        return;
      }
    }
    for (PipelineNode& pipeline : node.pipelines) stages(pipeline, context);
  }

  void stages(PipelineNode& node, const Context& context) {
    for (std::size_t i = 0; i < node.stages.size(); ++i) {
      Context stage = context;
      if (node.stages.size() > 1) stage.via = Via::Pipe;
      if (i > 0) {
        stage.pipe = true;
        stage.own_stdin = false;
      }
      command(node.stages[i], stage);
    }
  }

  void simpleInBackground(CommandNode& node, const Context& context) {
    std::size_t index = out_.size();
    simple(node, context);
    if (!inputIsKept(node)) out_[index].reads_own_stdin = out_[index].reads_pipe = false;
  }

  void command(CommandNode& node, Context context) {
    if (node.kind == CommandNode::Kind::Simple) {
      simple(node, context);
      return;
    }
    if (!node.redirections.empty()) {
      node.index = out_.size();
      SimpleCommand& entry = start(context);
      addRedirections(node, entry, context);
    }
    compound(node, context);
  }

  void compound(CommandNode& node, Context context) {
    switch (node.kind) {
      case CommandNode::Kind::Simple:
      case CommandNode::Kind::Group:
        break;
      case CommandNode::Kind::Subshell:
        context.via = Via::Subshell;
        break;
      case CommandNode::Kind::If:
        context.via = Via::Branch;
        break;
      case CommandNode::Kind::While:
      case CommandNode::Kind::Until:
      case CommandNode::Kind::For:
        context.via = Via::Loop;
        break;
    }
    for (WordNode& word : node.words) substitutions(word, context);
    for (ListNode& inner : node.lists) list(inner, context);
  }

  void simple(CommandNode& node, Context context) {
    const Context outer = context;
    node.index = out_.size();
    SimpleCommand& entry = start(context);
    for (const AssignmentNode& assignment : node.assignments) entry.assignments.emplace_back(assignment.name, wordOf(assignment.value));
    for (const WordNode& word : node.words) entry.argv.push_back(wordOf(word));
    addRedirections(node, entry, context);
    entry.reads_pipe = context.pipe;
    entry.reads_own_stdin = context.own_stdin;
    // The shell expands words before it redirects, so substitutions read what the shell reads.
    for (AssignmentNode& assignment : node.assignments) substitutions(assignment.value, outer);
    for (WordNode& word : node.words) substitutions(word, outer);
  }

  void substitutions(WordNode& word, Context context) {
    context.via = Via::Substitution;
    for (Part& part : word.parts) {
      if (part.list) list(*part.list, context);
    }
  }

  SimpleCommand& start(const Context& context) {
    SimpleCommand& entry = out_.emplace_back();
    entry.via = context.via;
    entry.reads_pipe = context.pipe;
    entry.reads_own_stdin = context.own_stdin;
    entry.in_background = context.background;
    return entry;
  }

  static void addRedirections(const CommandNode& node, SimpleCommand& entry, Context& context) {
    for (const RedirectionNode& redirection : node.redirections) {
      entry.redirections.push_back({redirection.fd, redirection.op, {Word::Kind::Literal, redirection.text()}});
      if (redirection.fd == 0 && redirection.text() != "0") context = detached(context);
      if (redirection.fd == 0 && redirection.op != "<&" && redirection.op != ">&") context = detached(context);
    }
  }

  /// `<&0` on a background job keeps the input that it would lose.
  static bool inputIsKept(const CommandNode& node) {
    for (const RedirectionNode& redirection : node.redirections) {
      if (redirection.fd == 0 && redirection.op.size() == 2 && redirection.op[1] == '&' && redirection.target == "0") return true;
    }
    return false;
  }

  static Context detached(Context context) {
    context.pipe = false;
    context.own_stdin = false;
    return context;
  }

  std::vector<SimpleCommand>& out_;
  Dialect dialect_;
};

}  // namespace

void listCommands(ParsedLine::Tree& tree, Dialect dialect) {
  tree.commands.clear();
  Lister(tree.commands, dialect).list(tree.root, {});
}

}  // namespace ptygate::policy
