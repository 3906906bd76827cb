// SPDX-License-Identifier: Apache-2.0
#include "recorder/export.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "recorder/ledger.h"
#include "recorder/plain_text.h"
#include "recorder/utf8.h"

namespace ptygate::recorder {
namespace {

// Readable runs of binary data that a transcript shows: at least so long, at most so much per event.
constexpr std::size_t kMinRun = 8;
constexpr std::size_t kMaxRuns = 4096;
// Output gathers up to here before it goes to the sink, so that a gigabyte without a line feed takes no gigabyte of memory.
constexpr std::size_t kFlushBytes = 64 * 1024;

std::string secondsOf(std::chrono::microseconds at) {
  char text[48];
  std::snprintf(text, sizeof text, "%lld.%03lld s", static_cast<long long>(at.count() / 1'000'000),
                static_cast<long long>(at.count() / 1000 % 1000));
  return text;
}

bool isBinary(const Decoded& event) {
  return event.display == kReplacement && event.bytes.size() > 4;
}

std::string binaryNote(std::string_view bytes) {
  std::string runs;
  std::string run;
  const auto take = [&runs, &run] {
    if (run.size() >= kMinRun && runs.size() + run.size() < kMaxRuns) runs.append(runs.empty() ? "" : " ").append(run);
    run.clear();
  };
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~') {
      run.push_back(c);
    } else {
      take();
    }
  }
  take();
  return "[" + std::to_string(bytes.size()) + " bytes of binary data" + (runs.empty() ? "" : "; text in it: " + runs) + "]";
}

// Writes the transcript's lines. Each stream has its own filter: an escape sequence that stderr began does not end in stdout.
class Transcript {
 public:
  explicit Transcript(const Sink& sink) : sink_(sink) {}

  bool heading(const std::string& text) {
    endLine();
    line_ += "== " + text + "\n";
    return flush();
  }

  bool foreign(const char* prefix, PlainText& filter, std::string_view bytes) {
    std::string shown;
    filter.append(bytes, shown);
    return put(prefix, shown);
  }

  bool put(const char* prefix, std::string_view shown) {
    while (!shown.empty()) {
      if (prefix_ != prefix) endLine();
      if (!prefix_) line_ += prefix;
      prefix_ = prefix;
      const std::size_t lf = shown.find('\n');
      line_ += shown.substr(0, lf);
      if (lf == std::string_view::npos) break;
      endLine();
      shown.remove_prefix(lf + 1);
    }
    return line_.size() < kFlushBytes || flush();
  }

  void endLine() {
    if (prefix_) line_ += "\n";
    prefix_ = nullptr;
  }

  bool flush() {
    const bool more = sink_(line_);
    line_.clear();
    return more;
  }

  // A character and a sequence may be unfinished when the stream ends or a command begins.
  void finish(const char* prefix, PlainText& filter) {
    std::string shown;
    filter.finish(shown);
    (void)put(prefix, shown);
  }

 private:
  const Sink& sink_;
  std::string line_;
  const char* prefix_ = nullptr;  // of the line that is begun
};

constexpr const char* kOut = "out| ";
constexpr const char* kErr = "err| ";
constexpr const char* kIn = "in | ";
constexpr const char* kKey = "key| ";

class TextExport {
 public:
  explicit TextExport(const Sink& sink) : out_(sink) {}

  bool begin(const CastHeader& header) {
    const WallTime start{std::chrono::seconds(std::clamp<std::int64_t>(header.timestamp, 0, 253402300799))};
    return out_.heading(plainLine(header.title)) &&
           out_.heading("started " + formatTime(start) + ", " + std::to_string(header.columns) + "x" + std::to_string(header.rows));
  }

