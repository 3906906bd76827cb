// SPDX-License-Identifier: Apache-2.0
// What is recorded, as strings and numbers: events of a cast (one session's bytes) and of the ledger (the gate's decisions).
// Not here: how they are written (cast_encoder, ledger) and what a decision is (policy, the desk).
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace ptygate::recorder {

/// One thing that happened in a session. A view: `data` is only read during the call that takes the event.
struct CastEvent {
  enum class Kind : std::uint8_t {
    Output,  ///< bytes of stdout or of the PTY
    Error,   ///< bytes of stderr
    Stdin,   ///< bytes written to the command's stdin
    Key,     ///< a forwarded line or control key
    Secret,  ///< secret input of `number` bytes; the bytes are not recorded
    Input,   ///< `i`: what was typed, where configured
    Marker,  ///< a label, for instance "#7 allow(rule) systemctl restart api"; cut at kMaxMarkerBytes
    Resize,  ///< columns × rows
    Exit,    ///< exit status `number`; the last event
  };
  Kind kind = Kind::Output;
  std::string_view data;
  std::uint32_t number = 0;  ///< Secret: bytes; Resize: columns; Exit: status
  std::uint32_t rows = 0;    ///< Resize

  static CastEvent output(std::string_view bytes) { return {Kind::Output, bytes}; }
  static CastEvent error(std::string_view bytes) { return {Kind::Error, bytes}; }
  static CastEvent stdinData(std::string_view bytes) { return {Kind::Stdin, bytes}; }
  static CastEvent key(std::string_view bytes) { return {Kind::Key, bytes}; }
  static CastEvent secret(std::uint32_t bytes) { return {Kind::Secret, {}, bytes}; }
  static CastEvent input(std::string_view bytes) { return {Kind::Input, bytes}; }
  static CastEvent marker(std::string_view label) { return {Kind::Marker, label}; }
  static CastEvent resize(std::uint32_t columns, std::uint32_t rows) { return {Kind::Resize, {}, columns, rows}; }
  static CastEvent exit(std::uint32_t status) { return {Kind::Exit, {}, status}; }
};

/// A ledger event's field. Strings may hold any bytes (the ledger keeps them exactly, FORMAT.md).
using LedgerValue = std::variant<std::string, std::int64_t, bool, std::vector<std::string>>;

/// One line of the ledger before it has its number and time. Field names are snake_case, unique, and none of "n", "at", "kind";
/// no name ends in "_base64", which the encoding uses. Breaking that is our own bug and aborts.
struct LedgerEvent {
  std::string kind;
  std::vector<std::pair<std::string, LedgerValue>> fields;

  /// Appends a field; returns *this.
  LedgerEvent& set(std::string name, LedgerValue value);
  LedgerEvent& set(std::string name, std::string value);
  LedgerEvent& set(std::string name, const char* value);
  LedgerEvent& set(std::string name, std::string_view value);
  /// Any integer that fits, and bool. A template so that a literal 0 is a number, not a null `const char*`.
  template <std::integral T>
  requires(std::is_signed_v<T> || sizeof(T) < sizeof(std::int64_t)) LedgerEvent& set(std::string name, T value) {
    if constexpr (std::is_same_v<T, bool>) {
      return set(std::move(name), LedgerValue(value));
    } else {
      return set(std::move(name), LedgerValue(static_cast<std::int64_t>(value)));
    }
  }

  /// The field, or nullptr when it is absent.
  [[nodiscard]] const LedgerValue* find(std::string_view name) const;
  /// The field as text or number, or the fallback when it is absent or of another type.
  [[nodiscard]] std::string_view text(std::string_view name, std::string_view fallback = {}) const;
  [[nodiscard]] std::int64_t number(std::string_view name, std::int64_t fallback = 0) const;
  [[nodiscard]] bool flag(std::string_view name, bool fallback = false) const;
  /// The list, or an empty one.
  [[nodiscard]] const std::vector<std::string>& list(std::string_view name) const;

  bool operator==(const LedgerEvent&) const = default;
};

/// Kinds of ledger lines and the names of fields that readers in this folder (sessions, export, recovery) rely on. A writer may add fields.
/// FORMAT.md says which kind has which.
namespace ledger_kind {
inline constexpr std::string_view kSessionOpened = "session_opened";  // session agent target login command peer
inline constexpr std::string_view kRequest = "request";               // request session agent target login command intent
inline constexpr std::string_view kDecision = "decision";             // request session verdict rule reviewers reason
inline constexpr std::string_view kRelease = "release";               // request session
inline constexpr std::string_view kExit = "exit";                     // session status signal
inline constexpr std::string_view kSeal = "seal";                     // session bytes sha256 final
inline constexpr std::string_view kRecovered = "recovered";           // session bytes torn_bytes unsealed_bytes sha256
}  // namespace ledger_kind

}  // namespace ptygate::recorder
