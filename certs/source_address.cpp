// SPDX-License-Identifier: Apache-2.0
// CIDR matching.
#include "certs/source_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "certs/encoding.h"

namespace ptygate::certs {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

tl::unexpected<Error> malformed(std::string_view what, std::string_view text) {
  return failure(ErrorKind::Malformed, "source-address: " + std::string(what) + " '" + escaped(text.substr(0, 64)) + "'");
}

/// The address as written, without unmapping.
Expected<IpAddress> parseLiteral(std::string_view text) {
  const std::string terminated(text);
  IpAddress address;
  address.is_v6 = text.find(':') != std::string_view::npos;
  const bool has_nul = text.find('\0') != std::string_view::npos;  // inet_pton would stop there
  if (has_nul || inet_pton(address.is_v6 ? AF_INET6 : AF_INET, terminated.c_str(), address.bytes.data()) != 1)
    return malformed("no address", text);
  return address;
}

bool sharesPrefix(const IpAddress& a, const IpAddress& b, unsigned bits) {
  for (unsigned i = 0; i < bits; i += 8) {
    const unsigned left = std::min(bits - i, 8U);
    const auto mask = static_cast<std::uint8_t>(0xff00U >> left);
    if (((a.bytes[i / 8] ^ b.bytes[i / 8]) & mask) != 0) return false;
  }
  return true;
}

bool hasHostBits(const AddressBlock& block) {
  const unsigned width = block.address.is_v6 ? 128 : 32;
  for (unsigned bit = block.prefix_bits; bit < width; ++bit) {
    if ((block.address.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return true;
  }
  return false;
}

Expected<AddressBlock> parseBlock(std::string_view entry) {
  const std::size_t slash = entry.find('/');
  const auto address = parseLiteral(entry.substr(0, slash));
  if (!address) return tl::unexpected(address.error());
  const unsigned width = address->is_v6 ? 128 : 32;
  AddressBlock block{*address, width};
  if (slash != std::string_view::npos) {
    const std::string_view digits = entry.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), block.prefix_bits);
    const bool leading_zero = digits.size() > 1 && digits.front() == '0';
    if (error != std::errc() || end != digits.data() + digits.size() || block.prefix_bits > width || leading_zero) {
      return malformed("no prefix length in", entry);
    }
  }
  if (hasHostBits(block)) return malformed("bits set beyond the prefix in", entry);
  return block;
}

}  // namespace

Expected<IpAddress> parseAddress(std::string_view text) {
  auto address = parseLiteral(text);
  if (!address || !address->is_v6 || !std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address->bytes.begin())) return address;
  IpAddress v4;
  std::copy(address->bytes.begin() + 12, address->bytes.end(), v4.bytes.begin());
  return v4;
}

Expected<std::vector<AddressBlock>> parseAddressList(std::string_view list) {
  if (list.size() > kMaxSourceAddressBytes)
    return failure(ErrorKind::TooLarge, "source-address: over " + std::to_string(kMaxSourceAddressBytes) + " bytes");
  std::vector<AddressBlock> blocks;
  for (bool more = true; more;) {
    const std::size_t comma = list.find(',');
    auto block = parseBlock(list.substr(0, comma));
    if (!block) return tl::unexpected(block.error());
    if (blocks.size() == kMaxSourceAddresses)
      return failure(ErrorKind::TooLarge, "source-address: over " + std::to_string(kMaxSourceAddresses) + " entries");
    blocks.push_back(*block);
    more = comma != std::string_view::npos;
    if (more) list.remove_prefix(comma + 1);
  }
  return blocks;
}

bool covers(const std::vector<AddressBlock>& blocks, const IpAddress& address) {
  return std::any_of(blocks.begin(), blocks.end(), [&](const AddressBlock& block) {
    return block.address.is_v6 == address.is_v6 && sharesPrefix(block.address, address, block.prefix_bits);
  });
}

}  // namespace ptygate::certs
