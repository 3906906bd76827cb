// SPDX-License-Identifier: Apache-2.0
#include "proxy/control/protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

namespace ptygate::control {

using Json = nlohmann::ordered_json;

namespace {

// ---- base64 (RFC 4648, padded, strict) --------------------------------------------------------------------------------------------

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string toBase64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = (group << 8U) | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= left ? kAlphabet[(group >> (18 - 6 * k)) & 63U] : '=';
  }
  return out;
}

std::optional<std::string> fromBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t group = 0;
    std::size_t padding = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      const std::size_t value = kAlphabet.find(c);
      if (c == '=' && i + 4 == text.size() && k >= 2) {
        ++padding;
        group <<= 6U;
      } else if (value == std::string_view::npos || padding != 0) {
        return std::nullopt;
      } else {
        group = (group << 6U) | static_cast<std::uint32_t>(value);
      }
    }
    const std::uint32_t unused = padding == 0 ? 0U : padding == 1 ? 0xffU : 0xffffU;
    if ((group & unused) != 0) return std::nullopt;  // one text for one value
    for (std::size_t k = 0; k < 3 - padding; ++k) out += static_cast<char>((group >> (16 - 8 * k)) & 0xffU);
  }
  return out;
}

// ---- reading ----------------------------------------------------------------------------------------------------------------------

bool nestsTooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxNesting) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

/// Reads the keys of one object; remembers the first thing that is wrong. Every key that is present must be asked for.
class Reader {
 public:
  explicit Reader(const Json& object) : object_(object) {}

  void get(const char* key, std::string& out, bool required = true) {
    const Json* value = find(key, required);
    if (value == nullptr) return;
    if (!value->is_string()) return fail(key);
    out = value->get_ref<const std::string&>();
  }
  void getBytes(const char* key, std::string& out) {
    std::string text;
    get(key, text);
    auto bytes = fromBase64(text);
    if (!bytes) return fail(key);
    out = std::move(*bytes);
  }
  void get(const char* key, std::uint64_t& out) {
    const Json* value = find(key, true);
    if (value == nullptr) return;
    if (!value->is_number_unsigned()) return fail(key);
    out = value->get<std::uint64_t>();
  }
  void get(const char* key, std::int64_t& out) {
    const Json* value = find(key, true);
    if (value != nullptr && !toSigned(*value, out)) fail(key);
  }
  void get(const char* key, int& out) {
    std::int64_t wide = 0;
    get(key, wide);
    if (wide < 0 || wide > 1'000'000) return fail(key);
    out = static_cast<int>(wide);
  }
  void get(const char* key, bool& out) {
    const Json* value = find(key, true);
    if (value == nullptr) return;
    if (!value->is_boolean()) return fail(key);
    out = value->get<bool>();
  }
  void get(const char* key, std::optional<std::int64_t>& out) {
    const Json* value = find(key, false);
    if (value == nullptr || value->is_null()) return;
    std::int64_t number = 0;
    if (!toSigned(*value, number)) return fail(key);
    out = number;
  }
  void get(const char* key, std::vector<std::string>& out) {
    const Json* value = find(key, true);
    if (value == nullptr) return;
    if (!value->is_array()) return fail(key);
    for (const Json& entry : *value) {
      if (!entry.is_string()) return fail(key);
      out.push_back(entry.get<std::string>());
    }
  }
  void get(const char* key, std::map<std::string, std::string>& out, bool required = true) {
    const Json* value = find(key, required);
    if (value == nullptr) return;
    if (!value->is_object()) return fail(key);
    for (const auto& [name, entry] : value->items()) {
      if (!entry.is_string()) return fail(key);
      out[name] = entry.get<std::string>();
    }
  }
  const Json* object(const char* key) {
    const Json* value = find(key, true);
    if (value == nullptr) return nullptr;
    if (value->is_object()) return value;
    fail(key);
    return nullptr;
  }
  [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }

  /// Empty when all was right and nothing was left over.
  [[nodiscard]] std::string finish() const {
    if (!error_.empty()) return error_;
    for (const auto& [key, value] : object_.items()) {
      if (!asked_.contains(key)) return "unknown key";
    }
    return {};
  }

