// SPDX-License-Identifier: Apache-2.0
// TOML text → Catalog::Data. Strict: what README.md does not describe is an error with file and line.
#include <algorithm>
#include <array>
#include <cctype>

#include "policy/catalog/schema.h"
#include "policy/strict_toml.h"

namespace ptygate::policy {
namespace {

using namespace std::string_view_literals;

struct NamedKind {
  std::string_view name;
  Kind kind;
};
constexpr std::array kKinds = {
    NamedKind{"str", Kind::Str},
    NamedKind{"int", Kind::Int},
    NamedKind{"pat", Kind::Pattern},
    NamedKind{"path", Kind::Path},
    NamedKind{"dir", Kind::Path},
    NamedKind{"file-in", Kind::FileIn},
    NamedKind{"tree-in", Kind::TreeIn},
    NamedKind{"tree-names", Kind::TreeNames},
    NamedKind{"file-out", Kind::FileOut},
    NamedKind{"code-in", Kind::CodeIn},
    NamedKind{"url", Kind::Url},
    NamedKind{"host", Kind::Host},
    NamedKind{"kv", Kind::KeyValue},
    NamedKind{"cmd", Kind::Command},
    NamedKind{"shell", Kind::Shell},
    NamedKind{"code", Kind::Code},
    NamedKind{"sql", Kind::Sql},
    NamedKind{"sql-select", Kind::SqlSelect},
    NamedKind{"container", Kind::Container},
    NamedKind{"pod", Kind::Pod},
    NamedKind{"unit", Kind::Unit},
    NamedKind{"pkg", Kind::Package},
    NamedKind{"user", Kind::User},
    NamedKind{"rev", Kind::Revision},
};

struct NamedMark {
  std::string_view name;
  Mark mark;
};
constexpr std::array kMarks = {
    NamedMark{"tree", Mark::Tree},   NamedMark{"skip", Mark::Skip},       NamedMark{"notlast", Mark::NotLast}, NamedMark{"out", Mark::Out},
    NamedMark{"stdin", Mark::Stdin}, NamedMark{"nostdin", Mark::NoStdin}, NamedMark{"filter", Mark::Filter},
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> result;
  while (true) {
    const std::size_t end = text.find(separator);
    result.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return result;
    text.remove_prefix(end + 1);
  }
}

/// Reads one file into the data. After an error the document's error is set and what was read is thrown away.
class FileLoader {
 public:
  FileLoader(Catalog::Data& data, const std::string& origin) : data_(data), origin_(origin) {}

  void load(TomlTable root) {
    if (root.integer("schema").value_or(0) != 1) root.refuse("schema", "this program reads schema = 1");
    for (const TomlTable& table : root.tables("program")) loadProgram(table);
    root.finish();
  }

 private:
  EffectSet effects(const TomlTable& table, std::string_view key, const std::vector<std::string>& names) {
    EffectSet result;
    for (const std::string& name : names) {
      if (const auto effect = effectNamed(name))
        result.add(*effect);
      else
        table.refuse(key, "unknown effect \"" + name + "\"");
    }
    return result;
  }
  EffectSet effects(const TomlTable& table, std::string_view key) {
    return effects(table, key, table.strings(key).value_or(std::vector<std::string>()));
  }

  ValueSpec kind(const TomlTable& table, std::string_view key, const std::string& text) {
    ValueSpec spec;
    if (text.starts_with("lang:")) {
      spec.kind = Kind::Lang;
      spec.name = text.substr(5);
      return spec;
    }
    if (text.starts_with("word:")) {
      spec.kind = Kind::Word;
      spec.words = split(text.substr(5), '|');
      return spec;
    }
    const auto* found = std::find_if(kKinds.begin(), kKinds.end(), [&](const NamedKind& each) { return each.name == text; });
    if (found == kKinds.end())
      table.refuse(key, "unknown kind \"" + text + "\"");
    else
      spec.kind = found->kind;
    return spec;
  }

