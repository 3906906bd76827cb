// SPDX-License-Identifier: Apache-2.0
#include "recorder/ledger.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "recorder/check.h"
#include "recorder/files.h"
#include "recorder/store_paths.h"

namespace ptygate::recorder {
namespace {

constexpr std::string_view kPrefix = "ledger-";
constexpr std::string_view kSuffix = ".jsonl";
constexpr std::size_t kReadBytes = 256 * 1024;

// "ledger-2026-11.jsonl" → "2026-11"; empty for other names.
std::string monthOf(std::string_view name) {
  if (name.size() != kPrefix.size() + 7 + kSuffix.size() || !name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return {};
  const std::string month(name.substr(kPrefix.size(), 7));
  return parseTime(month + "-01T00:00:00.000Z") ? month : std::string();
}

std::string fileOf(const std::string& month) {
  return std::string(kPrefix) + month + std::string(kSuffix);
}

Result<std::vector<std::string>> monthsIn(int dir_fd) {
  auto names = namesIn(dir_fd);
  if (!names) return names;
  std::vector<std::string> months;
  for (const std::string& name : *names) {
    if (std::string month = monthOf(name); !month.empty()) months.push_back(std::move(month));
  }
  return months;
}

tl::unexpected<RecorderError> damagedAt(const std::string& name, std::uint64_t offset, const std::string& what) {
  return failure(RecorderError::Kind::Damaged, name + ", byte " + std::to_string(offset) + ": " + what);
}

struct FileEnd {
  std::uint64_t whole = 0;  // bytes up to and including the last LF
  std::uint64_t torn = 0;   // bytes after it
  bool stopped = false;     // the visitor had enough
};

// Reads whole lines of one file in order.
template <typename Visit>
Result<FileEnd> readLines(int fd, const std::string& name, Visit&& visit) {
  FileEnd end;
  std::string buffer;
  while (true) {
    auto got = readSome(fd, kReadBytes, buffer);
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) break;
    std::size_t begin = 0;
    // Only the new part can hold the next LF.
    std::size_t search = buffer.size() - *got;
    for (std::size_t lf = buffer.find('\n', search); lf != std::string::npos; lf = buffer.find('\n', search)) {
      auto line = parseLedgerLine(std::string_view(buffer).substr(begin, lf - begin));
      if (!line) return damagedAt(name, end.whole, line.error().text);
      auto more = visit(*line);
      if (!more) return damagedAt(name, end.whole, more.error().text);
      end.whole += lf + 1 - begin;
      begin = search = lf + 1;
      if (!*more) {
        end.stopped = true;
        return end;
      }
    }
    buffer.erase(0, begin);
    if (buffer.size() > kMaxLedgerLineBytes) return damagedAt(name, end.whole, "a ledger line is too long");
  }
  end.torn = buffer.size();
  return end;
}

}  // namespace

Result<Ledger> Ledger::open(int dir_fd, const OnLine& on_line) {
  auto dir = makeDirectory(dir_fd, "ledger");
  if (!dir) return tl::unexpected(dir.error());
  Ledger ledger;
  ledger.dir_ = std::move(*dir);
  if (flock(ledger.dir_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return failure(RecorderError::Kind::Busy, "another gate has the ledger open");
    return tl::unexpected(systemError("locking the ledger"));
  }
  auto months = monthsIn(ledger.dir_.get());
  if (!months) return tl::unexpected(months.error());
  for (const std::string& month : *months) {
    const std::string name = fileOf(month);
    auto file = openFile(ledger.dir_.get(), name, O_RDWR | O_APPEND);
    if (!file) return tl::unexpected(file.error());
    auto end = readLines(file->get(), name, [&ledger, &on_line](const LedgerLine& line) -> Result<bool> {
      if (line.n != ledger.appended_) return failure(RecorderError::Kind::Damaged, "a ledger line has the wrong number");
      ledger.tree_.add(line.line);
      ++ledger.appended_;
      if (on_line) on_line(line);
      return true;
    });
    if (!end) return tl::unexpected(end.error());
    if (end->torn > 0) {
      if (month != months->back()) return damagedAt(name, end->whole, "an unfinished line before the last file");
      auto torn = setTailAside(ledger.dir_.get(), name, file->get(), end->whole);
      if (!torn) return tl::unexpected(torn.error());
      ledger.opening_.torn_bytes = end->torn;
      ledger.opening_.torn_file = *torn;
    }
    ledger.file_ = std::move(*file);
    ledger.month_ = month;
  }
  // Lines that an earlier process wrote but did not see synced are taken for decided from here on: make that true.
  if (ledger.file_.valid()) {
    if (auto synced = syncFile(ledger.file_.get(), "the ledger"); !synced) return tl::unexpected(synced.error());
  }
  ledger.opening_.lines = ledger.flushed_ = ledger.committed_ = ledger.appended_;
  return ledger;
}

Result<std::uint64_t> Ledger::append(const LedgerEvent& event, WallTime now) {
  if (failed_) return failure(RecorderError::Kind::Failed, "the ledger failed before");
  const std::string line = encodeLedgerLine(appended_, now, event);
  if (line.size() > kMaxLedgerLineBytes) return failure(RecorderError::Kind::Limit, "a ledger line would be too long");
  if (buffer_.size() + line.size() >= kMaxLedgerBufferBytes) return failure(RecorderError::Kind::Limit, "too many ledger lines wait");
  // A clock that was set back must not make lines go to an earlier file: the files' order is the lines' order.
  const std::string& last = buffer_.empty() ? month_ : buffer_month_;
  const std::string month = std::max(formatTime(now).substr(0, 7), last);
  if (!buffer_.empty() && month != buffer_month_) {
    if (auto written = flush(); !written) return tl::unexpected(written.error());
  }
  buffer_month_ = month;
  buffer_.append(line).push_back('\n');
  tree_.add(line);
  return appended_++;
}

Result<void> Ledger::flush() {
  if (failed_) return failure(RecorderError::Kind::Failed, "the ledger failed before");
  if (buffer_.empty()) return {};
  auto written = buffer_month_ == month_ ? Result<void>() : openMonth(buffer_month_);
  if (written) written = writeWhole(file_.get(), buffer_, "writing the ledger");
  if (!written) {
    failed_ = true;
    return written;
  }
  buffer_.clear();
  flushed_ = appended_;
  return {};
}

Result<void> Ledger::openMonth(const std::string& month) {
  check(month > month_, "the ledger went back a month");
  if (file_.valid()) {
    if (auto synced = syncFile(file_.get(), "the ledger"); !synced) return synced;
    noteCommitted(flushed_);
  }
  auto file = openFile(dir_.get(), fileOf(month), O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0640);
  if (!file) return tl::unexpected(file.error());
  if (auto synced = syncFile(dir_.get(), "the ledger's directory"); !synced) return synced;
  previous_ = std::exchange(file_, std::move(*file));
  month_ = month;
  return {};
}

Result<std::uint64_t> readLedger(int dir_fd, const std::function<bool(const LedgerLine&)>& on_line) {
  auto dir = openSubdirectory(dir_fd, "ledger");
  if (!dir) return tl::unexpected(dir.error());
  auto months = monthsIn(dir->get());
  if (!months) return tl::unexpected(months.error());
  std::uint64_t lines = 0;
  for (const std::string& month : *months) {
    const std::string name = fileOf(month);
    auto file = openFile(dir->get(), name, O_RDONLY);
    if (!file) return tl::unexpected(file.error());
    auto end = readLines(file->get(), name, [&lines, &on_line](const LedgerLine& line) -> Result<bool> {
      if (line.n != lines) return failure(RecorderError::Kind::Damaged, "a ledger line has the wrong number");
      ++lines;
      return on_line(line);
    });
    if (!end) return tl::unexpected(end.error());
    if (end->stopped) break;
    if (end->torn > 0 && month != months->back()) return damagedAt(name, end->whole, "an unfinished line before the last file");
  }
  return lines;
}

}  // namespace ptygate::recorder
