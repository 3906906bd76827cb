// SPDX-License-Identifier: Apache-2.0
// Finds and opens a recorded session below the gate's directory, for replay and export.
#pragma once

#include <optional>
#include <string>

#include "proxy/verbs/verb.h"
#include "recorder/cast_reader.h"
#include "recorder/store_paths.h"

namespace ptygate::verbs {

class RecordedSession {
 public:
  /// `name`: an id, or as much of it as is unique. Prints why not, and gives nullopt.
  [[nodiscard]] static std::optional<RecordedSession> find(const Caller& caller, const std::string& name);

  [[nodiscard]] const recorder::SessionId& id() const { return id_; }
  [[nodiscard]] int dirFd() const { return directory_.get(); }
  /// A reader at the cast's beginning; each call gives a new one.
  [[nodiscard]] recorder::Result<recorder::CastReader> open() const;

 private:
  RecordedSession(recorder::Fd directory, recorder::SessionId id) : directory_(std::move(directory)), id_(std::move(id)) {}
  recorder::Fd directory_;
  recorder::SessionId id_;
};

}  // namespace ptygate::verbs
