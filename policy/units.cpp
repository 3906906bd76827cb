// SPDX-License-Identifier: Apache-2.0
// See units.h.
#include "policy/units.h"

#include <array>
#include <charconv>

namespace ptygate::policy {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 5> kDurationUnits = {{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 4> kSizeUnits = {{{"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024ULL * 1024 * 1024}}};
constexpr std::uint64_t kMaxDurationMs = 366ULL * 86'400'000;
constexpr std::uint64_t kMaxSizeBytes = 1024ULL * 1024 * 1024 * 1024;

std::string quote(std::string_view text) {
  return "\"" + std::string(text.substr(0, 40)) + "\"";
}

template <std::size_t N>
tl::expected<std::uint64_t, std::string> parseQuantity(std::string_view text, const std::array<Unit, N>& units, std::uint64_t limit,
                                                       std::string_view wanted) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return tl::unexpected(quote(text) + " is too large");
  if (error != std::errc{}) return tl::unexpected(quote(text) + " is not " + std::string(wanted));
  const std::string_view unit = text.substr(std::size_t(end - text.data()));
  if (unit.empty()) return tl::unexpected(quote(text) + " has no unit; write " + std::string(wanted));
  for (const Unit& known : units) {
    if (known.name != unit) continue;
    if (number > limit / known.factor) return tl::unexpected(quote(text) + " is too large");
    return number * known.factor;
  }
  return tl::unexpected(quote(text) + " has the unknown unit " + quote(unit) + "; write " + std::string(wanted));
}

template <std::size_t N>
std::string formatQuantity(std::uint64_t quantity, const std::array<Unit, N>& units) {
  const Unit* best = &units[0];
  for (const Unit& unit : units) {
    if (quantity != 0 && quantity % unit.factor == 0) best = &unit;
  }
  return std::to_string(quantity / best->factor) + std::string(best->name);
}

}  // namespace

tl::expected<std::chrono::milliseconds, std::string> parseDuration(std::string_view text) {
  const auto quantity =
      parseQuantity(text, kDurationUnits, kMaxDurationMs, "a duration such as \"500ms\", \"30s\", \"5m\", \"2h\" or \"7d\"");
  if (!quantity) return tl::unexpected(quantity.error());
  if (*quantity == 0) return tl::unexpected(quote(text) + " is zero; write a duration over zero");
  return std::chrono::milliseconds(*quantity);
}

tl::expected<std::uint64_t, std::string> parseBytes(std::string_view text) {
  return parseQuantity(text, kSizeUnits, kMaxSizeBytes, "a size such as \"512B\", \"64KiB\", \"8MiB\" or \"2GiB\"");
}

std::string formatDuration(std::chrono::milliseconds duration) {
  return formatQuantity(duration.count() <= 0 ? 0 : std::uint64_t(duration.count()), kDurationUnits);
}

std::string formatBytes(std::uint64_t bytes) {
  return formatQuantity(bytes, kSizeUnits);
}

}  // namespace ptygate::policy
