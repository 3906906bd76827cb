// SPDX-License-Identifier: Apache-2.0
#include "recorder/store_paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "recorder/check.h"
#include "recorder/files.h"

namespace ptygate::recorder {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t kIdBytes = 21;
constexpr std::size_t kLettersAt = 16;
constexpr std::string_view kCastSuffix = ".cast";

bool isLetter(char c) {
  return kLetters.find(c) != std::string_view::npos;
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// The number in `text`, or -1 when some character is no digit. Short texts only.
int digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (!isDigit(c)) return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<WallTime> wallTime(int year, int month, int day, int hour, int minute, int second) {
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (year < 1970 || month < 0 || day < 0 || !date.ok()) return std::nullopt;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return std::nullopt;
  return WallTime(sys_days(date).time_since_epoch() + hours(hour) + minutes(minute) + seconds(second));
}

struct Parts {
  int year, month, day, hour, minute, second, milli;
};

Parts partsOf(WallTime at) {
  using namespace std::chrono;
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(time.hours().count()),
          static_cast<int>(time.minutes().count()),
          static_cast<int>(time.seconds().count()),
          static_cast<int>(time.subseconds().count())};
}

std::string dayPath(const SessionId& id) {
  const std::string& text = id.text();
  return "rec/" + text.substr(0, 4) + "/" + text.substr(4, 2) + "/" + text.substr(6, 2);
}

// Opens "rec/YYYY/MM/DD" one step at a time, so that no symbolic link is followed on the way.
Result<Fd> openDay(int dir_fd, const SessionId& id, bool make) {
  const std::string path = dayPath(id);
  Fd at;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string step = path.substr(begin, end - begin);
    const int parent = at.valid() ? at.get() : dir_fd;
    auto next = make ? makeDirectory(parent, step) : openSubdirectory(parent, step);
    if (!next) return next;
    at = std::move(*next);
    begin = end + 1;
  }
  return at;
}

Result<mode_t> modeOf(int dir_fd, const SessionId& id) {
  auto file = openCast(dir_fd, id);
  if (!file) return tl::unexpected(file.error());
  struct stat info {};
  if (fstat(file->get(), &info) != 0) return tl::unexpected(systemError(castPath(id)));
  return info.st_mode;
}

// The directories directly below whose names are `size` digits, oldest first.
Result<std::vector<std::string>> numberedIn(int dir_fd, std::size_t size) {
  auto names = namesIn(dir_fd);
  if (!names) return names;
  std::erase_if(*names, [size](const std::string& name) { return name.size() != size || digits(name) < 0; });
  return names;
}

// Calls `visit` with the descriptor of every day's directory in order.
template <typename Visit>
Result<void> eachDay(int dir_fd, std::size_t depth, Visit&& visit) {
  static constexpr std::size_t kWidths[] = {4, 2, 2};
  if (depth == std::size(kWidths)) return visit(dir_fd);
  auto names = numberedIn(dir_fd, kWidths[depth]);
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) {
    auto child = openSubdirectory(dir_fd, name);
    if (!child) continue;  // not a directory, or a link: nothing of ours
    if (auto done = eachDay(child->get(), depth + 1, visit); !done) return done;
  }
  return {};
}

}  // namespace

SessionId SessionId::generate(WallTime now, std::span<const std::uint8_t, kRandomBytes> random) {
  const Parts p = partsOf(now);
  check(p.year >= 1970 && p.year <= 9999, "a session outside of the years 1970-9999");
  char text[80];
  std::snprintf(text, sizeof text, "%04d%02d%02d-%02d%02d%02d-", p.year, p.month, p.day, p.hour, p.minute, p.second);
  std::string id = text;
  std::uint32_t bits = 0;
  for (const std::uint8_t byte : random) bits = (bits << 8) | byte;
  for (int i = 0; i < 5; ++i, bits >>= 5) id.push_back(kLetters[bits & 31]);
  return SessionId(std::move(id));
}

Result<SessionId> SessionId::parse(std::string_view text) {
  const auto malformed = [] { return failure(RecorderError::Kind::Malformed, "not a session id (YYYYMMDD-HHMMSS-xxxxx)"); };
  if (text.size() != kIdBytes || text[8] != '-' || text[15] != '-') return malformed();
  const auto number = [text](std::size_t at, std::size_t size) { return digits(text.substr(at, size)); };
  if (!wallTime(number(0, 4), number(4, 2), number(6, 2), number(9, 2), number(11, 2), number(13, 2))) return malformed();
  if (!std::all_of(text.begin() + kLettersAt, text.end(), isLetter)) return malformed();
  return SessionId(std::string(text));
}

WallTime SessionId::start() const {
  const auto number = [this](std::size_t at, std::size_t size) { return digits(std::string_view(text_).substr(at, size)); };
  return *wallTime(number(0, 4), number(4, 2), number(6, 2), number(9, 2), number(11, 2), number(13, 2));
}

