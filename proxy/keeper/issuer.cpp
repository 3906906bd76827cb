// SPDX-License-Identifier: Apache-2.0
#include "proxy/keeper/issuer.h"

#include <sys/random.h>

#include "certs/authority.h"
#include "proxy/base/check.h"

namespace ptygate::keeper {

namespace {
constexpr std::chrono::seconds kClockSkew{30};  ///< how far a target's clock may be behind ours
constexpr std::size_t kNonceBytes = 32;
}  // namespace

Issuer::Issuer() {
  // Serials are random at start, so that two runs do not repeat one without the ledger having to be asked.
  CHECK(::getrandom(&next_serial_, sizeof next_serial_, 0) == sizeof next_serial_);
  next_serial_ >>= 1U;
}

tl::expected<Issuer::Issued, std::string> Issuer::take(WaiterId waiter, std::string_view public_key, const config::Config& config,
                                                       const config::Keys& keys, WallTime now) {
  const auto found = permits_.find(waiter);
  if (found == permits_.end()) return tl::make_unexpected(std::string("a credential without a decision, or a second one"));
  Issued issued;
  issued.permit = std::move(found->second);
  permits_.erase(found);
  const config::Target* target = config.target(issued.permit.target);
  if (target == nullptr) return tl::make_unexpected(std::string("the target is no longer configured"));
  if (!target->identity_key.empty()) {
    for (const auto& [name, key] : keys.identities) {
      if (name == target->name) issued.identity = &key;
    }
    if (issued.identity == nullptr) return tl::make_unexpected(std::string("the target's identity key is not loaded"));
    return issued;
  }
  const auto subject = certs::PublicKey::parseBlob(public_key);
  if (!subject || subject->type() != certs::KeyType::Ed25519) return tl::make_unexpected(std::string("the subject is no ed25519 key"));
  const auto nonce = certs::randomBytes(kNonceBytes);
  if (!nonce) return tl::make_unexpected(nonce.error().text);
  certs::IssueRequest request;
  request.subject_blob = subject->blob();
  request.principal = issued.permit.login;
  request.key_id = "ptygate/" + issued.permit.agent + "/" + issued.permit.connection;
  request.serial = next_serial_++;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  request.valid_after = seconds - kClockSkew;
  request.valid_before = seconds + std::chrono::ceil<std::chrono::seconds>(target->certificate_validity);
  if (!target->source_address.empty()) request.source_address = target->source_address;
  const auto certificate = certs::issue(request, keys.user_ca, *nonce);
  if (!certificate) return tl::make_unexpected(certificate.error().text);
  issued.certificate = certs::certificateLine(*certificate);
  issued.key_id = request.key_id;
  issued.serial = request.serial;
  return issued;
}

}  // namespace ptygate::keeper
