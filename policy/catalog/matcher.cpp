// SPDX-License-Identifier: Apache-2.0
#include "policy/catalog/matcher.h"

#include <algorithm>
#include <cctype>

#include "policy/catalog/sql.h"

namespace ptygate::policy {
namespace {

bool isLiteral(const Word& word) {
  return word.kind == Word::Kind::Literal;
}
bool isMany(const Word& word) {
  return word.kind == Word::Kind::RuntimeMany;
}

bool isInteger(std::string_view text) {
  std::size_t i = 0;
  if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
  const std::size_t digits = i;
  while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i]))) ++i;
  if (i == digits) return false;
  while (i < text.size() && std::isalpha(static_cast<unsigned char>(text[i]))) ++i;  // 10M, 5s
  return i == text.size();
}

/// `NAME` or `/bin/NAME`, `/usr/sbin/NAME` …; empty for any other path.
std::string programName(std::string_view word) {
  if (word.find('/') == std::string_view::npos) return std::string(word);
  for (std::string_view directory : {"/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"}) {
    if (!word.starts_with(directory)) continue;
    const std::string_view name = word.substr(directory.size());
    return name.find('/') == std::string_view::npos ? std::string(name) : std::string();
  }
  return {};
}

struct Operand {
  std::size_t index;  ///< in argv
  const Word* word;
};

/// A flag that was met, with its value when it has one.
struct FoundFlag {
  std::string name;
  const FlagSpec* spec;
  std::optional<Word> value;
};

/// Reads the words of one call by one CallSpec.
class CallReader {
 public:
  CallReader(const Program& program, const CallSpec& spec, const std::vector<Word>& argv, std::size_t begin, const Cwds& cwds)
      : program_(program), spec_(spec), argv_(argv), begin_(begin), cwds_(cwds) {
    match_.program = &program;
    // A wrapper's command line has to be split exactly as the program does, so only the plainest spellings are read.
    for (const Inner& inner : spec.inner) strict_ = strict_ || (inner.at != Inner::At::Flag && program.style == Program::Style::Gnu);
  }

  CallMatch read() {
    match_.effects.add(spec_.base);
    if (spec_.any_operands) {
      for (std::size_t i = begin_; i < argv_.size(); ++i) operands_.push_back({i, &argv_[i]});
    } else {
      switch (program_.style) {
        case Program::Style::Gnu:
        case Program::Style::Dash:
          readGnu();
          break;
        case Program::Style::Find:
          readFind();
          break;
        case Program::Style::Tar:
          readTar();
          break;
        case Program::Style::Dd:
          readDd();
          break;
      }
      readOperands();
    }
    readStdin();
    readInner();
    pin();
    return std::move(match_);
  }

  /// One of the flags was met; for modes.
  [[nodiscard]] bool met(const std::set<std::string>& any) const {
    return std::any_of(found_.begin(), found_.end(), [&](const FoundFlag& flag) { return any.contains(flag.name); });
  }

 private:
  void unknown(std::string reason) {
    match_.described = false;
    match_.effects.add(Effect::Unknown);
    match_.reasons.push_back(program_.name + ": " + std::move(reason));
    if (strict_ && match_.opaque.empty()) match_.opaque = program_.name + ": a wrapper's option or word that is not described";
  }
  void add(const PathEffects& path) {
    match_.effects.add(path.effects);
    if (!path.reason.empty()) match_.reasons.push_back(path.reason);
  }
  void add(EffectSet effects, const std::string& what) {
    if (effects.empty()) return;
    match_.effects.add(effects);
    std::string names;
    for (std::string_view name : namesOf(effects)) names += (names.empty() ? "" : ", ") + std::string(name);
    match_.reasons.push_back(program_.name + " " + what + ": " + names);
  }

  [[nodiscard]] const FlagSpec* flagNamed(const std::string& name) const {
    if (const auto it = spec_.flags.find(name); it != spec_.flags.end()) return &it->second;
    if (!program_.global_after) return nullptr;
    const auto it = program_.global.find(name);
    return it != program_.global.end() ? &it->second : nullptr;
  }
  [[nodiscard]] bool marked(Mark mark) const {
    return std::any_of(found_.begin(), found_.end(), [&](const FoundFlag& flag) { return flag.spec->marks.contains(mark); });
  }