 private:
  static bool toSigned(const Json& value, std::int64_t& out) {
    if (value.is_number_unsigned()) {
      const auto wide = value.get<std::uint64_t>();
      if (wide > static_cast<std::uint64_t>(INT64_MAX)) return false;
      out = static_cast<std::int64_t>(wide);
      return true;
    }
    if (!value.is_number_integer()) return false;
    out = value.get<std::int64_t>();
    return true;
  }
  const Json* find(const char* key, bool required) {
    asked_.insert(key);
    const auto found = object_.find(key);
    if (found != object_.end()) return &*found;
    if (required && error_.empty()) error_ = std::string("the key \"") + key + "\" is missing";
    return nullptr;
  }
  void fail(const char* key) {
    if (error_.empty()) error_ = std::string("the key \"") + key + "\" has another type or range";
  }

  const Json& object_;
  std::set<std::string> asked_;
  std::string error_;
};

tl::expected<Json, std::string> parseObject(std::string_view line) {
  if (line.size() > kMaxLineBytes) return tl::unexpected(std::string("line too long"));
  if (nestsTooDeep(line)) return tl::unexpected(std::string("nested too deep"));
  // Duplicate keys: the parser would keep the last one; a check of one and use of the other is how smuggling starts.
  bool duplicate = false;
  std::vector<std::set<std::string>> keys;
  const Json::parser_callback_t watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) duplicate = true;
    return true;
  };
  Json parsed = Json::parse(line, watch, /*allow_exceptions=*/false);
  if (parsed.is_discarded() || !parsed.is_object()) return tl::unexpected(std::string("not a JSON object"));
  if (duplicate) return tl::unexpected(std::string("duplicate key"));
  return parsed;
}

std::string readVersion(Reader& reader) {
  std::uint64_t version = 0;
  reader.get("v", version);
  return version == kProtocolVersion ? std::string() : "another protocol version: the gate and this program are of different releases";
}

// ---- items ------------------------------------------------------------------------------------------------------------------------
// One list of fields for each type, used for writing and reading alike, so that they cannot part.

template <class Out>
void fieldsOf(Out& io, Hold& v) {
  io("id", v.id), io("tag", v.tag), io("approved", v.approved), io("agent", v.agent), io("owner", v.owner), io("target", v.target);
  io("login", v.login), io("labels", v.labels), io.bytes("command", v.command), io("command_bytes", v.command_bytes),
      io("intent", v.intent);
  io("rule", v.rule), io("reason", v.reason), io("lines", v.lines), io("approvals_needed", v.approvals_needed);
  io("approved_by", v.approved_by), io("attached", v.attached), io("since_ms", v.since_ms), io("expires_ms", v.expires_ms);
  io("session", v.session);
}
template <class Out>
void fieldsOf(Out& io, ClosedHold& v) {
  io("id", v.id), io("tag", v.tag), io("agent", v.agent), io("how", v.how), io("people", v.people), io("reason", v.reason),
      io("at_ms", v.at_ms);
}
template <class Out>
void fieldsOf(Out& io, StatusReport& v) {
  io("version", v.version), io("started_ms", v.started_ms), io("unsafe", v.unsafe), io("notes", v.notes), io("listeners", v.listeners);
  io("workers", v.workers), io("connections", v.connections), io("sessions", v.sessions), io("holds", v.holds);
  io("ledger_leaves", v.ledger_leaves), io("policy_hash", v.policy_hash), io("config_hash", v.config_hash);
}
template <class Out>
void fieldsOf(Out& io, TargetRow& v) {
  io("name", v.name), io("address", v.address), io("logins", v.logins), io("aliases", v.aliases), io("host_keys", v.host_keys);
  io("labels", v.labels), io("credential", v.credential), io("accounts", v.accounts);
}
template <class Out>
void fieldsOf(Out& io, AgentRow& v) {
  io("name", v.name), io("owner", v.owner), io("keys", v.keys), io("targets", v.targets), io("stopped", v.stopped);
  io("connections", v.connections), io("holds", v.holds);
}
template <class Out>
void fieldsOf(Out& io, OwnRequest& v) {
  io("id", v.id), io("tag", v.tag), io("state", v.state), io("target", v.target), io("login", v.login), io.bytes("command", v.command);
  io("reason", v.reason), io("expires_ms", v.expires_ms);
}
template <class Out>
void fieldsOf(Out& io, WhoAmI& v) {
  io("kind", v.kind), io("name", v.name), io("may", v.may), io("targets", v.targets);
}
template <class Out>
void fieldsOf(Out& io, SessionFile& v) {
  io("session", v.session), io("path", v.path), io("open", v.open);
}