std::string castPath(const SessionId& id) {
  return dayPath(id) + "/" + id.text() + std::string(kCastSuffix);
}

Result<CreatedCast> createCast(int dir_fd, const SessionId& id) {
  auto day = openDay(dir_fd, id, true);
  if (!day) return tl::unexpected(day.error());
  auto file = openFile(day->get(), id.text() + std::string(kCastSuffix), O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0640);
  if (!file) return tl::unexpected(file.error());
  return CreatedCast{std::move(*file), std::move(*day)};
}

Result<Fd> openCast(int dir_fd, const SessionId& id) {
  auto day = openDay(dir_fd, id, false);
  if (!day) return day;
  return openFile(day->get(), id.text() + std::string(kCastSuffix), O_RDONLY);
}

Result<CreatedCast> openCastForRecovery(int dir_fd, const SessionId& id) {
  auto day = openDay(dir_fd, id, false);
  if (!day) return tl::unexpected(day.error());
  auto file = openFile(day->get(), id.text() + std::string(kCastSuffix), O_RDWR | O_APPEND);
  if (!file) return tl::unexpected(file.error());
  return CreatedCast{std::move(*file), std::move(*day)};
}

Result<void> sealCast(int dir_fd, const SessionId& id) {
  auto file = openCast(dir_fd, id);
  if (!file) return tl::unexpected(file.error());
  if (fchmod(file->get(), 0440) != 0) return tl::unexpected(systemError("sealing " + castPath(id)));
  return {};
}

Result<bool> isSealed(int dir_fd, const SessionId& id) {
  return modeOf(dir_fd, id).map([](mode_t mode) { return (mode & 0222) == 0; });
}

Result<std::vector<SessionId>> listSessions(int dir_fd) {
  std::vector<SessionId> ids;
  auto rec = openSubdirectory(dir_fd, "rec");
  if (!rec) {
    if (rec.error().kind == RecorderError::Kind::NotFound) return ids;
    return tl::unexpected(rec.error());
  }
  auto done = eachDay(rec->get(), 0, [&ids](int day) -> Result<void> {
    auto names = namesIn(day);
    if (!names) return tl::unexpected(names.error());
    for (const std::string_view name : *names) {
      if (!name.ends_with(kCastSuffix)) continue;
      auto id = SessionId::parse(name.substr(0, name.size() - kCastSuffix.size()));
      if (id) ids.push_back(std::move(*id));
    }
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  std::sort(ids.begin(), ids.end());
  return ids;
}

Result<SessionId> findSession(int dir_fd, std::string_view prefix) {
  const bool plain = std::all_of(prefix.begin(), prefix.end(), [](char c) { return isDigit(c) || isLetter(c) || c == '-'; });
  if (prefix.empty() || prefix.size() > kIdBytes || !plain)
    return failure(RecorderError::Kind::Malformed, "not the beginning of a session id");
  if (auto whole = SessionId::parse(prefix)) {
    return openCast(dir_fd, *whole).map([&whole](const Fd&) { return *whole; });
  }
  auto ids = listSessions(dir_fd);
  if (!ids) return tl::unexpected(ids.error());
  std::erase_if(*ids, [prefix](const SessionId& id) {
    return !id.text().starts_with(prefix) && std::string_view(id.text()).substr(kLettersAt) != prefix;
  });
  if (ids->empty()) return failure(RecorderError::Kind::NotFound, "no session begins with " + std::string(prefix));
  if (ids->size() > 1)
    return failure(RecorderError::Kind::Ambiguous, std::string(prefix) + " names " + std::to_string(ids->size()) + " sessions");
  return ids->front();
}

Result<Fd> openDirectory(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid()) return fd;
  RecorderError error = systemError(path);
  if (errno == ENOENT) error.kind = RecorderError::Kind::NotFound;
  return tl::unexpected(std::move(error));
}

std::string formatTime(WallTime at) {
  const Parts p = partsOf(at);
  char text[96];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", p.year, p.month, p.day, p.hour, p.minute, p.second, p.milli);
  return text;
}

Result<WallTime> parseTime(std::string_view text) {
  const auto malformed = [] { return failure(RecorderError::Kind::Malformed, "not a time (YYYY-MM-DDTHH:MM:SS.mmmZ)"); };
  if (text.size() != 24 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != '.' ||
      text[23] != 'Z') {
    return malformed();
  }
  const auto number = [text](std::size_t at, std::size_t size) { return digits(text.substr(at, size)); };
  const auto whole = wallTime(number(0, 4), number(5, 2), number(8, 2), number(11, 2), number(14, 2), number(17, 2));
  if (!whole || number(20, 3) < 0) return malformed();
  return *whole + std::chrono::milliseconds(number(20, 3));
}

}  // namespace ptygate::recorder
