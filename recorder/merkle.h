// SPDX-License-Identifier: Apache-2.0
// The running root of an RFC 6962 Merkle tree: keeps one hash per complete subtree (the compact range), not the leaves.
// Not here: proofs and signed checkpoints.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "recorder/hash.h"

namespace ptygate::recorder {

/// SHA-256(0x00 || leaf), RFC 6962 section 2.1.
[[nodiscard]] Sha256 leafHash(std::string_view leaf);
/// SHA-256(0x01 || left || right).
[[nodiscard]] Sha256 nodeHash(const Sha256& left, const Sha256& right);

class MerkleTree {
 public:
  void add(std::string_view leaf);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// The root over all leaves; SHA-256 of nothing for an empty tree.
  [[nodiscard]] Sha256 root() const;

 private:
  std::vector<Sha256> range_;  ///< roots of complete subtrees, largest first; one per set bit of size_
  std::uint64_t size_ = 0;
};

}  // namespace ptygate::recorder
