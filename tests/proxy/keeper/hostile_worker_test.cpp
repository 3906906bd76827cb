// SPDX-License-Identifier: Apache-2.0
// A worker that was subverted: whatever it says, it gets no credential without a decision, and lies end it.
#include <gtest/gtest.h>

#include "world.h"

namespace ptygate::keeper::testing {
namespace {

bool gotCertificate(const PlayedWorker& worker) {
  for (const base::Credential& credential : worker.all<base::Credential>()) {
    if (!credential.certificate.empty() || credential.identity) return true;
  }
  return false;
}

TEST(HostileWorker, IsEndedForEachIllegalMessage) {
  World world(kHoldAll);
  const struct {
    const char* what;
    base::ToKeeper message;
  } rows[] = {
      {"a second Hello", base::Hello{1, true, true, true}},
      {"a login on a connection that is not its own", base::LoggedIn{999, "builder", "SHA256:x", "", ""}},
      {"the end of a connection that is not its own", base::ConnectionEnded{999, ""}},
      {"an exec request without a connection", world.exec(999, 1, "id")},
      {"a credential for a request that never was", base::WantCredential{1, 77, freshKeyBlob()}},
      {"the end of a request that never was", base::Finished{}},
      {"a verb without a connection", base::SpawnVerb{1, 999, "alice", {"review"}, false, "", 80, 24}},
  };
  for (const auto& row : rows) {
    auto worker = world.worker();
    worker->send(row.message);
    EXPECT_TRUE(world.until([&] { return worker->ended; })) << row.what;
    EXPECT_FALSE(gotCertificate(*worker)) << row.what;
  }
}

TEST(HostileWorker, IsEndedForAMessageBeforeHello) {
  World world(kHoldAll);
  auto worker = world.worker(false, /*hello=*/false);
  worker->send(base::ConnectionEnded{1, ""});
  EXPECT_TRUE(world.until([&] { return worker->ended; }));
}

TEST(HostileWorker, IsEndedForFramesThatDoNotDecode) {
  World world(kHoldAll);
  for (const std::string& payload :
       {std::string(), std::string("\x00", 1), std::string("\xff\xff"), std::string(60'000, '\x81'), std::string("{}")}) {
    auto worker = world.worker();
    worker->sendRaw(payload);
    EXPECT_TRUE(world.until([&] { return worker->ended; })) << payload.size();
  }
}

TEST(HostileWorker, OfPeopleMayNotAskForCommands) {
  World world(kAllowAnything);
  auto worker = world.worker(/*people=*/true);
  const ConnectionId connection = world.login(*worker, "alice");
  base::ExecRequest request = world.exec(connection, 1, "id");
  request.agent = "alice";
  worker->send(request);
  EXPECT_TRUE(world.until([&] { return worker->ended; }));
}

TEST(HostileWorker, CannotAskInTheNameOfAnAgentWhoDidNotLogIn) {
  World world(kAllowAnything);
  auto worker = world.worker();
  base::ExecRequest request = world.exec(world.login(*worker), 1, "id");
  request.agent = "another";
  worker->send(request);
  EXPECT_TRUE(world.until([&] { return worker->ended; }));
  EXPECT_EQ(worker->count<base::Outcome>(), 0U);
}

TEST(HostileWorker, CannotLogInWithAKeyThatIsNotConfigured) {
  World world(kAllowAnything);
  auto worker = world.worker();
  const ConnectionId connection = world.login(*worker, "nobody");
  EXPECT_EQ(worker->count<base::EndConnections>(), 1U);
  worker->send(world.exec(connection, 1, "id"));
  EXPECT_TRUE(world.until([&] { return worker->ended; }));
}

TEST(HostileWorker, IsNotWhoAsksBeforeItHeardThatALoginIsRefused) {
  World world(kAllowAnything);
  auto worker = world.worker();
  base::ExecRequest request = world.exec(world.login(*worker, "nobody"), 1, "id");
  request.agent = "nobody";
  worker->send(request);
  ASSERT_TRUE(world.until([&] { return worker->count<base::Outcome>() == 1; }));
  EXPECT_EQ(worker->count<base::SessionOpened>(), 0U);
  base::Finished finished;
  finished.request = 1;
  worker->send(finished);
  // Another connection of the same worker's still works, so the worker is alive.
  worker->send(world.exec(world.login(*worker), 2, "id"));
  EXPECT_TRUE(world.until([&] { return worker->count<base::SessionOpened>() == 1; }));
  EXPECT_FALSE(worker->ended);
}

TEST(HostileWorker, CannotUseTheConnectionOfAnotherWorker) {
  World world(kAllowAnything);
  auto honest = world.worker();
  const ConnectionId connection = world.login(*honest);
  auto hostile = world.worker();
  hostile->send(world.exec(connection, 1, "id"));
  EXPECT_TRUE(world.until([&] { return hostile->ended; }));
  EXPECT_FALSE(honest->ended);
}

TEST(HostileWorker, GetsNoCredentialForAHeldRequest) {
  World world(kHoldAll);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "rm -rf /srv")));
  ASSERT_EQ(worker->count<base::Notice>(), 1U);
  worker->send(base::WantCredential{9, 1, freshKeyBlob()});
  // The survey's permit is gone with the survey, so this is a second one for nothing.
  world.settle();
  EXPECT_FALSE(gotCertificate(*worker));
}

TEST(HostileWorker, GetsOneCertificateForAReleaseAndNoSecond) {
  World world(kAllowAnything);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "id")));
  ASSERT_EQ(worker->all<base::Outcome>()[0].kind, base::Outcome::Kind::Release);
  worker->send(base::WantCredential{9, 1, freshKeyBlob()});
  ASSERT_TRUE(world.until([&] { return worker->count<base::Credential>() == 1; }));
  EXPECT_FALSE(worker->all<base::Credential>()[0].certificate.empty());
  worker->send(base::WantCredential{10, 1, freshKeyBlob()});
  ASSERT_TRUE(world.until([&] { return worker->count<base::Credential>() == 2; }));
  EXPECT_TRUE(worker->all<base::Credential>()[1].certificate.empty());
  EXPECT_FALSE(worker->all<base::Credential>()[1].error.empty());
}

