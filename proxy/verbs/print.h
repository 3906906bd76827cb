// SPDX-License-Identifier: Apache-2.0
// How verbs print: errors to stderr as `ptygate: …`, rows as aligned columns or JSON Lines. Every byte that is not ours passes shown().
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ptygate::verbs {

/// Foreign text made safe for a person's terminal, on one line (base/safe_text).
[[nodiscard]] std::string shown(std::string_view foreign);

/// Writes to stdout. A stdout that is gone or full ends the process with status 1: the reader did not get what the verb promised.
void put(std::string_view text);
void putLine(std::string_view text);

/// Writes `ptygate: TEXT` to stderr; returns `status`, for `return fail(kUsage, …)`. `text` has been escaped where it is foreign.
int fail(int status, std::string_view text);
/// As fail, without a status: a remark beside the result.
void note(std::string_view text);

/// One JSON object on a line of its own, in ASCII. Strings that are not UTF-8 get U+FFFD: the exact bytes have a base64 field where they
/// matter.
void putJson(const nlohmann::ordered_json& object);

/// Rows with a heading, columns aligned by their longest cell; the last column is not padded. Cells must be safe to print.
class Columns {
 public:
  explicit Columns(std::vector<std::string> heading) : rows_{std::move(heading)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "512 B", "3.1 MiB".
[[nodiscard]] std::string bytesText(std::uint64_t bytes);
/// "0.4 s", "12 s", "3 min 5 s", "2 h 10 min".
[[nodiscard]] std::string durationText(double seconds);
/// "2026-11-20 10:12:20Z" for milliseconds since 1970.
[[nodiscard]] std::string timeText(std::int64_t unix_ms);

/// A whole file, at most `limit` bytes; "-" is stdin. Error: text with the name and what to do.
struct FileText {
  bool ok = false;
  std::string text;  ///< content, or the error
};
[[nodiscard]] FileText readWhole(const std::string& path, std::size_t limit);

}  // namespace ptygate::verbs
