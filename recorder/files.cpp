// SPDX-License-Identifier: Apache-2.0
#include "recorder/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace ptygate::recorder {
namespace {

// A tail is at most one unfinished write; a longer one is copied all the same, in pieces.
constexpr std::size_t kCopyBytes = 1024 * 1024;
// Crashes that leave different torn tails of one file. More than this says that something else is wrong.
constexpr int kMaxTornFiles = 100;

struct CloseDirectory {
  void operator()(DIR* dir) const { closedir(dir); }
};

Result<bool> hasSameBytes(int dir_fd, const std::string& name, int fd, std::uint64_t from) {
  auto other = openFile(dir_fd, name, O_RDONLY);
  if (!other) return tl::unexpected(other.error());
  if (lseek(fd, static_cast<off_t>(from), SEEK_SET) < 0) return tl::unexpected(systemError("seek"));
  while (true) {
    std::string ours;
    std::string theirs;
    auto a = readSome(fd, kCopyBytes, ours);
    auto b = readSome(other->get(), kCopyBytes, theirs);
    if (!a) return tl::unexpected(a.error());
    if (!b) return tl::unexpected(b.error());
    if (ours != theirs) return false;
    if (ours.empty()) return true;
  }
}

Result<void> copyTail(int fd, std::uint64_t from, int to) {
  if (lseek(fd, static_cast<off_t>(from), SEEK_SET) < 0) return tl::unexpected(systemError("seek"));
  while (true) {
    std::string bytes;
    auto read = readSome(fd, kCopyBytes, bytes);
    if (!read) return tl::unexpected(read.error());
    if (*read == 0) break;
    if (auto written = writeWhole(to, bytes, "setting a torn tail aside"); !written) return written;
  }
  return syncFile(to, "setting a torn tail aside");
}

// Puts the tail in a file of its own; a partial copy of an earlier crash is a file of its own as well and harms nobody.
Result<std::string> storeTail(int dir_fd, const std::string& name, int fd, std::uint64_t from) {
  for (int i = 0; i < kMaxTornFiles; ++i) {
    const std::string torn = name + ".torn" + (i == 0 ? "" : "." + std::to_string(i));
    auto file = openFile(dir_fd, torn, O_WRONLY | O_CREAT | O_EXCL, 0640);
    if (file) {
      if (auto copied = copyTail(fd, from, file->get()); !copied) return tl::unexpected(copied.error());
      return torn;
    }
    if (file.error().kind != RecorderError::Kind::Exists) return tl::unexpected(file.error());
    auto same = hasSameBytes(dir_fd, torn, fd, from);
    if (!same) return tl::unexpected(same.error());
    if (*same) return torn;
  }
  return failure(RecorderError::Kind::Failed, name + ": too many torn tails");
}

}  // namespace

RecorderError systemError(std::string_view what) {
  return {RecorderError::Kind::Failed, std::string(what) + ": " + std::strerror(errno)};
}

Result<Fd> openFile(int dir_fd, const std::string& name, int flags, unsigned mode) {
  // O_NONBLOCK: a planted FIFO must not hang the start.
  Fd fd(openat(dir_fd, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, static_cast<mode_t>(mode)));
  if (!fd.valid()) {
    RecorderError error = systemError(name);
    if (errno == ENOENT) error.kind = RecorderError::Kind::NotFound;
    if (errno == EEXIST) error.kind = RecorderError::Kind::Exists;
    if (errno == ELOOP) error.kind = RecorderError::Kind::Damaged;
    return tl::unexpected(std::move(error));
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return tl::unexpected(systemError(name));
  if (!S_ISREG(info.st_mode)) return failure(RecorderError::Kind::Damaged, name + ": not a regular file");
  return fd;
}

Result<Fd> openSubdirectory(int dir_fd, const std::string& name) {
  Fd fd(openat(dir_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (fd.valid()) return fd;
  RecorderError error = systemError(name);
  if (errno == ENOENT) error.kind = RecorderError::Kind::NotFound;
  return tl::unexpected(std::move(error));
}

Result<Fd> makeDirectory(int dir_fd, const std::string& name) {
  if (mkdirat(dir_fd, name.c_str(), 0750) == 0) {
    if (fsync(dir_fd) != 0) return tl::unexpected(systemError("syncing the parent of " + name));
  } else if (errno != EEXIST) {
    return tl::unexpected(systemError("making " + name));
  }
  return openSubdirectory(dir_fd, name);
}

Result<void> writeWhole(int fd, std::string_view bytes, std::string_view what) {
  if (bytes.empty()) return {};
  ssize_t written = 0;
  do {
    written = ::write(fd, bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) return tl::unexpected(systemError(what));
  if (static_cast<std::size_t>(written) != bytes.size()) {
    return failure(RecorderError::Kind::Failed, std::string(what) + ": short write (disk full, or a limit)");
  }
  return {};
}

Result<std::size_t> readSome(int fd, std::size_t size, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + size);
  ssize_t got = 0;
  do {
    got = ::read(fd, out.data() + before, size);
  } while (got < 0 && errno == EINTR);
  out.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
  if (got < 0) return tl::unexpected(systemError("reading"));
  return static_cast<std::size_t>(got);
}

Result<void> syncFile(int fd, std::string_view what) {
  if (fsync(fd) != 0) return tl::unexpected(systemError(std::string(what) + ": sync"));
  return {};
}

Result<std::string> setTailAside(int dir_fd, const std::string& name, int fd, std::uint64_t from) {
  auto torn = storeTail(dir_fd, name, fd, from);
  if (!torn) return torn;
  if (auto synced = syncFile(dir_fd, name); !synced) return tl::unexpected(synced.error());
  if (ftruncate(fd, static_cast<off_t>(from)) != 0) return tl::unexpected(systemError("cutting " + name));
  if (auto synced = syncFile(fd, name); !synced) return tl::unexpected(synced.error());
  return torn;
}

Result<std::vector<std::string>> namesIn(int dir_fd) {
  Fd copy(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy.valid()) return tl::unexpected(systemError("listing a directory"));
  const std::unique_ptr<DIR, CloseDirectory> dir(fdopendir(copy.get()));
  if (!dir) return tl::unexpected(systemError("listing a directory"));
  (void)copy.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return tl::unexpected(systemError("listing a directory"));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace ptygate::recorder
