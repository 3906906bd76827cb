// SPDX-License-Identifier: Apache-2.0
// The keeper: composes its parts, routes messages, reloads, stops. Holds the power (user CA, identity keys, desk, ledger), parses no SSH.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "proxy/keeper/control_server.h"
#include "proxy/keeper/control_verbs.h"
#include "proxy/keeper/dialer.h"
#include "proxy/keeper/listeners.h"
#include "proxy/keeper/recovery.h"
#include "proxy/keeper/requests.h"
#include "proxy/keeper/verb_children.h"
#include "proxy/keeper/workers.h"

namespace ptygate::keeper {

struct KeeperOptions {
  std::string dir;
  std::string program = "/proc/self/exe";  ///< what workers and verbs are started from
  bool start_workers = true;               ///< false: a test plays them (Keeper::adoptWorker)
};

/// `ptygate serve`: runs until SIGTERM, SIGINT or a failure; the process's exit status (0 after a graceful stop). Logs to stderr.
[[nodiscard]] int runKeeper(const KeeperOptions& options);

class Keeper {
 public:
  /// Loads everything, mends what a crash left, listens, starts workers. Error: text that says what, where and what to do.
  [[nodiscard]] static tl::expected<std::unique_ptr<Keeper>, std::string> start(base::Loop& loop, const KeeperOptions& options);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Stops taking, cancels what is held, ends connections, waits for the workers at most kShutdownGrace; then the loop is stopped.
  void stop(const std::string& reason);
  /// Error: why the old configuration stays.
  [[nodiscard]] tl::expected<std::string, std::string> reload(const std::string& by);
  /// 0 after a graceful stop, 1 after a failure.
  [[nodiscard]] int exitStatus() const { return exit_status_; }

  /// For tests: a worker that the test plays, and a client that it says it accepted.
  [[nodiscard]] WorkerId adoptWorker(base::Fd socket, bool people) { return workers_.adopt(std::move(socket), people); }
  [[nodiscard]] ConnectionId openConnection(WorkerId worker, base::Fd socket, const std::string& peer);
  [[nodiscard]] const Requests& requests() const { return *requests_; }
  [[nodiscard]] std::vector<std::string> listeners() const { return listeners_.describe(); }
  [[nodiscard]] control::StatusReport status() const;

  static constexpr std::chrono::milliseconds kShutdownGrace{5000};

 private:
  Keeper(base::Loop& loop, const KeeperOptions& options);
  [[nodiscard]] tl::expected<void, std::string> load();
  [[nodiscard]] tl::expected<void, std::string> openStore();
  [[nodiscard]] tl::expected<void, std::string> openDoors(bool start_workers);
  void writePorts() const;

  [[nodiscard]] std::string onMessage(WorkerId worker, base::ToKeeper message);
  void onWorkerGone(WorkerId worker);
  bool takeClient(Listeners::Accepted client);
  [[nodiscard]] base::Configure configuration(bool people, bool first) const;
  void learnUsers();
  [[nodiscard]] ControlCaller identify(uid_t uid) const;
  void endAgent(const std::string& agent, const std::string& reason);
  void endStale();
  void onLedgerFailure(const std::string& reason);
  void finishStop();

  [[nodiscard]] std::string on(WorkerId worker, base::LoggedIn&& message);
  [[nodiscard]] std::string on(WorkerId worker, base::ConnectionEnded&& message);
  [[nodiscard]] std::string on(WorkerId worker, base::Dial&& message);
  [[nodiscard]] std::string on(WorkerId worker, base::Refused&& message);
  [[nodiscard]] std::string on(WorkerId worker, base::Alarm&& message);
  [[nodiscard]] std::string on(WorkerId worker, base::Hello&&);
  [[nodiscard]] std::string on(WorkerId worker, base::ExecRequest&& message) { return requests_->onExec(worker, std::move(message)); }
  [[nodiscard]] std::string on(WorkerId worker, base::SurveyResult&& message) { return requests_->onSurveyResult(worker, message); }
  [[nodiscard]] std::string on(WorkerId worker, base::StdinState&& message) { return requests_->onStdinState(worker, message); }
  [[nodiscard]] std::string on(WorkerId worker, base::WantCredential&& message) { return requests_->onWantCredential(worker, message); }
  [[nodiscard]] std::string on(WorkerId worker, base::Leave&& message) { return requests_->onLeave(worker, message); }
  [[nodiscard]] std::string on(WorkerId worker, base::Finished&& message) { return requests_->onFinished(worker, message); }
  [[nodiscard]] std::string on(WorkerId worker, base::SpawnVerb&& message) { return verbs_.onSpawn(worker, message); }
  [[nodiscard]] std::string on(WorkerId worker, base::VerbEvent&& message) { return verbs_.onEvent(worker, message); }

  Gate gate_;
  Reaper reaper_;
  Connections connections_;
  Issuer issuer_;
  IdentityAgents identities_;
  Dialer dialer_;
  Workers workers_;
  Listeners listeners_;
  ControlServer control_;
  VerbChildren verbs_;
  std::unique_ptr<Surveys> surveys_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Requests> requests_;
  std::unique_ptr<ControlVerbs> control_verbs_;
  std::map<uid_t, ControlCaller> users_;
  std::map<WorkerId, std::uint64_t> alarms_;
  base::Timer stop_timer_;
  std::string stop_reason_;
  int exit_status_ = 0;
  bool failed_ = false;
};

}  // namespace ptygate::keeper
