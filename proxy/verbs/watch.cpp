// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/watch.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>

#include "proxy/verbs/cast_screen.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/gate_client.h"
#include "proxy/verbs/print.h"
#include "recorder/store_paths.h"

namespace ptygate::verbs {

namespace {

constexpr int kLookMs = 100;         // how often a growing cast is looked at
constexpr int kHeaderAttempts = 50;  // a cast exists some milliseconds before its header does

constexpr char kCtrlC = 3;

// Waits one look, or less when a key comes. False: the person or the caller has seen enough.
bool goesOn(const Watching& watching) {
  if (watching.meanwhile && !watching.meanwhile()) return false;
  if (watching.terminal == nullptr) {
    ::poll(nullptr, 0, kLookMs);
    return true;
  }
  pollfd key{STDIN_FILENO, POLLIN, 0};
  if (::poll(&key, 1, kLookMs) <= 0) return true;
  const auto bytes = watching.terminal->read();
  return bytes && bytes->find('q') == std::string::npos && bytes->find(kCtrlC) == std::string::npos;
}

void putNow(std::string_view text) {
  put(text);
  std::fflush(stdout);
}

std::optional<recorder::CastReader> openStarted(int dir_fd, const recorder::SessionId& id, const Watching& watching) {
  for (int attempt = 0; attempt < kHeaderAttempts; ++attempt) {
    auto file = recorder::openCast(dir_fd, id);
    if (!file) {
      note(shown(file.error().text));
      return std::nullopt;
    }
    recorder::CastReader reader(std::move(*file));
    if (reader.header()) return reader;
    if (!goesOn(watching)) return std::nullopt;
  }
  note("the recording of " + id.text() + " has no header: it is damaged, or the gate died as it began");
  return std::nullopt;
}

}  // namespace

int watchCast(const Caller& caller, const std::string& session, const Watching& watching) {
  const auto directory = recorder::openDirectory(caller.dir);
  if (!directory) return fail(kNegative, shown(directory.error().text));
  const auto id = recorder::SessionId::parse(session);
  if (!id) return fail(kNegative, "the gate named a session that is none: " + shown(session));
  auto reader = openStarted(directory->get(), *id, watching);
  if (!reader) return kNegative;

  CastScreen screen(::isatty(STDOUT_FILENO) == 1);
  bool showing = watching.from_start;
  bool was_sealed = false;
  for (;;) {
    auto line = reader->next();
    if (!line) {
      putNow(screen.finish());
      return fail(kNegative, shown(line.error().text));
    }
    if (*line) {
      const auto text = screen.show(std::move(**line));
      if (!text) return fail(kNegative, shown(text.error().text));
      if (showing || screen.hasEnded()) put(*text);
      if (screen.hasEnded()) break;
      continue;
    }
    std::fflush(stdout);
    showing = true;
    // Sealed before the last look, and nothing came: it is over, though no exit was recorded (a link that was lost).
    if (was_sealed) break;
    was_sealed = recorder::isSealed(directory->get(), *id).value_or(false);
    if (!was_sealed && !goesOn(watching)) break;
  }
  putNow(screen.finish());
  return kDone;
}

namespace {

int look(const Arguments& arguments, const Caller& caller, bool from_start) {
  const Asked asked = ask(caller, "watch", {{"session", arguments.text("SESSION")}});
  if (asked.status != kDone || !asked.answer) return asked.status;
  const auto* file = asked.answer->items.empty() ? nullptr : std::get_if<control::SessionFile>(&asked.answer->items.front());
  if (file == nullptr) return fail(kNegative, "the gate gave no session for that");
  note(shown(file->session) + (file->open ? ": q or C-c ends the watching" : ": this session has ended"));
  Watching watching;
  watching.from_start = from_start || !file->open;
  std::optional<prompt::Terminal> terminal;
  if (prompt::Terminal::isUsable(STDIN_FILENO, STDOUT_FILENO)) {
    if (auto opened = prompt::Terminal::open(STDIN_FILENO, STDOUT_FILENO)) terminal.emplace(std::move(*opened));
  }
  watching.terminal = terminal ? &*terminal : nullptr;
  return watchCast(caller, file->session, watching);
}

}  // namespace

int watchSession(const Arguments& arguments, const Caller& caller) {
  return look(arguments, caller, arguments.has("--all"));
}

int followSession(const Arguments& arguments, const Caller& caller) {
  return look(arguments, caller, true);
}

}  // namespace ptygate::verbs
