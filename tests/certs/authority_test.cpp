// SPDX-License-Identifier: Apache-2.0
#include "certs/authority.h"

#include <openssl/bn.h>

#include "certs/openssl.h"
#include "certs/signature.h"
#include "certs/source_address.h"
#include "certs/wire.h"
#include "tests/certs/support.h"

namespace ptygate::certs {
namespace {

using namespace std::string_literals;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::expectError;
using testing::keyOf;

const sys_seconds kNow{seconds(1'790'000'000)};
const Bytes kNonce(32, 'n');

IssueRequest soundRequest() {
  return IssueRequest{.subject_blob = keyOf('s').publicKey().blob(),
                      .principal = "deploy",
                      .key_id = "ptygate/bot/1",
                      .serial = 42,
                      .valid_after = kNow,
                      .valid_before = kNow + std::chrono::minutes(2),
                      .source_address = {},
                      .force_command = {},
                      .permit_pty = false};
}

Expectation soundExpectation() {
  Expectation expected;
  expected.principals = {"deploy"};
  expected.now = kNow;
  return expected;
}

TEST(Issue, RefusesUnsoundRequests) {
  struct Bad {
    const char* what;
    void (*spoil)(IssueRequest&);
    ErrorKind kind = ErrorKind::RequestRefused;
  };
  const Bad table[] = {
      {"no principal", [](IssueRequest& r) { r.principal = ""; }},
      {"NUL in the principal", [](IssueRequest& r) { r.principal = "a\0b"s; }},
      {"principal too long", [](IssueRequest& r) { r.principal = std::string(kMaxPrincipalBytes + 1, 'p'); }},
      {"no key id", [](IssueRequest& r) { r.key_id = ""; }},
      {"escape in the key id", [](IssueRequest& r) { r.key_id = "\x1b[2J"; }},
      {"empty validity", [](IssueRequest& r) { r.valid_before = r.valid_after; }},
      {"validity backwards", [](IssueRequest& r) { r.valid_before = r.valid_after - seconds(1); }},
      {"a second over a day", [](IssueRequest& r) { r.valid_before = r.valid_after + std::chrono::hours(24) + seconds(1); }},
      {"for ever", [](IssueRequest& r) { r.valid_before = sys_seconds::max(); }},
      {"before 1970", [](IssueRequest& r) { r.valid_after = sys_seconds(seconds(-1)); }},
      {"the greatest times there are",
       [](IssueRequest& r) { r.valid_after = sys_seconds::max() - seconds(2), r.valid_before = sys_seconds::max(); }},
      {"unsound addresses", [](IssueRequest& r) { r.source_address = "10.0.0.0/33"; }},
      {"no addresses", [](IssueRequest& r) { r.source_address = ""; }},
      {"empty command", [](IssueRequest& r) { r.force_command = ""; }},
      {"NUL in the command", [](IssueRequest& r) { r.force_command = "id\0;rm"s; }},
      {"command too long", [](IssueRequest& r) { r.force_command = std::string(kMaxForceCommandBytes + 1, 'c'); }},
      {"the authority's own key", [](IssueRequest& r) { r.subject_blob = keyOf('c').publicKey().blob(); }},
      {"no subject", [](IssueRequest& r) { r.subject_blob = ""; }, ErrorKind::Malformed},
      {"a byte after the subject", [](IssueRequest& r) { r.subject_blob += "x"; }, ErrorKind::Malformed},
      {"a certificate as the subject", [](IssueRequest& r) { r.subject_blob = serialise(*issue(soundRequest(), keyOf('c'), kNonce)); },
       ErrorKind::UnsupportedAlgorithm},
  };
  for (const Bad& bad : table) {
    SCOPED_TRACE(bad.what);
    IssueRequest request = soundRequest();
    bad.spoil(request);
    expectError(issue(request, keyOf('c'), kNonce), bad.kind);
  }
  expectError(issue(soundRequest(), keyOf('c'), "short"), ErrorKind::RequestRefused);
  expectError(issue(soundRequest(), keyOf('c'), std::string(kMaxNonceBytes + 1, 'n')), ErrorKind::RequestRefused);
}

TEST(Issue, GivesNoExtensionAndNoOptionThatWasNotAskedFor) {
  const auto certificate = issue(soundRequest(), keyOf('c'), kNonce);
  ASSERT_TRUE(certificate.has_value()) << certificate.error().text;
  EXPECT_TRUE(certificate->extensions.empty());
  EXPECT_TRUE(certificate->critical_options.empty());
}

TEST(Issue, MakesWhatParsesAndVerifiesWithEverythingAskedFor) {
  IssueRequest request = soundRequest();
  request.force_command = "printf '%s\\n' \xc3\xa4"s;
  request.source_address = "192.0.2.0/24";
  request.permit_pty = true;
  request.valid_before = request.valid_after + kMaxIssuedValidity;
  const auto issued = issue(request, keyOf('c'), kNonce);
  ASSERT_TRUE(issued.has_value()) << issued.error().text;
  const auto certificate = parseCertificateLine(certificateLine(*issued));
  ASSERT_TRUE(certificate.has_value()) << certificate.error().text;
  EXPECT_EQ(certificate->serial, 42U);
  EXPECT_EQ(certificate->principals, std::vector<std::string>{"deploy"});
  EXPECT_EQ(certificate->extensions.size(), 1U);
  EXPECT_TRUE(hasExtension(*certificate, "permit-pty"));
  Expectation expected = soundExpectation();
  expected.enforces_force_command = true;
  expected.source_address = "192.0.2.7";
  const PublicKey trusted[] = {keyOf('c').publicKey()};
  const auto verified = verify(*certificate, trusted, expected);
  ASSERT_TRUE(verified.has_value()) << verified.error().text;
  EXPECT_EQ(verified->force_command, request.force_command);
}

TEST(Issue, KeepsTheLongestCommandWithinACertificate) {
  IssueRequest request = soundRequest();
  request.force_command = std::string(kMaxForceCommandBytes, 'c');
  const auto issued = issue(request, keyOf('c'), kNonce);
  ASSERT_TRUE(issued.has_value());
  EXPECT_TRUE(parseCertificateLine(certificateLine(*issued)).has_value());
}

TEST(Verify, TrustsNobodyWithoutAuthorities) {
  expectError(verify(*issue(soundRequest(), keyOf('c'), kNonce), {}, soundExpectation()), ErrorKind::UnknownAuthority);
}

TEST(Verify, MatchesNoEmptyPrincipal) {
  const PublicKey trusted[] = {keyOf('c').publicKey()};
  const auto certificate = *issue(soundRequest(), keyOf('c'), kNonce);
  for (const std::vector<std::string>& principals : {std::vector<std::string>{}, {""}, {"Deploy"}, {"deploy "}}) {
    Expectation expected = soundExpectation();
    expected.principals = principals;
    expectError(verify(certificate, trusted, expected), ErrorKind::PrincipalNotListed);
  }
}

TEST(Verify, TellsWhichExpectedPrincipalIsListed) {
  const PublicKey trusted[] = {keyOf('o').publicKey(), keyOf('c').publicKey()};
  Expectation expected = soundExpectation();
  expected.principals = {"root", "deploy"};
  EXPECT_EQ(verify(*issue(soundRequest(), keyOf('c'), kNonce), trusted, expected)->principal, "deploy");
}

TEST(Verify, RefusesAnyCriticalOptionOnAHostCertificate) {
  auto certificate = *issue(soundRequest(), keyOf('c'), kNonce);
  certificate.type = CertificateType::Host;
  certificate.critical_options = {{"source-address", Builder().string("0.0.0.0/0").take()}};
  certificate.signature = *keyOf('c').sign(signedPart(certificate));
  const PublicKey trusted[] = {keyOf('c').publicKey()};
  Expectation expected = soundExpectation();
  expected.type = CertificateType::Host;
  expectError(verify(certificate, trusted, expected), ErrorKind::UnknownCriticalOption);
}

/// The private half of a token's ed25519 key, played by software; flags and counter as a token would set them.
struct Token {
  Ed25519PrivateKey key = keyOf('t');
  [[nodiscard]] PublicKey publicKey() const {
    return *PublicKey::parseBlob(Builder().string("sk-ssh-ed25519@openssh.com").raw(key.publicKey().fields()).string("ssh:").take());
  }
  [[nodiscard]] Bytes sign(ByteView data, std::uint8_t flags) const {
    const Bytes message = Builder().raw(sha256("ssh:")).byte(flags).uint32(5).raw(sha256(data)).take();
    const Bytes plain = *key.sign(message);
    return Builder().string("sk-ssh-ed25519@openssh.com").raw(ByteView(plain).substr(4 + 11)).byte(flags).uint32(5).take();
  }
};

TEST(SecurityKeySignature, IsRefusedWithoutATouch) {
  expectError(verifySignature(Token{}.publicKey(), "data", Token{}.sign("data", 0)), ErrorKind::BadSignature);
}

TEST(SecurityKeySignature, IsRefusedWithChangedFlagsCounterOrData) {
  const Bytes good = Token{}.sign("data", 1);
  EXPECT_TRUE(verifySignature(Token{}.publicKey(), "data", good).has_value());
  expectError(verifySignature(Token{}.publicKey(), "Data", good), ErrorKind::BadSignature);
  Bytes counter = good;
  counter.back() ^= 1;
  expectError(verifySignature(Token{}.publicKey(), "data", counter), ErrorKind::BadSignature);
  Bytes flags = good;
  flags[flags.size() - 5] ^= 4;
  expectError(verifySignature(Token{}.publicKey(), "data", flags), ErrorKind::BadSignature);
  expectError(verifySignature(Token{}.publicKey(), "data", ByteView(good).substr(0, good.size() - 5)), ErrorKind::Malformed);
}

TEST(SecurityKeySignature, SignsCertificates) {
  auto certificate = *issue(soundRequest(), keyOf('c'), kNonce);
  certificate.authority = Token{}.publicKey();
  certificate.signature = Token{}.sign(signedPart(certificate), 1);
  const PublicKey trusted[] = {Token{}.publicKey()};
  EXPECT_TRUE(verify(*parseCertificate(serialise(certificate)), trusted, soundExpectation()).has_value());
}

TEST(EcdsaTokenSignature, VerifiesWithATouchOnly) {
  const EvpKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  Bytes point(65, '\0');
  std::size_t length = 0;
  ASSERT_EQ(EVP_PKEY_get_octet_string_param(key.get(), "pub", reinterpret_cast<unsigned char*>(point.data()), point.size(), &length), 1);
  const auto public_key =
      PublicKey::parseBlob(Builder().string("sk-ecdsa-sha2-nistp256@openssh.com").string("nistp256").string(point).string("ssh:").take());
  ASSERT_TRUE(public_key.has_value()) << public_key.error().text;
  for (const std::uint8_t flags : {0, 1}) {
    const Bytes message = Builder().raw(sha256("ssh:")).byte(flags).uint32(9).raw(sha256("data")).take();
    const EvpDigestContext context(EVP_MD_CTX_new());
    Bytes der(80, '\0');
    std::size_t der_length = der.size();
    ASSERT_EQ(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()), 1);
    ASSERT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &der_length, asUnsigned(message), message.size()),
              1);
    const unsigned char* at = asUnsigned(der);
    const EcdsaSignature pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der_length)));
    Builder numbers;
    for (const BIGNUM* number : {ECDSA_SIG_get0_r(pair.get()), ECDSA_SIG_get0_s(pair.get())}) {
      Bytes magnitude(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
      BN_bn2bin(number, reinterpret_cast<unsigned char*>(magnitude.data()));
      numbers.mpint(magnitude);
    }
    const Bytes signature = Builder().string(public_key->typeName()).string(numbers.view()).byte(flags).uint32(9).take();
    EXPECT_EQ(verifySignature(*public_key, "data", signature).has_value(), flags == 1);
  }
}

