// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "proxy/control/client.h"

namespace ptygate::keeper::testing {

namespace {
certs::PublicKey freshKey() {
  return certs::Ed25519PrivateKey::generate()->publicKey();
}
}  // namespace

std::string freshKeyBlob() {
  return freshKey().blob();
}

PlayedWorker::PlayedWorker(base::Loop& loop, base::Fd socket)
    : pipe_(
          std::make_unique<base::MessagePipe>(loop, std::move(socket), true,
                                              base::MessagePipe::Handler{[this](std::string_view payload, std::vector<base::Fd> attached) {
                                                                           auto message = base::decodeToWorker(payload);
                                                                           EXPECT_TRUE(message.has_value());
                                                                           if (!message) return false;
                                                                           EXPECT_EQ(base::descriptorsOf(*message), int(attached.size()));
                                                                           got.push_back(std::move(*message));
                                                                           for (base::Fd& fd : attached)
                                                                             descriptors.push_back(std::move(fd));
                                                                           return true;
                                                                         },
                                                                         [this](const std::string&) { ended = true; }})) {}

World::World(const std::string& policy, const std::string& more) : agent_key(freshKey()), person_key(freshKey()) {
  char name[] = "/tmp/ptygate-keeper-XXXXXX";
  EXPECT_NE(::mkdtemp(name), nullptr);
  root_ = name;
  dir = root_ + "/gate";
  config::InitOptions options;
  options.dir = dir;
  options.listen_agents = "127.0.0.1:0";
  options.listen_people = "127.0.0.1:0";
  options.policy = policy;
  const passwd* user = ::getpwuid(::geteuid());
  options.people = {{"alice", {person_key.line()}, user != nullptr ? user->pw_name : "root", {"review", "audit", "operate"}, ""}};
  options.agents = {{"builder", {agent_key.line()}, "", {}, ""}};
  options.targets = {{"web1", "127.0.0.1:1", {"deploy", "root"}, {freshKey().line()}, {}}};
  const auto made = config::initDirectory(options);
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error());
  std::ofstream(dir + "/ptygate.toml", std::ios::app) << more;
  start();
}

World::~World() {
  keeper.reset();
  std::filesystem::remove_all(root_);
}

void World::start() {
  auto started = Keeper::start(loop, KeeperOptions{dir, "/bin/true", false});
  ASSERT_TRUE(started.has_value()) << (started ? "" : started.error());
  keeper = std::move(*started);
}

bool World::until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  bool expired = false;
  base::Timer wake(loop);
  wake.start(std::chrono::seconds(5), [&] { expired = true; });
  bool is_done = done();
  while (!is_done && !expired && std::chrono::steady_clock::now() < end) {
    uv_run(loop.raw(), UV_RUN_ONCE);
    is_done = done();
  }
  return is_done;
}

void World::settle() {
  // A turn of the pool and back bounds everything that a message can set off.
  for (int i = 0; i < 4; ++i) {
    bool done = false;
    loop.inPool([] {}, [&] { done = true; });
    while (!done) uv_run(loop.raw(), UV_RUN_ONCE);
    for (int turn = 0; turn < 20; ++turn) uv_run(loop.raw(), UV_RUN_NOWAIT);
  }
}

std::unique_ptr<PlayedWorker> World::worker(bool people, bool hello) {
  int pair[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  auto played = std::make_unique<PlayedWorker>(loop, base::Fd(pair[1]));
  last_worker_ = keeper->adoptWorker(base::Fd(pair[0]), people);
  if (hello) played->send(base::Hello{1, true, true, true});
  EXPECT_TRUE(until([&] { return played->count<base::Configure>() == 1; }));
  return played;
}

ConnectionId World::login(PlayedWorker& worker, const std::string& identity) {
  int pair[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  base::Fd client(pair[1]);
  const ConnectionId connection = keeper->openConnection(last_worker_, base::Fd(pair[0]), "192.0.2.1:40000");
  const certs::PublicKey& key = identity == "alice" ? person_key : agent_key;
  worker.send(base::LoggedIn{connection, identity, key.fingerprint(), "SSH-2.0-test", "deploy=web1"});
  settle();
  return connection;
}

base::ExecRequest World::exec(ConnectionId connection, std::uint64_t number, const std::string& command) const {
  base::ExecRequest request;
  request.request = number;
  request.connection = connection;
  request.agent = "builder";
  request.target = "web1";
  request.login = "deploy";
  request.command = command;
  return request;
}

bool World::ask(PlayedWorker& worker, const base::ExecRequest& exec) {
  const std::size_t orders = worker.count<base::SurveyOrder>();
  const std::size_t checks = worker.count<base::StdinCheck>();
  const std::size_t answers = worker.count<base::Outcome>() + worker.count<base::Notice>();
  worker.send(exec);
  if (!until([&] { return worker.count<base::SurveyOrder>() > orders; })) return false;
  worker.send(base::SurveyResult{exec.request, "", "not in this test", false});
  const auto answered = [&] { return worker.count<base::Outcome>() + worker.count<base::Notice>() > answers; };
  if (!until([&] { return answered() || worker.count<base::StdinCheck>() > checks; })) return false;
  if (!answered()) worker.send(base::StdinState{exec.request, 0, "", "", false});
  return until(answered);
}

int World::control(const std::string& verb, const std::map<std::string, std::string>& args) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    auto client = control::Client::connect(dir);
    if (!client) ::_exit(99);
    auto answer = client->call(verb, args);
    ::_exit(answer ? answer->end.status : 98);
  }
  int status = 0;
  EXPECT_TRUE(until([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string World::ledger() const {
  std::ostringstream text;
  for (const auto& entry : std::filesystem::directory_iterator(dir + "/ledger")) {
    if (entry.path().extension() == ".jsonl") text << std::ifstream(entry.path()).rdbuf();
  }
  return text.str();
}

}  // namespace ptygate::keeper::testing
