// Every kind of result google-benchmark writes: counters, rates, throughput, repetitions, threads, errors, complexity, memory, labels.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

static void sum(benchmark::State& state) {
  std::vector<int> numbers(state.range(0), 1);
  for (auto _ : state) benchmark::DoNotOptimize(std::accumulate(numbers.begin(), numbers.end(), 0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * state.range(0) * sizeof(int));
  state.SetComplexityN(state.range(0));
}
BENCHMARK(sum)->RangeMultiplier(4)->Range(64, 4096)->Complexity(benchmark::oN);

static void counters(benchmark::State& state) {
  int rounds = 0;
  for (auto _ : state) benchmark::DoNotOptimize(++rounds);
  state.counters["plain"] = 42.5;
  state.counters["rate"] = benchmark::Counter(rounds, benchmark::Counter::kIsRate);
  state.counters["average"] = benchmark::Counter(rounds * 3, benchmark::Counter::kAvgIterations);
  state.SetLabel("with \"counters\"");
}
BENCHMARK(counters);

static void repeated(benchmark::State& state) {
  for (auto _ : state) {
    std::vector<int> numbers(2000);
    std::iota(numbers.rbegin(), numbers.rend(), 0);
    std::sort(numbers.begin(), numbers.end());
    benchmark::ClobberMemory();
  }
  state.counters["size"] = 2000;
}
BENCHMARK(repeated)->Repetitions(5)->Unit(benchmark::kMicrosecond);
BENCHMARK(repeated)->Name("repeated/aggregates")->Repetitions(5)->ReportAggregatesOnly(true)->Unit(benchmark::kMillisecond)
    ->ComputeStatistics("max", [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });

static void threads(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(state.iterations());
}
BENCHMARK(threads)->Threads(2)->UseRealTime();

static void fails(benchmark::State& state) {
  state.SkipWithError("no such file");
  for (auto _ : state) {}
}
BENCHMARK(fails);

static void manual(benchmark::State& state) {
  for (auto _ : state) state.SetIterationTime(0.25);
}
BENCHMARK(manual)->UseManualTime()->Iterations(3)->Unit(benchmark::kSecond);

template <class T>
static void copy(benchmark::State& state) {
  auto from = std::make_unique<T[]>(512), to = std::make_unique<T[]>(512);
  for (auto _ : state) {
    std::memcpy(to.get(), from.get(), 512 * sizeof(T));
    benchmark::ClobberMemory();
  }
}
BENCHMARK_TEMPLATE(copy, std::uint64_t)->ArgNames({"n", "k"})->Args({1, 2});

class Counting : public benchmark::MemoryManager {
 public:
  void Start() override {}
  void Stop(Result* memory) override {
    Result& result = *memory;
    result.num_allocs = 48;
    result.max_bytes_used = 65536;
    result.total_allocated_bytes = 1048576;
    result.net_heap_growth = -128;
  }
};

int main(int argc, char** argv) {
  static Counting counting;
  if (std::getenv("MEMORY")) benchmark::RegisterMemoryManager(&counting);
  benchmark::AddCustomContext("compiler", "g++");
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::RegisterMemoryManager(nullptr);
}
