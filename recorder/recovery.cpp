// SPDX-License-Identifier: Apache-2.0
#include "recorder/recovery.h"

#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "recorder/cast_encoder.h"
#include "recorder/cast_reader.h"
#include "recorder/files.h"

namespace ptygate::recorder {
namespace {

constexpr std::size_t kHashBytes = 256 * 1024;
constexpr std::string_view kMark = "recovered: ";

struct Survey {
  std::uint64_t whole = 0;     // up to here every group is whole
  std::uint64_t recorded = 0;  // up to here events that no recovery wrote; 0 when there are none
  std::chrono::microseconds last{0};
  bool has_header = false;
  bool ended = false;   // the last event is an exit
  bool marked = false;  // the last event is our marker: a recovery died after it
};

Result<Fd> duplicate(int fd) {
  Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy.valid() || lseek(copy.get(), 0, SEEK_SET) < 0) return tl::unexpected(systemError("reading a cast"));
  return copy;
}

// Reads as far as the cast makes sense. Damage is no error here: it is where the whole part ends.
Result<Survey> survey(int fd) {
  auto copy = duplicate(fd);
  if (!copy) return tl::unexpected(copy.error());
  CastReader reader(std::move(*copy));
  Survey found;
  if (auto header = reader.header(); !header) {
    if (header.error().kind == RecorderError::Kind::Failed) return tl::unexpected(header.error());
    return found;
  }
  found.has_header = true;
  found.whole = reader.offset();
  CastDecoder decoder;
  while (true) {
    auto line = reader.next();
    if (!line && line.error().kind == RecorderError::Kind::Failed) return tl::unexpected(line.error());
    if (!line || !*line) return found;
    const std::chrono::microseconds at = (*line)->at;
    auto event = decoder.apply(std::move(**line));
    if (!event) return found;
    if (!decoder.isWhole()) continue;
    const bool is_mark = *event && (*event)->kind == CastEvent::Kind::Marker && (*event)->bytes.starts_with(kMark);
    found.ended = *event && (*event)->kind == CastEvent::Kind::Exit;
    if (!is_mark && !(found.ended && found.marked)) found.recorded = reader.offset();
    found.marked = is_mark;
    found.whole = reader.offset();
    found.last = at;
  }
}

Result<Hasher> hashOf(int fd) {
  if (lseek(fd, 0, SEEK_SET) < 0) return tl::unexpected(systemError("reading a cast"));
  Hasher hasher;
  while (true) {
    std::string bytes;
    auto got = readSome(fd, kHashBytes, bytes);
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) return hasher;
    hasher.update(bytes);
  }
}

std::string lastWords(const SessionId& id, const Survey& found, std::uint64_t torn_bytes) {
  std::string lines;
  if (!found.has_header) {
    CastHeader header;
    header.timestamp = std::chrono::duration_cast<std::chrono::seconds>(id.start().time_since_epoch()).count();
    header.title = id.text();
    lines = encodeHeader(header);
  }
  CastEncoder encoder;
  const std::string label = std::string(kMark) + "the gate stopped here; " + std::to_string(torn_bytes) + " unfinished bytes set aside";
  if (!found.marked) encoder.encode(CastEvent::marker(label), found.last, lines);
  encoder.encode(CastEvent::exit(kRecoveredExit), found.last, lines);
  return lines;
}

}  // namespace

Result<Recovered> recoverCast(int dir_fd, const SessionId& id, std::uint64_t sealed_bytes) {
  auto opened = openCastForRecovery(dir_fd, id);
  if (!opened) return tl::unexpected(opened.error());
  const int fd = opened->file.get();
  auto found = survey(fd);
  if (!found) return tl::unexpected(found.error());
  const off_t end = lseek(fd, 0, SEEK_END);
  if (end < 0) return tl::unexpected(systemError("reading a cast"));
  if (found->whole < sealed_bytes) {
    return failure(RecorderError::Kind::Damaged, castPath(id) + " breaks at byte " + std::to_string(found->whole) + ", below its seal of " +
                                                     std::to_string(sealed_bytes) + " bytes");
  }
  Recovered out;
  out.torn_bytes = static_cast<std::uint64_t>(end) - found->whole;
  out.was_complete = found->ended && out.torn_bytes == 0;
  out.unsealed_bytes = found->recorded > sealed_bytes ? found->recorded - sealed_bytes : 0;
  if (out.torn_bytes > 0) {
    auto torn = setTailAside(opened->directory.get(), id.text() + ".cast", fd, found->whole);
    if (!torn) return tl::unexpected(torn.error());
    out.torn_file = *torn;
  }
  if (!found->ended) {
    if (auto written = writeWhole(fd, lastWords(id, *found, out.torn_bytes), "mending a cast"); !written)
      return tl::unexpected(written.error());
  }
  if (auto synced = syncFile(fd, "mending a cast"); !synced) return tl::unexpected(synced.error());
  auto hash = hashOf(fd);
  if (!hash) return tl::unexpected(hash.error());
  out.bytes = hash->bytes();
  out.sha256 = hash->digest();
  return out;
}

LedgerEvent recoveredEvent(const SessionId& id, const Recovered& recovered) {
  LedgerEvent event{std::string(ledger_kind::kRecovered), {}};
  event.set("session", std::string_view(id.text()));
  event.set("bytes", static_cast<std::int64_t>(recovered.bytes));
  event.set("sha256", LedgerValue(hex(recovered.sha256)));
  event.set("torn_bytes", static_cast<std::int64_t>(recovered.torn_bytes));
  event.set("unsealed_bytes", static_cast<std::int64_t>(recovered.unsealed_bytes));
  return event;
}

}  // namespace ptygate::recorder
