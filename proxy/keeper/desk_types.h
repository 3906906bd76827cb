// SPDX-License-Identifier: Apache-2.0
// What goes into the desk and what comes out of it: values only, no behaviour. The keeper makes Messages from what workers, verbs and
// people say (after it has checked who they are), and carries Effects out in their order. Nothing here is encoded for a wire or the ledger.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "policy/request.h"

namespace ptygate::keeper {

using WallTime = policy::WallTime;
using Milliseconds = std::chrono::milliseconds;
using HoldId = std::uint64_t;    ///< small numbers from 1, never reused; 0: no hold
using WaiterId = std::uint64_t;  ///< one request that waits for its answer and then runs; made by the keeper, never reused
using TicketId = std::uint64_t;  ///< one verb's question; made by the keeper, never reused

/// Every limit of the desk. Over a limit a request is denied with the limit's name; nothing is dropped silently.
struct DeskLimits {
  std::size_t holds = 4096;  ///< open holds (pending, or approved and not yet run), in all
  std::size_t holds_per_agent = 2048;
  std::size_t held_bytes = std::size_t{64} << 20;  ///< command, intent and view of open holds, bytes, in all
  std::size_t held_bytes_per_agent = std::size_t{32} << 20;
  std::size_t waiters_per_hold = 64;         ///< equal requests attached to one hold
  std::size_t waits_per_hold = 16;           ///< `wait ID` verbs on one hold
  std::size_t running = 65536;               ///< released requests whose end was not told yet
  std::size_t closed_kept = 10000;           ///< ended holds that late answers and `wait` still find
  std::size_t unknown_kept = 4096;           ///< bindings whose outcome was not seen
  std::size_t reason_bytes = 1000;           ///< of a person's reason; longer is refused
  Milliseconds repeat_within{120'000};       ///< an approval with nobody attached lives this long
  Milliseconds deny_told_within{3'600'000};  ///< a denial that nobody was attached to hear is told to one repeat
  Milliseconds unknown_memory{86'400'000};   ///< how long a repeat of an unknown outcome is held for a person
};

enum class Retry : std::uint8_t { StopAndReport, ChangeAndRetry };

/// One request, as the keeper verified it: who asks comes from the keeper's own books, never from the worker's word.
struct Submission {
  WaiterId waiter = 0;
  std::string session;     ///< session id
  std::string connection;  ///< connection id
  std::string agent;
  std::string owner;  ///< the agent's person, or empty
  std::string target;
  std::string login;
  std::map<std::string, std::string> labels;  ///< of the target, for people
  policy::Context context = policy::Context::Exec;
  std::string cwd;           ///< empty where the context has none (exec)
  std::string command;       ///< the exact bytes
  std::string stdin_sha256;  ///< hex of stdin that is part of the request, or empty
  std::string intent;
  std::string rule_set_hash;
  bool read_only = false;         ///< every effect is within {read}: a repeat after an unknown outcome needs no person
  policy::Decision fresh;         ///< evaluated now
  std::vector<std::string> view;  ///< lines for people: decomposition with effects, reasons (unescaped; whoever prints escapes)
};

// ---- messages -------------------------------------------------------------------------------------------------------------------

struct Submit {
  Submission request;
};

/// A person's answer. The keeper vouches for person, roles and may_review (control connection bound to the authenticated person).
struct Answer {
  TicketId ticket = 0;
  HoldId hold = 0;
  std::string tag;  ///< needed to approve; may be empty to deny; a wrong one is refused in both cases
  std::string person;
  std::vector<std::string> roles;
  bool may_review = false;
  bool approve = false;
  std::string reason;
  Retry retry = Retry::StopAndReport;     ///< of a denial
  std::optional<policy::Decision> fresh;  ///< policy evaluated again, now; an approval without it is refused
};

/// The waiter's client is gone: an exec's hold stays (detached) and never runs with nobody attached.
struct Detach {
  WaiterId waiter = 0;
};

/// The waiter gives up (C-c or a lost PTY client). The hold ends with its last waiter.
struct CancelWaiter {
  WaiterId waiter = 0;
};

/// The agent's verb `cancel ID`.
struct Cancel {
  TicketId ticket = 0;
  HoldId hold = 0;
  std::string agent;
};

/// The agent's verb `wait ID`: its Result comes at the end of the hold, on approval, or after answer_within. It is not an attached waiter:
/// it runs nothing.
struct Wait {
  TicketId ticket = 0;
  HoldId hold = 0;
  std::string agent;
};

/// The client of a `wait ID` is gone; its ticket gets no Result.
struct DropWait {
  TicketId ticket = 0;
};

/// How a released request ended.
enum class Ending : std::uint8_t {
  Exited,      ///< with status
  Signalled,   ///< with signal
  NotStarted,  ///< nothing was sent to the target
  ClientGone,  ///< sent; the agent closed before the end was seen
  Unknown,     ///< sent; link or worker lost before the end was seen: an equal repeat is held for a person
};
struct Finished {
  WaiterId waiter = 0;
  Ending ending = Ending::Unknown;
  int status = 0;
  std::string signal;
};

/// A person stops an agent: its open holds are cancelled, its requests denied until ResumeAgent. `permitted`: may this person operate.
struct StopAgent {
  TicketId ticket = 0;
  std::string agent;
  std::string person;
  bool permitted = false;
  std::string reason;
};
struct ResumeAgent {
  TicketId ticket = 0;
  std::string agent;
  std::string person;
  bool permitted = false;
};

/// At start: a hold that the ledger shows as open. It ends as cancelled (restart).
struct Recovered {
  HoldId hold = 0;
  std::string tag;
  std::string agent;
};

/// The gate stops: every open hold is cancelled, every waiter told that nothing ran; later requests get the same.
struct Shutdown {};

/// Time has passed; every other message does the same first.
struct Tick {};

using Message =
    std::variant<Submit, Answer, Detach, CancelWaiter, Cancel, Wait, DropWait, Finished, StopAgent, ResumeAgent, Recovered, Shutdown, Tick>;

// ---- effects --------------------------------------------------------------------------------------------------------------------

/// One line for the ledger. Which fields are set is said per kind; agent, at are always set (but agent is empty for none).
struct Record {
  enum class Kind : std::uint8_t {
    Request,    ///< the submission: every field of it; hold is 0 unless it is held or joins
    Decision,   ///< waiter, session, hold, binding, verdict, rule, reason, people (those who approved), rule_set_hash
    Joined,     ///< waiter, session, hold: this request waits for the answer to an equal one
    Answer,     ///< hold, tag, person, approve, reason, retry
    Release,    ///< waiter, session, hold, binding: the command may be sent now, once
    Exit,       ///< waiter, session, hold, ending, status, signal
    Detached,   ///< waiter, session, hold: left without an answer (later: answer_within passed)
    Cancelled,  ///< hold, tag, person or empty (the agent), reason
    Expired,    ///< hold, tag, reason
    Stopped,    ///< agent, person, reason
    Resumed,    ///< agent, person
  };
  Kind kind = Kind::Request;
  WallTime at{};
  WaiterId waiter = 0;
  HoldId hold = 0;
  std::string tag;
  std::string binding;  ///< hex sha256
  std::string session;
  std::string connection;
  std::string agent;
  std::string owner;
  std::string target;
  std::string login;
  policy::Context context = policy::Context::Exec;
  std::string cwd;
  std::string command;  ///< Request only: the exact bytes
  std::string stdin_sha256;
  std::string intent;
  std::string rule_set_hash;
  policy::Verdict verdict = policy::Verdict::Hold;
  std::string rule;
  std::string reason;
  std::vector<std::string> people;
  std::string person;
  bool approve = false;
  Retry retry = Retry::StopAndReport;
  Ending ending = Ending::Unknown;
  int status = 0;
  std::string signal;
};

/// Not an end: the request waits. The worker may tell its client.
struct Held {
  HoldId hold = 0;
  std::string tag;
  int approvals = 1;
  std::string reason;
  std::optional<WallTime> answer_by;
  std::optional<WallTime> expires_at;
};
/// Send `command` now, once. decision.verdict is Allow. By a person: form Raw, no canonical text, no pins. By policy: as evaluated.
struct Released {
  HoldId hold = 0;  ///< 0: allowed by policy
  policy::Decision decision;
  std::vector<std::string> approved_by;  ///< people, empty when allowed by policy
  std::string command;                   ///< the submitted bytes, unchanged
};
struct Denied {
  HoldId hold = 0;
  std::string rule;
  std::string reason;
  std::string by;
  Retry retry = Retry::StopAndReport;
  std::string advice;
};
struct Expired {
  HoldId hold = 0;
  std::string tag;
};
struct Later {
  HoldId hold = 0;
  std::string tag;
};  ///< not decided within answer_within: repeat the command, or wait ID
struct Cancelled {
  HoldId hold = 0;
  std::string reason;
};
struct Trouble {
  std::string reason;
};  ///< the gate stops; nothing ran
using Outcome = std::variant<Held, Released, Denied, Expired, Later, Cancelled, Trouble>;

/// The exit status that the agent's client gets (architecture.md, "What the agent meets"); nullopt for Held and Released.
[[nodiscard]] std::optional<int> exitStatusOf(const Outcome& outcome);

/// To the worker that holds this waiter. After any outcome but Held the desk knows the waiter no more (but Released: until Finished).
struct Reply {
  WaiterId waiter = 0;
  Outcome outcome;
};

/// To the verb that asked: its exit status (0 done, 1 negative, 4 not permitted; for `wait`: 0, 126, 124, 75) and one line.
struct Result {
  TicketId ticket = 0;
  int code = 0;
  std::string text;
};

/// To every watcher of the queue (review prompts, notifications).
struct Notice {
  enum class What : std::uint8_t { New, Joined, AgentGone, AgentBack, Approval, Approved, Released, Denied, Expired, Cancelled };
  HoldId hold = 0;
  What what = What::New;
};

using Effect = std::variant<Record, Reply, Result, Notice>;

// ---- what people may look at ----------------------------------------------------------------------------------------------------

enum class HoldState : std::uint8_t {
  Pending,   ///< waits for people
  Approved,  ///< approved with nobody attached: one equal repeat runs it
};

/// A copy of one open hold for `pending`, `show` and the prompt. All text is foreign and unescaped.
struct HoldView {
  HoldId id = 0;
  std::string tag;
  HoldState state = HoldState::Pending;
  Submission request;  ///< of the first waiter
  int approvals_needed = 1;
  std::vector<std::string> approved_by;
  std::size_t attached = 0;  ///< waiters now; 0: agent gone
  WallTime since{};
  std::optional<WallTime> expires_at;
};

/// How an ended hold ended, for `show` and late answers.
struct ClosedView {
  enum class How : std::uint8_t { Released, Denied, Expired, Cancelled };
  HoldId id = 0;
  std::string tag;
  std::string agent;
  How how = How::Expired;
  std::vector<std::string> people;  ///< who approved, or who denied or cancelled
  std::string reason;
  WallTime at{};
};

}  // namespace ptygate::keeper
