// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "proxy/base/log.h"

namespace ptygate::keeper {

namespace {
/// What the pool works on; owned by the job alone.
struct SyncJob {
  recorder::Fd ledger;
  std::vector<recorder::Fd> directories;
  int error = 0;

  void run() {
    for (const recorder::Fd& directory : directories) {
      if (::fsync(directory.get()) != 0 && error == 0) error = errno;
    }
    if (ledger.valid() && ::fdatasync(ledger.get()) != 0 && error == 0) error = errno;
  }
};
}  // namespace

Journal::Journal(Gate& gate, recorder::Ledger ledger, std::function<void(const std::string&)> on_failure)
    : gate_(gate), ledger_(std::move(ledger)), on_failure_(std::move(on_failure)) {}

void Journal::append(const recorder::LedgerEvent& event) {
  if (hasFailed()) return;
  if (auto leaf = ledger_.append(event, wallNow()); !leaf) {
    fail("ledger: " + leaf.error().text);
    return;
  }
  kick();
}

void Journal::whenCommitted(std::function<void()> fn) {
  if (hasFailed()) return;
  waiting_.push_back({ledger_.appended(), std::move(fn)});
  kick();
}

void Journal::syncDirectory(recorder::Fd directory) {
  struct stat wanted {};
  if (::fstat(directory.get(), &wanted) != 0) return;
  for (const recorder::Fd& known : directories_) {
    struct stat info {};
    if (::fstat(known.get(), &info) == 0 && info.st_ino == wanted.st_ino && info.st_dev == wanted.st_dev) return;
  }
  directories_.push_back(std::move(directory));
}

void Journal::kick() {
  if (scheduled_ || syncing_) return;
  scheduled_ = true;
  // Later in this turn of the loop, so that everything that arrived together shares one sync.
  gate_.loop.defer([this] {
    scheduled_ = false;
    if (!syncing_ && !hasFailed()) startSync();
  });
}

void Journal::startSync() {
  if (auto flushed = ledger_.flush(); !flushed) {
    fail("ledger: " + flushed.error().text);
    return;
  }
  const std::uint64_t target = ledger_.flushed();
  if (target == ledger_.committed() && directories_.empty()) {
    finishSync(target, 0);
    return;
  }
  auto job = std::make_unique<SyncJob>();
  if (target > ledger_.committed()) {
    job->ledger.reset(::fcntl(ledger_.fd(), F_DUPFD_CLOEXEC, 0));
    if (!job->ledger.valid()) {
      fail(std::string("ledger: dup: ") + std::strerror(errno));
      return;
    }
  }
  job->directories = std::exchange(directories_, {});
  SyncJob* raw = job.release();
  syncing_ = true;
  gate_.inPool([raw] { raw->run(); },
               [this, raw, target] {
                 const std::unique_ptr<SyncJob> done(raw);
                 syncing_ = false;
                 finishSync(target, done->error);
               });
}

void Journal::finishSync(std::uint64_t target, int error) {
  if (hasFailed()) return;
  if (error != 0) {
    ledger_.noteSyncFailed();  // never retried: the kernel may have dropped the pages
    fail(std::string("ledger: sync: ") + std::strerror(error));
    return;
  }
  ledger_.noteCommitted(target);
  while (!waiting_.empty() && waiting_.front().leaves <= ledger_.committed()) {
    auto fn = std::move(waiting_.front().fn);
    waiting_.pop_front();
    fn();
    if (hasFailed()) return;
  }
  if (ledger_.appended() > ledger_.committed()) kick();
}

bool Journal::commitNow() {
  if (hasFailed()) return false;
  if (ledger_.appended() == ledger_.committed()) return true;
  if (auto flushed = ledger_.flush(); !flushed || ::fdatasync(ledger_.fd()) != 0) {
    failed_ = true;
    return false;
  }
  finishSync(ledger_.flushed(), 0);
  return true;
}

void Journal::fail(const std::string& text) {
  if (failed_) return;
  failed_ = true;
  waiting_.clear();
  base::log(base::LogLevel::Error, "ledger_failed", {{"error", text}});
  gate_.loop.defer([this, text] { on_failure_(text); });
}

}  // namespace ptygate::keeper
