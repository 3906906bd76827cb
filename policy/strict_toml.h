// SPDX-License-Identifier: Apache-2.0
// Strict reading of TOML: typed getters, and every key that nobody asked for is an error that names the nearest known key.
// Used by the catalog, the rules and the gate's configuration. Not here: units ("5m", "64KiB") are policy/units' work on the strings
// read here. Only strict_toml.cpp includes toml++.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace ptygate::policy {

/// Files larger than this are refused before they are parsed.
inline constexpr std::size_t kMaxTomlBytes = 4 * 1024 * 1024;

class TomlTable;

/// A parsed document with the first error found while it is read. Usage:
///
///   auto doc = TomlDocument::parse(text, "policy.toml");
///   if (!doc) return tl::unexpected(doc.error());
///   TomlTable root = doc->root();
///   auto name = root.requiredString("name");            // every getter returns a harmless value after an error
///   for (TomlTable rule : root.tables("rule")) { … rule.finish(); }
///   root.finish();                                      // reports keys that no getter asked for
///   if (!doc->error().empty()) return tl::unexpected(doc->error());
///
/// The document has to outlive the tables taken from it. Movable; tables stay valid across a move.
class TomlDocument {
 public:
  struct State;

  /// Parses `text`; `origin` (a file name) starts every error. Error: "origin:line: what". Never throws.
  [[nodiscard]] static tl::expected<TomlDocument, std::string> parse(std::string_view text, std::string_view origin);

  TomlDocument(TomlDocument&&) noexcept;
  TomlDocument& operator=(TomlDocument&&) noexcept;
  ~TomlDocument();

  [[nodiscard]] TomlTable root();
  /// The first error ("origin:line: what, and what to do"), or empty. Sticky: later errors do not replace it.
  [[nodiscard]] const std::string& error() const;

 private:
  explicit TomlDocument(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One table of a document. A cheap handle: copies look at the same table and share what was asked for.
///
/// Getters without "required" return nullopt (or an empty list) when the key is absent, and set the document's error when the value has
/// another type. A key counts as known once any getter (or has()) asked for it, so ask for all keys before finish(), also those whose
/// value does not matter.
class TomlTable {
 public:
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> string(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view key) const;
  /// An array of strings. A single string is an error, not a list of one.
  [[nodiscard]] std::optional<std::vector<std::string>> strings(std::string_view key) const;
  /// A table (also inline) at `key`.
  [[nodiscard]] std::optional<TomlTable> table(std::string_view key) const;
  /// An array of tables (`[[key]]`, or an array of inline tables); empty when absent.
  [[nodiscard]] std::vector<TomlTable> tables(std::string_view key) const;
  /// A table whose values are all strings, e.g. labels = { env = "prod" }; empty when absent.
  [[nodiscard]] std::map<std::string, std::string> stringMap(std::string_view key) const;

  /// As string(), and an absent key is an error.
  [[nodiscard]] std::string requiredString(std::string_view key) const;
  /// As strings(), and an absent key is an error.
  [[nodiscard]] std::vector<std::string> requiredStrings(std::string_view key) const;

  /// All keys, sorted, for tables whose keys are names of the user's; marks them all as known.
  [[nodiscard]] std::vector<std::string> keys() const;
  /// Line of the key's definition, or of the table when the key is absent; 1-based.
  [[nodiscard]] std::size_t lineOf(std::string_view key) const;
  /// Sets the document's error at `key`'s line: "origin:line: KEY: text". Empty key: the table's own line and no "KEY: ".
  void refuse(std::string_view key, std::string_view text) const;
  /// Sets the document's error for the first key that no getter asked for, with the nearest known key.
  void finish() const;
  /// False after any error in the document.
  [[nodiscard]] bool ok() const;

  struct View;
  explicit TomlTable(View* view) : view_(view) {}

 private:
  View* view_;
};

/// The member of `known` with the smallest edit distance to `word`, when that is at most 3 and at most half of word's length; else "".
[[nodiscard]] std::string nearestWord(std::string_view word, const std::vector<std::string>& known);

}  // namespace ptygate::policy
