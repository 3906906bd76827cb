// SPDX-License-Identifier: Apache-2.0
// Who may sign, and for whom: verifying agents' and hosts' certificates, issuing the gate's own. Pure: time, nonce and keys are parameters.
// Knows no decision; the keeper issues one certificate per recorded decision (architecture.md).
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "certs/certificate.h"
#include "certs/private_key.h"

namespace ptygate::certs {

inline constexpr std::chrono::hours kMaxIssuedValidity{24};
inline constexpr std::size_t kMinIssuedNonceBytes = 16;
inline constexpr std::size_t kMaxForceCommandBytes = std::size_t{32} * 1024;  ///< a longer command cannot be bound to a certificate

/// What the caller needs a certificate to be.
struct Expectation {
  CertificateType type = CertificateType::User;
  /// Any one of these suffices; compared whole, byte for byte, without wildcards. Empty: nothing matches.
  std::vector<std::string> principals;
  std::chrono::sys_seconds now;
  /// The peer's numeric address. Without it a certificate with source-address is refused.
  std::optional<std::string> source_address;
  /// Set only by a caller that will run `Verified::force_command` in place of what was asked; otherwise such a certificate is refused, as
  /// one with an option that nobody enforces.
  bool enforces_force_command = false;
};

/// What a certificate that verified allows.
struct Verified {
  std::string principal;                     ///< the expected one that it lists
  std::optional<std::string> force_command;  ///< run this and nothing else
};

/// Checks everything about a certificate but possession of its key, which is the transport's. The peer's bytes are safe to pass: an unknown
/// authority is refused before any signature is computed.
///
/// In this order: UnknownAuthority, BadSignature (or Malformed, UnsupportedAlgorithm for the signature's form), WrongType, NotYetValid,
/// Expired, EmptyPrincipals, PrincipalNotListed, UnknownCriticalOption (verify-required too: libssh does not tell us the flag; any at all
/// on a host's), SourceAddressRefused. Revocation is the caller's.
[[nodiscard]] Expected<Verified> verify(const Certificate& certificate, std::span<const PublicKey> trusted, const Expectation& expected);

/// A user certificate to be issued. The subject's blob may come from a hostile worker; the rest is the keeper's.
struct IssueRequest {
  Bytes subject_blob;     ///< a plain public key
  std::string principal;  ///< the login; exactly one
  std::string key_id;     ///< the target logs it; must be printable ASCII, since log readers are people
  std::uint64_t serial = 0;
  std::chrono::sys_seconds valid_after;
  std::chrono::sys_seconds valid_before;
  std::optional<std::string> source_address;  ///< a list as parseAddressList takes it
  std::optional<std::string> force_command;   ///< the approved command, byte for byte
  bool permit_pty = false;                    ///< the only extension that is ever given
};

/// Issues a certificate; serialise() and certificateLine() give its wire and text form. `nonce` is from randomBytes(32).
///
/// Errors: RequestRefused (no principal, NUL in a text, empty or over-long validity, an empty or too long command, an unsound address list,
/// short nonce, the CA's own key as the subject), Malformed and UnsupportedAlgorithm (the subject), CryptoFailed.
[[nodiscard]] Expected<Certificate> issue(const IssueRequest& request, const Ed25519PrivateKey& authority, ByteView nonce);

}  // namespace ptygate::certs
