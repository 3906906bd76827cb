// SPDX-License-Identifier: Apache-2.0
// Any bytes as control lines: the decoder is total, what it accepts encodes to a line that decodes to the same value, and the cutter gives
// the same lines however the bytes arrive.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/control/protocol.h"

using namespace ptygate::control;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::string> cut(std::string_view bytes, std::size_t step) {
  LineCutter cutter;
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const bool sound = cutter.feed(bytes.substr(at, step));
    while (auto line = cutter.next()) lines.push_back(*line);
    if (!sound) break;
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto lines = cut(bytes, bytes.size() + 1);
  require(lines == cut(bytes, 3));
  for (const std::string& line : lines) {
    if (const auto request = decodeRequest(line)) {
      const auto again = decodeRequest(encode(*request));
      require(again.has_value() && *again == *request);
    }
    if (const auto server = decodeServerLine(line)) {
      const auto again = decodeServerLine(encode(*server));
      require(again.has_value() && *again == *server);
    }
    (void)parseHoldRef(line);
  }
  return 0;
}
