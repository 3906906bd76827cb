// SPDX-License-Identifier: Apache-2.0
// The table of verbs, and the only file that knows CLI11: finds the verb, parses its options, prints help, runs it.
// What a verb does is in the other files of this folder.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "policy/strict_toml.h"
#include "proxy/control/client.h"
#include "proxy/verbs/functions.h"
#include "proxy/verbs/gate_client.h"
#include "proxy/verbs/print.h"
#include "proxy/verbs/verb.h"

#ifndef PTYGATE_VERSION
#define PTYGATE_VERSION "0.1.0"
#endif

namespace ptygate::verbs {

namespace {

using Kind = Option::Kind;

constexpr Option kJson{"--json", Kind::Flag, "", "print JSON Lines, one object a line"};
constexpr Option kHoldRef{"ID", Kind::Text, "", "a hold: 42 or 42-k7f3", true};
constexpr Option kHoldTag{"ID-TAG", Kind::Text, "", "a hold with its tag, as shown: 42-k7f3", true};
constexpr Option kSession{"SESSION", Kind::Text, "", "a session's id, or as much of it as is unique", true};
constexpr Option kTarget{"NAME", Kind::Text, "", "the target's name in ptygate.toml", true};
constexpr Option kAgent{"NAME", Kind::Text, "", "the agent's name in ptygate.toml", true};
constexpr Option kDir{"--dir", Kind::Text, "DIR", "the gate's directory (default: $PTYGATE_DIR, else /etc/ptygate)", false, true};

std::vector<Verb> makeTable() {
  return {
      // ---- operate
      {"init",
       Audience::Operate,
       Remote::Never,
       "write a new gate's directory: configuration, starter policy, keys",
       "Writes DIR/{ptygate.toml, policy.toml, keys/, rec/, ledger/, run/}. Refuses a directory that has content.\n"
       "A target's host key is never fetched silently: give it, from the target's own console or a list you trust.",
       {{"DIR", Kind::Text, "", "the directory to write", true},
        {"--agent", Kind::List, "NAME=KEYFILE", "an agent and its public key (file)"},
        {"--person", Kind::List, "NAME=KEYFILE", "a person who may review, audit and operate, and their public key (file)"},
        {"--unix-user", Kind::Text, "USER", "the local user that is the first person (verbs over the control socket)"},
        {"--target", Kind::List, "NAME=LOGIN@HOST:PORT[,LOGIN…]", "a target, its logins and address"},
        {"--host-key", Kind::List, "FILE|LINE", "its host key, a .pub file or \"type base64\" line; the nth is the nth target's"},
        {"--label", Kind::List, "KEY=VALUE", "a label of every target given here, such as env=prod"},
        {"--listen-agents", Kind::Text, "ADDRESS:PORT", "where agents connect (default 0.0.0.0:2222; port 0: any free one)"},
        {"--listen-people", Kind::Text, "ADDRESS:PORT", "where people connect (default 0.0.0.0:2223; port 0: any free one)"},
        {"--trust-account-rc", Kind::Flag, "", "trust the start-up files of the targets' accounts (see targets set-up)"}},
       init},
      {"serve",
       Audience::Operate,
       Remote::Never,
       "run the gate in the foreground",
       "SIGTERM ends it gracefully, SIGHUP reloads. Logs go to stderr.",
       {},
       serve},
      {"status",
       Audience::Operate,
       Remote::AsksGate,
       "what the gate does, and what is UNSAFE; for agents: their own requests",
       "Lines that begin with UNSAFE say which protection is missing.",
       {kJson},
       gateStatus},
      {"reload", Audience::Operate, Remote::AsksGate, "read configuration and policy again; a bad file changes nothing", "", {}, reload},
      {"targets list", Audience::Operate, Remote::AsksGate, "configured targets", "", {kJson}, targetsList},
      {"targets show",
       Audience::Operate,
       Remote::AsksGate,
       "one target with its host keys and surveyed accounts",
       "",
       {kTarget, kJson},
       targetsShow},
      {"targets set-up",
       Audience::Operate,
       Remote::Operate,
       "print what the target needs, how to check it and how to undo it",
       "Prints only; it changes nothing anywhere. For targets with identity keys it prints the authorized_keys line.",
       {kTarget, {"--ansible", Kind::Flag, "", "print it as Ansible tasks"}},
       targetsSetUp},
      {"targets accept",
       Audience::Operate,
       Remote::AsksGate,
       "accept a changed account (shell, start-up files, PATH) for auto-allow",
       "See what changed by: ptygate targets show NAME",
       {kTarget, {"LOGIN", Kind::Text, "", "the login whose account changed", true}},
       targetsAccept},
      {"agents list", Audience::Operate, Remote::AsksGate, "configured agents", "", {kJson}, agentsList},
      {"agents stop",
       Audience::Operate,
       Remote::AsksGate,
       "end an agent's sessions and holds, and refuse it until resumed",
       "",
       {kAgent, {"--reason", Kind::Text, "TEXT", "kept in the ledger"}},
       agentsStop},
      {"agents resume", Audience::Operate, Remote::AsksGate, "let a stopped agent in again", "", {kAgent}, agentsResume},
      {"certs show",
       Audience::Operate,
       Remote::Operate,
       "the gate's user CA and host key: public keys and fingerprints",
       "",
       {kJson},
       certsShow},
      {"certs inspect",
       Audience::Operate,
       Remote::Anyone,
       "what is in an OpenSSH certificate",
       "",
       {{"FILE", Kind::Text, "", "a certificate file, or - for standard input (over SSH: - only)", true}, kJson},
       certsInspect},
      // ---- review
      {"review",
       Audience::Review,
       Remote::Review,
       "the reviewer's prompt: see each held command and decide it",
       "Over SSH: ssh -t -p 2223 GATE review",
       {},
       review},
      {"pending",
       Audience::Review,
       Remote::AsksGate,
       "held commands that wait for people",
       "Exit status 0 also when there are none.",
       {kJson},
       pending},
      {"show",
       Audience::Review,
       Remote::AsksGate,
       "everything about one hold: exact bytes, reasons, decomposition",
       "",
       {kHoldRef, kJson},
       showHold},
      {"approve",
       Audience::Review,
       Remote::AsksGate,
       "approve a hold; the tag is needed, so that a slip cannot approve another",
       "",
       {kHoldTag, {"--reason", Kind::Text, "TEXT", "kept in the ledger"}},
       approve},
      {"deny",
       Audience::Review,
       Remote::AsksGate,
       "deny a hold, with a reason that the agent is told",
       "",
       {kHoldRef,
        {"--reason", Kind::Text, "TEXT", "why; the agent is told", true},
        {"--retry", Kind::Choice, "stop-and-report|change-and-retry", "what the agent is told to do (default stop-and-report)"}},
       deny},
      {"watch",
       Audience::Review,
       Remote::AsksGate,
       "look at a running session, live",
       "SESSION may be a hold's id. q or C-c ends the watching; the session goes on.",
       {kSession, {"--all", Kind::Flag, "", "from the session's beginning (default: from now)"}},
       watchSession},
      // ---- audit
      {"sessions",
       Audience::Audit,
       Remote::Audit,
       "recorded sessions, oldest first",
       "FILTER is key:value; all must match. agent: target: login: verdict: rule: reviewer: exit: session: (the whole value), command: "
       "text: (a part\n"
       "of it), since: until: (2026-11-20, 2026-11-20T10:00:00Z, or an age: 90m, 24h, 7d). Exit status 1 when there are none.",
       {{"FILTER", Kind::List, "", "which sessions"}, kJson},
       listSessions},
      {"replay",
       Audience::Audit,
       Remote::Audit,
       "play a recorded session in the terminal",
       "Keys: space pauses, right and left arrow (or . and ,) go 5 s on or back, [ and ] to the previous and next command, + and - change\n"
       "the speed, q ends. Search (/) is not there yet: use export --text and a pager.",
       {kSession,
        {"--speed", Kind::Number, "N", "times as fast (default 1)"},
        {"--idle-limit", Kind::Number, "SECONDS", "longest pause between two events (default 2; 0: none)"},
        {"--from", Kind::Number, "N", "start at the Nth command"}},
       replay},
      {"follow", Audience::Audit, Remote::AsksGate, "as watch, from the session's beginning", "", {kSession}, followSession},
      {"export",
       Audience::Audit,
       Remote::Audit,
       "write a session as text, cast or JSON Lines",
       "Without a form: --text.",
       {kSession,
        {"--text", Kind::Flag, "", "a transcript without escape sequences"},
        {"--cast", Kind::Flag, "", "asciicast v2, for asciinema and its like"},
        {"--jsonl", Kind::Flag, "", "the session's ledger lines"},
        {"--output", Kind::Text, "FILE", "write to a new file instead of standard output", false, true}},
       exportSession},
      // ---- policy
      {"policy check",
       Audience::Policy,
       Remote::Operate,
       "load configuration and policy as serve would, and say what is wrong",
       "Exit status 1 when serve would refuse.",
       {{"FILE", Kind::Text, "", "a policy file (default: DIR/policy.toml)", false, true}},
       policyCheck},
      {"policy explain",
       Audience::Policy,
       Remote::Operate,
       "what the policy would decide for a command, and the whole derivation",
       "Reads DIR, asks nobody. Exit status 0 for allow and hold, 1 for deny.",
       {{"CMD", Kind::Text, "", "the exact command line, as one argument", true},
        {"--agent", Kind::Text, "NAME", "who asks", true},
        {"--target", Kind::Text, "NAME", "where", true},
        {"--login", Kind::Text, "LOGIN", "as whom (default: the target's first login)"},
        {"--intent", Kind::Text, "TEXT", "the intent the agent states"},
        {"--assume-shell", Kind::Choice, "bash|dash|sh",
         "take the account to have this shell and trusted start-up files, when it is not surveyed yet"},
        kJson},
       policyExplain},
      {"policy decompose",
       Audience::Policy,
       Remote::Anyone,
       "parse command lines from standard input and print what each would run",
       "Input: lines that end with NUL. Output: one JSON object a line. Exit status 0 also when lines are opaque.",
       {{"--shell", Kind::Choice, "bash|dash|sh", "the shell that would read the lines (default bash)"}, kJson},
       policyDecompose},
      // ---- agents
      {"wait",
       Audience::Agent,
       Remote::AsksGate,
       "wait for the answer to a held request of one's own; runs nothing",
       "Exit status: 0 approved (now repeat the command), 126 denied, 124 expired, 75 still held.",
       {kHoldRef},
       agentWait},
      {"cancel", Audience::Agent, Remote::AsksGate, "withdraw a held request of one's own", "", {kHoldRef}, agentCancel},
      {"whoami", Audience::Agent, Remote::AsksGate, "who the gate takes the caller for, and what that one may", "", {kJson}, whoami},
      // ---- internal
      {"worker", Audience::Hidden, Remote::Never, "a worker process; started by serve only", "", {}, worker},
  };
}

std::string_view headingOf(Audience audience) {
  switch (audience) {
    case Audience::Operate:
      return "Operators";
    case Audience::Review:
      return "Reviewers";
    case Audience::Audit:
      return "Auditors";
    case Audience::Policy:
      return "Policy (offline)";
    case Audience::Agent:
      return "Agents, by ssh GATE VERB (status too)";
    case Audience::Hidden:
      return "";
  }
  return "";
}

void printOverview() {
  putLine("ptygate: an SSH jump host for AI agents that holds every command until policy or a person lets it through.\n");
  putLine("usage: ptygate VERB [ARGUMENTS]      ptygate VERB --help      ptygate --version");
  std::size_t width = 0;
  for (const Verb& verb : verbTable()) width = std::max(width, verb.name.size());
  for (Audience audience : {Audience::Operate, Audience::Review, Audience::Audit, Audience::Policy, Audience::Agent}) {
    putLine("\n" + std::string(headingOf(audience)) + ":");
    for (const Verb& verb : verbTable()) {
      if (verb.audience != audience) continue;
      putLine("  " + std::string(verb.name) + std::string(width - verb.name.size() + 2, ' ') + std::string(verb.summary));
    }
  }
  putLine("\nEvery verb takes --dir DIR (default: $PTYGATE_DIR, else /etc/ptygate).");
  putLine("Exit status: 0 done, 1 negative answer, 2 usage, 3 gate unreachable, 4 not permitted.");
}

bool isPositional(const Option& option) {
  return !option.name.starts_with("-");
}

std::string usageOf(const Verb& verb) {
  std::string text = "usage: ptygate " + std::string(verb.name);
  bool optional_options = false;
  for (const Option& option : verb.options) {
    if (isPositional(option)) {
      std::string word(option.name);
      if (option.kind == Kind::List) word += "…";
      text += option.required ? " " + word : " [" + word + "]";
    } else if (option.required) {
      text += " " + std::string(option.name) + " " + std::string(option.value);
    } else {
      optional_options = true;
    }
  }
  return text + (optional_options ? " [OPTIONS]" : "");
}

void printHelp(const Verb& verb) {
  putLine(usageOf(verb));
  putLine("\n" + std::string(verb.summary) + ".");
  if (!verb.details.empty()) putLine(verb.details);
  std::vector<Option> options = verb.options;
  options.push_back(kDir);
  options.push_back({"--help", Kind::Flag, "", "print this"});
  std::size_t width = 0;
  const auto leftOf = [](const Option& option) {
    return std::string(option.name) + (option.value.empty() ? "" : " " + std::string(option.value));
  };
  for (const Option& option : options) width = std::max(width, leftOf(option).size());
  putLine("");
  for (const Option& option : options) {
    const std::string left = leftOf(option);
    std::string right(option.help);
    if (option.kind == Kind::List && !isPositional(option)) right += "; may be repeated";
    if (option.local_only) right += " (not over SSH)";
    putLine("  " + left + std::string(width - left.size() + 2, ' ') + right);
  }
}

// The words before the first option: what the user meant as the verb.
const Verb* findVerb(const std::vector<std::string>& words) {
  const Verb* found = nullptr;
  for (const Verb& verb : verbTable()) {
    const std::size_t space = verb.name.find(' ');
    const bool matches = space == std::string_view::npos
                             ? words[0] == verb.name
                             : words.size() > 1 && words[0] == verb.name.substr(0, space) && words[1] == verb.name.substr(space + 1);
    if (matches) found = &verb;
  }
  return found;
}

int refuseUnknown(const std::vector<std::string>& words) {
  std::vector<std::string> family;
  std::vector<std::string> names;
  for (const Verb& verb : verbTable()) {
    if (verb.audience == Audience::Hidden) continue;
    names.emplace_back(verb.name);
    if (verb.name.starts_with(words[0] + " ")) family.emplace_back(verb.name.substr(words[0].size() + 1));
  }
  if (!family.empty()) {
    std::string text = words[0] + (words.size() > 1 ? " has no \"" + shown(words[1]) + "\": " : " needs one more word: ");
    for (std::size_t i = 0; i < family.size(); ++i) text += (i > 0 ? ", " : "") + family[i];
    return fail(kUsage, text);
  }
  std::string nearest = policy::nearestWord(words[0], names);
  if (nearest.empty() && words.size() > 1) nearest = policy::nearestWord(words[0] + " " + words[1], names);
  return fail(kUsage, "unknown verb \"" + shown(words[0]) + "\"" + (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?") +
                          " All verbs: ptygate --help");
}

std::vector<std::string> wordsOf(std::string_view list, char separator) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(separator), list.size());
    words.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return words;
}

// "" when the value fits the option's kind, else what is wrong.
std::string refusalOf(const Option& option, const std::string& value) {
  if (option.kind == Kind::Number) {
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || !(number >= 0 && number <= 1e9)) {
      return "\"" + shown(value) + "\" is not a number from 0 to 1000000000";
    }
  }
  if (option.kind == Kind::Choice) {
    const auto words = wordsOf(option.value, '|');
    if (std::find(words.begin(), words.end(), value) == words.end()) {
      return "\"" + shown(value) + "\" is not one of " + std::string(option.value);
    }
  }
  return "";
}