  bool event(const Decoded& event) {
    switch (event.kind) {
      case CastEvent::Kind::Output:
        return stream(kOut, output_, event);
      case CastEvent::Kind::Error:
        return stream(kErr, error_, event);
      case CastEvent::Kind::Stdin:
        return stream(kIn, input_, event);
      case CastEvent::Kind::Key:
      case CastEvent::Kind::Input:
        return out_.put(kKey, plainLine(event.bytes) + "\n");
      case CastEvent::Kind::Secret:
        return out_.put(kKey, "[" + std::to_string(event.number) + " bytes of secret input, not recorded]\n");
      case CastEvent::Kind::Marker:
        finishStreams();
        return out_.heading(secondsOf(event.at) + "  " + plainLine(event.bytes));
      case CastEvent::Kind::Resize:
        return out_.heading(secondsOf(event.at) + "  size " + std::to_string(event.number) + "x" + std::to_string(event.rows));
      case CastEvent::Kind::Exit:
        finishStreams();
        ended_ = true;
        return out_.heading(secondsOf(event.at) + "  exit status " + std::to_string(event.number));
    }
    return true;
  }

  bool end(const CastDecoder& decoder, std::uint64_t torn_bytes) {
    out_.foreign(kOut, output_, decoder.heldOutput());
    out_.foreign(kErr, error_, decoder.heldError());
    finishStreams();
    out_.endLine();
    if (!ended_ || torn_bytes > 0 || !decoder.isWhole()) return out_.heading("the recording ends here without an end of the session");
    return out_.flush();
  }

 private:
  bool stream(const char* prefix, PlainText& filter, const Decoded& event) {
    if (!isBinary(event) && !isBinaryInput(event)) return out_.foreign(prefix, filter, event.bytes);
    out_.finish(prefix, filter);
    return out_.put(prefix, binaryNote(event.bytes) + "\n");
  }

  // stdin has no display form; the same measure as a person's eye: a NUL is no text.
  static bool isBinaryInput(const Decoded& event) {
    return event.kind == CastEvent::Kind::Stdin && event.bytes.find('\0') != std::string::npos;
  }

  void finishStreams() {
    out_.finish(kOut, output_);
    out_.finish(kErr, error_);
    out_.finish(kIn, input_);
  }

  Transcript out_;
  PlainText output_;
  PlainText error_;
  PlainText input_;
  bool ended_ = false;
};

bool isForPlayers(char code) {
  return code == 'o' || code == 'r' || code == 'm' || code == 'x';
}

}  // namespace

Result<void> exportText(CastReader cast, const Sink& sink) {
  auto header = cast.header();
  if (!header) return tl::unexpected(header.error());
  TextExport text(sink);
  if (!text.begin(*header)) return {};
  CastDecoder decoder;
  while (true) {
    auto line = cast.next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) break;
    auto event = decoder.apply(std::move(**line));
    if (!event) return tl::unexpected(event.error());
    if (*event && !text.event(**event)) return {};
  }
  (void)text.end(decoder, cast.tornBytes());
  return {};
}

Result<void> exportCast(CastReader cast, CastLines lines, const Sink& sink) {
  auto header = cast.header();
  if (!header) return tl::unexpected(header.error());
  if (!sink(encodeHeader(*header))) return {};
  std::string out;
  while (true) {
    auto line = cast.next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) return {};
    if (lines == CastLines::Players && !isForPlayers((*line)->code)) continue;
    out.clear();
    appendCastLine(**line, out);
    if (!sink(out)) return {};
  }
}

Result<void> exportJsonl(int dir_fd, const SessionId& id, const Sink& sink) {
  std::set<std::int64_t> requests;
  auto found = readLedger(dir_fd, [&](const LedgerLine& line) {
    const bool ours = line.event.text("session") == id.text();
    if (ours && line.event.find("request")) requests.insert(line.event.number("request"));
    return true;
  });
  if (!found) return tl::unexpected(found.error());
  auto read = readLedger(dir_fd, [&](const LedgerLine& line) {
    const std::string_view session = line.event.text("session");
    const bool of_request = session.empty() && line.event.find("request") && requests.contains(line.event.number("request"));
    return (session != id.text() && !of_request) || sink(std::string(line.line) + "\n");
  });
  if (!read) return tl::unexpected(read.error());
  return {};
}

}  // namespace ptygate::recorder
