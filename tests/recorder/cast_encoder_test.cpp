// SPDX-License-Identifier: Apache-2.0
#include "recorder/cast_encoder.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using std::chrono::microseconds;
using namespace std::string_literals;
using namespace std::string_view_literals;
using testing::decode;

std::string encoded(const std::vector<CastEvent>& events) {
  CastEncoder encoder;
  std::string out;
  for (const CastEvent& event : events) encoder.encode(event, microseconds(1'500'000), out);
  return out;
}

std::string repeated(std::string_view piece, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += piece;
  return out;
}

// Every line as a JSON parser that is not ours sees it.
void expectAsciicastLines(const std::string& lines) {
  std::istringstream in(lines);
  double last = 0;
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(json.is_array()) << line.substr(0, 200);
    ASSERT_EQ(json.size(), 3U);
    ASSERT_TRUE(json[0].is_number());
    ASSERT_GE(json[0].get<double>(), last);
    last = json[0].get<double>();
    ASSERT_TRUE(json[1].is_string());
    ASSERT_EQ(json[1].get<std::string>().size(), 1U);
    ASSERT_TRUE(json[2].is_string());
    ASSERT_LE(line.size(), kMaxCastLineBytes);
  }
}

TEST(CastEncoder, WritesEachKindAsOneDocumentedLine) {
  const struct {
    const char* edge;
    CastEvent event;
    const char* line;
  } rows[] = {
      {"plain output", CastEvent::output("ok\r\n"), R"([1.500000,"o","ok\r\n"])"},
      {"quotes, backslash, escape, NUL", CastEvent::output("\"\\\x1b[0m\0"sv), R"([1.500000,"o","\"\\\u001b[0m\u0000"])"},
      {"DEL and UTF-8 stay", CastEvent::output("\x7f€"), "[1.500000,\"o\",\"\x7f€\"]"},
      {"stdin", CastEvent::stdinData("a\xff"), R"([1.500000,"s","Yf8="])"},
      {"key", CastEvent::key("\x03"), R"([1.500000,"k","\u0003"])"},
      {"secret", CastEvent::secret(12), R"([1.500000,"k","secret 12"])"},
      {"marker", CastEvent::marker("#7 allow(rule) id"), R"([1.500000,"m","#7 allow(rule) id"])"},
      {"resize", CastEvent::resize(132, 43), R"([1.500000,"r","132x43"])"},
      {"exit", CastEvent::exit(255), R"([1.500000,"x","255"])"},
      {"input", CastEvent::input("ls\r"), R"([1.500000,"i","ls\r"])"},
  };
  for (const auto& row : rows) EXPECT_EQ(encoded({row.event}), row.line + "\n"s) << row.edge;
}

TEST(CastEncoder, WritesStderrAsATwinBeforeItsOutput) {
  EXPECT_EQ(encoded({CastEvent::error("no\n")}), "[1.500000,\"e\",\"no\\n\"]\n[1.500000,\"o\",\"no\\n\"]\n");
}

TEST(CastEncoder, WritesInvalidBytesExactlyBesideWhatIsShown) {
  EXPECT_EQ(encoded({CastEvent::output("caf\xe9 ok")}),
            "[1.500000,\"o\",\"caf\"]\n[1.500000,\"b\",\"6SBvaw==\"]\n[1.500000,\"o\",\"\xEF\xBF\xBD ok\"]\n");
}

TEST(CastEncoder, WritesHalfACharacterAtOnceAndShowsItWhole) {
  EXPECT_EQ(encoded({CastEvent::output("1\xe2\x82"), CastEvent::output("\xac")}),
            "[1.500000,\"o\",\"1\"]\n[1.500000,\"h\",\"1 4oI=\"]\n[1.500000,\"o\",\"€\"]\n");
}

TEST(CastEncoder, ShowsHalfACharacterAsReplacementBeforeTheExit) {
  EXPECT_EQ(encoded({CastEvent::output("\xe2\x82"), CastEvent::exit(0)}),
            "[1.500000,\"h\",\"1 4oI=\"]\n[1.500000,\"b\",\"4oI=\"]\n[1.500000,\"o\",\"\xEF\xBF\xBD\"]\n[1.500000,\"x\",\"0\"]\n");
}

TEST(CastEncoder, NeverLetsTimeGoBack) {
  CastEncoder encoder;
  std::string out;
  for (const auto at : {-5, 2'000'001, 1'000'000, 3'000'000}) encoder.encode(CastEvent::output("."), microseconds(at), out);
  EXPECT_EQ(out, "[0.000000,\"o\",\".\"]\n[2.000001,\"o\",\".\"]\n[2.000001,\"o\",\".\"]\n[3.000000,\"o\",\".\"]\n");
}

TEST(CastEncoder, WritesNothingForNoBytes) {
  EXPECT_EQ(encoded({CastEvent::output(""), CastEvent::error(""), CastEvent::stdinData("")}), "");
}

TEST(CastEncoder, DoesNotTakeATypedLineForASecret) {
  const auto streams = decode(encoded({CastEvent::key("secret 12"), CastEvent::secret(12), CastEvent::key("secret")}));
  EXPECT_EQ(streams.problem, "");
  EXPECT_THAT(streams.keys, ::testing::ElementsAre("secret 12", "secret"));
  EXPECT_THAT(streams.secrets, ::testing::ElementsAre(12U));
}

