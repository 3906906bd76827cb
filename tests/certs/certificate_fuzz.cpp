// SPDX-License-Identifier: Apache-2.0
// Any bytes as a certificate: what parses serialises to the same bytes, describes as printable text, and is trusted by nobody whose key is
// not its authority's. A second parser gets the same bytes as a plain key and as text lines.
#include <cstdint>
#include <cstdlib>

#include "certs/authority.h"
#include "certs/describe.h"
#include "certs/source_address.h"

namespace {

using namespace ptygate::certs;

void require(bool holds) {
  if (!holds) std::abort();
}

void checkCertificate(const Certificate& certificate, ByteView blob) {
  require(serialise(certificate) == blob);
  for (const char c : descriptionText(describe(certificate))) require(c == '\n' || (c >= 0x20 && c < 0x7f));

  Expectation expected;
  expected.type = certificate.type;
  expected.principals = {"deploy"};
  expected.now = std::chrono::sys_seconds(std::chrono::seconds(certificate.valid_after >> 1));
  expected.source_address = "192.0.2.1";
  const auto untrusted = verify(certificate, {}, expected);
  require(!untrusted && untrusted.error().kind == ErrorKind::UnknownAuthority);
  const PublicKey trusted[] = {certificate.authority};
  const auto verified = verify(certificate, trusted, expected);
  if (verified) require(verified->principal == "deploy" && !verified->force_command);
}

void checkLines(ByteView bytes) {
  if (const auto line = parseKeyLine(bytes)) {
    const auto again = parseKeyLine(line->key.line());
    require(again && again->key == line->key);
  }
  if (const auto certificate = parseCertificateLine(bytes)) {
    const auto again = parseCertificateLine(certificateLine(*certificate));
    require(again && serialise(*again) == serialise(*certificate));
  }
  const auto text = Ed25519PrivateKey::parseText(bytes);
  if (text) require(Ed25519PrivateKey::parseText(text->exportText("")->expose())->publicKey() == text->publicKey());
  static_cast<void>(parseAddressList(bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(reinterpret_cast<const char*>(data), size);
  if (const auto certificate = parseCertificate(bytes)) checkCertificate(*certificate, bytes);
  if (const auto key = PublicKey::parseBlob(bytes)) require(key->blob() == bytes);
  checkLines(bytes);
  return 0;
}
