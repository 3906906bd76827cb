// SPDX-License-Identifier: Apache-2.0
// Key files through one descriptor each: what was checked is what is read.
#include "certs/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ptygate::certs {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string named(const std::string& path) {
  return "key file '" + escaped(path) + "'";
}

tl::unexpected<Error> unusable(const std::string& path, std::string_view action, int error) {
  return failure(ErrorKind::FileUnusable, named(path) + ": cannot " + std::string(action) + ": " + std::strerror(error));
}

tl::unexpected<Error> loose(const std::string& path, const std::string& what) {
  return failure(ErrorKind::LoosePermissions, named(path) + ": " + what);
}

Expected<void> checkOwnerAndMode(const std::string& path, const struct stat& info) {
  if (!S_ISREG(info.st_mode)) return loose(path, "is not a regular file; name the key file itself");
  if (info.st_uid != ::geteuid()) {
    return loose(path, "belongs to user id " + std::to_string(info.st_uid) + ", but the gate runs as " + std::to_string(::geteuid()) +
                           "; make it the gate's with chown");
  }
  if ((info.st_mode & 077) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(info.st_mode & 07777));
    return loose(path, "has mode " + std::string(mode) +
                           ", so others can use it; run 'chmod 600' on it, and replace the key if others may have read it");
  }
  return {};
}

/// At most kMaxPrivateKeyTextBytes; one more means too large.
Expected<SecretBytes> readAll(int fd, const std::string& path) {
  SecretBytes bytes(kMaxPrivateKeyTextBytes + 1);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(fd, bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unusable(path, "read", errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.truncate(have);
  return bytes;
}

Expected<void> writeAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return unusable(path, "write", put < 0 ? errno : ENOSPC);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Expected<void> fillAndSync(int fd, std::string_view text, const std::string& path) {
  if (::fchmod(fd, 0600) != 0) return unusable(path, "set the mode of", errno);  // a umask may have taken the owner's bits
  if (auto written = writeAll(fd, text, path); !written) return written;
  if (::fsync(fd) != 0) return unusable(path, "sync", errno);
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0 || ::fsync(parent.get()) != 0) return unusable(path, "sync the directory of", errno);
  return {};
}

}  // namespace

Expected<Ed25519PrivateKey> loadPrivateKeyFile(const std::string& path) {
  // O_NONBLOCK: a FIFO put in the key's place must not stop the start. fstat refuses it next.
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0 && errno == ELOOP) return loose(path, "is a symbolic link; name the file that it leads to");
  if (file.get() < 0) return unusable(path, "open", errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return unusable(path, "look at", errno);
  if (auto fine = checkOwnerAndMode(path, info); !fine) return tl::unexpected(fine.error());
  const auto text = readAll(file.get(), path);
  if (!text) return tl::unexpected(text.error());
  auto key = Ed25519PrivateKey::parseText(text->expose());
  if (!key) return failure(key.error().kind, named(path) + ": " + key.error().text);
  return key;
}

Expected<void> writePrivateKeyFile(const std::string& path, const Ed25519PrivateKey& key, std::string_view comment) {
  const auto text = key.exportText(comment);
  if (!text) return tl::unexpected(text.error());
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return unusable(path, "create", errno);
  auto done = fillAndSync(file.get(), text->expose(), path);
  if (!done) ::unlink(path.c_str());
  return done;
}

}  // namespace ptygate::certs
