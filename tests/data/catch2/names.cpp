#define CATCH_CONFIG_MAIN
#define CATCH_CONFIG_ENABLE_BENCHMARKING
#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

TEST_CASE("Fibonacci", "[fib]") {
    CHECK(fib(5) == 5);
    BENCHMARK("fib 10") { return fib(10); };
    BENCHMARK("fib 20") { return fib(20); };
    SECTION("in a section") {
        BENCHMARK("fib 15") { return fib(15); };
        SECTION("deeper, & <quoted> \"names\"") {
            BENCHMARK("fib 5") { return fib(5); };
        }
    }
    SECTION("another") {
        BENCHMARK("fib 10") { return fib(10); };
    }
}

TEST_CASE("Names that are long enough to be broken into more than one line of the console") {
    BENCHMARK("sort a vector of one hundred numbers that is sorted already") {
        std::vector<int> v(100);
        std::sort(v.begin(), v.end());
        return v.back();
    };
    BENCHMARK("a-name-with-hyphens-and-no-space-that-does-not-fit") { return fib(3); };
    BENCHMARK("Averyveryveryveryverylongnamewithoutanyplacetobreakit") { return fib(3); };
    BENCHMARK("100 7 names end in numbers 12 34") { return fib(3); };
}

TEST_CASE("Slow") {
    BENCHMARK("a millisecond") { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
}

TEST_CASE("Fails") {
    BENCHMARK("before") { return fib(4); };
    BENCHMARK("throws") {
        throw std::runtime_error("no such index");
        return 1;
    };
    BENCHMARK("after") { return fib(4); };
}

TEST_CASE("Asserts") {
    BENCHMARK("asserts") { REQUIRE(fib(3) == 1); return 1; };
}
