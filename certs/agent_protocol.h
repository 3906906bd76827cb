// SPDX-License-Identifier: Apache-2.0
// The part of the ssh-agent protocol (draft-miller-ssh-agent) with which the keeper lets a worker log in by a target identity key without
// giving it the key: list one identity, sign one userauth request. Pure: no sockets, and it holds no key. Adding, removing, locking,
// extensions: not handled, answered with a failure message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "certs/encoding.h"
#include "certs/error.h"
#include "certs/key.h"
#include "certs/private_key.h"

namespace ptygate::certs {

/// One message without its length prefix. A sign request holds two keys and some names; a worker has no reason to send more.
inline constexpr std::size_t kMaxAgentMessageBytes = std::size_t{16} * 1024;
inline constexpr std::size_t kMaxLoginBytes = 256;

struct IdentitiesRequest {};
struct SignRequest {
  Bytes key_blob;
  Bytes data;
  std::uint32_t flags = 0;  ///< 2: rsa-sha2-256, 4: rsa-sha2-512
};
/// A message type that is not handled; answer agentFailure().
struct OtherRequest {
  std::uint8_t type = 0;
};
using AgentRequest = std::variant<IdentitiesRequest, SignRequest, OtherRequest>;

/// Takes one whole message off the front of `buffered` (of which the caller holds at most kMaxAgentMessageBytes + 4) and returns it without
/// its length prefix; nullopt while it is not complete. Errors: Malformed (empty message), TooLarge: the stream cannot be followed any
/// more, so close it.
[[nodiscard]] Expected<std::optional<Bytes>> takeAgentMessage(Bytes& buffered);

/// Parses one message. Errors: Malformed, TooLarge: answer agentFailure() and end the conversation.
[[nodiscard]] Expected<AgentRequest> parseAgentRequest(ByteView message);

struct Identity {
  PublicKey key;
  std::string comment;
};
/// Answers, with their length prefix.
[[nodiscard]] Bytes agentFailure();
[[nodiscard]] Bytes identitiesAnswer(const std::vector<Identity>& identities);
[[nodiscard]] Bytes signResponse(ByteView signature_blob);

/// What a public-key login signs (RFC 4252 §7).
struct UserauthRequest {
  Bytes session_id;  ///< the exchange hash of the connection, 20 to 64 bytes
  std::string login;
  std::string algorithm;
  Bytes key_blob;
};

/// Parses the data of a sign request. Only service "ssh-connection" and method "publickey" with a signature; the hostbound variant of
/// OpenSSH is refused (libssh does not send it). Errors: Malformed, TooLarge, RequestRefused (another service or method).
[[nodiscard]] Expected<UserauthRequest> parseUserauthRequest(ByteView data);

/// A value only if `data` is a userauth request for exactly this login with exactly this key, in an algorithm of the key's. The key must
/// not sign anything else: not another login, and not a certificate, whose to-be-signed bytes cannot pass here. It does not say to which
/// server the session id belongs: a subverted worker can use the one signature on any server that trusts the key for that login, so use one
/// key per target. Errors: those of parseUserauthRequest, and RequestRefused.
[[nodiscard]] Expected<UserauthRequest> userauthRequestFor(ByteView data, std::string_view login, const PublicKey& key);

/// The whole answer to a sign request by the keeper: checks that key_blob is `key`'s, that the data is userauthRequestFor(login, key),
/// signs, and returns the message with its prefix. The caller counts: one signature per decision. On an error send agentFailure(). Errors:
/// as userauthRequestFor, CryptoFailed.
[[nodiscard]] Expected<Bytes> answerSignRequest(const SignRequest& request, std::string_view login, const Ed25519PrivateKey& key);

}  // namespace ptygate::certs
