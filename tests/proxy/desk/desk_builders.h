// SPDX-License-Identifier: Apache-2.0
// Builders and readers for the desk's tests.
#pragma once

#include <string>
#include <vector>

#include "proxy/keeper/desk.h"

namespace ptygate::keeper::testing {

inline WallTime at(std::int64_t seconds) {
  return WallTime{} + std::chrono::seconds(1'000'000 + seconds);
}

inline policy::Decision decided(policy::Verdict verdict, int approvals = 1) {
  policy::Decision decision;
  decision.verdict = verdict;
  decision.rule = verdict == policy::Verdict::Allow ? "reads" : verdict == policy::Verdict::Deny ? "never" : "restarts";
  decision.reason = "the rule says so";
  decision.approvals = approvals;
  decision.answer_within = std::chrono::seconds(50);
  decision.expires = std::chrono::minutes(5);
  return decision;
}
inline const auto kHold = decided(policy::Verdict::Hold);
inline const auto kAllow = decided(policy::Verdict::Allow);
inline const auto kDeny = decided(policy::Verdict::Deny);

inline Submission request(WaiterId waiter, std::string command = "systemctl restart api", policy::Decision fresh = kHold) {
  Submission submission;
  submission.waiter = waiter;
  submission.session = "s" + std::to_string(waiter);
  submission.connection = "c1";
  submission.agent = "bot";
  submission.owner = "bob";
  submission.target = "web1";
  submission.login = "deploy";
  submission.command = std::move(command);
  submission.rule_set_hash = "r1";
  submission.fresh = std::move(fresh);
  return submission;
}

inline Answer answer(const Desk& desk, HoldId hold, std::string person, bool approve, policy::Decision fresh = kHold) {
  Answer message;
  message.ticket = 900;
  message.hold = hold;
  if (const auto view = desk.show(hold)) message.tag = view->tag;
  message.person = std::move(person);
  message.may_review = true;
  message.approve = approve;
  message.fresh = std::move(fresh);
  return message;
}

template <class T>
std::vector<T> only(const std::vector<Effect>& effects) {
  std::vector<T> found;
  for (const Effect& effect : effects) {
    if (const T* one = std::get_if<T>(&effect)) found.push_back(*one);
  }
  return found;
}

/// The outcome of type T for this waiter, or nullptr.
template <class T>
const T* outcomeFor(const std::vector<Effect>& effects, WaiterId waiter) {
  for (const Effect& effect : effects) {
    const Reply* reply = std::get_if<Reply>(&effect);
    if (reply != nullptr && reply->waiter == waiter && std::holds_alternative<T>(reply->outcome)) return &std::get<T>(reply->outcome);
  }
  return nullptr;
}

inline int codeOf(const std::vector<Effect>& effects) {
  const auto results = only<Result>(effects);
  return results.empty() ? -1 : results.back().code;
}
inline std::string textOf(const std::vector<Effect>& effects) {
  const auto results = only<Result>(effects);
  return results.empty() ? "" : results.back().text;
}

/// The effects in order, in one line: records by kind, replies as ">Outcome", results as "=code", notices as "!What".
inline std::string summary(const std::vector<Effect>& effects) {
  static const char* const kRecords[] = {"Request",  "Decision",  "Joined",  "Answer",  "Release", "Exit",
                                         "Detached", "Cancelled", "Expired", "Stopped", "Resumed"};
  static const char* const kOutcomes[] = {"Held", "Released", "Denied", "Expired", "Later", "Cancelled", "Trouble"};
  static const char* const kNotices[] = {"New",      "Joined",   "AgentGone", "AgentBack", "Approval",
                                         "Approved", "Released", "Denied",    "Expired",   "Cancelled"};
  std::string text;
  for (const Effect& effect : effects) {
    if (!text.empty()) text += ' ';
    if (const auto* record = std::get_if<Record>(&effect)) text += kRecords[std::size_t(record->kind)];
    if (const auto* reply = std::get_if<Reply>(&effect)) text += std::string(">") + kOutcomes[reply->outcome.index()];
    if (const auto* result = std::get_if<Result>(&effect)) text += "=" + std::to_string(result->code);
    if (const auto* notice = std::get_if<Notice>(&effect)) text += std::string("!") + kNotices[std::size_t(notice->what)];
  }
  return text;
}

}  // namespace ptygate::keeper::testing