constexpr std::array<const char*, 8> kItemNames = {"hold", "closed-hold", "status", "target", "agent", "request", "whoami", "session"};
static_assert(kItemNames.size() == std::variant_size_v<Item>);

struct WriteFields {
  Json& object;
  template <class T>
  void operator()(const char* key, const T& value) {
    object[key] = value;
  }
  void operator()(const char* key, const std::optional<std::int64_t>& value) {
    if (value) object[key] = *value;
  }
  void bytes(const char* key, const std::string& value) { object[key] = toBase64(value); }
};
struct ReadFields {
  Reader& reader;
  template <class T>
  void operator()(const char* key, T& value) {
    reader.get(key, value);
  }
  void bytes(const char* key, std::string& value) { reader.getBytes(key, value); }
};

Json toJson(const Item& item) {
  Json object = Json::object();
  object["type"] = kItemNames[item.index()];
  WriteFields write{object};
  std::visit([&](const auto& value) { fieldsOf(write, const_cast<std::decay_t<decltype(value)>&>(value)); }, item);
  return object;
}

template <std::size_t kIndex = 0>
tl::expected<Item, std::string> itemOf(const std::string& type, Reader& reader) {
  if constexpr (kIndex < kItemNames.size()) {
    if (type != kItemNames[kIndex]) return itemOf<kIndex + 1>(type, reader);
    std::variant_alternative_t<kIndex, Item> value;
    ReadFields read{reader};
    fieldsOf(read, value);
    if (auto error = reader.finish(); !error.empty()) return tl::unexpected(std::move(error));
    return Item(std::move(value));
  } else {
    return tl::unexpected(std::string("unknown item type"));
  }
}

tl::expected<Item, std::string> fromJson(const Json& object) {
  Reader reader(object);
  std::string type;
  reader.get("type", type);
  return itemOf(type, reader);
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

tl::expected<ServerLine, std::string> readEvent(const Json& object, Reader& reader, std::uint64_t id) {
  Event event;
  event.id = id;
  std::string kind;
  reader.get("event", kind);
  if (kind == "hold") {
    event.kind = Event::Kind::Hold;
    reader.get("what", event.what);
    const Json* item = reader.object("item");
    if (item == nullptr) return tl::unexpected(reader.finish());
    auto decoded = fromJson(*item);
    if (!decoded) return tl::unexpected(decoded.error());
    auto* hold = std::get_if<Hold>(&*decoded);
    if (hold == nullptr) return tl::unexpected(std::string("a hold event without a hold"));
    event.hold = std::move(*hold);
  } else if (kind == "ready") {
    event.kind = Event::Kind::Ready;
  } else if (kind == "gone") {
    event.kind = Event::Kind::Gone;
    reader.get("what", event.what);
    reader.get("hold", event.gone);
    reader.get("text", event.text);
  } else {
    return tl::unexpected(std::string("unknown event"));
  }
  if (auto error = reader.finish(); !error.empty()) return tl::unexpected(std::move(error));
  (void)object;
  return ServerLine(std::move(event));
}

Json head(std::uint64_t id) {
  return Json{{"v", kProtocolVersion}, {"id", id}};
}

struct WriteLine {
  Json operator()(const ItemLine& line) const {
    Json out = head(line.id);
    out["item"] = toJson(line.item);
    return out;
  }
  Json operator()(const Reply& reply) const {
    Json out = head(reply.id);
    out["status"] = reply.status;
    out["text"] = reply.text;
    return out;
  }
  Json operator()(const Event& event) const {
    Json out = head(event.id);
    switch (event.kind) {
      case Event::Kind::Hold:
        out["event"] = "hold";
        out["what"] = event.what;
        out["item"] = toJson(event.hold);
        break;
      case Event::Kind::Ready:
        out["event"] = "ready";
        break;
      case Event::Kind::Gone:
        out["event"] = "gone";
        out["what"] = event.what;
        out["hold"] = event.gone;
        out["text"] = event.text;
        break;
    }
    return out;
  }
};

}  // namespace

