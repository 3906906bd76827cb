// SPDX-License-Identifier: Apache-2.0
#include "proxy/session/agent_voice.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "proxy/base/safe_text.h"

namespace ptygate::session {

bool AgentVoice::configure(std::string_view name, std::string_view value) {
  if (name == "PTYGATE_OUTPUT" && (value == "json" || value == "text")) {
    json_ = value == "json";
    return true;
  }
  if (name == "PTYGATE_NONCE" && value.size() <= kMaxNonceBytes &&
      std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; })) {
    nonce_ = value;
    return true;
  }
  return false;
}

std::string AgentVoice::line(std::string_view what, std::string_view text,
                             std::initializer_list<std::pair<std::string_view, std::string_view>> fields) const {
  if (!json_) return "ptygate: " + base::escapeLine(text) + "\n";
  nlohmann::ordered_json out;
  out["ptygate"] = what;
  if (!nonce_.empty()) out["nonce"] = nonce_;
  for (const auto& [key, value] : fields) {
    if (!value.empty()) out[std::string(key)] = value;
  }
  out["text"] = text;
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace ptygate::session
