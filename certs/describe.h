// SPDX-License-Identifier: Apache-2.0
// A certificate for people: what `certs show|inspect` prints, and the same as plain strings for --json. Says nothing about trust: a
// description of a forged certificate looks like any other, and the text says that no signature was checked.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "certs/certificate.h"

namespace ptygate::certs {

/// Every string is printable ASCII; foreign bytes are escaped as escaped() does.
struct Description {
  std::string type;       ///< "user" or "host"
  std::string algorithm;  ///< the certificate's type name
  std::string subject;    ///< fingerprint of the key that it certifies
  std::string authority;  ///< "ssh-ed25519 SHA256:…"
  std::string signature_algorithm;
  std::string key_id;
  std::uint64_t serial = 0;
  std::string valid_after;   ///< UTC, "2026-11-20T10:00:00Z"
  std::string valid_before;  ///< likewise, or "forever"
  std::vector<std::string> principals;
  std::vector<std::pair<std::string, std::string>> critical_options;  ///< name, text ("hex:…" for data of unknown shape)
  std::vector<std::pair<std::string, std::string>> extensions;
};

[[nodiscard]] Description describe(const Certificate& certificate);

/// Several lines, each ended by a line feed.
[[nodiscard]] std::string descriptionText(const Description& description);

/// "2026-11-20T10:00:00Z"; "forever" for kForever; "after 9999" for years of five digits.
[[nodiscard]] std::string utcText(std::uint64_t seconds_since_1970);

}  // namespace ptygate::certs
