// SPDX-License-Identifier: Apache-2.0
// SHA-256 of a stream, over OpenSSL's EVP. Not here: signatures.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ptygate::recorder {

using Sha256 = std::array<std::uint8_t, 32>;

/// Lower-case hex, as in ledger lines.
[[nodiscard]] std::string hex(const Sha256& digest);

/// SHA-256 over a stream. Allocation failure aborts.
class Hasher {
 public:
  Hasher();
  void update(std::string_view bytes);
  /// The digest of everything so far; more may follow.
  [[nodiscard]] Sha256 digest() const;
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
  std::uint64_t bytes_ = 0;
};

}  // namespace ptygate::recorder
