// SPDX-License-Identifier: Apache-2.0
// The only includer of toml++ in the project. toml++ throws on syntax errors; nothing leaves this file by exception.
#include "policy/strict_toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace ptygate::policy {

struct TomlTable::View {
  const toml::table* table = nullptr;
  TomlDocument::State* document = nullptr;
  std::size_t line = 1;
  std::set<std::string, std::less<>> asked;
};

struct TomlDocument::State {
  toml::table root;
  std::string origin;
  std::string error;
  // One view per table, so that what was asked is remembered whichever handle asked.
  std::map<const toml::table*, std::unique_ptr<TomlTable::View>> views;

  TomlTable viewOf(const toml::table& table, std::size_t line) {
    auto& view = views[&table];
    if (!view) view = std::make_unique<TomlTable::View>(TomlTable::View{&table, this, line, {}});
    return TomlTable(view.get());
  }
  void refuse(std::size_t line, std::string_view text) {
    if (error.empty()) error = origin + ":" + std::to_string(line) + ": " + std::string(text);
  }
};

namespace {

std::string_view typeName(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

std::size_t lineOfNode(const toml::node& node, std::size_t fallback) {
  const std::size_t line = node.source().begin.line;
  return line != 0 ? line : fallback;
}

const toml::node* find(const TomlTable::View& view, std::string_view key) {
  return view.table->get(key);
}

void refuseType(const TomlTable::View& view, std::string_view key, std::string_view wanted, const toml::node& found) {
  view.document->refuse(lineOfNode(found, view.line),
                        std::string(key) + ": " + std::string(wanted) + " is needed, this is " + std::string(typeName(found)));
}

/// Looks up a key and marks it as known.
const toml::node* ask(TomlTable::View& view, std::string_view key) {
  view.asked.emplace(key);
  return find(view, key);
}

}  // namespace

tl::expected<TomlDocument, std::string> TomlDocument::parse(std::string_view text, std::string_view origin) {
  const std::string name(origin);
  if (text.size() > kMaxTomlBytes) return tl::unexpected(name + ":1: larger than " + std::to_string(kMaxTomlBytes) + " bytes");
  auto state = std::make_unique<State>();
  state->origin = name;
  try {
    state->root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    std::ostringstream out;
    out << name << ':' << error.source().begin.line << ": not valid TOML: " << error.description();
    return tl::unexpected(out.str());
  } catch (const std::exception& error) {
    return tl::unexpected(name + ":1: not readable as TOML: " + error.what());
  }
  return TomlDocument(std::move(state));
}

TomlDocument::TomlDocument(std::unique_ptr<State> state) : state_(std::move(state)) {}
TomlDocument::TomlDocument(TomlDocument&&) noexcept = default;
TomlDocument& TomlDocument::operator=(TomlDocument&&) noexcept = default;
TomlDocument::~TomlDocument() = default;

TomlTable TomlDocument::root() {
  return state_->viewOf(state_->root, 1);
}
const std::string& TomlDocument::error() const {
  return state_->error;
}

bool TomlTable::has(std::string_view key) const {
  return ask(*view_, key) != nullptr;
}

std::optional<std::string> TomlTable::string(std::string_view key) const {
  const toml::node* node = ask(*view_, key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_string()) return value->get();
  refuseType(*view_, key, "a string", *node);
  return std::nullopt;
}

std::optional<std::int64_t> TomlTable::integer(std::string_view key) const {
  const toml::node* node = ask(*view_, key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_integer()) return value->get();
  refuseType(*view_, key, "an integer", *node);
  return std::nullopt;
}

std::optional<bool> TomlTable::boolean(std::string_view key) const {
  const toml::node* node = ask(*view_, key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_boolean()) return value->get();
  refuseType(*view_, key, "true or false", *node);
  return std::nullopt;
}

std::optional<std::vector<std::string>> TomlTable::strings(std::string_view key) const {
  const toml::node* node = ask(*view_, key);
  if (node == nullptr) return std::nullopt;
  const auto* array = node->as_array();
  if (array == nullptr) {
    refuseType(*view_, key, "an array of strings", *node);
    return std::nullopt;
  }
  std::vector<std::string> result;
  for (const toml::node& item : *array) {
    if (const auto* value = item.as_string()) {
      result.push_back(value->get());
    } else {
      refuseType(*view_, key, "an array of strings", item);
      return std::nullopt;
    }
  }
  return result;
}

std::optional<TomlTable> TomlTable::table(std::string_view key) const {
  const toml::node* node = ask(*view_, key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_table()) return view_->document->viewOf(*value, lineOf(key));
  refuseType(*view_, key, "a table", *node);
  return std::nullopt;
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) const {
  const toml::node* node = ask(*view_, key);
  if (node == nullptr) return {};
  const auto* array = node->as_array();
  if (array == nullptr) {
    refuseType(*view_, key, "an array of tables", *node);
    return {};
  }
  std::vector<TomlTable> result;
  for (const toml::node& item : *array) {
    const auto* value = item.as_table();
    if (value == nullptr) {
      refuseType(*view_, key, "an array of tables", item);
      return {};
    }
    result.push_back(view_->document->viewOf(*value, lineOfNode(item, view_->line)));
  }
  return result;
}

std::map<std::string, std::string> TomlTable::stringMap(std::string_view key) const {
  const auto inner = table(key);
  std::map<std::string, std::string> result;
  if (!inner) return result;
  for (const std::string& name : inner->keys()) {
    if (auto value = inner->string(name)) result.emplace(name, std::move(*value));
  }
  return result;
}

std::string TomlTable::requiredString(std::string_view key) const {
  if (!has(key)) refuse("", "the key " + std::string(key) + " is missing");
  return string(key).value_or(std::string());
}

std::vector<std::string> TomlTable::requiredStrings(std::string_view key) const {
  if (!has(key)) refuse("", "the key " + std::string(key) + " is missing");
  return strings(key).value_or(std::vector<std::string>());
}

std::vector<std::string> TomlTable::keys() const {
  std::vector<std::string> result;
  for (const auto& [key, value] : *view_->table) {
    result.emplace_back(key.str());
    view_->asked.emplace(key.str());
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::size_t TomlTable::lineOf(std::string_view key) const {
  for (const auto& [name, value] : *view_->table) {
    if (name.str() != key) continue;
    const std::size_t line = name.source().begin.line;
    return line != 0 ? line : lineOfNode(value, view_->line);
  }
  return view_->line;
}

void TomlTable::refuse(std::string_view key, std::string_view text) const {
  view_->document->refuse(lineOf(key), key.empty() ? std::string(text) : std::string(key) + ": " + std::string(text));
}

void TomlTable::finish() const {
  // In file order, so that the first error is the first line a person would look at.
  const toml::key* first = nullptr;
  for (const auto& [key, value] : *view_->table) {
    if (view_->asked.contains(key.str())) continue;
    if (first == nullptr || key.source().begin.line < first->source().begin.line) first = &key;
  }
  if (first == nullptr) return;
  const std::string nearest = nearestWord(first->str(), {view_->asked.begin(), view_->asked.end()});
  std::string text = "unknown key \"" + std::string(first->str()) + "\"";
  if (!nearest.empty()) text += "; did you mean \"" + nearest + "\"?";
  view_->document->refuse(lineOf(first->str()), text);
}

bool TomlTable::ok() const {
  return view_->document->error.empty();
}

std::string nearestWord(std::string_view word, const std::vector<std::string>& known) {
  constexpr std::size_t kMaxWord = 64;
  const std::size_t limit = std::min<std::size_t>(3, word.size() / 2);
  if (word.size() > kMaxWord) return {};
  std::string best;
  std::size_t best_distance = limit + 1;
  for (const std::string& candidate : known) {
    if (candidate.size() > kMaxWord) continue;
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j < row.size(); ++j) {
        const std::size_t above = row[j];
        row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1)});
        diagonal = above;
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace ptygate::policy
