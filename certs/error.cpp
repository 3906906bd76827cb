// SPDX-License-Identifier: Apache-2.0
// Names of the error kinds.
#include "certs/error.h"

namespace ptygate::certs {

std::string_view errorKindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Malformed:
      return "Malformed";
    case ErrorKind::TooLarge:
      return "TooLarge";
    case ErrorKind::UnsupportedAlgorithm:
      return "UnsupportedAlgorithm";
    case ErrorKind::AuthorityIsCertificate:
      return "AuthorityIsCertificate";
    case ErrorKind::UnknownAuthority:
      return "UnknownAuthority";
    case ErrorKind::BadSignature:
      return "BadSignature";
    case ErrorKind::WrongType:
      return "WrongType";
    case ErrorKind::NotYetValid:
      return "NotYetValid";
    case ErrorKind::Expired:
      return "Expired";
    case ErrorKind::EmptyPrincipals:
      return "EmptyPrincipals";
    case ErrorKind::PrincipalNotListed:
      return "PrincipalNotListed";
    case ErrorKind::UnknownCriticalOption:
      return "UnknownCriticalOption";
    case ErrorKind::SourceAddressRefused:
      return "SourceAddressRefused";
    case ErrorKind::RequestRefused:
      return "RequestRefused";
    case ErrorKind::LoosePermissions:
      return "LoosePermissions";
    case ErrorKind::PassphraseProtected:
      return "PassphraseProtected";
    case ErrorKind::FileUnusable:
      return "FileUnusable";
    case ErrorKind::CryptoFailed:
      return "CryptoFailed";
  }
  return "?";
}

}  // namespace ptygate::certs
