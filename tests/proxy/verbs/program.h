// SPDX-License-Identifier: Apache-2.0
// Runs the real program as a person, a script or the gate would, and collects what it did. Also plays the gate for it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "proxy/control/protocol.h"

namespace ptygate::verbs::test {

struct Ran {
  int status = -1;  ///< exit status; 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

/// The gate's answers to one request, in order.
using FakeGate = std::function<std::vector<control::ServerLine>(const control::Request&)>;

struct Invocation {
  std::vector<std::string> args;
  std::string input;
  std::map<std::string, std::string> env;
  FakeGate gate;  ///< set: the program is a child of this gate (PTYGATE_CONTROL_FD)
};

/// Runs it to its end (at most 60 s, then SIGKILL). The environment has PATH, and PTYGATE_DIR pointing nowhere.
[[nodiscard]] Ran run(const Invocation& what);
[[nodiscard]] Ran run(std::vector<std::string> args, std::string input = {});

/// Runs another program of the system, for instance ssh-keygen.
[[nodiscard]] Ran runOther(std::vector<std::string> argv, std::string input = {});

/// A fresh directory that is removed with everything in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

[[nodiscard]] std::string readFile(const std::string& path);
void writeFile(const std::string& path, const std::string& text);

}  // namespace ptygate::verbs::test
