// SPDX-License-Identifier: Apache-2.0
// The worker process: serves the connections that the keeper hands it, until the keeper says so or is gone.
#pragma once

namespace ptygate::worker {

/// Runs a worker over `keeper_fd` (its end of the socketpair) and returns the process's exit status. The caller ends with _exit.
int runWorker(int keeper_fd);

}  // namespace ptygate::worker
