// SPDX-License-Identifier: Apache-2.0
#include "proxy/session/exec_session.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "policy/account.h"
#include "proxy/base/log.h"

namespace ptygate::session {

namespace {

recorder::MonoTime monoNow() { return std::chrono::steady_clock::now(); }

base::Fd duplicate(int fd) { return base::Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

std::string sha256Hex(std::string_view bytes) {
  recorder::Hasher hasher;
  hasher.update(bytes);
  return recorder::hex(hasher.digest());
}

}  // namespace

ExecSession::ExecSession(const SessionContext& context, ssh::Channel& client, std::string command, Preamble preamble)
    : context_(context),
      client_(client),
      preamble_(std::move(preamble)),
      command_(std::move(command)),
      survey_timer_(context_.loop),
      stdin_timer_(context_.loop),
      farewell_timer_(context_.loop),
      sync_timer_(context_.loop) {
  request_ = context_.line.open(*this);
  if (command_.size() > context_.limits.command_bytes) {
    std::string text = "refused: the command has " + std::to_string(command_.size()) + " bytes, the limit is " +
                       std::to_string(context_.limits.command_bytes) + "; put the data into a file or on standard input";
    context_.line.send(base::Refused{context_.connection, context_.identity, context_.target, "command over the size limit"});
    farewell_ = Farewell(preamble_.voice.line("refused", text), kExitDenied);
    state_ = State::Ending;
    return;
  }
  base::ExecRequest ask;
  ask.request = request_;
  ask.connection = context_.connection;
  ask.agent = context_.identity;
  ask.target = context_.target;
  ask.login = context_.login;
  ask.command = command_;
  ask.intent = preamble_.intent;
  ask.locale = preamble_.locale;
  context_.line.send(ask);
  context_.upstreams->preDial();
}

ExecSession::~ExecSession() { context_.line.forget(request_); }

void ExecSession::progress() {
  takeAsks();
  // With both directions at their end OpenSSH's client sends CLOSE, and still takes the exit status that comes later.
  const bool waits_for_status = state_ == State::Running && eof_forwarded_ && client_.raw() != nullptr;
  if (client_.isClosed() && !client_gone_ && !waits_for_status && state_ != State::Ending) onClientGone();
  State before = state_;
  do {
    before = state_;
    switch (state_) {
      case State::Asked:
        progressSurvey();
        progressStdinCheck();
        break;
      case State::Starting:
      case State::Running: progressRunning(); break;
      case State::Ending:
        if (farewell_.progress(client_, context_.loop.now())) {
          state_ = State::Done;
        } else if (!farewell_timer_.isActive()) {
          farewell_timer_.start(std::chrono::seconds(1), context_.wake);
        }
        break;
      case State::Done: break;
    }
  } while (state_ != before);
  if (state_ != State::Ending && state_ != State::Done) flushWords();
}

void ExecSession::takeAsks() {
  for (ssh::Ask& ask : client_.takeAsks()) {
    if (const auto* signal = std::get_if<ssh::SignalAsk>(&ask)) {
      if (state_ == State::Running && exec_->channel() != nullptr) exec_->channel()->sendSignal(signal->name);
    } else if (std::holds_alternative<ssh::EndOfWriteAsk>(ask)) {
      if (state_ != State::Running) continue;
      // The client reads no more (`… | head -1`). sshd would let the command die of SIGPIPE; closing its channel does the same.
      // What it really makes of that is not seen, so the ledger does not say `signalled`.
      context_.line.send(base::Leave{request_, false});
      base::Finished finished;
      finished.ran = true;
      finished.error = "the client reads no more";
      end(Farewell("", ssh::ExitSignal{"PIPE", false, ""}), finished, kExitTrouble);
      return;
    }
    // A second exec, shell, subsystem or pty request on a channel, late env and window changes: accepted by the protocol layer, ignored.
  }
}

// ---- before the release ----

void ExecSession::onKeeper(const base::ToWorker& message, std::vector<base::Fd> descriptors) {
  if (state_ != State::Asked) return;
  if (const auto* opened = std::get_if<base::SessionOpened>(&message)) {
    openRecording(*opened, std::move(descriptors));
  } else if (const auto* order = std::get_if<base::SurveyOrder>(&message)) {
    survey_ = std::make_unique<UpstreamExec>(*context_.upstreams, request_, order->command, std::map<std::string, std::string>{});
    survey_timer_.start(kSurveyLimit, [this] {
      endSurvey("the survey took too long", false);
      context_.wake();
    });
  } else if (const auto* check = std::get_if<base::StdinCheck>(&message)) {
    checking_stdin_ = true;
    check_to_eof_ = check->to_eof;
    if (!check_to_eof_) {
      stdin_timer_.start(kStdinGrace, [this] {
        if (checking_stdin_) answerStdinCheck(false);
      });
    }
  } else if (const auto* notice = std::get_if<base::Notice>(&message)) {
    say(preamble_.voice.line("held", notice->text, {{"hold", notice->hold}}));
  } else if (const auto* outcome = std::get_if<base::Outcome>(&message)) {
    onOutcome(*outcome);
  }
  context_.wake();
}

void ExecSession::openRecording(const base::SessionOpened& opened, std::vector<base::Fd> descriptors) {
  session_id_ = opened.session;
  if (descriptors.empty()) return recorderFailed();
  recorder::CastHeader header;
  header.timestamp = opened.started_unix;
  header.title = context_.identity + "@" + context_.target + " " + opened.session;
  auto recording = recorder::Recording::open(recorder::Fd(descriptors[0].release()), header, monoNow(), {context_.limits.cast_bytes});
  if (!recording) return recorderFailed();
  recording_.emplace(std::move(*recording));
}

void ExecSession::progressSurvey() {
  if (!survey_) return;
  UpstreamExec::State state = survey_->progress();
  if (state == UpstreamExec::State::Failed || state == UpstreamExec::State::Lost) return endSurvey(survey_->failure(), true);
  if (state != UpstreamExec::State::Running) return;
  ssh::Channel& channel = *survey_->channel();
  if (!survey_eof_sent_) {
    survey_eof_sent_ = true;
    channel.sendEof();
  }
  for (std::string_view got = channel.readable(ssh::Stream::Out); !got.empty(); got = channel.readable(ssh::Stream::Out)) {
    if (survey_output_.size() + got.size() > policy::kMaxSurveyBytes) return endSurvey("the survey's answer is too long", false);
    survey_output_.append(got);
    channel.consume(ssh::Stream::Out, got.size());
  }
  for (std::string_view got = channel.readable(ssh::Stream::Err); !got.empty(); got = channel.readable(ssh::Stream::Err)) {
    channel.consume(ssh::Stream::Err, got.size());
  }
  if (channel.atEof() && channel.isClosed()) endSurvey("", false);
}

void ExecSession::endSurvey(std::string error, bool unreachable) {
  if (!survey_) return;
  survey_timer_.stop();
  survey_->rearm();
  survey_.reset();
  base::SurveyResult result{request_, error.empty() ? std::move(survey_output_) : std::string(), std::move(error), unreachable};
  survey_output_.clear();
  context_.line.send(result);
}

void ExecSession::progressStdinCheck() {
  if (!checking_stdin_) return;
  if (!check_to_eof_) {
    if (!client_.readable(ssh::Stream::Out).empty() || client_.atEof()) answerStdinCheck(false);
    return;
  }
  for (std::string_view got = client_.readable(ssh::Stream::Out); !got.empty(); got = client_.readable(ssh::Stream::Out)) {
    if (held_stdin_.size() + got.size() > context_.limits.held_stdin_bytes) return answerStdinCheck(true);
    held_stdin_.append(got);
    client_.consume(ssh::Stream::Out, got.size());
  }
  if (client_.atEof()) answerStdinCheck(false);
}

void ExecSession::answerStdinCheck(bool over_limit) {
  checking_stdin_ = false;
  stdin_timer_.stop();
  base::StdinState state;
  state.request = request_;
  state.over_limit = over_limit;
  if (check_to_eof_) {
    state.bytes = held_stdin_.size();
    state.sha256 = sha256Hex(held_stdin_);
    state.excerpt = held_stdin_.substr(0, base::kStdinExcerptBytes);
  } else {
    state.bytes = client_.readable(ssh::Stream::Out).size();
  }
  context_.line.send(state);
}

// ---- the outcome ----

void ExecSession::onOutcome(const base::Outcome& outcome) {
  using Kind = base::Outcome::Kind;
  const AgentVoice& voice = preamble_.voice;
  base::Finished finished;
  if (recording_ && !outcome.marker.empty() && !recording_->append(recorder::CastEvent::marker(outcome.marker), monoNow())) return recorderFailed();
  switch (outcome.kind) {
    case Kind::Release: return release(outcome);
    case Kind::Denied: {
      std::string text = "denied";
      // "(opaque)" and its like are no rule's name and bring their own brackets.
      if (!outcome.rule.empty()) text += outcome.rule.front() == '(' ? " " + outcome.rule : " (" + outcome.rule + ")";
      if (!outcome.reason.empty()) text += ": " + outcome.reason;
      text += outcome.may_change_and_retry ? " [change-and-retry]" : " [stop-and-report]";
      if (!outcome.advice.empty()) text += " " + outcome.advice;
      return end(Farewell(voice.line("denied", text,
                                     {{"hold", outcome.hold}, {"rule", outcome.rule}, {"reason", outcome.reason}, {"advice", outcome.advice},
                                      {"next", outcome.may_change_and_retry ? "change-and-retry" : "stop-and-report"}}),
                          kExitDenied),
                 finished, kExitDenied);
    }
    case Kind::Expired:
      return end(Farewell(voice.line("expired", "expired: nobody decided in time" + (outcome.hold.empty() ? "" : " (hold " + outcome.hold + ")"),
                                     {{"hold", outcome.hold}}),
                          kExitExpired),
                 finished, kExitExpired);
    case Kind::Later:
      return end(Farewell(voice.line("held",
                                     "held as " + outcome.hold + ", not decided yet: repeat the same command, or ask the gate `wait " +
                                         outcome.hold.substr(0, outcome.hold.find('-')) + "`",
                                     {{"hold", outcome.hold}}),
                          kExitLater),
                 finished, kExitLater);
    case Kind::Cancelled:
      return end(Farewell(voice.line("cancelled", "cancelled: " + outcome.reason, {{"hold", outcome.hold}}), kExitTrouble), finished, kExitTrouble);
    case Kind::Trouble:
      finished.error = outcome.reason;
      return end(Farewell(voice.line("trouble", (outcome.reason.empty() ? "the gate is in trouble" : outcome.reason) + "; nothing ran"), kExitTrouble),
                 finished, kExitTrouble);
  }
}

void ExecSession::release(const base::Outcome& outcome) {
  if (!recording_) return recorderFailed();  // nothing runs unrecorded
  survey_.reset();
  stdin_rule_ = policy::StdinRule(outcome.stdin_rule);
  if (outcome.record_hash && !recording_->beginGap("record = \"hash\"", monoNow())) return recorderFailed();
  exec_ = std::make_unique<UpstreamExec>(*context_.upstreams, request_, outcome.exec, outcome.env);
  state_ = State::Starting;
}

// ---- running ----

void ExecSession::progressRunning() {
  if (state_ == State::Starting) {
    switch (exec_->progress()) {
      case UpstreamExec::State::Running: state_ = State::Running; break;
      case UpstreamExec::State::Failed: {
        base::Finished finished;
        finished.error = exec_->failure();
        return end(Farewell(preamble_.voice.line("trouble", exec_->failure() + "; nothing ran"), kExitTrouble), finished, kExitTrouble);
      }
      case UpstreamExec::State::Lost: return finishRunning();
      default: return;
    }
  }
  flushWords();
  bool moved = true;
  while (moved && state_ == State::Running) {
    moved = moveOutput();
    if (state_ == State::Running) moved = moveInput() || moved;
  }
  if (state_ != State::Running) return;
  ssh::Channel& target = *exec_->channel();
  if (target.atEof()) {
    // EOF covers both streams, so it goes on only when both are drained.
    if (!eof_forwarded_ && !target.isClosed()) {
      eof_forwarded_ = true;
      client_.sendEof();
    }
    if (target.isClosed()) finishRunning();
  }
}

bool ExecSession::moveOutput() {
  ssh::Channel& target = *exec_->channel();
  bool moved = false;
  for (Pump* pump : {&out_, &err_}) {
    Pump::Result result = pump->move(target, client_, *recording_);
    if (result == Pump::Result::RecorderFailed) {
      recorderFailed();
      return false;
    }
    moved = moved || result == Pump::Result::Moved;
  }
  if (moved) {
    noteDirty();
    exec_->rearm();  // consuming opened the target's window: the adjustment waits in its socket
  }
  return moved;
}

bool ExecSession::moveInput() {
  ssh::Channel& target = *exec_->channel();
  if (stdin_rule_ == policy::StdinRule::Hold) return forwardHeldInput();
  if (stdin_rule_ != policy::StdinRule::Stream) {
    if (!stdin_eof_sent_) {
      stdin_eof_sent_ = true;
      target.sendEof();
      exec_->rearm();
    }
    std::string_view got = client_.readable(ssh::Stream::Out);
    if (got.empty()) return false;
    client_.consume(ssh::Stream::Out, got.size());
    if (!stdin_noted_) {
      stdin_noted_ = true;
      say(preamble_.voice.line("stdin", "standard input is not passed to this command; no rule lets it have data"));
    }
    return true;
  }
  Pump::Result result = in_.move(client_, target, *recording_);
  if (result == Pump::Result::RecorderFailed) {
    recorderFailed();
    return false;
  }
  if (!stdin_eof_sent_ && client_.atEof() && !client_.isClosed()) {
    stdin_eof_sent_ = true;
    target.sendEof();
    exec_->rearm();
  }
  if (result != Pump::Result::Moved) return false;
  noteDirty();
  exec_->rearm();
  return true;
}

bool ExecSession::forwardHeldInput() {
  ssh::Channel& target = *exec_->channel();
  std::string_view rest = std::string_view(held_stdin_).substr(held_sent_);
  if (rest.empty()) {
    if (!stdin_eof_sent_) {
      stdin_eof_sent_ = true;
      target.sendEof();
      exec_->rearm();
    }
    return false;
  }
  std::size_t length = std::min(rest.size(), target.room());
  if (length == 0) return false;
  if (held_sent_ + length > held_recorded_) {
    std::string_view fresh = std::string_view(held_stdin_).substr(held_recorded_, held_sent_ + length - held_recorded_);
    if (!recording_->append(recorder::CastEvent::stdinData(fresh), monoNow())) {
      recorderFailed();
      return false;
    }
    held_recorded_ += fresh.size();
  }
  std::size_t sent = target.write(ssh::Stream::Out, rest.substr(0, length));
  held_sent_ += sent;
  exec_->rearm();
  return sent > 0;
}

bool ExecSession::isStuck() const {
  if (state_ != State::Running || client_.room() > 0 || held_sent_ < held_stdin_.size()) return false;
  const ssh::Channel* target = exec_->channel();
  return target != nullptr && target->isFull() && client_.readable(ssh::Stream::Out).empty();
}

void ExecSession::finishRunning() {
  base::Finished finished;
  finished.ran = true;
  ssh::Channel* target = exec_->channel();
  if (target != nullptr && target->exitSignal()) {
    finished.outcome_known = true;
    finished.exit_signal = target->exitSignal()->name;
    ssh::ExitSignal signal = *target->exitSignal();
    return end(Farewell("", signal), finished, kExitTrouble);
  }
  if (target != nullptr && target->exitStatus()) {
    finished.outcome_known = true;
    finished.exit_status = *target->exitStatus();
    return end(Farewell("", *target->exitStatus()), finished, *target->exitStatus());
  }
  std::string text = "the command was released, but its end was not seen (the link to the target was lost); it may have run. An equal repeat is held for a person";
  end(Farewell(preamble_.voice.line("unknown", text), kExitUnknown), finished, kExitUnknown);
}

// ---- the end ----

void ExecSession::onClientGone() {
  if (client_gone_ || state_ == State::Done) return;
  client_gone_ = true;
  base::Finished finished;
  switch (state_) {
    case State::Asked: context_.line.send(base::Leave{request_, false}); break;
    case State::Starting:
      // The exec request may be on its way: what became of it was not seen.
      finished.ran = exec_->state() != UpstreamExec::State::Connecting;
      break;
    case State::Running:
      // The target gets its channel closed, and what the command makes of that is not seen.
      context_.line.send(base::Leave{request_, false});
      finished.ran = true;
      if (const ssh::Channel* target = exec_->channel(); target != nullptr && target->exitStatus()) {
        // It had ended before the client left, only its output was not all taken.
        finished.outcome_known = true;
        finished.exit_status = *target->exitStatus();
      }
      break;
    case State::Ending:
    case State::Done: state_ = State::Done; return;
  }
  finished.error = "the client left";
  const int cast_status = finished.outcome_known ? int(finished.exit_status) : kExitTrouble;
  end(Farewell(), finished, cast_status);
  state_ = State::Done;
}

void ExecSession::stop(const std::string& reason) {
  if (state_ == State::Ending || state_ == State::Done) return;
  base::Finished finished;
  finished.ran = state_ == State::Running || (state_ == State::Starting && exec_->state() != UpstreamExec::State::Connecting);
  finished.error = reason;
  std::string text = finished.ran ? reason + "; the command was running" : reason + "; nothing ran";
  end(Farewell(preamble_.voice.line("trouble", text), kExitTrouble), finished, kExitTrouble);
}

void ExecSession::recorderFailed() {
  base::Finished finished;
  finished.ran = state_ == State::Running || (state_ == State::Starting && exec_->state() != UpstreamExec::State::Connecting);
  finished.error = "the recording failed";
  context_.line.send(base::Alarm{context_.connection, context_.target, "a session's recording failed: " + session_id_});
  end(Farewell(preamble_.voice.line("trouble", finished.ran ? "the recording failed, so the session was ended" : "the recording failed; nothing ran"),
               kExitTrouble),
      finished, kExitTrouble);
}

void ExecSession::onSyncFailed() {
  if (state_ == State::Ending || state_ == State::Done) return;
  recorderFailed();
  context_.wake();
}

void ExecSession::end(Farewell farewell, base::Finished finished, std::optional<int> cast_status) {
  survey_.reset();
  if (exec_) {
    exec_->rearm();
    exec_.reset();  // closes the upstream channel
  }
  checking_stdin_ = false;
  stdin_timer_.stop();
  sync_timer_.stop();
  finished.request = request_;
  finished.stdin_bytes = in_.bytes() + held_sent_;
  finished.stdout_bytes = out_.bytes();
  finished.stderr_bytes = err_.bytes();
  base::Fd cast;
  if (recording_) {
    cast = duplicate(recording_->fd());
    // `x` is the last event: an open gap's sums have to be marked before it.
    bool closed = !recording_->isInGap() || bool(recording_->endGap(monoNow()));
    if (closed && !finished.exit_signal.empty()) closed = bool(recording_->append(recorder::CastEvent::marker("ended by signal " + finished.exit_signal), monoNow()));
    if (closed && finished.ran && !finished.outcome_known && !finished.error.empty()) {
      closed = bool(recording_->append(recorder::CastEvent::marker("ended: " + finished.error), monoNow()));
    }
    if (closed && cast_status) closed = bool(recording_->append(recorder::CastEvent::exit(std::uint32_t(*cast_status)), monoNow()));
    auto seal = recording_->seal(monoNow());
    if (seal) {
      finished.cast_bytes = seal->bytes;
      finished.cast_sha256 = recorder::hex(seal->sha256);
    }
    if ((!seal || !closed) && finished.error.empty()) finished.error = "the recording failed";
    recording_.reset();
  }
  context_.line.finish(std::move(cast), std::move(finished));
  farewell_ = std::move(farewell);
  farewell_.precede(std::exchange(words_, {}));
  state_ = State::Ending;
}

void ExecSession::say(const std::string& line) {
  if (words_.size() + line.size() <= kMaxPendingWords) words_ += line;
}

void ExecSession::flushWords() {
  if (!words_.empty()) words_.erase(0, client_.write(ssh::Stream::Err, words_));
}

void ExecSession::noteDirty() {
  if (recording_->bytes() - synced_ >= kSyncBytes) {
    synced_ = recording_->bytes();
    context_.line.sync(duplicate(recording_->fd()), request_);
  }
  if (sync_timer_.isActive()) return;
  sync_timer_.start(kSyncEvery, [this] {
    if (!recording_ || recording_->bytes() == synced_) return;
    synced_ = recording_->bytes();
    context_.line.sync(duplicate(recording_->fd()), request_);
  });
}

}  // namespace ptygate::session