  /// FLAG [ "=" KIND | "=?" KIND ] [ "@" mark,… ] [ "!" effect,… ]; a further kind after "," for find's several words.
  void flag(const TomlTable& table, std::string_view key, const std::string& text, std::map<std::string, FlagSpec>& into) {
    const std::size_t name_end = text.find_first_of("=@!", 1);
    const std::string name = text.substr(0, name_end);
    std::string rest = name_end == std::string::npos ? "" : text.substr(name_end);
    FlagSpec spec;
    if (const std::size_t bang = rest.find('!'); bang != std::string::npos) {
      const std::string list = rest.substr(bang + 1);
      rest.resize(bang);
      if (list == "opaque")
        spec.opaque = true;
      else
        spec.effects = effects(table, key, split(list, ','));
    }
    if (const std::size_t at = rest.find('@'); at != std::string::npos) {
      for (const std::string& word : split(rest.substr(at + 1), ',')) {
        const auto* mark = std::find_if(kMarks.begin(), kMarks.end(), [&](const NamedMark& each) { return each.name == word; });
        if (mark == kMarks.end())
          table.refuse(key, "unknown mark \"" + word + "\"");
        else
          spec.marks.insert(mark->mark);
      }
      rest.resize(at);
    }
    if (rest.starts_with("=")) {
      const bool attached = rest.starts_with("=?");
      spec.value = attached ? FlagSpec::Value::Attached : FlagSpec::Value::Required;
      const std::vector<std::string> kinds = split(rest.substr(attached ? 2 : 1), ',');
      spec.type = kind(table, key, kinds.front());
      for (std::size_t i = 1; i < kinds.size(); ++i) spec.further.push_back(kind(table, key, kinds[i]));
    }
    if (name.empty()) table.refuse(key, "a flag without a name");
    if (style_ == Program::Style::Gnu && name.size() > 2 && name[0] == '-' && name[1] != '-') {
      table.refuse(key, "\"" + name + "\": a flag of several letters with one dash needs style = \"dash\"");
    }
    if (!into.emplace(name, std::move(spec)).second) table.refuse(key, "\"" + name + "\" is listed twice");
  }

  OperandSpec operand(const TomlTable& table, std::string_view key, const std::string& text) {
    OperandSpec spec;
    std::string body = text;
    EffectSet own;
    if (const std::size_t bang = body.find('!'); bang != std::string::npos) {
      own = effects(table, key, split(body.substr(bang + 1), ','));
      body.resize(bang);
    }
    if (body.ends_with('*')) {
      spec.repeat = true;
      body.pop_back();
    } else if (body.ends_with('$')) {
      spec.last = true;
      body.pop_back();
    }
    spec.type = kind(table, key, body);
    spec.type.effects = own;
    return spec;
  }

  std::shared_ptr<const RE2> regex(const TomlTable& table, std::string_view key, const std::string& text) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(false);
    options.set_max_mem(1 << 20);
    auto compiled = std::make_shared<const RE2>(text, options);
    if (!compiled->ok()) table.refuse(key, "not a regular expression: " + compiled->error());
    return compiled;
  }

  Pins pins(const TomlTable& table) {
    Pins result;
    const auto inner = table.table("pins");
    if (!inner) return result;
    result.env = inner->stringMap("env");
    result.argv = inner->strings("argv").value_or(std::vector<std::string>());
    result.sql_env = inner->stringMap("sql_env");
    result.sql_argv = inner->strings("sql_argv").value_or(std::vector<std::string>());
    for (const auto& [name, value] : result.env) {
      if (name.empty() || value.find('\0') != std::string::npos) inner->refuse("env", "not an environment variable");
    }
    inner->finish();
    return result;
  }

