// SPDX-License-Identifier: Apache-2.0
// One ledger line, written and read (ledger.h). By nlohmann-json: a ledger line is written once per decision.
#include <nlohmann/json.hpp>

#include "recorder/base64.h"
#include "recorder/check.h"
#include "recorder/ledger.h"
#include "recorder/store_paths.h"
#include "recorder/utf8.h"

namespace ptygate::recorder {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kExactSuffix = "_base64";
constexpr std::size_t kMaxFields = 64;

tl::unexpected<RecorderError> damaged(const char* what) {
  return failure(RecorderError::Kind::Damaged, std::string("a ledger line ") + what);
}

bool isUtf8(std::string_view text) {
  return validPrefix(text) == text.size();
}

std::string base64(std::string_view bytes) {
  std::string out;
  appendBase64(bytes, out);
  return out;
}

void put(Json& line, const std::string& name, const std::string& text) {
  line[name] = replaceInvalid(text);
  if (!isUtf8(text)) line[name + std::string(kExactSuffix)] = base64(text);
}

void put(Json& line, const std::string& name, const std::vector<std::string>& texts) {
  Json shown = Json::array();
  Json exact = Json::array();
  bool all_valid = true;
  for (const std::string& text : texts) {
    shown.push_back(replaceInvalid(text));
    exact.push_back(base64(text));
    all_valid = all_valid && isUtf8(text);
  }
  line[name] = std::move(shown);
  if (!all_valid) line[name + std::string(kExactSuffix)] = std::move(exact);
}

void put(Json& line, const std::string& name, std::int64_t number) {
  line[name] = number;
}
void put(Json& line, const std::string& name, bool flag) {
  line[name] = flag;
}

Result<LedgerValue> valueOf(const Json& json) {
  if (json.is_string()) return LedgerValue(json.get_ref<const std::string&>());
  if (json.is_boolean()) return LedgerValue(json.get<bool>());
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    return damaged("has too large a number");
  if (json.is_number_integer()) return LedgerValue(json.get<std::int64_t>());
  if (!json.is_array()) return damaged("has a field of an unknown type");
  std::vector<std::string> texts;
  for (const Json& item : json) {
    if (!item.is_string()) return damaged("has a list that is not of strings");
    texts.push_back(item.get_ref<const std::string&>());
  }
  return LedgerValue(std::move(texts));
}

// `exact` is the base64 twin of `shown`: the same type and count, and worth having.
Result<LedgerValue> exactValue(const LedgerValue& shown, const LedgerValue& exact) {
  if (shown.index() != exact.index()) return damaged("has exact bytes of another type");
  if (const auto* text = std::get_if<std::string>(&exact)) {
    auto bytes = decodeBase64(*text);
    if (!bytes || replaceInvalid(*bytes) != std::get<std::string>(shown)) return damaged("has exact bytes that are not those shown");
    return LedgerValue(std::move(*bytes));
  }
  const auto* texts = std::get_if<std::vector<std::string>>(&exact);
  const auto* shown_texts = std::get_if<std::vector<std::string>>(&shown);
  if (!texts || texts->size() != shown_texts->size()) return damaged("has exact bytes of another type");
  std::vector<std::string> out;
  for (std::size_t i = 0; i < texts->size(); ++i) {
    auto bytes = decodeBase64((*texts)[i]);
    if (!bytes || replaceInvalid(*bytes) != (*shown_texts)[i]) return damaged("has exact bytes that are not those shown");
    out.push_back(std::move(*bytes));
  }
  return LedgerValue(std::move(out));
}

bool isReserved(std::string_view name) {
  return name.empty() || name == "n" || name == "at" || name == "kind" || name.ends_with(kExactSuffix);
}

Result<void> readFields(const Json& json, LedgerEvent& event) {
  std::size_t index = 0;
  for (const auto& [name, json_value] : json.items()) {
    if (index++ < 3) continue;
    auto value = valueOf(json_value);
    if (!value) return tl::unexpected(value.error());
    if (!name.ends_with(kExactSuffix)) {
      if (isReserved(name) || event.fields.size() == kMaxFields) return damaged("has a reserved field name, or too many fields");
      event.fields.emplace_back(name, std::move(*value));
      continue;
    }
    if (event.fields.empty() || name != event.fields.back().first + std::string(kExactSuffix)) return damaged("has exact bytes of nothing");
    auto exact = exactValue(event.fields.back().second, *value);
    if (!exact) return tl::unexpected(exact.error());
    event.fields.back().second = std::move(*exact);
  }
  return {};
}

}  // namespace

std::string encodeLedgerLine(std::uint64_t n, WallTime at, const LedgerEvent& event) {
  Json line;
  line["n"] = n;
  line["at"] = formatTime(at);
  line["kind"] = event.kind;
  check(!event.kind.empty() && isUtf8(event.kind), "a ledger event without a kind");
  check(event.fields.size() <= kMaxFields, "a ledger event with too many fields");
  for (const auto& [name, value] : event.fields) {
    check(!isReserved(name) && isUtf8(name) && !line.contains(name), "a ledger field with a reserved or repeated name");
    std::visit([&line, &field = name](const auto& held) { put(line, field, held); }, value);
  }
  return line.dump();
}

Result<LedgerLine> parseLedgerLine(std::string_view text) {
  if (text.size() > kMaxLedgerLineBytes) return damaged("is too long");
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.size() < 3) return damaged("is not a JSON object");
  if (json.size() > 3 + 2 * kMaxFields) return damaged("has too many fields");
  auto item = json.begin();
  if (item.key() != "n" || !item->is_number_unsigned()) return damaged("has no number");
  LedgerLine line;
  line.line = text;
  line.n = item->get<std::uint64_t>();
  if ((++item).key() != "at" || !item->is_string()) return damaged("has no time");
  const auto at = parseTime(item->get_ref<const std::string&>());
  if (!at) return damaged("has no valid time");
  line.at = *at;
  if ((++item).key() != "kind" || !item->is_string()) return damaged("has no kind");
  line.event.kind = item->get_ref<const std::string&>();
  if (line.event.kind.empty()) return damaged("has no kind");
  if (auto read = readFields(json, line.event); !read) return tl::unexpected(read.error());
  // One spelling per event: repeated keys, spaces and needless escapes would let two readers see different lines.
  if (encodeLedgerLine(line.n, line.at, line.event) != text) return damaged("is not written as the gate writes it");
  return line;
}

}  // namespace ptygate::recorder
