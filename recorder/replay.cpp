// SPDX-License-Identifier: Apache-2.0
#include "recorder/replay.h"

#include <algorithm>
#include <charconv>

namespace ptygate::recorder {
namespace {

// NaN, too, ends as normal speed: comparisons with it are false.
double clampSpeed(double speed) {
  return speed >= kMinSpeed ? std::min(speed, kMaxSpeed) : speed < kMinSpeed ? kMinSpeed : 1.0;
}

}  // namespace

Player::Player(CastReader cast, const ReplayOptions& options)
    : cast_(std::move(cast)), options_(options), begun_(options.from_command == 0) {
  setSpeed(options.speed);
}

void Player::setSpeed(double speed) {
  options_.speed = clampSpeed(speed);
}

std::chrono::microseconds Player::delayTo(std::chrono::microseconds at) {
  auto wait = at - shown_;
  shown_ = at;
  if (!begun_) return std::chrono::microseconds(0);
  if (options_.idle_limit) wait = std::min(wait, *options_.idle_limit);
  return std::chrono::microseconds(
      static_cast<std::int64_t>(static_cast<double>(std::max(wait.count(), std::int64_t{0})) / options_.speed));
}

Result<std::optional<Frame>> Player::next() {
  while (true) {
    auto line = cast_.next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) return std::optional<Frame>();
    const char code = (*line)->code;
    if (code != 'o' && code != 'm' && code != 'r' && code != 'x') continue;
    Frame frame;
    frame.at = (*line)->at;
    if (code == 'm' && !begun_ && commandNumber((*line)->data) == options_.from_command) {
      begun_ = true;
      shown_ = frame.at;
    }
    frame.delay = delayTo(frame.at);
    if (code == 'o' || code == 'm') {
      frame.kind = code == 'o' ? Frame::Kind::Text : Frame::Kind::Marker;
      frame.text = std::move((*line)->data);
      return std::optional<Frame>(std::move(frame));
    }
    auto event = CastDecoder().apply(std::move(**line));
    if (!event) return tl::unexpected(event.error());
    frame.kind = code == 'r' ? Frame::Kind::Resize : Frame::Kind::Exit;
    frame.number = (*event)->number;
    frame.rows = (*event)->rows;
    return std::optional<Frame>(std::move(frame));
  }
}

std::uint32_t commandNumber(std::string_view label) {
  std::uint32_t number = 0;
  if (!label.starts_with('#')) return 0;
  const auto [end, error] = std::from_chars(label.data() + 1, label.data() + label.size(), number);
  const bool is_word = end == label.data() + label.size() || *end == ' ';
  return error == std::errc() && is_word ? number : 0;
}

Result<std::vector<MarkerRow>> listMarkers(CastReader cast) {
  if (auto header = cast.header(); !header) return tl::unexpected(header.error());
  std::vector<MarkerRow> rows;
  while (true) {
    auto line = cast.next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) return rows;
    if ((*line)->code == 'm') rows.push_back({commandNumber((*line)->data), (*line)->at, std::move((*line)->data)});
  }
}

}  // namespace ptygate::recorder
