// SPDX-License-Identifier: Apache-2.0
// argv → verb table. Everything else is in verbs/.
#include "proxy/verbs/verb.h"

int main(int argc, char** argv) {
  return ptygate::verbs::runCommandLine(argc, argv);
}
