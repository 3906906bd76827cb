// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "policy/account.h"
#include "proxy/base/log.h"
#include "proxy/session/exec_session.h"
#include "proxy/session/verb_session.h"
#include "proxy/ssh/host_key.h"

namespace ptygate::worker {

namespace {
// Steps of one progress call: sessions can wake each other, but never for ever within one wake-up.
constexpr int kMaxRounds = 8;

std::string numbered(std::uint64_t number) {
  return "c" + std::to_string(number);
}

// A peer that stopped acknowledging is gone after three keepalives; the kernel tells, without counting replies here.
void watchPeer(int fd, std::uint64_t keepalive_ms) {
  unsigned limit = unsigned(std::min<std::uint64_t>(keepalive_ms * 3, 3'600'000));
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
}
}  // namespace

Connection::Connection(const WorkerContext& context, std::uint64_t number, std::optional<Inner> inner, std::function<void()> on_ended)
    : context_(context),
      number_(number),
      inner_(std::move(inner)),
      on_ended_(std::move(on_ended)),
      limits_(context.directory->limits()),
      grace_(context.loop),
      keepalive_(context.loop),
      wake_(context.loop) {
  if (inner_) identity_ = inner_->identity;
}

std::unique_ptr<Connection> Connection::create(const WorkerContext& context, std::uint64_t number, base::Fd socket,
                                               std::optional<Inner> inner, std::function<void()> on_ended) {
  std::unique_ptr<Connection> made(new Connection(context, number, std::move(inner), std::move(on_ended)));
  watchPeer(socket.get(), made->limits_.keepalive_ms);
  ssh::ClientLeg::Limits limits{made->limits_.auth_attempts, made->limits_.channels_per_connection, made->limits_.rekey_bytes};
  Connection* self = made.get();
  made->leg_ = ssh::ClientLeg::accept(context.loop, std::move(socket), context.identity, *made, limits, made->inner_.has_value(),
                                      [self] { self->progress(); });
  if (!made->leg_) return nullptr;
  made->grace_.start(std::chrono::milliseconds(made->limits_.login_grace_ms),
                     [self] { self->end("not logged in within the login grace time"); });
  made->wake_.start(std::chrono::milliseconds(0), [self] { self->progress(); });
  return made;
}

Connection::~Connection() {
  if (leg_) leg_->end();  // abandons the channels, so that they may go in any order
  entries_.clear();
  jumps_.clear();
  upstreams_.reset();
}

// ---- authentication; called from within libssh: decide and remember only ----

bool Connection::offerKey(const std::string& user, const std::string& blob, bool verified) {
  const Directory& directory = *context_.directory;
  const base::IdentityKey* key = directory.identityOf(blob);
  if (key == nullptr || stopping_) return false;
  if (inner_) {
    // Inner identity = outer identity: any key of the same agent's.
    if (key->name != inner_->identity || inner_->target.empty() || !directory.entitled(key->name, inner_->target, user)) return false;
    if (verified) route_ = Route{user, inner_->target};
    return true;
  }
  std::optional<Route> route;
  if (hasSeparator(user)) {
    route = splitLogin(user);
    if (!route || directory.isPeople() || !directory.entitled(key->name, route->target, route->login)) return false;
  }
  if (verified) {
    identity_ = key->name;
    fingerprint_ = ssh::fingerprintOf(blob);
    user_ = user;
    route_ = route;
  } else if (route && !pre_dial_) {
    // The connection to the target may begin now; it authenticates only after a signature was verified.
    identity_ = key->name;
    route_ = route;
    pre_dial_ = true;
  }
  return true;
}

bool Connection::offerNone(const std::string& user) {
  if (!inner_ || inner_->target.empty() || stopping_) return false;
  if (!context_.directory->entitled(inner_->identity, inner_->target, user)) return false;
  user_ = user;
  route_ = Route{user, inner_->target};
  return true;
}

bool Connection::offerJump() {
  return !inner_ && !route_ && !context_.directory->isPeople() && jumps_.size() < kMaxJumps;
}

// ---- progress ----

void Connection::progress() {
  again_ = true;
  if (in_progress_ || ended_) return;
  in_progress_ = true;
  for (int round = 0; round < kMaxRounds && again_ && !ended_; ++round) {
    again_ = false;
    step();
  }
  in_progress_ = false;
  if (again_ && !ended_) wake_.start(std::chrono::milliseconds(0), [this] { progress(); });
}

void Connection::step() {
  ssh::ClientLeg::State state = leg_->progress();
  if (state == ssh::ClientLeg::State::Dead) return end(open_ ? "the client left" : "the client left before it logged in: " + leg_->error());
  if (pre_dial_ && !upstreams_) {
    const base::TargetInfo* target = context_.directory->target(route_->target);
    pre_dialled_ = route_;
    pre_dialled_for_ = identity_;
    if (target != nullptr) {
      upstreams_ = std::make_unique<session::Upstreams>(context_.loop, context_.line, number_, identity_, *target, route_->login, limits_,
                                                        [this] { progress(); });
      upstreams_->preDial();
    }
  }
  if (state == ssh::ClientLeg::State::Open && !open_) onOpen();
  if (ended_) return;
  takeChannels();
  if (upstreams_) upstreams_->progress();
  for (auto& entry : entries_) {
    takeAsks(*entry);
    if (entry->session) entry->session->progress();
  }
  for (auto& jump : jumps_) jump->pipe->progress();
  reap();
  if (upstreams_) {
    const bool stuck =
        !entries_.empty() && std::ranges::all_of(entries_, [](const auto& entry) { return entry->session && entry->session->isStuck(); });
    using Pause = ssh::Transport::Pause;
    upstreams_->pause(stuck ? Pause::All : leg_->isWritePending() ? Pause::Reading : Pause::None);
    // Only with one session: another one's input could still go somewhere. Never while stuck: then it is the client who has to act.
    leg_->pause(!stuck && entries_.size() == 1 && upstreams_->isBlocked() ? Pause::Reading : Pause::None);
  }
  if (leg_->takeStirred()) again_ = true;
  if (upstreams_ && upstreams_->takeStirred()) again_ = true;
  leg_->rearm();
  if (upstreams_) upstreams_->rearm();
  if (stopping_ && entries_.empty() && jumps_.empty()) {
    // A client that reads our disconnect together with the last words drops the words: it gets a moment to leave by itself.
    if (!had_sessions_) return end("stopped");
    if (!std::exchange(leaving_, true)) grace_.start(std::chrono::milliseconds(300), [this] { end("stopped"); });
  }
}

void Connection::onOpen() {
  open_ = true;
  grace_.stop();
  if (!inner_) {
    context_.line.send(base::LoggedIn{number_, identity_, fingerprint_, leg_->clientVersion().substr(0, 255), user_.substr(0, 255)});
  }
  pre_dial_ = false;
  // A probe may have begun a connection for another user or key than the one that logged in.
  if (upstreams_ && (pre_dialled_ != route_ || pre_dialled_for_ != identity_)) upstreams_.reset();
  if (route_) {
    const base::TargetInfo* target = context_.directory->target(route_->target);
    if (target == nullptr) return end("the target is gone from the configuration");
    if (!upstreams_) {
      upstreams_ = std::make_unique<session::Upstreams>(context_.loop, context_.line, number_, identity_, *target, route_->login, limits_,
                                                        [this] { progress(); });
    }
    upstreams_->preDial();
  }
  keepAlive();
}

void Connection::keepAlive() {
  keepalive_.start(std::chrono::milliseconds(limits_.keepalive_ms), [this] {
    leg_->sendKeepalive();
    leg_->rearm();
    if (upstreams_) {
      upstreams_->closeIdle();
      upstreams_->sendKeepalives();
    }
    keepAlive();
  });
}

void Connection::takeChannels() {
  for (auto& channel : leg_->takeSessions()) {
    auto entry = std::make_unique<Entry>();
    entry->channel = std::move(channel);
    entries_.push_back(std::move(entry));
  }
  for (auto& jump : leg_->takeJumps()) startJump(std::move(jump));
  for (const std::string& what : leg_->takeRefusals()) {
    context_.line.send(base::Refused{number_, identity_, route_ ? route_->target : "", what});
  }
}

void Connection::startJump(ssh::DirectTcpip asked) {
  int pair[2];
  if (stopping_ || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    asked.channel->close();
    leg_->release(std::move(asked.channel));
    return;
  }
  const base::TargetInfo* target = context_.directory->targetByAddress(asked.host, asked.port);
  auto jump = std::make_unique<Jump>();
  Jump* raw = jump.get();
  jump->channel = std::move(asked.channel);
  jump->pipe = std::make_unique<session::JumpPipe>(context_.loop, *jump->channel, base::Fd(pair[0]), [this] { progress(); });
  // An unknown target gets the same handshake and the same refusal as an unknown login.
  jump->connection =
      Connection::create(context_, number_, base::Fd(pair[1]), Inner{identity_, target != nullptr ? target->name : ""}, [this, raw] {
        raw->inner_ended = true;
        progress();
      });
  if (!jump->connection) {
    jump->inner_ended = true;
  }
  if (target == nullptr) context_.line.send(base::Refused{number_, identity_, "", "a jump to a target that is not configured"});
  jumps_.push_back(std::move(jump));
}

// ---- sessions ----

session::SessionContext Connection::sessionContext() {
  return {context_.loop,    context_.line,         limits_, number_, identity_, route_ ? route_->target : "", route_ ? route_->login : "",
          upstreams_.get(), [this] { progress(); }};
}

void Connection::takeAsks(Entry& entry) {
  if (entry.session) return;
  for (const ssh::Ask& ask : entry.channel->takeAsks()) {
    if (entry.session) break;  // a second request on the channel is ignored
    if (const auto* pty = std::get_if<ssh::PtyAsk>(&ask)) {
      entry.preamble.pty = true;
      entry.preamble.term = pty->term.substr(0, 64);
      entry.preamble.columns = pty->columns;
      entry.preamble.rows = pty->rows;
    } else if (const auto* window = std::get_if<ssh::WindowAsk>(&ask)) {
      entry.preamble.columns = window->columns;
      entry.preamble.rows = window->rows;
    } else if (const auto* env = std::get_if<ssh::EnvAsk>(&ask)) {
      if (entry.preamble.voice.configure(env->name, env->value)) continue;
      if (env->name == "PTYGATE_INTENT") entry.preamble.intent = env->value.substr(0, session::kMaxIntentBytes);
      if (policy::isLocaleVariable(env->name, env->value)) entry.preamble.locale[env->name] = env->value;
    } else if (!std::holds_alternative<ssh::SignalAsk>(ask) && !std::holds_alternative<ssh::EndOfWriteAsk>(ask)) {
      begin(entry, ask);
    }
  }
}

void Connection::refuse(Entry& entry, const std::string& what, const std::string& text) {
  context_.line.send(base::Refused{number_, identity_, route_ ? route_->target : "", what});
  entry.session = std::make_unique<session::RefusedSession>(context_.loop, *entry.channel, entry.preamble.voice.line("refused", text));
}

void Connection::begin(Entry& entry, const ssh::Ask& ask) {
  if (stopping_) {
    entry.session = std::make_unique<session::RefusedSession>(
        context_.loop, *entry.channel, entry.preamble.voice.line("trouble", stop_reason_ + "; nothing ran"), session::kExitTrouble);
    return;
  }
  const auto* exec = std::get_if<ssh::ExecAsk>(&ask);
  if (!route_) {
    if (exec != nullptr) {
      entry.session = std::make_unique<session::VerbSession>(sessionContext(), *entry.channel, exec->command, entry.preamble);
      return;
    }
    return refuse(entry, "a shell without a target",
                  context_.directory->isPeople()
                      ? "give a verb: `review` is the prompt, `status` and `pending` list what waits, `--help` names all"
                      : "give a target: `ssh -J GATE LOGIN@TARGET COMMAND` or `ssh -p PORT LOGIN=TARGET@GATE COMMAND`");
  }
  if (exec != nullptr) {
    if (entry.preamble.pty) {
      return refuse(entry, "a command with a PTY", "commands with a terminal (-t) are not possible yet: run the command without -t");
    }
    entry.session = std::make_unique<session::ExecSession>(sessionContext(), *entry.channel, exec->command, entry.preamble);
    return;
  }
  if (const auto* subsystem = std::get_if<ssh::SubsystemAsk>(&ask)) {
    return refuse(
        entry, "subsystem " + subsystem->name.substr(0, 64),
        "subsystems (sftp, scp) are not possible yet: run one command, `ssh … 'COMMAND'`; data can go through its standard input");
  }
  refuse(entry, "a shell", "interactive shells are not possible yet: run one command, `ssh … 'COMMAND'`");
}

// ---- the end ----

void Connection::reap() {
  for (auto& entry : entries_) {
    bool gone = entry->channel->isClosed() && (!entry->session || (entry->session->progress(), entry->session->isDone()));
    bool done = entry->session && entry->session->isDone();
    if (!gone && !done) continue;
    entry->session.reset();
    entry->channel->close();
    leg_->release(std::move(entry->channel));
  }
  std::erase_if(entries_, [](const auto& entry) { return !entry->channel; });
  for (auto& jump : jumps_) {
    if (!jump->pipe->isDone() || (jump->connection && !jump->inner_ended)) continue;
    jump->connection.reset();
    jump->pipe.reset();
    leg_->release(std::move(jump->channel));
  }
  std::erase_if(jumps_, [](const auto& jump) { return !jump->channel; });
}

void Connection::stop(const std::string& reason) {
  if (stopping_ || ended_) return;
  stopping_ = true;
  stop_reason_ = reason;
  // Also when its last session has ended just now: that one's words may still be unread.
  had_sessions_ = open_;
  for (auto& entry : entries_) {
    if (entry->session) entry->session->stop(reason);
  }
  for (auto& jump : jumps_) {
    if (jump->connection && !jump->inner_ended) jump->connection->stop(reason);
  }
  // Sessions say their last words; whoever does not read them is cut off.
  grace_.start(std::chrono::seconds(2), [this, reason] { end(reason); });
  wake_.start(std::chrono::milliseconds(0), [this] { progress(); });
}

void Connection::end(const std::string& reason) {
  if (ended_) return;
  ended_ = true;
  grace_.stop();
  keepalive_.stop();
  for (auto& entry : entries_) {
    if (entry->session) entry->session->onClientGone();
  }
  for (auto& jump : jumps_) {
    if (jump->connection && !jump->inner_ended) jump->connection->end(reason);
  }
  if (!inner_) context_.line.send(base::ConnectionEnded{number_, reason});
  base::log(base::LogLevel::Debug, "connection_ended", {{"connection", numbered(number_)}, {"reason", reason}});
  // Destroyed from the loop: a session, a leg or libssh may be on the stack.
  wake_.start(std::chrono::milliseconds(0), [this] {
    leg_->end();
    jumps_.clear();
    for (auto& entry : entries_) entry->session.reset();
    upstreams_.reset();
    auto ended = std::move(on_ended_);
    ended();
  });
}

}  // namespace ptygate::worker
