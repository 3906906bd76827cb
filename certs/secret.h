// SPDX-License-Identifier: Apache-2.0
// SecretBytes: bytes that are wiped when they are freed, move, do not copy, and cannot be printed by accident.
// It does not lock pages and does not hide from a debugger; the keeper is made not dumpable for that.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace ptygate::certs {

/// Overwrites memory in a way that the compiler may not remove (OPENSSL_cleanse).
void wipe(void* data, std::size_t size_bytes);

/// An allocator that wipes before it frees, so that a growing buffer leaves no old copy behind. Only for containers without
/// an inline buffer (vector, not string).
template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <class U>
  WipingAllocator(const WipingAllocator<U>&) {}
  T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
  void deallocate(T* p, std::size_t n) {
    wipe(p, n * sizeof(T));
    std::allocator<T>().deallocate(p, n);
  }
  friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};

using WipingBuffer = std::vector<char, WipingAllocator<char>>;

class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(WipingBuffer buffer) : buffer_(std::move(buffer)) {}
  /// Zeroes to be filled through data().
  explicit SecretBytes(std::size_t size_bytes) : buffer_(size_bytes) {}
  SecretBytes(SecretBytes&& other) noexcept : buffer_(std::exchange(other.buffer_, {})) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    buffer_ = std::exchange(other.buffer_, {});
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() = default;

  /// The bytes, for the one call that needs them. Borrowed: ends with this object. Never store, log or send the view.
  [[nodiscard]] std::string_view expose() const { return {buffer_.data(), buffer_.size()}; }
  [[nodiscard]] char* data() { return buffer_.data(); }
  [[nodiscard]] std::size_t size() const { return buffer_.size(); }
  /// Keeps the first `size_bytes`; the rest is wiped with the buffer.
  void truncate(std::size_t size_bytes) {
    if (size_bytes < buffer_.size()) buffer_.resize(size_bytes);
  }

 private:
  WipingBuffer buffer_;
};

}  // namespace ptygate::certs
