// SPDX-License-Identifier: Apache-2.0
// A worker's confinement: what it may ask of the kernel after it started. It gets everything it works on as descriptors from the keeper,
// so it needs no file, no new socket, no other process.
#pragma once

namespace ptygate::worker {

/// What could be applied; the keeper's `status` says UNSAFE for each false.
struct Confinement {
  bool no_new_privs = false;
  bool seccomp = false;   ///< allow list; exec, ptrace, sockets, files: refused or fatal
  bool landlock = false;  ///< no path of the file system at all, no TCP bind or connect
};

/// Confines this process for good. Called once, before the first byte of a peer is read and before any thread exists.
[[nodiscard]] Confinement confineWorker();

}  // namespace ptygate::worker
