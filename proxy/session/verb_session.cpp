// SPDX-License-Identifier: Apache-2.0
#include "proxy/session/verb_session.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ptygate::session {

namespace {
constexpr std::size_t kMaxVerbWords = 64;
constexpr std::size_t kMaxVerbBytes = 8 * 1024;
constexpr std::size_t kChunkBytes = 16 * 1024;
}  // namespace

std::optional<std::vector<std::string>> splitWords(const std::string& command) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    char c = command[i];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (c == '\\' && quote == '"' && i + 1 < command.size() && (command[i + 1] == '"' || command[i + 1] == '\\')) {
        word += command[++i];
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && i + 1 < command.size()) {
      word += command[++i];
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return std::nullopt;
  if (in_word) words.push_back(word);
  return words;
}

VerbSession::VerbSession(const SessionContext& context, ssh::Channel& client, const std::string& command, const Preamble& preamble)
    : context_(context), client_(client), farewell_timer_(context_.loop) {
  request_ = context_.line.open(*this);
  auto words = splitWords(command);
  if (!words || words->size() > kMaxVerbWords || command.size() > kMaxVerbBytes) {
    farewell_ = Farewell("ptygate: the command line has an open quote or is too long\n", 2);
    state_ = State::Ending;
    return;
  }
  pty_ = preamble.pty;
  context_.line.send(base::SpawnVerb{request_, context_.connection, context_.identity, *words, pty_, preamble.term, preamble.columns, preamble.rows});
}

VerbSession::~VerbSession() { context_.line.forget(request_); }

void VerbSession::onKeeper(const base::ToWorker& message, std::vector<base::Fd> descriptors) {
  if (const auto* started = std::get_if<base::VerbStarted>(&message); started != nullptr && state_ == State::Asked) {
    if (!started->error.empty() || descriptors.empty()) {
      farewell_ = Farewell("ptygate: " + started->error + "\n", started->error.empty() ? kExitTrouble : started->status);
      state_ = State::Ending;
    } else {
      pty_ = started->pty;
      if (pty_) {
        output_.fd = std::move(descriptors[0]);
      } else {
        input_.fd = std::move(descriptors[0]);
        output_.fd = std::move(descriptors[1]);
        error_.fd = std::move(descriptors[2]);
        watch(input_, false);
        watch(error_, true);
      }
      watch(output_, true);
      if (!error_.fd.valid()) error_.ended = true;
      state_ = State::Running;
    }
  } else if (const auto* exited = std::get_if<base::VerbExited>(&message)) {
    exited_ = true;
    status_ = exited->status;
    signal_ = exited->signal;
  }
  context_.wake();
}

void VerbSession::watch(Pipe& pipe, bool output) {
  ::fcntl(pipe.fd.get(), F_SETFL, ::fcntl(pipe.fd.get(), F_GETFL) | O_NONBLOCK);
  pipe.poll = base::Poll(context_.loop, pipe.fd.get(), [this, &pipe](bool readable, bool writable) {
    pipe.readable = pipe.readable || readable;
    pipe.writable = pipe.writable || writable;
    context_.wake();
  });
  pipe.poll.want(output, false);
}

void VerbSession::takeAsks() {
  for (ssh::Ask& ask : client_.takeAsks()) {
    if (const auto* window = std::get_if<ssh::WindowAsk>(&ask)) {
      context_.line.send(base::VerbEvent{request_, "", window->columns, window->rows});
    } else if (const auto* signal = std::get_if<ssh::SignalAsk>(&ask)) {
      context_.line.send(base::VerbEvent{request_, signal->name, 0, 0});
    }
  }
}

bool VerbSession::moveOutput(Pipe& pipe, ssh::Stream stream) {
  if (pipe.ended || !pipe.fd.valid()) return false;
  std::size_t room = client_.room();
  if (room == 0) {
    pipe.poll.want(false, false);  // the verb waits for the client
    return false;
  }
  char buffer[kChunkBytes];
  ssize_t got = ::read(pipe.fd.get(), buffer, std::min(room, sizeof buffer));
  if (got > 0) {
    // room() promised it: what is not taken now would be lost, so it is an ended channel.
    if (client_.write(stream, std::string_view(buffer, std::size_t(got))) != std::size_t(got) && !client_.isClosed()) stop("the connection broke");
    return true;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    pipe.poll.want(true, false);
    return false;
  }
  pipe.ended = true;  // EOF; a PTY says EIO when its last user is gone
  pipe.poll = base::Poll();
  return false;
}

bool VerbSession::moveInput() {
  Pipe& pipe = input();
  if (!pipe.fd.valid()) {
    std::size_t dropped = client_.readable(ssh::Stream::Out).size();
    client_.consume(ssh::Stream::Out, dropped);
    return dropped > 0;
  }
  std::string_view bytes = client_.readable(ssh::Stream::Out);
  if (bytes.empty()) {
    if (!pty_ && client_.atEof()) {
      input_.poll = base::Poll();
      input_.fd.reset();
    }
    return false;
  }
  ssize_t wrote = ::write(pipe.fd.get(), bytes.data(), std::min(bytes.size(), kChunkBytes));
  if (wrote > 0) {
    client_.consume(ssh::Stream::Out, std::size_t(wrote));
    return true;
  }
  if (wrote < 0 && errno == EAGAIN) {
    pipe.poll.want(pty_ && !pipe.ended, true);
    return false;
  }
  if (!pty_) {
    input_.poll = base::Poll();
    input_.fd.reset();
  } else {
    client_.consume(ssh::Stream::Out, bytes.size());
  }
  return false;
}

void VerbSession::progress() {
  takeAsks();
  if (client_.isClosed() && state_ != State::Done) onClientGone();
  if (state_ == State::Running) {
    for (bool moved = true; moved && state_ == State::Running;) {
      moved = moveOutput(output_, ssh::Stream::Out);
      moved = moveOutput(error_, ssh::Stream::Err) || moved;
      moved = moveInput() || moved;
    }
    if (state_ == State::Running && exited_ && output_.ended && error_.ended) {
      farewell_ = signal_.empty() ? Farewell("", status_) : Farewell("", ssh::ExitSignal{signal_, false, ""});
      state_ = State::Ending;
    }
  }
  if (state_ == State::Ending) {
    if (farewell_.progress(client_, context_.loop.now())) {
      state_ = State::Done;
    } else if (!farewell_timer_.isActive()) {
      farewell_timer_.start(std::chrono::seconds(1), context_.wake);
    }
  }
}

void VerbSession::onClientGone() {
  if (state_ == State::Asked || state_ == State::Running) context_.line.send(base::VerbEvent{request_, "HUP", 0, 0});
  state_ = State::Done;
}

void VerbSession::stop(const std::string& reason) {
  if (state_ == State::Ending || state_ == State::Done) return;
  context_.line.send(base::VerbEvent{request_, "HUP", 0, 0});
  farewell_ = Farewell("ptygate: " + reason + "\n", kExitTrouble);
  state_ = State::Ending;
}

}  // namespace ptygate::session
