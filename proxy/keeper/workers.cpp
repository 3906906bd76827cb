// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/workers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "proxy/base/check.h"
#include "proxy/base/log.h"

namespace ptygate::keeper {

using base::LogLevel;
using std::chrono::milliseconds;

namespace {
constexpr std::size_t kNoSlot = SIZE_MAX;
constexpr milliseconds kFirstBackoff{50};
constexpr milliseconds kMaxBackoff{10'000};
constexpr milliseconds kStable{30'000};  ///< a worker that lived this long starts again without delay
constexpr std::chrono::seconds kHelloWithin{15};
constexpr int kControlNumber = 3;

std::vector<std::string> workerEnvironment() {
  std::vector<std::string> environment;
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TZ"}) {
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  }
  return environment;
}
}  // namespace

Workers::Workers(Gate& gate, Reaper& reaper, Hooks hooks) : gate_(gate), reaper_(reaper), hooks_(std::move(hooks)) {}

Workers::~Workers() {
  killAll();
}

void Workers::start(std::uint64_t agents, bool people) {
  for (std::uint64_t i = 0; i < agents + (people ? 1 : 0); ++i) {
    auto slot = std::make_unique<Slot>();
    slot->people = i == agents;
    slot->backoff = kFirstBackoff;
    slot->timer = base::Timer(gate_.loop);
    slots_.push_back(std::move(slot));
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) spawn(i);
}

void Workers::spawn(std::size_t index) {
  Slot& slot = *slots_[index];
  slot.started = gate_.loop.now();
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    base::log(LogLevel::Error, "worker_not_started", {{"error", std::strerror(errno)}});
    replaceLater(index);
    return;
  }
  base::Fd ours(pair[0]), theirs(pair[1]);
  const base::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ChildSpec spec;
  spec.program = gate_.program;
  spec.argv = {"ptygate", "worker"};
  spec.environment = workerEnvironment();
  spec.descriptors = {{null.get(), 0}, {null.get(), 1}, {STDERR_FILENO, 2}, {theirs.get(), kControlNumber}};
  spec.death_signal = SIGKILL;
  const auto pid = spawnChild(spec);
  if (!pid) {
    base::log(LogLevel::Error, "worker_not_started", {{"error", pid.error()}});
    replaceLater(index);
    return;
  }
  const WorkerId id = next_++;
  slot.worker = id;
  reaper_.watch(*pid, [id, pid = *pid](int status) {
    base::log(LogLevel::Info, "worker_ended", {{"worker", id}, {"pid", pid}, {"end", describeEnd(status)}});
  });
  base::log(LogLevel::Info, "worker_started", {{"worker", id}, {"pid", *pid}, {"people", slot.people}});
  attach(id, std::move(ours), slot.people, *pid, index);
}

WorkerId Workers::adopt(base::Fd socket, bool people) {
  const WorkerId id = next_++;
  attach(id, std::move(socket), people, -1, kNoSlot);
  return id;
}

void Workers::attach(WorkerId id, base::Fd socket, bool people, pid_t pid, std::size_t slot) {
  Worker& worker = workers_[id];
  worker.info = Info{id, people, pid, std::nullopt, 0};
  worker.slot = slot;
  worker.pipe = std::make_unique<base::MessagePipe>(
      gate_.loop, std::move(socket), /*accept_descriptors=*/false,
      base::MessagePipe::Handler{[this, id](std::string_view payload, std::vector<base::Fd>) { return onFrame(id, payload); },
                                 [this, id](const std::string& reason) { onEnd(id, reason); }});
  if (slot != kNoSlot) {
    worker.hello_timer = base::Timer(gate_.loop);
    worker.hello_timer.start(kHelloWithin, [this, id] { onEnd(id, "no Hello in time"); });
  }
  send(id, hooks_.configure(people, /*first=*/true));
}

bool Workers::onFrame(WorkerId id, std::string_view payload) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || found->second.ended) return false;
  Worker& worker = found->second;
  auto message = base::decodeToKeeper(payload);
  std::string wrong;
  if (!message) {
    wrong = message.error();
  } else if (auto* hello = std::get_if<base::Hello>(&*message)) {
    if (worker.info.hello) {
      wrong = "a second Hello";
    } else {
      worker.info.hello = *hello;
      worker.hello_timer.stop();
      hooks_.on_ready(id);
    }
  } else if (!worker.info.hello) {
    wrong = "a message before Hello";
  } else {
    wrong = hooks_.on_message(id, std::move(*message));
  }
  if (wrong.empty()) return true;
  base::log(LogLevel::Error, "worker_hostile", {{"worker", id}, {"pid", worker.info.pid}, {"reason", wrong}});
  gate_.note("a worker was ended: " + wrong);
  // At once, not when the loop comes round to on_end: until then it would still hold its target connections.
  if (worker.info.pid > 0) ::kill(worker.info.pid, SIGKILL);
  worker.ended = true;
  return false;
}

void Workers::onEnd(WorkerId id, const std::string& reason) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  base::log(replacing_ ? LogLevel::Warn : LogLevel::Debug, "worker_lost", {{"worker", id}, {"reason", reason}});
  const std::size_t slot = found->second.slot;
  if (found->second.info.pid > 0) ::kill(found->second.info.pid, SIGKILL);
  workers_.erase(found);
  hooks_.on_gone(id);
  if (slot != kNoSlot) replaceLater(slot);
}

void Workers::replaceLater(std::size_t index) {
  Slot& slot = *slots_[index];
  slot.worker = 0;
  if (!replacing_) return;
  if (gate_.loop.now() - slot.started > kStable) slot.backoff = kFirstBackoff;
  slot.timer.start(slot.backoff, [this, index] {
    if (replacing_) spawn(index);
  });
  slot.backoff = std::min(slot.backoff * 2, kMaxBackoff);
}

WorkerId Workers::pick(bool people) const {
  const Worker* best = nullptr;
  for (const auto& [id, worker] : workers_) {
    if (worker.info.people != people || !worker.info.hello || worker.ended) continue;
    if (best == nullptr || worker.info.load < best->info.load) best = &worker;
  }
  return best == nullptr ? 0 : best->info.id;
}

void Workers::addLoad(WorkerId id, int change) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  CHECK(change > 0 || found->second.info.load > 0);
  found->second.info.load += static_cast<std::uint64_t>(static_cast<std::int64_t>(change));
}

void Workers::send(WorkerId id, const base::ToWorker& message, std::vector<base::Fd> descriptors) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || found->second.ended) return;
  CHECK(base::descriptorsOf(message) == static_cast<int>(descriptors.size()));
  found->second.pipe->send(base::encode(message), std::move(descriptors));
}

void Workers::configureAll() {
  for (const Info& info : list()) send(info.id, hooks_.configure(info.people, /*first=*/false));
}

void Workers::sendToAll(const base::ToWorker& message) {
  for (const Info& info : list()) send(info.id, message);
}

void Workers::killAll() {
  replacing_ = false;
  for (const auto& [id, worker] : workers_) {
    if (worker.info.pid > 0) ::kill(worker.info.pid, SIGKILL);
  }
}

std::vector<Workers::Info> Workers::list() const {
  std::vector<Info> result;
  for (const auto& [id, worker] : workers_) result.push_back(worker.info);
  return result;
}

bool Workers::isPeople(WorkerId id) const {
  const auto found = workers_.find(id);
  return found != workers_.end() && found->second.info.people;
}

}  // namespace ptygate::keeper
