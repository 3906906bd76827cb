// SPDX-License-Identifier: Apache-2.0
// `review`: joins prompt::Prompt (which holds all behaviour), the control connection and the terminal. Decides nothing.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <optional>

#include "proxy/control/client.h"
#include "proxy/prompt/prompt.h"
#include "proxy/prompt/terminal.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/gate_client.h"
#include "proxy/verbs/print.h"
#include "proxy/verbs/watch.h"

namespace ptygate::verbs {

namespace {

using namespace std::chrono_literals;

prompt::WallTime now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

prompt::HoldShown holdOf(const control::Hold& hold) {
  prompt::HoldShown shown_hold;
  shown_hold.id = hold.id;
  shown_hold.tag = hold.tag;
  shown_hold.session = hold.session;
  shown_hold.agent = hold.agent;
  shown_hold.owner = hold.owner;
  shown_hold.intent = hold.intent;
  shown_hold.target = hold.target;
  shown_hold.login = hold.login;
  shown_hold.labels = hold.labels;
  shown_hold.context = "exec";
  shown_hold.command = hold.command;
  shown_hold.rule = hold.rule;
  shown_hold.reason = hold.reason;
  shown_hold.view = hold.lines;
  shown_hold.approvals_needed = hold.approvals_needed;
  shown_hold.approved_by = hold.approved_by;
  shown_hold.attached = hold.attached;
  if (hold.expires_ms) shown_hold.expires_at = prompt::WallTime(std::chrono::milliseconds(*hold.expires_ms));
  return shown_hold;
}

class Review {
 public:
  Review(const Caller& caller, control::Client& client, const std::string& person, std::optional<prompt::Terminal> terminal)
      : caller_(caller), client_(client), terminal_(std::move(terminal)), prompt_(optionsFor(person)) {}

  int run() {
    while (!is_over_) {
      if (!takeEvents()) break;
      waitOnce();
    }
    return status_;
  }

 private:
  prompt::Prompt::Options optionsFor(const std::string& person) {
    prompt::Prompt::Options options;
    options.person = person;
    options.is_terminal = terminal_.has_value();
    const char* no_color = std::getenv("NO_COLOR");
    options.colour = terminal_.has_value() && (no_color == nullptr || *no_color == '\0');
    if (terminal_) {
      size_ = terminal_->size();
      options.columns = size_.columns;
      options.rows = size_.rows;
    }
    return options;
  }

  // Everything that the gate has told up to now. False: the gate is gone.
  bool takeEvents() {
    while (!is_over_) {
      auto event = client_.nextEvent(0ms);
      if (!event) {
        write("\n");
        status_ = fail(event.error().status, shown(event.error().text));
        return false;
      }
      if (!*event) return true;
      apply(std::move(**event));
    }
    return true;
  }

  void apply(control::Event event) {
    switch (event.kind) {
      case control::Event::Kind::Hold: {
        // A person approves what is on the screen, so what did not come whole is not put there.
        if (event.hold.command.size() != event.hold.command_bytes) {
          write("hold " + std::to_string(event.hold.id) + " is too long for this prompt: ptygate show " + std::to_string(event.hold.id) +
                "\n");
        } else if (ready_) {
          feed(prompt::Updated{holdOf(event.hold)});
        } else {
          first_.holds.push_back(holdOf(event.hold));
        }
        break;
      }
      case control::Event::Kind::Ready:
        ready_ = true;
        feed(std::move(first_));
        break;
      case control::Event::Kind::Gone:
        feed(prompt::Gone{event.gone, event.what + (event.text.empty() ? "" : " " + event.text)});
        break;
    }
  }

  void waitOnce() {
    // In a pipe, answers are there before the holds are: they wait. On a terminal, Q has to work at any time.
    const bool reads_input = !input_ended_ && (terminal_ || ready_);
    pollfd ready[2] = {{reads_input ? STDIN_FILENO : -1, POLLIN, 0}, {client_.fd(), POLLIN, 0}};
    const int count = ::poll(ready, 2, 1000);
    if (count > 0 && ready[0].revents != 0) readKeys();
    if (is_over_) return;
    if (terminal_) {
      const prompt::Size size = terminal_->size();
      if (size.columns != size_.columns || size.rows != size_.rows) {
        size_ = size;
        feed(prompt::Resize{size.columns, size.rows});
      }
    }
    feed(prompt::Tick{});
  }