  void take(const std::string& name, const FlagSpec& spec, std::optional<Word> value) {
    if (spec.opaque && match_.opaque.empty()) match_.opaque = program_.name + " " + name;
    if (strict_ && std::any_of(found_.begin(), found_.end(), [&](const FoundFlag& flag) { return flag.name == name; }))
      unknown("flag " + name + " twice");
    add(spec.effects, name);
    match_.flags.push_back(name);
    if (value) readValue(spec.type, *value, name);
    found_.push_back({name, &spec, std::move(value)});
  }

  void applyRules(const std::string& flag, const std::string& text) {
    for (const TextRule& rule : spec_.rules) {
      if (rule.flag != flag) continue;
      const bool hit = (rule.contains && text.find(*rule.contains) != std::string::npos) ||
                       (rule.prefix && text.starts_with(*rule.prefix)) ||
                       std::find(rule.equals.begin(), rule.equals.end(), text) != rule.equals.end() ||
                       (rule.regex && RE2::FullMatch(text, *rule.regex)) || (rule.not_regex && !RE2::FullMatch(text, *rule.not_regex));
      if (!hit) continue;
      if (rule.effects.has(Effect::Unknown)) unknown("\"" + text + "\" is not described");
      add(rule.effects, "\"" + text + "\"");
    }
  }

  /// The checks of one value or operand. `flag` is empty for operands.
  void readValue(const ValueSpec& type, const Word& word, const std::string& flag) {
    match_.effects.add(type.effects);
    const bool path_like = type.kind == Kind::Path || type.kind == Kind::FileIn || type.kind == Kind::TreeIn ||
                           type.kind == Kind::TreeNames || type.kind == Kind::FileOut || type.kind == Kind::CodeIn ||
                           type.kind == Kind::Revision;
    if (!isLiteral(word)) {
      const bool harmless = !path_like && type.kind != Kind::Shell && type.kind != Kind::Code && type.kind != Kind::Sql &&
                            type.kind != Kind::SqlSelect && type.kind != Kind::Lang && type.kind != Kind::Word && type.kind != Kind::Url &&
                            type.kind != Kind::KeyValue && spec_.rules.empty();
      if (type.kind == Kind::FileOut) match_.effects.add(Effect::Write);
      if (!harmless) unknown(flag.empty() ? "a path or text known only at run time" : flag + " with a value known only at run time");
      return;
    }
    const std::string& text = word.text;
    applyRules(flag, text);
    const bool is_stdin = text == "-";
    switch (type.kind) {
      case Kind::Int:
        if (!isInteger(text)) unknown("\"" + text + "\" is no number");
        break;
      case Kind::FileIn:
      case Kind::CodeIn:
        if (is_stdin) {
          raise(type.kind == Kind::CodeIn ? StdinClass::Code : StdinClass::Data);
          break;
        }
        add(marked_tree_ && flag.empty() && !filtered_ ? readTree(text, cwds_) : readPath(text, cwds_));
        if (marked_out_ && flag.empty()) add(writePath(text, cwds_));
        break;
      case Kind::Path:
        add(readPath(text, cwds_));
        break;
      case Kind::TreeIn:
        add(readTree(text, cwds_));
        break;
      case Kind::TreeNames:
        add(listTree(text, cwds_));
        break;
      case Kind::FileOut:
        if (!is_stdin) add(writePath(text, cwds_));
        break;
      case Kind::Revision:
        add(readRevision(text, cwds_));
        break;
      case Kind::Sql:
      case Kind::SqlSelect: {
        const SqlEffects sql = classifySql(text, program_.name);
        match_.effects.add(sql.effects);
        if (!sql.reason.empty()) match_.reasons.push_back(program_.name + ": " + sql.reason);
        sql_read_ = sql.effects.within({Effect::Read, Effect::Secret}) && (sql_read_ || !saw_sql_);
        saw_sql_ = true;
        break;
      }
      case Kind::Lang: {
        const auto lang = program_.langs.find(type.name);
        if (lang == program_.langs.end()) {
          unknown("no language " + type.name);
          break;
        }
        const bool safe =
            std::any_of(lang->second.safe.begin(), lang->second.safe.end(), [&](const auto& re) { return RE2::FullMatch(text, *re); });
        if (!safe) add(lang->second.otherwise, type.name + " script");
        break;
      }
      case Kind::Word:
        if (std::find(type.words.begin(), type.words.end(), text) == type.words.end()) unknown("\"" + text + "\" is not described");
        break;
      case Kind::Shell:
      case Kind::Code:
        if (!hasFlagInner(flag)) match_.effects.add(Effect::Exec);
        break;
      case Kind::KeyValue:
      case Kind::Url:
      case Kind::Host:
      case Kind::Str:
      case Kind::Pattern:
      case Kind::Command:
      case Kind::Container:
      case Kind::Pod:
      case Kind::Unit:
      case Kind::Package:
      case Kind::User:
        break;
    }
  }

