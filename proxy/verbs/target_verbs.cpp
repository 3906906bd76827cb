// SPDX-License-Identifier: Apache-2.0
// `targets set-up`: prints, never touches a target. The other targets verbs ask the gate (desk_verbs.cpp).
#include "proxy/verbs/functions.h"
#include "proxy/verbs/gate_files.h"
#include "proxy/verbs/print.h"
#include "proxy/verbs/set_up_text.h"

namespace ptygate::verbs {

int targetsSetUp(const Arguments& arguments, const Caller& caller) {
  const auto config = loadConfigOf(caller.dir);
  if (!config) return fail(kNegative, config.error());
  const std::string name = arguments.text("NAME");
  const config::Target* target = (*config)->target(name);
  if (target == nullptr) {
    std::string known;
    for (const auto& each : (*config)->targets) known += (known.empty() ? "" : ", ") + each.name;
    return fail(kNegative,
                "no target \"" + shown(name) + "\" in " + shown(caller.dir) + "/ptygate.toml; it has: " + (known.empty() ? "none" : known));
  }
  const auto key = publicKeyOf(caller, target->identity_key.empty() ? (*config)->user_ca : target->identity_key);
  if (!key) return fail(kNegative, key.error());
  put(arguments.has("--ansible") ? setUpAnsible(*target, key->line()) : setUpText(*target, key->line()));
  return kDone;
}

}  // namespace ptygate::verbs
