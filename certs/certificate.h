// SPDX-License-Identifier: Apache-2.0
// OpenSSH certificates as values: parse and serialise (OpenSSH PROTOCOL.certkeys, version 01). Parsing proves form only; who signed, for
// whom and when is authority.h's. There is exactly one blob for each value: serialise(parse(x)) == x for every x that parses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certs/encoding.h"
#include "certs/error.h"
#include "certs/key.h"

namespace ptygate::certs {

inline constexpr std::size_t kMaxCertificateBytes = std::size_t{64} * 1024;      ///< the blob
inline constexpr std::size_t kMaxCertificateLineBytes = std::size_t{96} * 1024;  ///< its text line
inline constexpr std::size_t kMaxNonceBytes = 64;
inline constexpr std::size_t kMaxKeyIdBytes = 1024;
inline constexpr std::size_t kMaxPrincipals = 256;  ///< as OpenSSH's SSHKEY_CERT_MAX_PRINCIPALS
inline constexpr std::size_t kMaxPrincipalBytes = 256;
inline constexpr std::size_t kMaxOptions = 64;  ///< critical options and extensions each
inline constexpr std::size_t kMaxOptionNameBytes = 128;
inline constexpr std::uint64_t kForever = UINT64_MAX;  ///< valid_before of a certificate without an end

enum class CertificateType : std::uint32_t { User = 1, Host = 2 };

/// A critical option or extension; unknown ones are kept as they are.
struct Option {
  std::string name;
  Bytes data;  ///< as on the wire: a wire string inside for force-command and source-address, empty for flags
};

/// A well-formed certificate. Texts are the signer's or the subject's: escape them before a person sees them.
struct Certificate {
  PublicKey subject;
  Bytes nonce;
  std::uint64_t serial = 0;
  CertificateType type = CertificateType::User;
  std::string key_id;
  std::vector<std::string> principals;
  std::uint64_t valid_after = 0;         ///< seconds since 1970; the first second in which it is valid
  std::uint64_t valid_before = 0;        ///< the first second in which it is not, or kForever
  std::vector<Option> critical_options;  ///< sorted by name, each once
  std::vector<Option> extensions;        ///< sorted by name, each once
  PublicKey authority;                   ///< the key that claims to have signed
  Bytes signature;                       ///< an SSH signature blob, not looked into here
};

/// Parses a certificate blob. Strict where OpenSSH is lax: options sorted and unique, reserved field empty, no empty or NUL-bearing name,
/// sound data in the options of PROTOCOL.certkeys, no byte left over. Errors: Malformed, TooLarge, UnsupportedAlgorithm,
/// AuthorityIsCertificate.
[[nodiscard]] Expected<Certificate> parseCertificate(ByteView blob);

/// Parses one "type base64 comment" line, as in id_*-cert.pub; the comment is dropped. Errors as parseCertificate.
[[nodiscard]] Expected<Certificate> parseCertificateLine(std::string_view line);

/// The blob. The caller keeps the limits; issue() does.
[[nodiscard]] Bytes serialise(const Certificate& certificate);
/// What the authority signs: the blob up to and with the authority's key.
[[nodiscard]] Bytes signedPart(const Certificate& certificate);
/// "ssh-ed25519-cert-v01@openssh.com AAAA…", without comment or line end.
[[nodiscard]] std::string certificateLine(const Certificate& certificate);

/// The command of the force-command option, the list of source-address; nullopt when absent.
[[nodiscard]] std::optional<std::string> forceCommand(const Certificate& certificate);
[[nodiscard]] std::optional<std::string> sourceAddress(const Certificate& certificate);
[[nodiscard]] bool hasExtension(const Certificate& certificate, std::string_view name);

/// Option data that holds one text, as force-command's. nullopt if it holds anything else.
[[nodiscard]] std::optional<std::string> optionText(ByteView data);

}  // namespace ptygate::certs
