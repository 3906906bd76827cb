// SPDX-License-Identifier: Apache-2.0
// One SSH channel of either leg: a bounded inbox that libssh's callbacks fill, and the calls that write. Decides nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct ssh_channel_struct;
struct ssh_session_struct;

namespace ptygate::ssh {

class Transport;

/// The two byte streams of a channel: Out is channel data (stdin towards a server, stdout towards a client), Err is extended data.
enum class Stream : std::uint8_t { Out, Err };

/// A channel's inbox holds at most this per stream; what is over stays in libssh, whose window then stops growing.
inline constexpr std::size_t kInboxBytes = 128 * 1024;
/// Requests of one kind of trouble: a client that sends more before the session answers is ended.
inline constexpr std::size_t kMaxQueuedRequests = 256;

struct ExitSignal {
  std::string name;  ///< "TERM", without SIG (RFC 4254, 6.10)
  bool core_dumped = false;
  std::string message;
};

// What a client asks on a session channel (RFC 4254, 6.2 to 6.9).
struct PtyAsk { std::string term; std::uint32_t columns = 80, rows = 24; };
struct ExecAsk { std::string command; };
struct ShellAsk {};
struct SubsystemAsk { std::string name; };
struct EnvAsk { std::string name, value; };
struct WindowAsk { std::uint32_t columns = 80, rows = 24; };
struct SignalAsk { std::string name; };
struct EndOfWriteAsk {};  ///< an unknown request; OpenSSH's eow@openssh.com is the only one that clients send
using Ask = std::variant<PtyAsk, ExecAsk, ShellAsk, SubsystemAsk, EnvAsk, WindowAsk, SignalAsk, EndOfWriteAsk>;

/// How a call that has to be repeated stands: call it again after progress, done, or refused.
enum class Step : std::uint8_t { Again, Done, Failed };

class Channel {
 public:
  /// Adopts a libssh channel of the transport's session. The Channel has to go, or to be abandoned, before the transport does.
  Channel(Transport& transport, ssh_channel_struct* channel);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // ---- incoming ----
  /// Bytes that have arrived and were not consumed. Valid until the next call on this channel.
  [[nodiscard]] std::string_view readable(Stream stream) const;
  /// Takes `bytes` off and pulls what libssh held back, since libssh offers it again only with the next packet.
  void consume(Stream stream, std::size_t bytes);
  /// Bytes had to be left in libssh, which takes a whole window (2 MiB) of them for each channel.
  [[nodiscard]] bool isFull() const { return inbox_[0].held > 0 || inbox_[1].held > 0; }
  /// The peer sent EOF and every byte before it was consumed.
  [[nodiscard]] bool atEof() const;
  /// The peer closed the channel (buffered bytes may remain), or the transport ended.
  [[nodiscard]] bool isClosed() const { return closed_; }
  [[nodiscard]] const std::optional<int>& exitStatus() const { return exit_status_; }
  [[nodiscard]] const std::optional<ExitSignal>& exitSignal() const { return exit_signal_; }
  /// What the client asked since the last call, in order. Server side only.
  [[nodiscard]] std::vector<Ask> takeAsks();

  // ---- outgoing; all are no-ops on a closed channel ----
  /// Bytes that write() may take now; 0 while the window is closed, the socket is full or the channel cannot be written to.
  [[nodiscard]] std::size_t room();
  /// Writes what window, re-key and socket allow; returns the bytes accepted, 0 = later.
  [[nodiscard]] std::size_t write(Stream stream, std::string_view bytes);
  void sendEof();
  void sendExitStatus(int status);
  void sendExitSignal(const ExitSignal& signal);
  /// Forwards a signal (RFC 4254, 6.9). Client side only.
  void sendSignal(const std::string& name);
  void close();

  // ---- opening, client side: repeat until not Again, one at a time ----
  [[nodiscard]] Step open();
  [[nodiscard]] Step requestEnv(const std::string& name, const std::string& value);
  [[nodiscard]] Step requestExec(const std::string& command);

  [[nodiscard]] ssh_channel_struct* raw() { return channel_; }
  /// The transport is gone: nothing of libssh may be touched any more.
  void abandon();
  void noteEndOfWrite() { queue(EndOfWriteAsk{}); }

  struct Callbacks;

 private:
  friend struct Callbacks;
  struct Inbox {
    std::string bytes;
    std::size_t at = 0;
    std::size_t held = 0;  ///< bytes that libssh still holds for us
  };
  void queue(Ask ask);
  void refill(Stream stream);

  Transport* transport_;
  ssh_channel_struct* channel_;
  std::unique_ptr<Callbacks> callbacks_;
  std::array<Inbox, 2> inbox_;
  std::vector<Ask> asks_;
  bool eof_ = false;
  bool closed_ = false;
  bool eof_sent_ = false;
  bool close_sent_ = false;
  bool unopened_ = false;  ///< open() has not succeeded: the peer's channel number is not known
  std::optional<int> exit_status_;
  std::optional<ExitSignal> exit_signal_;
};

}  // namespace ptygate::ssh
