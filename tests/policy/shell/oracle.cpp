// SPDX-License-Identifier: Apache-2.0
// The judge's comparisons.
#include "oracle.h"

#include <algorithm>

namespace ptygate::policy::oracle {
namespace {

bool matchFrom(const std::vector<Word>& words, std::size_t i, const std::vector<std::string>& started, std::size_t j) {
  if (i == words.size()) return j == started.size();
  const Word& word = words[i];
  if (word.kind == Word::Kind::RuntimeMany) {
    for (std::size_t next = j; next <= started.size(); ++next) {
      if (matchFrom(words, i + 1, started, next)) return true;
    }
    return false;
  }
  if (j == started.size() || (word.kind == Word::Kind::Literal && word.text != started[j])) return false;
  return matchFrom(words, i + 1, started, j + 1);
}

bool environmentMatches(const SimpleCommand& command, const Started& started) {
  return std::all_of(started.environment.begin(), started.environment.end(), [&](const std::string& entry) {
    std::size_t equals = entry.find('=');
    return std::any_of(command.assignments.begin(), command.assignments.end(), [&](const auto& assignment) {
      return assignment.first == entry.substr(0, equals) &&
             (assignment.second.kind != Word::Kind::Literal || assignment.second.text == entry.substr(equals + 1));
    });
  });
}

std::string show(const Started& started) {
  std::string text = "[";
  for (const std::string& word : started.argv) text += " <" + word + ">";
  text += " |";
  for (const std::string& entry : started.environment) text += " " + entry;
  return text + " ]";
}

std::string show(const Outcome& outcome) {
  std::string text;
  for (const Started& started : outcome.started) text += "\n    " + show(started);
  for (const std::string& file : outcome.written) text += "\n    wrote " + file;
  return text + "\n    stderr: " + outcome.errors;
}

/// M1 for programs, environment and files.
std::string outsideOf(const std::vector<SimpleCommand>& commands, const Outcome& outcome) {
  for (const Started& started : outcome.started) {
    bool covered = std::any_of(commands.begin(), commands.end(), [&](const SimpleCommand& command) {
      // `command NAME` starts NAME.
      SimpleCommand inner = command;
      if (!inner.argv.empty() && inner.argv[0].text == "command") inner.argv.erase(inner.argv.begin());
      return (matches(command, started.argv) || matches(inner, started.argv)) && environmentMatches(command, started);
    });
    if (!covered) return "ran what was not decomposed: " + show(started);
  }
  for (const std::string& file : outcome.written) {
    bool covered = std::any_of(commands.begin(), commands.end(), [&](const SimpleCommand& command) {
      return std::any_of(command.redirections.begin(), command.redirections.end(), [&](const Redirection& redirection) {
        const std::string& target = redirection.target.text;
        return redirection.op.find('>') != std::string::npos && target.substr(target.rfind('/') + 1) == file;
      });
    });
    if (!covered) return "wrote a file that no redirection names: " + file;
  }
  return {};
}

bool isSyntaxError(const std::string& errors) {
  return errors.find("yntax error") != std::string::npos || errors.find("unexpected EOF") != std::string::npos ||
         errors.find("here-document") != std::string::npos;
}

/// $$ and $! differ from run to run.
std::vector<Started> withoutNumbers(std::vector<Started> started) {
  for (Started& one : started) {
    for (auto* list : {&one.argv, &one.environment}) {
      for (std::string& text : *list)
        std::replace_if(
            text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }, '0');
      for (std::string& text : *list)
        text.erase(std::unique(text.begin(), text.end(), [](char x, char y) { return x == '0' && y == '0'; }), text.end());
    }
  }
  std::sort(started.begin(), started.end());
  return started;
}

bool sameEffects(const Outcome& a, const Outcome& b) {
  return withoutNumbers(a.started) == withoutNumbers(b.started) && a.written == b.written;
}

}  // namespace

bool matches(const SimpleCommand& command, const std::vector<std::string>& started) {
  return !command.argv.empty() && matchFrom(command.argv, 0, started, 0);
}

Judgement judge(Sandbox& sandbox, const std::string& line, Dialect dialect, const std::string& shell) {
  ParseResult parsed = parseLine(line, dialect);
  if (!parsed.line) return {};
  std::string canonical = parsed.line->print();
  auto fault = [&](const std::string& what) {
    return Judgement{true, what + "\n  line:      " + line + "\n  canonical: " + canonical + "\n  shell:     " + shell};
  };
  if (!printsBack(*parsed.line, {}, canonical, dialect)) return fault("the canonical form does not parse back");
  Outcome direct = sandbox.run(shell, line);
  if (isSyntaxError(direct.errors)) return fault("accepted what the shell refuses: " + direct.errors);
  std::string outside = outsideOf(parsed.line->commands(), direct);
  if (!outside.empty()) return fault(outside);
  if (direct.timed_out) return {true, {}};  // an endless loop that the generator made: how often it ran is no property of the line
  // Jobs and pipes race for files (`a >f | b <f`), so a difference has to stay to count.
  std::vector<Outcome> directs{direct};
  std::vector<Outcome> agains;
  for (int attempt = 0; attempt < 6; ++attempt) {
    agains.push_back(sandbox.run(shell, canonical));
    if (attempt > 0) directs.push_back(sandbox.run(shell, line));
    for (const Outcome& one : directs) {
      for (const Outcome& other : agains) {
        if (sameEffects(one, other) || other.timed_out) return {true, {}};
      }
    }
  }
  return fault("the canonical form runs otherwise:" + show(direct) + "\n  canonical:" + show(agains[0]));
}

std::set<std::string> possibleNames(const std::vector<std::string>& lines) {
  std::set<std::string> names;
  for (const std::string& line : lines) {
    std::string name;
    for (std::size_t i = 0; i <= line.size(); ++i) {
      bool plain = i < line.size() && line[i] > ' ' && line[i] != '/' &&
                   std::string_view("\"'\\`$;&|<>()*?\x7f").find(line[i]) == std::string_view::npos;
      if (plain) {
        name += line[i];
        continue;
      }
      if (!name.empty() && name.size() < 100 && name != "." && name != "..") names.insert(name);
      name.clear();
    }
  }
  return names;
}

}  // namespace ptygate::policy::oracle
