// SPDX-License-Identifier: Apache-2.0
// Ed25519 private keys on disk: the rim of certs/. Blocking; called by `init`, by the keeper at start and reload, and by `certs sign`.
// Guards the file itself, not the directories above it: who may rename in them can swap the file, and `doctor` looks at those.
#pragma once

#include <string>
#include <string_view>

#include "certs/private_key.h"

namespace ptygate::certs {

/// Reads an unencrypted openssh-key-v1 file.
///
/// Refuses what others could have read or put there: a symbolic link, anything but a regular file, an owner other than our effective user,
/// any permission bit for group or others. The text of an error says what is wrong, with which file, and what to do. Errors:
/// LoosePermissions, PassphraseProtected, FileUnusable, Malformed, TooLarge, UnsupportedAlgorithm, CryptoFailed.
[[nodiscard]] Expected<Ed25519PrivateKey> loadPrivateKeyFile(const std::string& path);

/// Creates `path` with mode 0600 and the key in it; never replaces a file. File and directory are synced before it returns. After a failure
/// no file of ours is left. Errors: FileUnusable (exists already, cannot be created or written), CryptoFailed.
[[nodiscard]] Expected<void> writePrivateKeyFile(const std::string& path, const Ed25519PrivateKey& key, std::string_view comment);

}  // namespace ptygate::certs
