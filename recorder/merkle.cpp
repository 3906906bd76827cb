// SPDX-License-Identifier: Apache-2.0
#include "recorder/merkle.h"

namespace ptygate::recorder {
namespace {

std::string_view view(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

Sha256 leafHash(std::string_view leaf) {
  Hasher hasher;
  hasher.update(std::string_view("\0", 1));
  hasher.update(leaf);
  return hasher.digest();
}

Sha256 nodeHash(const Sha256& left, const Sha256& right) {
  Hasher hasher;
  hasher.update("\x01");
  hasher.update(view(left));
  hasher.update(view(right));
  return hasher.digest();
}

void MerkleTree::add(std::string_view leaf) {
  Sha256 hash = leafHash(leaf);
  // Each trailing one bit of the old size is a complete subtree of the size that `hash` has reached.
  for (std::uint64_t bits = size_; (bits & 1) != 0; bits >>= 1) {
    hash = nodeHash(range_.back(), hash);
    range_.pop_back();
  }
  range_.push_back(hash);
  ++size_;
}

Sha256 MerkleTree::root() const {
  if (range_.empty()) return Hasher().digest();
  Sha256 hash = range_.back();
  for (std::size_t i = range_.size() - 1; i-- > 0;) hash = nodeHash(range_[i], hash);
  return hash;
}

}  // namespace ptygate::recorder
