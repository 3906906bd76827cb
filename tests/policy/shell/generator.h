// SPDX-License-Identifier: Apache-2.0
// Makes shell lines for the oracle: token soup, well-formed constructs, and mutations of given lines. Equal seeds give equal lines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ptygate::policy::oracle {

class Generator {
 public:
  Generator(std::uint64_t seed, std::vector<std::string> seeds);

  /// The next line; about a third of each kind. Every command that it can name ends quickly and does nothing.
  std::string next();

  /// Names that the lines start.
  static std::vector<std::string> programs();

 private:
  std::uint64_t random(std::uint64_t below);
  template <typename List>
  std::string pick(const List& list) {
    return std::string(list[random(std::size(list))]);
  }
  std::string soup();
  std::string mutate(std::string line);
  std::string word(int depth);
  std::string simple(int depth);
  std::string command(int depth);
  std::string list(int depth);
  std::string redirection();

  std::uint64_t state_;
  std::vector<std::string> seeds_;
};

}  // namespace ptygate::policy::oracle
