// SPDX-License-Identifier: Apache-2.0
// The control protocol between verbs and the keeper: JSON lines, version 1, as typed values and their codec. Pure: no sockets, no
// permission (keeper/control_verbs decides who may), no escaping for terminals (all text in here is foreign until base/safe_text saw it).
//
//   verb → keeper   {"v":1,"id":7,"verb":"approve","args":{"hold":"42-k7f3"}}
//   keeper → verb   {"v":1,"id":7,"item":{"type":"hold",…}}     none or more
//                   {"v":1,"id":7,"status":0,"text":"approved"} exactly one, last
//   subscriptions   {"v":1,"id":7,"event":"hold","what":"new","item":{…}}, {"event":"ready"}, {"event":"gone","hold":42,"text":…}
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

namespace ptygate::control {

inline constexpr int kProtocolVersion = 1;
/// One line without its LF, either way; a longer one ends the connection. Holds a full command in base64.
inline constexpr std::size_t kMaxLineBytes = 1024 * 1024;
/// JSON nests at most this deep; checked before parsing, since the parser recurses.
inline constexpr int kMaxNesting = 8;
/// A verb takes at most this many arguments.
inline constexpr std::size_t kMaxArguments = 16;
/// Decomposition lines of one hold are cut to this many bytes in all, with a last line that says so.
inline constexpr std::size_t kMaxViewBytes = 256 * 1024;

/// Exit statuses of verbs (architecture.md). `wait` also ends with 126, 124 or 75.
enum ExitStatus : int { kDone = 0, kNegative = 1, kUsage = 2, kUnreachable = 3, kNotPermitted = 4 };

// ---- values ---------------------------------------------------------------------------------------------------------------------
// Times are Unix milliseconds (UTC).

/// One open hold. For people only, never sent to an agent (who gets OwnRequest).
struct Hold {
  std::uint64_t id = 0;
  std::string tag;        ///< "k7f3"; people type id-tag
  bool approved = false;  ///< approved with nobody attached: waits for one equal repeat
  std::string agent, owner, target, login;
  std::map<std::string, std::string> labels;
  std::string command;              ///< exact bytes (base64 on the wire)
  std::uint64_t command_bytes = 0;  ///< of the whole command; more than command.size() when a listing cut it
  std::string intent;
  std::string rule, reason;
  std::vector<std::string> lines;  ///< decomposition with effects; empty in listings
  int approvals_needed = 1;
  std::vector<std::string> approved_by;
  std::uint64_t attached = 0;  ///< 0: agent gone
  std::int64_t since_ms = 0;
  std::optional<std::int64_t> expires_ms;
  std::string session;
  bool operator==(const Hold&) const = default;
};

/// How an ended hold ended (`show`).
struct ClosedHold {
  std::uint64_t id = 0;
  std::string tag, agent, how;  ///< how: released, denied, expired, cancelled
  std::vector<std::string> people;
  std::string reason;
  std::int64_t at_ms = 0;
  bool operator==(const ClosedHold&) const = default;
};

/// What the gate says of itself.
struct StatusReport {
  std::string version;
  std::int64_t started_ms = 0;
  std::vector<std::string> unsafe;     ///< not empty: print UNSAFE and each line
  std::vector<std::string> notes;      ///< warnings that are not unsafe: changed accounts, policy warnings
  std::vector<std::string> listeners;  ///< "agents 127.0.0.1:2222"
  std::uint64_t workers = 0, connections = 0, sessions = 0, holds = 0;
  std::uint64_t ledger_leaves = 0;
  std::string policy_hash, config_hash;
  bool operator==(const StatusReport&) const = default;
};

/// A configured target.
struct TargetRow {
  std::string name, address;
  std::vector<std::string> logins, aliases, host_keys;  ///< host keys as "SHA256:…" fingerprints with their type in front
  std::map<std::string, std::string> labels;
  std::string credential;  ///< "certificate" or "identity"
  /// One line for each surveyed login: "deploy: /bin/bash, auto-allow possible" or why not, or "changed, run targets accept".
  std::vector<std::string> accounts;
  bool operator==(const TargetRow&) const = default;
};

struct AgentRow {
  std::string name, owner;
  std::vector<std::string> keys;  ///< fingerprints
  std::vector<std::string> targets;
  bool stopped = false;
  std::uint64_t connections = 0, holds = 0;
  bool operator==(const AgentRow&) const = default;
};

/// An agent's own open or ended request, for its `status`.
struct OwnRequest {
  std::uint64_t id = 0;
  std::string tag, state;  ///< pending, approved, released, denied, expired, cancelled
  std::string target, login, command, reason;
  std::optional<std::int64_t> expires_ms;
  bool operator==(const OwnRequest&) const = default;
};

/// Who this control connection is.
struct WhoAmI {
  std::string kind;  ///< "person", "agent", "operator" (root or the gate's own user, locally)
  std::string name;
  std::vector<std::string> may;      ///< review, audit, operate; empty for agents
  std::vector<std::string> targets;  ///< agents: entitled targets
  bool operator==(const WhoAmI&) const = default;
};

/// Where a session is recorded. The reader opens and tails the file itself; `open` false: it has ended.
struct SessionFile {
  std::string session, path;
  bool open = false;
  bool operator==(const SessionFile&) const = default;
};

using Item = std::variant<Hold, ClosedHold, StatusReport, TargetRow, AgentRow, OwnRequest, WhoAmI, SessionFile>;

// ---- lines ----------------------------------------------------------------------------------------------------------------------

/// A verb's question. `id` is the asker's, unique on its connection while open. Verbs and their arguments: README.md.
struct Request {
  std::uint64_t id = 0;
  std::string verb;
  std::map<std::string, std::string> args;
  bool operator==(const Request&) const = default;
};

struct ItemLine {
  std::uint64_t id = 0;
  Item item;
  bool operator==(const ItemLine&) const = default;
};

/// Ends a request. `status` is the verb's exit status; `text` one line for people (may be empty).
struct Reply {
  std::uint64_t id = 0;
  int status = kDone;
  std::string text;
  bool operator==(const Reply&) const = default;
};

/// One change seen by `subscribe-holds`. First every open hold (what = "open"), then Ready, then changes as they come.
struct Event {
  enum class Kind : std::uint8_t { Hold, Ready, Gone };
  std::uint64_t id = 0;
  Kind kind = Kind::Hold;
  std::string what;    ///< Hold: open, new, joined, agent-gone, agent-back, approval, approved; Gone: released, denied, expired, cancelled
  control::Hold hold;  ///< Hold: its full present state
  std::uint64_t gone = 0;  ///< Gone: the id
  std::string text;        ///< Gone: by whom, why
  bool operator==(const Event&) const = default;
};

using ServerLine = std::variant<ItemLine, Reply, Event>;

/// Encode without the LF. Text that is not UTF-8 is replaced by U+FFFD; `command` fields are exact.
[[nodiscard]] std::string encode(const Request& request);
[[nodiscard]] std::string encode(const ServerLine& line);

/// Decode one line without its LF. Refused: not an object, another version, unknown keys, wrong types, too deep, too many arguments.
/// Error: text for people.
[[nodiscard]] tl::expected<Request, std::string> decodeRequest(std::string_view line);
[[nodiscard]] tl::expected<ServerLine, std::string> decodeServerLine(std::string_view line);

/// The JSON object of one item on one line, for verbs' `--json`.
[[nodiscard]] std::string jsonOf(const Item& item);

/// Cuts a byte stream into lines. feed() keeps at most kMaxLineBytes of an unfinished line.
class LineCutter {
 public:
  /// Takes bytes as they come. False once a line was too long: the connection has to end; what was cut before it is still given out.
  [[nodiscard]] bool feed(std::string_view bytes);
  /// The next whole line without its LF (and without a CR before it), oldest first.
  [[nodiscard]] std::optional<std::string> next();

 private:
  std::string buffer_;
  std::size_t start_ = 0, scanned_ = 0;
  bool too_long_ = false;
};

/// Splits "42-k7f3" or "42" into number and tag; nullopt when it is neither.
struct HoldRef {
  std::uint64_t id = 0;
  std::string tag;  ///< empty when not given
};
[[nodiscard]] std::optional<HoldRef> parseHoldRef(std::string_view text);

}  // namespace ptygate::control
