// SPDX-License-Identifier: Apache-2.0
#include "recorder/store_paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/recorder/support.h"

namespace ptygate::recorder {
namespace {

using testing::sessionId;
using testing::TempDir;
using testing::wall;
using Kind = RecorderError::Kind;

TEST(SessionId, RefusesEverythingButItsOneForm) {
  for (const char* text :
       {"", "20261120-100732-k7f3", "20261120-100732-k7f3aa", "20261120-100732-K7F3A", "20261120-100732-k7f1a", "20261320-100732-k7f3a",
        "20260229-100732-k7f3a", "20261120-240000-k7f3a", "20261120-106032-k7f3a", "20261120_100732-k7f3a", "2026112a-100732-k7f3a",
        "19691231-100732-k7f3a", "20261120-1007-2-k7f3a", "../../../../etc/passwd", "20261120-100732-k7f/a"}) {
    EXPECT_FALSE(SessionId::parse(text)) << text;
  }
}

TEST(SessionId, IsMadeFromTimeAndRandomBytes) {
  const std::uint8_t random[] = {0xFF, 0x00, 0x80, 0x21};
  const SessionId id = SessionId::generate(wall("2028-02-29T23:59:59.999Z"), random);
  EXPECT_EQ(id.text().substr(0, 16), "20280229-235959-");
  ASSERT_TRUE(SessionId::parse(id.text())) << id.text();
  EXPECT_EQ(formatTime(id.start()), "2028-02-29T23:59:59.000Z");
  EXPECT_EQ(castPath(id), "rec/2028/02/29/" + id.text() + ".cast");
}

TEST(Time, RefusesOtherForms) {
  for (const char* text :
       {"", "2026-11-20T10:07:32Z", "2026-11-20T10:07:32.123+00:00", "2026-11-31T10:07:32.123Z", "2026-11-20 10:07:32.123Z"}) {
    EXPECT_FALSE(parseTime(text)) << text;
  }
  EXPECT_EQ(formatTime(wall("2026-11-20T10:07:32.023Z")), "2026-11-20T10:07:32.023Z");
}

TEST(Store, RefusesToCreateACastTwice) {
  const TempDir dir;
  ASSERT_TRUE(createCast(dir.fd(), sessionId()));
  const auto again = createCast(dir.fd(), sessionId());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, Kind::Exists);
}

TEST(Store, FollowsNoSymbolicLink) {
  const TempDir dir;
  const TempDir elsewhere;
  std::filesystem::create_directory_symlink(elsewhere / "", dir / "rec");
  EXPECT_FALSE(createCast(dir.fd(), sessionId()));
  EXPECT_TRUE(std::filesystem::is_empty(elsewhere / ""));

  const TempDir other;
  testing::writeFile(other / "secret", "s");
  std::filesystem::create_directories(other / "rec/2026/11/20");
  std::filesystem::create_symlink(other / "secret", other / castPath(sessionId()));
  EXPECT_FALSE(openCast(other.fd(), sessionId()));
  EXPECT_FALSE(sealCast(other.fd(), sessionId()));
}

TEST(Store, DoesNotHangOnAPipeInPlaceOfACast) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "rec/2026/11/20");
  ASSERT_EQ(mkfifo((dir / castPath(sessionId())).c_str(), 0600), 0);
  EXPECT_FALSE(openCast(dir.fd(), sessionId()));
}

TEST(Store, CreatesForAppendingAndSealsReadOnly) {
  const TempDir dir;
  auto cast = createCast(dir.fd(), sessionId());
  ASSERT_TRUE(cast);
  EXPECT_EQ(fcntl(cast->file.get(), F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
  EXPECT_EQ(fcntl(cast->file.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_FALSE(*isSealed(dir.fd(), sessionId()));
  ASSERT_TRUE(sealCast(dir.fd(), sessionId()));
  ASSERT_TRUE(sealCast(dir.fd(), sessionId()));
  EXPECT_TRUE(*isSealed(dir.fd(), sessionId()));
  EXPECT_EQ(std::filesystem::status(dir / castPath(sessionId())).permissions(), std::filesystem::perms(0440));
}

TEST(Store, FindsByIdPrefixOrLettersAndRefusesTheRest) {
  const TempDir dir;
  for (const char* id : {"20261120-100732-k7f3a", "20261120-100733-aaaaa", "20270101-000000-bbbbb"})
    ASSERT_TRUE(createCast(dir.fd(), sessionId(id)));
  testing::writeFile(dir / "rec/2026/11/20/20261120-100732-k7f3a.cast.torn", "x");
  testing::writeFile(dir / "rec/notes/x", "x");
  const struct {
    const char* prefix;
    const char* found;
    Kind kind;
  } rows[] = {
      {"", nullptr, Kind::Malformed},
      {"../x", nullptr, Kind::Malformed},
      {"%", nullptr, Kind::Malformed},
      {"20261120", nullptr, Kind::Ambiguous},
      {"2025", nullptr, Kind::NotFound},
      {"20261120-100732-zzzzz", nullptr, Kind::NotFound},
      {"20261120-100732-k7f3a", "20261120-100732-k7f3a", Kind::Failed},
      {"2027", "20270101-000000-bbbbb", Kind::Failed},
      {"aaaaa", "20261120-100733-aaaaa", Kind::Failed},
  };
  for (const auto& row : rows) {
    const auto found = findSession(dir.fd(), row.prefix);
    ASSERT_EQ(found.has_value(), row.found != nullptr) << row.prefix;
    if (found) {
      EXPECT_EQ(found->text(), row.found);
    } else {
      EXPECT_EQ(found.error().kind, row.kind) << row.prefix;
    }
  }
  EXPECT_EQ(listSessions(dir.fd())->size(), 3U);
}

TEST(Store, IsEmptyBeforeTheFirstSession) {
  const TempDir dir;
  EXPECT_TRUE(listSessions(dir.fd())->empty());
}

}  // namespace
}  // namespace ptygate::recorder
