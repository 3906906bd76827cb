// SPDX-License-Identifier: Apache-2.0
// What verbs read from the gate's directory themselves, without asking a running gate.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "certs/key.h"
#include "proxy/config/config.h"
#include "proxy/verbs/verb.h"

namespace ptygate::verbs {

/// DIR/ptygate.toml, read and checked. Error: text for people, escaped.
[[nodiscard]] tl::expected<std::shared_ptr<const config::Config>, std::string> loadConfigOf(const std::string& dir);

/// The public key of a private key file below DIR: from FILE.pub, which `init` writes; without it, and not over SSH, from the private key
/// itself (which only its owner may read). A child of the gate that serves a person never loads a private key. Error: text for people,
/// escaped.
[[nodiscard]] tl::expected<certs::PublicKey, std::string> publicKeyOf(const Caller& caller, const std::string& file);

}  // namespace ptygate::verbs