std::string encode(const Request& request) {
  Json out = head(request.id);
  out["verb"] = request.verb;
  out["args"] = request.args;
  return dump(out);
}

std::string encode(const ServerLine& line) {
  return dump(std::visit(WriteLine{}, line));
}

std::string jsonOf(const Item& item) {
  return dump(toJson(item));
}

tl::expected<Request, std::string> decodeRequest(std::string_view line) {
  auto object = parseObject(line);
  if (!object) return tl::unexpected(object.error());
  Reader reader(*object);
  if (auto error = readVersion(reader); !error.empty()) return tl::unexpected(std::move(error));
  Request request;
  reader.get("id", request.id);
  reader.get("verb", request.verb);
  reader.get("args", request.args, /*required=*/false);
  if (auto error = reader.finish(); !error.empty()) return tl::unexpected(std::move(error));
  if (request.args.size() > kMaxArguments) return tl::unexpected(std::string("too many arguments"));
  return request;
}

tl::expected<ServerLine, std::string> decodeServerLine(std::string_view line) {
  auto object = parseObject(line);
  if (!object) return tl::unexpected(object.error());
  Reader reader(*object);
  if (auto error = readVersion(reader); !error.empty()) return tl::unexpected(std::move(error));
  std::uint64_t id = 0;
  reader.get("id", id);
  if (reader.has("event")) return readEvent(*object, reader, id);
  if (reader.has("item")) {
    const Json* item = reader.object("item");
    if (auto error = reader.finish(); !error.empty()) return tl::unexpected(std::move(error));
    auto decoded = fromJson(*item);
    if (!decoded) return tl::unexpected(decoded.error());
    return ServerLine(ItemLine{id, std::move(*decoded)});
  }
  Reply reply;
  reply.id = id;
  reader.get("status", reply.status);
  reader.get("text", reply.text);
  if (auto error = reader.finish(); !error.empty()) return tl::unexpected(std::move(error));
  return ServerLine(std::move(reply));
}

bool LineCutter::feed(std::string_view bytes) {
  if (too_long_) return false;
  if (start_ > 0) {
    buffer_.erase(0, start_);
    scanned_ -= start_;
    start_ = 0;
  }
  buffer_ += bytes;
  // Whole lines may queue up; the limit is on each line, so look at every one that is new.
  std::size_t line = 0;
  for (std::size_t lf = buffer_.find('\n');; lf = buffer_.find('\n', line)) {
    const std::size_t length = (lf == std::string::npos ? buffer_.size() : lf) - line;
    if (length > kMaxLineBytes) {
      buffer_.resize(line);
      too_long_ = true;
      return false;
    }
    if (lf == std::string::npos) return true;
    line = lf + 1;
  }
}

std::optional<std::string> LineCutter::next() {
  const std::size_t lf = buffer_.find('\n', std::max(start_, scanned_));
  if (lf == std::string::npos) {
    scanned_ = buffer_.size();
    return std::nullopt;
  }
  std::size_t end = lf;
  if (end > start_ && buffer_[end - 1] == '\r') --end;
  std::string line = buffer_.substr(start_, end - start_);
  start_ = scanned_ = lf + 1;
  return line;
}

std::optional<HoldRef> parseHoldRef(std::string_view text) {
  HoldRef ref;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ref.id);
  if (error != std::errc() || ref.id == 0 || text.front() == '+') return std::nullopt;
  std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (rest.empty()) return ref;
  if (rest.size() < 2 || rest.size() > 17 || rest.front() != '-') return std::nullopt;
  rest.remove_prefix(1);
  for (const char c : rest) {
    if ((c < 'a' || c > 'z') && (c < '2' || c > '7')) return std::nullopt;
  }
  ref.tag = rest;
  return ref;
}

}  // namespace ptygate::control
