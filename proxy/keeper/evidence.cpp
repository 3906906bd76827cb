// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/evidence.h"

namespace ptygate::keeper::evidence {

using recorder::LedgerEvent;
namespace kind = recorder::ledger_kind;

namespace {

LedgerEvent event(std::string_view name) {
  return LedgerEvent{std::string(name), {}};
}

std::int64_t number(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

void setIf(LedgerEvent& out, const char* name, const std::string& value) {
  if (!value.empty()) out.set(name, value);
}

/// Which hold, where there is one.
void setHold(LedgerEvent& out, const Record& record) {
  if (record.hold == 0) return;
  out.set("hold", number(record.hold));
  setIf(out, "tag", record.tag);
}

void setWaiter(LedgerEvent& out, const Record& record) {
  if (record.waiter == 0) return;
  out.set("request", number(record.waiter));
  setIf(out, "session", record.session);
}

void fillRequest(LedgerEvent& out, const Record& record) {
  setIf(out, "connection", record.connection);
  setIf(out, "owner", record.owner);
  out.set("target", record.target).set("login", record.login).set("context", nameOf(record.context)).set("command", record.command);
  setIf(out, "cwd", record.cwd);
  setIf(out, "stdin_sha256", record.stdin_sha256);
  setIf(out, "intent", record.intent);
  out.set("policy", record.rule_set_hash);
}

void fillDecision(LedgerEvent& out, const Record& record) {
  out.set("verdict", nameOf(record.verdict)).set("rule", record.rule).set("reviewers", record.people).set("reason", record.reason);
  out.set("policy", record.rule_set_hash);
}

void fillAnswer(LedgerEvent& out, const Record& record) {
  out.set("person", record.person).set("answer", record.approve ? "approve" : "deny").set("reason", record.reason);
  if (!record.approve) out.set("retry", record.retry == Retry::ChangeAndRetry ? "change-and-retry" : "stop-and-report");
}

void fillExit(LedgerEvent& out, const Record& record) {
  out.set("ending", nameOf(record.ending)).set("status", std::int64_t(record.status)).set("signal", record.signal);
}

std::string_view kindOf(Record::Kind kind) {
  switch (kind) {
    case Record::Kind::Request:
      return kind::kRequest;
    case Record::Kind::Decision:
      return kind::kDecision;
    case Record::Kind::Joined:
      return "joined";
    case Record::Kind::Answer:
      return "answer";
    case Record::Kind::Release:
      return kind::kRelease;
    case Record::Kind::Exit:
      return kind::kExit;
    case Record::Kind::Detached:
      return "detached";
    case Record::Kind::Cancelled:
      return "cancelled";
    case Record::Kind::Expired:
      return "hold_expired";
    case Record::Kind::Stopped:
      return "agent_stopped";
    case Record::Kind::Resumed:
      return "agent_resumed";
  }
  return "unknown";
}

}  // namespace

LedgerEvent ofRecord(const Record& record) {
  LedgerEvent out = event(kindOf(record.kind));
  setWaiter(out, record);
  setHold(out, record);
  setIf(out, "binding", record.binding);
  setIf(out, "agent", record.agent);
  switch (record.kind) {
    case Record::Kind::Request:
      fillRequest(out, record);
      break;
    case Record::Kind::Decision:
      fillDecision(out, record);
      break;
    case Record::Kind::Answer:
      fillAnswer(out, record);
      break;
    case Record::Kind::Exit:
      fillExit(out, record);
      break;
    case Record::Kind::Joined:
    case Record::Kind::Release:
    case Record::Kind::Detached:
      break;
    case Record::Kind::Cancelled:
    case Record::Kind::Expired:
    case Record::Kind::Stopped:
    case Record::Kind::Resumed:
      setIf(out, "person", record.person);
      setIf(out, "reason", record.reason);
      break;
  }
  return out;
}

LedgerEvent gateStarted(std::string_view version, std::string_view config_hash, std::string_view policy_hash,
                        const std::vector<std::string>& listeners) {
  return event("started").set("version", version).set("config", config_hash).set("policy", policy_hash).set("listeners", listeners);
}
LedgerEvent gateStopped(std::string_view reason) {
  return event("stopped").set("reason", reason);
}
LedgerEvent configurationLoaded(std::string_view config_hash, std::string_view policy_hash, std::string_view by) {
  return event("configuration").set("config", config_hash).set("policy", policy_hash).set("by", by);
}
LedgerEvent login(std::string_view connection, bool people, std::string_view identity, std::string_view fingerprint, std::string_view peer,
                  std::string_view client, std::string_view user) {
  LedgerEvent out = event("login");
  out.set("connection", connection).set(people ? "person" : "agent", identity).set("key", fingerprint).set("peer", peer);
  return out.set("client", client).set("user", user);
}
LedgerEvent logout(std::string_view connection, std::string_view identity, std::string_view reason) {
  return event("logout").set("connection", connection).set("identity", identity).set("reason", reason);
}
LedgerEvent sessionOpened(WaiterId request, std::string_view session, std::string_view connection, std::string_view peer,
                          const base::ExecRequest& exec) {
  LedgerEvent out = event(kind::kSessionOpened);
  out.set("session", session).set("request", number(request)).set("connection", connection).set("agent", exec.agent);
  return out.set("target", exec.target).set("login", exec.login).set("command", exec.command).set("peer", peer);
}
LedgerEvent refused(std::string_view connection, std::string_view identity, std::string_view target, std::string_view what) {
  return event("refused").set("connection", connection).set("identity", identity).set("target", target).set("what", what);
}
LedgerEvent surveyOrdered(std::string_view session, std::string_view target, std::string_view login, std::string_view nonce) {
  return event("survey_ordered").set("session", session).set("target", target).set("login", login).set("nonce", nonce);
}
LedgerEvent surveyed(std::string_view session, std::string_view target, std::string_view login, std::string_view hash, bool changed,
                     std::string_view error) {
  LedgerEvent out = event("surveyed");
  out.set("session", session).set("target", target).set("login", login).set("account", hash).set("changed", changed);
  return out.set("error", error);
}
LedgerEvent accountAccepted(std::string_view target, std::string_view login, std::string_view hash, std::string_view by) {
  return event("account_accepted").set("target", target).set("login", login).set("account", hash).set("by", by);
}
LedgerEvent sending(WaiterId request, std::string_view session, std::string_view form, std::string_view exec) {
  LedgerEvent out = event("sending");
  out.set("request", number(request)).set("session", session).set("form", form);
  if (form != "raw") out.set("exec", exec);
  return out;
}
LedgerEvent certificate(WaiterId request, std::string_view session, std::string_view target, std::string_view login,
                        std::string_view key_id, std::uint64_t serial, std::string_view purpose) {
  LedgerEvent out = event("certificate");
  out.set("request", number(request)).set("session", session).set("target", target).set("login", login).set("key_id", key_id);
  return out.set("serial", std::to_string(serial)).set("purpose", purpose);  // a string: 64 bits do not fit JSON's numbers
}
LedgerEvent identityOffered(WaiterId request, std::string_view session, std::string_view target, std::string_view login,
                            std::string_view purpose) {
  LedgerEvent out = event("identity");
  return out.set("request", number(request)).set("session", session).set("target", target).set("login", login).set("purpose", purpose);
}
LedgerEvent seal(std::string_view session, const base::Finished& finished) {
  LedgerEvent out = event(kind::kSeal);
  out.set("session", session).set("bytes", number(finished.cast_bytes)).set("sha256", finished.cast_sha256).set("final", true);
  out.set("stdin_bytes", number(finished.stdin_bytes)).set("stdout_bytes", number(finished.stdout_bytes));
  out.set("stderr_bytes", number(finished.stderr_bytes));
  if (!finished.error.empty()) out.set("error", finished.error);
  return out;
}
LedgerEvent alarm(std::string_view connection, std::string_view target, std::string_view text) {
  return event("alarm").set("connection", connection).set("target", target).set("text", text);
}
LedgerEvent verb(std::string_view connection, std::string_view identity, const std::vector<std::string>& argv, std::string_view refusal) {
  return event("verb").set("connection", connection).set("identity", identity).set("argv", argv).set("refusal", refusal);
}

std::string_view nameOf(Ending ending) {
  switch (ending) {
    case Ending::Exited:
      return "exited";
    case Ending::Signalled:
      return "signalled";
    case Ending::NotStarted:
      return "not-started";
    case Ending::ClientGone:
      return "client-gone";
    case Ending::Unknown:
      return "unknown";
  }
  return "unknown";
}
std::string_view nameOf(policy::Verdict verdict) {
  switch (verdict) {
    case policy::Verdict::Allow:
      return "allow";
    case policy::Verdict::Hold:
      return "hold";
    case policy::Verdict::Deny:
      return "deny";
  }
  return "deny";
}
std::string_view nameOf(policy::Context context) {
  switch (context) {
    case policy::Context::Exec:
      return "exec";
    case policy::Context::Shell:
      return "shell";
    case policy::Context::Sftp:
      return "sftp";
    case policy::Context::Forward:
      return "forward";
  }
  return "exec";
}

}  // namespace ptygate::keeper::evidence
