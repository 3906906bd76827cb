// SPDX-License-Identifier: Apache-2.0
// What a parsed line does, by the catalog: wrappers expanded, effects, what reads stdin, pins applied. Data decides; this applies it.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "policy/shell/line.h"

namespace ptygate::policy {

enum class Effect : std::uint8_t { Read, Secret, Write, Destructive, Exec, Network, Privilege, Persist, Env, Cwd, Interactive, Unknown };

/// A set of effects; empty means "does nothing" (echo, true).
class EffectSet {
 public:
  constexpr EffectSet() = default;
  constexpr EffectSet(std::initializer_list<Effect> effects) { for (Effect e : effects) add(e); }
  constexpr void add(Effect e) { bits_ |= std::uint16_t(1U << unsigned(e)); }
  constexpr void add(EffectSet other) { bits_ |= other.bits_; }
  [[nodiscard]] constexpr bool has(Effect e) const { return (bits_ >> unsigned(e)) & 1U; }
  [[nodiscard]] constexpr bool within(EffectSet other) const { return (bits_ & ~other.bits_) == 0; }
  [[nodiscard]] constexpr bool meets(EffectSet other) const { return (bits_ & other.bits_) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  bool operator==(const EffectSet&) const = default;
 private:
  std::uint16_t bits_ = 0;
};
[[nodiscard]] std::string_view nameOf(Effect effect);                       ///< "read", "secret" …
[[nodiscard]] std::optional<Effect> effectNamed(std::string_view name);
[[nodiscard]] std::vector<std::string_view> namesOf(EffectSet effects);     ///< in enum order

enum class StdinClass : std::uint8_t { None, Data, Code };

/// One simple command with what it does. A wrapper's inner command follows its wrapper, with via = Wrapper.
struct ClassifiedCommand {
  SimpleCommand command;
  EffectSet effects;
  std::vector<std::string> reasons;   ///< for people: "rm: destructive", "flag --output: unknown", "path /etc/shadow: secret"
  StdinClass stdin_class = StdinClass::None;  ///< what it does with the line's own stdin (None when it cannot reach it)
  bool sudo = false;                  ///< runs under sudo or another privilege wrapper
  bool described = true;              ///< the catalog knows the program and every word of the call
  std::vector<std::string> flags;     ///< flags found, for `{flags}*`
};

/// A whole line.
struct Classification {
  std::string opaque;                 ///< reason, or empty
  std::vector<ClassifiedCommand> commands;  ///< empty when opaque
  EffectSet effects;                  ///< union
  StdinClass stdin_class = StdinClass::None;  ///< the worst of the commands; Code when opaque
  std::string canonical;              ///< what would be sent, pins applied; empty when opaque
  std::string canonical_plain;        ///< without pins: for `policy decompose` and people
  std::map<std::string, std::string> pins;  ///< environment pins
};

/// The programs' descriptions. Immutable once loaded; may be shared by reference for the life of a policy.
class Catalog {
 public:
  /// Loads the catalog that is compiled in (policy/catalog/*.toml). Never fails in a tested build.
  [[nodiscard]] static const Catalog& builtin();
  /// Loads TOML text; `origin` names it in errors ("file:line: text"). An unknown key, effect or pin type is an error.
  [[nodiscard]] static tl::expected<Catalog, std::string> load(const std::vector<std::pair<std::string, std::string>>& origin_and_text);

  Catalog(Catalog&&) noexcept;
  Catalog& operator=(Catalog&&) noexcept;
  ~Catalog();
  struct Data;
  explicit Catalog(std::unique_ptr<Data>);
  [[nodiscard]] const Data& data() const { return *data_; }

 private:
  std::unique_ptr<Data> data_;
};

/// Parses and classifies one line. Pure and total. `cwd` is the directory relative paths start from, or empty when unknown
/// (a relative path that matters is then Unknown).
[[nodiscard]] Classification classify(const Catalog& catalog, std::string_view line, Dialect dialect, std::string_view cwd);

}  // namespace ptygate::policy
