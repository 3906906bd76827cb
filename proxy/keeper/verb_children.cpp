// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/verb_children.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "proxy/base/log.h"
#include "proxy/control/protocol.h"
#include "proxy/keeper/evidence.h"

namespace ptygate::keeper {

namespace {

constexpr int kControlNumber = 3;
constexpr std::size_t kMaxWords = 64;
constexpr std::size_t kMaxWordBytes = 8192;
constexpr std::chrono::milliseconds kHangUpGrace{5000};
constexpr std::uint32_t kMaxWindow = 10'000;

enum Need : unsigned { kReview = 1, kAudit = 2, kOperate = 4, kAnyone = 7, kAgent = 8 };

struct Row {
  const char* verb;  ///< first word
  unsigned need;     ///< any one of these
};
// The verbs' own table says the same for each; this one is what counts, since it decides before the child runs. Not in it: init, serve,
// worker.
constexpr std::array<Row, 22> kVerbs = {{
    {"status", kAnyone | kAgent},
    {"whoami", kAnyone | kAgent},
    {"wait", kAgent},
    {"cancel", kAgent},
    {"review", kReview},
    {"pending", kReview | kOperate},
    {"show", kAnyone},
    {"approve", kReview},
    {"deny", kReview},
    {"watch", kReview | kAudit},
    {"follow", kAudit | kReview},
    {"sessions", kAudit},
    {"replay", kAudit},
    {"export", kAudit},
    {"reload", kOperate},
    {"targets", kAnyone},
    {"agents", kAnyone},
    {"certs", kOperate | kAudit},
    {"policy", kReview | kOperate},
    {"help", kAnyone | kAgent},
    {"--help", kAnyone | kAgent},
    {"--version", kAnyone | kAgent},
}};

unsigned rightsOf(const config::Person& person) {
  return (person.may_review ? kReview : 0U) | (person.may_audit ? kAudit : 0U) | (person.may_operate ? kOperate : 0U);
}

int signalNamed(const std::string& name) {
  static const std::map<std::string, int> kSignals = {{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"TERM", SIGTERM},
                                                      {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"ALRM", SIGALRM},
                                                      {"PIPE", SIGPIPE}, {"ABRT", SIGABRT}};
  const auto found = kSignals.find(name);
  return found == kSignals.end() ? 0 : found->second;
}

std::string signalName(int signum) {
  const char* name = ::sigabbrev_np(signum);
  return name == nullptr ? "TERM" : name;
}

bool isTerm(const std::string& term) {
  return !term.empty() && term.size() <= 64 && std::all_of(term.begin(), term.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '+' || c == '.';
  });
}

winsize windowOf(std::uint32_t columns, std::uint32_t rows) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(std::clamp<std::uint32_t>(columns, 1, kMaxWindow));
  size.ws_row = static_cast<unsigned short>(std::clamp<std::uint32_t>(rows, 1, kMaxWindow));
  return size;
}

}  // namespace

VerbChildren::VerbChildren(Gate& gate, Reaper& reaper, Connections& connections, Hooks hooks)
    : gate_(gate), reaper_(reaper), connections_(connections), hooks_(std::move(hooks)) {}

VerbChildren::~VerbChildren() {
  for (const auto& [key, child] : children_) {
    if (child->pid > 0) ::kill(-child->pid, SIGKILL);
  }
}

std::string VerbChildren::refusalOf(const config::Config& config, bool people, const std::string& identity,
                                    const std::vector<std::string>& argv) {
  unsigned rights = 0;
  if (people) {
    const config::Person* person = config.person(identity);
    if (person != nullptr) rights = rightsOf(*person);
  } else if (config.agent(identity) != nullptr) {
    rights = kAgent;
  }
  if (argv.size() > kMaxWords) return "too many words";
  for (const std::string& word : argv) {
    if (word.size() > kMaxWordBytes || word.find('\0') != std::string::npos) return "a word is too long or has a NUL";
    if (word == "--dir" || word.starts_with("--dir=")) return "--dir is for the gate's own host";
  }
  const std::string verb = argv.empty() ? std::string() : argv.front();
  for (const Row& row : kVerbs) {
    if (verb == row.verb) return (row.need & rights) != 0 ? std::string() : verb + ": you are not permitted to run this";
  }
  return people ? "no such verb; `help` lists them" : "no such verb; agents have: status, wait ID, cancel ID, whoami";
}

std::string VerbChildren::limitRefusal(const std::string& identity) const {
  const config::Limits& limits = gate_.config().limits;
  const auto own = std::count_if(children_.begin(), children_.end(), [&](const auto& entry) { return entry.second->identity == identity; });
  if (children_.size() >= limits.verbs) return "too many verbs run at once (limit verbs)";
  if (static_cast<std::uint64_t>(own) >= limits.verbs_per_identity) return "too many of your verbs run at once (limit verbs_per_identity)";
  return {};
}

