// SPDX-License-Identifier: Apache-2.0
#include "certs/key.h"

#include <sstream>

#include "certs/wire.h"
#include "tests/certs/support.h"

namespace ptygate::certs {
namespace {

using namespace std::string_literals;
using testing::expectError;

struct Row {
  std::string fingerprint;
  std::string line;
};

std::vector<Row> vectorKeys() {
  std::istringstream in(testing::readFile(testing::kVectors / "keys.txt"));
  std::vector<Row> rows;
  for (std::string line; std::getline(in, line);) rows.push_back({line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1)});
  EXPECT_EQ(rows.size(), 7U) << "one key of each type";
  return rows;
}

std::string wireString(std::string_view text) {
  return Builder().string(text).take();
}
Bytes ed25519Blob(std::size_t length) {
  return wireString("ssh-ed25519") + wireString(std::string(length, 'k'));
}
Bytes rsaBlob(const Bytes& exponent, const Bytes& modulus) {
  return Builder().string("ssh-rsa").mpint(exponent).mpint(modulus).take();
}
Bytes modulusOf(std::size_t bits) {
  Bytes modulus(bits / 8, '\x55');
  modulus.front() = '\x80';
  return modulus;
}

TEST(PublicKey, RefusesTypesThatAreNotAccepted) {
  for (const char* type :
       {"ssh-dss", "ssh-ed448", "webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-256", "", "ssh-ed25519-cert-v01@openssh.com"}) {
    expectError(PublicKey::parseBlob(wireString(type) + wireString(std::string(32, 'k'))), ErrorKind::UnsupportedAlgorithm);
  }
}

TEST(PublicKey, RefusesEd25519KeysOfAnotherLength) {
  for (const std::size_t length : {0U, 31U, 33U, 64U}) expectError(PublicKey::parseBlob(ed25519Blob(length)), ErrorKind::Malformed);
}

TEST(PublicKey, RefusesBytesAfterTheKeyAndCutKeys) {
  for (const Row& row : vectorKeys()) {
    const Bytes blob = parseKeyLine(row.line)->key.blob();
    expectError(PublicKey::parseBlob(blob + "x"), ErrorKind::Malformed);
    expectError(PublicKey::parseBlob(blob.substr(0, blob.size() - 1)), ErrorKind::Malformed);
  }
}

TEST(PublicKey, RefusesRsaOutsideTheLimits) {
  const Bytes e = "\x01\0\x01"s;
  expectError(PublicKey::parseBlob(rsaBlob(e, modulusOf(1024))), ErrorKind::UnsupportedAlgorithm);
  expectError(PublicKey::parseBlob(rsaBlob(e, "\x40"s + modulusOf(2048).substr(1))), ErrorKind::UnsupportedAlgorithm);  // 2047 bits
  expectError(PublicKey::parseBlob(rsaBlob(e, modulusOf(8200))), ErrorKind::UnsupportedAlgorithm);
  expectError(PublicKey::parseBlob(rsaBlob("\x01"s + std::string(8, '\x01'), modulusOf(2048))), ErrorKind::UnsupportedAlgorithm);
  EXPECT_TRUE(PublicKey::parseBlob(rsaBlob(e, modulusOf(2048))).has_value());
  EXPECT_TRUE(PublicKey::parseBlob(rsaBlob(e, modulusOf(8192))).has_value());
}

TEST(PublicKey, RefusesImpossibleRsaNumbers) {
  expectError(PublicKey::parseBlob(rsaBlob("\x01"s, modulusOf(2048))), ErrorKind::Malformed);
  expectError(PublicKey::parseBlob(rsaBlob("\x04"s, modulusOf(2048))), ErrorKind::Malformed);
  Bytes even = modulusOf(2048);
  even.back() = '\x02';
  expectError(PublicKey::parseBlob(rsaBlob("\x03"s, even)), ErrorKind::Malformed);
}

TEST(PublicKey, RefusesPointsThatAreNotOnTheirCurve) {
  const auto blob = [](std::string_view curve, const Bytes& point) {
    return Builder().string("ecdsa-sha2-nistp256").string(curve).string(point).take();
  };
  expectError(PublicKey::parseBlob(blob("nistp256", "\x04"s + std::string(64, 'x'))), ErrorKind::Malformed);
  expectError(PublicKey::parseBlob(blob("nistp256", "\x02"s + std::string(32, 'x'))), ErrorKind::Malformed);
  expectError(PublicKey::parseBlob(blob("nistp256", "\0"s)), ErrorKind::Malformed);
  const auto sound = parseKeyLine(vectorKeys()[1].line);
  ASSERT_EQ(sound->key.type(), KeyType::EcdsaP256);
  Cursor fields(sound->key.fields());
  fields.string();
  const Bytes point(fields.string());
  EXPECT_TRUE(PublicKey::parseBlob(blob("nistp256", point)).has_value());
  expectError(PublicKey::parseBlob(blob("nistp384", point)), ErrorKind::Malformed);
}

TEST(PublicKey, RefusesOneThatIsTooLarge) {
  expectError(PublicKey::parseBlob(std::string(kMaxKeyBlobBytes + 1, 'x')), ErrorKind::TooLarge);
}

TEST(KeyLine, RefusesWhatIsNotOneKey) {
  const std::string good = vectorKeys()[0].line;
  const std::string base64 = good.substr(12, good.find(' ', 12) - 12);
  struct Bad {
    const char* what;
    std::string line;
    ErrorKind kind;
  };
  for (const Bad& bad :
       {Bad{"empty", "", ErrorKind::Malformed}, Bad{"only a type", "ssh-ed25519", ErrorKind::Malformed},
        Bad{"two lines", good + "\n" + good, ErrorKind::Malformed}, Bad{"NUL in the comment", good + "\0"s, ErrorKind::Malformed},
        Bad{"options before", "restrict " + good, ErrorKind::UnsupportedAlgorithm},
        Bad{"another type named", "ssh-rsa " + base64, ErrorKind::Malformed},
        Bad{"not base64", "ssh-ed25519 " + base64 + "!", ErrorKind::Malformed},
        Bad{"over the limit", good + std::string(kMaxKeyLineBytes, 'c'), ErrorKind::TooLarge}}) {
    SCOPED_TRACE(bad.what);
    expectError(parseKeyLine(bad.line), bad.kind);
  }
}

TEST(KeyLine, GivesTheFingerprintOfSshKeygenForEveryType) {
  for (const Row& row : vectorKeys()) {
    const auto line = parseKeyLine(row.line + "\r\n");
    ASSERT_TRUE(line.has_value()) << line.error().text;
    EXPECT_EQ(line->key.fingerprint(), row.fingerprint);
    EXPECT_EQ(line->comment, "comment of " + std::string(line->key.typeName()));
    EXPECT_EQ(line->key.line() + " " + line->comment, row.line);
    EXPECT_EQ(PublicKey::parseBlob(line->key.blob()), line->key);
  }
}

TEST(KeyLine, TakesTabsAndSpacesAround) {
  const std::string good = vectorKeys()[0].line;
  const auto line = parseKeyLine(" \t" + good + " \t\n");
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->comment, "comment of ssh-ed25519");
}

}  // namespace
}  // namespace ptygate::certs
