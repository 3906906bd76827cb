// SPDX-License-Identifier: Apache-2.0
#include "proxy/prompt/prompt.h"

#include <algorithm>
#include <utility>

#include "proxy/base/safe_text.h"

namespace ptygate::prompt {
namespace {

constexpr char kEsc = 0x1b, kCtrlC = 0x03, kCtrlD = 0x04, kCtrlU = 0x15, kBackspace = 0x08, kDelete = 0x7f;
constexpr std::size_t kRowsForStatus = 3;

std::string nameOf(const HoldShown& hold) {
  return std::to_string(hold.id) + "-" + base::escapeLine(hold.tag);
}

bool isSameRequest(const HoldShown& a, const HoldShown& b) {
  return a.tag == b.tag && a.command == b.command;
}

char lower(char key) {
  return key >= 'A' && key <= 'Z' ? char(key - 'A' + 'a') : key;
}

bool isEnter(char key) {
  return key == '\r' || key == '\n';
}

void dropLastCharacter(std::string& text) {
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.pop_back();
  if (!text.empty()) text.pop_back();
}

std::string_view nextWord(std::string_view& text) {
  const std::size_t start = std::min(text.find_first_not_of(' '), text.size());
  const std::size_t end = std::min(text.find(' ', start), text.size());
  const std::string_view word = text.substr(start, end - start);
  text.remove_prefix(std::min(text.find_first_not_of(' ', end), text.size()));
  return word;
}

}  // namespace

Prompt::Prompt(Options options) : options_(std::move(options)) {
  if (!options_.is_terminal) options_.colour = false;
}

std::vector<Action> Prompt::apply(const Event& event, WallTime now) {
  now_ = now;
  settled_at_ = std::min(settled_at_, now);  // the clock stepped back: settle anew instead of ignoring keys for an hour
  out_.clear();
  if (is_done_) return {};
  std::visit([this](const auto& e) { on(e); }, event);
  if (!is_done_) drawStatus();
  return std::exchange(out_, {});
}

// ---- what the gate tells --------------------------------------------------------------------------------------------------------

void Prompt::on(const Snapshot& event) {
  std::vector<HoldShown> kept;
  bool has_new = false;
  uncounted_ = event.holds.size() > kMaxQueue ? event.holds.size() - kMaxQueue : 0;
  const auto incoming = [&](std::uint64_t id) {
    return std::find_if(event.holds.begin(), event.holds.end(), [&](const HoldShown& h) { return h.id == id; });
  };
  bool is_shown_same = true;
  for (const HoldShown& known : queue_) {  // in the order that skipping made
    const auto now_is = incoming(known.id);
    if (now_is == event.holds.end()) continue;
    if (known.id == shown_) is_shown_same = isSameRequest(known, *now_is);
    kept.push_back(*now_is);
  }
  for (const HoldShown& hold : event.holds) {
    if (find(hold.id) != nullptr || kept.size() >= kMaxQueue) continue;
    kept.push_back(hold);
    has_new = true;
  }
  queue_ = std::move(kept);
  if (has_new) out_.emplace_back(Bell{});
  if (shown_ != 0 && mode_ != Mode::Asked && (find(shown_) == nullptr || !is_shown_same)) lose("is no longer held");
  if (mode_ == Mode::Idle) showNext(kSettleReplaced);
}

void Prompt::on(const Updated& event) {
  HoldShown* known = find(event.hold.id);
  if (known == nullptr) {
    if (queue_.size() >= kMaxQueue) {
      ++uncounted_;
      return;
    }
    queue_.push_back(event.hold);
    out_.emplace_back(Bell{});
    if (mode_ == Mode::Idle) showNext(kSettleReplaced);
    return;
  }
  const bool is_same = isSameRequest(*known, event.hold);
  const bool is_news = known->approved_by != event.hold.approved_by || (known->attached == 0) != (event.hold.attached == 0) ||
                       known->approvals_needed != event.hold.approvals_needed;
  *known = event.hold;
  if (event.hold.id != shown_ || mode_ == Mode::Asked) {
    if (mode_ == Mode::Idle) showNext(kSettleReplaced);
    return;
  }
  if (!is_same) {
    lose("changed");
    if (mode_ == Mode::Idle) showNext(kSettleReplaced);
    return;
  }
  if (!is_news) return;
  std::string text = nameOf(*known) + ": has " + std::to_string(known->approved_by.size()) + " of " +
                     std::to_string(known->approvals_needed) + " approvals";
  if (known->attached == 0) text += ", AGENT GONE";
  line(text);
}

void Prompt::on(const Gone& event) {
  std::erase_if(queue_, [&](const HoldShown& h) { return h.id == event.id; });
  if (event.id != shown_ || mode_ == Mode::Asked) return;
  lose("is gone: " + event.how);
  if (mode_ == Mode::Idle) showNext(kSettleReplaced);
}

void Prompt::on(const Answered& event) {
  if (mode_ != Mode::Asked || event.id != shown_) return;
  line(base::escapeLine(event.text));
  const auto at = std::find_if(queue_.begin(), queue_.end(), [&](const HoldShown& h) { return h.id == event.id; });
  if (at != queue_.end()) {
    if (event.done) at->approved_by.push_back(options_.person);  // until the gate's own update comes, do not offer it again
    std::rotate(at, at + 1, queue_.end());
  }
  showNext(kSettle);
}

/// The hold on the screen went away under the person's fingers.
void Prompt::lose(const std::string& how) {
  out_.emplace_back(Bell{});
  line("hold " + std::to_string(shown_) + " " + base::escapeLine(how));
  shown_ = 0;
  if (mode_ == Mode::Reason && options_.is_terminal) {
    line("your reason was not sent. Press Enter to go on");
    mode_ = Mode::NeedEnter;
  } else {
    mode_ = Mode::Idle;
  }
  typed_.clear();
}

// ---- what the person does -------------------------------------------------------------------------------------------------------

void Prompt::on(const Keys& event) {
  if (!options_.is_terminal) {
    for (const char c : event.bytes) {
      if (c == '\n') {
        const std::string text = std::exchange(typed_, {});
        if (std::exchange(overlong_, false)) {
          line("that line is too long");
        } else {
          plainLine(text);
        }
        if (is_done_) return;
      } else if (typed_.size() < kMaxLine) {
        typed_ += c;
      } else {
        overlong_ = true;
      }
    }
    return;
  }
  const std::string keys = plainKeys(event.bytes);
  if (keys.find(kCtrlC) != std::string::npos) {
    if (mode_ != Mode::Reason) return quit();
    mode_ = Mode::Choose;
    typed_.clear();
    settled_at_ = now_;
    return line("not denied");
  }
  if (mode_ == Mode::Reason) {
    const std::uint64_t hold = shown_;
    for (const char key : keys) {
      if (mode_ != Mode::Reason || shown_ != hold) break;  // what follows Enter in one read is a paste
      reasonKey(key);
    }
    return;
  }
  if (mode_ == Mode::NeedEnter) {
    if (std::any_of(keys.begin(), keys.end(), isEnter)) {
      mode_ = Mode::Idle;
      showNext(kSettle);
    }
    return;
  }
  std::string typed;
  std::copy_if(keys.begin(), keys.end(), std::back_inserter(typed), [](char c) { return !isEnter(c); });
  if (typed.empty()) return;
  if (typed.size() == 1 && (lower(typed[0]) == 'q' || typed[0] == kCtrlD)) return quit();
  if (mode_ != Mode::Choose) return;
  if (typed.size() > 1) {
    settled_at_ = now_;
    return line("several keys at once: taken for a paste and ignored. Press one key");
  }
  if (now_ - settled_at_ < settle_) {
    settled_at_ = now_;  // a key that is held down never gets through
    return;
  }
  chooseKey(lower(typed[0]));
}

/// Takes escape sequences out, whole, also when they come in several reads.
std::string Prompt::plainKeys(std::string_view bytes) {
  std::string keys;
  for (const char c : bytes) {
    switch (key_state_) {
      case KeyState::Plain:
        if (c == kEsc) {
          key_state_ = KeyState::Escape;
        } else {
          keys += c;
        }
        break;
      case KeyState::Escape:
        key_state_ = c == '[' ? KeyState::Csi : c == 'O' ? KeyState::Ss3 : c == kEsc ? KeyState::Escape : KeyState::Plain;
        if (c == kCtrlC) keys += c;
        break;
      case KeyState::Csi:
        if (c == kCtrlC) keys += c;
        if (c == kEsc) {
          key_state_ = KeyState::Escape;
        } else if (c < 0x20 || c >= 0x40) {  // bytes over 0x7f are negative here: they end it too
          key_state_ = KeyState::Plain;
        }
        break;
      case KeyState::Ss3:
        if (c == kCtrlC) keys += c;
        key_state_ = KeyState::Plain;
        break;
    }
  }
  return keys;
}

void Prompt::chooseKey(char key) {
  HoldShown* hold = find(shown_);
  if (hold == nullptr) return;
  switch (key) {
    case 'a':
      return approveShown();
    case 'd':
      return ask(*hold, false, "");
    case 'r':
      line("reason, then Enter (begin with + to let the agent change the command and retry; C-c: do not deny):");
      mode_ = Mode::Reason;
      typed_.clear();
      return;
    case 's':
      return skip();
    case 'w':
      if (hold->session.empty()) return line("this hold has no session to watch");
      clearStatus();
      out_.emplace_back(Watch{hold->session});
      return;
    case ' ':
      return showPage(false);
    case 'l':
      return showPage(true);
    default:
      return line("A approve, D deny, R reason then deny, S skip, W watch, Q quit");
  }
}

void Prompt::approveShown() {
  const HoldShown* hold = find(shown_);
  if (lines_shown_ < lines_.size()) {
    return line("not all of it was on the screen: " + std::to_string(lines_.size() - lines_shown_) + " more lines (SPACE, L for all)");
  }
  if (hold->expires_at && *hold->expires_at <= now_) return line("too late: " + nameOf(*hold) + " expired");
  ask(*hold, true, "");
}

void Prompt::reasonKey(char key) {
  if (isEnter(key)) {
    const HoldShown* hold = find(shown_);
    return ask(*hold, false, std::exchange(typed_, {}));
  }
  if (key == kBackspace || key == kDelete) return dropLastCharacter(typed_);
  if (key == kCtrlU) return typed_.clear();
  if (static_cast<unsigned char>(key) >= 0x20 && typed_.size() < kMaxReason) typed_ += key;
}

void Prompt::plainLine(std::string_view text) {
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  const std::string verb(nextWord(text));
  if (verb.empty()) return;
  if (verb == "q") return quit();
  if (mode_ != Mode::Choose) return line(mode_ == Mode::Asked ? "wait for the gate's answer" : "nothing is held for you");
  if (verb == "s") return skip();
  const HoldShown* hold = find(shown_);
  if (verb == "w") return chooseKey('w');
  const bool names_shown = (verb == "a" || verb == "d") && nextWord(text) == std::to_string(hold->id) + "-" + hold->tag;
  if (!names_shown) return line("answer with: a " + nameOf(*hold) + " | d " + nameOf(*hold) + " [reason] | s | w | q");
  if (verb == "a") return approveShown();
  if (text.size() > kMaxReason) return line("the reason is longer than " + std::to_string(kMaxReason) + " bytes");
  ask(*hold, false, std::string(text));
}

void Prompt::ask(const HoldShown& hold, bool approve, std::string reason) {
  const bool may_retry = !reason.empty() && reason[0] == '+';
  if (may_retry) reason.erase(0, reason.size() > 1 && reason[1] == ' ' ? 2 : 1);
  mode_ = Mode::Asked;
  line((approve ? "approving " : "denying ") + nameOf(hold) + (reason.empty() ? "" : ": " + base::escapeLine(reason)));
  out_.emplace_back(Ask{approve, hold.id, hold.tag, std::move(reason), may_retry});
}

void Prompt::skip() {
  const auto at = std::find_if(queue_.begin(), queue_.end(), [&](const HoldShown& h) { return h.id == shown_; });
  if (at != queue_.end()) std::rotate(at, at + 1, queue_.end());
  line("skipped " + std::to_string(shown_));
  showNext(kSettle);
}

void Prompt::quit() {
  clearStatus();
  is_done_ = true;
  out_.emplace_back(Quit{});
}

void Prompt::on(const EndOfInput&) {
  quit();
}

void Prompt::on(const Resize& event) {
  options_.columns = event.columns;
  options_.rows = event.rows;
  status_.clear();  // the terminal wrapped it its own way; a fresh line is cleaner than a wrong erase
  if (mode_ == Mode::Choose && lines_shown_ < lines_.size()) on(Redraw{});
}

void Prompt::on(const Redraw&) {
  status_.clear();
  const HoldShown* hold = find(shown_);
  if (hold == nullptr || mode_ != Mode::Choose) return;
  lines_ = renderHold(*hold, style());
  lines_shown_ = 0;
  settled_at_ = now_;
  settle_ = kSettle;
  showPage(!options_.is_terminal);
}

void Prompt::on(const Tick&) {}

// ---- the screen -----------------------------------------------------------------------------------------------------------------

void Prompt::showNext(std::chrono::milliseconds settle) {
  shown_ = 0;
  mode_ = Mode::Idle;
  lines_.clear();
  lines_shown_ = 0;
  const auto next = std::find_if(queue_.begin(), queue_.end(), [&](const HoldShown& h) { return !isMine(h); });
  if (next == queue_.end()) {
    if (!options_.is_terminal && !std::exchange(said_idle_, true)) line("nothing is held for you; waiting");
    return;
  }
  said_idle_ = false;
  shown_ = next->id;
  mode_ = Mode::Choose;
  settled_at_ = now_;
  settle_ = settle;
  lines_ = renderHold(*next, style());
  line("");
  showPage(!options_.is_terminal);
  if (!options_.is_terminal) {
    line("left   " + timeLeft(next->expires_at, now_) + "; " + std::to_string(others()) + " more held");
    line("answer with: a " + nameOf(*next) + " | d " + nameOf(*next) + " [reason] | s | w | q");
  }
}

void Prompt::showPage(bool all) {
  const std::size_t rows = std::max<std::size_t>(options_.rows, kRowsForStatus + 4) - kRowsForStatus;
  const std::size_t end = all ? lines_.size() : std::min(lines_.size(), lines_shown_ + rows);
  for (; lines_shown_ < end; ++lines_shown_) line(lines_[lines_shown_]);
}

Style Prompt::style() const {
  const std::size_t columns = std::max(options_.columns, kMinColumns + 1) - 1;  // the last column would wrap on some terminals
  return {columns, options_.colour, !options_.is_terminal};
}

HoldShown* Prompt::find(std::uint64_t id) {
  const auto at = std::find_if(queue_.begin(), queue_.end(), [&](const HoldShown& h) { return h.id == id; });
  return at == queue_.end() ? nullptr : &*at;
}

bool Prompt::isMine(const HoldShown& hold) const {
  return std::find(hold.approved_by.begin(), hold.approved_by.end(), options_.person) != hold.approved_by.end();
}

std::size_t Prompt::others() const {
  return queue_.size() + uncounted_ - (shown_ != 0 ? std::min<std::size_t>(1, queue_.size()) : 0);
}

void Prompt::say(std::string_view text) {
  if (!out_.empty() && std::holds_alternative<Write>(out_.back())) {
    std::get<Write>(out_.back()).text += text;
  } else {
    out_.emplace_back(Write{std::string(text)});
  }
}

void Prompt::line(std::string_view escaped) {
  clearStatus();
  say(escaped);
  say("\n");
}

void Prompt::clearStatus() {
  if (!status_.empty()) say("\r\x1b[K");
  status_.clear();
}

std::string Prompt::statusText() const {
  const std::string more = others() == 0 ? "" : "  " + std::to_string(others()) + " more";
  const auto at = std::find_if(queue_.begin(), queue_.end(), [&](const HoldShown& h) { return h.id == shown_; });
  switch (mode_) {
    case Mode::Idle:
      return queue_.empty() ? "nothing is held; waiting  Q quit"
                            : "nothing is held for you (" + std::to_string(queue_.size()) + " wait for others)  Q quit";
    case Mode::Asked:
      return "waiting for the gate";
    case Mode::NeedEnter:
      return "press Enter";
    case Mode::Reason:
      return "reason> ";
    case Mode::Choose:
      break;
  }
  const std::string left = at == queue_.end() ? "" : timeLeft(at->expires_at, now_) + (at->attached == 0 ? " AGENT GONE" : "");
  const std::string head = std::to_string(shown_) + "  " + left + more + "  ";
  if (lines_shown_ < lines_.size())
    return head + std::to_string(lines_.size() - lines_shown_) + " LINES MORE: SPACE, L all  D deny  R reason  S skip  Q quit";
  return head + "A approve  D deny  R reason  S skip  W watch  Q quit";
}

void Prompt::drawStatus() {
  if (!options_.is_terminal) return;
  const std::size_t width = style().columns;
  std::string text = statusText();
  if (mode_ == Mode::Reason) {
    // The end of what is typed, by columns: the line must never wrap, or it could not be rewritten.
    const std::vector<std::string> pieces = wrapColumns(base::escapeLine(typed_), width - text.size());
    text += pieces.back();
  } else if (text.size() > width) {
    text.resize(width);
  }
  if (text == status_) return;
  clearStatus();
  say(text);
  status_ = std::move(text);
}

}  // namespace ptygate::prompt
