// SPDX-License-Identifier: Apache-2.0
// Certificate → text.
#include "certs/describe.h"

#include <ctime>

#include "certs/wire.h"

namespace ptygate::certs {
namespace {

std::string hexOf(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "hex:";
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> optionTexts(const std::vector<Option>& options) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const Option& option : options) {
    const auto text = optionText(option.data);
    texts.emplace_back(escaped(option.name), option.data.empty() ? "" : text ? escaped(*text) : hexOf(option.data));
  }
  return texts;
}

std::string signatureAlgorithm(ByteView signature) {
  Cursor cursor(signature);
  const ByteView name = cursor.text(64);
  return cursor.hasFailed() ? "unreadable" : escaped(name);
}

void appendOptions(std::string& out, std::string_view title, const std::vector<std::pair<std::string, std::string>>& options) {
  out += title;
  out += options.empty() ? " none\n" : "\n";
  for (const auto& [name, text] : options) out += "    " + name + (text.empty() ? "" : " = " + text) + "\n";
}

}  // namespace

std::string utcText(std::uint64_t seconds_since_1970) {
  constexpr std::uint64_t kYear10000 = 253402300800;
  if (seconds_since_1970 == kForever) return "forever";
  if (seconds_since_1970 >= kYear10000) return "after 9999";
  const auto seconds = static_cast<std::time_t>(seconds_since_1970);
  std::tm parts{};
  char text[32];
  if (gmtime_r(&seconds, &parts) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) return "unreadable";
  return text;
}

Description describe(const Certificate& certificate) {
  Description description{.type = certificate.type == CertificateType::Host ? "host" : "user",
                          .algorithm = std::string(certificateTypeName(certificate.subject.type())),
                          .subject = certificate.subject.fingerprint(),
                          .authority = std::string(certificate.authority.typeName()) + " " + certificate.authority.fingerprint(),
                          .signature_algorithm = signatureAlgorithm(certificate.signature),
                          .key_id = escaped(certificate.key_id),
                          .serial = certificate.serial,
                          .valid_after = utcText(certificate.valid_after),
                          .valid_before = utcText(certificate.valid_before),
                          .principals = {},
                          .critical_options = optionTexts(certificate.critical_options),
                          .extensions = optionTexts(certificate.extensions)};
  for (const std::string& principal : certificate.principals) description.principals.push_back(escaped(principal));
  return description;
}

std::string descriptionText(const Description& d) {
  std::string out = d.type + " certificate (signature not checked)\n";
  out += "  algorithm:        " + d.algorithm + "\n";
  out += "  public key:       " + d.subject + "\n";
  out += "  signed by:        " + d.authority + " (" + d.signature_algorithm + ")\n";
  out += "  key id:           \"" + d.key_id + "\"\n";
  out += "  serial:           " + std::to_string(d.serial) + "\n";
  out += "  valid from:       " + d.valid_after + "\n";
  out += "  valid until:      " + d.valid_before + " (not included)\n";
  out += d.principals.empty() ? "  principals:       none (refused everywhere)\n" : "  principals:\n";
  for (const std::string& principal : d.principals) out += "    " + principal + "\n";
  appendOptions(out, "  critical options:", d.critical_options);
  appendOptions(out, "  extensions:", d.extensions);
  return out;
}

}  // namespace ptygate::certs