// Parses with CLI11. Raw strings only: CLI11's own conversions would split "[a,b]" and expand others.
struct Parsed {
  Arguments arguments;
  std::string error;  ///< not empty: usage
  bool help = false;
};

Parsed parse(const Verb& verb, std::vector<std::string> rest) {
  CLI::App app;
  app.set_help_flag("");
  app.allow_windows_style_options(false);
  bool help = false;
  app.add_flag("-h,--help", help);
  std::vector<Option> options = verb.options;
  options.push_back(kDir);
  std::vector<std::pair<const Option*, CLI::Option*>> bound;
  const CLI::callback_t keep = [](const CLI::results_t&) { return true; };
  for (const Option& option : options) {
    CLI::Option* made = nullptr;
    if (option.kind == Kind::Flag) {
      made = app.add_flag(std::string(option.name))->disable_flag_override();
    } else {
      made = app.add_option(std::string(option.name), keep, "");
      const bool rest_of_line = option.kind == Kind::List && isPositional(option);
      made->type_size(1)->expected(1, rest_of_line ? CLI::detail::expected_max_vector_size : 1);
      made->allow_extra_args(rest_of_line);
      made->multi_option_policy(option.kind == Kind::List ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::Throw);
    }
    bound.emplace_back(&option, made);
  }
  std::reverse(rest.begin(), rest.end());  // CLI11 takes them from the back
  Parsed parsed;
  try {
    app.parse(rest);
  } catch (const CLI::ParseError& error) {
    parsed.help = help;
    parsed.error = shown(error.what());
    return parsed;
  }
  parsed.help = help;
  for (const auto& [option, made] : bound) {
    if (made->count() == 0 && option->required && !help) {
      parsed.error = std::string(option->name) + " is missing: " + std::string(option->help);
      return parsed;
    }
    for (const std::string& value : made->results()) {
      const std::string refusal = option->kind == Kind::Flag ? "" : refusalOf(*option, value);
      if (!refusal.empty()) {
        parsed.error = std::string(option->name) + ": " + refusal;
        return parsed;
      }
      parsed.arguments.add(option->name, value);
    }
  }
  return parsed;
}

