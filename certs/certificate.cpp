// SPDX-License-Identifier: Apache-2.0
// PROTOCOL.certkeys both ways.
#include "certs/certificate.h"

#include <array>

#include "certs/wire.h"

namespace ptygate::certs {
namespace {

enum class Shape { Text, Flag };
struct KnownOption {
  std::string_view name;
  Shape shape;
};
// Their data is checked when parsed, so that no later reader meets an odd one.
constexpr std::array<KnownOption, 3> kKnownCritical{
    {{"force-command", Shape::Text}, {"source-address", Shape::Text}, {"verify-required", Shape::Flag}}};
constexpr std::array<KnownOption, 6> kKnownExtensions{{{"no-touch-required", Shape::Flag},
                                                       {"permit-X11-forwarding", Shape::Flag},
                                                       {"permit-agent-forwarding", Shape::Flag},
                                                       {"permit-port-forwarding", Shape::Flag},
                                                       {"permit-pty", Shape::Flag},
                                                       {"permit-user-rc", Shape::Flag}}};

template <std::size_t N>
bool isSound(const Option& option, const std::array<KnownOption, N>& known) {
  for (const KnownOption& row : known) {
    if (row.name == option.name) return row.shape == Shape::Flag ? option.data.empty() : optionText(option.data).has_value();
  }
  return true;
}

template <std::size_t N>
Expected<std::vector<Option>> parseOptions(ByteView bytes, const std::array<KnownOption, N>& known, std::string_view what) {
  Cursor cursor(bytes);
  std::vector<Option> options;
  while (!cursor.atEnd()) {
    const ByteView name = cursor.text(kMaxOptionNameBytes);
    const ByteView data = cursor.string();
    if (cursor.hasFailed()) break;
    if (options.size() == kMaxOptions) {
      cursor.fail(ErrorKind::TooLarge, "too many options");
    } else if (name.empty() || (!options.empty() && name <= options.back().name)) {
      cursor.fail(ErrorKind::Malformed, "option names that are empty, twice, or not in order");
    } else if (!isSound(options.emplace_back(Option{std::string(name), Bytes(data)}), known)) {
      cursor.fail(ErrorKind::Malformed, "an option of a known name with data that it cannot have");
    }
  }
  if (auto end = cursor.finish(what); !end) return tl::unexpected(end.error());
  return options;
}

Expected<std::vector<std::string>> parsePrincipals(ByteView bytes) {
  Cursor cursor(bytes);
  std::vector<std::string> principals;
  while (!cursor.atEnd()) {
    const ByteView name = cursor.text(kMaxPrincipalBytes);
    if (cursor.hasFailed()) break;
    if (principals.size() == kMaxPrincipals) cursor.fail(ErrorKind::TooLarge, "too many principals");
    if (name.empty()) cursor.fail(ErrorKind::Malformed, "an empty principal");
    principals.emplace_back(name);
  }
  if (auto end = cursor.finish("certificate principals"); !end) return tl::unexpected(end.error());
  return principals;
}

Bytes serialiseOptions(const std::vector<Option>& options) {
  Builder builder;
  for (const Option& option : options) builder.string(option.name).string(option.data);
  return builder.take();
}

Expected<PublicKey> parseAuthority(ByteView blob) {
  Cursor cursor(blob);
  if (keyTypeOfCertificateNamed(cursor.text())) {
    return failure(ErrorKind::AuthorityIsCertificate, "certificate: signed by a certificate; authorities are plain keys");
  }
  return PublicKey::parseBlob(blob);
}

const Option* find(const std::vector<Option>& options, std::string_view name) {
  for (const Option& option : options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

std::optional<std::string> textOption(const Certificate& certificate, std::string_view name) {
  const Option* option = find(certificate.critical_options, name);
  return option == nullptr ? std::nullopt : optionText(option->data);
}

/// The blob's fields as they lie, before any of them is looked into.
struct Fields {
  ByteView nonce, subject_blob_fields, key_id, principals, critical_options, extensions, authority, signature;
  std::uint64_t serial = 0, valid_after = 0, valid_before = 0;
  std::uint32_t type = 0;
};

Expected<Fields> splitFields(Cursor cursor, KeyType key_type) {
  Fields fields;
  fields.nonce = cursor.string(kMaxNonceBytes);
  const ByteView before = cursor.rest();
  for (std::size_t i = 0; i < keyFieldCount(key_type); ++i) cursor.string(kMaxKeyBlobBytes);
  fields.subject_blob_fields = before.substr(0, before.size() - cursor.rest().size());
  fields.serial = cursor.uint64();
  fields.type = cursor.uint32();
  fields.key_id = cursor.text(kMaxKeyIdBytes);
  fields.principals = cursor.string();
  fields.valid_after = cursor.uint64();
  fields.valid_before = cursor.uint64();
  fields.critical_options = cursor.string();
  fields.extensions = cursor.string();
  // "currently unused and is ignored in this version": data in it is of a version that we do not know.
  if (!cursor.string().empty()) cursor.fail(ErrorKind::Malformed, "data in the reserved field");
  fields.authority = cursor.string(kMaxKeyBlobBytes);
  fields.signature = cursor.string();
  if (!cursor.hasFailed() && fields.type != 1 && fields.type != 2) cursor.fail(ErrorKind::Malformed, "neither a user's nor a host's");
  if (auto end = cursor.finish("certificate"); !end) return tl::unexpected(end.error());
  return fields;
}

}  // namespace

std::optional<std::string> optionText(ByteView data) {
  Cursor cursor(data);
  const ByteView text = cursor.text();
  if (!cursor.finish("option")) return std::nullopt;
  return std::string(text);
}

Expected<Certificate> parseCertificate(ByteView blob) {
  if (blob.size() > kMaxCertificateBytes)
    return failure(ErrorKind::TooLarge, "certificate: over " + std::to_string(kMaxCertificateBytes) + " bytes");
  Cursor cursor(blob);
  const ByteView name = cursor.text();
  const auto key_type = keyTypeOfCertificateNamed(name);
  if (cursor.hasFailed()) return tl::unexpected(cursor.finish("certificate").error());
  if (!key_type) {
    const bool plain = keyTypeNamed(name).has_value();
    return failure(ErrorKind::UnsupportedAlgorithm,
                   "certificate: type '" + escaped(name.substr(0, 64)) + (plain ? "' is a plain key" : "' is not accepted"));
  }
  const auto fields = splitFields(cursor, *key_type);
  if (!fields) return tl::unexpected(fields.error());
  auto subject = PublicKey::parseBlob(Builder().string(keyTypeName(*key_type)).raw(fields->subject_blob_fields).take());
  if (!subject) return tl::unexpected(subject.error());
  auto authority = parseAuthority(fields->authority);
  if (!authority) return tl::unexpected(authority.error());
  auto principals = parsePrincipals(fields->principals);
  if (!principals) return tl::unexpected(principals.error());
  auto critical = parseOptions(fields->critical_options, kKnownCritical, "certificate critical options");
  if (!critical) return tl::unexpected(critical.error());
  auto extensions = parseOptions(fields->extensions, kKnownExtensions, "certificate extensions");
  if (!extensions) return tl::unexpected(extensions.error());
  return Certificate{.subject = std::move(*subject),
                     .nonce = Bytes(fields->nonce),
                     .serial = fields->serial,
                     .type = static_cast<CertificateType>(fields->type),
                     .key_id = std::string(fields->key_id),
                     .principals = std::move(*principals),
                     .valid_after = fields->valid_after,
                     .valid_before = fields->valid_before,
                     .critical_options = std::move(*critical),
                     .extensions = std::move(*extensions),
                     .authority = std::move(*authority),
                     .signature = Bytes(fields->signature)};
}

Expected<Certificate> parseCertificateLine(std::string_view line) {
  const auto split = splitKeyLine(line, kMaxCertificateLineBytes);
  if (!split) return tl::unexpected(split.error());
  const auto blob = base64Decode(split->base64);
  if (!blob) return failure(ErrorKind::Malformed, "certificate line: the second word is not base64");
  auto certificate = parseCertificate(*blob);
  if (certificate && certificateTypeName(certificate->subject.type()) != split->type) {
    return failure(ErrorKind::Malformed, "certificate line: the type named is not the certificate's");
  }
  return certificate;
}

Bytes signedPart(const Certificate& c) {
  Builder principals;
  for (const std::string& principal : c.principals) principals.string(principal);
  Builder builder;
  builder.string(certificateTypeName(c.subject.type())).string(c.nonce).raw(c.subject.fields());
  builder.uint64(c.serial).uint32(static_cast<std::uint32_t>(c.type)).string(c.key_id).string(principals.view());
  builder.uint64(c.valid_after).uint64(c.valid_before);
  builder.string(serialiseOptions(c.critical_options)).string(serialiseOptions(c.extensions)).string("");
  return builder.string(c.authority.blob()).take();
}

Bytes serialise(const Certificate& certificate) {
  return Builder().raw(signedPart(certificate)).string(certificate.signature).take();
}

std::string certificateLine(const Certificate& certificate) {
  return std::string(certificateTypeName(certificate.subject.type())) + " " + base64Encode(serialise(certificate));
}

std::optional<std::string> forceCommand(const Certificate& certificate) {
  return textOption(certificate, "force-command");
}
std::optional<std::string> sourceAddress(const Certificate& certificate) {
  return textOption(certificate, "source-address");
}
bool hasExtension(const Certificate& certificate, std::string_view name) {
  return find(certificate.extensions, name) != nullptr;
}

}  // namespace ptygate::certs
