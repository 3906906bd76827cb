// SPDX-License-Identifier: Apache-2.0
// A real keeper on a real directory, with workers that the test plays over their pipe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "certs/private_key.h"
#include "proxy/base/message_pipe.h"
#include "proxy/base/messages.h"
#include "proxy/keeper/keeper.h"

namespace ptygate::keeper::testing {

inline constexpr const char* kAllowAnything = "[[rule]]\nname = \"laboratory\"\nverdict = \"allow\"\nanything = true\n";
inline constexpr const char* kHoldAll = "[defaults]\nanswer_within = \"none\"\nexpires = \"5m\"\n";

/// One worker as the keeper sees it. Keeps every message it got.
class PlayedWorker {
 public:
  PlayedWorker(base::Loop& loop, base::Fd socket);
  void send(const base::ToKeeper& message) { pipe_->send(base::encode(message)); }
  void sendRaw(std::string payload) { pipe_->send(std::move(payload)); }
  /// Closes the pipe, as a crash does.
  void crash() { pipe_.reset(); }

  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> result;
    for (const base::ToWorker& message : got) {
      if (const T* value = std::get_if<T>(&message)) result.push_back(*value);
    }
    return result;
  }
  template <class T>
  [[nodiscard]] std::size_t count() const {
    return all<T>().size();
  }

  std::vector<base::ToWorker> got;
  std::vector<base::Fd> descriptors;
  bool ended = false;

 private:
  std::unique_ptr<base::MessagePipe> pipe_;
};

class World {
 public:
  /// `policy`: text of policy.toml. The agent is "builder" (key agent_key), the person "alice" (this process's Unix user, may all).
  explicit World(const std::string& policy, const std::string& more_configuration = "");
  ~World();
  void start();
  /// The keeper goes without a word, as by kill -9 (but the ledger's lock is released).
  void lose() { keeper.reset(); }

  /// Runs the loop until `done` or five seconds have passed; returns done().
  bool until(const std::function<bool()>& done);
  /// Runs what is ready until nothing has happened for a few turns: for "nothing came".
  void settle();

  [[nodiscard]] std::unique_ptr<PlayedWorker> worker(bool people = false, bool hello = true);
  /// A connection of the last worker on which builder (or alice) logged in.
  [[nodiscard]] ConnectionId login(PlayedWorker& worker, const std::string& identity = "builder");
  [[nodiscard]] base::ExecRequest exec(ConnectionId connection, std::uint64_t number, const std::string& command) const;
  /// Asks, answers the survey with "no survey", and waits until the request is decided or held.
  bool ask(PlayedWorker& worker, const base::ExecRequest& exec);
  /// Runs one control verb in a child process as this Unix user; its exit status.
  int control(const std::string& verb, const std::map<std::string, std::string>& args);
  [[nodiscard]] std::string ledger() const;

  base::Loop loop;
  std::string dir;
  certs::PublicKey agent_key;
  certs::PublicKey person_key;
  std::unique_ptr<Keeper> keeper;

 private:
  std::string root_;
  WorkerId last_worker_ = 0;
};

[[nodiscard]] std::string freshKeyBlob();

}  // namespace ptygate::keeper::testing
