// SPDX-License-Identifier: Apache-2.0
// `certs show` and `certs inspect`: public halves only. Says nothing about trust.
#include <nlohmann/json.hpp>

#include "certs/certificate.h"
#include "certs/describe.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/gate_files.h"
#include "proxy/verbs/print.h"

namespace ptygate::verbs {

namespace {

using Json = nlohmann::ordered_json;

Json jsonOf(const std::vector<std::pair<std::string, std::string>>& options) {
  Json object = Json::object();
  for (const auto& [name, value] : options) object[name] = value;
  return object;
}

Json jsonOf(const certs::Description& description) {
  Json object;
  object["type"] = description.type;
  object["algorithm"] = description.algorithm;
  object["subject"] = description.subject;
  object["authority"] = description.authority;
  object["signature_algorithm"] = description.signature_algorithm;
  object["key_id"] = description.key_id;
  object["serial"] = description.serial;
  object["valid_after"] = description.valid_after;
  object["valid_before"] = description.valid_before;
  object["principals"] = description.principals;
  object["critical_options"] = jsonOf(description.critical_options);
  object["extensions"] = jsonOf(description.extensions);
  object["signature_checked"] = false;
  return object;
}

}  // namespace

int certsShow(const Arguments& arguments, const Caller& caller) {
  const auto config = loadConfigOf(caller.dir);
  if (!config) return fail(kNegative, config.error());
  struct Row {
    const char* name;
    const char* use;
    std::string file;
  };
  std::vector<Row> rows = {{"user_ca", "signs users' certificates; targets trust it (TrustedUserCAKeys)", (*config)->user_ca},
                           {"host_key", "the gate's host key; clients put it into known_hosts", (*config)->host_key}};
  for (const config::Target& target : (*config)->targets) {
    if (!target.identity_key.empty()) rows.push_back({"identity", "offered to one target (authorized_keys)", target.identity_key});
  }
  int status = kDone;
  for (const Row& row : rows) {
    const auto key = publicKeyOf(caller, row.file);
    if (!key) {
      status = fail(kNegative, key.error());
      continue;
    }
    if (arguments.has("--json")) {
      putJson(Json{{"name", row.name}, {"file", row.file}, {"public_key", key->line()}, {"fingerprint", key->fingerprint()}});
    } else {
      putLine(std::string(row.name) + " (" + shown(row.file) + "): " + row.use);
      putLine("  " + key->line());
      putLine("  " + key->fingerprint());
    }
  }
  return status;
}

int certsInspect(const Arguments& arguments, const Caller& caller) {
  const std::string file = arguments.text("FILE");
  // A path over SSH would be read with the gate's rights.
  if (caller.over_ssh && file != "-")
    return fail(kNotPermitted, "over SSH, certs inspect reads standard input only: ptygate certs inspect -");
  const FileText text = readWhole(file, certs::kMaxCertificateLineBytes);
  if (!text.ok) return fail(kNegative, text.text);
  const auto certificate = certs::parseCertificateLine(text.text);
  if (!certificate) {
    return fail(kNegative, std::string(file == "-" ? "standard input" : shown(file)) +
                               " is not an OpenSSH certificate: " + shown(certificate.error().text) +
                               ". A certificate is one line that begins with, for instance, ssh-ed25519-cert-v01@openssh.com");
  }
  const certs::Description description = certs::describe(*certificate);
  if (arguments.has("--json"))
    putJson(jsonOf(description));
  else
    put(certs::descriptionText(description));
  return kDone;
}

}  // namespace ptygate::verbs