TEST(AddressList, RefusesWhatIsNotAListOfBlocks) {
  for (const std::string& list : {""s,
                                  ","s,
                                  "10.0.0.1,"s,
                                  ",10.0.0.1"s,
                                  "10.0.0.1, 10.0.0.2"s,
                                  "10.0.0"s,
                                  "10.0.0.0/33"s,
                                  "10.0.0.0/-1"s,
                                  "10.0.0.0/+8"s,
                                  "10.0.0.0/"s,
                                  "10.0.0.0/08"s,
                                  "10.0.0.1/8"s,
                                  "!10.0.0.1"s,
                                  "10.0.0.*"s,
                                  "host.example.net"s,
                                  "::/129"s,
                                  "2001:db8::1/32"s,
                                  "fe80::1%eth0"s,
                                  "10.0.0.1\0"s,
                                  "010.0.0.1"s}) {
    expectError(parseAddressList(list), ErrorKind::Malformed);
  }
  expectError(parseAddressList(std::string(kMaxSourceAddressBytes + 1, '1')), ErrorKind::TooLarge);
  std::string many = "10.0.0.1";
  for (std::size_t i = 0; i < kMaxSourceAddresses; ++i) many += ",10.0.0.1";
  expectError(parseAddressList(many), ErrorKind::TooLarge);
}

