// SPDX-License-Identifier: Apache-2.0
// One `visit` per message lists its fields in order; encoder and decoder are two visitors over them, so they cannot disagree.
#include "proxy/base/messages.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

namespace ptygate::base {

namespace {

using Json = nlohmann::json;

template <class V> void visit(V& v, IdentityKey& m) { v(m.name), v(m.blob), v(m.targets); }
template <class V> void visit(V& v, TargetInfo& m) { v(m.name), v(m.aliases), v(m.logins), v(m.host_keys); }
template <class V> void visit(V& v, WorkerLimits& m) {
  v(m.login_grace_ms), v(m.auth_attempts), v(m.channels_per_connection), v(m.command_bytes), v(m.held_stdin_bytes), v(m.cast_bytes);
  v(m.keepalive_ms), v(m.upstream_idle_ms), v(m.rekey_bytes), v(m.connect_ms);
}
template <class V> void visit(V& v, Configure& m) { v(m.people), v(m.host_key), v(m.identities), v(m.targets), v(m.limits); }
template <class V> void visit(V& v, Accept& m) { v(m.connection), v(m.peer); }
template <class V> void visit(V& v, Dialed& m) { v(m.dial), v(m.error); }
template <class V> void visit(V& v, SessionOpened& m) { v(m.request), v(m.session), v(m.started_unix); }
template <class V> void visit(V& v, SurveyOrder& m) { v(m.request), v(m.command); }
template <class V> void visit(V& v, StdinCheck& m) { v(m.request), v(m.to_eof); }
template <class V> void visit(V& v, Credential& m) { v(m.ticket), v(m.certificate), v(m.identity), v(m.public_key), v(m.error); }
template <class V> void visit(V& v, Notice& m) { v(m.request), v(m.hold), v(m.text); }
template <class V> void visit(V& v, Outcome& m) {
  v(m.request), v(m.kind), v(m.exec), v(m.env), v(m.stdin_rule), v(m.record_hash), v(m.marker), v(m.hold), v(m.rule), v(m.reason);
  v(m.advice), v(m.may_change_and_retry);
}
template <class V> void visit(V& v, VerbStarted& m) { v(m.request), v(m.pty), v(m.error), v(m.status); }
template <class V> void visit(V& v, VerbExited& m) { v(m.request), v(m.status), v(m.signal); }
template <class V> void visit(V& v, EndConnections& m) { v(m.identity), v(m.connection), v(m.reason); }
template <class V> void visit(V& v, Hello& m) { v(m.pid), v(m.no_new_privs), v(m.seccomp), v(m.landlock); }
template <class V> void visit(V& v, LoggedIn& m) { v(m.connection), v(m.identity), v(m.key_fingerprint), v(m.client), v(m.user); }
template <class V> void visit(V& v, ConnectionEnded& m) { v(m.connection), v(m.reason); }
template <class V> void visit(V& v, Dial& m) { v(m.dial), v(m.connection), v(m.agent), v(m.target); }
template <class V> void visit(V& v, ExecRequest& m) {
  v(m.request), v(m.connection), v(m.agent), v(m.target), v(m.login), v(m.command), v(m.intent), v(m.locale);
}
template <class V> void visit(V& v, SurveyResult& m) { v(m.request), v(m.output), v(m.error), v(m.unreachable); }
template <class V> void visit(V& v, StdinState& m) { v(m.request), v(m.bytes), v(m.sha256), v(m.excerpt), v(m.over_limit); }
template <class V> void visit(V& v, WantCredential& m) { v(m.ticket), v(m.request), v(m.public_key); }
template <class V> void visit(V& v, Leave& m) { v(m.request), v(m.cancel); }
template <class V> void visit(V& v, Finished& m) {
  v(m.request), v(m.ran), v(m.outcome_known), v(m.exit_status), v(m.exit_signal), v(m.cast_bytes), v(m.cast_sha256);
  v(m.stdin_bytes), v(m.stdout_bytes), v(m.stderr_bytes), v(m.error);
}
template <class V> void visit(V& v, Refused& m) { v(m.connection), v(m.identity), v(m.target), v(m.what); }
template <class V> void visit(V& v, SpawnVerb& m) {
  v(m.request), v(m.connection), v(m.identity), v(m.argv), v(m.pty), v(m.term), v(m.columns), v(m.rows);
}
template <class V> void visit(V& v, VerbEvent& m) { v(m.request), v(m.signal), v(m.columns), v(m.rows); }
template <class V> void visit(V& v, Alarm& m) { v(m.connection), v(m.target), v(m.text); }

template <class T> struct IsVector : std::false_type {};
template <class T> struct IsVector<std::vector<T>> : std::true_type {};

template <class T>
Json toJson(const T& value);

struct Encoder {
  Json out = Json::array();
  template <class T>
  void operator()(T& field) { out.push_back(toJson(field)); }
};

// Strings travel as CBOR byte strings: commands are any bytes, and a text string would have to be UTF-8.
Json bytesOf(std::string_view text) { return Json::binary(std::vector<std::uint8_t>(text.begin(), text.end())); }

template <class T>
Json toJson(const T& value) {
  if constexpr (std::is_same_v<T, bool> || std::is_integral_v<T>) {
    return value;
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<std::uint8_t>(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return bytesOf(value);
  } else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) {
    Json out = Json::array();
    for (const auto& [key, item] : value) out.push_back(Json::array({bytesOf(key), bytesOf(item)}));
    return out;
  } else if constexpr (IsVector<T>::value) {
    Json out = Json::array();
    for (const auto& item : value) out.push_back(toJson(item));
    return out;
  } else {
    Encoder inner;
    visit(inner, const_cast<T&>(value));  // visit takes fields by reference for both directions; the encoder only reads
    return std::move(inner.out);
  }
}

template <class T>
bool fromJson(const Json& in, T& value);

struct Decoder {
  const Json& in;
  std::size_t next = 0;
  bool ok = true;
  template <class T>
  void operator()(T& field) {
    if (!ok) return;
    ok = next < in.size() && fromJson(in[next], field);
    ++next;
  }
};

bool stringFrom(const Json& in, std::string& value) {
  if (!in.is_binary() || in.get_binary().has_subtype()) return false;
  const auto& bytes = in.get_binary();
  value.assign(bytes.begin(), bytes.end());
  return true;
}

template <class T>
bool integerFrom(const Json& in, T& value) {
  if (in.is_number_unsigned()) {
    auto wide = in.get<std::uint64_t>();
    if (wide > std::uint64_t(std::numeric_limits<T>::max())) return false;
    value = T(wide);
    return true;
  }
  if constexpr (std::is_signed_v<T>) {
    if (!in.is_number_integer()) return false;
    auto wide = in.get<std::int64_t>();
    if (wide < std::int64_t(std::numeric_limits<T>::min())) return false;
    value = T(wide);
    return true;
  }
  return false;
}

bool mapFrom(const Json& in, std::map<std::string, std::string>& value) {
  if (!in.is_array()) return false;
  for (const Json& pair : in) {
    std::string key, item;
    if (!pair.is_array() || pair.size() != 2 || !stringFrom(pair[0], key) || !stringFrom(pair[1], item)) return false;
    // Ascending and unique, so that a value has one encoding only.
    if (!value.empty() && key <= value.rbegin()->first) return false;
    value.emplace(std::move(key), std::move(item));
  }
  return true;
}

template <class T>
bool fromJson(const Json& in, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!in.is_boolean()) return false;
    value = in.get<bool>();
    return true;
  } else if constexpr (std::is_same_v<T, Outcome::Kind>) {
    std::uint8_t number = 0;
    if (!integerFrom(in, number) || number > std::uint8_t(Outcome::Kind::Trouble)) return false;
    value = Outcome::Kind(number);
    return true;
  } else if constexpr (std::is_integral_v<T>) {
    return integerFrom(in, value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return stringFrom(in, value);
  } else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) {
    return mapFrom(in, value);
  } else if constexpr (IsVector<T>::value) {
    if (!in.is_array()) return false;
    for (const Json& item : in) {
      typename T::value_type element;
      if (!fromJson(item, element)) return false;
      value.push_back(std::move(element));
    }
    return true;
  } else {
    if (!in.is_array()) return false;
    Decoder inner{in};
    visit(inner, value);
    return inner.ok && inner.next == in.size();
  }
}

