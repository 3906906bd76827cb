// SPDX-License-Identifier: Apache-2.0
// The binding: what an approval is for, byte by byte.
#include <openssl/evp.h>

#include <array>

#include "proxy/base/check.h"
#include "proxy/keeper/desk.h"

namespace ptygate::keeper {
namespace {

void appendField(std::string& out, std::string_view field) {
  for (int shift = 56; shift >= 0; shift -= 8) out += char((std::uint64_t{field.size()} >> shift) & 0xff);
  out += field;
}

std::string_view nameOf(policy::Context context) {
  switch (context) {
    case policy::Context::Exec:
      return "exec";
    case policy::Context::Shell:
      return "shell";
    case policy::Context::Sftp:
      return "sftp";
    case policy::Context::Forward:
      return "forward";
  }
  return "?";
}

}  // namespace

std::string bindingOf(const Submission& request) {
  std::string text;
  text.reserve(request.command.size() + request.intent.size() + 512);
  for (const std::string_view field : {std::string_view(request.agent), std::string_view(request.target), std::string_view(request.login),
                                       nameOf(request.context), std::string_view(request.cwd), std::string_view(request.command),
                                       std::string_view(request.stdin_sha256), std::string_view(request.intent)}) {
    appendField(text, field);
  }
  std::array<unsigned char, 32> digest{};
  unsigned length = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr) == 1 && length == digest.size());
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string tagOf(std::string_view binding) {
  CHECK(binding.size() == 32);
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  const auto byte = [&](std::size_t i) { return unsigned(static_cast<unsigned char>(binding[i])); };
  const unsigned bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
  std::string tag;
  for (const int shift : {19, 14, 9, 4}) tag += kLetters[(bits >> shift) & 31];
  return tag;
}

}  // namespace ptygate::keeper
