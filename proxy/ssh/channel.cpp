// SPDX-License-Identifier: Apache-2.0
#include "proxy/ssh/channel.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include <algorithm>
#include <utility>

#include "proxy/ssh/transport.h"

namespace ptygate::ssh {

namespace {
constexpr std::size_t kMaxWriteBytes = 64 * 1024;
// An inbox keeps its allocation while data flows; an idle one gives it back.
constexpr std::size_t kKeepCapacityBytes = 4 * 1024;
}  // namespace

struct Channel::Callbacks {
  ssh_channel_callbacks_struct table{};

  static Channel& of(void* user) { return *static_cast<Channel*>(user); }

  static int onData(ssh_session, ssh_channel, void* data, std::uint32_t length, int is_stderr, void* user) noexcept {
    Inbox& inbox = of(user).inbox_[is_stderr != 0 ? 1 : 0];
    std::size_t room = kInboxBytes - std::min(kInboxBytes, inbox.bytes.size() - inbox.at);
    std::size_t take = std::min<std::size_t>(length, room);
    inbox.bytes.append(static_cast<const char*>(data), take);
    inbox.held = length - take;
    return int(take);
  }
  static void onEof(ssh_session, ssh_channel, void* user) noexcept { of(user).eof_ = true; }
  static void onClose(ssh_session, ssh_channel, void* user) noexcept { of(user).closed_ = true; }
  static void onExitStatus(ssh_session, ssh_channel, int status, void* user) noexcept { of(user).exit_status_ = status; }
  static void onExitSignal(ssh_session, ssh_channel, const char* signal, int core, const char* message, const char*, void* user) noexcept {
    of(user).exit_signal_ = ExitSignal{signal != nullptr ? signal : "", core != 0, message != nullptr ? message : ""};
  }
  static int onPty(ssh_session, ssh_channel, const char* term, int columns, int rows, int, int, void* user) noexcept {
    of(user).queue(PtyAsk{term != nullptr ? term : "", std::uint32_t(columns), std::uint32_t(rows)});
    return 0;
  }
  static int onWindow(ssh_session, ssh_channel, int columns, int rows, int, int, void* user) noexcept {
    of(user).queue(WindowAsk{std::uint32_t(columns), std::uint32_t(rows)});
    return 0;
  }
  static int onShell(ssh_session, ssh_channel, void* user) noexcept {
    of(user).queue(ShellAsk{});
    return 0;
  }
  static int onExec(ssh_session, ssh_channel, const char* command, void* user) noexcept {
    of(user).queue(ExecAsk{command != nullptr ? command : ""});
    return 0;
  }
  static int onSubsystem(ssh_session, ssh_channel, const char* name, void* user) noexcept {
    of(user).queue(SubsystemAsk{name != nullptr ? name : ""});
    return 0;
  }
  static int onEnv(ssh_session, ssh_channel, const char* name, const char* value, void* user) noexcept {
    // Accepted whatever it is: some client libraries fail on a refusal. Session code drops what it does not know.
    of(user).queue(EnvAsk{name != nullptr ? name : "", value != nullptr ? value : ""});
    return 0;
  }
  static void onSignal(ssh_session, ssh_channel, const char* name, void* user) noexcept {
    of(user).queue(SignalAsk{name != nullptr ? name : ""});
  }
};

Channel::Channel(Transport& transport, ssh_channel_struct* channel)
    : transport_(&transport), channel_(channel), callbacks_(std::make_unique<Callbacks>()) {
  auto& table = callbacks_->table;
  ssh_callbacks_init(&table);
  table.userdata = this;
  table.channel_data_function = Callbacks::onData;
  table.channel_eof_function = Callbacks::onEof;
  table.channel_close_function = Callbacks::onClose;
  table.channel_exit_status_function = Callbacks::onExitStatus;
  table.channel_exit_signal_function = Callbacks::onExitSignal;
  table.channel_pty_request_function = Callbacks::onPty;
  table.channel_pty_window_change_function = Callbacks::onWindow;
  table.channel_shell_request_function = Callbacks::onShell;
  table.channel_exec_request_function = Callbacks::onExec;
  table.channel_subsystem_request_function = Callbacks::onSubsystem;
  table.channel_env_request_function = Callbacks::onEnv;
  table.channel_signal_function = Callbacks::onSignal;
  ssh_set_channel_callbacks(channel_, &table);
}

Channel::~Channel() {
  if (channel_ == nullptr) return;
  ssh_remove_channel_callbacks(channel_, &callbacks_->table);
  ssh_channel_free(channel_);
}

void Channel::abandon() {
  if (channel_ != nullptr) {
    ssh_remove_channel_callbacks(channel_, &callbacks_->table);
    channel_ = nullptr;
  }
  closed_ = true;
}

std::string_view Channel::readable(Stream stream) const {
  const Inbox& inbox = inbox_[std::size_t(stream)];
  return std::string_view(inbox.bytes).substr(inbox.at);
}

void Channel::consume(Stream stream, std::size_t bytes) {
  Inbox& inbox = inbox_[std::size_t(stream)];
  inbox.at += bytes;
  if (inbox.at >= inbox.bytes.size()) {
    inbox.bytes.clear();
    inbox.at = 0;
    if (inbox.held == 0 && eof_ && inbox.bytes.capacity() > kKeepCapacityBytes) inbox.bytes.shrink_to_fit();
  } else if (inbox.at > kInboxBytes / 2) {
    inbox.bytes.erase(0, inbox.at);
    inbox.at = 0;
  }
  if (inbox.held > 0) refill(stream);
}

void Channel::refill(Stream stream) {
  Inbox& inbox = inbox_[std::size_t(stream)];
  if (channel_ == nullptr) {
    inbox.held = 0;
    return;
  }
  std::size_t used = inbox.bytes.size() - inbox.at;
  if (used >= kInboxBytes / 2) return;  // worth a read only in larger pieces
  std::size_t want = std::min(inbox.held, kInboxBytes - used);
  std::size_t before = inbox.bytes.size();
  inbox.bytes.resize(before + want);
  // Only bytes that libssh holds are asked for: on an empty buffer this call would poll the socket and re-enter.
  int got = ssh_channel_read_nonblocking(channel_, inbox.bytes.data() + before, std::uint32_t(want), stream == Stream::Err ? 1 : 0);
  std::size_t read = got > 0 ? std::size_t(got) : 0;
  // The read may have run our data callback, which appends behind the room made here; it then also set `held` anew.
  if (inbox.bytes.size() == before + want) {
    inbox.bytes.resize(before + read);
  } else if (read < want) {
    inbox.bytes.erase(before + read, want - read);
  }
  inbox.held = got <= 0 ? 0 : inbox.held - std::min(inbox.held, read);
}

bool Channel::atEof() const {
  auto empty = [](const Inbox& inbox) { return inbox.at == inbox.bytes.size() && inbox.held == 0; };
  return (eof_ || closed_) && empty(inbox_[0]) && empty(inbox_[1]);
}

std::vector<Ask> Channel::takeAsks() { return std::exchange(asks_, {}); }

void Channel::queue(Ask ask) {
  if (asks_.size() >= kMaxQueuedRequests) {
    closed_ = true;
    return;
  }
  asks_.push_back(std::move(ask));
}

std::size_t Channel::room() {
  if (channel_ == nullptr || closed_ || eof_sent_ || close_sent_) return 0;
  transport_->flush();
  // The flush may have read: a close or the end of the transport counts at once.
  if (closed_ || transport_->isWritePending()) return 0;
  return std::min<std::size_t>(ssh_channel_window_size(channel_), kMaxWriteBytes);
}

std::size_t Channel::write(Stream stream, std::string_view bytes) {
  std::size_t length = std::min(bytes.size(), room());
  if (length == 0) return 0;
  int wrote = stream == Stream::Err ? ssh_channel_write_stderr(channel_, bytes.data(), std::uint32_t(length))
                                    : ssh_channel_write(channel_, bytes.data(), std::uint32_t(length));
  if (wrote < 0 && wrote != SSH_AGAIN) {
    closed_ = true;
    return 0;
  }
  return wrote > 0 ? std::size_t(wrote) : 0;
}

void Channel::sendEof() {
  if (channel_ == nullptr || eof_sent_ || close_sent_ || unopened_) return;
  eof_sent_ = true;
  ssh_channel_send_eof(channel_);
}

void Channel::sendExitStatus(int status) {
  if (channel_ != nullptr && !close_sent_) ssh_channel_request_send_exit_status(channel_, status);
}

void Channel::sendExitSignal(const ExitSignal& signal) {
  if (channel_ == nullptr || close_sent_) return;
  ssh_channel_request_send_exit_signal(channel_, signal.name.c_str(), signal.core_dumped ? 1 : 0, signal.message.c_str(), "");
}

void Channel::sendSignal(const std::string& name) {
  if (channel_ != nullptr && !closed_ && !close_sent_) ssh_channel_request_send_signal(channel_, name.c_str());
}

void Channel::close() {
  if (channel_ == nullptr || close_sent_) return;
  close_sent_ = true;
  // libssh would send EOF and CLOSE for the peer's channel 0, which is another command's.
  if (!unopened_) ssh_channel_close(channel_);
}

namespace {
Step stepOf(int rc) { return rc == SSH_OK ? Step::Done : rc == SSH_AGAIN ? Step::Again : Step::Failed; }
}  // namespace

Step Channel::open() {
  if (channel_ == nullptr) return Step::Failed;
  unopened_ = true;
  Step step = stepOf(ssh_channel_open_session(channel_));
  unopened_ = step != Step::Done;
  return step;
}
Step Channel::requestEnv(const std::string& name, const std::string& value) {
  return channel_ == nullptr ? Step::Failed : stepOf(ssh_channel_request_env(channel_, name.c_str(), value.c_str()));
}
Step Channel::requestExec(const std::string& command) {
  return channel_ == nullptr ? Step::Failed : stepOf(ssh_channel_request_exec(channel_, command.c_str()));
}

}  // namespace ptygate::ssh