TEST(CastEncoder, CutsALongMarkerOnACharacter) {
  const auto streams = decode(encoded({CastEvent::marker(repeated("€", 4000))}));
  ASSERT_EQ(streams.markers.size(), 1U);
  EXPECT_LE(streams.markers[0].size(), kMaxMarkerBytes + 3);
  EXPECT_TRUE(streams.markers[0].ends_with("€…"));
}

TEST(CastEncoder, ShowsBinaryDataAsOneReplacementCharacter) {
  std::string bytes(60'000, '\0');
  std::mt19937 random(7);
  for (char& byte : bytes) byte = static_cast<char>(random());
  const std::string lines = encoded({CastEvent::output(bytes)});
  EXPECT_LT(lines.size(), bytes.size() * 4 / 3 + 200);
  EXPECT_EQ(decode(lines).output, bytes);
}

TEST(CastEncoder, KeepsLatin1TextReadable) {
  const std::string text = repeated("Gr\xfc\xdf Gott, sch\xf6n hier. ", 2000);
  const std::string lines = encoded({CastEvent::output(text)});
  EXPECT_NE(lines.find("\xEF\xBF\xBD\xEF\xBF\xBD Gott"), std::string::npos);
  EXPECT_EQ(decode(lines).output, text);
}

TEST(CastEncoder, GivesBackTheExactBytesOfEveryStreamForAnySplit) {
  const std::string alphabets[] = {"ab \n\"\\", "a€ü😀\n", "\xe2\x82\xac\xf0\x9f\x98\x80\xff\xc0z",
                                   std::string("\0\x1b\x07\x1f\x7f\x80\xbf\xc2\xed\xa0\xf4\x90", 12)};
  std::mt19937 random(20261120);
  const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  for (int round = 0; round < 3000; ++round) {
    CastEncoder encoder;
    std::string lines;
    testing::Streams sent;
    for (std::size_t event = 0, events = 1 + below(12); event < events; ++event) {
      const std::string& alphabet = alphabets[below(std::size(alphabets))];
      std::string bytes;
      for (std::size_t i = 0, size = below(round % 10 == 0 ? 600 : 9); i < size; ++i) bytes.push_back(alphabet[below(alphabet.size())]);
      const microseconds at(static_cast<std::int64_t>(event) * 1000);
      switch (below(6)) {
        case 0:
          encoder.encode(CastEvent::error(bytes), at, lines);
          sent.error += bytes;
          break;
        case 1:
          encoder.encode(CastEvent::stdinData(bytes), at, lines);
          sent.input += bytes;
          break;
        case 2:
          encoder.encode(CastEvent::key(bytes), at, lines);
          sent.keys.push_back(bytes);
          break;
        case 3:
          encoder.encode(CastEvent::marker("#1"), at, lines);
          break;
        default:
          encoder.encode(CastEvent::output(bytes), at, lines);
          sent.output += bytes;
          break;
      }
      // What was recorded so far is there already: nothing waits in the encoder.
      const auto now = decode(lines);
      ASSERT_EQ(now.problem, "") << lines;
      ASSERT_EQ(now.output, sent.output);
      ASSERT_EQ(now.error, sent.error);
    }
    encoder.flush(microseconds(99'000), lines);
    const auto got = decode(lines);
    ASSERT_EQ(got.problem, "");
    ASSERT_TRUE(got.whole);
    ASSERT_EQ(got.output, sent.output);
    ASSERT_EQ(got.error, sent.error);
    ASSERT_EQ(got.input, sent.input);
    ASSERT_EQ(got.keys, sent.keys);
    expectAsciicastLines(lines);
  }
}

TEST(CastEncoder, SplitsLargeChunksIntoEventsWithinTheLineLimit) {
  for (const std::string& piece : {"a"s, "€"s, "😀"s, "\x1b"s, "\x80"s, "\0"s, "a\xff"s}) {
    const std::string bytes = repeated(piece, 300'001);
    const std::string lines = encoded({CastEvent::output(bytes)});
    expectAsciicastLines(lines);
    EXPECT_EQ(decode(lines).output, bytes);
  }
}

TEST(CastHeader, SaysWhoAndWhereAndSurvivesHostileText) {
  CastHeader header{132, 43, 1795169252, "bot@web1 \xff\"\n", "xterm\x1b", ""};
  const std::string line = encodeHeader(header);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto back = parseHeader(std::string_view(line).substr(0, line.size() - 1));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->columns, 132U);
  EXPECT_EQ(back->rows, 43U);
  EXPECT_EQ(back->timestamp, 1795169252);
  EXPECT_EQ(back->title, "bot@web1 \xEF\xBF\xBD\"\n");
  EXPECT_EQ(back->term, "xterm\x1b");
}

TEST(CastHeader, WritesASizeThatPlayersTake) {
  EXPECT_EQ(encodeHeader({0, 700'000, 0, "", "", ""}), "{\"version\":2,\"width\":80,\"height\":65535,\"timestamp\":0,\"title\":\"\"}\n");
}

}  // namespace
}  // namespace ptygate::recorder