  Inner inner(const TomlTable& table) {
    Inner result;
    const std::string at = table.string("at").value_or("flag");
    if (at == "operands")
      result.at = Inner::At::Operands;
    else if (at == "after--")
      result.at = Inner::At::AfterDashes;
    else if (at == "flag")
      result.at = Inner::At::Flag;
    else
      table.refuse("at", "unknown place \"" + at + "\"");
    const std::string through = table.string("via").value_or("argv");
    if (through == "argv")
      result.through = Inner::Through::Argv;
    else if (through == "shell")
      result.through = Inner::Through::Shell;
    else if (through == "remote-shell")
      result.through = Inner::Through::RemoteShell;
    else
      table.refuse("via", "unknown way \"" + through + "\"");
    const std::string dialect = table.string("dialect").value_or("sh");
    if (dialect == "bash")
      result.dialect = Dialect::Bash;
    else if (dialect == "dash")
      result.dialect = Dialect::Dash;
    else if (dialect == "sh")
      result.dialect = Dialect::Sh;
    else if (dialect == "same")
      result.dialect = std::nullopt;
    else
      table.refuse("dialect", "unknown shell \"" + dialect + "\"");
    for (std::string& name : table.strings("flag").value_or(std::vector<std::string>())) result.flags.insert(std::move(name));
    result.assigns = table.boolean("assigns").value_or(false);
    result.append = table.boolean("append").value_or(false);
    result.privilege = table.boolean("privilege").value_or(false);
    result.env_lost = table.boolean("env_lost").value_or(false);
    result.cwd_lost = table.boolean("cwd_lost").value_or(false);
    result.stdin_lost = table.boolean("stdin_lost").value_or(false);
    result.stdin_code = table.boolean("stdin_code").value_or(false);
    if (result.at == Inner::At::Flag && result.flags.empty()) table.refuse("", "an inner command at a flag needs flag = [...]");
    table.finish();
    return result;
  }

  TextRule rule(const TomlTable& table) {
    TextRule result;
    result.flag = table.string("flag").value_or("");
    result.contains = table.string("contains");
    result.prefix = table.string("prefix");
    result.equals = table.strings("equals").value_or(std::vector<std::string>());
    if (const auto text = table.string("regex")) result.regex = regex(table, "regex", *text);
    if (const auto text = table.string("not_regex")) result.not_regex = regex(table, "not_regex", *text);
    result.effects = effects(table, "effects");
    if (!result.contains && !result.prefix && result.equals.empty() && !result.regex && !result.not_regex) {
      table.refuse("", "a rule needs contains, prefix, equals, regex or not_regex");
    }
    table.finish();
    return result;
  }

  /// The keys that programs, subcommands and modes share. Does not finish the table.
  CallSpec call(const TomlTable& table) {
    CallSpec spec;
    spec.base = effects(table, "base");
    for (const std::string& text : table.strings("flags").value_or(std::vector<std::string>())) flag(table, "flags", text, spec.flags);
    for (const std::string& text : table.strings("operands").value_or(std::vector<std::string>()))
      spec.operands.push_back(operand(table, "operands", text));
    for (std::size_t i = 0; i + 1 < spec.operands.size(); ++i) {
      if (spec.operands[i].last || (spec.operands[i].repeat && !(i + 2 == spec.operands.size() && spec.operands.back().last))) {
        table.refuse("operands", "\"*\" and \"$\" end the list");
      }
    }
    for (const TomlTable& each : table.tables("rules")) spec.rules.push_back(rule(each));
    for (std::string& name : table.strings("require_any").value_or(std::vector<std::string>())) spec.require_any.insert(std::move(name));
    for (const TomlTable& each : table.tables("mode")) {
      spec.modes.push_back(call(each));
      each.finish();
    }
    for (const TomlTable& each : table.tables("inner")) spec.inner.push_back(inner(each));
    spec.pins = pins(table);
    const std::string stdin_class = table.string("stdin").value_or("none");
    if (stdin_class == "data")
      spec.stdin_class = StdinClass::Data;
    else if (stdin_class == "code")
      spec.stdin_class = StdinClass::Code;
    else if (stdin_class != "none")
      table.refuse("stdin", "none, data or code");
    spec.stdin_without_file = table.boolean("stdin_without_file").value_or(false);
    spec.number = table.boolean("number").value_or(false);
    spec.stop = table.boolean("stop").value_or(false);
    spec.any_operands = table.boolean("any_operands").value_or(false);
    spec.default_here = table.boolean("default_here").value_or(false);
    spec.needs_operand = table.boolean("needs_operand").value_or(false);
    return spec;
  }

