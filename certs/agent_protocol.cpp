// SPDX-License-Identifier: Apache-2.0
// ssh-agent messages, and the one kind of data that may be signed.
#include "certs/agent_protocol.h"

#include "certs/wire.h"

namespace ptygate::certs {
namespace {

// draft-miller-ssh-agent, section 6.1
constexpr std::uint8_t kFailure = 5;
constexpr std::uint8_t kRequestIdentities = 11;
constexpr std::uint8_t kIdentitiesAnswer = 12;
constexpr std::uint8_t kSignRequest = 13;
constexpr std::uint8_t kSignResponse = 14;

constexpr std::uint8_t kUserauthRequest = 50;   // RFC 4252 §6
constexpr std::size_t kMinSessionIdBytes = 20;  // SHA-1's length; today's are 32 or 64
constexpr std::size_t kMaxSessionIdBytes = 64;

Bytes framed(Builder& payload) {
  return Builder().string(payload.view()).take();
}

tl::unexpected<Error> refused(std::string_view why) {
  return failure(ErrorKind::RequestRefused, "sign request: " + std::string(why));
}

bool isAlgorithmOf(const PublicKey& key, std::string_view algorithm) {
  if (key.type() == KeyType::Rsa) return algorithm == "rsa-sha2-256" || algorithm == "rsa-sha2-512";
  return algorithm == key.typeName();
}

}  // namespace

Expected<std::optional<Bytes>> takeAgentMessage(Bytes& buffered) {
  Cursor cursor(buffered);
  const std::uint32_t length = cursor.uint32();
  if (cursor.hasFailed()) return std::nullopt;
  if (length == 0) return failure(ErrorKind::Malformed, "agent message: empty");
  if (length > kMaxAgentMessageBytes)
    return failure(ErrorKind::TooLarge, "agent message: over " + std::to_string(kMaxAgentMessageBytes) + " bytes");
  if (cursor.rest().size() < length) return std::nullopt;
  Bytes message = buffered.substr(4, length);
  buffered.erase(0, 4 + std::size_t{length});
  return message;
}

Expected<AgentRequest> parseAgentRequest(ByteView message) {
  if (message.size() > kMaxAgentMessageBytes) return failure(ErrorKind::TooLarge, "agent message: too long");
  Cursor cursor(message);
  const std::uint8_t type = cursor.byte();
  if (!cursor.hasFailed() && type != kRequestIdentities && type != kSignRequest) return OtherRequest{type};
  AgentRequest request = IdentitiesRequest{};
  if (type == kSignRequest) {
    const ByteView key_blob = cursor.string();
    const ByteView data = cursor.string();
    request = SignRequest{Bytes(key_blob), Bytes(data), cursor.uint32()};
  }
  if (auto end = cursor.finish("agent message"); !end) return tl::unexpected(end.error());
  return request;
}

Bytes agentFailure() {
  Builder payload;
  payload.byte(kFailure);
  return framed(payload);
}

Bytes identitiesAnswer(const std::vector<Identity>& identities) {
  Builder payload;
  payload.byte(kIdentitiesAnswer).uint32(static_cast<std::uint32_t>(identities.size()));
  for (const Identity& identity : identities) payload.string(identity.key.blob()).string(identity.comment);
  return framed(payload);
}

Bytes signResponse(ByteView signature_blob) {
  Builder payload;
  payload.byte(kSignResponse).string(signature_blob);
  return framed(payload);
}

Expected<UserauthRequest> parseUserauthRequest(ByteView data) {
  Cursor cursor(data);
  const ByteView session_id = cursor.string(kMaxSessionIdBytes);
  const std::uint8_t message = cursor.byte();
  const ByteView login = cursor.text(kMaxLoginBytes);
  const ByteView service = cursor.text(64);
  const ByteView method = cursor.text(64);
  if (cursor.hasFailed()) return tl::unexpected(cursor.finish("sign request").error());
  if (message != kUserauthRequest || service != "ssh-connection" || method != "publickey") {
    return refused("not a public-key login to a connection");
  }
  const std::uint8_t has_signature = cursor.byte();
  const ByteView algorithm = cursor.text(64);
  const ByteView key_blob = cursor.string(kMaxKeyBlobBytes);
  if (has_signature != 1 || session_id.size() < kMinSessionIdBytes)
    cursor.fail(ErrorKind::Malformed, "no session id, or not the signed form");
  if (auto end = cursor.finish("sign request"); !end) return tl::unexpected(end.error());
  return UserauthRequest{Bytes(session_id), std::string(login), std::string(algorithm), Bytes(key_blob)};
}

Expected<UserauthRequest> userauthRequestFor(ByteView data, std::string_view login, const PublicKey& key) {
  auto request = parseUserauthRequest(data);
  if (!request) return request;
  if (login.empty() || request->login != login) return refused("for another login");
  if (request->key_blob != key.blob()) return refused("for another key");
  if (!isAlgorithmOf(key, request->algorithm)) return refused("in an algorithm that is not the key's");
  return request;
}

Expected<Bytes> answerSignRequest(const SignRequest& request, std::string_view login, const Ed25519PrivateKey& key) {
  if (request.key_blob != key.publicKey().blob()) return refused("by another key");
  if (auto fine = userauthRequestFor(request.data, login, key.publicKey()); !fine) return tl::unexpected(fine.error());
  const auto signature = key.sign(request.data);
  if (!signature) return tl::unexpected(signature.error());
  return signResponse(*signature);
}

}  // namespace ptygate::certs
