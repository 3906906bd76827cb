// SPDX-License-Identifier: Apache-2.0
// A verb over SSH: a child of the keeper's, whose terminal or pipes are joined to the client's channel. Gated by the keeper's verb table.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/base/fd.h"
#include "proxy/session/farewell.h"
#include "proxy/session/session.h"

namespace ptygate::session {

class VerbSession final : public Session, private KeeperListener {
 public:
  /// Splits `command` into words as a shell would with quotes only; asks the keeper to spawn the verb.
  VerbSession(const SessionContext& context, ssh::Channel& client, const std::string& command, const Preamble& preamble);
  ~VerbSession() override;

  void progress() override;
  [[nodiscard]] bool isDone() const override { return state_ == State::Done; }
  void onClientGone() override;
  void stop(const std::string& reason) override;

 private:
  enum class State : std::uint8_t { Asked, Running, Ending, Done };
  /// One descriptor of the verb's, joined to one stream.
  struct Pipe {
    base::Fd fd;
    base::Poll poll;
    bool readable = false;  ///< the poll said so, or nothing was tried yet
    bool writable = true;
    bool ended = false;
  };
  void onKeeper(const base::ToWorker& message, std::vector<base::Fd> descriptors) override;
  void takeAsks();
  bool moveOutput(Pipe& pipe, ssh::Stream stream);
  bool moveInput();
  void watch(Pipe& pipe, bool output);
  Pipe& input() { return pty_ ? output_ : input_; }

  SessionContext context_;
  ssh::Channel& client_;
  State state_ = State::Asked;
  std::uint64_t request_ = 0;
  bool pty_ = false;
  Pipe input_, output_, error_;
  bool exited_ = false;
  int status_ = kExitTrouble;
  std::string signal_;
  Farewell farewell_;
  base::Timer farewell_timer_;
};

/// The words of a verb's command line: blanks separate, '…' and "…" group, backslash quotes one character. Nothing is expanded.
/// nullopt: an open quote.
[[nodiscard]] std::optional<std::vector<std::string>> splitWords(const std::string& command);

}  // namespace ptygate::session
