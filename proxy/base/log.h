// SPDX-License-Identifier: Apache-2.0
// Structured log lines on stderr: one line an event, `time level pid event key=value…`. Values are escaped; never give it a secret.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace ptygate::base {

enum class LogLevel : std::uint8_t { Debug, Info, Warn, Error };

/// One `key=value` of a log line.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  template <class Int>
    requires std::is_integral_v<Int>
  LogField(std::string_view k, Int v) : key(k), value(std::to_string(v)) {}
  std::string_view key;
  std::string value;
};

/// Sets the process's name in each line ("keeper", "worker-1") and the lowest level written. Called once at start.
void startLog(std::string_view process, LogLevel lowest);

/// Writes one line. `event` is a fixed word of ours ("connection_opened").
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace ptygate::base
