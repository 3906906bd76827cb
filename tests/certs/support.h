// SPDX-License-Identifier: Apache-2.0
// Small things that the tests of certs/ share: files, a temporary folder, a CA made on the spot.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "certs/authority.h"

namespace ptygate::certs::testing {

inline const std::filesystem::path kVectors = std::filesystem::path(PTYGATE_TESTS_DIR) / "vectors" / "certs";

inline std::string readFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void writeFile(const std::filesystem::path& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  EXPECT_TRUE(out.flush()) << path;
}

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "ptygate-certs-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// A key that is the same in every run: its seed is 32 times `letter`.
inline Ed25519PrivateKey keyOf(char letter) {
  return std::move(*Ed25519PrivateKey::fromSeed(std::string(32, letter)));
}

/// Expects the error branch with this kind; shows what came instead.
template <class T>
void expectError(const Expected<T>& result, ErrorKind kind) {
  ASSERT_FALSE(result.has_value()) << "expected " << errorKindName(kind);
  EXPECT_EQ(errorKindName(result.error().kind), errorKindName(kind)) << result.error().text;
  for (const char c : result.error().text) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << "an error text is not printable ASCII";
}

}  // namespace ptygate::certs::testing