std::string VerbChildren::onSpawn(WorkerId worker, const base::SpawnVerb& asked) {
  const Connection* connection = connections_.find(asked.connection, worker);
  if (connection == nullptr) return "a verb for a connection that is not this worker's";
  if (!connection->speaksFor(asked.identity)) return "a verb for someone who did not log in";
  if (children_.contains({worker, asked.request})) return "a request number that is in use";
  base::SpawnVerb message = asked;
  if (message.argv.empty()) {
    const config::Person* person = gate_.config().person(message.identity);
    message.argv = {connection->people && person != nullptr && person->may_review && message.pty ? "review" : "status"};
  }
  std::string refusal = connection->refused_reason;
  if (refusal.empty()) refusal = refusalOf(gate_.config(), connection->people, message.identity, message.argv);
  std::uint8_t status = control::kNotPermitted;
  if (refusal.empty()) refusal = gate_.stopping ? "the gate is stopping" : limitRefusal(message.identity);
  if (refusal.starts_with("no such verb")) status = control::kUsage;
  const std::string name = connectionName(connection->id);
  hooks_.append(evidence::verb(name, message.identity, message.argv, refusal));
  base::VerbStarted started;
  started.request = message.request;
  if (!refusal.empty()) {
    started.error = refusal;
    started.status = status;
    hooks_.send(worker, started, {});
    return {};
  }
  auto child = std::make_unique<Child>();
  child->key = {worker, message.request};
  child->identity = message.identity;
  ControlCaller caller{connection->people ? ControlCaller::Kind::Person : ControlCaller::Kind::Agent, message.identity};
  auto descriptors = start(*child, message, std::move(caller));
  if (!descriptors) {
    base::log(base::LogLevel::Error, "verb_not_started", {{"connection", name}, {"error", descriptors.error()}});
    started.error = "the verb could not be started";
    started.status = control::kUnreachable;
    hooks_.send(worker, started, {});
    return {};
  }
  base::log(base::LogLevel::Info, "verb_started",
            {{"connection", name}, {"identity", message.identity}, {"verb", message.argv.front()}, {"pid", child->pid}});
  child->killer = base::Timer(gate_.loop);
  reaper_.watch(child->pid, [this, key = child->key](int wait_status) { onExit(key, wait_status); });
  children_[child->key] = std::move(child);
  started.pty = message.pty;
  hooks_.send(worker, started, std::move(*descriptors));
  return {};
}

tl::expected<std::vector<base::Fd>, std::string> VerbChildren::start(Child& child, const base::SpawnVerb& message, ControlCaller caller) {
  int control[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
    return tl::make_unexpected(std::string("socketpair: ") + std::strerror(errno));
  base::Fd ours(control[0]), theirs(control[1]);
  std::vector<base::Fd> for_child;
  std::vector<base::Fd> for_worker;
  if (message.pty) {
    int master = -1, slave = -1;
    const winsize size = windowOf(message.columns, message.rows);
    if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0)
      return tl::make_unexpected(std::string("openpty: ") + std::strerror(errno));
    for_worker.emplace_back(master);
    for_child.emplace_back(slave);
    ::fcntl(master, F_SETFD, FD_CLOEXEC);
    ::fcntl(slave, F_SETFD, FD_CLOEXEC);
    child.terminal.reset(::fcntl(master, F_DUPFD_CLOEXEC, 0));
  } else {
    for (int i = 0; i < 3; ++i) {
      int ends[2];
      if (::pipe2(ends, O_CLOEXEC) != 0) return tl::make_unexpected(std::string("pipe: ") + std::strerror(errno));
      for_child.emplace_back(ends[i == 0 ? 0 : 1]);
      for_worker.emplace_back(ends[i == 0 ? 1 : 0]);
    }
  }
  ChildSpec spec;
  spec.program = gate_.program;
  spec.argv = {"ptygate"};
  spec.argv.insert(spec.argv.end(), message.argv.begin(), message.argv.end());
  spec.environment = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "PTYGATE_DIR=" + gate_.dir,
                      "PTYGATE_CONTROL_FD=" + std::to_string(kControlNumber)};
  if (message.pty) spec.environment.push_back("TERM=" + (isTerm(message.term) ? message.term : std::string("dumb")));
  for (int i = 0; i < 3; ++i) spec.descriptors.emplace_back(for_child[message.pty ? 0 : std::size_t(i)].get(), i);
  spec.descriptors.emplace_back(theirs.get(), kControlNumber);
  spec.new_session = true;
  spec.terminal = message.pty;
  spec.death_signal = SIGHUP;
  const auto pid = spawnChild(spec);
  if (!pid) return tl::make_unexpected(pid.error());
  child.pid = *pid;
  hooks_.adopt_control(std::move(ours), std::move(caller));
  return for_worker;
}

std::string VerbChildren::onEvent(WorkerId worker, const base::VerbEvent& message) {
  const auto found = children_.find({worker, message.request});
  if (found == children_.end()) return {};  // it ended while the message was under way
  Child& child = *found->second;
  if (message.columns > 0 && child.terminal.valid()) {
    const winsize size = windowOf(message.columns, message.rows);
    (void)::ioctl(child.terminal.get(), TIOCSWINSZ, &size);
  }
  if (message.signal.empty()) return {};
  if (message.signal == "HUP") {
    hangUp(child);
    return {};
  }
  const int signum = signalNamed(message.signal);
  if (signum != 0) ::kill(-child.pid, signum);
  return {};
}

void VerbChildren::hangUp(Child& child) {
  child.terminal.reset();
  ::kill(-child.pid, SIGHUP);
  if (!child.killer.isActive()) {
    child.killer.start(kHangUpGrace, [pid = child.pid] { ::kill(-pid, SIGKILL); });
  }
}

void VerbChildren::onExit(Key key, int wait_status) {
  const auto found = children_.find(key);
  if (found == children_.end()) return;
  // Whatever it started must not outlive it with a control connection in hand.
  ::kill(-found->second->pid, SIGKILL);
  base::VerbExited exited;
  exited.request = key.second;
  if (WIFSIGNALED(wait_status)) {
    exited.signal = signalName(WTERMSIG(wait_status));
  } else {
    exited.status = static_cast<std::uint8_t>(WEXITSTATUS(wait_status));
  }
  children_.erase(found);
  hooks_.send(key.first, exited, {});
}

void VerbChildren::workerGone(WorkerId worker) {
  for (const auto& [key, child] : children_) {
    if (key.first == worker) hangUp(*child);
  }
}

void VerbChildren::hangUpAll() {
  for (const auto& [key, child] : children_) hangUp(*child);
}

}  // namespace ptygate::keeper
