// SPDX-License-Identifier: Apache-2.0
// Property: what decodes, encodes to a form that decodes to the same value; and any decodable value has one encoding (ours).
#include <cstdint>
#include <cstdlib>

#include "proxy/base/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ptygate::base;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto message = decodeToKeeper(bytes)) {
    auto again = decodeToKeeper(encode(*message));
    if (!again || !(*again == *message)) std::abort();
  }
  if (auto message = decodeToWorker(bytes)) {
    auto again = decodeToWorker(encode(*message));
    if (!again || !(*again == *message)) std::abort();
  }
  return 0;
}
