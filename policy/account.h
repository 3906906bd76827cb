// SPDX-License-Identifier: Apache-2.0
// The account on the target that a line would run as: its shell, environment and start-up files, as a survey told them
// (exec.md, sections 2 and 3). What a survey says may only narrow: anything missing or odd means "not trusted".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "policy/shell/line.h"

namespace ptygate::policy {

/// What one survey found. Plain strings of the target's; never shown to a person without base/safe_text.
struct Account {
  std::string user;                 ///< passwd name
  std::string shell;                ///< passwd shell path, e.g. /bin/bash
  std::string home;
  std::string uid;
  std::string cwd;                  ///< where an exec starts (physical)
  std::string umask;
  std::map<std::string, std::string> records;   ///< every key=value of the frame, as told
  std::map<std::string, std::string> snapshot;  ///< environment for auto-allowed lines: PATH (vetted), HOME, USER, LOGNAME, SHELL, LANG, LC_ALL
  std::string bash;                 ///< absolute path of bash on the target, or empty
  bool env_default_signal = false;  ///< env is GNU >= 8.31
  bool startup_trusted = false;     ///< see startupFilesTrusted
  std::string startup_reason;       ///< why not, for people; empty when trusted
  std::string hash;                 ///< sha256 hex over what auto-allow rests on; changes are announced
};

/// The command line to execute on the target to make a survey: one exec, no stdin (exec.md, section 3). `nonce` is [a-z0-9]{8,32}.
[[nodiscard]] std::string surveyCommand(std::string_view nonce);

/// Parses the survey's stdout. Bytes outside the nonce frame are ignored as rc noise but recorded in records["noise"].
/// Error: text for people (no frame, torn frame, over kMaxSurveyBytes, bad key, missing key).
[[nodiscard]] tl::expected<Account, std::string> parseSurvey(std::string_view output, std::string_view nonce);
inline constexpr std::size_t kMaxSurveyBytes = 64 * 1024;

/// The dialect that the account's login shell gives a line; nullopt for zsh, fish, csh, busybox and unknown ones.
[[nodiscard]] std::optional<Dialect> dialectOf(const Account& account);

/// The exact string to exec on the target for an auto-allowed line: PLAIN where the text permits it, else STRING2 (exec.md, section 1);
/// `locale` are the agent's validated LANG/LC_* (override the snapshot), `pins` the catalog's environment pins.
/// Error: why it cannot be (no bash, rbash, over kMaxExecString).
[[nodiscard]] tl::expected<std::string, std::string> execString(const Account& account, std::string_view canonical,
                                                                const std::map<std::string, std::string>& locale,
                                                                const std::map<std::string, std::string>& pins, std::string_view nonce);
inline constexpr std::size_t kMaxExecString = 131'000;   ///< auto-allowed; execve's MAX_ARG_STRLEN less a margin
inline constexpr std::size_t kMaxRawString = 131'071;    ///< a line approved by a person, sent as it is

/// True when name is LANG or LC_[A-Z]+ and value is a plain locale name ([A-Za-z0-9_.@-]{0,64}).
[[nodiscard]] bool isLocaleVariable(std::string_view name, std::string_view value);

}  // namespace ptygate::policy
