// SPDX-License-Identifier: Apache-2.0
// Classifies simple commands and, for wrappers (timeout, xargs, sh -c, ssh …), the commands inside them. Used by classify.cpp only.
#pragma once

#include <string>
#include <vector>

#include "policy/catalog/matcher.h"

namespace ptygate::policy {

/// Wrappers within wrappers beyond this make a line opaque.
inline constexpr int kMaxWrapperDepth = 6;

/// Reads all commands of one line into a Classification.
class LineReader {
 public:
  LineReader(const Catalog::Data& catalog, Dialect dialect, const Cwds& cwds, Classification& out)
      : catalog_(catalog), dialect_(dialect), cwds_(cwds), out_(out) {}

  /// Adds every command of `line` to the classification; returns the edits that pin them. Sets out.opaque and stops when it has to.
  std::vector<Edit> read(const ParsedLine& line);

  /// The worst thing that may read the line's standard input, also through a pipe.
  [[nodiscard]] StdinClass stdinClass() const;

 private:
  /// What an enclosing wrapper does to the commands inside.
  struct Context {
    int depth = 0;
    std::string wrapper;
    bool sudo = false;
    bool env_lost = false;
    bool cwd_lost = false;
    bool stdin_lost = false;
    bool stdin_code = false;
    bool reads_own_stdin = true;
    bool reads_pipe = false;
  };
  /// Where a command's words stand in the line that is printed. `edits` is nullptr when they cannot be changed there.
  struct Place {
    std::vector<Edit>* edits = nullptr;
    std::size_t command = 0;
    std::size_t offset = 0;
  };

  std::vector<Edit> readCommands(const ParsedLine& line, Dialect dialect, const Context& context, bool editable);
  void readCommand(const SimpleCommand& command, Dialect dialect, const Context& context, const Place& place);
  void readInner(const SimpleCommand& command, const CallMatch& match, const InnerCall& call, Dialect dialect, Context context,
                 const Place& place);
  void readText(const std::string& text, Dialect dialect, const Context& context, const Place& place, std::size_t position);
  void applyPins(const CallMatch& match, const Context& context, const Place& place, ClassifiedCommand& into);
  void opaque(std::string reason);

  const Catalog::Data& catalog_;
  Dialect dialect_;
  Cwds cwds_;
  Classification& out_;
  StdinClass own_ = StdinClass::None;    ///< worst of those that have the line's standard input
  StdinClass piped_ = StdinClass::None;  ///< worst of those behind a pipe
};

}  // namespace ptygate::policy
