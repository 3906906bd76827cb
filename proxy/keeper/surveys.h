// SPDX-License-Identifier: Apache-2.0
// What the gate knows of accounts on targets: one survey at a time for each (target, login), kept for a while, and a memory of what was
// accepted, so that a change is announced and stops auto-allow until an operator accepts it. Asks nobody: the caller orders surveys.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/account.h"
#include "proxy/keeper/gate.h"

namespace ptygate::keeper {

class Surveys {
 public:
  /// Loads the accepted hashes of DIR/state/surveys.json; an unreadable file is as none, with a note.
  explicit Surveys(Gate& gate);

  enum class Answer : std::uint8_t {
    Known,  ///< account() is fresh
    Order,  ///< this waiter has to make the survey: command()
    Wait,   ///< another waiter makes it; finish() or abandon() will name this one
  };
  [[nodiscard]] Answer ask(const std::string& target, const std::string& login, WaiterId waiter, base::SteadyTime now);
  /// The nonce of the order under way, and the command to run.
  [[nodiscard]] std::string nonce(const std::string& target, const std::string& login) const;

  struct Finished {
    std::vector<WaiterId> waiting;  ///< the one who made it first, then all others
    std::string hash;
    bool changed = false;
    std::string error;  ///< not empty: no account; policy holds then
  };
  /// Takes a survey's output from the waiter that was ordered; nullopt when this one was not.
  [[nodiscard]] std::optional<Finished> finish(const std::string& target, const std::string& login, WaiterId waiter,
                                               const std::string& output, const std::string& error, base::SteadyTime now);
  /// A waiter leaves. Returns the waiter that has to make the survey now, when the one who made it left and others wait; else 0.
  [[nodiscard]] WaiterId abandon(const std::string& target, const std::string& login, WaiterId waiter);

  /// What policy may rest on: nullptr when not surveyed. Start-up files of a changed account are not trusted.
  [[nodiscard]] std::shared_ptr<const policy::Account> account(const std::string& target, const std::string& login) const;
  [[nodiscard]] bool isChanged(const std::string& target, const std::string& login) const;
  /// The operator accepts what was found. The accepted hash; empty: nothing to accept.
  [[nodiscard]] std::string accept(const std::string& target, const std::string& login);
  /// "deploy: /bin/bash, auto-allow possible" for each login of `target` that was surveyed.
  [[nodiscard]] std::vector<std::string> describe(const std::string& target) const;
  /// "web1/deploy changed …" for `status`.
  [[nodiscard]] std::vector<std::string> notes() const;
  /// Targets may have changed: survey again at the next need. Accepted hashes stay.
  void forgetAccounts();

 private:
  using Key = std::pair<std::string, std::string>;
  struct Entry {
    std::shared_ptr<const policy::Account> account;
    std::optional<base::SteadyTime> at;  ///< of the account
    std::string accepted;                ///< hash; empty: never seen
    std::string found;                   ///< hash of the last survey
    WaiterId maker = 0;                  ///< 0: none under way
    std::string nonce;
    std::vector<WaiterId> waiting;  ///< besides the maker
  };
  void load();
  void save() const;

  Gate& gate_;
  std::map<Key, Entry> entries_;
};

}  // namespace ptygate::keeper
