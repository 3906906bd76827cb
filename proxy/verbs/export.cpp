// SPDX-License-Identifier: Apache-2.0
// `export`: a recorded session in another form, to standard output or a new file. The forms are recorder/export's.
#include "recorder/export.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "proxy/base/fd.h"
#include "proxy/base/safe_text.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/print.h"
#include "proxy/verbs/recorded_session.h"

namespace ptygate::verbs {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTellEvery = std::chrono::milliseconds(500);

// Where the pieces go. A terminal never gets them unfiltered; a file and a pipe get the exact bytes.
class Output {
 public:
  explicit Output(int fd) : fd_(fd), is_terminal_(::isatty(fd) == 1), tells_(!is_terminal_ && ::isatty(STDERR_FILENO) == 1) {}

  bool write(std::string_view piece) {
    const std::string filtered = is_terminal_ ? filter_.filter(piece) : std::string();
    std::string_view left = is_terminal_ ? std::string_view(filtered) : piece;
    while (!left.empty()) {
      const ssize_t n = ::write(fd_, left.data(), left.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        error_ = errno;
        return false;
      }
      left.remove_prefix(static_cast<std::size_t>(n));
    }
    written_ += piece.size();
    tell();
    return true;
  }

  void finish() {
    if (told_) std::fprintf(stderr, "\r\x1b[K");
  }
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] std::uint64_t written() const { return written_; }

 private:
  void tell() {
    if (!tells_ || Clock::now() - told_at_ < kTellEvery) return;
    told_ = true;
    told_at_ = Clock::now();
    std::fprintf(stderr, "\rptygate: %s\x1b[K", bytesText(written_).c_str());
  }

  int fd_;
  bool is_terminal_;
  bool tells_;
  bool told_ = false;
  int error_ = 0;
  std::uint64_t written_ = 0;
  Clock::time_point told_at_ = Clock::now();
  base::SafeTerminal filter_;
};

enum class Form { Text, Cast, JsonLines };

recorder::Result<void> writeForm(const RecordedSession& session, Form form, const recorder::Sink& sink) {
  if (form == Form::JsonLines) return recorder::exportJsonl(session.dirFd(), session.id(), sink);
  auto cast = session.open();
  if (!cast) return tl::unexpected(cast.error());
  if (form == Form::Cast) return recorder::exportCast(std::move(*cast), recorder::CastLines::All, sink);
  return recorder::exportText(std::move(*cast), sink);
}

}  // namespace

int exportSession(const Arguments& arguments, const Caller& caller) {
  const int forms = arguments.has("--text") + arguments.has("--cast") + arguments.has("--jsonl");
  if (forms > 1) return fail(kUsage, "one form at a time: --text, --cast or --jsonl");
  const Form form = arguments.has("--cast") ? Form::Cast : arguments.has("--jsonl") ? Form::JsonLines : Form::Text;
  const auto session = RecordedSession::find(caller, arguments.text("SESSION"));
  if (!session) return kNegative;

  base::Fd file;
  const std::string path = arguments.text("--output");
  if (arguments.has("--output")) {
    file.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.valid())
      return fail(kNegative, "cannot make " + shown(path) + ": " + std::strerror(errno) + (errno == EEXIST ? "; name a new file" : ""));
  }
  Output output(file.valid() ? file.get() : STDOUT_FILENO);
  const auto done = writeForm(*session, form, [&output](std::string_view piece) { return output.write(piece); });
  output.finish();
  if (output.error() == EPIPE) return kDone;  // the reader has seen enough
  const bool written = output.error() == 0 && (!file.valid() || ::fsync(file.get()) == 0);
  const int cause = output.error() != 0 ? output.error() : errno;
  if (done && written) {
    if (file.valid()) note(shown(path) + ": " + bytesText(output.written()));
    return kDone;
  }
  if (file.valid()) ::unlink(path.c_str());  // half an export must not be taken for a whole one; this process made the file
  if (!done) return fail(kNegative, shown(done.error().text));
  return fail(kNegative, "the export is not complete: cannot write " + (file.valid() ? shown(path) : std::string("the output")) + ": " +
                             std::strerror(cause));
}

}  // namespace ptygate::verbs
