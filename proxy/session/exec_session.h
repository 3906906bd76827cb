// SPDX-License-Identifier: Apache-2.0
// One exec request, from the question to the seal: asks the keeper, waits, forwards exactly what was released, records, relays the end.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "policy/request.h"
#include "proxy/session/farewell.h"
#include "proxy/session/pump.h"
#include "proxy/session/session.h"
#include "proxy/session/upstreams.h"

namespace ptygate::session {

/// How long a session waits for a first byte or EOF on stdin when the keeper asks whether code comes that way (StdinCheck).
inline constexpr std::chrono::milliseconds kStdinGrace{200};
/// A survey that takes longer is given up; the request is then held.
inline constexpr std::chrono::seconds kSurveyLimit{20};
/// A cast is synced at least this often while bytes flow (recording.md, "Durability").
inline constexpr std::chrono::milliseconds kSyncEvery{1000};
inline constexpr std::uint64_t kSyncBytes = 4 * 1024 * 1024;
/// Lines of the gate's that wait for the client's window; more are dropped.
inline constexpr std::size_t kMaxPendingWords = 16 * 1024;

class ExecSession final : public Session, private KeeperListener {
 public:
  /// Asks the keeper at once. `client` is the channel; the connection owns it and keeps it until isDone().
  ExecSession(const SessionContext& context, ssh::Channel& client, std::string command, Preamble preamble);
  ~ExecSession() override;

  void progress() override;
  [[nodiscard]] bool isDone() const override { return state_ == State::Done; }
  void onClientGone() override;
  [[nodiscard]] bool isStuck() const override;
  void stop(const std::string& reason) override;

 private:
  enum class State : std::uint8_t {
    Asked,     ///< the keeper has the request; surveys, stdin checks and the wait for people happen here
    Starting,  ///< released; the upstream channel is being opened
    Running,   ///< the target runs it; bytes move
    Ending,    ///< the last words to the client
    Done,
  };
  void onKeeper(const base::ToWorker& message, std::vector<base::Fd> descriptors) override;
  void onSyncFailed() override;
  void openRecording(const base::SessionOpened& opened, std::vector<base::Fd> descriptors);
  void onOutcome(const base::Outcome& outcome);
  void release(const base::Outcome& outcome);
  void takeAsks();
  void progressSurvey();
  void endSurvey(std::string error, bool unreachable);
  void progressStdinCheck();
  void answerStdinCheck(bool over_limit);
  void progressRunning();
  bool moveOutput();
  bool moveInput();
  bool forwardHeldInput();
  void finishRunning();
  void say(const std::string& line);
  void flushWords();
  void noteDirty();
  void recorderFailed();
  /// Seals the recording, tells the keeper, and begins the farewell (or is Done at once when the client is gone).
  void end(Farewell farewell, base::Finished finished, std::optional<int> cast_status);

  SessionContext context_;
  ssh::Channel& client_;
  Preamble preamble_;
  std::string command_;
  State state_ = State::Asked;
  std::uint64_t request_ = 0;
  std::string session_id_;
  std::optional<recorder::Recording> recording_;
  std::unique_ptr<UpstreamExec> exec_;

  std::unique_ptr<UpstreamExec> survey_;
  std::string survey_output_;
  bool survey_eof_sent_ = false;
  base::Timer survey_timer_;

  bool checking_stdin_ = false;
  bool check_to_eof_ = false;
  base::Timer stdin_timer_;
  std::string held_stdin_;
  std::size_t held_sent_ = 0;
  std::size_t held_recorded_ = 0;

  policy::StdinRule stdin_rule_ = policy::StdinRule::None;
  bool stdin_noted_ = false;
  bool stdin_eof_sent_ = false;
  bool eof_forwarded_ = false;
  bool client_gone_ = false;
  Pump out_{ssh::Stream::Out, ssh::Stream::Out, recorder::CastEvent::Kind::Output};
  Pump err_{ssh::Stream::Err, ssh::Stream::Err, recorder::CastEvent::Kind::Error};
  Pump in_{ssh::Stream::Out, ssh::Stream::Out, recorder::CastEvent::Kind::Stdin};
  std::string words_;
  Farewell farewell_;
  base::Timer farewell_timer_;
  base::Timer sync_timer_;
  std::uint64_t synced_ = 0;
};

}  // namespace ptygate::session
