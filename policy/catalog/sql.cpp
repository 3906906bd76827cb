// SPDX-License-Identifier: Apache-2.0
#include "policy/catalog/sql.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <vector>

namespace ptygate::policy {
namespace {

using namespace std::string_view_literals;

struct Token {
  enum class Kind : std::uint8_t { Word, Quoted, Text, Number, Symbol } kind = Kind::Symbol;
  std::string text;  // words in lower case
};

/// nullopt: something that the reader does not take (comments, backslashes, dollar quotes, control bytes, non-ASCII outside text).
std::optional<std::vector<Token>> tokens(std::string_view sql) {
  std::vector<Token> result;
  for (std::size_t i = 0; i < sql.size();) {
    const unsigned char c = static_cast<unsigned char>(sql[i]);
    if (c == ' ' || c == '\n' || c == '\t') {
      ++i;
      continue;
    }
    if (c < 0x20 || c >= 0x7f || c == '\\' || c == '$' || c == '@' || c == '`' || c == '{' || c == '}' || c == '#') return std::nullopt;
    if (sql.substr(i).starts_with("--") || sql.substr(i).starts_with("/*")) return std::nullopt;
    if (c == '\'' || c == '"') {
      const std::size_t end = sql.find(char(c), i + 1);
      if (end == std::string_view::npos) return std::nullopt;
      const std::string_view body = sql.substr(i + 1, end - i - 1);
      // A doubled quote would start the next token here: 'it''s' reads as two texts, which is harmless; a backslash is not.
      if (body.find('\\') != std::string_view::npos || body.find('\0') != std::string_view::npos) return std::nullopt;
      result.push_back({c == '"' ? Token::Kind::Quoted : Token::Kind::Text, std::string(body)});
      i = end + 1;
      continue;
    }
    if (std::isalpha(c) || c == '_') {
      std::size_t end = i;
      std::string word;
      while (end < sql.size() && (std::isalnum(static_cast<unsigned char>(sql[end])) || sql[end] == '_'))
        word += char(std::tolower(static_cast<unsigned char>(sql[end++])));
      result.push_back({Token::Kind::Word, word});
      i = end;
      continue;
    }
    if (std::isdigit(c)) {
      std::size_t end = i;
      while (end < sql.size() && (std::isdigit(static_cast<unsigned char>(sql[end])) || sql[end] == '.')) ++end;
      result.push_back({Token::Kind::Number, std::string(sql.substr(i, end - i))});
      i = end;
      continue;
    }
    result.push_back({Token::Kind::Symbol, std::string(1, char(c))});
    ++i;
  }
  return result;
}

// Functions that only compute. Anything else followed by "(" may write, sleep, read files or connect.
constexpr std::array kFunctions = {
    "count"sv,
    "sum"sv,
    "avg"sv,
    "min"sv,
    "max"sv,
    "lower"sv,
    "upper"sv,
    "length"sv,
    "coalesce"sv,
    "nullif"sv,
    "round"sv,
    "abs"sv,
    "trim"sv,
    "now"sv,
    "date"sv,
    "date_trunc"sv,
    "extract"sv,
    "concat"sv,
    "substring"sv,
    "substr"sv,
    "greatest"sv,
    "least"sv,
    "version"sv,
    "current_database"sv,
    "pg_size_pretty"sv,
    "pg_database_size"sv,
    "pg_total_relation_size"sv,
    "pg_relation_size"sv,
    "pg_is_in_recovery"sv,
};
// Words after which "(" is no call.
constexpr std::array kBeforeParenthesis = {
    "in"sv,     "and"sv,  "or"sv,     "not"sv,    "where"sv,   "from"sv, "select"sv, "on"sv,       "as"sv,    "by"sv,
    "when"sv,   "then"sv, "else"sv,   "having"sv, "exists"sv,  "any"sv,  "all"sv,    "distinct"sv, "using"sv, "union"sv,
    "values"sv, "over"sv, "filter"sv, "join"sv,   "between"sv, "like"sv, "ilike"sv,  "limit"sv,
};
// Words that make a SELECT something else than a read, wherever they stand unquoted.
constexpr std::array kForbidden = {
    "into"sv,    "outfile"sv, "dumpfile"sv,  "for"sv,     "lock"sv,   "update"sv,   "delete"sv,  "insert"sv,  "merge"sv,   "copy"sv,
    "call"sv,    "do"sv,      "exec"sv,      "execute"sv, "set"sv,    "truncate"sv, "drop"sv,    "alter"sv,   "create"sv,  "grant"sv,
    "revoke"sv,  "replace"sv, "load"sv,      "program"sv, "attach"sv, "pragma"sv,   "vacuum"sv,  "analyze"sv, "analyse"sv, "procedure"sv,
    "handler"sv, "with"sv,    "returning"sv, "share"sv,   "import"sv, "prepare"sv,  "options"sv,
};
// Tables and columns that hold credentials.
constexpr std::array kSecretFragments = {
    "password"sv,         "passwd"sv,
    "secret"sv,           "token"sv,
    "credential"sv,       "api_key"sv,
    "apikey"sv,           "pg_authid"sv,
    "pg_shadow"sv,        "authentication_string"sv,
    "private_key"sv,      "pg_user_mapping"sv,
    "pg_subscription"sv,  "pg_hba_file_rules"sv,
    "pg_file_settings"sv, "pg_settings"sv,
    "pg_stat_activity"sv, "pg_stat_statements"sv,
    "processlist"sv,      "session"sv,
    "conninfo"sv,
};

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

EffectSet effectsOfFirstWord(const std::string& word) {
  if (word == "insert" || word == "update" || word == "merge" || word == "create" || word == "grant" || word == "revoke" ||
      word == "alter" || word == "replace" || word == "comment" || word == "vacuum" || word == "reindex" || word == "analyze") {
    EffectSet effects{Effect::Write};
    if (word == "update" || word == "merge" || word == "replace" || word == "alter") effects.add(Effect::Destructive);
    if (word == "grant" || word == "revoke") effects.add(Effect::Privilege);
    if (word == "create" || word == "alter") effects.add({Effect::Exec, Effect::Persist});  // functions, triggers, extensions
    effects.add(Effect::Unknown);                                                           // triggers and functions within
    return effects;
  }
  if (word == "drop" || word == "delete" || word == "truncate") return {Effect::Write, Effect::Destructive, Effect::Unknown};
  return {Effect::Exec, Effect::Write, Effect::Destructive, Effect::Unknown};
}

}  // namespace

SqlEffects classifySql(std::string_view text, std::string_view program) {
  const EffectSet anything{Effect::Exec, Effect::Write, Effect::Destructive, Effect::Unknown};
  if (text.size() > kMaxSqlBytes) return {anything, "SQL: too long to read"};
  // mysql reads its own commands (system, source, tee) at the start of any line.
  if (program == "mysql" && text.find('\n') != std::string_view::npos) return {anything, "SQL: several lines"};
  auto list = tokens(text);
  if (!list) return {anything, "SQL: a comment, backslash, variable or odd byte"};
  if (!list->empty() && list->back().kind == Token::Kind::Symbol && list->back().text == ";") list->pop_back();
  if (list->empty() || list->front().kind != Token::Kind::Word) return {anything, "SQL: no statement"};
  const std::string first = list->front().text;
  for (const Token& token : *list) {
    if (token.kind == Token::Kind::Symbol && token.text == ";") {
      EffectSet effects = anything;
      return {effects, "SQL: several statements"};
    }
  }

  std::size_t start = 0;
  if (first == "explain") {
    start = 1;
    if (list->size() < 2 || (*list)[1].kind != Token::Kind::Word || (*list)[1].text != "select")
      return {anything, "SQL: EXPLAIN of something else than SELECT"};
  }
  const std::string verb = (*list)[start].text;
  const bool show = verb == "show" || verb == "describe" || verb == "desc";
  if (verb != "select" && !(show && start == 0 && program != "sqlite3")) return {effectsOfFirstWord(first), "SQL: " + first};

  EffectSet effects{Effect::Read};
  std::string reason;
  for (std::size_t i = start + 1; i < list->size(); ++i) {
    const Token& token = (*list)[i];
    // In mysql "…" is text, in the others a name; either way it is no keyword, and a quoted function name is not in the list.
    if (token.kind == Token::Kind::Word && contains(kForbidden, token.text) &&
        !(show && (token.text == "create" || token.text == "procedure"))) {
      return {anything, "SQL: " + token.text + " within the statement"};
    }
    const bool call = i + 1 < list->size() && (*list)[i + 1].kind == Token::Kind::Symbol && (*list)[i + 1].text == "(";
    if (call && (token.kind == Token::Kind::Quoted || token.kind == Token::Kind::Text)) return {anything, "SQL: call of a quoted name"};
    if (call && token.kind == Token::Kind::Word && !contains(kFunctions, token.text) && !contains(kBeforeParenthesis, token.text)) {
      return {anything, "SQL: function " + token.text};
    }
    if (show && token.kind == Token::Kind::Word && (token.text == "all" || token.text == "variables")) effects.add(Effect::Secret);
    // schema.count(x) is not the count() of the list.
    if (call && token.kind == Token::Kind::Word && i > 0 && (*list)[i - 1].text == ".") return {anything, "SQL: function of a schema"};
    if (token.kind == Token::Kind::Word || token.kind == Token::Kind::Quoted) {
      std::string name = token.text;
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(std::tolower(c)); });
      for (std::string_view fragment : kSecretFragments) {
        if (name.find(fragment) != std::string::npos) {
          effects.add(Effect::Secret);
          reason = "SQL: " + name + " may hold secrets";
        }
      }
    }
  }
  if (program == "mysql" &&
      std::any_of(list->begin(), list->end(), [](const Token& t) { return t.kind == Token::Kind::Word && t.text == "grants"; })) {
    effects.add(Effect::Secret);
  }
  return {effects, reason};
}

}  // namespace ptygate::policy
