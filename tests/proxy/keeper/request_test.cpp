// SPDX-License-Identifier: Apache-2.0
// The life of a request through the real keeper: decided, recorded before told, released once, sealed, recovered.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "certs/certificate.h"
#include "world.h"

namespace ptygate::keeper::testing {
namespace {

TEST(KeeperRequests, ReleaseExactlyTheAskedBytesAndOnlyAfterTheLedgerHasThem) {
  World world(kAllowAnything);
  auto worker = world.worker();
  const std::string command = "printf '\x01\xff' ; id # é";
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, command)));
  const base::Outcome outcome = worker->all<base::Outcome>().at(0);
  EXPECT_EQ(outcome.kind, base::Outcome::Kind::Release);
  EXPECT_EQ(outcome.exec, command);
  const std::string ledger = world.ledger();
  for (const char* kind : {"session_opened", "survey_ordered", "surveyed", "request", "decision", "release", "sending"}) {
    EXPECT_NE(ledger.find("\"kind\":\"" + std::string(kind) + "\""), std::string::npos) << kind;
  }
}

TEST(KeeperRequests, CertificatesNameTheLoginAndLastMinutes) {
  World world(kAllowAnything);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "id")));
  worker->send(base::WantCredential{9, 1, freshKeyBlob()});
  ASSERT_TRUE(world.until([&] { return worker->count<base::Credential>() == 1; }));
  const auto parsed = certs::parseCertificateLine(worker->all<base::Credential>()[0].certificate);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->principals, std::vector<std::string>{"deploy"});
  EXPECT_LE(parsed->valid_before - parsed->valid_after, 151U);
  EXPECT_TRUE(parsed->key_id.starts_with("ptygate/builder/c")) << parsed->key_id;
}

TEST(KeeperRequests, AHeldCommandRunsAfterAPersonApprovedItByTag) {
  World world(kHoldAll);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "systemctl restart api")));
  const std::string hold = worker->all<base::Notice>().at(0).hold;
  EXPECT_TRUE(hold.starts_with("1-")) << hold;
  EXPECT_EQ(world.control("approve", {{"hold", "1"}}), 1) << "a number without its tag";
  EXPECT_EQ(world.control("approve", {{"hold", "1-aaaa"}}), hold == "1-aaaa" ? 0 : 1);
  EXPECT_EQ(worker->count<base::Outcome>(), 0U);
  EXPECT_EQ(world.control("approve", {{"hold", hold}}), 0);
  ASSERT_TRUE(world.until([&] { return worker->count<base::Outcome>() == 1; }));
  EXPECT_EQ(worker->all<base::Outcome>()[0].kind, base::Outcome::Kind::Release);
  EXPECT_EQ(worker->all<base::Outcome>()[0].exec, "systemctl restart api");
  EXPECT_EQ(world.control("approve", {{"hold", hold}}), 1) << "a second time";
  EXPECT_EQ(worker->count<base::Outcome>(), 1U);
}

TEST(KeeperRequests, ADenialReachesTheAgentWithItsReason) {
  World world(kHoldAll);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "reboot")));
  EXPECT_EQ(world.control("deny", {{"hold", "1"}, {"reason", "not today"}, {"retry", "change-and-retry"}}), 0);
  ASSERT_TRUE(world.until([&] { return worker->count<base::Outcome>() == 1; }));
  const base::Outcome outcome = worker->all<base::Outcome>()[0];
  EXPECT_EQ(outcome.kind, base::Outcome::Kind::Denied);
  EXPECT_NE(outcome.reason.find("not today"), std::string::npos);
  EXPECT_TRUE(outcome.may_change_and_retry);
}

TEST(KeeperRequests, AnUnreachableTargetHoldsNothing) {
  World world(kHoldAll);
  auto worker = world.worker();
  const ConnectionId connection = world.login(*worker);
  worker->send(world.exec(connection, 1, "id"));
  ASSERT_TRUE(world.until([&] { return worker->count<base::SurveyOrder>() == 1; }));
  worker->send(base::SurveyResult{1, "", "no route", true});
  ASSERT_TRUE(world.until([&] { return worker->count<base::Outcome>() == 1; }));
  EXPECT_EQ(worker->all<base::Outcome>()[0].kind, base::Outcome::Kind::Trouble);
  EXPECT_EQ(world.keeper->requests().desk().openCount(), 0U);
}

