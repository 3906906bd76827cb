// SPDX-License-Identifier: Apache-2.0
// What a worker may say, and to what effect. The table is the monitor: a message that its kind of worker has no business with ends it.
#include <array>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/keeper/evidence.h"
#include "proxy/keeper/keeper.h"

namespace ptygate::keeper {

using base::LogLevel;

namespace {

constexpr std::uint64_t kMaxDialsPerConnection = 8;
constexpr std::uint64_t kMaxRefusalsPerConnection = 1000;
constexpr std::uint64_t kMaxAlarmsPerWorker = 1000;  ///< further ones are logged, not written to the ledger
constexpr std::size_t kMaxTextBytes = 1024;

enum From : unsigned { kAgents = 1, kPeople = 2, kBoth = 3 };

struct Permitted {
  unsigned from;
  const char* name;
};
// In the order of base::ToKeeper.
constexpr std::array<Permitted, 14> kPermitted = {{
    {kBoth, "Hello"},
    {kBoth, "LoggedIn"},
    {kBoth, "ConnectionEnded"},
    {kAgents, "Dial"},
    {kAgents, "ExecRequest"},
    {kAgents, "SurveyResult"},
    {kAgents, "StdinState"},
    {kAgents, "WantCredential"},
    {kAgents, "Leave"},
    {kAgents, "Finished"},
    {kBoth, "Refused"},
    {kBoth, "SpawnVerb"},
    {kBoth, "VerbEvent"},
    {kBoth, "Alarm"},
}};
static_assert(kPermitted.size() == std::variant_size_v<base::ToKeeper>);

std::string cut(std::string text) {
  if (text.size() > kMaxTextBytes) text.resize(kMaxTextBytes);
  return text;
}

}  // namespace

std::string Keeper::onMessage(WorkerId worker, base::ToKeeper message) {
  const Permitted& row = kPermitted.at(message.index());
  if ((row.from & (workers_.isPeople(worker) ? kPeople : kAgents)) == 0)
    return std::string("a message that this kind of worker never sends: ") + row.name;
  std::string wrong = std::visit([&](auto&& value) { return on(worker, std::move(value)); }, std::move(message));
  return wrong.empty() ? wrong : std::string(row.name) + ": " + wrong;
}

bool Keeper::takeClient(Listeners::Accepted client) {
  const WorkerId worker = workers_.pick(client.people);
  if (worker == 0) return false;
  if (const std::string limit = connections_.refusal(client.source, gate_.config().limits); !limit.empty()) {
    base::log(LogLevel::Warn, "connection_refused", {{"peer", client.peer}, {"limit", limit}});
    return true;  // taken and closed
  }
  const Connection& connection = connections_.open(worker, client.people, client.peer, client.source);
  workers_.addLoad(worker, +1);
  base::log(LogLevel::Info, "connection_opened",
            {{"connection", connectionName(connection.id)}, {"peer", client.peer}, {"worker", worker}});
  std::vector<base::Fd> descriptors;
  descriptors.push_back(std::move(client.socket));
  workers_.send(worker, base::Accept{connection.id, client.peer}, std::move(descriptors));
  return true;
}

ConnectionId Keeper::openConnection(WorkerId worker, base::Fd socket, const std::string& peer) {
  const ConnectionId id = connections_.open(worker, workers_.isPeople(worker), peer, peer.substr(0, peer.rfind(':'))).id;
  workers_.addLoad(worker, +1);
  std::vector<base::Fd> descriptors;
  descriptors.push_back(std::move(socket));
  workers_.send(worker, base::Accept{id, peer}, std::move(descriptors));
  return id;
}

void Keeper::onWorkerGone(WorkerId worker) {
  for (const ConnectionId id : connections_.closeAll(worker)) {
    base::log(LogLevel::Info, "connection_closed", {{"connection", connectionName(id)}, {"reason", "its worker is gone"}});
  }
  alarms_.erase(worker);
  if (requests_ == nullptr) return;  // the keeper itself is going
  requests_->workerGone(worker);
  verbs_.workerGone(worker);
  if (!gate_.stopping || workers_.size() != 0) return;
  // The last one went: what its end wrote has to be on disk, then there is nothing to wait for.
  stop_timer_.start(std::chrono::milliseconds(0), [this] { finishStop(); });
}

std::string Keeper::on(WorkerId, base::Hello&&) {
  return "a second Hello";
}

std::string Keeper::on(WorkerId worker, base::LoggedIn&& message) {
  Connection* connection = connections_.find(message.connection, worker);
  if (connection == nullptr) return "a connection that is not this worker's";
  if (!connection->identity.empty() || !connection->refused_identity.empty()) return "a connection that logged in already";
  const config::Config& config = gate_.config();
  const config::Agent* agent = connection->people ? nullptr : config.agent(message.identity);
  const config::Person* person = connection->people ? config.person(message.identity) : nullptr;
  bool known = false;
  if (agent != nullptr || person != nullptr) {
    for (const certs::PublicKey& key : agent != nullptr ? agent->keys : person->keys)
      known = known || key.fingerprint() == message.key_fingerprint;
  }
  const std::string name = connectionName(connection->id);
  const auto end = [&](const std::string& reason) {
    base::log(LogLevel::Warn, "login_refused", {{"connection", name}, {"identity", message.identity}, {"reason", reason}});
    connection->refused_identity = message.identity;
    connection->refused_reason = reason;
    workers_.send(worker, base::EndConnections{"", connection->id, reason});
    return std::string();
  };
  // Not a lie for sure: a reload may have taken the key away while the client signed.
  if (!known) return end("this key is no longer configured");
  if (connections_.ofIdentity(message.identity) >= config.limits.connections_per_agent)
    return end("too many connections (limit connections_per_agent)");
  connections_.logIn(*connection, message.identity, message.key_fingerprint);
  journal_->append(evidence::login(name, connection->people, message.identity, message.key_fingerprint, connection->peer,
                                   cut(message.client), cut(message.user)));
  base::log(LogLevel::Info, "logged_in",
            {{"connection", name}, {connection->people ? "person" : "agent", message.identity}, {"client", cut(message.client)}});
  return {};
}

std::string Keeper::on(WorkerId worker, base::ConnectionEnded&& message) {
  const Connection* connection = connections_.find(message.connection, worker);
  if (connection == nullptr) return "a connection that is not this worker's";
  const std::string name = connectionName(connection->id);
  if (!connection->identity.empty()) journal_->append(evidence::logout(name, connection->identity, cut(message.reason)));
  base::log(LogLevel::Info, "connection_closed",
            {{"connection", name}, {"identity", connection->identity}, {"reason", cut(message.reason)}});
  connections_.close(message.connection);
  workers_.addLoad(worker, -1);
  return {};
}

std::string Keeper::on(WorkerId worker, base::Dial&& message) {
  Connection* connection = connections_.find(message.connection, worker);
  if (connection == nullptr) return {};  // it ended while the message was under way
  if (!connection->identity.empty() && connection->identity != message.agent) return "a dial for another agent";
  const config::Config& config = gate_.config();
  const config::Agent* agent = config.agent(message.agent);
  const config::Target* target = config.target(message.target);
  const auto refuse = [&](const char* why) {
    workers_.send(worker, base::Dialed{message.dial, why});
    return std::string();
  };
  if (agent == nullptr || target == nullptr || !config::Config::isEntitled(*agent, message.target))
    return refuse("this target is not known");
  if (gate_.stopping) return refuse("the gate is stopping");
  if (connection->dials >= kMaxDialsPerConnection) return refuse("too many dials at once");
  ++connection->dials;
  const std::chrono::milliseconds limit(static_cast<std::int64_t>(config.limits.worker.connect_ms));
  dialer_.dial(
      target->address, limit,
      [this, worker, id = message.connection, dial = message.dial, name = message.target](tl::expected<base::Fd, std::string> socket) {
        if (Connection* waiting = connections_.find(id, worker)) --waiting->dials;
        base::log(socket ? LogLevel::Debug : LogLevel::Warn, "dialed",
                  {{"connection", connectionName(id)}, {"target", name}, {"error", socket ? std::string() : socket.error()}});
        base::Dialed answer{dial, socket ? std::string() : "the target " + name + " cannot be reached: " + socket.error()};
        std::vector<base::Fd> descriptors;
        if (socket) descriptors.push_back(std::move(*socket));
        workers_.send(worker, answer, std::move(descriptors));
      });
  return {};
}

std::string Keeper::on(WorkerId worker, base::Refused&& message) {
  Connection* connection = connections_.find(message.connection, worker);
  if (connection == nullptr) return {};
  if (!message.identity.empty() && !connection->speaksFor(message.identity)) return "a refusal in another's name";
  const std::string name = connectionName(connection->id);
  if (++connection->refusals > kMaxRefusalsPerConnection) {
    workers_.send(worker, base::EndConnections{"", connection->id, "too many refused requests"});
    return {};
  }
  journal_->append(evidence::refused(name, connection->identity, cut(message.target), cut(message.what)));
  base::log(LogLevel::Info, "refused", {{"connection", name}, {"identity", connection->identity}, {"what", cut(message.what)}});
  return {};
}

std::string Keeper::on(WorkerId worker, base::Alarm&& message) {
  const std::string name = message.connection == 0 ? std::string() : connectionName(message.connection);
  base::log(LogLevel::Error, "alarm", {{"connection", name}, {"target", cut(message.target)}, {"text", cut(message.text)}});
  gate_.note(cut(message.text));
  if (++alarms_[worker] <= kMaxAlarmsPerWorker) journal_->append(evidence::alarm(name, cut(message.target), cut(message.text)));
  return {};
}

}  // namespace ptygate::keeper
