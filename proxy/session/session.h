// SPDX-License-Identifier: Apache-2.0
// One session channel after its exec, shell or subsystem request: the unit that is gated and recorded. Base of all kinds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "proxy/base/loop.h"
#include "proxy/base/messages.h"
#include "proxy/session/agent_voice.h"
#include "proxy/session/keeper_line.h"
#include "proxy/ssh/channel.h"

namespace ptygate::session {

class Upstreams;

/// What every session of a connection shares; outlives them.
struct SessionContext {
  base::Loop& loop;
  KeeperLine& line;
  const base::WorkerLimits& limits;
  std::uint64_t connection;  ///< "c17" in logs
  std::string identity;      ///< the agent or person
  std::string target;
  std::string login;
  Upstreams* upstreams;      ///< of target and login; nullptr for verbs
  std::function<void()> wake;  ///< asks for a progress step of the connection
};

/// What the client sent on the channel before the request that made it a session.
struct Preamble {
  bool pty = false;
  std::string term;
  std::uint32_t columns = 80;
  std::uint32_t rows = 24;
  std::string intent;
  std::map<std::string, std::string> locale;  ///< validated LANG and LC_*
  AgentVoice voice;
};

class Session {
 public:
  virtual ~Session() = default;
  /// One step: moves what can be moved. Called after anything happened on the connection; never blocks.
  virtual void progress() = 0;
  /// Nothing is left to do: the connection releases the channel and destroys the session.
  [[nodiscard]] virtual bool isDone() const = 0;
  /// The client's channel closed or its connection ended. The session cleans up; it is destroyed right after.
  virtual void onClientGone() = 0;
  /// Nothing that its target could send can be delivered before the client acts: the client's window is closed, the inbox is full, and no
  /// input waits for the target's window. While all sessions of a connection say so, the target's bytes stay in the kernel.
  [[nodiscard]] virtual bool isStuck() const { return false; }
  /// The gate ends it (shutdown, agent stopped): with 255 and `reason` where nothing ran yet.
  virtual void stop(const std::string& reason) = 0;
};

}  // namespace ptygate::session
