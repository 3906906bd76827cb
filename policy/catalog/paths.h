// SPDX-License-Identifier: Apache-2.0
// What reading or writing a path means: secret, persistent, privileged, unknown. Text only: no file is looked at, so a symbolic link is
// not seen (README.md, "Not handled").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/classify.h"

namespace ptygate::policy {

/// A directory that relative paths may start from.
struct Cwd {
  std::string path;      ///< absolute and normal
  bool physical = true;  ///< no symbolic link in it; ".." is exact then
  bool operator==(const Cwd&) const = default;
};

/// The directories that a command may run in. `known` false: any.
struct Cwds {
  bool known = false;
  std::vector<Cwd> list;
  /// After `cd PATH`, which may fail or run in a subshell: the old ones stay.
  void change(std::string_view path);
  /// After a cd to a place that the line does not tell.
  void lose() {
    known = false;
    list.clear();
  }
  void add(const Cwds& other);
};
inline constexpr std::size_t kMaxCwds = 8;

struct PathEffects {
  EffectSet effects;
  std::string reason;  ///< "path /etc/shadow: secret", or empty
};

/// Reading the content (or the metadata) of `path`: nothing, Secret or Unknown besides the program's own effects.
[[nodiscard]] PathEffects readPath(std::string_view path, const Cwds& cwds);
/// Reading everything below `path`, content included: Secret, since any directory may hold a `.env` or `*.pem`.
[[nodiscard]] PathEffects readTree(std::string_view path, const Cwds& cwds);
/// Naming everything below `path`: Secret where well-known secrets are below it.
[[nodiscard]] PathEffects listTree(std::string_view path, const Cwds& cwds);
/// Writing, creating or replacing `path`: Write, with Persist, Privilege, Secret, Network or Unknown as it applies; nothing for /dev/null.
[[nodiscard]] PathEffects writePath(std::string_view path, const Cwds& cwds);
/// A git revision, `REV:PATH` or pathspec.
[[nodiscard]] PathEffects readRevision(std::string_view text, const Cwds& cwds);
/// True when a shell pattern such as `*.log` (no directory) matches no secret file name: it has to end in a literal `.suffix` of a small
/// list.
[[nodiscard]] bool isHarmlessPattern(std::string_view pattern);

/// The last component.
[[nodiscard]] std::string_view baseName(std::string_view path);

}  // namespace ptygate::policy
