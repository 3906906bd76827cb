// SPDX-License-Identifier: Apache-2.0
// See placeholders.h. Expressions are RE2's, never std::regex: time is linear in the word.
#include "policy/placeholders.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <optional>

namespace ptygate::policy {
namespace {

constexpr std::size_t kMaxExpressionBytes = 200;
constexpr std::int64_t kMaxExpressionMemory = 1 << 20;
constexpr std::size_t kMaxPlaceholderWord = 1024;

tl::unexpected<std::string> refusal(std::string text) {
  return tl::unexpected(std::move(text));
}

bool isLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// First byte a letter or digit, the others too or one of `extra`.
bool isWordOf(std::string_view word, std::string_view extra, std::size_t limit) {
  return !word.empty() && word.size() <= limit && isLetterOrDigit(word.front()) &&
         std::all_of(word.begin(), word.end(), [extra](char c) { return isLetterOrDigit(c) || extra.find(c) != std::string_view::npos; });
}

bool isInt(std::string_view word) {
  return word.size() <= 18 && std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool isSha(std::string_view word) {
  return word.size() >= 7 && word.size() <= 64 &&
         std::all_of(word.begin(), word.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// A subset of git-check-ref-format(1): what cannot be read as a range, a revision expression or a refspec.
bool isBranch(std::string_view word) {
  if (!isWordOf(word, "._/-", 200)) return false;
  for (std::string_view odd : {"..", "//", "/.", "./"}) {
    if (word.find(odd) != std::string_view::npos) return false;
  }
  const bool is_lock = word.size() >= 5 && word.substr(word.size() - 5) == ".lock";
  return word.back() != '/' && word.back() != '.' && !is_lock;
}

std::vector<std::string_view> componentsOf(std::string_view path) {
  std::vector<std::string_view> components;
  path.remove_prefix(1);
  while (true) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    components.push_back(path.substr(0, slash));
    if (slash == path.size()) return components;
    path.remove_prefix(slash + 1);
  }
}

bool isNormalPath(std::string_view path) {
  if (path.size() < 2 || path.front() != '/') return false;
  const auto components = componentsOf(path);
  return std::none_of(components.begin(), components.end(),
                      [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

std::optional<WordPattern::Kind> simpleKind(std::string_view name) {
  using Kind = WordPattern::Kind;
  static constexpr std::array<std::pair<std::string_view, Kind>, 7> kKinds = {{{"int", Kind::Int},
                                                                               {"name", Kind::Name},
                                                                               {"unit", Kind::Unit},
                                                                               {"container", Kind::Container},
                                                                               {"branch", Kind::Branch},
                                                                               {"sha", Kind::Sha},
                                                                               {"runtime", Kind::Runtime}}};
  for (const auto& [known, kind] : kKinds) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

}  // namespace

struct WordPattern::Expression {
  explicit Expression(const std::string& text, const RE2::Options& options) : regex(text, options) {}
  RE2 regex;
};

WordPattern::WordPattern() = default;
WordPattern::WordPattern(WordPattern&&) noexcept = default;
WordPattern& WordPattern::operator=(WordPattern&&) noexcept = default;
WordPattern::~WordPattern() = default;

bool hasUnfitCharacter(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](std::size_t offset) { return i + offset < text.size() ? static_cast<unsigned char>(text[i + offset]) : 0U; };
    const unsigned first = byte(0);
    if (first < 0x20 || first == 0x7f) return true;
    if (first == 0xc2 && byte(1) >= 0x80 && byte(1) <= 0xa0) return true;  // C1, no-break space
    if (first == 0xc2 && byte(1) == 0xad) return true;                     // soft hyphen
    if (first == 0xd8 && byte(1) == 0x9c) return true;                     // U+061C
    if (first == 0xe2 && byte(1) == 0x80 && ((byte(2) >= 0x80 && byte(2) <= 0x8f) || (byte(2) >= 0xa8 && byte(2) <= 0xaf)))
      return true;                                                                            // spaces, zero width, marks, U+2028…202F
    if (first == 0xe2 && byte(1) == 0x81 && byte(2) >= 0x9f && byte(2) <= 0xaf) return true;  // U+205F…206F: isolates, word joiner
    if (first == 0xe3 && byte(1) == 0x80 && byte(2) == 0x80) return true;                     // ideographic space
    if (first == 0xef && byte(1) == 0xbb && byte(2) == 0xbf) return true;                     // U+FEFF
    if (first == 0xf3 && byte(1) == 0xa0) return true;                                        // tags, U+E0000…
  }
  return false;
}

bool globMatches(std::string_view glob, std::string_view name) {
  std::size_t g = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      resume = n;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == name[n])) {
      ++g;
      ++n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

bool pathGlobMatches(std::string_view glob, std::string_view path) {
  if (glob.empty() || glob.front() != '/' || !isNormalPath(path)) return false;
  const auto wanted = componentsOf(glob);
  const auto given = componentsOf(path);
  // reach[w] after g components: the first w components of the glob can stand for them.
  std::vector<bool> reach(wanted.size() + 1, false);
  const auto skipEmptyRuns = [&](std::vector<bool>& states) {
    for (std::size_t w = 0; w + 1 < wanted.size(); ++w) {
      if (states[w] && wanted[w] == "**") states[w + 1] = true;  // a last "**" needs at least one component
    }
  };
  reach[0] = true;
  skipEmptyRuns(reach);
  for (std::string_view component : given) {
    std::vector<bool> next(wanted.size() + 1, false);
    for (std::size_t w = 0; w < wanted.size(); ++w) {
      if (!reach[w]) continue;
      if (wanted[w] == "**") {
        next[w] = true;
        next[w + 1] = true;
      } else if (globMatches(wanted[w], component)) {
        next[w + 1] = true;
      }
    }
    skipEmptyRuns(next);
    reach = std::move(next);
  }
  return reach[wanted.size()];
}

tl::expected<WordPattern, std::string> WordPattern::parse(std::string_view text) {
  WordPattern pattern;
  pattern.text_ = text;
  if (text == "{flags}*") {
    pattern.kind_ = Kind::Flags;
    return pattern;
  }
  const bool has_brace = text.find('{') != std::string_view::npos || text.find('}') != std::string_view::npos;
  if (!has_brace) {
    if (text.empty()) return refusal("an empty word is not supported in argv");
    if (hasUnfitCharacter(text)) return refusal("the word holds a control, invisible or bidirectional character");
    pattern.argument_ = text;
    return pattern;
  }
  if (text.size() < 3 || text.front() != '{' || text.back() != '}')
    return refusal("\"" + std::string(text) +
                   "\": a placeholder is a whole word, such as \"{int}\"; write a word with braces in it as {re:…}");
  const std::string_view inner = text.substr(1, text.size() - 2);
  if (const auto kind = simpleKind(inner)) {
    pattern.kind_ = *kind;
    return pattern;
  }
  const std::size_t colon = std::min(inner.find(':'), inner.size());
  const std::string_view name = inner.substr(0, colon);
  pattern.argument_ = inner.substr(std::min(colon + 1, inner.size()));
  if (name == "flags") return refusal("write \"{flags}*\"");
  if (name == "path") {
    pattern.kind_ = Kind::Path;
    if (!isNormalPath(pattern.argument_)) return refusal("{path:…} needs a normal absolute path or glob, such as {path:/srv/app/**}");
    for (std::string_view part : componentsOf(pattern.argument_)) {
      if (part.find("**") != std::string_view::npos && part != "**") return refusal("in {path:…}, ** is a component of its own");
      if (part.find_first_of("[]\\") != std::string_view::npos)
        return refusal("in {path:…}, only *, ** and ? are special, and [ ] \\ are not supported");
    }
    return pattern;
  }
  if (name == "oneof") {
    pattern.kind_ = Kind::OneOf;
    std::string_view left = pattern.argument_;
    while (true) {
      const std::size_t bar = std::min(left.find('|'), left.size());
      const std::string_view choice = left.substr(0, bar);
      if (choice.empty()) return refusal("{oneof:…} has an empty choice");
      if (choice.front() == '-')
        return refusal("{oneof:…} cannot stand for \"" + std::string(choice) + "\": no placeholder matches a word that starts with \"-\"");
      if (hasUnfitCharacter(choice)) return refusal("{oneof:…} holds a control, invisible or bidirectional character");
      pattern.choices_.emplace_back(choice);
      if (bar == left.size()) return pattern;
      left.remove_prefix(bar + 1);
    }
  }
  if (name == "re") {
    pattern.kind_ = Kind::Re;
    if (pattern.argument_.empty() || pattern.argument_.size() > kMaxExpressionBytes)
      return refusal("{re:…} needs an expression of 1 to " + std::to_string(kMaxExpressionBytes) + " bytes");
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kMaxExpressionMemory);
    pattern.expression_ = std::make_unique<Expression>(pattern.argument_, options);
    if (!pattern.expression_->regex.ok()) return refusal("{re:…}: " + pattern.expression_->regex.error());
    return pattern;
  }
  return refusal("unknown placeholder \"{" + std::string(name) +
                 "}\"; known: {int} {name} {path:…} {oneof:…} {unit} {container} {branch} {sha} {re:…} {flags}* {runtime}");
}

bool WordPattern::matches(std::string_view word) const {
  if (kind_ == Kind::Exact) return word == argument_;
  if (word.empty() || word.front() == '-' || word.size() > kMaxPlaceholderWord || hasUnfitCharacter(word)) return false;
  switch (kind_) {
    case Kind::Int:
      return isInt(word);
    case Kind::Name:
      return isWordOf(word, "._-", 128);
    case Kind::Path:
      return pathGlobMatches(argument_, word);
    case Kind::OneOf:
      return std::find(choices_.begin(), choices_.end(), word) != choices_.end();
    case Kind::Unit:
      return isWordOf(word, "@_.:-", 255);
    case Kind::Container:
      return isWordOf(word, "_.-", 128);
    case Kind::Branch:
      return isBranch(word);
    case Kind::Sha:
      return isSha(word);
    case Kind::Re:
      return RE2::FullMatch(re2::StringPiece(word.data(), word.size()), expression_->regex);
    case Kind::Exact:
    case Kind::Flags:
    case Kind::Runtime:
      return false;
  }
  return false;
}

}  // namespace ptygate::policy
