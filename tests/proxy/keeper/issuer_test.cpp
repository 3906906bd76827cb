// SPDX-License-Identifier: Apache-2.0
// One credential for each decision.
#include "proxy/keeper/issuer.h"

#include <gtest/gtest.h>

namespace ptygate::keeper {
namespace {

struct Fixture {
  config::Config config;
  config::Keys keys{*certs::Ed25519PrivateKey::generate(), *certs::Ed25519PrivateKey::generate(), {}};
  Issuer issuer;
  std::string subject = certs::Ed25519PrivateKey::generate()->publicKey().blob();

  Fixture() {
    config::Target target;
    target.name = "web1";
    target.address = {"127.0.0.1", 22};
    config.targets.push_back(target);
  }
  bool take(WaiterId waiter) { return issuer.take(waiter, subject, config, keys, wallNow()).has_value(); }
};

TEST(Issuer, RefusesWithoutAPermit) {
  Fixture f;
  EXPECT_FALSE(f.take(1));
}

TEST(Issuer, RefusesASecondUse) {
  Fixture f;
  f.issuer.permit(1, {"builder", "c1", "web1", "deploy", "release"});
  EXPECT_TRUE(f.take(1));
  EXPECT_FALSE(f.take(1));
}

TEST(Issuer, TwoPermitsAreStillOneUse) {
  Fixture f;
  f.issuer.permit(1, {"builder", "c1", "web1", "deploy", "survey"});
  f.issuer.permit(1, {"builder", "c1", "web1", "deploy", "release"});
  EXPECT_TRUE(f.take(1));
  EXPECT_FALSE(f.take(1));
}

TEST(Issuer, RefusesAfterRevocation) {
  Fixture f;
  f.issuer.permit(1, {"builder", "c1", "web1", "deploy", "release"});
  f.issuer.revoke(1);
  EXPECT_FALSE(f.take(1));
}

TEST(Issuer, RefusesATargetThatIsNoLongerConfigured) {
  Fixture f;
  f.issuer.permit(1, {"builder", "c1", "web2", "deploy", "release"});
  EXPECT_FALSE(f.take(1));
}

TEST(Issuer, AFailedUseIsAUse) {
  Fixture f;
  f.issuer.permit(1, {"builder", "c1", "web1", "deploy", "release"});
  EXPECT_FALSE(f.issuer.take(1, "no key", f.config, f.keys, wallNow()).has_value());
  EXPECT_FALSE(f.take(1));
}

TEST(Issuer, NeverCertifiesItsOwnAuthorityKey) {
  Fixture f;
  f.subject = f.keys.user_ca.publicKey().blob();
  f.issuer.permit(1, {"builder", "c1", "web1", "deploy", "release"});
  EXPECT_FALSE(f.take(1));
}

TEST(Issuer, SerialsDoNotRepeat) {
  Fixture f;
  std::uint64_t last = 0;
  for (WaiterId waiter = 1; waiter < 50; ++waiter) {
    f.issuer.permit(waiter, {"builder", "c1", "web1", "deploy", "release"});
    const auto issued = f.issuer.take(waiter, f.subject, f.config, f.keys, wallNow());
    ASSERT_TRUE(issued.has_value()) << issued.error();
    EXPECT_NE(issued->serial, last);
    last = issued->serial;
  }
}

}  // namespace
}  // namespace ptygate::keeper
