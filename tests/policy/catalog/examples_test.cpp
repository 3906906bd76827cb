// SPDX-License-Identifier: Apache-2.0
// Every `examples` entry of the catalog's files, classified: effects exactly as the file says.
#include <gtest/gtest.h>

#include "policy/catalog/schema.h"

namespace ptygate::policy {
namespace {

std::string joined(EffectSet effects) {
  std::string text;
  for (std::string_view name : namesOf(effects)) text += (text.empty() ? "" : " ") + std::string(name);
  return text;
}

TEST(Catalog, ClassifiesItsOwnExamplesAsWritten) {
  const Catalog& catalog = Catalog::builtin();
  ASSERT_GT(catalog.data().examples.size(), 150U);
  for (const Example& example : catalog.data().examples) {
    SCOPED_TRACE(example.origin + ": " + example.line);
    const Classification found = classify(catalog, example.line, Dialect::Bash, "/srv/app");
    std::string reasons;
    for (const ClassifiedCommand& command : found.commands) {
      for (const std::string& reason : command.reasons) reasons += "\n  " + reason;
    }
    EXPECT_EQ(found.opaque.empty(), !example.opaque) << found.opaque;
    EXPECT_EQ(joined(found.effects), joined(example.effects)) << reasons;
    EXPECT_EQ(int(found.stdin_class), int(example.stdin_class)) << "0 none, 1 data, 2 code" << reasons;
  }
}

TEST(Catalog, DescribesAtLeastTheProgramsOfTheDraft) {
  const auto& programs = Catalog::builtin().data().programs;
  EXPECT_GE(programs.size(), 150U);
  for (const char* name : {"git",     "docker", "kubectl", "systemctl", "journalctl", "apt-get", "dpkg",  "npm",  "pip",  "psql", "mysql",
                           "sqlite3", "sed",    "awk",     "find",      "xargs",      "tar",     "rsync", "curl", "wget", "rm",   "dd",
                           "cp",      "mv",     "chmod",   "tee",       "sort",       "uniq",    "grep",  "ls",   "cat",  "env",  "sudo",
                           "timeout", "nohup",  "nice",    "bash",      "ssh",        "python3", "make",  "id",   "echo"}) {
    EXPECT_TRUE(programs.contains(name)) << name;
  }
}

}  // namespace
}  // namespace ptygate::policy
