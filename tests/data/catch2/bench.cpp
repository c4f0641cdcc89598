#define CATCH_CONFIG_ENABLE_BENCHMARKING
#include <catch2/catch.hpp>
#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <vector>

static std::vector<int> numbers(int n) {
    std::vector<int> v(n);
    std::iota(v.begin(), v.end(), 0);
    return v;
}

TEST_CASE("Sorting") {
    CHECK(numbers(3).size() == 3);
    BENCHMARK("reverse 10") { auto v = numbers(10); std::reverse(v.begin(), v.end()); return v; };
    BENCHMARK("reverse 100000") { auto v = numbers(100000); std::reverse(v.begin(), v.end()); return v; };
    BENCHMARK("a name so long that the table has to break it into several lines, 2 of 3") { return numbers(100).back(); };
}

TEST_CASE("Summing", "[sum]") {
    SECTION("small") {
        BENCHMARK("sum") { auto v = numbers(10); return std::accumulate(v.begin(), v.end(), 0); };
    }
    SECTION("large") {
        BENCHMARK("sum") { auto v = numbers(3000000); return std::accumulate(v.begin(), v.end(), 0LL); };
        BENCHMARK_ADVANCED("with its own meter")(Catch::Benchmark::Chronometer meter) {
            auto v = numbers(1000);
            meter.measure([&v] { return std::accumulate(v.begin(), v.end(), 0); });
        };
    }
}

TEST_CASE("Failing") {
    CHECK(1 == 2);
    BENCHMARK("throws") { if (numbers(3).size() == 3) throw std::runtime_error("on purpose"); return 0; };
    BENCHMARK("after it") { return numbers(10); };
}
