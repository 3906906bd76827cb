// SPDX-License-Identifier: Apache-2.0
// Composition and life of the keeper. What single messages of workers mean is in dispatch.cpp.
#include "proxy/keeper/keeper.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/keeper/evidence.h"

#ifndef PTYGATE_VERSION
#define PTYGATE_VERSION "0.1.0"
#endif

namespace ptygate::keeper {

using base::LogLevel;

namespace {

DeskLimits deskLimits(const config::Limits& limits) {
  DeskLimits result;
  result.holds = limits.holds;
  result.holds_per_agent = limits.holds_per_agent;
  result.held_bytes = limits.held_bytes;
  result.held_bytes_per_agent = limits.held_bytes_per_agent;
  result.repeat_within = limits.repeat_within;
  return result;
}

/// What a reload took over, so that who asked for it sees the wrong file or a lost table at once.
std::string loadedText(const config::Snapshot& snapshot) {
  const auto counted = [](std::size_t count, const char* one, const char* many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
  };
  const config::Config& config = *snapshot.config;
  std::string text = "loaded: " + counted(config.agents.size(), "agent", "agents") + ", " +
                     counted(config.people.size(), "person", "people") + ", " + counted(config.targets.size(), "target", "targets") +
                     ", policy sha256 " + snapshot.rules->hash().substr(0, 16);
  if (snapshot.rules->hasLaboratoryAllow()) text += "; UNSAFE: an allow rule has anything = true";
  return text;
}

/// Keys in memory must not reach a core file, nor another process of this user through ptrace or /proc.
void hardenProcess() {
  ::umask(077);
  ::prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a file size limit has to show as a failed write, not as our death
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
}

}  // namespace

Keeper::Keeper(base::Loop& loop, const KeeperOptions& options)
    : gate_(loop),
      reaper_(loop),
      identities_(gate_),
      dialer_(gate_),
      workers_(
          gate_, reaper_,
          {[this](WorkerId worker, base::ToKeeper message) { return onMessage(worker, std::move(message)); },
           [this](WorkerId worker) { onWorkerGone(worker); }, [this](WorkerId worker) { listeners_.resume(workers_.isPeople(worker)); },
           [this](bool people, bool first) { return configuration(people, first); }}),
      listeners_(
          gate_, [this](Listeners::Accepted client) { return takeClient(std::move(client)); },
          [this](bool people) { return workers_.pick(people) != 0; }),
      control_(gate_, {[this](ControlId id, const ControlCaller& caller, const control::Request& request) {
                         control_verbs_->onRequest(id, caller, request);
                       },
                       [this](ControlId id) { control_verbs_->onClosed(id); }, [this](uid_t uid) { return identify(uid); }}),
      verbs_(gate_, reaper_, connections_,
             {[this](WorkerId worker, const base::ToWorker& message, std::vector<base::Fd> descriptors) {
                workers_.send(worker, message, std::move(descriptors));
              },
              [this](base::Fd socket, ControlCaller caller) { control_.adopt(std::move(socket), std::move(caller)); },
              [this](const recorder::LedgerEvent& event) { journal_->append(event); }}),
      stop_timer_(loop) {
  std::error_code ignored;  // a directory that is gone shows in load()
  gate_.dir = std::filesystem::absolute(options.dir, ignored).string();
  gate_.program = options.program;
  gate_.started = wallNow();
}

Keeper::~Keeper() {
  workers_.killAll();
  // Jobs in the pool refer to our parts; they are short (a sync, a look-up).
  while (gate_.in_flight > 0) uv_run(gate_.loop.raw(), UV_RUN_ONCE);
}

tl::expected<std::unique_ptr<Keeper>, std::string> Keeper::start(base::Loop& loop, const KeeperOptions& options) {
  std::unique_ptr<Keeper> keeper(new Keeper(loop, options));
  if (auto loaded = keeper->load(); !loaded) return tl::unexpected(loaded.error());
  if (auto opened = keeper->openStore(); !opened) return tl::unexpected(opened.error());
  if (auto listening = keeper->openDoors(options.start_workers); !listening) return tl::unexpected(listening.error());
  return keeper;
}

tl::expected<void, std::string> Keeper::load() {
  auto directory = recorder::openDirectory(gate_.dir);
  if (!directory) return tl::make_unexpected(directory.error().text);
  gate_.dir_fd.reset(directory->release());
  auto snapshot = config::loadSnapshot(gate_.dir);
  if (!snapshot) return tl::unexpected(snapshot.error());
  auto keys = config::loadKeys(gate_.dir, *snapshot->config);
  if (!keys) return tl::unexpected(keys.error());
  gate_.snapshot = std::move(*snapshot);
  gate_.keys.emplace(std::move(*keys));
  base::startLog("keeper", gate_.config().log_level);
  for (const std::string& warning : gate_.snapshot.warnings) base::log(LogLevel::Warn, "configuration_warning", {{"text", warning}});
  learnUsers();
  return {};
}

tl::expected<void, std::string> Keeper::openStore() {
  RecoveryScan scan(wallNow());
  auto ledger = recorder::Ledger::open(gate_.dir_fd.get(), [&scan](const recorder::LedgerLine& line) { scan.onLine(line); });
  if (!ledger) {
    const bool busy = ledger.error().kind == recorder::RecorderError::Kind::Busy;
    return tl::make_unexpected(gate_.dir + "/ledger: " + ledger.error().text + (busy ? "; another gate runs with this directory" : ""));
  }
  journal_ = std::make_unique<Journal>(gate_, std::move(*ledger), [this](const std::string& reason) { onLedgerFailure(reason); });
  for (std::string& note : mendAfterCrash(gate_, *journal_, scan)) gate_.note(std::move(note));
  if (journal_->hasFailed()) return tl::make_unexpected(gate_.dir + "/ledger: cannot be written; free space and look at the log");
  surveys_ = std::make_unique<Surveys>(gate_);
  requests_ =
      std::make_unique<Requests>(Requests::Parts{gate_, *journal_, connections_, *surveys_, issuer_, identities_},
                                 Desk(scan.seed(), deskLimits(gate_.config().limits)), scan.nextWaiter(),
                                 Requests::Hooks{[this](WorkerId worker, const base::ToWorker& message, std::vector<base::Fd> descriptors) {
                                                   workers_.send(worker, message, std::move(descriptors));
                                                 },
                                                 [this](const Notice& notice) { control_verbs_->onNotice(notice); },
                                                 [this](const Result& result) { control_verbs_->onResult(result); }});
  control_verbs_ = std::make_unique<ControlVerbs>(
      ControlVerbs::Parts{gate_, *journal_, *requests_, *surveys_, connections_},
      ControlVerbs::Hooks{[this](ControlId id, const control::ServerLine& line) { control_.send(id, line); },
                          [this](const std::string& by) { return reload(by); },
                          [this](const std::string& agent, const std::string& reason) { endAgent(agent, reason); },
                          [this] { return status(); }});
  for (const Recovered& hold : scan.holds()) requests_->apply(hold);
  return {};
}

tl::expected<void, std::string> Keeper::openDoors(bool start_workers) {
  const config::Config& config = gate_.config();
  // Our umask is stricter than the socket's directory may be, so its mode is set after it is made.
  if ((::mkdirat(gate_.dir_fd.get(), "run", 0711) != 0 && errno != EEXIST) || ::fchmodat(gate_.dir_fd.get(), "run", 0711, 0) != 0) {
    return tl::make_unexpected("run: " + std::string(std::strerror(errno)));
  }
  if (auto listening = control_.listen(); !listening) return listening;
  for (const config::Address& address : config.listen_agents) {
    if (auto listening = listeners_.listen(address, false); !listening) return listening;
  }
  for (const config::Address& address : config.listen_people) {
    if (auto listening = listeners_.listen(address, true); !listening) return listening;
  }
  if (start_workers) workers_.start(config.workers, !config.listen_people.empty());
  journal_->append(evidence::gateStarted(PTYGATE_VERSION, config.hash, gate_.snapshot.rules->hash(), listeners_.describe()));
  if (!journal_->commitNow()) return tl::make_unexpected(gate_.dir + "/ledger: cannot be written");
  writePorts();
  if (gate_.snapshot.rules->hasLaboratoryAllow())
    base::log(LogLevel::Warn, "UNSAFE", {{"reason", "an allow rule with anything = true is loaded"}});
  base::log(LogLevel::Info, "started", {{"dir", gate_.dir}, {"workers", config.workers}, {"policy", gate_.snapshot.rules->hash()}});
  return {};
}

void Keeper::writePorts() const {
  std::string text;
  for (const std::string& listener : listeners_.describe()) text += listener + "\n";
  const base::Fd file(::openat(gate_.dir_fd.get(), "run/ports.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  const bool written = file.valid() && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::renameat(gate_.dir_fd.get(), "run/ports.new", gate_.dir_fd.get(), "run/ports") == 0;
  if (!written) base::log(LogLevel::Warn, "ports_not_written", {{"error", std::strerror(errno)}});
}

// ---- who is who -------------------------------------------------------------------------------------------------------------------

void Keeper::learnUsers() {
  users_.clear();
  const auto learn = [this](const std::string& unix_user, ControlCaller::Kind kind, const std::string& name) {
    if (unix_user.empty()) return;
    // Looked up here and not at each connection: a slow directory service must not stop the loop.
    const passwd* entry = ::getpwnam(unix_user.c_str());
    if (entry == nullptr) {
      base::log(LogLevel::Warn, "unix_user_unknown", {{"user", unix_user}, {"name", name}});
      return;
    }
    const auto [known, is_new] = users_.emplace(entry->pw_uid, ControlCaller{kind, name});
    // Two names of one uid: nobody may be two, so this one is nobody.
    if (!is_new) known->second = ControlCaller{ControlCaller::Kind::Nobody, unix_user};
  };
  for (const config::Agent& agent : gate_.config().agents) learn(agent.unix_user, ControlCaller::Kind::Agent, agent.name);
  for (const config::Person& person : gate_.config().people) learn(person.unix_user, ControlCaller::Kind::Person, person.name);
}

ControlCaller Keeper::identify(uid_t uid) const {
  if (const auto known = users_.find(uid); known != users_.end()) return known->second;
  if (uid == 0 || uid == ::geteuid()) return {ControlCaller::Kind::Operator, "operator"};
  return {ControlCaller::Kind::Nobody, std::to_string(uid)};
}

base::Configure Keeper::configuration(bool people, bool first) const {
  const config::Config& config = gate_.config();
  base::Configure out;
  out.people = people;
  out.limits = config.limits.worker;
  if (first) {
    const auto text = gate_.keys->host_key.exportText("ptygate");
    CHECK(text.has_value());
    out.host_key = text->expose();
  }
  if (people) {
    for (const config::Person& person : config.people) {
      for (const certs::PublicKey& key : person.keys) out.identities.push_back({person.name, key.blob(), {}});
    }
    return out;
  }
  for (const config::Agent& agent : config.agents) {
    for (const certs::PublicKey& key : agent.keys) out.identities.push_back({agent.name, key.blob(), agent.targets});
  }
  for (const config::Target& target : config.targets) {
    base::TargetInfo info;
    info.name = target.name;
    info.logins = target.logins;
    // As direct-tcpip names an address: an IPv6 host has no brackets there.
    for (const config::Address& alias : target.aliases) info.aliases.push_back(alias.host + ":" + std::to_string(alias.port));
    for (const certs::PublicKey& key : target.host_keys) info.host_keys.push_back(key.blob());
    out.targets.push_back(std::move(info));
  }
  return out;
}

// ---- reload -----------------------------------------------------------------------------------------------------------------------

tl::expected<std::string, std::string> Keeper::reload(const std::string& by) {
  const auto refuse = [](std::string why) {
    base::log(LogLevel::Error, "reload_refused", {{"reason", why}});
    return tl::make_unexpected(std::move(why));
  };
  if (gate_.stopping) return refuse("the gate is stopping");
  auto snapshot = config::loadSnapshot(gate_.dir);
  if (!snapshot) return refuse(snapshot.error());
  auto keys = config::loadKeys(gate_.dir, *snapshot->config);
  if (!keys) return refuse(keys.error());
  if (!(keys->host_key.publicKey() == gate_.keys->host_key.publicKey())) return refuse("the host key changed; that needs a restart");
  const config::Snapshot before = std::exchange(gate_.snapshot, std::move(*snapshot));
  identities_.closeAll();  // they borrow the old keys
  gate_.keys.emplace(std::move(*keys));
  std::string text = loadedText(gate_.snapshot);
  if (before.config->workers != gate_.config().workers || before.config->listen_agents != gate_.config().listen_agents ||
      before.config->listen_people != gate_.config().listen_people) {
    text += "; listeners and the number of workers change at the next start only";
  }
  const config::Limits &old_limits = before.config->limits, &new_limits = gate_.config().limits;
  if (old_limits.holds != new_limits.holds || old_limits.holds_per_agent != new_limits.holds_per_agent ||
      old_limits.held_bytes != new_limits.held_bytes || old_limits.held_bytes_per_agent != new_limits.held_bytes_per_agent ||
      old_limits.repeat_within != new_limits.repeat_within) {
    text += "; limits of holds change at the next start only";
  }
  for (const std::string& warning : gate_.snapshot.warnings) base::log(LogLevel::Warn, "configuration_warning", {{"text", warning}});
  learnUsers();
  surveys_->forgetAccounts();
  workers_.configureAll();
  endStale();
  journal_->append(evidence::configurationLoaded(gate_.config().hash, gate_.snapshot.rules->hash(), by));
  base::log(LogLevel::Info, "reloaded", {{"by", by}, {"policy", gate_.snapshot.rules->hash()}});
  return text;
}

void Keeper::endStale() {
  const auto holdsKey = [](const std::vector<certs::PublicKey>& keys, const std::string& fingerprint) {
    return std::any_of(keys.begin(), keys.end(), [&](const certs::PublicKey& key) { return key.fingerprint() == fingerprint; });
  };
  for (const auto& [id, connection] : connections_.all()) {
    if (connection.identity.empty()) continue;
    const config::Person* person = connection.people ? gate_.config().person(connection.identity) : nullptr;
    const config::Agent* agent = connection.people ? nullptr : gate_.config().agent(connection.identity);
    const bool stays = (person != nullptr && holdsKey(person->keys, connection.fingerprint)) ||
                       (agent != nullptr && holdsKey(agent->keys, connection.fingerprint));
    if (!stays) workers_.send(connection.worker, base::EndConnections{"", id, "this key is no longer configured"});
  }
  control_.closeOf([this](const ControlCaller& caller) {
    if (caller.kind == ControlCaller::Kind::Person) return gate_.config().person(caller.name) == nullptr;
    if (caller.kind == ControlCaller::Kind::Agent) return gate_.config().agent(caller.name) == nullptr;
    return false;
  });
}

void Keeper::endAgent(const std::string& agent, const std::string& reason) {
  workers_.sendToAll(base::EndConnections{agent, 0, reason});
}

// ---- stopping ---------------------------------------------------------------------------------------------------------------------

void Keeper::stop(const std::string& reason) {
  if (gate_.stopping) return;
  gate_.stopping = true;
  stop_reason_ = reason;
  base::log(LogLevel::Info, "stopping", {{"reason", reason}});
  listeners_.close();
  control_.stopListening();
  workers_.stopReplacing();
  requests_->shutDown();
  verbs_.hangUpAll();
  // After the desk's answers are on disk and sent: a worker that ends its connections first would tell agents less.
  const auto endAll = [this] { workers_.sendToAll(base::EndConnections{"", 0, "the gate is stopping"}); };
  if (failed_ || journal_->hasFailed()) {
    endAll();
  } else {
    journal_->whenCommitted(endAll);
  }
  stop_timer_.start(workers_.size() == 0 ? std::chrono::milliseconds(0) : kShutdownGrace, [this] { finishStop(); });
}

void Keeper::finishStop() {
  workers_.killAll();
  if (!failed_) {
    journal_->append(evidence::gateStopped(stop_reason_));
    if (!journal_->commitNow()) exit_status_ = 1;
  }
  base::log(LogLevel::Info, "stopped", {{"status", exit_status_}});
  gate_.loop.stop();
}

void Keeper::onLedgerFailure(const std::string& reason) {
  if (failed_) return;
  failed_ = true;
  exit_status_ = 1;
  gate_.note("the ledger failed: " + reason);
  requests_->fail("the gate cannot write its ledger");
  stop("the ledger failed");
}

control::StatusReport Keeper::status() const {
  control::StatusReport report;
  report.version = PTYGATE_VERSION;
  report.started_ms = gate_.started.time_since_epoch().count();
  if (gate_.snapshot.rules->hasLaboratoryAllow())
    report.unsafe.emplace_back("an allow rule with anything = true is loaded: any command runs without a person");
  for (const Workers::Info& info : workers_.list()) {
    if (!info.hello || info.pid <= 0) continue;
    const std::string who = "the worker " + std::to_string(info.id) + (info.people ? " (people)" : "");
    if (!info.hello->no_new_privs) report.unsafe.push_back(who + " runs without no_new_privs");
    if (!info.hello->seccomp) report.unsafe.push_back(who + " runs without seccomp");
    if (!info.hello->landlock) report.unsafe.push_back(who + " runs without Landlock (the kernel lacks it, or it is off)");
  }
  if (failed_) report.unsafe.emplace_back("the ledger failed; nothing is released");
  report.notes = gate_.snapshot.warnings;
  for (const std::string& note : surveys_->notes()) report.notes.push_back(note);
  report.notes.insert(report.notes.end(), gate_.notes.begin(), gate_.notes.end());
  report.listeners = listeners_.describe();
  report.workers = workers_.size();
  report.connections = connections_.size();
  report.sessions = requests_->size();
  report.holds = requests_->desk().openCount();
  report.ledger_leaves = journal_->leaves();
  report.policy_hash = gate_.snapshot.rules->hash();
  report.config_hash = gate_.config().hash;
  return report;
}

int runKeeper(const KeeperOptions& options) {
  base::startLog("keeper", LogLevel::Info);
  hardenProcess();
  base::Loop loop;
  auto keeper = Keeper::start(loop, options);
  if (!keeper) {
    std::fprintf(stderr, "ptygate: %s\n", keeper.error().c_str());
    return 1;
  }
  Keeper& running = **keeper;
  loop.onSignal(SIGTERM, [&running] { running.stop("SIGTERM"); });
  loop.onSignal(SIGINT, [&running] { running.stop("SIGINT"); });
  loop.onSignal(SIGHUP, [&running] { (void)running.reload("SIGHUP"); });
  loop.run();
  return running.exitStatus();
}

}  // namespace ptygate::keeper
