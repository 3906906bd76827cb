// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/view.h"

namespace ptygate::keeper {

namespace {

std::string textOf(const policy::Word& word) {
  switch (word.kind) {
    case policy::Word::Kind::Literal:
      return word.text;
    case policy::Word::Kind::RuntimeOne:
      return "‹one word, known at run time›";
    case policy::Word::Kind::RuntimeMany:
      return "‹words, known at run time›";
  }
  return {};
}

std::string lineOf(std::size_t number, const policy::ClassifiedCommand& classified) {
  std::string line = std::to_string(number) + ".";
  if (!classified.command.wrapper.empty()) line += " (by " + classified.command.wrapper + ")";
  for (const auto& [name, value] : classified.command.assignments) line += " " + name + "=" + textOf(value);
  for (const policy::Word& word : classified.command.argv) {
    const std::string text = textOf(word);
    const bool blank = text.empty() || text.find_first_of(" \t\n'\"") != std::string::npos;
    line += blank && word.kind == policy::Word::Kind::Literal ? " «" + text + "»" : " " + text;
  }
  for (const policy::Redirection& redirection : classified.command.redirections) {
    line += " " + std::to_string(redirection.fd) + redirection.op + textOf(redirection.target);
  }
  line += "  [";
  std::string effects;
  for (const std::string_view name : policy::namesOf(classified.effects)) effects += (effects.empty() ? "" : " ") + std::string(name);
  return line + (effects.empty() ? "no effect" : effects) + "]";
}

void add(std::vector<std::string>& lines, std::string line) {
  if (lines.size() > kMaxViewLines) return;
  if (lines.size() == kMaxViewLines) line = "… more lines than fit";
  if (line.size() > kMaxViewLineBytes) line = line.substr(0, kMaxViewLineBytes) + "…";
  lines.push_back(std::move(line));
}

}  // namespace

std::vector<std::string> viewOf(const policy::Derivation& derivation, const policy::Request& request) {
  std::vector<std::string> lines;
  const policy::Classification& classification = derivation.classification;
  if (!classification.opaque.empty()) add(lines, "not decomposed: " + classification.opaque);
  std::size_t number = 0;
  for (const policy::ClassifiedCommand& command : classification.commands) {
    add(lines, lineOf(++number, command));
    for (const std::string& reason : command.reasons) add(lines, "   " + reason);
  }
  if (!request.account) {
    add(lines, "the account on the target was not surveyed");
  } else if (!request.account->startup_trusted && !request.trust_account_rc) {
    add(lines, "start-up files not trusted: " + request.account->startup_reason);
  }
  for (const std::string& step : derivation.steps) add(lines, step);
  return lines;
}

std::vector<std::string> viewOfStdin(std::uint64_t bytes, const std::string& sha256, const std::string& excerpt) {
  std::vector<std::string> lines;
  lines.push_back("standard input: " + std::to_string(bytes) + " bytes, sha256 " + sha256);
  std::size_t start = 0;
  while (start < excerpt.size() && lines.size() < 40) {
    const std::size_t end = std::min(excerpt.find('\n', start), excerpt.size());
    lines.push_back("   | " + excerpt.substr(start, std::min<std::size_t>(end - start, kMaxViewLineBytes)));
    start = end + 1;
  }
  if (excerpt.size() < bytes || start < excerpt.size()) lines.push_back("   … not all of it is shown");
  return lines;
}

bool isReadOnly(const policy::Derivation& derivation) {
  return derivation.classification.opaque.empty() && derivation.classification.effects.within({policy::Effect::Read});
}

}  // namespace ptygate::keeper