  void loadExamples(const TomlTable& table) {
    for (const TomlTable& each : table.tables("examples")) {
      Example example;
      example.line = each.requiredString("line");
      example.effects = effects(each, "effects");
      example.opaque = each.boolean("opaque").value_or(false);
      const std::string stdin_class = each.string("stdin").value_or("none");
      example.stdin_class = stdin_class == "data" ? StdinClass::Data : stdin_class == "code" ? StdinClass::Code : StdinClass::None;
      example.origin = origin_ + ":" + std::to_string(each.lineOf("line"));
      each.finish();
      data_.examples.push_back(std::move(example));
    }
  }

  void loadProgram(const TomlTable& table) {
    auto program = std::make_shared<Program>();
    program->name = table.requiredString("name");
    const std::string style = table.string("style").value_or("gnu");
    if (style == "gnu")
      style_ = Program::Style::Gnu;
    else if (style == "dash")
      style_ = Program::Style::Dash;
    else if (style == "find")
      style_ = Program::Style::Find;
    else if (style == "tar")
      style_ = Program::Style::Tar;
    else if (style == "dd")
      style_ = Program::Style::Dd;
    else
      table.refuse("style", "unknown style \"" + style + "\"");
    program->style = style_;
    program->opaque = table.boolean("opaque").value_or(false);
    program->changes_cwd = table.boolean("changes_cwd").value_or(false);
    program->global_after = table.boolean("global_after").value_or(false);
    program->otherwise = effects(table, "otherwise");
    for (const std::string& text : table.strings("global").value_or(std::vector<std::string>()))
      flag(table, "global", text, program->global);
    program->call = call(table);
    if (const auto langs = table.table("lang")) {
      for (const std::string& name : langs->keys()) {
        const auto lang = langs->table(name);
        if (!lang) break;
        Lang& into = program->langs[name];
        for (const std::string& text : lang->requiredStrings("safe")) into.safe.push_back(regex(*lang, "safe", text));
        into.otherwise = effects(*lang, "otherwise");
        lang->finish();
      }
    }
    if (const auto subs = table.table("sub")) {
      for (const std::string& name : subs->keys()) {
        const auto sub = subs->table(name);
        if (!sub) break;
        CallSpec spec = call(*sub);
        for (const std::string& alias : sub->strings("aliases").value_or(std::vector<std::string>())) {
          if (!program->subcommands.emplace(alias, spec).second) sub->refuse("aliases", "\"" + alias + "\" is described twice");
        }
        sub->finish();
        if (!program->subcommands.emplace(name, std::move(spec)).second) sub->refuse("", "\"" + name + "\" is described twice");
      }
    }
    std::vector<std::string> names = table.strings("aliases").value_or(std::vector<std::string>());
    names.insert(names.begin(), program->name);
    loadExamples(table);
    table.finish();
    for (const std::string& name : names) {
      if (name.empty() || name.find('/') != std::string::npos) table.refuse("name", "a program's name has no \"/\"");
      // The first file wins nowhere: two descriptions of one name are somebody's mistake.
      if (!data_.programs.emplace(name, program).second) table.refuse("name", "\"" + name + "\" is described twice");
    }
  }

  Catalog::Data& data_;
  const std::string& origin_;
  Program::Style style_ = Program::Style::Gnu;
};

}  // namespace

Catalog::Catalog(std::unique_ptr<Data> data) : data_(std::move(data)) {}
Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;
Catalog::~Catalog() = default;

tl::expected<Catalog, std::string> Catalog::load(const std::vector<std::pair<std::string, std::string>>& origin_and_text) {
  auto data = std::make_unique<Data>();
  for (const auto& [origin, text] : origin_and_text) {
    auto document = TomlDocument::parse(text, origin);
    if (!document) return tl::unexpected(document.error());
    FileLoader(*data, origin).load(document->root());
    if (!document->error().empty()) return tl::unexpected(document->error());
  }
  return Catalog(std::move(data));
}

}  // namespace ptygate::policy
