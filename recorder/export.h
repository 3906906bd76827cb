// SPDX-License-Identifier: Apache-2.0
// Records in other forms: a transcript as plain text, a cast without our extra lines, the ledger lines of a session.
// Reads only; the caller owns the output. Not here: HTML.
#pragma once

#include <functional>
#include <string_view>

#include "recorder/cast_reader.h"
#include "recorder/error.h"
#include "recorder/store_paths.h"

namespace ptygate::recorder {

/// Takes the next piece of output; false when the output is gone (a closed pipe): the export ends without an error.
using Sink = std::function<bool(std::string_view)>;

/// A transcript for people and grep. Lines of ours begin with "== "; each line from the session begins with "out| ", "err| ", "in | " or
/// "key| ", so that nothing recorded can look like a line of ours. No escape sequences; nothing hidden (plain_text.h). Binary data is
/// named by its size, with the readable runs in it. Ends with a line that says when the cast is unfinished.
/// `cast` is read from its header on.
[[nodiscard]] Result<void> exportText(CastReader cast, const Sink& sink);

enum class CastLines {
  All,      ///< the cast as it is, byte for byte (of casts that the gate wrote)
  Players,  ///< header and o r m x only: no exact bytes, no stdin, no keys, no input
};
/// The cast, checked line by line while it is copied; ends before an unfinished last line.
[[nodiscard]] Result<void> exportCast(CastReader cast, CastLines lines, const Sink& sink);

/// The ledger lines of a session, exactly, one per line: those that name it, and those of the requests that do.
[[nodiscard]] Result<void> exportJsonl(int dir_fd, const SessionId& id, const Sink& sink);

}  // namespace ptygate::recorder