  void readKeys() {
    std::optional<std::string> bytes;
    if (terminal_) {
      bytes = terminal_->read();
    } else {
      std::string chunk(4096, '\0');
      const ssize_t got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
      if (got > 0) bytes = chunk.substr(0, static_cast<std::size_t>(got));
    }
    if (bytes) {
      feed(prompt::Keys{std::move(*bytes)});
    } else {
      input_ended_ = true;
      feed(prompt::EndOfInput{});
    }
  }

  void feed(const prompt::Event& event) {
    std::deque<prompt::Action> actions;
    const auto take = [&](const prompt::Event& each) {
      for (auto& action : prompt_.apply(each, now())) actions.push_back(std::move(action));
    };
    take(event);
    while (!actions.empty() && !is_over_) {
      const prompt::Action action = std::move(actions.front());
      actions.pop_front();
      if (const auto* text = std::get_if<prompt::Write>(&action)) write(text->text);
      if (std::holds_alternative<prompt::Bell>(action)) write("\a");
      if (const auto* question = std::get_if<prompt::Ask>(&action)) take(answerOf(*question));
      if (const auto* watch = std::get_if<prompt::Watch>(&action)) {
        watchSessionOf(watch->session);
        take(prompt::Redraw{});
      }
      if (std::holds_alternative<prompt::Quit>(action)) is_over_ = true;
    }
  }

  prompt::Event answerOf(const prompt::Ask& question) {
    std::map<std::string, std::string> args{{"hold", std::to_string(question.id) + "-" + question.tag}};
    if (!question.reason.empty()) args["reason"] = question.reason;
    if (!question.approve) {
      if (question.reason.empty()) args["reason"] = "denied by a reviewer";
      args["retry"] = question.may_change_and_retry ? "change-and-retry" : "stop-and-report";
    }
    const auto answer = client_.call(question.approve ? "approve" : "deny", args);
    if (!answer) {
      status_ = answer.error().status;
      is_over_ = true;
      return prompt::Answered{question.id, false, answer.error().text};
    }
    return prompt::Answered{question.id, answer->end.status == kDone, answer->end.text};
  }

  void watchSessionOf(const std::string& session) {
    Watching watching;
    watching.from_start = true;
    watching.terminal = terminal_ ? &*terminal_ : nullptr;
    // The gate drops a subscriber that does not read, so read on; what came is for the prompt afterwards.
    watching.meanwhile = [this] {
      for (;;) {
        auto event = client_.nextEvent(0ms);
        if (!event) return false;  // the prompt's own next look says why
        if (!*event) return !is_over_;
        if ((*event)->kind == control::Event::Kind::Hold && (*event)->what == "new") {
          write("\a");
          note("a new hold waits; q returns to the prompt");
        }
        later_.push_back(std::move(**event));
      }
    };
    const int status = watchCast(caller_, session, watching);
    if (status != kDone) write("(the session cannot be watched)\n");
    std::deque<control::Event> events = std::exchange(later_, {});
    for (auto& event : events) apply(std::move(event));
  }

  void write(std::string_view text) {
    if (terminal_) {
      if (!terminal_->write(text)) is_over_ = true;
    } else {
      put(text);
      std::fflush(stdout);
    }
  }

  const Caller& caller_;
  control::Client& client_;
  std::optional<prompt::Terminal> terminal_;
  prompt::Size size_;
  prompt::Prompt prompt_;
  prompt::Snapshot first_;
  std::deque<control::Event> later_;
  bool ready_ = false;
  bool input_ended_ = false;
  bool is_over_ = false;
  int status_ = kDone;
};

}  // namespace

int review(const Arguments&, const Caller& caller) {
  const Asked who = ask(caller, "whoami");
  if (who.status != kDone || !who.answer) return who.status;
  const auto* me = who.answer->items.empty() ? nullptr : std::get_if<control::WhoAmI>(&who.answer->items.front());
  if (me == nullptr) return fail(kUnreachable, "the gate did not say who you are");
  control::Client* client = gate(caller);
  if (auto subscribed = client->subscribeHolds(); !subscribed) return fail(subscribed.error().status, shown(subscribed.error().text));
  std::optional<prompt::Terminal> terminal;
  if (prompt::Terminal::isUsable(STDIN_FILENO, STDOUT_FILENO)) {
    auto opened = prompt::Terminal::open(STDIN_FILENO, STDOUT_FILENO);
    if (!opened) return fail(kNegative, opened.error());
    terminal.emplace(std::move(*opened));
  }
  return Review(caller, *client, me->name, std::move(terminal)).run();
}

}  // namespace ptygate::verbs