TEST(HostileWorker, GetsNoCertificateForAnythingButAnEd25519Key) {
  World world(kAllowAnything);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "id")));
  worker->send(base::WantCredential{9, 1, "nonsense"});
  ASSERT_TRUE(world.until([&] { return worker->count<base::Credential>() == 1; }));
  EXPECT_FALSE(gotCertificate(*worker));
}

TEST(HostileWorker, IsEndedWhenItSaysThatAHeldCommandRan) {
  World world(kHoldAll);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "rm -rf /srv")));
  base::Finished finished;
  finished.request = 1;
  finished.ran = true;
  worker->send(finished);
  EXPECT_TRUE(world.until([&] { return worker->ended; }));
}

TEST(HostileWorker, IsRefusedTargetsAndLoginsThatTheAgentMayNotReach) {
  World world(kAllowAnything);
  auto worker = world.worker();
  const ConnectionId connection = world.login(*worker);
  base::ExecRequest target = world.exec(connection, 1, "id");
  target.target = "web2";
  base::ExecRequest login = world.exec(connection, 2, "id");
  login.login = "admin";
  worker->send(target);
  worker->send(login);
  ASSERT_TRUE(world.until([&] { return worker->count<base::Outcome>() == 2; }));
  for (const base::Outcome& outcome : worker->all<base::Outcome>()) {
    EXPECT_EQ(outcome.kind, base::Outcome::Kind::Denied);
    EXPECT_EQ(outcome.reason, worker->all<base::Outcome>()[0].reason);  // one sentence for both
  }
  EXPECT_EQ(worker->count<base::SessionOpened>(), 0U);
}

TEST(HostileWorker, IsDialledToConfiguredTargetsOnly) {
  World world(kAllowAnything);
  auto worker = world.worker();
  const ConnectionId connection = world.login(*worker);
  worker->send(base::Dial{5, connection, "builder", "127.0.0.1:22"});
  ASSERT_TRUE(world.until([&] { return worker->count<base::Dialed>() == 1; }));
  EXPECT_FALSE(worker->all<base::Dialed>()[0].error.empty());
  worker->send(base::Dial{6, connection, "another", "web1"});
  EXPECT_TRUE(world.until([&] { return worker->ended; }));
}

TEST(HostileWorker, CannotSendAnEnvironmentVariableThatIsNoLocale) {
  World world(kAllowAnything);
  auto worker = world.worker();
  base::ExecRequest request = world.exec(world.login(*worker), 1, "id");
  request.locale["LD_PRELOAD"] = "/tmp/x.so";
  worker->send(request);
  EXPECT_TRUE(world.until([&] { return worker->ended; }));
}

}  // namespace
}  // namespace ptygate::keeper::testing
