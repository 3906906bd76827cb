// SPDX-License-Identifier: Apache-2.0
// The one error type of certs/. `kind` says what a caller can do; `text` is for logs and operators: printable ASCII, with no
// secret in it. It is not meant for the peer, who gets a generic sentence.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace ptygate::certs {

/// What went wrong, by what the caller can do about it. Names are stable: test vectors and ledger events use them.
enum class ErrorKind {
  Malformed,               ///< not as the format says; ask for a sound key, certificate or message
  TooLarge,                ///< over a limit named in these headers
  UnsupportedAlgorithm,    ///< a key or signature algorithm that is not accepted (ssh-rsa with SHA-1, DSA, webauthn, …)
  AuthorityIsCertificate,  ///< signed by a certificate; only plain keys can be authorities
  UnknownAuthority,        ///< signed by a key that is not among the trusted ones
  BadSignature,            ///< the authority's signature does not verify
  WrongType,               ///< a host certificate where a user's is needed, or the reverse
  NotYetValid,             ///< now is before valid_after
  Expired,                 ///< now is at or after valid_before
  EmptyPrincipals,         ///< lists no principal; such a certificate would be good for anyone, so it is good for nobody
  PrincipalNotListed,      ///< lists principals, but none that is expected
  UnknownCriticalOption,   ///< carries a critical option that the caller cannot enforce
  SourceAddressRefused,    ///< carries source-address, and the peer's address is not covered (or the list is unsound)
  RequestRefused,          ///< a request to issue or sign that these rules forbid; change the request
  LoosePermissions,        ///< a key file that others could read or replace; fix owner and mode
  PassphraseProtected,     ///< a key file that needs a passphrase; store it without one
  FileUnusable,            ///< a file that cannot be opened, read, created or written; text has the reason
  CryptoFailed,            ///< OpenSSL failed (no memory, no randomness); nothing was issued or signed
};

/// The enumerator's name, as test vectors and ledger events spell it.
[[nodiscard]] std::string_view errorKindName(ErrorKind kind);

struct Error {
  ErrorKind kind;
  std::string text;
};

template <class T>
using Expected = tl::expected<T, Error>;

/// Builds the error branch of an Expected.
[[nodiscard]] inline tl::unexpected<Error> failure(ErrorKind kind, std::string text) {
  return tl::unexpected<Error>(Error{kind, std::move(text)});
}

}  // namespace ptygate::certs
