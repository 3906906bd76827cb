// SPDX-License-Identifier: Apache-2.0
#include "recorder/cast_reader.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "recorder/base64.h"
#include "recorder/files.h"
#include "recorder/json_text.h"
#include "recorder/utf8.h"

namespace ptygate::recorder {
namespace {

constexpr std::size_t kReadBytes = 128 * 1024;

tl::unexpected<RecorderError> damaged(std::string what) {
  return failure(RecorderError::Kind::Damaged, std::move(what));
}

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// "12.345678" at the start of `text` in microseconds; takes it off. At most nine digits before the point: no overflow.
std::optional<std::chrono::microseconds> takeTime(std::string_view& text) {
  std::int64_t micros = 0;
  std::size_t at = 0;
  while (at < text.size() && isDigit(text[at])) micros = micros * 10 + (text[at++] - '0');
  if (at == 0 || at > 9) return std::nullopt;
  std::size_t decimals = 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    while (at < text.size() && isDigit(text[at]) && decimals < 7) {
      micros = micros * 10 + (text[at++] - '0');
      ++decimals;
    }
    if (decimals == 0 || decimals > 6) return std::nullopt;
  }
  for (; decimals < 6; ++decimals) micros *= 10;
  text.remove_prefix(at);
  return std::chrono::microseconds(micros);
}

// A comma and the spaces that other writers put after it.
bool takeComma(std::string_view& text) {
  if (text.empty() || text[0] != ',') return false;
  text.remove_prefix(1);
  while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
  return true;
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> dimension(const nlohmann::json& json, const char* name) {
  const auto value = json.find(name);
  if (value == json.end() || !value->is_number_unsigned()) return std::nullopt;
  const auto size = value->get<std::uint64_t>();
  if (size == 0 || size > 65535) return std::nullopt;
  return static_cast<std::uint32_t>(size);
}

std::string textOf(const nlohmann::json& json, const char* name) {
  const auto value = json.find(name);
  return value != json.end() && value->is_string() ? value->get<std::string>() : std::string();
}

Result<std::optional<Decoded>> event(CastEvent::Kind kind, const CastLine& line, std::uint32_t value = 0, std::uint32_t rows = 0) {
  return Decoded{kind, line.at, {}, {}, value, rows};
}

Result<std::optional<Decoded>> resize(const CastLine& line) {
  const std::string_view data = line.data;
  const std::size_t by = data.find('x');
  const auto columns = number<std::uint32_t>(data.substr(0, by));
  const auto rows = by == std::string_view::npos ? std::nullopt : number<std::uint32_t>(data.substr(by + 1));
  if (!columns || !rows) return damaged("a resize without a size");
  return event(CastEvent::Kind::Resize, line, *columns, *rows);
}

}  // namespace

Result<CastHeader> parseHeader(std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return damaged("the header is not a JSON object");
  const auto version = json.find("version");
  if (version == json.end() || !version->is_number_unsigned() || version->get<std::uint64_t>() != 2) {
    return damaged("the header is not of asciicast version 2");
  }
  const auto columns = dimension(json, "width");
  const auto rows = dimension(json, "height");
  if (!columns || !rows) return damaged("the header has no size");
  CastHeader header;
  header.columns = *columns;
  header.rows = *rows;
  const auto stamp = json.find("timestamp");
  if (stamp != json.end() && stamp->is_number_integer()) header.timestamp = stamp->get<std::int64_t>();
  header.title = textOf(json, "title");
  if (const auto env = json.find("env"); env != json.end() && env->is_object()) {
    header.term = textOf(*env, "TERM");
    header.shell = textOf(*env, "SHELL");
  }
  return header;
}

Result<CastLine> parseCastLine(std::string_view line) {
  if (line.empty() || line[0] != '[') return damaged("a line does not begin with [");
  line.remove_prefix(1);
  CastLine out;
  const auto at = takeTime(line);
  if (!at || !takeComma(line)) return damaged("a line has no time");
  out.at = *at;
  if (line.size() < 3 || line[0] != '"' || line[1] <= ' ' || line[1] > '~' || line[1] == '"' || line[1] == '\\' || line[2] != '"') {
    return damaged("a line has no code");
  }
  out.code = line[1];
  line.remove_prefix(3);
  if (!takeComma(line)) return damaged("a line has no data");
  const auto read = readJsonString(line, out.data);
  if (!read || line.substr(*read) != "]") return damaged("a line's data is not one JSON string");
  return out;
}

Result<CastHeader> CastReader::header() {
  auto text = line(kMaxHeaderBytes);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return damaged("the cast ends in its header");
  auto header = parseHeader(**text);
  if (header) taken((*text)->size() + 1);
  return header;
}

Result<std::optional<CastLine>> CastReader::next() {
  auto text = line(kMaxCastLineBytes);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::optional<CastLine>();
  auto parsed = parseCastLine(**text);
  if (!parsed) return tl::unexpected(parsed.error());
  if (parsed->at < last_) return damaged("a line goes back in time");
  last_ = parsed->at;
  taken((*text)->size() + 1);
  return std::optional<CastLine>(std::move(*parsed));
}

void CastReader::taken(std::size_t size) {
  begin_ += size;
  search_ = begin_;
  offset_ += size;
}

Result<std::optional<std::string_view>> CastReader::line(std::size_t limit) {
  while (true) {
    const std::size_t lf = buffer_.find('\n', search_);
    const std::size_t size = (lf == std::string::npos ? buffer_.size() : lf) - begin_;
    if (size > limit) return damaged("a line is too long");
    if (lf != std::string::npos) return std::optional(std::string_view(buffer_).substr(begin_, size));
    search_ = buffer_.size();
    if (!fd_.valid()) return std::optional<std::string_view>();
    buffer_.erase(0, begin_);
    search_ -= begin_;
    begin_ = 0;
    auto got = readSome(fd_.get(), kReadBytes, buffer_);
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) return std::optional<std::string_view>();
  }
}

