// SPDX-License-Identifier: Apache-2.0
// Verbs over SSH: our own program as a child on a PTY or pipes, with a control connection that is bound to the authenticated identity.
// A child runs as the gate's user, so which verbs may start at all is decided here, before it parses a word.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/messages.h"
#include "proxy/keeper/connections.h"
#include "proxy/keeper/control_server.h"
#include "proxy/keeper/process.h"
#include "recorder/event.h"

namespace ptygate::keeper {

class VerbChildren {
 public:
  struct Hooks {
    std::function<void(WorkerId, const base::ToWorker&, std::vector<base::Fd>)> send;
    /// Takes the keeper's end of a control connection bound to this caller.
    std::function<void(base::Fd, ControlCaller)> adopt_control;
    std::function<void(const recorder::LedgerEvent&)> append;
  };
  VerbChildren(Gate& gate, Reaper& reaper, Connections& connections, Hooks hooks);
  ~VerbChildren();

  /// "" or why the message is illegal.
  [[nodiscard]] std::string onSpawn(WorkerId worker, const base::SpawnVerb& message);
  [[nodiscard]] std::string onEvent(WorkerId worker, const base::VerbEvent& message);
  void workerGone(WorkerId worker);
  void hangUpAll();
  [[nodiscard]] std::size_t size() const { return children_.size(); }

  /// Empty when this identity may start this verb; else the refusal. Public for its test.
  [[nodiscard]] static std::string refusalOf(const config::Config& config, bool people, const std::string& identity,
                                             const std::vector<std::string>& argv);

 private:
  using Key = std::pair<WorkerId, std::uint64_t>;
  struct Child {
    Key key;
    std::string identity;
    pid_t pid = -1;
    base::Fd terminal;  ///< the PTY's master, for window changes
    base::Timer killer;
  };
  [[nodiscard]] std::string limitRefusal(const std::string& identity) const;
  [[nodiscard]] tl::expected<std::vector<base::Fd>, std::string> start(Child& child, const base::SpawnVerb& message, ControlCaller caller);
  void hangUp(Child& child);
  void onExit(Key key, int wait_status);

  Gate& gate_;
  Reaper& reaper_;
  Connections& connections_;
  Hooks hooks_;
  std::map<Key, std::unique_ptr<Child>> children_;
};

}  // namespace ptygate::keeper
