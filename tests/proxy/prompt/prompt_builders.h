// SPDX-License-Identifier: Apache-2.0
// Builders and readers for the prompt's tests.
#pragma once

#include <string>
#include <vector>

#include "proxy/prompt/prompt.h"

namespace ptygate::prompt::testing {

inline WallTime at(std::int64_t seconds) {
  return WallTime{} + std::chrono::seconds(1'000'000 + seconds);
}

inline HoldShown aHold(std::uint64_t id = 42, std::string tag = "k7f3", std::string command = "systemctl restart api") {
  HoldShown hold;
  hold.id = id;
  hold.tag = std::move(tag);
  hold.session = "20260101-000000-aaaaa";
  hold.agent = "bot";
  hold.owner = "bob";
  hold.intent = "restart after deploy";
  hold.target = "web1";
  hold.login = "deploy";
  hold.labels = {{"env", "staging"}};
  hold.context = "exec";
  hold.command = std::move(command);
  hold.rule = "service restarts";
  hold.reason = "restarts need a person";
  hold.reviewers = {"role=ops"};
  hold.expires_at = at(300);
  return hold;
}

/// A prompt with its clock and everything it did.
struct Reviewer {
  explicit Reviewer(Prompt::Options options = {.person = "alice", .colour = false}) : prompt(std::move(options)) {}

  std::vector<Action> send(const Event& event) {
    const std::vector<Action> actions = prompt.apply(event, now);
    for (const Action& action : actions) {
      if (const auto* write = std::get_if<Write>(&action)) screen += write->text;
      if (const auto* ask = std::get_if<Ask>(&action)) asks.push_back(*ask);
      if (const auto* watch = std::get_if<Watch>(&action)) watched.push_back(watch->session);
      if (std::holds_alternative<Bell>(action)) ++bells;
      if (std::holds_alternative<Quit>(action)) ++quits;
    }
    return actions;
  }
  /// Types after the person had time to look.
  void type(const std::string& bytes) {
    pass(std::chrono::milliseconds(1500));
    send(Keys{bytes});
  }
  void pass(std::chrono::milliseconds time) { now += time; }

  Prompt prompt;
  WallTime now = at(0);
  std::string screen;
  std::vector<Ask> asks;
  std::vector<std::string> watched;
  int bells = 0;
  int quits = 0;
};

}  // namespace ptygate::prompt::testing
