// SPDX-License-Identifier: Apache-2.0
// Independent readers of what safe_text writes: they share no code with it, so that an error in one is not an error in both.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ptygate::base::testing {

/// The bytes that escapeLine was given, read back from its output.
[[nodiscard]] std::string unescapeLine(std::string_view escaped);
/// What is wrong with a text that claims to be one printable line; nullopt: nothing.
[[nodiscard]] std::optional<std::string> whyNotPrintable(std::string_view text);
/// What is wrong with output that claims to hold only sequences of SafeTerminal's allow list; nullopt: nothing.
[[nodiscard]] std::optional<std::string> whyNotSafe(std::string_view output);

}  // namespace ptygate::base::testing
