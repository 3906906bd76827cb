// SPDX-License-Identifier: Apache-2.0
#include "policy/catalog/sql.h"

#include <gtest/gtest.h>

namespace ptygate::policy {
namespace {

TEST(Sql, RefusesWhatOnlyLooksLikeARead) {
  for (const char* text : {"",
                           ";",
                           "select 1; select 2",
                           "select pg_sleep(1)",
                           "select lo_import('/etc/passwd')",
                           "select \"count\"(1)",
                           "select pg_catalog.pg_read_file('x')",
                           "select x.count(1)",
                           "with a as (delete from t returning *) select * from a",
                           "select * into t2 from t",
                           "select * from t for update",
                           "select 1 -- x",
                           "select /*!50000 sleep(1) */",
                           "explain analyze delete from t",
                           "explain (analyze) select 1",
                           "select '\\' or 1",
                           "select $$x$$",
                           "\\! id",
                           "copy t to program 'x'",
                           "select 1\\g",
                           "show tables\nsystem id",
                           "set role x",
                           "begin",
                           "do 'x'",
                           "call f()",
                           "values (1)",
                           "table t",
                           "select * from dblink('x')",
                           "select E'\\x'",
                           "select @@version",
                           "select nextval('s')",
                           "select setval ('s', 1)",
                           "select 'unterminated"}) {
    EXPECT_FALSE(classifySql(text, "mysql").effects.within({Effect::Read})) << text;
  }
}

TEST(Sql, ReadsPlainSelects) {
  for (const char* text : {"select 1", "SELECT * FROM t WHERE a = 'x;y' AND b IN (1, 2) ORDER BY c LIMIT 5;", "explain select 1",
                           "select count(*), max(a) from t group by b", "show tables"}) {
    EXPECT_EQ(classifySql(text, "psql").effects, EffectSet{Effect::Read}) << text;
  }
}

TEST(Sql, MarksTablesThatHoldCredentials) {
  EXPECT_TRUE(classifySql("select * from pg_shadow", "psql").effects.has(Effect::Secret));
  EXPECT_TRUE(classifySql("select \"password_hash\" from users", "psql").effects.has(Effect::Secret));
}

TEST(Sql, SeparatesWritesFromDestruction) {
  EXPECT_TRUE(classifySql("drop table t", "psql").effects.has(Effect::Destructive));
  EXPECT_TRUE(classifySql("insert into t values (1)", "psql").effects.has(Effect::Write));
  EXPECT_FALSE(classifySql("insert into t values (1)", "psql").effects.has(Effect::Destructive));
}

}  // namespace
}  // namespace ptygate::policy
