// SPDX-License-Identifier: Apache-2.0
// The player's core: which frame comes next and how long to wait before it. Pure but for the reading. Not here: the terminal, keys,
// and what may reach the terminal (proxy/verbs, base/safe_text: every frame's text is foreign).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recorder/cast_reader.h"
#include "recorder/error.h"

namespace ptygate::recorder {

struct ReplayOptions {
  double speed = 1.0;                                   ///< kMinSpeed–kMaxSpeed, others are clamped
  std::optional<std::chrono::microseconds> idle_limit;  ///< no wait is longer, measured before `speed` divides it
  std::uint32_t from_command = 0;  ///< frames before the marker "#N …" come without delay (the screen has to be built); 0: from the start
};
inline constexpr double kMinSpeed = 0.05;
inline constexpr double kMaxSpeed = 1000.0;

struct Frame {
  enum class Kind { Text, Marker, Resize, Exit };
  Kind kind = Kind::Text;
  std::chrono::microseconds delay{0};  ///< to wait before showing it
  std::chrono::microseconds at{0};     ///< in the recording
  std::string text;                    ///< Text: as players show it; Marker: the label
  std::uint32_t number = 0;            ///< Resize: columns; Exit: status
  std::uint32_t rows = 0;
};

class Player {
 public:
  /// `cast` stands after its header.
  Player(CastReader cast, const ReplayOptions& options);
  /// The next frame; nothing at the present end (a growing cast may be asked again: follow).
  [[nodiscard]] Result<std::optional<Frame>> next();
  /// From the next frame on.
  void setSpeed(double speed);
  /// The number that `from_command` names was passed (or was 0).
  [[nodiscard]] bool hasBegun() const { return begun_; }

 private:
  [[nodiscard]] std::chrono::microseconds delayTo(std::chrono::microseconds at);

  CastReader cast_;
  ReplayOptions options_;
  std::chrono::microseconds shown_{0};
  bool begun_ = false;
};

/// "#7 allow(rule) …" → 7; 0 for other labels.
[[nodiscard]] std::uint32_t commandNumber(std::string_view label);

struct MarkerRow {
  std::uint32_t number = 0;
  std::chrono::microseconds at{0};
  std::string label;
};
/// All markers of a cast, for `[` and `]`; reads to the present end.
[[nodiscard]] Result<std::vector<MarkerRow>> listMarkers(CastReader cast);

}  // namespace ptygate::recorder
