// SPDX-License-Identifier: Apache-2.0
#include "proxy/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace ptygate::base {

namespace {

spdlog::logger& logger() {
  static auto instance = std::make_shared<spdlog::logger>("ptygate", std::make_shared<spdlog::sinks::stderr_sink_st>());
  return *instance;
}

spdlog::level::level_enum levelOf(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return spdlog::level::debug;
    case LogLevel::Info: return spdlog::level::info;
    case LogLevel::Warn: return spdlog::level::warn;
    case LogLevel::Error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// A log reader's terminal must not meet foreign escape sequences, and one event must stay one line.
void appendValue(std::string& out, std::string_view value) {
  bool plain = !value.empty() && value.size() <= 512;
  for (char c : value) plain = plain && c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
  if (plain) {
    out += value;
    return;
  }
  out += '"';
  for (char c : value.substr(0, 512)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      static const char* const kHex = "0123456789abcdef";
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  out += value.size() > 512 ? "…\"" : "\"";
}

}  // namespace

void startLog(std::string_view process, LogLevel lowest) {
  logger().set_level(levelOf(lowest));
  logger().flush_on(spdlog::level::debug);
  logger().set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l " + std::string(process) + "[%P] %v", spdlog::pattern_time_type::utc);
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!logger().should_log(levelOf(level))) return;
  std::string line(event);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    appendValue(line, field.value);
  }
  logger().log(levelOf(level), "{}", line);
}

}  // namespace ptygate::base