std::string directoryOf(const Arguments& arguments) {
  if (arguments.has("--dir")) return arguments.text("--dir");
  const char* from_environment = std::getenv("PTYGATE_DIR");
  return from_environment != nullptr && *from_environment != '\0' ? from_environment : "/etc/ptygate";
}

// What a child of the gate may not do, whoever it runs for: the words come from the other end of an SSH connection.
std::string refusalOverSsh(const Verb& verb, const Arguments& arguments) {
  if (verb.remote == Remote::Never) return std::string(verb.name) + " does not run over SSH: run it on the gate's host";
  if (arguments.has("--dir")) return "--dir does not work over SSH";
  for (const Option& option : verb.options) {
    if (option.local_only && arguments.has(option.name))
      return std::string(option.name) + " does not work over SSH: it names a file of the gate's host";
  }
  return "";
}

int runVerb(const Verb& verb, const Arguments& arguments) {
  Caller caller{directoryOf(arguments), std::getenv("PTYGATE_CONTROL_FD") != nullptr};
  if (caller.over_ssh) {
    if (const std::string refusal = refusalOverSsh(verb, arguments); !refusal.empty()) return fail(kNotPermitted, refusal);
    if (const int status = confirmPermission(verb, caller); status != kDone) return status;
  }
  const int status = verb.run(arguments, caller);
  if (std::fflush(stdout) != 0) return fail(kNegative, "cannot write the output: is the disk full, or the reader gone?");
  return status;
}

}  // namespace

