// SPDX-License-Identifier: Apache-2.0
// What verbs may ask of the keeper: one table {verb, who may, handler}. Permission is the table's data; decisions are the desk's.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "proxy/keeper/connections.h"
#include "proxy/keeper/control_server.h"
#include "proxy/keeper/requests.h"
#include "proxy/keeper/surveys.h"

namespace ptygate::keeper {

class ControlVerbs {
 public:
  struct Parts {
    Gate& gate;
    Journal& journal;
    Requests& requests;
    Surveys& surveys;
    Connections& connections;
  };
  struct Hooks {
    std::function<void(ControlId, const control::ServerLine&)> send;
    /// Reads configuration and policy again. Error: why the old ones stay.
    std::function<tl::expected<std::string, std::string>(const std::string& by)> reload;
    std::function<void(const std::string& agent, const std::string& reason)> end_agent;
    std::function<control::StatusReport()> status;
  };
  ControlVerbs(Parts parts, Hooks hooks);

  void onRequest(ControlId id, const ControlCaller& caller, const control::Request& request);
  void onClosed(ControlId id);
  void onResult(const Result& result);
  void onNotice(const Notice& notice);

 private:
  /// One question while it is answered.
  struct Call {
    ControlId connection;
    const ControlCaller& caller;
    const control::Request& request;
    const config::Person* person;  ///< null unless the caller is one
    [[nodiscard]] std::string arg(const char* name) const;
  };
  using Handler = void (ControlVerbs::*)(const Call&);
  struct Row {
    const char* verb;
    unsigned who;
    Handler handler;
    std::vector<const char*> args;  ///< known ones; any other is a usage error
  };
  static const std::vector<Row>& table();
  static unsigned rightsOf(const Call& call);

  void whoami(const Call& call);
  void status(const Call& call);
  void pending(const Call& call);
  void show(const Call& call);
  void approve(const Call& call);
  void deny(const Call& call);
  void subscribe(const Call& call);
  void watch(const Call& call);
  void reload(const Call& call);
  void targets(const Call& call);
  void acceptTarget(const Call& call);
  void agents(const Call& call);
  void stopAgent(const Call& call);
  void resumeAgent(const Call& call);
  void wait(const Call& call);
  void cancel(const Call& call);

  void answer(const Call& call, bool approve);
  void reply(const Call& call, int status, std::string text);
  void item(const Call& call, control::Item value);
  [[nodiscard]] TicketId ticket(const Call& call, bool is_wait);
  [[nodiscard]] std::string who(const Call& call) const;

  struct Ticket {
    ControlId connection = 0;
    std::uint64_t request = 0;
    bool is_wait = false;
  };
  Parts parts_;
  Hooks hooks_;
  std::map<TicketId, Ticket> tickets_;
  std::map<ControlId, std::uint64_t> subscriptions_;  ///< connection → request id
};

/// A hold for people; `full`: with the whole command and the decomposition.
[[nodiscard]] control::Hold holdFor(const HoldView& view, bool full);

}  // namespace ptygate::keeper
