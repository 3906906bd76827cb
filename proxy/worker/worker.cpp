// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker/worker.h"

#include <openssl/crypto.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <memory>

#include "proxy/base/log.h"
#include "proxy/base/message_pipe.h"
#include "proxy/base/messages.h"
#include "proxy/ssh/client_leg.h"
#include "proxy/worker/confine.h"
#include "proxy/worker/connection.h"
#include "proxy/worker/directory.h"

namespace ptygate::worker {

namespace {

constexpr int kMallocThreshold = 128 * 1024;

class Worker final : public session::KeeperLine {
 public:
  explicit Worker(int keeper_fd)
      : pipe_(loop_, base::Fd(keeper_fd), true,
              {[this](std::string_view payload, std::vector<base::Fd> descriptors) { return onFrame(payload, std::move(descriptors)); },
               [this](const std::string&) { loop_.stop(); }}),
        stop_timer_(loop_) {}

  int run(const Confinement& confinement) {
    send(base::Hello{std::uint64_t(::getpid()), confinement.no_new_privs, confinement.seccomp, confinement.landlock});
    loop_.run();
    return status_;
  }

  // ---- session::KeeperLine ----
  std::uint64_t open(session::KeeperListener& listener) override {
    listeners_.emplace(++last_number_, &listener);
    return last_number_;
  }
  void forget(std::uint64_t number) override { listeners_.erase(number); }
  void send(const base::ToKeeper& message) override { pipe_.send(base::encode(message)); }
  void sync(base::Fd cast, std::uint64_t request) override {
    syncThen(std::move(cast), [this, request](bool ok) {
      auto found = listeners_.find(request);
      if (!ok && found != listeners_.end()) found->second->onSyncFailed();
    });
  }
  void finish(base::Fd cast, base::Finished finished) override {
    if (!cast.valid()) return send(finished);
    ++finishing_;
    syncThen(std::move(cast), [this, finished = std::move(finished)](bool ok) mutable {
      if (!ok && finished.error.empty()) finished.error = "the recording could not be synced";
      send(finished);
      --finishing_;
      stopWhenEmpty();
    });
  }

 private:
  void syncThen(base::Fd cast, std::function<void(bool)> done) {
    struct Job {
      base::Fd fd;
      bool ok = false;
    };
    auto job = std::make_shared<Job>();  // two closures share it; only one of them runs at a time
    job->fd = std::move(cast);
    loop_.inPool([job] { job->ok = ::fdatasync(job->fd.get()) == 0; }, [job, done = std::move(done)] { done(job->ok); });
  }

  bool onFrame(std::string_view payload, std::vector<base::Fd> descriptors) {
    auto message = base::decodeToWorker(payload);
    if (!message || descriptors.size() != std::size_t(base::descriptorsOf(*message))) {
      base::log(base::LogLevel::Error, "keeper_message_refused", {{"why", message ? "descriptors" : message.error()}});
      return false;
    }
    if (auto* configure = std::get_if<base::Configure>(&*message)) return onConfigure(std::move(*configure));
    if (auto* accept = std::get_if<base::Accept>(&*message)) return onAccept(*accept, std::move(descriptors[0]));
    if (auto* end = std::get_if<base::EndConnections>(&*message)) return onEnd(*end);
    std::uint64_t number = std::visit([](const auto& m) { return numberOf(m); }, *message);
    auto found = listeners_.find(number);
    // Absent: the session ended while the answer was on its way.
    if (found != listeners_.end()) found->second->onKeeper(*message, std::move(descriptors));
    return true;
  }

  template <class Message>
  static std::uint64_t numberOf(const Message& message) {
    if constexpr (requires { message.request; }) return message.request;
    if constexpr (requires { message.dial; }) return message.dial;
    if constexpr (requires { message.ticket; }) return message.ticket;
    return 0;
  }

  bool onConfigure(base::Configure configure) {
    if (!identity_) {
      auto identity = ssh::ServerIdentity::create(configure.host_key);
      if (!identity) {
        base::log(base::LogLevel::Error, "host_key_refused", {{"why", identity.error()}});
        status_ = 1;
        loop_.stop();
        return true;
      }
      identity_ = std::move(*identity);
    }
    OPENSSL_cleanse(configure.host_key.data(), configure.host_key.size());
    configure.host_key.clear();
    directory_ = std::make_unique<Directory>(std::move(configure));
    for (auto& [number, connection] : connections_) {
      if (!connection->identity().empty() && !directory_->knows(connection->identity())) connection->stop("this key may no longer connect");
    }
    return true;
  }

  bool onAccept(const base::Accept& accept, base::Fd socket) {
    if (!identity_ || !directory_) return false;
    WorkerContext context{loop_, *this, *identity_, directory_};
    auto connection = Connection::create(context, accept.connection, std::move(socket), std::nullopt, [this, number = accept.connection] {
      connections_.erase(number);
      stopWhenEmpty();
    });
    if (connection) {
      connections_.emplace(accept.connection, std::move(connection));
    } else {
      send(base::ConnectionEnded{accept.connection, "the socket could not be served"});
    }
    return true;
  }

  bool onEnd(const base::EndConnections& end) {
    const bool all = end.identity.empty() && end.connection == 0;
    for (auto& [number, connection] : connections_) {
      if (all || number == end.connection || (!end.identity.empty() && connection->identity() == end.identity)) connection->stop(end.reason);
    }
    if (all) {
      stopping_ = true;
      stopWhenEmpty();
    }
    return true;
  }

  void stopWhenEmpty() {
    if (!stopping_ || !connections_.empty() || finishing_ > 0) return;
    // Whatever the pipe still holds goes out first.
    if (pipe_.queuedBytes() > 0) {
      stop_timer_.start(std::chrono::milliseconds(10), [this] { stopWhenEmpty(); });
      return;
    }
    loop_.stop();
  }

  base::Loop loop_;
  base::MessagePipe pipe_;
  base::Timer stop_timer_;
  std::unique_ptr<ssh::ServerIdentity> identity_;
  std::unique_ptr<Directory> directory_;
  std::map<std::uint64_t, session::KeeperListener*> listeners_;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::uint64_t last_number_ = 0;
  int finishing_ = 0;
  bool stopping_ = false;
  int status_ = 0;
};

}  // namespace

int runWorker(int keeper_fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a keeper that is killed takes its workers along
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  // The keeper decides when to stop; a terminal's C-c reaches the whole process group.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  // Buffers of a transfer go back to the system when they are freed, instead of raising glibc's threshold and staying in the heap.
  ::mallopt(M_MMAP_THRESHOLD, kMallocThreshold);
  ::mallopt(M_TRIM_THRESHOLD, kMallocThreshold);
  base::startLog("worker", base::LogLevel::Info);
  ssh::startLibrary();
  Confinement confinement = confineWorker();
  // On the heap and never destroyed: the process ends with _exit, and connections may be in any state.
  auto* worker = new Worker(keeper_fd);
  return worker->run(confinement);
}

}  // namespace ptygate::worker
