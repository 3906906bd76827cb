// SPDX-License-Identifier: Apache-2.0
#include "records.h"

#include <gtest/gtest.h>

#include <chrono>

#include "recorder/ledger.h"
#include "recorder/recording.h"
#include "recorder/store_paths.h"

namespace ptygate::verbs::test {

namespace {

using recorder::CastEvent;
using recorder::LedgerEvent;
namespace kind = recorder::ledger_kind;

void writeCast(int dir_fd, const recorder::SessionId& id, const std::string& command, const std::vector<std::string>& output) {
  auto cast = recorder::createCast(dir_fd, id);
  ASSERT_TRUE(cast) << cast.error().text;
  const recorder::MonoTime start{};
  recorder::CastHeader header;
  header.timestamp = id.start().time_since_epoch().count() / 1000;
  auto recording = recorder::Recording::open(std::move(cast->file), header, start);
  ASSERT_TRUE(recording) << recording.error().text;
  auto at = start;
  const std::string label = "#1 allow(test) " + command;
  ASSERT_TRUE(recording->append(CastEvent::marker(label), at));
  for (const auto& piece : output) ASSERT_TRUE(recording->append(CastEvent::output(piece), at += std::chrono::milliseconds(10)));
  ASSERT_TRUE(recording->append(CastEvent::exit(0), at += std::chrono::milliseconds(10)));
  ASSERT_TRUE(recorder::sealCast(dir_fd, id));
}

}  // namespace

void writeSession(const std::string& dir, const std::string& session, const std::string& command, const std::vector<std::string>& output) {
  auto directory = recorder::openDirectory(dir);
  ASSERT_TRUE(directory);
  const auto id = recorder::SessionId::parse(session);
  ASSERT_TRUE(id);
  writeCast(directory->get(), *id, command, output);
  auto ledger = recorder::Ledger::open(directory->get(), {});
  ASSERT_TRUE(ledger) << ledger.error().text;
  const auto request = static_cast<std::int64_t>(ledger->appended()) + 1;
  const auto line = [&](std::string_view what) {
    LedgerEvent event;
    event.kind = std::string(what);
    event.set("request", request).set("session", session);
    return event;
  };
  const auto add = [&](const LedgerEvent& event) { ASSERT_TRUE(ledger->append(event, id->start())); };
  add(line(kind::kSessionOpened)
          .set("agent", "bot")
          .set("target", "web1")
          .set("login", "deploy")
          .set("command", command)
          .set("peer", "10.0.0.7:40122"));
  add(line(kind::kRequest).set("agent", "bot").set("target", "web1").set("login", "deploy").set("command", command).set("intent", ""));
  add(line(kind::kDecision)
          .set("verdict", "allow")
          .set("rule", "test")
          .set("reviewers", std::vector<std::string>{})
          .set("reason", "read only"));
  add(line(kind::kRelease));
  add(line(kind::kExit).set("ending", "exited").set("status", std::int64_t{0}).set("signal", ""));
  ASSERT_TRUE(ledger->flush());
}

}  // namespace ptygate::verbs::test