std::string Arguments::text(std::string_view name, std::string_view otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string(otherwise) : found->second.front();
}

std::vector<std::string> Arguments::list(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

double Arguments::number(std::string_view name, double otherwise) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  const std::string& text = found->second.front();
  double value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

const std::vector<Verb>& verbTable() {
  static const std::vector<Verb> table = makeTable();
  return table;
}

int runCommandLine(int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  // `ptygate --dir DIR VERB` means `ptygate VERB --dir DIR`.
  std::vector<std::string> leading;
  while (words.size() > 1 && words[0] == "--dir") {
    leading.assign(words.begin(), words.begin() + 2);
    words.erase(words.begin(), words.begin() + 2);
  }
  if (words.empty()) {
    printOverview();
    return kUsage;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    printOverview();
    return kDone;
  }
  if (words[0] == "--version") {
    putLine("ptygate " PTYGATE_VERSION);
    return kDone;
  }
  if (words[0].starts_with("-")) return fail(kUsage, "a verb comes first, before \"" + shown(words[0]) + "\". All verbs: ptygate --help");
  const Verb* verb = findVerb(words);
  if (verb == nullptr) return refuseUnknown(words);
  const std::ptrdiff_t name_words = verb->name.find(' ') == std::string_view::npos ? 1 : 2;
  std::vector<std::string> rest(words.begin() + name_words, words.end());
  rest.insert(rest.begin(), leading.begin(), leading.end());
  Parsed parsed = parse(*verb, std::move(rest));
  if (parsed.help) {
    printHelp(*verb);
    return kDone;
  }
  if (!parsed.error.empty())
    return fail(kUsage, parsed.error + "\n" + usageOf(*verb) + "\nMore: ptygate " + std::string(verb->name) + " --help");
  return runVerb(*verb, parsed.arguments);
}

}  // namespace ptygate::verbs
