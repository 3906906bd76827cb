// SPDX-License-Identifier: Apache-2.0
// policy.toml: rules and defaults, loaded strictly, and the one function that decides (policy.md, section 3).
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "policy/classify.h"
#include "policy/request.h"

namespace ptygate::policy {

/// What the rules need to know of the gate's people, to refuse a rule that no one could satisfy.
struct PeopleFacts {
  struct Person {
    std::string name;
    std::vector<std::string> roles;
    bool may_review = false;
  };
  std::vector<Person> people;
  std::map<std::string, std::string> owner_of_agent;
};

/// A loaded policy. Immutable; shared by pointer between the keeper's snapshot and running evaluations.
class RuleSet {
 public:
  /// Loads one policy file. Refused with "file:line: what, and what to do": unknown key (nearest known one named), bad unit, `allow` as
  /// default, a rule that needs more reviewers than exist, a failing rule test, an allow rule with no condition at all
  /// (unless `anything = true`).
  [[nodiscard]] static tl::expected<std::shared_ptr<const RuleSet>, std::string> load(std::string_view text, std::string_view origin,
                                                                                     const Catalog& catalog, const PeopleFacts& people);
  RuleSet(RuleSet&&) noexcept;
  ~RuleSet();

  [[nodiscard]] bool hasLaboratoryAllow() const;            ///< an allow rule with `anything = true`
  [[nodiscard]] const std::string& hash() const;            ///< sha256 hex of the file's bytes
  [[nodiscard]] std::vector<std::string> warnings() const;  ///< e.g. rules that allow `unknown`

  struct Data;
  explicit RuleSet(std::unique_ptr<Data>);
  [[nodiscard]] const Data& data() const { return *data_; }

 private:
  std::unique_ptr<Data> data_;
};

/// How a decision came about, for `policy explain`, the prompt and the ledger.
struct Derivation {
  Classification classification;
  std::vector<std::string> steps;   ///< "rule \"read-only everywhere\": matches commands 1, 2", "rule …: no, target env=prod is not …"
};

/// Decides one request. Total; equal inputs give equal decisions; no I/O. A request that no rule covers gets the default (hold).
[[nodiscard]] Decision evaluate(const RuleSet& rules, const Catalog& catalog, const Request& request, WallTime now,
                                Derivation* derivation = nullptr);

/// The starter policy that `ptygate init` writes: reads allowed, service restarts held, destructive commands held for two people.
/// With fewer than two reviewers the last rule asks one, and says so in a comment.
[[nodiscard]] std::string starterPolicy(std::size_t reviewers);

}  // namespace ptygate::policy
