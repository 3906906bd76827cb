// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/recorded_session.h"

#include "proxy/verbs/print.h"

namespace ptygate::verbs {

std::optional<RecordedSession> RecordedSession::find(const Caller& caller, const std::string& name) {
  auto directory = recorder::openDirectory(caller.dir);
  if (!directory) {
    note(shown(directory.error().text) + ". Is " + shown(caller.dir) + " the gate's directory, and may you read it? Say --dir DIR");
    return std::nullopt;
  }
  auto id = recorder::findSession(directory->get(), name);
  if (!id) {
    note("no session \"" + shown(name) + "\": " + shown(id.error().text) + ". `ptygate sessions` lists them");
    return std::nullopt;
  }
  return RecordedSession(std::move(*directory), std::move(*id));
}

recorder::Result<recorder::CastReader> RecordedSession::open() const {
  auto file = recorder::openCast(directory_.get(), id_);
  if (!file) return tl::unexpected(file.error());
  return recorder::CastReader(std::move(*file));
}

}  // namespace ptygate::verbs