  [[nodiscard]] bool hasFlagInner(const std::string& flag) const {
    return std::any_of(spec_.inner.begin(), spec_.inner.end(),
                       [&](const Inner& inner) { return inner.at == Inner::At::Flag && inner.flags.contains(flag); });
  }

  void raise(StdinClass to) { explicit_stdin_ = std::max(explicit_stdin_, to); }

  void readGnu() {
    const bool stop = spec_.stop || strict_;
    std::size_t i = begin_;
    for (; i < argv_.size(); ++i) {
      const Word& word = argv_[i];
      if (!isLiteral(word)) {
        unknown("a word known only at run time could be an option");
        operands_.push_back({i, &word});
        if (stop) break;
        continue;
      }
      const std::string& text = word.text;
      if (text == "--") {
        dashes_ = i;
        if (strict_ && !hasAfterDashes()) unknown("--");
        ++i;
        for (; i < argv_.size(); ++i) operands_.push_back({i, &argv_[i]});
        return;
      }
      if (text.size() < 2 || text[0] != '-') {
        operands_.push_back({i, &word});
        if (stop && !hasAfterDashes()) break;
        continue;
      }
      if (spec_.number && isInteger(std::string_view(text).substr(1)) && std::isdigit(static_cast<unsigned char>(text[1])) &&
          std::isdigit(static_cast<unsigned char>(text.back()))) {
        match_.flags.push_back("-NUM");
        continue;
      }
      if (text.starts_with("--") || program_.style == Program::Style::Dash) {
        readLong(i);
      } else {
        readCluster(i);
      }
    }
    for (++i; i < argv_.size(); ++i) operands_.push_back({i, &argv_[i]});
  }

  [[nodiscard]] bool hasAfterDashes() const {
    return std::any_of(spec_.inner.begin(), spec_.inner.end(), [](const Inner& inner) { return inner.at == Inner::At::AfterDashes; });
  }

  /// The next word as a flag's value; nullopt when there is none or it may be none.
  std::optional<Word> nextWord(std::size_t& i, const std::string& name) {
    if (i + 1 >= argv_.size()) {
      unknown("flag " + name + " without its value");
      return std::nullopt;
    }
    ++i;
    if (isMany(argv_[i])) unknown("flag " + name + " with any number of words");
    return argv_[i];
  }

  void readLong(std::size_t& i) {
    const std::string& text = argv_[i].text;
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const FlagSpec* spec = flagNamed(name);
    if (spec == nullptr) return unknown("flag " + name + " is not described");
    std::optional<Word> value;
    if (equals != std::string::npos) {
      if (spec->value == FlagSpec::Value::None) return unknown("flag " + name + " takes no value");
      if (strict_) unknown("flag " + name + " with an attached value");
      value = Word{Word::Kind::Literal, text.substr(equals + 1)};
    } else if (spec->value == FlagSpec::Value::Required) {
      value = nextWord(i, name);
      if (!value) return;
    }
    take(name, *spec, std::move(value));
  }

