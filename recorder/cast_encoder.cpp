// SPDX-License-Identifier: Apache-2.0
#include "recorder/cast_encoder.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "recorder/base64.h"
#include "recorder/check.h"
#include "recorder/json_text.h"
#include "recorder/utf8.h"

namespace ptygate::recorder {
namespace {

// A chunk is shown as one U+FFFD, and kept in `b` alone, when more than 1 byte in 10 is none that text has. Random bytes have 1.4
// in 10; Latin-1 prose, the worst text, has less than 1. Below this size display costs nothing.
constexpr std::size_t kMinBinaryBytes = 32;
constexpr std::size_t kBinaryShare = 10;
// Invalid spans that are closer than this share one `b`: each pair of events costs about this many bytes.
constexpr std::size_t kMinValidRun = 64;

bool isMostlyBinary(std::string_view bytes, const ByteProfile& profile) {
  return bytes.size() >= kMinBinaryBytes && profile.binary * kBinaryShare > bytes.size();
}

// From an invalid byte to the next long valid run, or to the end.
std::size_t invalidRegion(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    at += invalidSpan(bytes.substr(at));
    const std::size_t run = validPrefix(bytes.substr(at));
    if (run >= kMinValidRun) return at;
    at += run;
  }
  return at;
}

// Replacement must not blow a region up: where a quarter of it would be U+FFFD, one says as much.
std::string displayOf(std::string_view bytes) {
  std::string shown = replaceInvalid(bytes);
  const auto replaced = static_cast<std::size_t>(std::count(shown.begin(), shown.end(), kReplacement[0]));
  if (bytes.size() >= kMinBinaryBytes && replaced * 4 > bytes.size()) return std::string(kReplacement);
  return shown;
}

// A typed line that reads like the record of a secret gets its exact bytes beside it, which a secret never has.
bool looksLikeSecret(std::string_view text) {
  return text.starts_with("secret ");
}

std::string_view cutMarker(std::string_view label) {
  if (label.size() <= kMaxMarkerBytes) return label;
  label = label.substr(0, kMaxMarkerBytes);
  label.remove_suffix(incompleteTail(label));
  return label;
}

// Seconds with six decimals; returns the end. `out` holds 32 characters.
char* writeTime(std::int64_t micros, char* out) {
  constexpr std::int64_t kMicros = 1'000'000;
  out = std::to_chars(out, out + 20, micros / kMicros).ptr;
  *out++ = '.';
  for (std::int64_t unit = kMicros / 10, rest = micros % kMicros; unit > 0; rest %= unit, unit /= 10) {
    *out++ = static_cast<char>('0' + rest / unit);
  }
  return out;
}

std::uint32_t dimension(std::uint32_t value, std::uint32_t fallback) {
  return value == 0 ? fallback : std::min(value, 65535U);
}

}  // namespace

std::string encodeHeader(const CastHeader& header) {
  nlohmann::ordered_json json;
  json["version"] = 2;
  json["width"] = dimension(header.columns, 80);
  json["height"] = dimension(header.rows, 24);
  json["timestamp"] = header.timestamp;
  json["title"] = replaceInvalid(header.title);
  if (!header.term.empty()) json["env"]["TERM"] = replaceInvalid(header.term);
  if (!header.shell.empty()) json["env"]["SHELL"] = replaceInvalid(header.shell);
  return json.dump() + "\n";
}

void appendCastLine(const CastLine& line, std::string& out) {
  check(validPrefix(line.data) == line.data.size() && line.at.count() >= 0, "a cast line that is not UTF-8, or before the start");
  char time[32];
  out.push_back('[');
  out.append(time, static_cast<std::size_t>(writeTime(line.at.count(), time) - time));
  const char middle[] = {',', '"', line.code, '"', ',', '"'};
  out.append(middle, sizeof middle);
  appendJsonText(line.data, out);
  out.append("\"]\n");
}

void CastEncoder::encode(const CastEvent& event, std::chrono::microseconds at, std::string& out) {
  beginAt(at);
  switch (event.kind) {
    case CastEvent::Kind::Output:
      return stream('o', output_, event.data, out);
    case CastEvent::Kind::Error:
      return stream('e', error_, event.data, out);
    case CastEvent::Kind::Stdin:
      return stdinData(event.data, out);
    case CastEvent::Kind::Key:
    case CastEvent::Kind::Input:
      return typed(event.kind == CastEvent::Kind::Key ? 'k' : 'i', event.data, out);
    case CastEvent::Kind::Secret:
      return line('k', "secret " + std::to_string(event.number), out);
    case CastEvent::Kind::Resize:
      return line('r', std::to_string(event.number) + "x" + std::to_string(event.rows), out);
    case CastEvent::Kind::Marker: {
      flush(at, out);
      const std::string_view label = cutMarker(event.data);
      return line('m', replaceInvalid(label) + (label.size() < event.data.size() ? "…" : ""), out);
    }
    case CastEvent::Kind::Exit:
      flush(at, out);
      return line('x', std::to_string(event.number), out);
  }
  check(false, "an event of no kind");
}

