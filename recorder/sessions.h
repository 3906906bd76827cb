// SPDX-License-Identifier: Apache-2.0
// The list of sessions, put together from ledger lines, and the filters for it. Pure but for listRows.
// Not here: printing, and searching the output of sessions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/error.h"
#include "recorder/ledger.h"

namespace ptygate::recorder {

/// One request within a session. Strings hold the agent's bytes: print them by plainLine.
struct CommandRow {
  std::int64_t request = 0;
  WallTime at{};  ///< of the request
  std::string command;
  std::string intent;
  std::string verdict;  ///< "allow", "deny", "hold"; the last decision's. Or how it ended undecided: "cancelled", "expired", "held"
  std::string rule;
  std::string reason;
  std::vector<std::string> reviewers;  ///< those who approved or denied
  std::optional<WallTime> decided;
  std::optional<std::int64_t> exit;  ///< status, once known
  std::string signal;
  std::string ending;  ///< "exited", "signalled", "client-gone" …
};

struct SessionRow {
  std::string session;  ///< empty for a request that never got one
  std::string agent;
  std::string target;
  std::string login;
  std::string peer;
  WallTime start{};
  std::optional<WallTime> end;  ///< of the last exit, seal or recovery; nothing while it runs
  std::vector<CommandRow> commands;
  std::uint64_t bytes = 0;  ///< of the cast by the last seal or recovery
  bool sealed = false;
  bool recovered = false;

  /// What the list shows as its duration; nothing while it runs.
  [[nodiscard]] std::optional<std::chrono::milliseconds> duration() const;
};

/// Takes ledger lines in order. Memory grows with the number of sessions: an index for a CLI's run, not for the keeper.
class SessionIndex {
 public:
  void apply(const LedgerLine& line);
  /// Oldest first.
  [[nodiscard]] std::vector<SessionRow> take();

 private:
  struct Place {
    std::size_t row;
    std::size_t command;
  };
  SessionRow& rowOf(const LedgerLine& line);
  CommandRow* commandOf(const LedgerLine& line, bool make);
  void join(std::int64_t request, const std::string& session);
  void holdEvent(const LedgerLine& line);

  std::vector<SessionRow> rows_;
  std::map<std::string, std::size_t, std::less<>> by_session_;
  std::map<std::int64_t, Place> by_request_;
  std::map<std::int64_t, std::vector<std::int64_t>> by_hold_;  ///< hold → requests that wait for it
};

/// `key:value` words, all of which must hold. Keys: agent target login verdict rule reviewer exit session (whole value), command text
/// (part of it; text also looks at intent, reason, agent and target), since until (a day, an RFC 3339 time, or an age: 90m, 24h, 7d).
/// One that asks about a command keeps the session when any of its commands matches all of those.
class SessionFilter {
 public:
  /// `Malformed` names the word and, for an unknown key, the keys there are.
  [[nodiscard]] static Result<SessionFilter> parse(std::span<const std::string> words, WallTime now);
  [[nodiscard]] bool matches(const SessionRow& row) const;

 private:
  struct Term {
    std::string key;
    std::string value;
  };
  std::vector<Term> session_terms_;
  std::vector<Term> command_terms_;
  std::optional<WallTime> since_;
  std::optional<WallTime> until_;
};

/// Reads the ledger and keeps what matches. Oldest first.
[[nodiscard]] Result<std::vector<SessionRow>> listRows(int dir_fd, const SessionFilter& filter);

}  // namespace ptygate::recorder
