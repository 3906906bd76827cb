// SPDX-License-Identifier: Apache-2.0
#include "policy/classify.h"

#include <array>

#include "policy/catalog/schema.h"
#include "policy/catalog/wrappers.h"

namespace ptygate::policy {
namespace {

constexpr std::array<std::string_view, 12> kEffectNames = {"read",      "secret",  "write", "destructive", "exec",        "network",
                                                           "privilege", "persist", "env",   "cwd",         "interactive", "unknown"};

Classification opaqueLine(std::string reason) {
  Classification result;
  result.opaque = std::move(reason);
  result.effects.add(Effect::Unknown);
  result.stdin_class = StdinClass::Code;
  return result;
}

}  // namespace

std::string_view nameOf(Effect effect) {
  return kEffectNames[std::size_t(effect)];
}

std::optional<Effect> effectNamed(std::string_view name) {
  for (std::size_t i = 0; i < kEffectNames.size(); ++i) {
    if (kEffectNames[i] == name) return Effect(i);
  }
  return std::nullopt;
}

std::vector<std::string_view> namesOf(EffectSet effects) {
  std::vector<std::string_view> result;
  for (std::size_t i = 0; i < kEffectNames.size(); ++i) {
    if (effects.has(Effect(i))) result.push_back(kEffectNames[i]);
  }
  return result;
}

Classification classify(const Catalog& catalog, std::string_view line, Dialect dialect, std::string_view cwd) {
  const ParseResult parsed = parseLine(line, dialect);
  if (!parsed.line) return opaqueLine(parsed.opaque.reason.empty() ? "not in the accepted subset" : parsed.opaque.reason);
  Cwds cwds;
  // `pwd -P` tells no "." or ".."; a cwd that has them is not what it claims to be.
  const std::string padded = std::string(cwd) + "/";
  if (cwd.starts_with('/') && padded.find("/../") == std::string::npos && padded.find("/./") == std::string::npos) {
    cwds.known = true;
    cwds.list.push_back(Cwd{std::string(cwd), true});
  }
  Classification result;
  LineReader reader(catalog.data(), dialect, cwds, result);
  const std::vector<Edit> edits = reader.read(*parsed.line);
  if (!result.opaque.empty()) return opaqueLine(result.opaque);
  result.canonical_plain = parsed.line->print();
  result.canonical = edits.empty() ? result.canonical_plain : parsed.line->print(edits);
  if (!printsBack(*parsed.line, edits, result.canonical, dialect)) return opaqueLine("its canonical form does not parse back to it");
  for (const ClassifiedCommand& command : result.commands) result.effects.add(command.effects);
  result.stdin_class = reader.stdinClass();
  return result;
}

}  // namespace ptygate::policy
