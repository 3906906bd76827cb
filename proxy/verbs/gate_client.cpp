// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/gate_client.h"

#include <algorithm>

#include "proxy/verbs/print.h"

namespace ptygate::verbs {

control::Client* gate(const Caller& caller) {
  static std::optional<control::Client> client;
  if (client) return &*client;
  auto connected = control::Client::connect(caller.dir);
  if (!connected) {
    note(shown(connected.error().text));
    return nullptr;
  }
  client.emplace(std::move(*connected));
  return &*client;
}

Asked ask(const Caller& caller, const std::string& verb, const std::map<std::string, std::string>& args) {
  control::Client* client = gate(caller);
  if (client == nullptr) return {};
  auto answer = client->call(verb, args);
  if (!answer) return {fail(answer.error().status, shown(answer.error().text)), std::nullopt};
  const int status = answer->end.status;
  if (status != kDone && !answer->end.text.empty()) note(shown(answer->end.text));
  return {status, std::move(*answer)};
}

int askAndTell(const Caller& caller, const std::string& verb, const std::map<std::string, std::string>& args) {
  const Asked asked = ask(caller, verb, args);
  if (asked.status == kDone && asked.answer && !asked.answer->end.text.empty()) putLine(shown(asked.answer->end.text));
  return asked.status;
}

int confirmPermission(const Verb& verb, const Caller& caller) {
  if (verb.remote == Remote::AsksGate) return kDone;
  const Asked asked = ask(caller, "whoami");
  if (asked.status != kDone || !asked.answer) return asked.status != kDone ? asked.status : kNotPermitted;
  const control::WhoAmI* who = asked.answer->items.empty() ? nullptr : std::get_if<control::WhoAmI>(&asked.answer->items.front());
  const auto may = [who](std::string_view what) { return std::find(who->may.begin(), who->may.end(), what) != who->may.end(); };
  bool permitted = false;
  if (who != nullptr && who->kind != "agent") {
    switch (verb.remote) {
      case Remote::Never:
      case Remote::AsksGate:
        break;
      case Remote::Operate:
        permitted = may("operate") || (verb.audience == Audience::Policy && may("review"));
        break;
      case Remote::Review:
        permitted = may("review");
        break;
      case Remote::Audit:
        permitted = may("audit");
        break;
      case Remote::Anyone:
        permitted = true;
        break;
    }
  }
  if (permitted) return kDone;
  return fail(kNotPermitted, "not permitted: " + std::string(verb.name));
}

}  // namespace ptygate::verbs
