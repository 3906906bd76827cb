// SPDX-License-Identifier: Apache-2.0
#include "proxy/prompt/screen.h"

#include <algorithm>

#include "proxy/base/safe_text.h"

namespace ptygate::prompt {
namespace {

constexpr std::string_view kBold = "\x1b[1m", kWarn = "\x1b[1;31m", kDim = "\x1b[2m", kEnd = "\x1b[0m";
constexpr std::size_t kLabelWidth = 7;   // "where  "
constexpr std::size_t kNumberWidth = 5;  // line numbers of the command

std::size_t characterLength(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/// Bytes of the longest start of `escaped` that is at most `columns` wide; at least one character, and a mark stays with its letter.
std::size_t fitting(std::string_view escaped, std::size_t columns) {
  std::size_t used = 0;
  std::size_t at = 0;
  while (at < escaped.size()) {
    const std::string_view one = escaped.substr(at, characterLength(static_cast<unsigned char>(escaped[at])));
    used += base::columnsOf(one);
    if (used > columns && at > 0) break;
    at += one.size();
  }
  return at;
}

/// Like wrapColumns, but breaks at spaces where there are any. For sentences, not for what is approved.
std::vector<std::string> wrapWords(std::string_view escaped, std::size_t columns) {
  std::vector<std::string> pieces;
  do {
    std::size_t size = fitting(escaped, columns);
    const std::size_t space = size < escaped.size() ? escaped.rfind(' ', size) : std::string_view::npos;
    const bool breaks = space != std::string_view::npos && space > 0;
    if (breaks) size = space;
    pieces.emplace_back(escaped.substr(0, size));
    escaped.remove_prefix(size + (breaks ? 1 : 0));
  } while (!escaped.empty());
  return pieces;
}

std::string paint(std::string_view text, std::string_view colour, const Style& style) {
  if (!style.colour || text.empty()) return std::string(text);
  return std::string(colour) + std::string(text) + std::string(kEnd);
}

/// Appends "label  text", wrapped under itself. `colour` is applied piece by piece, so that it never runs over a line end.
void addField(std::vector<std::string>& lines, std::string_view label, std::string_view escaped, std::string_view colour,
              const Style& style) {
  std::string head(label);
  head.resize(kLabelWidth, ' ');
  for (const std::string& piece : wrapWords(escaped, style.columns - kLabelWidth)) {
    lines.push_back(paint(head, kDim, style) + (colour.empty() ? piece : paint(piece, colour, style)));
    head.assign(kLabelWidth, ' ');
  }
}

std::string exactLine(std::string_view line) {
  std::size_t end = line.size();
  while (end > 0 && line[end - 1] == ' ') --end;
  std::string escaped = base::escapeLine(line.substr(0, end));
  for (std::size_t i = end; i < line.size(); ++i) escaped += "\\x20";
  return escaped;
}

void addCommand(std::vector<std::string>& lines, std::string_view command, const Style& style) {
  const std::string_view first_bar = style.plain ? " | " : " │ ";
  const std::string_view next_bar = style.plain ? " : " : " ┆ ";
  const std::size_t width = style.columns - kNumberWidth - 3;
  std::size_t number = 1;
  for (std::size_t at = 0; at <= command.size(); ++number) {
    const std::size_t end = std::min(command.find('\n', at), command.size());
    std::string gutter = std::to_string(number);
    gutter.insert(0, kNumberWidth - std::min(kNumberWidth, gutter.size()), ' ');
    std::string_view bar = first_bar;
    for (const std::string& piece : wrapColumns(exactLine(command.substr(at, end - at)), width)) {
      lines.push_back(paint(gutter + std::string(bar), kDim, style) + paint(piece, kBold, style));
      gutter.assign(kNumberWidth, ' ');
      bar = next_bar;
    }
    at = end + 1;
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + base::escapeLine(name);
  return text;
}

bool isProduction(const HoldShown& hold) {
  const auto env = hold.labels.find("env");
  return env != hold.labels.end() && env->second.starts_with("prod");
}

std::string whereOf(const HoldShown& hold) {
  std::string text = base::escapeLine(hold.login) + "@" + base::escapeLine(hold.target);
  for (const auto& [key, value] : hold.labels) text += "  " + base::escapeLine(key) + "=" + base::escapeLine(value);
  return text;
}

std::string bytesOf(const HoldShown& hold) {
  const auto lines = std::count(hold.command.begin(), hold.command.end(), '\n') + 1;
  std::string text = base::escapeLine(hold.context) + ", " + std::to_string(hold.command.size()) + " bytes";
  if (lines > 1) text += ", " + std::to_string(lines) + " lines";
  if (!hold.stdin_sha256.empty()) text += ", with standard input sha256 " + base::escapeLine(hold.stdin_sha256);
  return text + "; runs exactly as shown, in the account's own environment";
}

}  // namespace

std::vector<std::string> wrapColumns(std::string_view escaped, std::size_t columns) {
  std::vector<std::string> pieces;
  do {
    const std::size_t size = fitting(escaped, columns);
    pieces.emplace_back(escaped.substr(0, size));
    escaped.remove_prefix(size);
  } while (!escaped.empty());
  return pieces;
}

std::string timeLeft(const std::optional<WallTime>& at, WallTime now) {
  if (!at) return "no limit";
  if (*at <= now) return "now";
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(*at - now).count();
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (seconds < 3600) return std::to_string(seconds / 60) + ":" + two(seconds % 60);
  return std::to_string(seconds / 3600) + ":" + two(seconds / 60 % 60) + ":" + two(seconds % 60);
}

std::vector<std::string> renderHold(const HoldShown& hold, const Style& given) {
  Style style = given;
  style.columns = std::max(style.columns, kMinColumns);
  std::vector<std::string> lines;
  std::string rule = (style.plain ? "---- hold " : "──── hold ") + std::to_string(hold.id) + "-" + base::escapeLine(hold.tag) + " ";
  for (std::size_t used = base::columnsOf(rule); used < std::min<std::size_t>(style.columns, 72); ++used) rule += style.plain ? "-" : "─";
  for (const std::string& piece : wrapColumns(rule, style.columns)) lines.push_back(piece);
  addField(lines, "who", base::escapeLine(hold.agent) + (hold.owner.empty() ? "" : "  (owner " + base::escapeLine(hold.owner) + ")"), kBold,
           style);
  addField(lines, "says", hold.intent.empty() ? "no intent given" : "\"" + base::escapeLine(hold.intent) + "\" (the agent's words)", "",
           style);
  addField(lines, "where", whereOf(hold) + (isProduction(hold) ? "  ** PRODUCTION **" : ""), isProduction(hold) ? kWarn : kBold, style);
  addField(lines, "why", base::escapeLine(hold.rule) + ": " + base::escapeLine(hold.reason), "", style);
  addField(lines, "what", bytesOf(hold), "", style);
  addCommand(lines, hold.command, style);
  if (base::hasNonAscii(hold.command)) addField(lines, "note", "has characters outside ASCII; some letters look like others", kWarn, style);
  std::string_view label = "does";
  for (const std::string& line : hold.view) {
    addField(lines, label, base::escapeLine(line), "", style);
    label = "";
  }
  std::string needs = std::to_string(hold.approvals_needed) + (hold.approvals_needed == 1 ? " approval" : " approvals by different people");
  if (!hold.reviewers.empty()) needs += " of " + joined(hold.reviewers);
  needs += hold.approved_by.empty() ? "; has none" : "; has " + joined(hold.approved_by);
  addField(lines, "needs", needs, "", style);
  if (hold.attached == 0)
    addField(lines, "", "AGENT GONE: if approved, it runs only if the agent repeats the command in time", kWarn, style);
  return lines;
}

}  // namespace ptygate::prompt
