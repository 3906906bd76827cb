// SPDX-License-Identifier: Apache-2.0
// The values that keeper and workers exchange, and their codec: CBOR arrays, positional, strict. Either side treats a frame that does not
// decode as hostile: the keeper ends the worker, the worker ends itself. Which message is legal when is keeper/ and worker/'s matter.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

namespace ptygate::base {

/// One frame's payload is at most this; a longer one ends the peer. Holds a 256 KiB command and its canonical form.
inline constexpr std::size_t kMaxMessageBytes = 1024 * 1024;
/// Arrays nest at most this deep; checked before decoding, since the CBOR decoder recurses.
inline constexpr int kMaxMessageNesting = 8;

// ---- parts ----------------------------------------------------------------------------------------------------------------------

/// A key that may log in, and whose it is. Agents and people never mix: one worker gets one kind.
struct IdentityKey {
  std::string name;                  ///< agent or person
  std::string blob;                  ///< public key, SSH wire form
  std::vector<std::string> targets;  ///< agents: names of the targets this agent may reach
  bool operator==(const IdentityKey&) const = default;
};

/// What a worker has to know of a target. The address stays in the keeper, which dials.
struct TargetInfo {
  std::string name;
  std::vector<std::string> aliases;    ///< "host:port" that -J may name, compared whole
  std::vector<std::string> logins;
  std::vector<std::string> host_keys;  ///< blobs, pinned
  bool operator==(const TargetInfo&) const = default;
};

/// Limits that a worker enforces. Counts and bytes; times in milliseconds. Defaults are documented in proxy/config/README.md.
struct WorkerLimits {
  std::uint64_t login_grace_ms = 30'000;
  std::uint64_t auth_attempts = 6;
  std::uint64_t channels_per_connection = 64;
  std::uint64_t command_bytes = 128 * 1024 - 1;
  std::uint64_t held_stdin_bytes = 16 * 1024 * 1024;
  std::uint64_t cast_bytes = 4ULL * 1024 * 1024 * 1024;
  std::uint64_t keepalive_ms = 60'000;
  std::uint64_t upstream_idle_ms = 300'000;
  std::uint64_t rekey_bytes = 1024ULL * 1024 * 1024;
  std::uint64_t connect_ms = 10'000;
  bool operator==(const WorkerLimits&) const = default;
};

// ---- keeper → worker --------------------------------------------------------------------------------------------------------------

/// First message, and again after each reload. Replaces everything known before; live connections of identities that are gone end.
struct Configure {
  bool people = false;              ///< this worker serves the people's listener
  std::string host_key;             ///< openssh-key-v1 text of the gate's host key (secret); empty on reload
  std::vector<IdentityKey> identities;
  std::vector<TargetInfo> targets;
  WorkerLimits limits;
  bool operator==(const Configure&) const = default;
};

/// A new client. Carries one descriptor: the accepted socket.
struct Accept {
  std::uint64_t connection = 0;  ///< unique in the gate's life; "c17" in logs
  std::string peer;              ///< "10.0.0.7:40122"
  bool operator==(const Accept&) const = default;
};

/// Answer to Dial. Carries one descriptor (a connected socket) when `error` is empty.
struct Dialed {
  std::uint64_t dial = 0;
  std::string error;
  bool operator==(const Dialed&) const = default;
};

/// The request has a session and a recording. Carries one descriptor: the cast, opened for appending, empty.
struct SessionOpened {
  std::uint64_t request = 0;
  std::string session;     ///< YYYYMMDD-HHMMSS-xxxxx
  std::int64_t started_unix = 0;  ///< for the cast's header
  bool operator==(const SessionOpened&) const = default;
};

/// The keeper needs to know the account first: run `command` on the target (one exec, no stdin), return its stdout by SurveyResult.
struct SurveyOrder {
  std::uint64_t request = 0;
  std::string command;
  bool operator==(const SurveyOrder&) const = default;
};

/// The decision depends on the agent's standard input (policy::StdinRule Hold or Refuse), so the keeper asks for it before the hold.
/// `to_eof`: collect all of it (Hold). Else: tell whether any byte came before EOF or kStdinGrace passed (Refuse). Answer: StdinState.
/// The keeper then denies (Refuse and bytes came: "code on stdin cannot be reviewed yet"), or submits with the hash (Hold), or with
/// StdinRule None (Refuse and no bytes: upstream gets EOF, later bytes are dropped with a note).
struct StdinCheck {
  std::uint64_t request = 0;
  bool to_eof = false;
  bool operator==(const StdinCheck&) const = default;
};

/// Answer to WantCredential. A certificate, or (identity = true, one descriptor) an ssh-agent socket that signs once; or an error.
struct Credential {
  std::uint64_t ticket = 0;
  std::string certificate;  ///< "ssh-ed25519-cert-v01@openssh.com AAAA…"
  bool identity = false;
  std::string public_key;   ///< with identity: the authorized_keys line of the key to offer
  std::string error;
  bool operator==(const Credential&) const = default;
};

/// A line for the agent while its request waits ("held as 42-k7f3 …"). Changes nothing.
struct Notice {
  std::uint64_t request = 0;
  std::string hold;   ///< "42-k7f3"
  std::string text;
  bool operator==(const Notice&) const = default;
};

/// How a request ended its wait. After Release the worker forwards `exec` and nothing else; after any other kind it ends the session.
struct Outcome {
  enum class Kind : std::uint8_t { Release, Denied, Expired, Later, Cancelled, Trouble };
  std::uint64_t request = 0;
  Kind kind = Kind::Trouble;
  std::string exec;          ///< Release: exact bytes of the exec request
  std::map<std::string, std::string> env;  ///< Release: env requests to send before (validated locale; raw form only)
  std::uint8_t stdin_rule = 0;  ///< policy::StdinRule
  bool record_hash = false;
  std::string marker;        ///< text of the cast's command marker
  std::string hold;          ///< "42-k7f3", or empty
  std::string rule;
  std::string reason;        ///< for the agent
  std::string advice;
  bool may_change_and_retry = false;
  bool operator==(const Outcome&) const = default;
};

/// The verb runs. Carries descriptors: one (PTY master) with pty, else three (its stdin, stdout, stderr).
struct VerbStarted {
  std::uint64_t request = 0;
  bool pty = false;
  std::string error;  ///< not empty: it does not run (permission, usage), no descriptors
  std::uint8_t status = 0;  ///< with error: exit status for the client
  bool operator==(const VerbStarted&) const = default;
};

struct VerbExited {
  std::uint64_t request = 0;
  std::uint8_t status = 0;
  std::string signal;  ///< "TERM" without SIG, or empty
  bool operator==(const VerbExited&) const = default;
};

/// Ends the connections of one agent or person (stop, revocation), or one connection; both empty/0: all, gracefully, then exit.
struct EndConnections {
  std::string identity;
  std::uint64_t connection = 0;
  std::string reason;
  bool operator==(const EndConnections&) const = default;
};

// ---- worker → keeper --------------------------------------------------------------------------------------------------------------

/// First message: what confinement the worker could put on itself.
struct Hello {
  std::uint64_t pid = 0;
  bool no_new_privs = false;
  bool seccomp = false;
  bool landlock = false;
  bool operator==(const Hello&) const = default;
};

/// A client proved its key.
struct LoggedIn {
  std::uint64_t connection = 0;
  std::string identity;
  std::string key_fingerprint;
  std::string client;  ///< its version string
  std::string user;    ///< login as typed
  bool operator==(const LoggedIn&) const = default;
};

struct ConnectionEnded {
  std::uint64_t connection = 0;
  std::string reason;
  bool operator==(const ConnectionEnded&) const = default;
};

/// Asks the keeper to connect to a target's configured address, for a connection whose key probe named an agent entitled to it.
struct Dial {
  std::uint64_t dial = 0;
  std::uint64_t connection = 0;
  std::string agent;
  std::string target;
  bool operator==(const Dial&) const = default;
};

/// An exec request of a logged-in agent. Answered by SessionOpened, maybe SurveyOrder and Notice, then exactly one Outcome.
struct ExecRequest {
  std::uint64_t request = 0;  ///< unique within the worker's life
  std::uint64_t connection = 0;
  std::string agent;
  std::string target;
  std::string login;
  std::string command;
  std::string intent;
  std::map<std::string, std::string> locale;
  bool operator==(const ExecRequest&) const = default;
};

struct SurveyResult {
  std::uint64_t request = 0;
  std::string output;
  std::string error;  ///< not empty: no survey (target unreachable, channel refused …)
  bool unreachable = false;  ///< the target cannot be reached or authenticated to at all
  bool operator==(const SurveyResult&) const = default;
};

/// Answer to StdinCheck. Held bytes stay in the worker; the reviewer sees size, hash and excerpt.
struct StdinState {
  std::uint64_t request = 0;
  std::uint64_t bytes = 0;
  std::string sha256;        ///< hex of all bytes (to_eof)
  std::string excerpt;       ///< the first kStdinExcerptBytes at most
  bool over_limit = false;   ///< more than held_stdin_bytes came: refuse
  bool operator==(const StdinState&) const = default;
};
inline constexpr std::size_t kStdinExcerptBytes = 8 * 1024;

/// Asks for a certificate for a fresh key. Granted once per survey order and once per release, for that login and target only.
struct WantCredential {
  std::uint64_t ticket = 0;
  std::uint64_t request = 0;
  std::string public_key;  ///< ed25519 blob of a key made by this worker
  bool operator==(const WantCredential&) const = default;
};

/// The client of a held request is gone (it detaches), or on a PTY pressed C-c (it cancels).
struct Leave {
  std::uint64_t request = 0;
  bool cancel = false;
  bool operator==(const Leave&) const = default;
};

/// The session is over; its cast is complete and synced (or `error` says why not). Ends the request for good.
struct Finished {
  std::uint64_t request = 0;
  bool ran = false;               ///< the exec request was sent upstream
  bool outcome_known = false;     ///< exit status or signal was seen
  std::int64_t exit_status = -1;
  std::string exit_signal;
  std::uint64_t cast_bytes = 0;
  std::string cast_sha256;        ///< hex
  std::uint64_t stdin_bytes = 0;
  std::uint64_t stdout_bytes = 0;
  std::uint64_t stderr_bytes = 0;
  std::string error;
  bool operator==(const Finished&) const = default;
};

/// Something was refused without a request (shell, subsystem, forward, PTY command): for the ledger.
struct Refused {
  std::uint64_t connection = 0;
  std::string identity;
  std::string target;
  std::string what;
  bool operator==(const Refused&) const = default;
};

/// Run a verb for the logged-in identity. `argv` are the words of its command line.
struct SpawnVerb {
  std::uint64_t request = 0;
  std::uint64_t connection = 0;
  std::string identity;
  std::vector<std::string> argv;
  bool pty = false;
  std::string term;
  std::uint32_t columns = 80;
  std::uint32_t rows = 24;
  bool operator==(const SpawnVerb&) const = default;
};

/// The client of a verb is gone, or sent a signal or a window change (columns > 0).
struct VerbEvent {
  std::uint64_t request = 0;
  std::string signal;  ///< "INT" …, "HUP" when the client left
  std::uint32_t columns = 0;
  std::uint32_t rows = 0;
  bool operator==(const VerbEvent&) const = default;
};

/// For the keeper's log and alarms: a host key that is not the pinned one, a recorder failure …
struct Alarm {
  std::uint64_t connection = 0;
  std::string target;
  std::string text;
  bool operator==(const Alarm&) const = default;
};

using ToWorker = std::variant<Configure, Accept, Dialed, SessionOpened, SurveyOrder, StdinCheck, Credential, Notice, Outcome, VerbStarted, VerbExited, EndConnections>;
using ToKeeper = std::variant<Hello, LoggedIn, ConnectionEnded, Dial, ExecRequest, SurveyResult, StdinState, WantCredential, Leave, Finished, Refused, SpawnVerb, VerbEvent, Alarm>;

/// Encodes one message; never fails for values within kMaxMessageBytes (checked by the sender's pipe).
[[nodiscard]] std::string encode(const ToWorker& message);
[[nodiscard]] std::string encode(const ToKeeper& message);

/// Decodes one payload. Error: text for the log. Refused: unknown type, wrong arity, wrong element type, text where bytes are due,
/// integers out of range, nesting over kMaxMessageNesting, trailing bytes.
[[nodiscard]] tl::expected<ToWorker, std::string> decodeToWorker(std::string_view payload);
[[nodiscard]] tl::expected<ToKeeper, std::string> decodeToKeeper(std::string_view payload);

/// How many descriptors travel with a message: what the receiver must find attached.
[[nodiscard]] int descriptorsOf(const ToWorker& message);

}  // namespace ptygate::base
