// SPDX-License-Identifier: Apache-2.0
#include "recorder/recording.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "recorder/check.h"

namespace ptygate::recorder {
namespace {

// One buffer for all recordings: a process is one loop and a write never suspends, so that an idle session holds none.
std::string& scratch() {
  static thread_local std::string buffer;
  buffer.clear();
  return buffer;
}

std::string gapText(const Hasher& output, const Hasher& input) {
  return "gap ends: stdout " + std::to_string(output.bytes()) + " sha256:" + hex(output.digest()) + ", stdin " +
         std::to_string(input.bytes()) + " sha256:" + hex(input.digest());
}

bool isLastWord(const CastEvent& event) {
  return event.kind == CastEvent::Kind::Marker || event.kind == CastEvent::Kind::Exit;
}

}  // namespace

Result<Recording> Recording::open(Fd fd, const CastHeader& header, MonoTime now, RecordingOptions options) {
  Recording recording(std::move(fd), now, options);
  if (auto written = recording.write(encodeHeader(header), options.max_bytes); !written) return tl::unexpected(written.error());
  return recording;
}

std::chrono::microseconds Recording::since(MonoTime now) const {
  return std::chrono::duration_cast<std::chrono::microseconds>(now - start_);
}

Result<Offset> Recording::append(const CastEvent& event, MonoTime now) {
  check(!sealed_, "append after seal");
  if (gap_ && !failed_ && (event.kind == CastEvent::Kind::Output || event.kind == CastEvent::Kind::Stdin)) {
    (event.kind == CastEvent::Kind::Output ? gap_->output : gap_->input).update(event.data);
    return bytes();
  }
  const std::uint64_t reserve = isLastWord(event) ? 0 : kCastReserveBytes;
  return record(event, now, options_.max_bytes > reserve ? options_.max_bytes - reserve : 0);
}

Result<Offset> Recording::record(const CastEvent& event, MonoTime now, std::uint64_t cap) {
  std::string& lines = scratch();
  const CastEncoder before = encoder_;
  encoder_.encode(event, since(now), lines);
  auto written = write(lines, cap);
  if (!written) encoder_ = before;
  return written;
}

Result<Offset> Recording::beginGap(std::string_view label, MonoTime now) {
  check(!gap_, "a gap in a gap");
  auto written = append(CastEvent::marker("gap begins: " + std::string(label)), now);
  if (written) gap_ = std::make_unique<Gap>();
  return written;
}

Result<Offset> Recording::endGap(MonoTime now) {
  check(gap_ != nullptr, "no gap to end");
  auto written = append(CastEvent::marker(gapText(gap_->output, gap_->input)), now);
  if (written) gap_.reset();
  return written;
}

Result<Prefix> Recording::seal(MonoTime now) {
  check(!sealed_, "sealed twice");
  if (gap_) {
    if (auto ended = endGap(now); !ended) return tl::unexpected(ended.error());
  }
  std::string& lines = scratch();
  encoder_.flush(since(now), lines);
  if (auto written = write(lines, options_.max_bytes); !written) return tl::unexpected(written.error());
  sealed_ = true;
  return prefix();
}

Result<Offset> Recording::write(const std::string& lines, std::uint64_t cap) {
  if (failed_) return failure(RecorderError::Kind::Failed, "the recording failed before");
  if (lines.empty()) return bytes();
  if (bytes() + lines.size() > cap) return failure(RecorderError::Kind::Limit, "the cast reached its size limit");
  ssize_t written = 0;
  do {
    written = ::write(fd_.get(), lines.data(), lines.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(lines.size())) {
    hash_.update(lines);
    return bytes();
  }
  // A short write is a full disk or a limit; writing the rest later would forward bytes that recovery may cut off.
  failed_ = true;
  const std::string cause = written < 0 ? std::strerror(errno) : "short write";
  return failure(RecorderError::Kind::Failed, "writing the cast: " + cause);
}

}  // namespace ptygate::recorder
