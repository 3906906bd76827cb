// SPDX-License-Identifier: Apache-2.0
// The address lists of the source-address option: "192.0.2.1,10.0.0.0/8,2001:db8::/32". Addresses and CIDR blocks only; no names, wildcards
// or negation, as in OpenSSH.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "certs/error.h"

namespace ptygate::certs {

inline constexpr std::size_t kMaxSourceAddressBytes = 4096;  ///< the whole list
inline constexpr std::size_t kMaxSourceAddresses = 64;       ///< its entries

struct IpAddress {
  bool is_v6 = false;
  std::array<std::uint8_t, 16> bytes{};  ///< the first 4 for IPv4
};
struct AddressBlock {
  IpAddress address;
  unsigned prefix_bits = 0;
};

/// Parses a numeric address. An IPv4 address mapped into IPv6 (::ffff:192.0.2.1), as dual-stack sockets tell it, becomes the IPv4 address;
/// scoped ones (fe80::1%eth0) are refused. Errors: Malformed.
[[nodiscard]] Expected<IpAddress> parseAddress(std::string_view text);

/// Parses a list. A block with bits set beyond its prefix is refused: it says two things. Errors: Malformed, TooLarge.
[[nodiscard]] Expected<std::vector<AddressBlock>> parseAddressList(std::string_view list);

[[nodiscard]] bool covers(const std::vector<AddressBlock>& blocks, const IpAddress& address);

}  // namespace ptygate::certs