// The CBOR decoder recurses on every array head; 60 KB of 0x81 ends the process. Heads are walked here first, without recursion.
bool nestingWithinLimit(std::string_view bytes) {
  std::vector<std::uint64_t> open;  // items still due in each open array
  std::size_t at = 0;
  do {
    if (at >= bytes.size()) return false;
    auto head = static_cast<unsigned char>(bytes[at++]);
    unsigned major = head >> 5U;
    unsigned info = head & 31U;
    std::uint64_t argument = info;
    if (info >= 24) {
      if (info > 27) return false;  // indefinite lengths and reserved values: we never send them
      std::size_t width = std::size_t(1) << (info - 24);
      if (bytes.size() - at < width) return false;
      argument = 0;
      for (std::size_t i = 0; i < width; ++i) argument = argument << 8U | static_cast<unsigned char>(bytes[at++]);
    }
    bool opened = false;
    switch (major) {
      case 0:
      case 1: break;
      case 2:
        if (argument > bytes.size() - at) return false;
        at += argument;
        break;
      case 4:
        if (argument > bytes.size() - at) return false;  // every item takes a byte at least
        if (argument > 0) {
          if (open.size() >= std::size_t(kMaxMessageNesting)) return false;
          open.push_back(argument);
          opened = true;
        }
        break;
      case 7:
        if (info != 20 && info != 21) return false;  // only false and true
        break;
      default: return false;  // text, maps, tags: not in our messages
    }
    if (opened) continue;
    while (!open.empty() && --open.back() == 0) open.pop_back();
  } while (!open.empty());
  return at == bytes.size();
}

