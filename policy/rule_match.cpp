// SPDX-License-Identifier: Apache-2.0
// See rule_match.h.
#include "policy/rule_match.h"

#include <algorithm>

namespace ptygate::policy {
namespace {

enum class Reading : unsigned char { Certain, Possible };

bool anyGlob(const std::vector<std::string>& globs, std::string_view name) {
  return std::any_of(globs.begin(), globs.end(), [name](const std::string& glob) { return globMatches(glob, name); });
}

bool matchesTarget(const std::string& wanted, const Request& request) {
  const std::size_t equals = wanted.find('=');
  if (equals == std::string::npos) return globMatches(wanted, request.target);
  const auto label = request.labels.find(wanted.substr(0, equals));
  return label != request.labels.end() && globMatches(std::string_view(wanted).substr(equals + 1), label->second);
}

std::string_view baseName(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// For holds and denies, /tmp/git counts as git: the rule is meant to stop, and a name is all there is.
std::string possibleName(const SimpleCommand& command) {
  if (command.argv.empty() || command.argv.front().kind != Word::Kind::Literal) return {};
  return std::string(baseName(command.argv.front().text));
}

bool isFlag(const ClassifiedCommand& command, std::string_view word) {
  const auto listed = [&](std::string_view flag) {
    return std::find(command.flags.begin(), command.flags.end(), flag) != command.flags.end();
  };
  if (word.size() < 2 || word.front() != '-') return false;
  if (listed(word)) return true;
  if (word.substr(0, 2) == "--") return word.find('=') != std::string_view::npos && listed(word.substr(0, word.find('=')));
  return word.size() > 2 && std::all_of(word.begin() + 1, word.end(), [&](char c) { return listed(std::string{'-', c}); });  // -la
}

bool wordMatches(const WordPattern& pattern, const Word& word, Reading reading) {
  if (word.kind == Word::Kind::Literal) return pattern.kind() != WordPattern::Kind::Runtime && pattern.matches(word.text);
  if (reading == Reading::Possible) return true;
  return word.kind == Word::Kind::RuntimeOne && pattern.kind() == WordPattern::Kind::Runtime;
}

bool flagMatches(const ClassifiedCommand& command, const Word& word, Reading reading) {
  if (word.kind != Word::Kind::Literal) return reading == Reading::Possible;
  if (reading == Reading::Possible) return word.text.size() > 1 && word.text.front() == '-';
  return isFlag(command, word.text);
}

// reach[p]: the first p patterns can stand for the words so far. {flags}* and runtime words of unknown number make it a set.
bool argvMatches(const Rule& rule, const ClassifiedCommand& command, Reading reading) {
  const auto& words = command.command.argv;
  const std::size_t count = rule.argv.size();
  if (words.empty()) return false;
  const std::string name = reading == Reading::Certain ? programName(command.command) : possibleName(command.command);
  if (name.empty() || !rule.argv.front().matches(name)) return false;
  std::vector<bool> reach(count + 1, false);
  const auto skipFlags = [&](std::vector<bool>& states) {
    for (std::size_t p = 1; p < count; ++p) {
      if (states[p] && rule.argv[p].kind() == WordPattern::Kind::Flags) states[p + 1] = true;
    }
  };
  reach[1] = true;
  skipFlags(reach);
  for (std::size_t w = 1; w < words.size(); ++w) {
    if (words[w].kind == Word::Kind::RuntimeMany) {
      if (reading == Reading::Certain) return false;
      const auto first = std::find(reach.begin(), reach.end(), true);
      std::fill(first, reach.end(), true);  // stands for any number of the patterns that follow
      continue;
    }
    std::vector<bool> next(count + 1, false);
    for (std::size_t p = 1; p < count; ++p) {
      if (!reach[p]) continue;
      if (rule.argv[p].kind() == WordPattern::Kind::Flags) {
        if (flagMatches(command, words[w], reading)) next[p] = true;
      } else if (wordMatches(rule.argv[p], words[w], reading)) {
        next[p + 1] = true;
      }
    }
    skipFlags(next);
    reach = std::move(next);
  }
  return reach[count];
}

bool isHarmlessRedirection(const Redirection& redirection) {
  if (redirection.target.kind != Word::Kind::Literal) return false;
  const std::string& target = redirection.target.text;
  if (redirection.op == ">&" || redirection.op == "<&")
    return target == "-" || (!target.empty() && std::all_of(target.begin(), target.end(), [](char c) { return c >= '0' && c <= '9'; }));
  return target == "/dev/null" && redirection.op != "<<";
}

bool permits(const RedirectionPermit& permit, const Redirection& redirection) {
  if (redirection.target.kind != Word::Kind::Literal) return false;
  if (redirection.op == "<<") return permit.kind == RedirectionPermit::Kind::Heredoc;
  if (redirection.op == "<") return permit.kind == RedirectionPermit::Kind::Read && pathGlobMatches(permit.glob, redirection.target.text);
  const bool writes = redirection.op == ">" || redirection.op == ">>" || redirection.op == ">|";
  return writes && permit.kind == RedirectionPermit::Kind::Write && pathGlobMatches(permit.glob, redirection.target.text);
}

bool permitsRedirections(const Rule& rule, const SimpleCommand& command) {
  return std::all_of(command.redirections.begin(), command.redirections.end(), [&](const Redirection& redirection) {
    return isHarmlessRedirection(redirection) || std::any_of(rule.redirections.begin(), rule.redirections.end(),
                                                             [&](const RedirectionPermit& permit) { return permits(permit, redirection); });
  });
}

bool hasName(const std::vector<std::string>& names, const std::string& name) {
  return !name.empty() && std::find(names.begin(), names.end(), name) != names.end();
}

/// `sudo [-n] [--] CMD…` where CMD is exactly the command that follows; any other option of sudo changes who or where it runs.
bool isPlainSudoOf(const ClassifiedCommand& outer, const ClassifiedCommand& inner) {
  const auto& words = outer.command.argv;
  if (programName(outer.command) != "sudo" || inner.command.via != Via::Wrapper || !inner.sudo) return false;
  if (!outer.command.assignments.empty()) return false;
  std::size_t at = 1;
  while (at < words.size() && words[at].kind == Word::Kind::Literal && (words[at].text == "-n" || words[at].text == "--non-interactive"))
    ++at;
  if (at < words.size() && words[at].kind == Word::Kind::Literal && words[at].text == "--") ++at;
  return std::equal(words.begin() + std::ptrdiff_t(std::min(at, words.size())), words.end(), inner.command.argv.begin(),
                    inner.command.argv.end());
}

std::string namesList(EffectSet effects) {
  std::string text;
  for (std::string_view name : namesOf(effects)) text.append(text.empty() ? "" : ", ").append(name);
  return text.empty() ? "none" : text;
}

EffectSet minus(EffectSet effects, EffectSet taken) {
  EffectSet left;
  for (unsigned i = 0; i <= unsigned(Effect::Unknown); ++i) {
    if (effects.has(Effect(i)) && !taken.has(Effect(i))) left.add(Effect(i));
  }
  return left;
}

/// The allow rule's reading of one command, its privilege wrapper aside.
std::string certainMismatch(const Rule& rule, const ClassifiedCommand& command) {
  if (command.sudo && rule.sudo != true) return "it runs under sudo, and the rule does not say sudo = true";
  if (!command.sudo && rule.sudo == true) return "it does not run under sudo";
  if (!rule.programs.empty() && !hasName(rule.programs, programName(command.command))) return "another program";
  // Under a rule with sudo = true, privilege is what the rule names.
  EffectSet effects = command.effects;
  if (command.sudo) effects = minus(effects, {Effect::Privilege});
  if (!command.described) effects.add(Effect::Unknown);
  if (rule.effects && !effects.within(*rule.effects)) return "effects beyond the rule's: " + namesList(minus(effects, *rule.effects));
  if (rule.argv.empty()) return {};
  if (!argvMatches(rule, command, Reading::Certain)) return "other words";
  if (!command.command.assignments.empty()) return "it sets variables, which an argv rule does not cover";
  if (!permitsRedirections(rule, command.command)) return "it has a redirection that the rule does not name";
  return {};
}

}  // namespace

std::string programName(const SimpleCommand& command) {
  if (command.argv.empty() || command.argv.front().kind != Word::Kind::Literal) return {};
  const std::string& text = command.argv.front().text;
  if (text.find('/') == std::string::npos) return text;
  for (std::string_view directory : {"/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"}) {
    if (text.compare(0, directory.size(), directory) != 0) continue;
    const std::string rest = text.substr(directory.size());
    if (rest.find('/') == std::string::npos) return rest;
  }
  return {};
}

std::string requestMismatch(const Rule& rule, const Request& request) {
  if (!rule.agents.empty() && !anyGlob(rule.agents, request.agent)) return "another agent";
  if (!rule.targets.empty() &&
      std::none_of(rule.targets.begin(), rule.targets.end(), [&](const std::string& wanted) { return matchesTarget(wanted, request); }))
    return "another target";
  if (!rule.logins.empty() && !anyGlob(rule.logins, request.login)) return "another login";
  for (const auto& [label, value] : rule.labels) {
    const auto found = request.labels.find(label);
    if (found == request.labels.end() || !globMatches(value, found->second)) return "target's label " + label + " is not " + value;
  }
  if (!rule.contexts.empty() && std::find(rule.contexts.begin(), rule.contexts.end(), request.context) == rule.contexts.end())
    return "another context";
  if (rule.intent && *rule.intent != !request.intent.empty()) return *rule.intent ? "no intent was given" : "an intent was given";
  return {};
}

std::string coverageMismatch(const Rule& rule, const Classification& line, std::size_t index) {
  const ClassifiedCommand& command = line.commands[index];
  // `cd /tmp/mine && make deploy`: the words are the rule's, what they mean is not.
  if (!rule.argv.empty() && line.effects.has(Effect::Cwd)) return "the line changes its directory, which an argv rule does not cover";
  // sudo itself is covered by whoever covers what it runs: the rule said sudo = true of that.
  if (rule.sudo == true && index + 1 < line.commands.size() && isPlainSudoOf(command, line.commands[index + 1])) {
    const ClassifiedCommand& inner = line.commands[index + 1];
    EffectSet known = inner.effects;
    known.add(Effect::Privilege);
    if (!command.effects.within(known)) return "sudo does more than run the command: " + namesList(minus(command.effects, known));
    if (!rule.argv.empty() && !permitsRedirections(rule, command.command)) return "it has a redirection that the rule does not name";
    return certainMismatch(rule, inner);
  }
  return certainMismatch(rule, command);
}

bool mayMatch(const Rule& rule, const Classification& line, std::size_t index) {
  const ClassifiedCommand& command = line.commands[index];
  if (rule.sudo && *rule.sudo != command.sudo) return false;
  if (!rule.programs.empty() && !hasName(rule.programs, possibleName(command.command))) return false;
  if (rule.effects && !command.effects.within(*rule.effects)) return false;
  if (rule.effects_any && !command.effects.meets(*rule.effects_any)) return false;
  return rule.argv.empty() || argvMatches(rule, command, Reading::Possible);
}

bool mayMatchOpaque(const Rule& rule) {
  if (!rule.argv.empty() || !rule.programs.empty() || rule.sudo) return false;
  const EffectSet unknown = {Effect::Unknown};
  return (!rule.effects || unknown.within(*rule.effects)) && (!rule.effects_any || unknown.meets(*rule.effects_any));
}

bool matchesLine(const Rule& rule, const Classification& line) {
  if (rule.anything) return true;
  if (!line.opaque.empty()) return rule.verdict != Verdict::Allow && mayMatchOpaque(rule);
  if (rule.verdict == Verdict::Allow) {
    for (std::size_t i = 0; i < line.commands.size(); ++i) {
      if (!coverageMismatch(rule, line, i).empty()) return false;
    }
    return !line.commands.empty();
  }
  if (!rule.looksAtCommands()) return true;
  for (std::size_t i = 0; i < line.commands.size(); ++i) {
    if (mayMatch(rule, line, i)) return true;
  }
  return false;
}

}  // namespace ptygate::policy
