// SPDX-License-Identifier: Apache-2.0
// Two properties. Input that begins with an even byte is a list of events: what the encoder writes is one JSON array of three per line and
// decodes to the exact bytes, after every event. Input that begins with an odd byte is a hostile cast: readers end, and what they accept
// comes out as a cast that they accept again.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "recorder/cast_encoder.h"
#include "recorder/cast_reader.h"
#include "recorder/check.h"
#include "recorder/export.h"
#include "recorder/ledger.h"
#include "recorder/plain_text.h"
#include "recorder/utf8.h"

namespace ptygate::recorder {
namespace {

struct Bytes {
  std::string output, error, input, typed;
  bool operator==(const Bytes&) const = default;
};

Bytes decoded(const std::string& lines) {
  Bytes out;
  CastReader reader(lines);
  CastDecoder decoder;
  while (true) {
    auto line = reader.next();
    check(line.has_value(), "our own line does not parse");
    if (!*line) break;
    auto event = decoder.apply(std::move(**line));
    check(event.has_value(), "our own lines do not decode");
    if (!*event) continue;
    const auto kind = (*event)->kind;
    if (kind == CastEvent::Kind::Output) out.output += (*event)->bytes;
    if (kind == CastEvent::Kind::Error) out.error += (*event)->bytes;
    if (kind == CastEvent::Kind::Stdin) out.input += (*event)->bytes;
    if (kind == CastEvent::Kind::Key || kind == CastEvent::Kind::Input) out.typed += (*event)->bytes + "|";
  }
  check(decoder.isWhole() && reader.tornBytes() == 0, "our own lines end in a group");
  out.output += decoder.heldOutput();
  out.error += decoder.heldError();
  return out;
}

void checkJson(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t lf = lines.find('\n');
    check(lf != std::string_view::npos, "a line without LF");
    const auto json = nlohmann::json::parse(lines.substr(0, lf), nullptr, false);
    check(json.is_array() && json.size() == 3 && json[0].is_number() && json[1].is_string() && json[2].is_string(),
          "not an asciicast line");
    lines.remove_prefix(lf + 1);
  }
}

// Each event: one byte of kind, one of length (times 1, or times 257 for long ones), the bytes.
void encodeActions(std::string_view in) {
  CastEncoder encoder;
  std::string lines;
  Bytes sent;
  std::int64_t at = 0;
  for (int events = 0; in.size() >= 2 && events < 64; ++events) {
    const auto kind = static_cast<unsigned char>(in[0]);
    const std::size_t size = static_cast<unsigned char>(in[1]) * ((kind & 0x80) != 0 ? 257U : 1U);
    const std::string data(in.substr(2, size));
    in.remove_prefix(2 + data.size());
    const std::chrono::microseconds time(at += (kind & 0x40) != 0 ? -7 : 100'001);
    switch (kind & 7) {
      case 0:
        encoder.encode(CastEvent::error(data), time, lines);
        sent.error += data;
        break;
      case 1:
        encoder.encode(CastEvent::stdinData(data), time, lines);
        sent.input += data;
        break;
      case 2:
        encoder.encode(CastEvent::key(data), time, lines);
        sent.typed += data + "|";
        break;
      case 3:
        encoder.encode(CastEvent::marker(data), time, lines);
        break;
      case 4:
        encoder.encode(CastEvent::secret(kind), time, lines);
        break;
      default:
        encoder.encode(CastEvent::output(data), time, lines);
        sent.output += data;
        break;
    }
    check(decoded(lines) == sent, "recorded is not what was appended");
  }
  encoder.flush(std::chrono::microseconds(at), lines);
  check(decoded(lines) == sent, "recorded is not what was appended, at the end");
  checkJson(lines);
}

void readHostile(std::string_view in) {
  const std::string cast(in);
  std::string copy;
  const auto exported = exportCast(CastReader(cast), CastLines::All, [&copy](std::string_view piece) {
    copy += piece;
    return true;
  });
  if (exported) {
    std::string again;
    check(exportCast(
              CastReader(copy), CastLines::All,
              [&again](std::string_view piece) {
                again += piece;
                return true;
              }).has_value() &&
              again == copy,
          "an exported cast does not export to itself");
  }
  (void)exportText(CastReader(cast), [](std::string_view piece) {
    check(piece.find('\x1b') == std::string_view::npos && validPrefix(piece) == piece.size(), "a transcript with an escape sequence");
    return true;
  });
  if (const auto line = parseLedgerLine(in))
    check(encodeLedgerLine(line->n, line->at, line->event) == in, "two spellings of a ledger line");
  check(plainLine(in).find_first_of("\n\r\x1b") == std::string::npos, "a line that is not one");
}

}  // namespace
}  // namespace ptygate::recorder

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) == 0) {
    ptygate::recorder::encodeActions(in);
  } else {
    ptygate::recorder::readHostile(in);
  }
  return 0;
}