template <class Variant>
std::string encodeVariant(const Variant& message) {
  Json out = Json::array();
  out.push_back(message.index());
  std::visit([&](const auto& value) { out.push_back(toJson(value)); }, message);
  std::string bytes;
  Json::to_cbor(out, nlohmann::detail::output_adapter<char>(bytes));
  return bytes;
}

template <class Variant, std::size_t I = 0>
bool decodeAlternative(std::size_t index, const Json& in, Variant& out) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return false;
  } else {
    if (index != I) return decodeAlternative<Variant, I + 1>(index, in, out);
    std::variant_alternative_t<I, Variant> value;
    if (!fromJson(in, value)) return false;
    out = std::move(value);
    return true;
  }
}

template <class Variant>
tl::expected<Variant, std::string> decodeVariant(std::string_view payload) {
  if (payload.size() > kMaxMessageBytes) return tl::make_unexpected("message too long");
  if (!nestingWithinLimit(payload)) return tl::make_unexpected("message is not of our CBOR subset");
  Json in = Json::from_cbor(payload.begin(), payload.end(), true, false);
  if (in.is_discarded() || !in.is_array() || in.size() != 2 || !in[0].is_number_unsigned()) return tl::make_unexpected("message is not [type, fields]");
  Variant out;
  if (!decodeAlternative<Variant>(in[0].get<std::size_t>(), in[1], out)) return tl::make_unexpected("message of unknown type or wrong fields");
  return out;
}

}  // namespace

std::string encode(const ToWorker& message) { return encodeVariant(message); }
std::string encode(const ToKeeper& message) { return encodeVariant(message); }
tl::expected<ToWorker, std::string> decodeToWorker(std::string_view payload) { return decodeVariant<ToWorker>(payload); }
tl::expected<ToKeeper, std::string> decodeToKeeper(std::string_view payload) { return decodeVariant<ToKeeper>(payload); }

int descriptorsOf(const ToWorker& message) {
  if (std::holds_alternative<Accept>(message) || std::holds_alternative<SessionOpened>(message)) return 1;
  if (const auto* dialed = std::get_if<Dialed>(&message)) return dialed->error.empty() ? 1 : 0;
  if (const auto* credential = std::get_if<Credential>(&message)) return credential->identity && credential->error.empty() ? 1 : 0;
  if (const auto* verb = std::get_if<VerbStarted>(&message)) return !verb->error.empty() ? 0 : verb->pty ? 1 : 3;
  return 0;
}

}  // namespace ptygate::base
