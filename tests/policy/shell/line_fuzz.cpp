// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes, the first choosing the dialect. An accepted line prints back, prints the same from its canonical form, and has
// only what a decision may rest on: literal names, literal redirection targets, plain assignments.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

#include "policy/shell/line.h"

namespace {

using namespace ptygate::policy;

void require(bool good) {
  if (!good) std::abort();
}

void requireDecidable(const SimpleCommand& command) {
  if (!command.argv.empty()) {
    require(command.argv[0].kind == Word::Kind::Literal);
    require(!command.argv[0].text.empty() && command.argv[0].text[0] != '-' && command.argv[0].text.find('=') == std::string::npos);
  }
  for (const Redirection& redirection : command.redirections) {
    require(redirection.fd >= 0 && redirection.fd <= 9 && redirection.target.kind == Word::Kind::Literal);
  }
  for (const auto& [name, value] : command.assignments)
    require(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos);
  require(!(command.reads_pipe && command.reads_own_stdin));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Dialect dialect = data[0] % 3 == 0 ? Dialect::Bash : data[0] % 3 == 1 ? Dialect::Dash : Dialect::Sh;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  ParseResult parsed = parseLine(bytes, dialect);
  require(parsed.line.has_value() == parsed.opaque.reason.empty());
  if (!parsed.line) return 0;
  require(!parsed.line->commands().empty());
  for (const SimpleCommand& command : parsed.line->commands()) requireDecidable(command);
  std::string canonical = parsed.line->print();
  require(printsBack(*parsed.line, {}, canonical, dialect));
  ParseResult again = parseLine(canonical, dialect);
  require(again.line->commands() == parsed.line->commands());
  require(again.line->print() == canonical);
  // What the intersection accepts, each shell accepts and reads alike.
  if (dialect == Dialect::Sh) {
    for (Dialect each : {Dialect::Bash, Dialect::Dash}) {
      ParseResult other = parseLine(bytes, each);
      require(other.line.has_value() && other.line->commands().size() == parsed.line->commands().size());
    }
  }
  const std::vector<Word>& argv = parsed.line->commands()[0].argv;
  constexpr std::string_view kVetted[] = {"command", "printf", "test", "[", "wait", "exit", "break", "continue", "ulimit"};
  if (!argv.empty() && std::find(std::begin(kVetted), std::end(kVetted), argv[0].text) == std::end(kVetted)) {
    std::vector<Edit> edits = {{0, argv.size(), {"-c", "core.fsmonitor=", "a b'c"}, false}};
    ParseResult edited = parseLine(parsed.line->print(edits), dialect);
    require(printsBack(*parsed.line, edits, parsed.line->print(edits), dialect) || edited.opaque.reason == "more than 500 words");
  }
  return 0;
}
