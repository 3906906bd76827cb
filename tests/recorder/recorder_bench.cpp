// SPDX-License-Identifier: Apache-2.0
// How fast events are encoded, hashed and written; nlohmann-json as the yardstick. Not run by ctest: build target recorder_bench.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <random>

#include "recorder/ledger.h"
#include "recorder/recording.h"
#include "recorder/store_paths.h"

namespace ptygate::recorder {
namespace {

constexpr std::size_t kChunk = 64 * 1024;

std::string filled(std::string_view piece) {
  std::string text;
  while (text.size() + piece.size() <= kChunk) text += piece;
  return text + std::string(kChunk - text.size(), '.');
}

std::string sample(int which) {
  switch (which) {
    case 0:
      return filled("-rw-r--r-- 1 root root  14936 Nov 20 10:07 /var/log/nginx/access.log.2.gz\n");
    case 1:
      return filled("\x1b[01;32mdrwxr-xr-x\x1b[0m 2 \"root\" C:\\x\r\n");
    case 2:
      return filled("Übergrößenträger und 日本語 sowie € in einer Zeile\n");
    default:
      break;
  }
  std::mt19937 random(1);
  std::string bytes(kChunk, 0);
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void encode(benchmark::State& state) {
  const std::string chunk = sample(static_cast<int>(state.range(0)));
  CastEncoder encoder;
  std::string out;
  for (auto _ : state) {
    out.clear();
    encoder.encode(CastEvent::output(chunk), std::chrono::microseconds(1), out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kChunk));
  state.counters["expansion"] = static_cast<double>(out.size()) / kChunk;
}
BENCHMARK(encode)->ArgName("ascii0_escapes1_utf8_2_binary3")->DenseRange(0, 3);

void encodeByNlohmann(benchmark::State& state) {
  const std::string chunk = sample(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    const nlohmann::json line = {1.0, "o", chunk};
    std::string out = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kChunk));
}
BENCHMARK(encodeByNlohmann)->ArgName("ascii0_escapes1_utf8_2_binary3")->DenseRange(0, 3);

void record(benchmark::State& state) {
  const std::string chunk = sample(static_cast<int>(state.range(0)));
  auto recording = Recording::open(Fd(open("/dev/null", O_WRONLY)), {}, MonoTime(), {UINT64_MAX});
  if (state.range(1) != 0) (void)recording->beginGap("bench", MonoTime());
  for (auto _ : state) benchmark::DoNotOptimize(recording->append(CastEvent::output(chunk), MonoTime()));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kChunk));
}
BENCHMARK(record)->ArgNames({"sample", "gap"})->ArgsProduct({{0, 3}, {0, 1}});

void encodeOneKeystroke(benchmark::State& state) {
  CastEncoder encoder;
  std::string out;
  std::int64_t at = 0;
  for (auto _ : state) {
    out.clear();
    encoder.encode(CastEvent::output("x"), std::chrono::microseconds(at += 977), out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encodeOneKeystroke);

void ledgerLine(benchmark::State& state) {
  LedgerEvent event{"decision", {}};
  event.set("request", 7)
      .set("session", "20261120-100732-k7f3a")
      .set("command", "systemctl restart api")
      .set("verdict", "allow")
      .set("rule", "restarts");
  MerkleTree tree;
  std::uint64_t n = 0;
  for (auto _ : state) tree.add(encodeLedgerLine(n++, WallTime(), event));
}
BENCHMARK(ledgerLine);

}  // namespace
}  // namespace ptygate::recorder

BENCHMARK_MAIN();
