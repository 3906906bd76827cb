// SPDX-License-Identifier: Apache-2.0
// Casts of ours in the real asciinema (Debian 12: 2.2): every one plays, and shows what `o` says. Fails where asciinema is missing.
#include <gtest/gtest.h>

#include <cstdlib>

#include "recorder/export.h"
#include "recorder/recording.h"
#include "recorder/recovery.h"
#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using testing::readFile;
using testing::sessionId;
using testing::TempDir;
using testing::writeFile;

struct Shown {
  int status = -1;
  std::string text;
};

// `asciinema cat FILE` in a home of its own. It insists on a terminal to read from, which script(1) makes; its output goes to a file.
Shown asciinemaCat(const TempDir& home, const std::string& file) {
  const std::string dir = (home / "").string();
  const std::string command = "HOME='" + dir + "' XDG_CONFIG_HOME='" + dir + "' LC_ALL=C.UTF-8 script -qec \"asciinema cat " + file +
                              " > " + dir + "shown 2>&1\" /dev/null </dev/null >/dev/null 2>&1";
  const int status = std::system(command.c_str());
  return {status, readFile(home / "shown")};
}

// What players show: the text of every `o`.
std::string shownBy(const std::string& cast) {
  CastReader reader(cast);
  EXPECT_TRUE(reader.header());
  std::string text;
  while (true) {
    auto line = reader.next();
    if (!line || !*line) break;
    if ((*line)->code == 'o') text += (*line)->data;
  }
  return text;
}

std::string everyKind() {
  CastEncoder encoder;
  std::string text = encodeHeader({132, 43, 1795169252, "bot@web1 \xff", "xterm-256color", "/bin/bash"});
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  const CastEvent events[] = {CastEvent::marker("#1 allow(r) \x01 x"),
                              CastEvent::output(all),
                              CastEvent::output(all.substr(1, 31) + " text around the controls, and more of it"),
                              CastEvent::error("stderr €\n"),
                              CastEvent::output("\xe2\x82"),
                              CastEvent::output("\xac\xff\n"),
                              CastEvent::stdinData(all),
                              CastEvent::key("\x03"),
                              CastEvent::secret(4),
                              CastEvent::input("typed\r"),
                              CastEvent::resize(100, 30),
                              CastEvent::exit(3)};
  std::int64_t at = 0;
  for (const CastEvent& event : events) encoder.encode(event, std::chrono::microseconds(at += 1000), text);
  return text;
}

void expectPlays(const std::string& cast) {
  const TempDir dir;
  writeFile(dir / "a.cast", cast);
  const Shown shown = asciinemaCat(dir, (dir / "a.cast").string());
  EXPECT_EQ(shown.status, 0) << shown.text;
  EXPECT_EQ(shown.text, shownBy(cast));
}

TEST(Asciinema, RefusesRubbish) {  // so that the other tests can fail
  const TempDir dir;
  writeFile(dir / "a.cast", "rubbish\n");
  EXPECT_NE(asciinemaCat(dir, (dir / "a.cast").string()).status, 0);
}

TEST(Asciinema, PlaysEveryKindOfEvent) {
  expectPlays(everyKind());
}

TEST(Asciinema, PlaysAnExportForPlayers) {
  std::string out;
  ASSERT_TRUE(exportCast(CastReader(everyKind()), CastLines::Players, [&out](std::string_view piece) {
    out += piece;
    return true;
  }));
  expectPlays(out);
}

TEST(Asciinema, PlaysACastThatWasRecovered) {
  const std::string cast = everyKind();
  for (const std::size_t size : {std::size_t{0}, std::size_t{20}, cast.size() / 3, cast.size() / 2, cast.size() - 5}) {
    const TempDir dir;
    writeFile(dir / castPath(sessionId()), cast.substr(0, size));
    ASSERT_TRUE(recoverCast(dir.fd(), sessionId(), 0));
    expectPlays(readFile(dir / castPath(sessionId())));
  }
}

}  // namespace
}  // namespace ptygate::recorder
