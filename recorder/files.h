// SPDX-License-Identifier: Apache-2.0
// The few system calls on files that the recorder repeats, with errors as values. Everything is relative to a directory descriptor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/error.h"
#include "recorder/fd.h"

namespace ptygate::recorder {

/// `what`, and errno's words.
[[nodiscard]] RecorderError systemError(std::string_view what);

/// openat with O_CLOEXEC|O_NOFOLLOW added; regular files only. ENOENT is NotFound, EEXIST is Exists, a foreign kind of file Damaged.
[[nodiscard]] Result<Fd> openFile(int dir_fd, const std::string& name, int flags, unsigned mode = 0);
/// A directory directly below `dir_fd`, made 0750 when absent. Syncs the parent when it made one.
[[nodiscard]] Result<Fd> makeDirectory(int dir_fd, const std::string& name);
[[nodiscard]] Result<Fd> openSubdirectory(int dir_fd, const std::string& name);

/// Writes all of `bytes` with one write(2); EINTR before the first byte is repeated, anything short of all is an error.
[[nodiscard]] Result<void> writeWhole(int fd, std::string_view bytes, std::string_view what);
/// Reads at most `size` bytes and appends them to `out`; returns how many, 0 at the end of the file.
[[nodiscard]] Result<std::size_t> readSome(int fd, std::size_t size, std::string& out);
[[nodiscard]] Result<void> syncFile(int fd, std::string_view what);

/// Moves bytes [from, end) of `fd` to a new file `<name>.torn` (`.torn.1` …) below `dir_fd`, synced, then cuts `fd` at `from`, synced.
/// Repeating it after a crash in between finds the same bytes already set aside and goes on. Returns the file's name.
[[nodiscard]] Result<std::string> setTailAside(int dir_fd, const std::string& name, int fd, std::uint64_t from);

/// Names in a directory, sorted.
[[nodiscard]] Result<std::vector<std::string>> namesIn(int dir_fd);

}  // namespace ptygate::recorder
