// SPDX-License-Identifier: Apache-2.0
// parseSurvey on any bytes: never more trust than the records it kept can justify, and always the same answer.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "policy/account.h"

namespace {

constexpr std::string_view kFuzzNonce = "n0nce4tests";

void require(bool holds) {
  if (!holds) std::abort();
}

void examine(std::string_view output) {
  using namespace ptygate::policy;
  const auto account = parseSurvey(output, kFuzzNonce);
  if (!account) {
    require(!account.error().empty());
    return;
  }
  require(account->hash.size() == 64 && account->hash == parseSurvey(output, kFuzzNonce)->hash);
  require(account->startup_trusted == account->startup_reason.empty());
  require(!account->startup_trusted || account->records.at("preload").empty());
  const std::string& path = account->snapshot.at("PATH");
  require(path.front() == '/' && path.back() != ':' && path.find("::") == std::string::npos && path.find(":.") == std::string::npos);
  if (const auto form = execString(*account, "echo 'x'", {}, {}, "0123456789abcdef")) {
    for (unsigned char c : *form) require(c >= 0x20 && c < 0x7f && c != '!');
    require(form->size() <= kMaxExecString);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  examine(bytes);
  // The same bytes inside a good frame: otherwise the fuzzer spends its time on finding the nonce.
  std::string framed("\0<n0nce4tests\0", 14);
  framed += bytes;
  framed.append("\0n0nce4tests>\0", 14);
  examine(framed);
  return 0;
}