  void readCluster(std::size_t& i) {
    const std::string& text = argv_[i].text;
    for (std::size_t k = 1; k < text.size(); ++k) {
      const std::string name = std::string("-") + text[k];
      const FlagSpec* spec = flagNamed(name);
      if (spec == nullptr) return unknown("flag " + (text.size() > 2 ? name + " of " + text : name) + " is not described");
      if (spec->value == FlagSpec::Value::None) {
        take(name, *spec, std::nullopt);
        continue;
      }
      const bool attached = k + 1 < text.size();
      if (attached) {
        if (strict_) unknown("flag " + name + " with an attached value");
        take(name, *spec, Word{Word::Kind::Literal, text.substr(k + 1)});
      } else if (spec->value == FlagSpec::Value::Required) {
        if (auto value = nextWord(i, name)) take(name, *spec, std::move(value));
      } else {
        take(name, *spec, std::nullopt);
      }
      return;
    }
  }

  void readFind() {
    std::size_t i = begin_;
    const auto opaque = [&](const std::string& why) {
      unknown(why);
      if (match_.opaque.empty()) match_.opaque = "find: " + why;
    };
    for (; i < argv_.size(); ++i) {
      if (!isLiteral(argv_[i])) return opaque("a word known only at run time could be an action");
      const std::string& text = argv_[i].text;
      if (text == "-L" || text == "-H" || text == "-P") {
        take(text, *flagNamed(text), std::nullopt);
        continue;
      }
      if (text.empty() || text[0] == '-' || text[0] == '(' || text[0] == ')' || text[0] == '!' || text[0] == ',') break;
      operands_.push_back({i, &argv_[i]});
    }
    for (; i < argv_.size(); ++i) {
      if (!isLiteral(argv_[i])) return opaque("a word known only at run time could be an action");
      const std::string name = argv_[i].text;
      const auto inner = std::find_if(spec_.inner.begin(), spec_.inner.end(), [&](const Inner& each) { return each.flags.contains(name); });
      if (inner != spec_.inner.end()) {
        match_.flags.push_back(name);
        const std::size_t begin = i + 1;
        bool many = false;
        for (++i; i < argv_.size(); ++i) {
          if (!isLiteral(argv_[i])) continue;
          if (argv_[i].text == ";") break;
          if (argv_[i].text == "+" && i > begin && isLiteral(argv_[i - 1]) && argv_[i - 1].text == "{}") {
            many = true;
            break;
          }
        }
        if (i >= argv_.size() || i == begin) return opaque(name + " without its end");
        match_.inner.push_back({&*inner, begin, i, many});
        if (name.starts_with("-ok")) match_.effects.add(Effect::Interactive);
        continue;
      }
      const FlagSpec* spec = flagNamed(name);
      if (spec == nullptr) return opaque("\"" + name + "\" is not described");
      if (spec->value == FlagSpec::Value::None) {
        take(name, *spec, std::nullopt);
        continue;
      }
      if (i + 1 + spec->further.size() >= argv_.size()) return opaque(name + " without its value");
      if (!isLiteral(argv_[i + 1])) return opaque(name + " with a value known only at run time");
      take(name, *spec, argv_[++i]);
      for (const ValueSpec& further : spec->further) {
        if (!isLiteral(argv_[i + 1])) return opaque(name + " with a value known only at run time");
        readValue(further, argv_[++i], name);
      }
    }
  }

  void readTar() {
    // The old form: the first word is a bundle of letters, their values follow in order.
    if (begin_ < argv_.size() && isLiteral(argv_[begin_]) && !argv_[begin_].text.empty() && argv_[begin_].text[0] != '-') {
      const std::string bundle = argv_[begin_].text;
      std::size_t next = begin_ + 1;
      for (const char letter : bundle) {
        const std::string name = std::string("-") + letter;
        const FlagSpec* spec = flagNamed(name);
        if (spec == nullptr) {
          unknown("flag " + name + " is not described");
          continue;
        }
        if (spec->value == FlagSpec::Value::Required) {
          if (next >= argv_.size() || !isLiteral(argv_[next])) {
            unknown("flag " + name + " without a literal value");
            continue;
          }
          take(name, *spec, argv_[next++]);
        } else {
          take(name, *spec, std::nullopt);
        }
      }
      begin_ = next;
    }
    readGnu();
  }

