// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/policy_json.h"

#include <nlohmann/json.hpp>

#include "policy/explain.h"

namespace ptygate::verbs {

namespace {

using Json = nlohmann::ordered_json;

Json jsonOf(const policy::Word& word) {
  switch (word.kind) {
    case policy::Word::Kind::Literal:
      return word.text;
    case policy::Word::Kind::RuntimeOne:
      return Json{{"runtime", "one"}};
    case policy::Word::Kind::RuntimeMany:
      return Json{{"runtime", "many"}};
  }
  return nullptr;
}

Json jsonOf(const policy::ClassifiedCommand& classified) {
  const policy::SimpleCommand& command = classified.command;
  Json argv = Json::array();
  for (const auto& word : command.argv) argv.push_back(jsonOf(word));
  Json assignments = Json::array();
  for (const auto& [name, value] : command.assignments) {
    Json pair = Json::array();
    pair.push_back(name);
    pair.push_back(jsonOf(value));
    assignments.push_back(std::move(pair));
  }
  Json redirections = Json::array();
  for (const auto& redirection : command.redirections) {
    redirections.push_back(Json{{"fd", redirection.fd}, {"op", redirection.op}, {"target", jsonOf(redirection.target)}});
  }
  Json effects = Json::array();
  for (std::string_view name : policy::namesOf(classified.effects)) effects.push_back(name);
  Json object;
  object["argv"] = std::move(argv);
  object["assignments"] = std::move(assignments);
  object["redirections"] = std::move(redirections);
  object["via"] = policy::viaText(command);
  object["effects"] = std::move(effects);
  return object;
}

}  // namespace

Json jsonOfLine(const policy::Classification& line) {
  const bool opaque = !line.opaque.empty();
  Json commands = Json::array();
  if (!opaque) {
    for (const auto& command : line.commands) commands.push_back(jsonOf(command));
  }
  Json object;
  object["opaque"] = opaque ? Json(line.opaque) : Json(nullptr);
  object["commands"] = std::move(commands);
  object["canonical"] = opaque ? Json(nullptr) : Json(line.canonical_plain);
  return object;
}

policy::Dialect dialectNamed(std::string_view name) {
  if (name == "bash") return policy::Dialect::Bash;
  if (name == "dash") return policy::Dialect::Dash;
  return policy::Dialect::Sh;
}

}  // namespace ptygate::verbs
