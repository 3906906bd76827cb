// SPDX-License-Identifier: Apache-2.0
// Asserts: escapeLine is printable, reversible and at most 4 times as long; SafeTerminal prints nothing outside its allow list, whatever
// the split, and its output depends on the bytes alone.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "proxy/base/safe_text.h"
#include "safe_text_checks.h"

namespace {
void must(bool holds, const char* sentence) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", sentence);
  std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ptygate::base;
  if (size == 0) return 0;
  const std::size_t chunk = 1 + data[0] % 7;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  const std::string escaped = escapeLine(bytes);
  must(!testing::whyNotPrintable(escaped), "escapeLine gives printable text");
  must(testing::unescapeLine(escaped) == bytes, "the exact bytes can be read back");
  must(escaped.size() <= 4 * bytes.size(), "escapeLine is bounded");
  must(!testing::whyNotPrintable(escapeClipped(bytes, 10)), "escapeClipped gives printable text");

  SafeTerminal whole, split;
  std::string at_once = whole.filter(bytes), piecewise;
  for (std::size_t at = 0; at < bytes.size(); at += chunk) {
    piecewise += split.filter(bytes.substr(at, chunk));
    must(!testing::whyNotSafe(piecewise), "every prefix of the output is safe");
  }
  at_once += whole.finish();
  piecewise += split.finish();
  must(at_once == piecewise, "the split does not matter");
  must(!testing::whyNotSafe(at_once), "only the allow list comes out");
  must(at_once.size() <= 3 * bytes.size() + 3, "the filter is bounded");
  return 0;
}