TEST(KeeperRequests, OneSurveyServesAllThatWaitForIt) {
  World world(kAllowAnything);
  auto worker = world.worker();
  const ConnectionId connection = world.login(*worker);
  for (std::uint64_t number = 1; number <= 5; ++number) worker->send(world.exec(connection, number, "id"));
  ASSERT_TRUE(world.until([&] { return worker->count<base::SessionOpened>() == 5 && worker->count<base::SurveyOrder>() == 1; }));
  worker->send(base::SurveyResult{1, "", "not in this test", false});
  ASSERT_TRUE(world.until([&] { return worker->count<base::Outcome>() + worker->count<base::StdinCheck>() >= 5; }));
  EXPECT_EQ(worker->count<base::SurveyOrder>(), 1U);
}

TEST(KeeperRequests, TheNextWaiterMakesTheSurveyWhenItsMakerLeaves) {
  World world(kAllowAnything);
  auto worker = world.worker();
  const ConnectionId connection = world.login(*worker);
  worker->send(world.exec(connection, 1, "id"));
  worker->send(world.exec(connection, 2, "id"));
  ASSERT_TRUE(world.until([&] { return worker->count<base::SurveyOrder>() == 1; }));
  worker->send(base::Leave{1, false});
  ASSERT_TRUE(world.until([&] { return worker->count<base::SurveyOrder>() == 2; }));
  EXPECT_EQ(worker->all<base::SurveyOrder>()[1].request, 2U);
}

TEST(KeeperRequests, AnEndedSessionIsSealed) {
  World world(kAllowAnything);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "id")));
  base::Finished finished;
  finished.request = 1;
  finished.ran = true;
  finished.outcome_known = true;
  finished.exit_status = 0;
  finished.cast_bytes = 0;
  finished.cast_sha256 = std::string(64, 'a');
  worker->send(finished);
  const auto id = recorder::SessionId::parse(worker->all<base::SessionOpened>().at(0).session);
  ASSERT_TRUE(id.has_value());
  const std::string path = world.dir + "/" + recorder::castPath(*id);
  ASSERT_TRUE(world.until([&] {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && (info.st_mode & 0777U) == 0440U;
  }));
  EXPECT_NE(world.ledger().find("\"kind\":\"seal\""), std::string::npos);
  EXPECT_EQ(world.keeper->requests().size(), 0U);
}

TEST(KeeperRequests, AfterAWorkersCrashAnEqualCommandIsHeldForAPerson) {
  World world(kAllowAnything);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "reboot")));
  ASSERT_EQ(worker->all<base::Outcome>()[0].kind, base::Outcome::Kind::Release);
  worker->crash();
  ASSERT_TRUE(world.until([&] { return world.ledger().find("\"kind\":\"recovered\"") != std::string::npos; }));
  EXPECT_NE(world.ledger().find("\"ending\":\"unknown\""), std::string::npos);
  auto next = world.worker();
  ASSERT_TRUE(world.ask(*next, world.exec(world.login(*next), 1, "reboot")));
  EXPECT_EQ(next->count<base::Notice>(), 1U);
  EXPECT_EQ(next->count<base::Outcome>(), 0U);
}

TEST(KeeperRequests, ARestartCancelsHoldsAndGoesOnCounting) {
  World world(kHoldAll);
  {
    auto worker = world.worker();
    ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "reboot")));
    world.lose();
  }
  world.start();
  EXPECT_EQ(world.keeper->requests().desk().openCount(), 0U);
  world.settle();
  EXPECT_NE(world.ledger().find("\"kind\":\"cancelled\""), std::string::npos);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "reboot")));
  EXPECT_TRUE(worker->all<base::Notice>().at(0).hold.starts_with("2-"));
}

TEST(KeeperRequests, ABadReloadChangesNothingAndSaysWhy) {
  World world(kHoldAll);
  std::ofstream(world.dir + "/policy.toml", std::ios::app) << "\nnonsense = true\n";
  const auto reloaded = world.keeper->reload("test");
  ASSERT_FALSE(reloaded.has_value());
  EXPECT_NE(reloaded.error().find("policy.toml:"), std::string::npos) << reloaded.error();
  EXPECT_EQ(world.control("status", {}), 0);
}

TEST(KeeperRequests, StoppingTellsWhatIsHeldThatNothingRan) {
  World world(kHoldAll);
  auto worker = world.worker();
  ASSERT_TRUE(world.ask(*worker, world.exec(world.login(*worker), 1, "reboot")));
  world.keeper->stop("test");
  ASSERT_TRUE(world.until([&] { return worker->count<base::Outcome>() == 1 && worker->count<base::EndConnections>() == 1; }));
  EXPECT_NE(worker->all<base::Outcome>()[0].kind, base::Outcome::Kind::Release);
}

}  // namespace
}  // namespace ptygate::keeper::testing