  void readDd() {
    for (std::size_t i = begin_; i < argv_.size(); ++i) {
      if (!isLiteral(argv_[i])) {
        unknown("a word known only at run time");
        continue;
      }
      const std::size_t equals = argv_[i].text.find('=');
      const std::string name = argv_[i].text.substr(0, equals);
      const FlagSpec* spec = equals == std::string::npos ? nullptr : flagNamed(name);
      if (spec == nullptr) {
        unknown("\"" + argv_[i].text + "\" is not described");
        continue;
      }
      take(name, *spec, Word{Word::Kind::Literal, argv_[i].text.substr(equals + 1)});
    }
  }

  void readOperands() {
    marked_tree_ = marked(Mark::Tree);
    marked_out_ = marked(Mark::Out);
    for (const FoundFlag& flag : found_) {
      if (!flag.spec->marks.contains(Mark::Filter)) continue;
      filtered_ = flag.value && isLiteral(*flag.value) && isHarmlessPattern(flag.value->text);
      if (!filtered_) break;  // --include patterns add up: one that may match a secret is enough
    }
    std::vector<OperandSpec> specs = spec_.operands;
    if (marked(Mark::Skip) && !specs.empty()) specs.erase(specs.begin());
    std::optional<OperandSpec> last;
    if (!specs.empty() && specs.back().last) {
      last = specs.back();
      specs.pop_back();
      if (marked(Mark::NotLast)) last.reset();
    }
    std::size_t count = operands_.size();
    const bool has_last = last && count >= 2;
    if (has_last) --count;
    std::size_t at = 0;
    bool shifted = false;
    for (std::size_t k = 0; k < count; ++k) {
      if (at >= specs.size()) {
        unknown("operand " + std::to_string(k + 1) + " is not described");
        return;
      }
      const OperandSpec& spec = specs[at];
      const Word& word = *operands_[k].word;
      if (spec.type.kind == Kind::Command) {
        command_at_ = operands_[k].index;
        return;
      }
      // Any number of words: what follows may stand anywhere in the list.
      if (isMany(word) && !spec.repeat) shifted = true;
      if (shifted) {
        unknown("operands known only at run time");
        return;
      }
      readValue(spec.type, word, "");
      if (isFile(spec.type.kind)) files_.push_back(&word);
      if (!spec.repeat) ++at;
    }
    if (has_last) {
      const Word& word = *operands_.back().word;
      if (isMany(word) || shifted) return unknown("operands known only at run time");
      readValue(last->type, word, "");
      writeInto(last->type, word, count);
    }
    // `ln -s /x/Makefile` makes ./Makefile.
    if (last && count == 1) writeInto(last->type, Word{Word::Kind::Literal, "."}, count);
    for (const FoundFlag& flag : found_) {
      if (flag.spec->marks.contains(Mark::NotLast) && flag.value) writeInto(flag.spec->type, *flag.value, count);
    }
    if (operands_.empty() && spec_.needs_operand) unknown("without an operand");
    const Word here{Word::Kind::Literal, "."};
    if (operands_.empty() && spec_.default_here && !specs.empty()) readValue(specs.back().type, here, "");
    // grep -r without a file starts here.
    if (files_.empty() && marked_tree_ && !spec_.default_here) readValue(ValueSpec{Kind::FileIn, {}, {}, {}}, here, "");
  }

  /// cp SOURCE… DIRECTORY writes DIRECTORY/basename as well.
  void writeInto(const ValueSpec& type, const Word& target, std::size_t count) {
    if (type.kind != Kind::FileOut || !isLiteral(target)) return;
    for (std::size_t k = 0; k < count; ++k) {
      const Word& source = *operands_[k].word;
      if (isLiteral(source)) add(writePath(target.text + "/" + std::string(baseName(source.text)), cwds_));
    }
  }

  static bool isFile(Kind kind) { return kind == Kind::FileIn || kind == Kind::TreeIn || kind == Kind::CodeIn || kind == Kind::Path; }