void CastEncoder::flush(std::chrono::microseconds at, std::string& out) {
  beginAt(at);
  show('o', output_, out);
  show('e', error_, out);
}

void CastEncoder::stream(char code, Held& held, std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  std::string joined;
  if (held.size > 0) {
    joined.assign(reinterpret_cast<const char*>(held.bytes), held.size).append(bytes);
    bytes = joined;
    held.size = 0;
  }
  const std::size_t tail = incompleteTail(bytes);
  std::string_view whole = bytes.substr(0, bytes.size() - tail);
  while (!whole.empty()) {
    std::string_view part = whole.substr(0, kMaxEventBytes);
    if (part.size() < whole.size()) part.remove_suffix(incompleteTail(part));
    piece(code, part, out);
    whole.remove_prefix(part.size());
  }
  if (tail > 0) hold(code, held, bytes.substr(bytes.size() - tail), out);
}

void CastEncoder::piece(char code, std::string_view bytes, std::string& out) {
  const ByteProfile profile = profileOf(bytes);
  if (isMostlyBinary(bytes, profile)) return exact(code, bytes, kReplacement, out);
  if (!profile.has_high) return line(code, bytes, out);
  while (!bytes.empty()) {
    const std::size_t valid = validPrefix(bytes);
    if (valid > 0) line(code, bytes.substr(0, valid), out);
    bytes.remove_prefix(valid);
    if (bytes.empty()) return;
    const std::string_view region = bytes.substr(0, invalidRegion(bytes));
    exact(code, region, displayOf(region), out);
    bytes.remove_prefix(region.size());
  }
}

void CastEncoder::typed(char code, std::string_view bytes, std::string& out) {
  do {
    std::string_view part = bytes.substr(0, kMaxEventBytes);
    if (part.size() < bytes.size()) part.remove_suffix(incompleteTail(part));
    if (looksLikeSecret(part) || validPrefix(part) != part.size()) {
      exact(code, part, displayOf(part), out);
    } else {
      line(code, part, out);
    }
    bytes.remove_prefix(part.size());
  } while (!bytes.empty());
}

void CastEncoder::stdinData(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kMaxEventBytes);
    begin('s', out);
    appendBase64(part, out);
    out.append("\"]\n");
    bytes.remove_prefix(part.size());
  }
}

void CastEncoder::exact(char code, std::string_view bytes, std::string_view shown, std::string& out) {
  begin('b', out);
  appendBase64(bytes, out);
  out.append("\"]\n");
  line(code, shown, out);
}

void CastEncoder::line(char code, std::string_view utf8, std::string& out) {
  const std::size_t start = out.size();
  begin(code, out);
  appendJsonText(utf8, out);
  out.append("\"]\n");
  if (code != 'e') return;
  // The twin: players show stderr where it came, by an `o` of the same text.
  const std::size_t size = out.size() - start;
  out.append(out, start, size);
  out[start + size + 1 + time_size_ + 2] = 'o';
}

void CastEncoder::hold(char code, Held& held, std::string_view tail, std::string& out) {
  std::memcpy(held.bytes, tail.data(), tail.size());
  held.size = static_cast<std::uint8_t>(tail.size());
  begin('h', out);
  out.append(code == 'e' ? "2 " : "1 ");
  appendBase64(tail, out);
  out.append("\"]\n");
}

void CastEncoder::show(char code, Held& held, std::string& out) {
  if (held.size == 0) return;
  exact(code, {reinterpret_cast<const char*>(held.bytes), held.size}, kReplacement, out);
  held.size = 0;
}

void CastEncoder::begin(char code, std::string& out) const {
  out.push_back('[');
  out.append(time_, time_size_);
  const char middle[] = {',', '"', code, '"', ',', '"'};
  out.append(middle, sizeof middle);
}

void CastEncoder::beginAt(std::chrono::microseconds at) {
  if (at.count() <= last_us_) return;
  last_us_ = at.count();
  time_size_ = static_cast<std::uint8_t>(writeTime(last_us_, time_) - time_);
}

}  // namespace ptygate::recorder
