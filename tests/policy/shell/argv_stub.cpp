// SPDX-License-Identifier: Apache-2.0
// Stands for every program in the oracle's sandbox: appends one record to /log, prints two words, exits 0 (1 when named fail*).
// A record is the arguments and the environment's lower-case variables, each ended by NUL, the two lists each ended by one more
// 0x01 0x00, then 0x02 0x00. Linked statically, since thousands of them start.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>

extern char** environ;

namespace {
char record[128 * 1024];
size_t used = 0;

void add(const char* text) {
  size_t length = strlen(text) + 1;
  if (used + length > sizeof record) _exit(99);
  memcpy(record + used, text, length);
  used += length;
}
}  // namespace

int main(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) add(argv[i]);
  add("\x01");
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (**entry >= 'a' && **entry <= 'z') add(*entry);
  }
  add("\x01");
  add("\x02");
  int opened = open("/log", O_WRONLY | O_APPEND | O_CLOEXEC);
  int log = fcntl(opened, F_DUPFD, 10);  // a closed 1 would make the log our standard output
  close(opened);
  if (log < 0 || write(log, record, used) != static_cast<ssize_t>(used)) _exit(98);
  signal(SIGPIPE, SIG_IGN);  // or the exit status would depend on who is faster
  const char out[] = "o1 *.txt\n";
  if (write(1, out, sizeof out - 1) < 0) close(1);
  const char* name = strrchr(argv[0], '/');
  return strncmp(name != nullptr ? name + 1 : argv[0], "fail", 4) == 0 ? 1 : 0;
}
