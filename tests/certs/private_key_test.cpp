// SPDX-License-Identifier: Apache-2.0
#include "certs/private_key.h"

#include <sys/stat.h>

#include "certs/key_file.h"
#include "certs/signature.h"
#include "certs/wire.h"
#include "tests/certs/support.h"

namespace ptygate::certs {
namespace {

using namespace std::string_literals;
using testing::expectError;
using testing::keyOf;
using testing::TempDir;

/// An openssh-key-v1 text whose parts a test can spoil.
struct KeyText {
  std::string magic = "openssh-key-v1\0"s;
  std::string cipher = "none";
  std::string kdf = "none";
  std::uint32_t count = 1;
  std::string type = "ssh-ed25519";
  std::uint32_t second_check = 9;
  std::string public_half = std::string(keyOf('s').publicKey().fields().substr(4));
  std::string seed = std::string(32, 's');
  std::string padding_from = "\x01\x02\x03\x04\x05\x06\x07";
  std::string after = {};

  [[nodiscard]] std::string text() const {
    Builder section;
    section.uint32(9).uint32(second_check).string(type).string(public_half).string(seed + public_half).string("c");
    section.raw(padding_from.substr(0, (8 - section.size() % 8) % 8));
    Builder blob;
    blob.raw(magic).string(cipher).string(kdf).string("").uint32(count);
    blob.string(keyOf('s').publicKey().blob()).string(section.view()).raw(after);
    return "-----BEGIN OPENSSH PRIVATE KEY-----\n" + base64Encode(blob.view()) + "\n-----END OPENSSH PRIVATE KEY-----\n";
  }
};

TEST(PrivateKeyText, RefusesWhatIsNotOneUnencryptedEd25519Key) {
  struct Bad {
    const char* what;
    KeyText text;
    ErrorKind kind;
  };
  const Bad table[] = {{"another magic", {.magic = "openssh-key-v2\0"s}, ErrorKind::Malformed},
                       {"a cipher", {.cipher = "aes256-ctr"}, ErrorKind::PassphraseProtected},
                       {"a kdf", {.kdf = "bcrypt"}, ErrorKind::PassphraseProtected},
                       {"no key", {.count = 0}, ErrorKind::Malformed},
                       {"two keys", {.count = 2}, ErrorKind::Malformed},
                       {"another type", {.type = "ssh-rsa"}, ErrorKind::UnsupportedAlgorithm},
                       {"checks that differ", {.second_check = 8}, ErrorKind::Malformed},
                       {"another public half", {.public_half = std::string(32, 'p')}, ErrorKind::Malformed},
                       {"another seed", {.seed = std::string(32, 't')}, ErrorKind::Malformed},
                       {"a short seed", {.seed = std::string(31, 's')}, ErrorKind::Malformed},
                       {"wrong padding", {.padding_from = "\x02\x02\x03\x04\x05\x06\x07"}, ErrorKind::Malformed},
                       {"a byte after", {.after = "x"}, ErrorKind::Malformed}};
  for (const Bad& bad : table) {
    SCOPED_TRACE(bad.what);
    expectError(Ed25519PrivateKey::parseText(bad.text.text()), bad.kind);
  }
  EXPECT_TRUE(Ed25519PrivateKey::parseText(KeyText{}.text()).has_value()) << "the table spoils a key that is sound";
}

TEST(PrivateKeyText, RefusesBrokenEnvelopes) {
  const std::string good = KeyText{}.text();
  expectError(Ed25519PrivateKey::parseText(""), ErrorKind::Malformed);
  expectError(Ed25519PrivateKey::parseText(good.substr(0, good.size() / 2)), ErrorKind::Malformed);
  expectError(Ed25519PrivateKey::parseText("x" + good), ErrorKind::Malformed);
  expectError(Ed25519PrivateKey::parseText(good + good), ErrorKind::Malformed);
  expectError(Ed25519PrivateKey::parseText("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
              ErrorKind::UnsupportedAlgorithm);
  expectError(Ed25519PrivateKey::parseText(good + std::string(kMaxPrivateKeyTextBytes, '\n')), ErrorKind::TooLarge);
}

TEST(PrivateKeyText, RoundTripsWithCommentsOfEveryPaddingLength) {
  const auto key = keyOf('a');
  for (std::size_t length = 0; length < 9; ++length) {
    const auto text = key.exportText(std::string(length, 'c'));
    ASSERT_TRUE(text.has_value());
    const auto again = Ed25519PrivateKey::parseText(text->expose());
    ASSERT_TRUE(again.has_value()) << again.error().text;
    EXPECT_EQ(again->publicKey(), key.publicKey());
  }
}

TEST(PrivateKey, HasThePublicKeyOfRfc8032) {
  // RFC 8032 §7.1, TEST 1.
  const auto seed = base64Decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=");
  const auto key = Ed25519PrivateKey::fromSeed(*seed);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(base64Encode(key->publicKey().fields().substr(4)), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
}

TEST(PrivateKey, SignsWhatItsPublicKeyVerifiesAndNothingElse) {
  const auto key = Ed25519PrivateKey::generate();
  ASSERT_TRUE(key.has_value());
  const auto signature = key->sign("data");
  ASSERT_TRUE(signature.has_value());
  EXPECT_TRUE(verifySignature(key->publicKey(), "data", *signature).has_value());
  expectError(verifySignature(key->publicKey(), "Data", *signature), ErrorKind::BadSignature);
  expectError(verifySignature(keyOf('o').publicKey(), "data", *signature), ErrorKind::BadSignature);
}

TEST(PrivateKey, IsNewEachTime) {
  EXPECT_FALSE(Ed25519PrivateKey::generate()->publicKey() == Ed25519PrivateKey::generate()->publicKey());
}

class KeyFile : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(writePrivateKeyFile(path_, keyOf('f'), "gate").has_value()); }
  /// Refused with this kind, and the text names the file.
  void expectRefused(const std::string& path, ErrorKind kind, std::string_view hint) {
    const auto key = loadPrivateKeyFile(path);
    expectError(key, kind);
    ASSERT_FALSE(key.has_value());
    EXPECT_NE(key.error().text.find(path), std::string::npos) << key.error().text;
    EXPECT_NE(key.error().text.find(hint), std::string::npos) << key.error().text;
  }
  TempDir dir_;
  std::string path_ = dir_ / "ca";
};

TEST_F(KeyFile, IsRefusedWithAnyBitForGroupOrOthers) {
  for (const mode_t bit : {0040, 0020, 0010, 0004, 0002, 0001}) {
    ASSERT_EQ(::chmod(path_.c_str(), 0600 | bit), 0);
    expectRefused(path_, ErrorKind::LoosePermissions, "chmod 600");
  }
}

TEST_F(KeyFile, IsRefusedThroughASymbolicLink) {
  std::filesystem::create_symlink(path_, dir_ / "link");
  expectRefused(dir_ / "link", ErrorKind::LoosePermissions, "symbolic link");
}

TEST_F(KeyFile, IsRefusedWhenNotARegularFile) {
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  expectRefused(dir_ / "fifo", ErrorKind::LoosePermissions, "regular file");
  ASSERT_EQ(::mkdir((dir_ / "folder").c_str(), 0700), 0);
  expectRefused(dir_ / "folder", ErrorKind::LoosePermissions, "regular file");
}

TEST_F(KeyFile, IsRefusedWhenItBelongsToAnother) {
  // Only root can give a file away; another user tries a file of root's that must exist everywhere.
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path_.c_str(), 65534, 65534), 0);
    expectRefused(path_, ErrorKind::LoosePermissions, "chown");
  } else {
    expectRefused("/etc/passwd", ErrorKind::LoosePermissions, "chown");
  }
}

