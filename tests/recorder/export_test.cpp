// SPDX-License-Identifier: Apache-2.0
#include "recorder/export.h"

#include <gmock/gmock.h>

#include "recorder/ledger.h"
#include "recorder/plain_text.h"
#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using std::chrono::microseconds;
using namespace std::string_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::sessionId;
using testing::TempDir;
using testing::wall;

std::string castOf(const std::vector<CastEvent>& events) {
  CastEncoder encoder;
  std::string text = encodeHeader({80, 24, 1795169252, "bot@web1 20261120-100732-k7f3a", "", ""});
  std::int64_t at = 0;
  for (const CastEvent& event : events) encoder.encode(event, microseconds(at += 500'000), text);
  return text;
}

std::string textOf(const std::string& cast) {
  std::string out;
  EXPECT_TRUE(exportText(CastReader(cast), [&out](std::string_view piece) {
    out += piece;
    return true;
  }));
  return out;
}

std::string castLinesOf(const std::string& cast, CastLines lines) {
  std::string out;
  EXPECT_TRUE(exportCast(CastReader(cast), lines, [&out](std::string_view piece) {
    out += piece;
    return true;
  }));
  return out;
}

std::string plain(const std::vector<std::string>& pieces) {
  PlainText filter;
  std::string out;
  for (const std::string& piece : pieces) filter.append(piece, out);
  filter.finish(out);
  return out;
}

TEST(PlainText, HidesNothingAndPaintsNothing) {
  const struct {
    const char* edge;
    std::string in;
    const char* out;
  } rows[] = {
      {"colours", "\x1b[1;31mred\x1b[0m", "red"},
      {"charset and keypad", "\x1b(B\x1b=x\x1bM", "x"},
      {"a title is shown, not set", "\x1b]0;evil\x07z", "␛]0;evil␇z"},
      {"an unclosed string swallows nothing", "\x1b]52;c;AAAA rest", "␛]52;c;AAAA rest"},
      {"DCS", "\x1bPq#0\x1b\\", "␛Pq#0"},
      {"C1 CSI", "\xc2\x9b"s + "31m", "<U+009B>31m"},
      {"right-to-left override",
       "a\xe2\x80\xae"
       "b",
       "a<U+202E>b"},
      {"zero width", "\xe2\x80\x8b", "<U+200B>"},
      {"tag character", "\xf3\xa0\x81\x81", "<U+E0041>"},
      {"CR LF, CR, LF", "a\r\nb\rc\nd", "a\nb\nc\nd"},
      {"CR at the end", "a\r", "a\n"},
      {"NUL, BEL, backspace, DEL", std::string("\0\a\b\x7f", 4), "␀␇␈␡"},
      {"escape in an escape", "\x1b\x1b[31mx", "␛x"},
      {"newline in a sequence", "\x1b[3\nx", "␛[3\nx"},
      {"escape at the end", "x\x1b", "x␛"},
      {"a sequence longer than any", "\x1b[" + std::string(80, '1') + "m", nullptr},
      {"not UTF-8", "a\xffz", "a\xEF\xBF\xBDz"},
      {"text stays", "größe 日本\t😀", "größe 日本\t😀"},
  };
  for (const auto& row : rows) {
    if (row.out) {
      EXPECT_EQ(plain({row.in}), row.out) << row.edge;
    } else {
      EXPECT_THAT(plain({row.in}), HasSubstr("11111")) << row.edge;
    }
    EXPECT_EQ(plain({row.in}).find('\x1b'), std::string::npos) << row.edge;
  }
}

TEST(PlainText, IsTheSameForAnySplitOfSequences) {
  const std::string text = "\x1b[1;31mred\x1b[0m\r\n\x1b]0;t\x07\x1b(Bend\r";
  for (std::size_t i = 0; i <= text.size(); ++i) EXPECT_EQ(plain({text.substr(0, i), text.substr(i)}), plain({text})) << i;
}

TEST(PlainText, KeepsALineOneLine) {
  EXPECT_EQ(plainLine("a\n\t\x1b[31m\xff\xe2\x80\xa8"), "a␊␉␛[31m\xEF\xBF\xBD<U+2028>");
}

TEST(TextExport, LetsNothingRecordedLookLikeALineOfTheGate) {
  const std::string text =
      textOf(castOf({CastEvent::marker("#1 allow(r) x\n== forged"), CastEvent::output("\n== 0.100 s  #2 allow(all) rm\n\r== x"),
                     CastEvent::error("== y\n"), CastEvent::exit(0)}));
  std::istringstream in(text);
  std::vector<std::string> headings;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("== ")) headings.push_back(line);
  }
  EXPECT_THAT(headings, ::testing::ElementsAre("== bot@web1 20261120-100732-k7f3a", "== started 2026-11-20T10:07:32.000Z, 80x24",
                                               "== 0.500 s  #1 allow(r) x␊== forged", "== 2.000 s  exit status 0"));
}