Result<std::optional<Decoded>> CastDecoder::apply(CastLine line) {
  if (twin_) return twin(std::move(line));
  switch (line.code) {
    case 'o':
      return text(CastEvent::Kind::Output, std::move(line));
    case 'e':
      return error(std::move(line));
    case 'i':
      return text(CastEvent::Kind::Input, std::move(line));
    case 'k':
      if (!exact_ && line.data.starts_with("secret ")) {
        const auto bytes = number<std::uint32_t>(std::string_view(line.data).substr(7));
        if (!bytes) return damaged("a secret without a length");
        return event(CastEvent::Kind::Secret, line, *bytes);
      }
      return text(CastEvent::Kind::Key, std::move(line));
    default:
      break;
  }
  if (exact_) return damaged("exact bytes without their text");
  switch (line.code) {
    case 'b': {
      exact_ = decodeBase64(line.data);
      if (!exact_ || exact_->empty()) return damaged("exact bytes that are not base64");
      return std::optional<Decoded>();
    }
    case 'h':
      return held(line);
    case 's': {
      auto bytes = decodeBase64(line.data);
      if (!bytes) return damaged("stdin that is not base64");
      return Decoded{CastEvent::Kind::Stdin, line.at, std::move(*bytes), {}, 0, 0};
    }
    case 'm':
      return Decoded{CastEvent::Kind::Marker, line.at, std::move(line.data), {}, 0, 0};
    case 'r':
      return resize(line);
    case 'x': {
      const auto status = number<std::uint32_t>(line.data);
      if (!status) return damaged("an exit without a status");
      return event(CastEvent::Kind::Exit, line, *status);
    }
    default:
      return std::optional<Decoded>();
  }
}

Result<std::optional<Decoded>> CastDecoder::text(CastEvent::Kind kind, CastLine line) {
  Decoded out{kind, line.at, {}, {}, 0, 0};
  if (exact_) {
    out.bytes = std::move(*exact_);
    exact_.reset();
    out.display = std::move(line.data);
  } else {
    out.bytes = std::move(line.data);
  }
  if (kind != CastEvent::Kind::Output && kind != CastEvent::Kind::Error) return std::optional<Decoded>(std::move(out));
  std::string& held = kind == CastEvent::Kind::Output ? held_output_ : held_error_;
  if (!out.bytes.starts_with(held)) return damaged("held bytes are not at the start of what follows");
  held.clear();
  return std::optional<Decoded>(std::move(out));
}

Result<std::optional<Decoded>> CastDecoder::error(CastLine line) {
  std::string shown = line.data;
  auto decoded = text(CastEvent::Kind::Error, std::move(line));
  if (!decoded) return decoded;
  twin_text_ = std::move(shown);
  twin_ = std::move(**decoded);
  return std::optional<Decoded>();
}

Result<std::optional<Decoded>> CastDecoder::twin(CastLine line) {
  if (line.code != 'o' || line.data != twin_text_) return damaged("stderr without its twin");
  std::optional<Decoded> out = std::move(twin_);
  twin_.reset();
  return out;
}

Result<std::optional<Decoded>> CastDecoder::held(const CastLine& line) {
  const bool is_output = line.data.starts_with("1 ");
  if (!is_output && !line.data.starts_with("2 ")) return damaged("held bytes of no stream");
  auto bytes = decodeBase64(std::string_view(line.data).substr(2));
  std::string& held = is_output ? held_output_ : held_error_;
  if (!bytes || bytes->empty() || incompleteTail(*bytes) != bytes->size() || !bytes->starts_with(held)) {
    return damaged("held bytes that begin no character");
  }
  held = std::move(*bytes);
  return std::optional<Decoded>();
}

}  // namespace ptygate::recorder
