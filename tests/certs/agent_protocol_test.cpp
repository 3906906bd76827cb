// SPDX-License-Identifier: Apache-2.0
#include "certs/agent_protocol.h"

#include "certs/authority.h"
#include "certs/signature.h"
#include "certs/wire.h"
#include "tests/certs/support.h"

namespace ptygate::certs {
namespace {

using namespace std::string_literals;
using testing::expectError;
using testing::keyOf;

/// The parts of the data that a login signs, each of which a test can spoil.
struct Login {
  std::string session_id = std::string(32, 'i');
  std::uint8_t message = 50;
  std::string user = "deploy";
  std::string service = "ssh-connection";
  std::string method = "publickey";
  std::uint8_t has_signature = 1;
  std::string algorithm = "ssh-ed25519";
  std::string key = keyOf('k').publicKey().blob();
  std::string after = {};

  [[nodiscard]] Bytes data() const {
    Builder builder;
    builder.string(session_id)
        .byte(message)
        .string(user)
        .string(service)
        .string(method)
        .byte(has_signature)
        .string(algorithm)
        .string(key)
        .raw(after);
    return builder.take();
  }
};

TEST(UserauthRequest, IsRefusedUnlessForExactlyThisLoginAndKey) {
  struct Bad {
    const char* what;
    Login login;
    ErrorKind kind;
  };
  const Bad table[] = {
      {"another user", {.user = "root"}, ErrorKind::RequestRefused},
      {"a longer user", {.user = "deploy2"}, ErrorKind::RequestRefused},
      {"user with NUL", {.user = "deploy\0"s}, ErrorKind::Malformed},
      {"no user", {.user = ""}, ErrorKind::RequestRefused},
      {"another service", {.service = "ssh-userauth"}, ErrorKind::RequestRefused},
      {"another method", {.method = "hostbased"}, ErrorKind::RequestRefused},
      {"the hostbound method", {.method = "publickey-hostbound-v00@openssh.com"}, ErrorKind::RequestRefused},
      {"another message", {.message = 51}, ErrorKind::RequestRefused},
      {"the probe without a signature", {.has_signature = 0}, ErrorKind::Malformed},
      {"a boolean that is neither", {.has_signature = 2}, ErrorKind::Malformed},
      {"another algorithm", {.algorithm = "rsa-sha2-256"}, ErrorKind::RequestRefused},
      {"the certificate algorithm", {.algorithm = "ssh-ed25519-cert-v01@openssh.com"}, ErrorKind::RequestRefused},
      {"another key", {.key = keyOf('o').publicKey().blob()}, ErrorKind::RequestRefused},
      {"a byte after", {.after = "x"}, ErrorKind::Malformed},
      {"no session id", {.session_id = ""}, ErrorKind::Malformed},
      {"a short session id", {.session_id = std::string(19, 'i')}, ErrorKind::Malformed},
      {"a long session id", {.session_id = std::string(65, 'i')}, ErrorKind::TooLarge},
  };
  for (const Bad& bad : table) {
    SCOPED_TRACE(bad.what);
    expectError(userauthRequestFor(bad.login.data(), "deploy", keyOf('k').publicKey()), bad.kind);
  }
  expectError(userauthRequestFor(Login{.user = ""}.data(), "", keyOf('k').publicKey()), ErrorKind::RequestRefused);
}

TEST(UserauthRequest, IsNeverACertificateToBeSigned) {
  const auto certificate = issue({.subject_blob = keyOf('s').publicKey().blob(),
                                  .principal = "deploy",
                                  .key_id = "k",
                                  .serial = 1,
                                  .valid_after = {},
                                  .valid_before = std::chrono::sys_seconds(std::chrono::hours(1)),
                                  .source_address = {},
                                  .force_command = {}},
                                 keyOf('k'), std::string(32, 'n'));
  ASSERT_TRUE(certificate.has_value());
  EXPECT_FALSE(userauthRequestFor(signedPart(*certificate), "deploy", keyOf('k').publicKey()).has_value());
}

TEST(UserauthRequest, IsRefusedWhenCutAnywhere) {
  const Bytes data = Login{}.data();
  for (std::size_t length = 0; length < data.size(); ++length)
    EXPECT_FALSE(parseUserauthRequest(ByteView(data).substr(0, length)).has_value()) << length;
}

TEST(SignRequestAnswer, RefusesAnotherKeyInTheEnvelope) {
  expectError(answerSignRequest({keyOf('o').publicKey().blob(), Login{}.data(), 0}, "deploy", keyOf('k')), ErrorKind::RequestRefused);
  expectError(answerSignRequest({keyOf('k').publicKey().blob(), "anything", 0}, "deploy", keyOf('k')), ErrorKind::Malformed);
}

TEST(SignRequestAnswer, CarriesASignatureOverExactlyTheData) {
  const Bytes data = Login{}.data();
  const auto answer = answerSignRequest({keyOf('k').publicKey().blob(), data, 0}, "deploy", keyOf('k'));
  ASSERT_TRUE(answer.has_value()) << answer.error().text;
  Bytes buffered = *answer;
  const auto message = takeAgentMessage(buffered);
  ASSERT_TRUE(message.has_value() && message->has_value());
  Cursor cursor(**message);
  EXPECT_EQ(cursor.byte(), 14);
  EXPECT_TRUE(verifySignature(keyOf('k').publicKey(), data, cursor.string()).has_value());
  EXPECT_TRUE(cursor.finish("answer").has_value());
}

TEST(AgentStream, RefusesEmptyAndOverlongMessages) {
  Bytes empty = "\0\0\0\0rest"s;
  expectError(takeAgentMessage(empty), ErrorKind::Malformed);
  Bytes overlong = Builder().uint32(kMaxAgentMessageBytes + 1).take();
  expectError(takeAgentMessage(overlong), ErrorKind::TooLarge);
}

TEST(AgentStream, WaitsForAWholeMessageAndLeavesTheNext) {
  const Bytes first = Builder().string("\x0b").take();
  Bytes buffered;
  for (const char c : first) {
    const auto message = takeAgentMessage(buffered);
    ASSERT_TRUE(message.has_value());
    EXPECT_FALSE(message->has_value());
    buffered += c;
  }
  buffered += "\0\0"s;
  EXPECT_EQ(**takeAgentMessage(buffered), "\x0b");
  EXPECT_EQ(buffered, "\0\0"s);
}

TEST(AgentRequest, RefusesBrokenMessages) {
  for (const Bytes& message : {""s, "\x0b+"s, "\x0d"s, "\x0d"s + Builder().string("key").string("data").take(),
                               "\x0d"s + Builder().string("key").string("data").uint32(0).byte(0).take()}) {
    expectError(parseAgentRequest(message), ErrorKind::Malformed);
  }
  expectError(parseAgentRequest("\x0b"s + std::string(kMaxAgentMessageBytes, 'x')), ErrorKind::TooLarge);
}

TEST(AgentRequest, TellsTheThreeKindsApart) {
  EXPECT_TRUE(std::holds_alternative<IdentitiesRequest>(*parseAgentRequest("\x0b")));
  const auto sign = parseAgentRequest("\x0d"s + Builder().string("key").string("data").uint32(4).take());
  ASSERT_TRUE(sign.has_value());
  EXPECT_EQ(std::get<SignRequest>(*sign).key_blob, "key");
  EXPECT_EQ(std::get<SignRequest>(*sign).data, "data");
  EXPECT_EQ(std::get<SignRequest>(*sign).flags, 4U);
  EXPECT_EQ(std::get<OtherRequest>(*parseAgentRequest("\x11 add an identity")).type, 17);
}

TEST(AgentAnswers, AreFramedAsTheDraftSays) {
  EXPECT_EQ(agentFailure(), "\0\0\0\x01\x05"s);
  const PublicKey key = keyOf('k').publicKey();
  EXPECT_EQ(identitiesAnswer({{key, "web1"}}),
            Builder().string(Builder().byte(12).uint32(1).string(key.blob()).string("web1").take()).take());
  EXPECT_EQ(signResponse("sig"), "\0\0\0\x08\x0e\0\0\0\x03sig"s);
}

}  // namespace
}  // namespace ptygate::certs
