// SPDX-License-Identifier: Apache-2.0
// The public entry: bytes to ParsedLine or Opaque. Every check that a line has to pass is called from parseLine.
#include "policy/shell/line.h"

#include "policy/shell/parser.h"
#include "policy/shell/printer.h"
#include "policy/shell/tree.h"

namespace ptygate::policy {

ParsedLine::ParsedLine(std::unique_ptr<Tree> tree) : tree_(std::move(tree)) {}
ParsedLine::ParsedLine(ParsedLine&&) noexcept = default;
ParsedLine& ParsedLine::operator=(ParsedLine&&) noexcept = default;
ParsedLine::~ParsedLine() = default;

const std::vector<SimpleCommand>& ParsedLine::commands() const {
  return tree_->commands;
}

std::string ParsedLine::print(const std::vector<Edit>& edits) const {
  return editsApply(tree_->commands, edits) ? printTree(tree_->root, edits) : std::string();
}

std::string ParsedLine::describe(const std::vector<Edit>& edits) const {
  return editsApply(tree_->commands, edits) ? describeTree(tree_->root, edits) : std::string();
}

ParseResult parseLine(std::string_view bytes, Dialect dialect) {
  if (const char* why = refuseBytes(bytes)) return {std::nullopt, {why}};
  auto tree = std::make_unique<ParsedLine::Tree>();
  Budget budget;
  Parser parser(bytes, dialect, budget, false);
  if (!parser.parseAll(tree->root)) return {std::nullopt, {parser.reason()}};
  listCommands(*tree, dialect);
  for (const SimpleCommand& command : tree->commands) {
    if (const char* why = refuseCommand(command, dialect)) return {std::nullopt, {why}};
  }
  return {ParsedLine(std::move(tree)), {}};
}

bool printsBack(const ParsedLine& line, const std::vector<Edit>& edits, std::string_view canonical, Dialect dialect) {
  std::string expected = line.describe(edits);
  ParseResult again = parseLine(canonical, dialect);
  return !expected.empty() && again.line && again.line->describe({}) == expected;
}

}  // namespace ptygate::policy
