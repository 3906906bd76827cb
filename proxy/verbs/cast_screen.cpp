// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/cast_screen.h"

#include "proxy/verbs/print.h"

namespace ptygate::verbs {

using Kind = recorder::CastEvent::Kind;

std::string CastScreen::ownLine(const std::string& text) {
  std::string out = filter_.finish();
  // What the session left switched on must not change how our own line looks.
  if (colour_) out += base::SafeTerminal::resetSequence();
  if (!at_line_start_) out += "\n";
  at_line_start_ = true;
  return out + (colour_ ? "\x1b[1;36m── " + text + "\x1b[0m\n" : "-- " + text + "\n");
}

std::string CastScreen::output(std::string_view bytes) {
  if (!bytes.empty()) at_line_start_ = bytes.back() == '\n';
  return filter_.filter(bytes);
}

recorder::Result<std::string> CastScreen::show(recorder::CastLine line) {
  auto decoded = decoder_.apply(std::move(line));
  if (!decoded) return tl::unexpected(decoded.error());
  if (!*decoded) return std::string();
  const recorder::Decoded& event = **decoded;
  switch (event.kind) {
    case Kind::Output:
    case Kind::Error:
      return output(event.bytes);
    case Kind::Marker:
      return ownLine(shown(event.bytes));
    case Kind::Exit:
      ended_ = true;
      return ownLine("exit " + std::to_string(event.number));
    case Kind::Stdin:
      return ownLine("stdin: " + std::to_string(event.bytes.size()) + " bytes");
    case Kind::Secret:
      return ownLine("secret input: " + std::to_string(event.number) + " bytes");
    case Kind::Key:
    case Kind::Input:
    case Kind::Resize:
      return std::string();
  }
  return std::string();
}

std::string CastScreen::finish() {
  std::string out = filter_.finish();
  if (colour_) out += base::SafeTerminal::resetSequence();
  if (!at_line_start_) out += "\n";
  at_line_start_ = true;
  return out;
}

}  // namespace ptygate::verbs