  void readStdin() {
    StdinClass result = explicit_stdin_;
    bool reads = spec_.stdin_class != StdinClass::None;
    if (spec_.stdin_without_file) {
      const bool dash = std::any_of(files_.begin(), files_.end(), [](const Word* word) { return !isLiteral(*word) || word->text == "-"; });
      // A runtime-many operand may be no operand at all.
      const bool maybe_none = std::all_of(files_.begin(), files_.end(), [](const Word* word) { return isMany(*word); });
      reads = reads && (files_.empty() || dash || maybe_none);
    }
    if (marked(Mark::NoStdin)) reads = false;
    if (marked(Mark::Stdin)) reads = spec_.stdin_class != StdinClass::None;
    if (reads) result = std::max(result, spec_.stdin_class);
    if (!match_.described) result = StdinClass::Code;
    match_.stdin_class = result;
  }

  void readInner() {
    for (const Inner& inner : spec_.inner) {
      switch (inner.at) {
        case Inner::At::Operands:
          if (command_at_) match_.inner.push_back({&inner, *command_at_, argv_.size(), false});
          break;
        case Inner::At::AfterDashes:
          if (dashes_) {
            if (*dashes_ + 1 < argv_.size()) match_.inner.push_back({&inner, *dashes_ + 1, argv_.size(), false});
          } else if (command_at_) {
            unknown("a command without --");
          }
          break;
        case Inner::At::Flag:
          readFlagInner(inner);
          break;
      }
    }
  }

  /// Only `sh -c TEXT`, exactly three words.
  void readFlagInner(const Inner& inner) {
    if (program_.style == Program::Style::Find) return;
    if (argv_.size() == begin_ + 2 && isLiteral(argv_[begin_]) && inner.flags.contains(argv_[begin_].text) &&
        isLiteral(argv_[begin_ + 1])) {
      match_.inner.push_back({&inner, begin_ + 1, begin_ + 2, false});
    } else if (match_.opaque.empty()) {
      match_.opaque = program_.name + ": only \"" + program_.name + " " + *inner.flags.begin() + " TEXT\" is read";
    }
  }

  void pin() {
    if (!spec_.pins.argv.empty()) match_.inserts.emplace_back(begin_, spec_.pins.argv);
    for (const auto& [name, value] : spec_.pins.env) match_.env[name] = value;
    if (saw_sql_ && sql_read_) {
      if (!spec_.pins.sql_argv.empty()) match_.inserts.emplace_back(begin_, spec_.pins.sql_argv);
      for (const auto& [name, value] : spec_.pins.sql_env) match_.env[name] = value;
    }
  }

  const Program& program_;
  const CallSpec& spec_;
  const std::vector<Word>& argv_;
  std::size_t begin_;
  const Cwds& cwds_;
  CallMatch match_;
  std::vector<FoundFlag> found_;
  std::vector<Operand> operands_;
  std::vector<const Word*> files_;
  std::optional<std::size_t> dashes_;
  std::optional<std::size_t> command_at_;
  StdinClass explicit_stdin_ = StdinClass::None;
  bool strict_ = false;
  bool marked_tree_ = false;
  bool marked_out_ = false;
  bool filtered_ = false;
  bool saw_sql_ = false;
  bool sql_read_ = false;
};

/// The first mode that describes the whole call, or the call spec itself.
CallMatch readBestMode(const Program& program, const CallSpec& spec, const std::vector<Word>& argv, std::size_t begin, const Cwds& cwds) {
  for (const CallSpec& mode : spec.modes) {
    CallReader reader(program, mode, argv, begin, cwds);
    CallMatch match = reader.read();
    if (match.described && match.opaque.empty() && (mode.require_any.empty() || reader.met(mode.require_any))) return match;
  }
  return CallReader(program, spec, argv, begin, cwds).read();
}

