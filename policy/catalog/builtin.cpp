// SPDX-License-Identifier: Apache-2.0
#include "policy/catalog/builtin.h"

#include <cstdio>
#include <cstdlib>

#include "policy/catalog/schema.h"

namespace ptygate::policy {

const Catalog& Catalog::builtin() {
  static const Catalog kCatalog = [] {
    auto loaded = Catalog::load(builtinCatalogText());
    if (!loaded) {
      // Our own data: a build whose catalog does not load must not decide anything.
      std::fprintf(stderr, "ptygate: the built-in catalog: %s\n", loaded.error().c_str());
      std::abort();
    }
    return std::move(*loaded);
  }();
  return kCatalog;
}

}  // namespace ptygate::policy
