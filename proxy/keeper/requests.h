// SPDX-License-Identifier: Apache-2.0
// The life of a request, from a worker's question to the seal of its recording. Everything a worker says is checked against the keeper's
// own books; every decision is the desk's; nothing leaves before the ledger has it. Returns "" or why a message is illegal (the worker is
// killed).
//
//   ExecRequest ─▶ session, cast ─▶ Surveying ─▶ evaluate ─▶ StdinAsked? ─▶ Waiting (desk) ─▶ Released ─▶ Finished
//                                                                                 └──────────▶ Ended ────▶ Finished
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/base/messages.h"
#include "proxy/keeper/connections.h"
#include "proxy/keeper/desk.h"
#include "proxy/keeper/identity_agent.h"
#include "proxy/keeper/issuer.h"
#include "proxy/keeper/journal.h"
#include "proxy/keeper/surveys.h"
#include "recorder/store_paths.h"

namespace ptygate::keeper {

class Requests {
 public:
  struct Hooks {
    std::function<void(WorkerId, const base::ToWorker&, std::vector<base::Fd>)> send;
    std::function<void(const Notice&)> on_notice;  ///< after its records are on disk
    std::function<void(const Result&)> on_result;  ///< of a ticket, likewise
  };
  struct Parts {
    Gate& gate;
    Journal& journal;
    Connections& connections;
    Surveys& surveys;
    Issuer& issuer;
    IdentityAgents& identities;
  };
  Requests(Parts parts, Desk desk, WaiterId first_waiter, Hooks hooks);

  [[nodiscard]] std::string onExec(WorkerId worker, base::ExecRequest&& message);
  [[nodiscard]] std::string onSurveyResult(WorkerId worker, const base::SurveyResult& message);
  [[nodiscard]] std::string onStdinState(WorkerId worker, const base::StdinState& message);
  [[nodiscard]] std::string onWantCredential(WorkerId worker, const base::WantCredential& message);
  [[nodiscard]] std::string onLeave(WorkerId worker, const base::Leave& message);
  [[nodiscard]] std::string onFinished(WorkerId worker, const base::Finished& message);
  /// All of a lost worker's requests end; what was released and not seen to end is unknown. Their casts are mended.
  void workerGone(WorkerId worker);

  /// Gives the desk a message (of a verb) and carries out what it says.
  void apply(const Message& message);
  [[nodiscard]] TicketId newTicket() { return next_ticket_++; }
  /// Policy and configuration of now, for a request that was submitted before.
  [[nodiscard]] policy::Decision evaluateAgain(const Submission& request) const;
  [[nodiscard]] const Desk& desk() const { return desk_; }
  /// Holds of one agent, the last few, open or ended, newest first.
  struct RecentHold {
    HoldId hold = 0;
    std::string target, login;
    std::string command;  ///< its first kRecentCommandBytes
  };
  static constexpr std::size_t kRecentCommandBytes = 512;
  [[nodiscard]] std::vector<RecentHold> recentHolds(const std::string& agent) const;

  /// Graceful: every hold is cancelled, every waiter told.
  void shutDown();
  /// The ledger failed: every waiter is told that nothing ran; the desk decides no more.
  void fail(const std::string& reason);
  [[nodiscard]] std::size_t size() const { return live_.size(); }
  [[nodiscard]] std::uint64_t ofAgent(const std::string& agent) const;
  /// The session of a live request of this hold, or of this session id; empty: none.
  [[nodiscard]] bool isOpen(const std::string& session) const;

 private:
  enum class State : std::uint8_t { Surveying, StdinAsked, Waiting, Released, Ended };
  struct Live {
    WaiterId waiter = 0;
    WorkerId worker = 0;
    base::ExecRequest exec;
    State state = State::Surveying;
    std::string connection;
    std::optional<recorder::SessionId> session;
    std::shared_ptr<const policy::Account> account;
    bool makes_survey = false;
    bool had_permit = false;
    bool client_gone = false;
    policy::Decision decision;
    std::vector<std::string> view;
    bool read_only = false;
    std::string stdin_sha256;
    std::string hold;  ///< "42-k7f3", once the agent was told
    [[nodiscard]] std::string sessionText() const { return session ? session->text() : std::string(); }
  };
  using Number = std::pair<WorkerId, std::uint64_t>;

  [[nodiscard]] Live* find(WorkerId worker, std::uint64_t number);
  [[nodiscard]] std::string refusalOf(const base::ExecRequest& exec) const;
  [[nodiscard]] bool openSession(Live& live, const std::string& peer);
  [[nodiscard]] bool isSpaceLow();
  void refuse(Live& live, base::Outcome::Kind kind, const std::string& reason);

  void needAccount(Live& live);
  void orderSurvey(Live& live);
  void leaveSurvey(Live& live);
  void evaluate(Live& live);
  void submit(Live& live);
  [[nodiscard]] policy::Request policyRequest(const Live& live) const;

  void carryOut(std::vector<Effect> effects);
  struct Delivery;
  void prepareReply(const Reply& reply, std::vector<Delivery>& deliveries);
  [[nodiscard]] base::Outcome releaseOf(Live& live, const Released& released, bool& sound);
  void deliver(Delivery& delivery);
  void tellDesk(WaiterId waiter, Ending ending, int status, const std::string& signal);
  void armTimer();

  void permit(Live& live, const char* purpose);
  void forget(Live& live);
  void sealLater(const recorder::SessionId& session);
  void recoverLater(const recorder::SessionId& session);

  Parts parts_;
  Desk desk_;
  Hooks hooks_;
  std::map<WaiterId, std::unique_ptr<Live>> live_;
  std::map<Number, WaiterId> by_number_;
  std::map<WorkerId, std::uint64_t> highest_number_;
  std::map<std::string, std::uint64_t> of_agent_;
  std::map<std::string, std::deque<RecentHold>> recent_;
  base::Timer timer_;
  WaiterId next_waiter_;
  TicketId next_ticket_ = 1;
  std::optional<base::SteadyTime> space_checked_;
  bool space_low_ = false;
  bool failed_ = false;
};

}  // namespace ptygate::keeper
