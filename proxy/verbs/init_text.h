// SPDX-License-Identifier: Apache-2.0
// The two small texts of `init`: the --target option, and the change to a fresh ptygate.toml that --trust-account-rc asks for.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/config/directory.h"

namespace ptygate::verbs {

/// "web1=deploy@10.0.0.5:22,root": name, first login, address, further logins. The names are checked later, by initDirectory.
[[nodiscard]] tl::expected<config::InitTarget, std::string> parseTargetOption(std::string_view value);

/// Writes DIR/keys/user_ca.pub and host_key.pub beside the keys that initDirectory made. "" or the error.
[[nodiscard]] std::string writePublicKeys(const std::string& dir, const config::InitDone& keys);

/// Puts `trust_account_rc = true` into every [[target]] of the ptygate.toml that initDirectory just wrote. "" or the error.
[[nodiscard]] std::string trustAccountStartUp(const std::string& dir);

}  // namespace ptygate::verbs
