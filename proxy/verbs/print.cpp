// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/print.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "proxy/base/fd.h"
#include "proxy/base/safe_text.h"
#include "proxy/verbs/verb.h"

namespace ptygate::verbs {

std::string shown(std::string_view foreign) {
  return base::escapeLine(foreign);
}

void put(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return;
  std::fprintf(stderr, "ptygate: cannot write the output: %s\n", std::strerror(errno));
  std::_Exit(kNegative);
}

void putLine(std::string_view text) {
  put(text);
  put("\n");
}

int fail(int status, std::string_view text) {
  note(text);
  return status;
}

void note(std::string_view text) {
  std::fflush(stdout);
  std::fprintf(stderr, "ptygate: %.*s\n", static_cast<int>(text.size()), text.data());
}

void putJson(const nlohmann::ordered_json& object) {
  // ASCII only: a bidi or C1 character of the target's must not reach the terminal through --json either.
  putLine(object.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
}

namespace {

// Columns on the screen, for text that shown() let through: one a code point. Wide characters make a row ragged, nothing worse.
std::size_t widthOf(std::string_view text) {
  std::size_t width = 0;
  for (char c : text) width += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  return width;
}

}  // namespace

void Columns::print() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], widthOf(row[i]));
  }
  for (const auto& row : rows_) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - widthOf(row[i]) + 2, ' ');
    }
    putLine(text);
  }
}

std::string bytesText(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) value /= 1024, ++unit;
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::string durationText(double seconds) {
  std::array<char, 48> text{};
  const auto whole = static_cast<long long>(seconds);
  if (seconds < 0) return "-";
  if (seconds < 10)
    std::snprintf(text.data(), text.size(), "%.1f s", seconds);
  else if (whole < 60)
    std::snprintf(text.data(), text.size(), "%lld s", whole);
  else if (whole < 3600)
    std::snprintf(text.data(), text.size(), "%lld min %lld s", whole / 60, whole % 60);
  else
    std::snprintf(text.data(), text.size(), "%lld h %lld min", whole / 3600, whole / 60 % 60);
  return text.data();
}

std::string timeText(std::int64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return "-";
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &parts);
  return text.data();
}

FileText readWhole(const std::string& path, std::size_t limit) {
  const std::string name = path == "-" ? "standard input" : shown(path);
  base::Fd opened;
  if (path != "-") {
    opened.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.valid()) return {false, "cannot read " + name + ": " + std::strerror(errno)};
  }
  const int fd = path == "-" ? STDIN_FILENO : opened.get();
  std::string text;
  std::array<char, 65536> chunk;
  for (;;) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {false, "cannot read " + name + ": " + std::strerror(errno)};
    if (got == 0) return {true, std::move(text)};
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) return {false, name + " is larger than " + bytesText(limit) + "; is it the right file?"};
  }
}

}  // namespace ptygate::verbs
