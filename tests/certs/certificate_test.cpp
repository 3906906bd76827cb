// SPDX-License-Identifier: Apache-2.0
// The vectors made by ssh-keygen: each names the error class it must end with.
#include "certs/certificate.h"

#include <map>
#include <set>
#include <sstream>

#include "certs/wire.h"
#include "tests/certs/support.h"

namespace ptygate::certs {
namespace {

using namespace std::string_literals;
using testing::expectError;
using testing::keyOf;

struct Vector {
  std::string name;
  std::map<std::string, std::string> headers;
  std::string line;
};

Vector loadVector(const std::filesystem::path& path) {
  std::istringstream in(testing::readFile(path));
  Vector vector{.name = path.stem().string(), .headers = {}, .line = {}};
  for (std::string line; std::getline(in, line) && !line.empty();) {
    const std::size_t colon = line.find(": ");
    EXPECT_NE(colon, std::string::npos) << path;
    vector.headers[line.substr(0, colon)] = line.substr(colon + 2);
  }
  std::getline(in, vector.line);
  return vector;
}

const std::vector<Vector>& vectors() {
  static const std::vector<Vector> all = [] {
    std::vector<Vector> loaded;
    for (const auto& entry : std::filesystem::directory_iterator(testing::kVectors)) {
      if (entry.path().extension() == ".vector") loaded.push_back(loadVector(entry.path()));
    }
    return loaded;
  }();
  return all;
}

std::vector<PublicKey> authorities() {
  std::istringstream in(testing::readFile(testing::kVectors / "authorities.txt"));
  std::vector<PublicKey> keys;
  for (std::string line; std::getline(in, line);) keys.push_back(parseKeyLine(line)->key);
  return keys;
}

/// "ok", or the name of the error class, of parsing and then verifying.
std::string outcomeOf(Vector vector) {
  const auto certificate = parseCertificateLine(vector.line);
  if (!certificate) return std::string(errorKindName(certificate.error().kind));
  auto& headers = vector.headers;
  Expectation expected;
  expected.type = headers["type"] == "host" ? CertificateType::Host : CertificateType::User;
  expected.principals = {headers.contains("principal") ? headers["principal"] : "deploy"};
  expected.now = std::chrono::sys_seconds(std::chrono::seconds(std::stoll(headers.at("now"))));
  if (headers.contains("source")) expected.source_address = headers["source"];
  const auto verified = verify(*certificate, authorities(), expected);
  return verified ? "ok" : std::string(errorKindName(verified.error().kind));
}

TEST(CertificateVectors, EndAsTheyName) {
  for (const Vector& vector : vectors()) EXPECT_EQ(outcomeOf(vector), vector.headers.at("expect")) << vector.name;
}

TEST(CertificateVectors, CoverEveryErrorClassOfVerification) {
  std::set<std::string> named;
  for (const Vector& vector : vectors()) named.insert(vector.headers.at("expect"));
  EXPECT_EQ(named, (std::set<std::string>{"ok", "Malformed", "TooLarge", "UnsupportedAlgorithm", "AuthorityIsCertificate",
                                          "UnknownAuthority", "BadSignature", "WrongType", "NotYetValid", "Expired", "EmptyPrincipals",
                                          "PrincipalNotListed", "UnknownCriticalOption", "SourceAddressRefused"}));
}

TEST(CertificateVectors, SerialiseToTheSameBytes) {
  std::size_t parsed = 0;
  for (const Vector& vector : vectors()) {
    const auto certificate = parseCertificateLine(vector.line);
    if (!certificate) continue;
    ++parsed;
    EXPECT_EQ(certificateLine(*certificate), vector.line) << vector.name;
  }
  EXPECT_GT(parsed, 30U);
}

TEST(Certificate, IsRefusedWhenCutAnywhere) {
  for (const Vector& vector : vectors()) {
    if (vector.name != "good-subject-ed25519" && vector.name != "good-subject-rsa") continue;
    const Bytes blob = serialise(*parseCertificateLine(vector.line));
    for (std::size_t length = 0; length < blob.size(); ++length)
      EXPECT_FALSE(parseCertificate(ByteView(blob).substr(0, length)).has_value()) << length;
  }
}

TEST(Certificate, NeverVerifiesWithAnyByteChanged) {
  for (const Vector& vector : vectors()) {
    if (vector.name != "good-subject-ed25519") continue;
    const Bytes blob = serialise(*parseCertificateLine(vector.line));
    for (std::size_t at = 0; at < blob.size(); ++at) {
      Bytes changed = blob;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      Vector spoiled = vector;
      spoiled.line = "ssh-ed25519-cert-v01@openssh.com " + base64Encode(changed);
      EXPECT_NE(outcomeOf(spoiled), "ok") << at;
    }
  }
}

TEST(Certificate, IsRefusedOverItsLimit) {
  expectError(parseCertificate(std::string(kMaxCertificateBytes + 1, 'x')), ErrorKind::TooLarge);
}

/// A certificate over `subject` by a key of ours, with everything else sound.
Certificate certificateFor(PublicKey subject, PublicKey authority) {
  return Certificate{.subject = std::move(subject),
                     .nonce = "0123456789abcdef",
                     .serial = 1,
                     .type = CertificateType::User,
                     .key_id = "k",
                     .principals = {"deploy"},
                     .valid_after = 0,
                     .valid_before = kForever,
                     .critical_options = {},
                     .extensions = {},
                     .authority = std::move(authority),
                     .signature = "s"};
}

TEST(Certificate, RoundTripsForEveryKeyType) {
  std::istringstream in(testing::readFile(testing::kVectors / "keys.txt"));
  std::set<KeyType> types;
  for (std::string line; std::getline(in, line);) {
    const auto key = parseKeyLine(line.substr(line.find(' ') + 1));
    ASSERT_TRUE(key.has_value());
    const Bytes blob = serialise(certificateFor(key->key, key->key));
    const auto again = parseCertificate(blob);
    ASSERT_TRUE(again.has_value()) << again.error().text;
    EXPECT_EQ(again->subject, key->key);
    EXPECT_EQ(again->authority, key->key);
    EXPECT_EQ(serialise(*again), blob);
    types.insert(key->key.type());
  }
  EXPECT_EQ(types.size(), 7U);
}

TEST(Certificate, KeepsUnknownOptionsAsTheyAre) {
  auto certificate = certificateFor(keyOf('s').publicKey(), keyOf('c').publicKey());
  certificate.critical_options = {{"a@example.net", "\xff\0"s}, {"force-command", "\0\0\0\x02id"s}};
  certificate.extensions = {{"permit-pty", ""}, {"zzz", "any"}};
  const auto again = parseCertificate(serialise(certificate));
  ASSERT_TRUE(again.has_value()) << again.error().text;
  EXPECT_EQ(again->critical_options.at(0).name, "a@example.net");
  EXPECT_EQ(again->critical_options.at(0).data, "\xff\0"s);
  EXPECT_EQ(forceCommand(*again), "id");
  EXPECT_EQ(sourceAddress(*again), std::nullopt);
  EXPECT_TRUE(hasExtension(*again, "permit-pty"));
  EXPECT_FALSE(hasExtension(*again, "permit-user-rc"));
}

}  // namespace
}  // namespace ptygate::certs