/// Subcommands: global flags come first, then one or two literal words that name the subcommand.
CallMatch readSubcommand(const Program& program, const std::vector<Word>& argv, const Cwds& cwds) {
  CallSpec head;  // global flags only, up to the first operand
  head.flags = program.global;
  head.stop = true;
  head.base = program.call.base;
  std::size_t at = 1;
  std::vector<Word> front{argv[0]};
  while (at < argv.size() && isLiteral(argv[at]) && argv[at].text.size() > 1 && argv[at].text[0] == '-') {
    front.push_back(argv[at]);
    const auto flag = program.global.find(argv[at].text);
    if (flag != program.global.end() && flag->second.value == FlagSpec::Value::Required && at + 1 < argv.size())
      front.push_back(argv[++at]);
    ++at;
  }
  CallMatch match = CallReader(program, head, front, 1, cwds).read();
  match.program = &program;
  match.stdin_class = match.described ? StdinClass::None : StdinClass::Code;

  const CallSpec* sub = nullptr;
  std::size_t after = at;
  if (at < argv.size() && isLiteral(argv[at])) {
    if (at + 1 < argv.size() && isLiteral(argv[at + 1])) {
      const auto it = program.subcommands.find(argv[at].text + " " + argv[at + 1].text);
      if (it != program.subcommands.end()) {
        sub = &it->second;
        after = at + 2;
      }
    }
    if (sub == nullptr) {
      const auto it = program.subcommands.find(argv[at].text);
      if (it != program.subcommands.end()) {
        sub = &it->second;
        after = at + 1;
      }
    }
  }
  if (!program.call.pins.argv.empty()) match.inserts.emplace_back(1, program.call.pins.argv);
  for (const auto& [name, value] : program.call.pins.env) match.env[name] = value;
  if (sub == nullptr) {
    if (at >= argv.size()) {
      const auto none = program.subcommands.find("");
      if (none == program.subcommands.end()) {
        // Only global flags: --version and the like.
        if (front.size() > 1 && match.described) return match;
        match.described = false;
        match.effects.add(program.otherwise);
        match.effects.add(Effect::Unknown);
        match.stdin_class = StdinClass::Code;
        match.reasons.push_back(program.name + ": without a subcommand");
        return match;
      }
      sub = &none->second;
    } else {
      match.described = false;
      match.effects.add(program.otherwise);
      match.effects.add(Effect::Unknown);
      match.stdin_class = StdinClass::Code;
      match.reasons.push_back(program.name + ": the subcommand " +
                              (isLiteral(argv[at]) ? "\"" + argv[at].text + "\" is not described" : "is known only at run time"));
      return match;
    }
  }
  CallMatch inner = readBestMode(program, *sub, argv, after, cwds);
  inner.effects.add(match.effects);
  inner.reasons.insert(inner.reasons.begin(), match.reasons.begin(), match.reasons.end());
  inner.flags.insert(inner.flags.begin(), match.flags.begin(), match.flags.end());
  inner.inserts.insert(inner.inserts.begin(), match.inserts.begin(), match.inserts.end());
  inner.env.insert(match.env.begin(), match.env.end());
  if (!match.described) {
    inner.described = false;
    inner.stdin_class = StdinClass::Code;
    if (!inner.inner.empty() && inner.opaque.empty()) inner.opaque = program.name + ": a wrapper's option that is not described";
  }
  if (inner.opaque.empty()) inner.opaque = match.opaque;
  return inner;
}

CallMatch unknownProgram(std::string reason) {
  CallMatch match;
  match.described = false;
  match.effects.add(Effect::Unknown);
  match.stdin_class = StdinClass::Code;
  match.reasons.push_back(std::move(reason));
  return match;
}

}  // namespace

CallMatch matchCall(const Catalog::Data& catalog, const std::vector<Word>& argv, const Cwds& cwds) {
  const std::string name = programName(argv[0].text);
  if (name.empty()) return unknownProgram("program " + argv[0].text + ": a path outside /bin, /sbin, /usr/bin and /usr/sbin");
  const auto it = catalog.programs.find(name);
  if (it == catalog.programs.end()) return unknownProgram("program " + name + ": not in the catalog");
  const Program& program = *it->second;
  if (program.opaque) {
    CallMatch match = unknownProgram(name + ": not read");
    match.program = &program;
    match.opaque = "the command " + name;
    return match;
  }
  CallMatch match = program.subcommands.empty() ? readBestMode(program, program.call, argv, 1, cwds) : readSubcommand(program, argv, cwds);
  for (std::string_view effect : namesOf(match.effects)) {
    // One line per effect that no finer reason explains.
    if (effect == "unknown" || effect == "secret") continue;
    match.reasons.push_back(name + ": " + std::string(effect));
  }
  return match;
}

}  // namespace ptygate::policy
