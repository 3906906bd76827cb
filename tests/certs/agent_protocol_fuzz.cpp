// SPDX-License-Identifier: Apache-2.0
// Any bytes from a hostile worker as an agent stream: it ends, never grows, and a signature is given only for data that a second,
// independent composition of the one permitted login reproduces byte for byte.
#include <cstdint>
#include <cstdlib>

#include "certs/agent_protocol.h"
#include "certs/wire.h"

namespace {

using namespace ptygate::certs;

void require(bool holds) {
  if (!holds) std::abort();
}

const Ed25519PrivateKey& key() {
  static const Ed25519PrivateKey fixed = std::move(*Ed25519PrivateKey::fromSeed(std::string(32, 'k')));
  return fixed;
}

void checkSigned(const SignRequest& request) {
  Cursor cursor(request.data);
  const ByteView session_id = cursor.string();
  Builder expected;
  expected.string(session_id).byte(50).string("deploy").string("ssh-connection").string("publickey").byte(1);
  expected.string("ssh-ed25519").string(key().publicKey().blob());
  require(request.data == expected.view());
  require(request.key_blob == key().publicKey().blob());
}

void checkMessage(ByteView message) {
  const auto request = parseAgentRequest(message);
  if (!request) return;
  if (const auto* sign = std::get_if<SignRequest>(&*request)) {
    if (answerSignRequest(*sign, "deploy", key())) checkSigned(*sign);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes buffered(reinterpret_cast<const char*>(data), size);
  while (true) {
    const std::size_t before = buffered.size();
    const auto message = takeAgentMessage(buffered);
    if (!message || !*message) break;
    require(buffered.size() + 4 + (*message)->size() == before);
    checkMessage(**message);
  }
  // The same bytes as the data of a sign request, so that the fuzzer need not find the envelope.
  const SignRequest direct{key().publicKey().blob(), Bytes(reinterpret_cast<const char*>(data), size), 0};
  if (answerSignRequest(direct, "deploy", key())) checkSigned(direct);
  return 0;
}
