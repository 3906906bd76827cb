// SPDX-License-Identifier: Apache-2.0
#include "recorder/event.h"

namespace ptygate::recorder {

LedgerEvent& LedgerEvent::set(std::string name, LedgerValue value) {
  fields.emplace_back(std::move(name), std::move(value));
  return *this;
}

LedgerEvent& LedgerEvent::set(std::string name, std::string value) {
  return set(std::move(name), LedgerValue(std::move(value)));
}
LedgerEvent& LedgerEvent::set(std::string name, const char* value) {
  return set(std::move(name), std::string(value));
}
LedgerEvent& LedgerEvent::set(std::string name, std::string_view value) {
  return set(std::move(name), std::string(value));
}

const LedgerValue* LedgerEvent::find(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view LedgerEvent::text(std::string_view name, std::string_view fallback) const {
  const auto* value = find(name);
  const auto* string = value ? std::get_if<std::string>(value) : nullptr;
  return string ? std::string_view(*string) : fallback;
}

std::int64_t LedgerEvent::number(std::string_view name, std::int64_t fallback) const {
  const auto* value = find(name);
  const auto* number = value ? std::get_if<std::int64_t>(value) : nullptr;
  return number ? *number : fallback;
}

bool LedgerEvent::flag(std::string_view name, bool fallback) const {
  const auto* value = find(name);
  const auto* flag = value ? std::get_if<bool>(value) : nullptr;
  return flag ? *flag : fallback;
}

const std::vector<std::string>& LedgerEvent::list(std::string_view name) const {
  static const std::vector<std::string> kNone;
  const auto* value = find(name);
  const auto* list = value ? std::get_if<std::vector<std::string>>(value) : nullptr;
  return list ? *list : kNone;
}

}  // namespace ptygate::recorder
