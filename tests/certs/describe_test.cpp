// SPDX-License-Identifier: Apache-2.0
#include "certs/describe.h"

#include "certs/wire.h"
#include "tests/certs/support.h"

namespace ptygate::certs {
namespace {

using namespace std::string_literals;
using testing::keyOf;

Certificate hostile() {
  return Certificate{.subject = keyOf('s').publicKey(),
                     .nonce = "n",
                     .serial = UINT64_MAX,
                     .type = CertificateType::User,
                     .key_id = "\x1b]0;title\x07\xe2\x80\xae",
                     .principals = {"root\r\n  signed by: nobody"},
                     .valid_after = 0,
                     .valid_before = kForever,
                     .critical_options = {{"force-command", Builder().string("id;\x1b[A").take()}, {"x\x9b", "\xff"s}},
                     .extensions = {{"permit-pty", ""}},
                     .authority = keyOf('c').publicKey(),
                     .signature = "\0\0\0\x02\x1b["s};
}

TEST(Description, HoldsOnlyPrintableAsciiAndItsOwnLineFeeds) {
  const std::string text = descriptionText(describe(hostile()));
  for (const char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << static_cast<int>(c);
  EXPECT_EQ(text.find("\n  signed by: nobody"), std::string::npos);
}

TEST(Description, TellsEveryFieldOnce) {
  EXPECT_EQ(descriptionText(describe(hostile())),
            "user certificate (signature not checked)\n"
            "  algorithm:        ssh-ed25519-cert-v01@openssh.com\n"
            "  public key:       " +
                keyOf('s').publicKey().fingerprint() +
                "\n"
                "  signed by:        ssh-ed25519 " +
                keyOf('c').publicKey().fingerprint() +
                " (\\x1b[)\n"
                "  key id:           \"\\x1b]0;title\\x07\\xe2\\x80\\xae\"\n"
                "  serial:           18446744073709551615\n"
                "  valid from:       1970-01-01T00:00:00Z\n"
                "  valid until:      forever (not included)\n"
                "  principals:\n"
                "    root\\x0d\\x0a  signed by: nobody\n"
                "  critical options:\n"
                "    force-command = id;\\x1b[A\n"
                "    x\\x9b = hex:ff\n"
                "  extensions:\n"
                "    permit-pty\n");
}

TEST(UtcText, KnowsItsEdges) {
  EXPECT_EQ(utcText(1'790'000'000), "2026-09-21T14:13:20Z");
  EXPECT_EQ(utcText(951'782'400), "2000-02-29T00:00:00Z");
  EXPECT_EQ(utcText(253'402'300'799), "9999-12-31T23:59:59Z");
  EXPECT_EQ(utcText(253'402'300'800), "after 9999");
  EXPECT_EQ(utcText(kForever - 1), "after 9999");
  EXPECT_EQ(utcText(kForever), "forever");
}

}  // namespace
}  // namespace ptygate::certs
