// SPDX-License-Identifier: Apache-2.0
#include "policy/catalog/wrappers.h"

#include <algorithm>

namespace ptygate::policy {
namespace {

/// [a-z_][a-z0-9_]*: what no program of the catalog reads, but for the proxies' names.
bool isPlainVariable(std::string_view name) {
  if (name.empty() || !((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_')) return false;
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return !name.ends_with("_proxy");
}

bool isAssignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == 0 || equals == std::string_view::npos) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (!letter(word[0])) return false;
  return std::all_of(word.begin(), word.begin() + std::ptrdiff_t(equals), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void addAssignment(std::string_view name, ClassifiedCommand& into) {
  into.effects.add(Effect::Env);
  if (isPlainVariable(name)) return;
  into.effects.add(Effect::Unknown);
  into.described = false;
  into.reasons.push_back("variable " + std::string(name) + ": may change what programs do");
}

void addPath(const PathEffects& path, ClassifiedCommand& into) {
  into.effects.add(path.effects);
  if (!path.reason.empty()) into.reasons.push_back(path.reason);
}

void addRedirection(const Redirection& redirection, const Cwds& cwds, ClassifiedCommand& into) {
  const std::string& op = redirection.op;
  if (op == "<<" || op == "<<-" || op == "<<<") return;
  const bool literal = redirection.target.kind == Word::Kind::Literal;
  const std::string& target = redirection.target.text;
  if (op == ">&" || op == "<&") {
    if (literal && (target == "-" || (!target.empty() && target.find_first_not_of("0123456789") == std::string::npos))) return;
  }
  if (!literal) {
    into.effects.add({Effect::Unknown, Effect::Write});
    into.described = false;
    into.reasons.push_back("redirection to a place known only at run time");
    return;
  }
  const bool reads = op == "<" || op == "<>";
  const bool writes = op == ">" || op == ">>" || op == ">|" || op == "<>" || op == "&>" || op == "&>>";
  if (!reads && !writes) {
    into.effects.add(Effect::Unknown);
    into.reasons.push_back("redirection " + op + ": not described");
  }
  if (reads) {
    if (target != "/dev/null") into.effects.add(Effect::Read);
    if (target.starts_with("/dev/tcp/") || target.starts_with("/dev/udp/")) into.effects.add(Effect::Network);
    addPath(readPath(target, cwds), into);
  }
  if (writes) addPath(writePath(target, cwds), into);
}

/// A loop may run a cd again, so that "the directories so far" is no bound any more. `text` is canonical; a quoted word that reads like the
/// keyword only costs precision.
bool mayLoop(std::string_view text) {
  for (std::string_view keyword : {"for ", "while ", "until "}) {
    for (std::size_t at = text.find(keyword); at != std::string_view::npos; at = text.find(keyword, at + 1)) {
      if (at == 0 || std::string_view(" ;\n({&|").find(text[at - 1]) != std::string_view::npos) return true;
    }
  }
  return false;
}

}  // namespace

void LineReader::opaque(std::string reason) {
  if (out_.opaque.empty()) out_.opaque = std::move(reason);
}

std::vector<Edit> LineReader::read(const ParsedLine& line) {
  return readCommands(line, dialect_, Context{}, true);
}

std::vector<Edit> LineReader::readCommands(const ParsedLine& line, Dialect dialect, const Context& context, bool editable) {
  std::vector<Edit> edits;
  const auto& commands = line.commands();
  const bool moves = std::any_of(commands.begin(), commands.end(), [](const SimpleCommand& each) {
    if (each.argv.empty() || each.argv[0].kind != Word::Kind::Literal) return false;
    const std::string& name = each.argv[0].text;
    return name == "cd" || name == "pushd" || name == "popd" || name == "command" || name == "builtin" || name == "eval";
  });
  if (moves && mayLoop(line.print())) cwds_.lose();
  for (std::size_t i = 0; i < commands.size() && out_.opaque.empty(); ++i) {
    SimpleCommand command = commands[i];
    Context inside = context;
    if (context.depth > 0) {
      command.reads_pipe = command.reads_pipe || (command.reads_own_stdin && context.reads_pipe);
      command.reads_own_stdin = command.reads_own_stdin && context.reads_own_stdin;
    }
    inside.reads_own_stdin = command.reads_own_stdin;
    inside.reads_pipe = command.reads_pipe;
    readCommand(command, dialect, inside, Place{editable ? &edits : nullptr, i, 0});
  }
  return edits;
}

void LineReader::readCommand(const SimpleCommand& command, Dialect dialect, const Context& context, const Place& place) {
  if (context.depth > kMaxWrapperDepth) return opaque("wrappers nested too deeply");
  const std::size_t own = out_.commands.size();
  Cwds nowhere;
  const Cwds here = context.cwd_lost ? nowhere : cwds_;
  ClassifiedCommand classified;
  classified.command = command;
  classified.sudo = context.sudo;
  if (context.depth > 0) {
    classified.command.via = Via::Wrapper;
    classified.command.wrapper = context.wrapper;
  }
  for (const auto& [name, value] : command.assignments) {
    // A variable of the shell alone: the pinned environment exports no lower-case name, so nobody inherits it.
    if (command.argv.empty() && isPlainVariable(name)) continue;
    addAssignment(name, classified);
  }
  for (const Redirection& redirection : command.redirections) addRedirection(redirection, here, classified);
  if (command.argv.empty()) {
    out_.commands.push_back(std::move(classified));
    return;
  }
  const Word& name = command.argv[0];
  if (name.kind != Word::Kind::Literal || name.text.empty() || name.text[0] == '-' || name.text[0] == '+' ||
      (context.depth > 0 && name.text.find('=') != std::string::npos))
    return opaque("a command name that is not plain");

  CallMatch match = matchCall(catalog_, command.argv, here);
  if (!match.opaque.empty()) return opaque(match.opaque);
  classified.effects.add(match.effects);
  classified.reasons.insert(classified.reasons.end(), match.reasons.begin(), match.reasons.end());
  classified.described = classified.described && match.described;
  classified.flags = match.flags;
  StdinClass stdin_class = match.stdin_class;
  if (context.stdin_code && stdin_class != StdinClass::None) stdin_class = StdinClass::Code;
  if (command.reads_own_stdin && !context.stdin_lost) {
    classified.stdin_class = stdin_class;
    own_ = std::max(own_, stdin_class);
  } else if (command.reads_pipe && !context.stdin_lost) {
    piped_ = std::max(piped_, stdin_class);
  }
  for (const InnerCall& call : match.inner) classified.sudo = classified.sudo || call.inner->privilege;
  applyPins(match, context, place, classified);
  out_.commands.push_back(std::move(classified));

  if (match.program != nullptr && match.program->changes_cwd) {
    if (command.argv.size() == 2 && command.argv[1].kind == Word::Kind::Literal && match.described)
      cwds_.change(command.argv[1].text);
    else
      cwds_.lose();
  }
  for (const InnerCall& call : match.inner) {
    if (!out_.opaque.empty()) return;
    // readInner appends to out_.commands; the wrapper's own entry is found by its index again.
    Context inside = context;
    inside.wrapper = match.program->name;
    inside.depth = context.depth + 1;
    inside.sudo = context.sudo || call.inner->privilege;
    inside.env_lost = context.env_lost || call.inner->env_lost;
    inside.cwd_lost = context.cwd_lost || call.inner->cwd_lost;
    inside.stdin_lost = context.stdin_lost || call.inner->stdin_lost;
    inside.stdin_code = context.stdin_code || call.inner->stdin_code;
    inside.reads_own_stdin = command.reads_own_stdin;
    inside.reads_pipe = command.reads_pipe;
    std::size_t begin = call.begin;
    if (call.inner->assigns) {
      while (begin < call.end && command.argv[begin].kind == Word::Kind::Literal && isAssignment(command.argv[begin].text)) {
        const std::string& word = command.argv[begin].text;
        addAssignment(word.substr(0, word.find('=')), out_.commands[own]);
        ++begin;
      }
      if (begin == call.end) {
        // `env` and `env A=1` print the environment.
        out_.commands[own].effects.add({Effect::Read, Effect::Secret});
        continue;
      }
    }
    InnerCall rest = call;
    rest.begin = begin;
    readInner(command, match, rest, dialect, inside, place);
  }
}

void LineReader::applyPins(const CallMatch& match, const Context& context, const Place& place, ClassifiedCommand& into) {
  const auto cannot = [&](const std::string& why) {
    into.effects.add(Effect::Unknown);
    into.described = false;
    into.reasons.push_back(match.program->name + ": " + why);
  };
  if (!match.inserts.empty()) {
    if (place.edits == nullptr) {
      cannot("its pinned options cannot be put in here");
    } else {
      for (const auto& [position, words] : match.inserts) {
        place.edits->push_back(Edit{place.command, place.offset + position, words, false});
      }
    }
  }
  for (const auto& [name, value] : match.env) {
    if (context.env_lost) {
      cannot("its pinned environment does not reach it here");
      break;
    }
    const auto [it, added] = out_.pins.emplace(name, value);
    if (!added && it->second != value) cannot("another command of the line pins " + name + " differently");
  }
}

void LineReader::readInner(const SimpleCommand& command, const CallMatch& match, const InnerCall& call, Dialect dialect, Context context,
                           const Place& place) {
  const Inner& inner = *call.inner;
  if (inner.through == Inner::Through::Shell) {
    const Word& text = command.argv[call.begin];
    if (text.kind != Word::Kind::Literal) return opaque(match.program->name + ": a script known only at run time");
    return readText(text.text, inner.dialect.value_or(dialect), context, place, call.begin);
  }
  if (inner.through == Inner::Through::RemoteShell) {
    std::string text;
    for (std::size_t i = call.begin; i < call.end; ++i) {
      if (command.argv[i].kind != Word::Kind::Literal) return opaque(match.program->name + ": a command known only at run time");
      if (i == call.begin && command.argv[i].text.starts_with('-')) return opaque(match.program->name + ": an option after the host");
      text += (i == call.begin ? "" : " ") + command.argv[i].text;
    }
    return readText(text, inner.dialect.value_or(dialect), context, Place{}, 0);
  }
  SimpleCommand run;
  run.reads_own_stdin = context.reads_own_stdin;
  run.reads_pipe = context.reads_pipe;
  run.in_background = command.in_background;
  const bool find = match.program->style == Program::Style::Find;
  for (std::size_t i = call.begin; i < call.end; ++i) {
    const Word& word = command.argv[i];
    if (find && word.kind == Word::Kind::Literal && word.text.find("{}") != std::string::npos) {
      run.argv.push_back(Word{call.many ? Word::Kind::RuntimeMany : Word::Kind::RuntimeOne, {}});
    } else {
      run.argv.push_back(word);
    }
  }
  if (inner.append) run.argv.push_back(Word{Word::Kind::RuntimeMany, {}});
  if (run.argv.empty()) return opaque(match.program->name + ": no command");
  Place there = place;
  there.offset += call.begin;
  readCommand(run, dialect, context, there);
}

void LineReader::readText(const std::string& text, Dialect dialect, const Context& context, const Place& place, std::size_t position) {
  const ParseResult parsed = parseLine(text, dialect);
  if (!parsed.line) return opaque(context.wrapper + ": " + parsed.opaque.reason);
  const std::vector<Edit> edits = readCommands(*parsed.line, dialect, context, place.edits != nullptr);
  if (!out_.opaque.empty() || edits.empty() || place.edits == nullptr) return;
  const std::string canonical = parsed.line->print(edits);
  if (!printsBack(*parsed.line, edits, canonical, dialect)) return opaque(context.wrapper + ": the inner line does not print back");
  place.edits->push_back(Edit{place.command, place.offset + position, {canonical}, true});
}

StdinClass LineReader::stdinClass() const {
  // `cat | sh`: data for cat is code for the shell behind the pipe.
  if (own_ == StdinClass::Data && piped_ == StdinClass::Code) return StdinClass::Code;
  return own_;
}

}  // namespace ptygate::policy