TEST(TextExport, ShowsCommandsStreamsAndKeysApart) {
  const std::string text = textOf(castOf({CastEvent::marker("#1 allow(r) sh"), CastEvent::output("one\ntw"), CastEvent::error("bad\n"),
                                          CastEvent::output("o\n"), CastEvent::stdinData("data\n"), CastEvent::key("\x03"),
                                          CastEvent::secret(9), CastEvent::resize(100, 30), CastEvent::exit(3)}));
  EXPECT_THAT(text, HasSubstr("== 0.500 s  #1 allow(r) sh\nout| one\nout| tw\nerr| bad\nout| o\nin | data\nkey| ␃\nkey| [9 bytes of secret "
                              "input, not recorded]\n"
                              "== 4.000 s  size 100x30\n== 4.500 s  exit status 3\n"));
}

TEST(TextExport, NamesBinaryDataAndTheTextHiddenInIt) {
  std::string binary(200, '\x01');
  binary += "rm -rf /important";
  binary += std::string(100, '\0');
  const std::string text = textOf(castOf({CastEvent::output(binary), CastEvent::stdinData(binary), CastEvent::exit(0)}));
  EXPECT_THAT(text, HasSubstr("out| [317 bytes of binary data; text in it: rm -rf /important]\nin | [317 bytes"));
}

TEST(TextExport, SaysWhenTheRecordingIsUnfinished) {
  const std::string cast = castOf({CastEvent::output("a\xe2\x82")});
  EXPECT_THAT(textOf(cast), HasSubstr("out| a\xEF\xBF\xBD\n== the recording ends here"));
  EXPECT_THAT(textOf(cast + "[9.0,\"o"), HasSubstr("== the recording ends here"));
}

TEST(TextExport, StopsWhenNobodyReads) {
  int calls = 0;
  ASSERT_TRUE(exportText(CastReader(castOf({CastEvent::marker("#1"), CastEvent::marker("#2")})),
                         [&calls](std::string_view) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

TEST(TextExport, RefusesADamagedCast) {
  EXPECT_FALSE(exportText(CastReader(castOf({}) + "rubbish\n"), [](std::string_view) { return true; }));
}

TEST(CastExport, IsTheCastByteForByte) {
  const std::string cast = castOf(
      {CastEvent::output("a\xff\"\x1b"), CastEvent::error("€\xe2"), CastEvent::key("\x7f"), CastEvent::stdinData("x"), CastEvent::exit(0)});
  EXPECT_EQ(castLinesOf(cast, CastLines::All), cast);
}

TEST(CastExport, LeavesOutWhatPlayersDoNotShow) {
  const std::string cast = castOf({CastEvent::output("a\xff"), CastEvent::error("b\n"), CastEvent::key("k"), CastEvent::stdinData("s"),
                                   CastEvent::input("i"), CastEvent::exit(0)});
  const std::string out = castLinesOf(cast, CastLines::Players);
  EXPECT_THAT(out, Not(::testing::ContainsRegex(R"("[behski]",)")));
  EXPECT_THAT(out, HasSubstr(R"("x","0")"));
}

TEST(JsonlExport, GivesTheLinesOfOneSessionExactly) {
  const TempDir dir;
  Ledger ledger = std::move(*Ledger::open(dir.fd(), {}));
  const auto add = [&ledger](LedgerEvent event) { ASSERT_TRUE(ledger.append(event, wall())); };
  add(LedgerEvent{"request", {}}.set("request", 1));
  add(LedgerEvent{"request", {}}.set("request", 2));
  add(LedgerEvent{"session_opened", {}}.set("session", sessionId().text()).set("request", 1));
  add(LedgerEvent{"exit", {}}.set("session", sessionId("20261120-100733-aaaaa").text()).set("request", 1));
  add(LedgerEvent{"seal", {}}.set("session", sessionId().text()));
  ASSERT_TRUE(ledger.flush());
  std::string out;
  ASSERT_TRUE(exportJsonl(dir.fd(), sessionId(), [&out](std::string_view piece) {
    out += piece;
    return true;
  }));
  std::istringstream in(out);
  std::vector<std::uint64_t> numbers;
  for (std::string line; std::getline(in, line);) numbers.push_back(parseLedgerLine(line)->n);
  EXPECT_THAT(numbers, ::testing::ElementsAre(0U, 2U, 4U));
}

}  // namespace
}  // namespace ptygate::recorder
