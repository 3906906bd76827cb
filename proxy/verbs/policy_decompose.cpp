// SPDX-License-Identifier: Apache-2.0
// `policy decompose`: command lines from standard input, what each would run on standard output. Bounded memory for any input.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "policy/classify.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/policy_json.h"
#include "proxy/verbs/print.h"

namespace ptygate::verbs {

namespace {

using Json = nlohmann::ordered_json;

// Enough that the parser sees a line as too long; the rest of such a line is dropped as it arrives.
constexpr std::size_t kKeptBytes = policy::kMaxLineBytes + 1;

class Decomposer {
 public:
  explicit Decomposer(policy::Dialect dialect) : dialect_(dialect) {}

  void feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\0');
      const std::string_view piece = bytes.substr(0, end);
      started_ = true;
      if (line_.size() < kKeptBytes) line_.append(piece.substr(0, kKeptBytes - line_.size()));
      if (end == std::string_view::npos) return;
      print();
      bytes.remove_prefix(end + 1);
    }
  }

  /// A last line without its NUL counts when it has any bytes.
  void finish() {
    if (started_) print();
  }

 private:
  void print() {
    const policy::Classification line = policy::classify(policy::Catalog::builtin(), line_, dialect_, "");
    putJson(jsonOfLine(line));
    line_.clear();
    started_ = false;
  }

  policy::Dialect dialect_;
  std::string line_;
  bool started_ = false;
};

}  // namespace

int policyDecompose(const Arguments& arguments, const Caller&) {
  Decomposer decomposer(dialectNamed(arguments.text("--shell", "bash")));
  std::array<char, 65536> chunk;
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(kNegative, std::string("cannot read standard input: ") + std::strerror(errno));
    if (got == 0) break;
    decomposer.feed({chunk.data(), static_cast<std::size_t>(got)});
    std::fflush(stdout);  // so that a program at the other end of two pipes gets its answers
  }
  decomposer.finish();
  return kDone;
}

}  // namespace ptygate::verbs