TEST_F(KeyFile, IsRefusedWhenAbsentEmptyOrHuge) {
  expectRefused(dir_ / "absent", ErrorKind::FileUnusable, "No such file");
  testing::writeFile(dir_ / "empty", "");
  ASSERT_EQ(::chmod((dir_ / "empty").c_str(), 0600), 0);
  expectRefused(dir_ / "empty", ErrorKind::Malformed, "BEGIN OPENSSH");
  testing::writeFile(path_, std::string(kMaxPrivateKeyTextBytes + 1, 'x'));
  expectRefused(path_, ErrorKind::TooLarge, "bytes");
}

TEST_F(KeyFile, IsNeverReplaced) {
  expectError(writePrivateKeyFile(path_, keyOf('g'), ""), ErrorKind::FileUnusable);
  EXPECT_EQ(loadPrivateKeyFile(path_)->publicKey(), keyOf('f').publicKey());
  std::filesystem::create_symlink(dir_ / "elsewhere", dir_ / "dangling");
  expectError(writePrivateKeyFile(dir_ / "dangling", keyOf('g'), ""), ErrorKind::FileUnusable);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "elsewhere"));
}

TEST_F(KeyFile, IsCreatedForItsOwnerOnlyWhateverTheUmask) {
  for (const mode_t mask : {0000, 0777}) {
    const std::string path = dir_ / ("umask" + std::to_string(mask));
    const mode_t before = ::umask(mask);
    const auto written = writePrivateKeyFile(path, keyOf('u'), "gate");
    ::umask(before);
    ASSERT_TRUE(written.has_value()) << written.error().text;
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600U);
    EXPECT_EQ(loadPrivateKeyFile(path)->publicKey(), keyOf('u').publicKey());
  }
}

TEST_F(KeyFile, IsWrittenNowhereWithoutItsFolder) {
  expectError(writePrivateKeyFile(dir_ / "no/ca", keyOf('f'), ""), ErrorKind::FileUnusable);
}

}  // namespace
}  // namespace ptygate::certs
