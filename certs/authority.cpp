// SPDX-License-Identifier: Apache-2.0
// Verification in a fixed order, and issuing with a fixed shape.
#include "certs/authority.h"

#include <algorithm>

#include "certs/signature.h"
#include "certs/source_address.h"
#include "certs/wire.h"

namespace ptygate::certs {
namespace {

std::string withFingerprint(std::string_view text, const PublicKey& key) {
  return std::string(text) + " " + key.fingerprint();
}

Expected<void> checkAuthority(const Certificate& certificate, std::span<const PublicKey> trusted) {
  if (std::find(trusted.begin(), trusted.end(), certificate.authority) == trusted.end()) {
    return failure(ErrorKind::UnknownAuthority,
                   withFingerprint("certificate: signed by a key that is not trusted:", certificate.authority));
  }
  auto verified = verifySignature(certificate.authority, signedPart(certificate), certificate.signature);
  if (!verified) return failure(verified.error().kind, "certificate: " + verified.error().text);
  return {};
}

Expected<void> checkValidity(const Certificate& certificate, std::chrono::sys_seconds now) {
  const auto seconds = now.time_since_epoch().count();
  if (seconds < 0 || static_cast<std::uint64_t>(seconds) < certificate.valid_after) {
    return failure(ErrorKind::NotYetValid, "certificate: not valid yet; is a clock wrong?");
  }
  // kForever is no special case: no clock reaches it.
  if (static_cast<std::uint64_t>(seconds) >= certificate.valid_before) return failure(ErrorKind::Expired, "certificate: expired");
  return {};
}

Expected<std::string> matchPrincipal(const Certificate& certificate, const std::vector<std::string>& expected) {
  if (certificate.principals.empty()) return failure(ErrorKind::EmptyPrincipals, "certificate: lists no principals");
  for (const std::string& principal : expected) {
    const auto& listed = certificate.principals;
    if (!principal.empty() && std::find(listed.begin(), listed.end(), principal) != listed.end()) return principal;
  }
  return failure(ErrorKind::PrincipalNotListed, "certificate: lists none of the principals expected");
}

Expected<void> checkCriticalOptions(const Certificate& certificate, const Expectation& expected) {
  for (const Option& option : certificate.critical_options) {
    const bool known = option.name == "source-address" || (option.name == "force-command" && expected.enforces_force_command);
    if (known && certificate.type == CertificateType::User) continue;
    return failure(ErrorKind::UnknownCriticalOption, "certificate: critical option '" + escaped(option.name) + "' cannot be enforced here");
  }
  return {};
}

Expected<void> checkSourceAddress(const Certificate& certificate, const std::optional<std::string>& peer) {
  const auto list = sourceAddress(certificate);
  if (!list) return {};
  const auto blocks = parseAddressList(*list);
  if (!blocks) return failure(ErrorKind::SourceAddressRefused, "certificate: " + blocks.error().text);
  if (!peer) return failure(ErrorKind::SourceAddressRefused, "certificate: bound to addresses, and the peer's is not known");
  const auto address = parseAddress(*peer);
  if (address && covers(*blocks, *address)) return {};
  return failure(ErrorKind::SourceAddressRefused, "certificate: not for use from '" + escaped(peer->substr(0, 64)) + "'");
}

tl::unexpected<Error> refused(std::string_view why) {
  return failure(ErrorKind::RequestRefused, "issue: " + std::string(why));
}

bool isPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool hasNul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

Expected<void> checkRequest(const IssueRequest& request, ByteView nonce) {
  if (request.principal.empty()) return refused("no principal; the certificate would be good for every login");
  if (request.principal.size() > kMaxPrincipalBytes || !isPrintable(request.principal))
    return refused("the principal is too long or not printable ASCII");
  if (request.key_id.empty() || request.key_id.size() > kMaxKeyIdBytes || !isPrintable(request.key_id)) {
    return refused("the key id is empty, too long or not printable ASCII");
  }
  if (request.valid_after.time_since_epoch().count() < 0 || request.valid_after >= request.valid_before)
    return refused("the validity is empty");
  // Compared without a subtraction of the two, which could overflow.
  if (request.valid_before > std::chrono::sys_seconds::max() - kMaxIssuedValidity ||
      request.valid_after + kMaxIssuedValidity < request.valid_before) {
    return refused("valid for more than 24 hours");
  }
  if (request.source_address && !parseAddressList(*request.source_address)) return refused("the source-address list is unsound");
  if (request.force_command && (request.force_command->empty() || hasNul(*request.force_command)))
    return refused("the forced command is empty or holds a NUL");
  if (request.force_command && request.force_command->size() > kMaxForceCommandBytes)
    return refused("the forced command is too long for a certificate");
  if (nonce.size() < kMinIssuedNonceBytes || nonce.size() > kMaxNonceBytes) return refused("the nonce has the wrong length");
  return {};
}

std::vector<Option> criticalOptions(const IssueRequest& request) {
  std::vector<Option> options;  // in the order of their names
  if (request.force_command) options.push_back({"force-command", Builder().string(*request.force_command).take()});
  if (request.source_address) options.push_back({"source-address", Builder().string(*request.source_address).take()});
  return options;
}

}  // namespace

Expected<Verified> verify(const Certificate& certificate, std::span<const PublicKey> trusted, const Expectation& expected) {
  if (auto fine = checkAuthority(certificate, trusted); !fine) return tl::unexpected(fine.error());
  if (certificate.type != expected.type) {
    return failure(ErrorKind::WrongType, certificate.type == CertificateType::Host ? "certificate: a host's, where a user's is needed"
                                                                                   : "certificate: a user's, where a host's is needed");
  }
  if (auto fine = checkValidity(certificate, expected.now); !fine) return tl::unexpected(fine.error());
  auto principal = matchPrincipal(certificate, expected.principals);
  if (!principal) return tl::unexpected(principal.error());
  if (auto fine = checkCriticalOptions(certificate, expected); !fine) return tl::unexpected(fine.error());
  if (auto fine = checkSourceAddress(certificate, expected.source_address); !fine) return tl::unexpected(fine.error());
  return Verified{.principal = std::move(*principal), .force_command = forceCommand(certificate)};
}

Expected<Certificate> issue(const IssueRequest& request, const Ed25519PrivateKey& authority, ByteView nonce) {
  if (auto fine = checkRequest(request, nonce); !fine) return tl::unexpected(fine.error());
  auto subject = PublicKey::parseBlob(request.subject_blob);
  if (!subject) return tl::unexpected(subject.error());
  if (*subject == authority.publicKey()) return refused("the subject is the authority's own key");
  Certificate certificate{.subject = std::move(*subject),
                          .nonce = Bytes(nonce),
                          .serial = request.serial,
                          .type = CertificateType::User,
                          .key_id = request.key_id,
                          .principals = {request.principal},
                          .valid_after = static_cast<std::uint64_t>(request.valid_after.time_since_epoch().count()),
                          .valid_before = static_cast<std::uint64_t>(request.valid_before.time_since_epoch().count()),
                          .critical_options = criticalOptions(request),
                          .extensions = {},
                          .authority = authority.publicKey(),
                          .signature = {}};
  if (request.permit_pty) certificate.extensions.push_back({"permit-pty", {}});
  auto signature = authority.sign(signedPart(certificate));
  if (!signature) return tl::unexpected(signature.error());
  certificate.signature = std::move(*signature);
  return certificate;
}

}  // namespace ptygate::certs