TEST(AddressList, CoversExactlyItsBlocks) {
  struct Row {
    const char* list;
    const char* address;
    bool covered;
  };
  for (const Row& row :
       {Row{"10.0.0.0/8", "10.255.255.255", true}, Row{"10.0.0.0/8", "11.0.0.0", false}, Row{"0.0.0.0/0", "203.0.113.9", true},
        Row{"0.0.0.0/0", "::1", false}, Row{"::/0", "10.0.0.1", false}, Row{"::/0", "2001:db8::1", true},
        Row{"192.0.2.1", "192.0.2.1", true}, Row{"192.0.2.1", "192.0.2.0", false}, Row{"192.0.2.128/25", "192.0.2.127", false},
        Row{"192.0.2.128/25", "192.0.2.128", true}, Row{"192.0.2.4/30", "192.0.2.7", true}, Row{"192.0.2.4/30", "192.0.2.8", false},
        Row{"2001:db8::/33", "2001:db8:7fff::1", true}, Row{"2001:db8::/33", "2001:db8:8000::1", false}, Row{"10.0.0.1,::1", "::1", true},
        Row{"192.0.2.0/24", "::ffff:192.0.2.9", true}}) {
    EXPECT_EQ(covers(*parseAddressList(row.list), *parseAddress(row.address)), row.covered) << row.list << " " << row.address;
  }
}

}  // namespace
}  // namespace ptygate::certs
