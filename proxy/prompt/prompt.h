// SPDX-License-Identifier: Apache-2.0
// The reviewer's prompt as a pure machine: what the gate tells and what the person types goes in, text and answers come out. It holds no
// descriptor, no clock and no connection (verbs/review wires it), and it decides nothing: the desk judges every Ask again.
//
// What it promises: an Ask names the id and tag of the hold that was on the screen, wholly, when the key was pressed.
//  - A key never counts for a hold that appeared less than kSettle before it (kSettleReplaced when it came, or the earlier one went, by
//  itself),
//    and every key that is ignored for this starts the time anew: holding a key down answers one hold only.
//  - Several keys in one read are a paste: they answer nothing.
//  - Escape sequences (arrow keys hold an 'A') are swallowed.
//  - A hold that does not fit the screen is shown page by page, and cannot be approved before its last line was shown.
//  - A reason whose hold went away is thrown away, and keys count again only after Enter.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proxy/prompt/screen.h"

namespace ptygate::prompt {

// ---- events ----
struct Snapshot {
  std::vector<HoldShown> holds;
};  ///< all that is held, oldest first; replaces what was known
struct Updated {
  HoldShown hold;
};  ///< new, or changed (approvals, agent gone or back)
struct Gone {
  std::uint64_t id = 0;
  std::string how;
};  ///< no longer held: "approved by bob", "expired" …
struct Answered {
  std::uint64_t id = 0;
  bool done = false;
  std::string text;
};  ///< the gate's result of an Ask
struct Keys {
  std::string bytes;
};  ///< one read from the terminal or pipe
struct EndOfInput {};
struct Resize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};
struct Redraw {};  ///< after something else used the terminal (Watch)
struct Tick {};    ///< about once a second
using Event = std::variant<Snapshot, Updated, Gone, Answered, Keys, EndOfInput, Resize, Redraw, Tick>;

// ---- actions ----
struct Write {
  std::string text;
};  ///< lines end with LF; the terminal's own output processing is on
struct Bell {};
struct Ask {
  bool approve = false;
  std::uint64_t id = 0;
  std::string tag;
  std::string reason;
  bool may_change_and_retry = false;
};
struct Watch {
  std::string session;
};
struct Quit {};
using Action = std::variant<Write, Bell, Ask, Watch, Quit>;

class Prompt {
 public:
  static constexpr std::chrono::milliseconds kSettle{300};
  static constexpr std::chrono::milliseconds kSettleReplaced{1000};
  static constexpr std::size_t kMaxReason = 500;  ///< bytes typed
  static constexpr std::size_t kMaxLine = 2000;   ///< bytes of one line in plain mode
  static constexpr std::size_t kMaxQueue = 8192;  ///< holds known at once; later ones are counted only

  struct Options {
    std::string person;       ///< who answers: a hold that they approved already is not offered again
    bool is_terminal = true;  ///< false: plain mode. Line by line ("a 42-k7f3"), no colour, no line that changes
    bool colour = true;
    std::size_t columns = 80;
    std::size_t rows = 24;
  };
  explicit Prompt(Options options);

  /// Takes one event; `now` is wall time (for time left and the settling time; a step back starts the settling time anew).
  [[nodiscard]] std::vector<Action> apply(const Event& event, WallTime now);

  /// The hold on the screen; 0: none.
  [[nodiscard]] std::uint64_t shown() const { return shown_; }

 private:
  enum class Mode : std::uint8_t {
    Idle,       ///< nothing on the screen
    Choose,     ///< a hold is on the screen, a key answers it
    Reason,     ///< the reason of a denial is being typed
    Asked,      ///< an Ask is out
    NeedEnter,  ///< what was being typed lost its hold: Enter first
  };
  enum class KeyState : std::uint8_t { Plain, Escape, Csi, Ss3 };

  void on(const Snapshot& event);
  void on(const Updated& event);
  void on(const Gone& event);
  void on(const Answered& event);
  void on(const Keys& event);
  void on(const EndOfInput&);
  void on(const Resize& event);
  void on(const Redraw&);
  void on(const Tick&);

  [[nodiscard]] std::string plainKeys(std::string_view bytes);
  void chooseKey(char key);
  void reasonKey(char key);
  void plainLine(std::string_view line);
  void ask(const HoldShown& hold, bool approve, std::string reason);
  void approveShown();
  void showNext(std::chrono::milliseconds settle);
  void showPage(bool all);
  void lose(const std::string& how);
  void skip();
  void quit();
  [[nodiscard]] HoldShown* find(std::uint64_t id);
  [[nodiscard]] bool isMine(const HoldShown& hold) const;
  [[nodiscard]] std::size_t others() const;
  [[nodiscard]] Style style() const;
  void say(std::string_view text);
  void line(std::string_view escaped);
  void clearStatus();
  void drawStatus();
  [[nodiscard]] std::string statusText() const;

  Options options_;
  WallTime now_{};
  std::vector<Action> out_;
  std::vector<HoldShown> queue_;  // the next one to offer first; skipped ones at the end
  std::size_t uncounted_ = 0;     // over kMaxQueue
  Mode mode_ = Mode::Idle;
  std::uint64_t shown_ = 0;
  std::vector<std::string> lines_;  // of the shown hold
  std::size_t lines_shown_ = 0;
  WallTime settled_at_{};
  std::chrono::milliseconds settle_ = kSettle;
  KeyState key_state_ = KeyState::Plain;
  std::string typed_;   // the reason, or the line in plain mode
  std::string status_;  // what stands on the line that changes
  bool overlong_ = false;
  bool said_idle_ = false;
  bool is_done_ = false;
};

}  // namespace ptygate::prompt
