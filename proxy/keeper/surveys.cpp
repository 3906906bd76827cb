// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/surveys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "proxy/base/log.h"

namespace ptygate::keeper {

namespace {
constexpr std::size_t kNonceLetters = 16;
constexpr std::size_t kMaxStateBytes = 4U << 20U;
constexpr const char* kStateFile = "state/surveys.json";
constexpr const char* kStateFileNew = "state/surveys.json.new";

std::optional<std::string> readAll(int dir_fd, const char* name) {
  const base::Fd file(::openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return errno == ENOENT ? std::optional<std::string>("") : std::nullopt;
  std::string text;
  char buffer[16384];
  for (ssize_t n = 0; (n = ::read(file.get(), buffer, sizeof buffer)) != 0;) {
    if (n < 0 || text.size() > kMaxStateBytes) return std::nullopt;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}
}  // namespace

Surveys::Surveys(Gate& gate) : gate_(gate) {
  load();
}

void Surveys::load() {
  const auto text = readAll(gate_.dir_fd.get(), kStateFile);
  if (text && text->empty()) return;
  const auto json = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  const bool sound = json.is_array();
  if (!sound) {
    base::log(base::LogLevel::Warn, "surveys_unreadable", {{"file", kStateFile}});
    gate_.note("state/surveys.json is not readable: accounts count as first seen");
    return;
  }
  for (const auto& row : json) {
    if (!row.is_array() || row.size() != 3 || !row[0].is_string() || !row[1].is_string() || !row[2].is_string()) continue;
    entries_[{row[0].get<std::string>(), row[1].get<std::string>()}].accepted = row[2].get<std::string>();
  }
}

void Surveys::save() const {
  auto rows = nlohmann::json::array();
  for (const auto& [key, entry] : entries_) {
    if (!entry.accepted.empty()) rows.push_back({key.first, key.second, entry.accepted});
  }
  const std::string text = rows.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  (void)::mkdirat(gate_.dir_fd.get(), "state", 0700);
  const base::Fd file(::openat(gate_.dir_fd.get(), kStateFileNew, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  const bool written = file.valid() && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fdatasync(file.get()) == 0 && ::renameat(gate_.dir_fd.get(), kStateFileNew, gate_.dir_fd.get(), kStateFile) == 0;
  if (!written) base::log(base::LogLevel::Warn, "surveys_not_saved", {{"error", std::strerror(errno)}});
}

Surveys::Answer Surveys::ask(const std::string& target, const std::string& login, WaiterId waiter, base::SteadyTime now) {
  Entry& entry = entries_[{target, login}];
  if (entry.at && now - *entry.at < gate_.config().survey_valid) return Answer::Known;
  if (entry.maker != 0) {
    entry.waiting.push_back(waiter);
    return Answer::Wait;
  }
  entry.maker = waiter;
  entry.nonce = randomWord(kNonceLetters);
  return Answer::Order;
}

std::string Surveys::nonce(const std::string& target, const std::string& login) const {
  const auto found = entries_.find({target, login});
  return found == entries_.end() ? std::string() : found->second.nonce;
}

std::optional<Surveys::Finished> Surveys::finish(const std::string& target, const std::string& login, WaiterId waiter,
                                                 const std::string& output, const std::string& error, base::SteadyTime now) {
  const auto found = entries_.find({target, login});
  if (found == entries_.end() || found->second.maker != waiter) return std::nullopt;
  Entry& entry = found->second;
  Finished result;
  result.waiting.push_back(waiter);
  result.waiting.insert(result.waiting.end(), entry.waiting.begin(), entry.waiting.end());
  entry.maker = 0;
  entry.waiting.clear();
  result.error = error;
  if (error.empty()) {
    auto account = policy::parseSurvey(output, entry.nonce);
    if (account) {
      entry.found = result.hash = account->hash;
      result.changed = !entry.accepted.empty() && entry.accepted != account->hash;
      const bool first = entry.accepted.empty();
      if (first) entry.accepted = account->hash;
      entry.account = std::make_shared<const policy::Account>(std::move(*account));
      entry.at = now;
      if (first) save();
      return result;
    }
    result.error = account.error();
  }
  entry.account.reset();
  entry.at.reset();
  return result;
}

WaiterId Surveys::abandon(const std::string& target, const std::string& login, WaiterId waiter) {
  const auto found = entries_.find({target, login});
  if (found == entries_.end()) return 0;
  Entry& entry = found->second;
  std::erase(entry.waiting, waiter);
  if (entry.maker != waiter) return 0;
  entry.maker = 0;
  if (entry.waiting.empty()) return 0;
  entry.maker = entry.waiting.front();
  entry.waiting.erase(entry.waiting.begin());
  entry.nonce = randomWord(kNonceLetters);
  return entry.maker;
}

std::shared_ptr<const policy::Account> Surveys::account(const std::string& target, const std::string& login) const {
  const auto found = entries_.find({target, login});
  if (found == entries_.end() || !found->second.account) return nullptr;
  if (found->second.found == found->second.accepted) return found->second.account;
  auto doubted = std::make_shared<policy::Account>(*found->second.account);
  doubted->startup_trusted = false;
  doubted->startup_reason =
      "the account on the target changed since it was accepted; an operator has to look: ptygate targets accept " + target + " " + login;
  return doubted;
}

bool Surveys::isChanged(const std::string& target, const std::string& login) const {
  const auto found = entries_.find({target, login});
  return found != entries_.end() && !found->second.found.empty() && found->second.found != found->second.accepted;
}

std::string Surveys::accept(const std::string& target, const std::string& login) {
  const auto found = entries_.find({target, login});
  if (found == entries_.end() || found->second.found.empty() || found->second.found == found->second.accepted) return {};
  found->second.accepted = found->second.found;
  save();
  return found->second.accepted;
}

std::vector<std::string> Surveys::describe(const std::string& target) const {
  std::vector<std::string> lines;
  for (const auto& [key, entry] : entries_) {
    if (key.first != target || !entry.account) continue;
    std::string line = key.second + ": " + entry.account->shell;
    if (entry.found != entry.accepted) {
      line += ", changed since it was accepted: nothing is auto-allowed until `targets accept " + target + " " + key.second + "`";
    } else if (!policy::dialectOf(*entry.account)) {
      line += ", no auto-allow for this shell";
    } else if (!entry.account->startup_trusted) {
      line += ", no auto-allow: " + entry.account->startup_reason;
    } else {
      line += ", auto-allow possible";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> Surveys::notes() const {
  std::vector<std::string> lines;
  for (const auto& [key, entry] : entries_) {
    if (entry.found.empty() || entry.found == entry.accepted) continue;
    lines.push_back("the account " + key.second + " on " + key.first + " changed; auto-allow is off until: ptygate targets accept " +
                    key.first + " " + key.second);
  }
  return lines;
}

void Surveys::forgetAccounts() {
  for (auto& [key, entry] : entries_) entry.at.reset();
}

}  // namespace ptygate::keeper
