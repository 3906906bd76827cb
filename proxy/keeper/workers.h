// SPDX-License-Identifier: Apache-2.0
// The supervisor of worker processes: starts them, gives each its pipe, ends one that sends what it must not, replaces what died.
// Not here: what messages mean (dispatch in keeper.cpp).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/base/message_pipe.h"
#include "proxy/base/messages.h"
#include "proxy/keeper/gate.h"
#include "proxy/keeper/process.h"

namespace ptygate::keeper {

class Workers {
 public:
  struct Hooks {
    /// One message. Not empty: why it is illegal; the worker is killed.
    std::function<std::string(WorkerId, base::ToKeeper)> on_message;
    /// The worker is gone; whatever it had is lost. Called before its replacement starts.
    std::function<void(WorkerId)> on_gone;
    /// Said Hello for the first time: it may get connections.
    std::function<void(WorkerId)> on_ready;
    /// What to configure a worker with; `first`: with the host key.
    std::function<base::Configure(bool people, bool first)> configure;
  };
  struct Info {
    WorkerId id = 0;
    bool people = false;
    pid_t pid = -1;
    std::optional<base::Hello> hello;
    std::uint64_t load = 0;  ///< connections given to it
  };

  Workers(Gate& gate, Reaper& reaper, Hooks hooks);
  ~Workers();

  /// Starts `agents` workers and one for people, and keeps that many alive.
  void start(std::uint64_t agents, bool people);
  /// Takes a socket as a worker of its own, without a process and without replacement. For tests that play the worker.
  WorkerId adopt(base::Fd socket, bool people);

  /// The ready worker of this kind with the least connections; 0: none now.
  [[nodiscard]] WorkerId pick(bool people) const;
  void addLoad(WorkerId id, int change);

  /// Sends one message with the descriptors that belong to it. A worker that is gone gets nothing (and descriptors close).
  void send(WorkerId id, const base::ToWorker& message, std::vector<base::Fd> descriptors = {});
  void configureAll();
  void sendToAll(const base::ToWorker& message);
  /// From now on nothing is replaced.
  void stopReplacing() { replacing_ = false; }
  void killAll();

  [[nodiscard]] std::vector<Info> list() const;
  [[nodiscard]] bool isPeople(WorkerId id) const;
  [[nodiscard]] std::size_t size() const { return workers_.size(); }

 private:
  struct Slot {
    bool people = false;
    WorkerId worker = 0;
    std::chrono::milliseconds backoff;
    base::SteadyTime started;
    base::Timer timer;
  };
  struct Worker {
    Info info;
    std::size_t slot = 0;  ///< kNoSlot: adopted
    std::unique_ptr<base::MessagePipe> pipe;
    base::Timer hello_timer;  ///< a worker that does not get as far as Hello is replaced
    bool ended = false;
  };
  void spawn(std::size_t slot);
  void attach(WorkerId id, base::Fd socket, bool people, pid_t pid, std::size_t slot);
  bool onFrame(WorkerId id, std::string_view payload);
  void onEnd(WorkerId id, const std::string& reason);
  void replaceLater(std::size_t slot);

  Gate& gate_;
  Reaper& reaper_;
  Hooks hooks_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::map<WorkerId, Worker> workers_;
  WorkerId next_ = 1;
  bool replacing_ = true;
};

}  // namespace ptygate::keeper
