#define ANKERL_NANOBENCH_IMPLEMENT
#include "nanobench.h"
#include <fstream>
#include <vector>
#include <algorithm>
#include <numeric>
int main() {
    ankerl::nanobench::Bench bench;
    bench.title("sorting").warmup(3).epochs(7).minEpochTime(std::chrono::milliseconds(2));
    for (int n : {100, 1000}) {
        std::vector<int> v(n);
        bench.complexityN(n).batch(n).unit("element").run("sort \"reversed\" " + std::to_string(n), [&] {
            std::iota(v.rbegin(), v.rend(), 0);
            std::sort(v.begin(), v.end());
            ankerl::nanobench::doNotOptimizeAway(v);
        });
    }
    std::ofstream("sorting.json") << "";
    { std::ofstream out("sorting.json"); bench.render(ankerl::nanobench::templates::json(), out); }
    ankerl::nanobench::Bench plain;
    double d = 1.0;
    plain.epochs(5).relative(true).context("compiler", "gcc").run("add", [&] { d += 1.0 / d; ankerl::nanobench::doNotOptimizeAway(d); });
    plain.context("compiler", "gcc").run("mul", [&] { d *= 1.0000001; ankerl::nanobench::doNotOptimizeAway(d); });
    { std::ofstream out("plain.json"); plain.render(ankerl::nanobench::templates::json(), out); }
}
