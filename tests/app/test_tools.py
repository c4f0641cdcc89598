from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from bench_db.app import tools
from bench_db.app.backfill import check_suites
from bench_db.app.ci_files import Plan, configuration_text
from bench_db.app.sources import sources
from bench_db.ingest import ADAPTERS
from bench_db.schedule.config import parse
from tests.app.exporting import read_by
from tests.app.recognising import FIXTURE, PYPROJECT, found_in, repository, words
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path

CARGO = """\
[package]
name = "parser"
version = "0.1.0"
edition = "2021"

[dev-dependencies]
criterion = { version = "0.5", features = ["html_reports"] }

[[bench]]
name = "scan"
harness = false

[[bench]]
name = "libtest"
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project(codec CXX)
find_package(benchmark REQUIRED) # not target_link_libraries(x benchmark)
add_subdirectory(bench)
"""
BENCH_CMAKE = """\
add_executable(codec_bench codec_bench.cpp)
target_link_libraries(codec_bench
    PRIVATE codec benchmark::benchmark_main)
"""
ASV = """\
{
    // The version of the file
    "version": 1,
    "project": "lib",
    "results_dir": ".asv/results",
    "html_dir": ".asv/html"
}
"""
POM = """\
<project>
  <dependencies>
    <dependency>
      <groupId>org.openjdk.jmh</groupId>
      <artifactId>jmh-core</artifactId>
      <version>1.37</version>
    </dependency>
  </dependencies>
</project>
"""
GRADLE = """\
plugins {
    id("me.champeau.jmh") version "0.7.2"
}
"""
CSPROJ = """\
<Project Sdk="Microsoft.NET.Sdk">
  <ItemGroup>
    <PackageReference Include="BenchmarkDotNet" Version="0.14.0" />
  </ItemGroup>
</Project>
"""
PACKAGE = '{\n  "name": "web",\n  "devDependencies": {\n    "vitest": "^2.1.0"\n  }\n}\n'
CATCH = """\
cmake_minimum_required(VERSION 3.16)
project(geometry CXX)
find_package(Catch2 3 REQUIRED)
add_executable(tests tests.cpp)
target_link_libraries(tests PRIVATE Catch2::Catch2WithMain)
"""
# Format: the files of a repository, and of its one suite: name, directory, words of the benchmark, outputs, evidence.
REPOSITORIES: dict[str, tuple[dict[str, str], tuple[str, str, str, list[str], str]]] = {
    "pytest-benchmark": (
        {
            "pyproject.toml": PYPROJECT,
            "tests/test_speed.py": FIXTURE,
            "tests/test_other.py": "def test_x():\n    pass\n",
        },
        ("python", ".", "-m pytest tests/test_speed.py --benchmark-only", ["results.json"], "pyproject.toml:9"),
    ),
    "codspeed": (
        {"sub/setup.py": "setup(extras_require={'dev': ['pytest-codspeed']})\n", "sub/bench_x.py": FIXTURE},
        ("python-sub", "sub", "-m pytest bench_x.py --codspeed", [".codspeed"], "sub/setup.py:1"),
    ),
    "asv": (
        {"pyproject.toml": "[project]\nname = 'lib'\n", "asv.conf.json": ASV},
        ("asv", ".", "--set-commit-hash {commit}", [".asv/results/*/*-*.json"], "asv.conf.json:1"),
    ),
    "pyperf": (
        {"perf/bench_dict.py": "import pyperf\nrunner = pyperf.Runner()\n"},
        ("pyperf-bench_dict", ".", "perf/bench_dict.py -o results.json", ["results.json"], "perf/bench_dict.py:2"),
    ),
    "criterion-dir": (
        {"Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n', "crates/parser/Cargo.toml": CARGO},
        (
            "rust/parser",
            ".",
            "cargo bench --package parser --bench scan -- --noplot",
            ["target/criterion"],
            "crates/parser/Cargo.toml:7",
        ),
    ),
    "go": (
        {"go.mod": "module x\n", "p/p_test.go": "package p\n\nfunc BenchmarkScan(b *testing.B) {\n}\n"},
        ("go", ".", "go test -run '^$' -bench .", [], "p/p_test.go:3"),
    ),
    "google-benchmark": (
        {"CMakeLists.txt": CMAKE, "bench/CMakeLists.txt": BENCH_CMAKE, "bench/codec_bench.cpp": ""},
        (
            "cpp-codec_bench",
            ".",
            "{tree}/build/bench/codec_bench --benchmark_out=results.json",
            ["results.json"],
            "bench/CMakeLists.txt:2",
        ),
    ),
    "catch2-xml": (
        {
            "CMakeLists.txt": CATCH,
            "tests.cpp": 'TEST_CASE("x", "[!benchmark]") {\n  BENCHMARK("area") { return 1; };\n}\n',
        },
        ("cpp-tests", ".", "--reporter xml --out results.xml '[!benchmark]'", ["results.xml"], "CMakeLists.txt:5"),
    ),
    "jmh": (
        {"app/pom.xml": POM},
        (
            "java",
            "app",
            "java -jar target/benchmarks.jar -rf json -rff results.json",
            ["results.json"],
            "app/pom.xml:5",
        ),
    ),
    "benchmarkdotnet": (
        {"bench/Speed.csproj": CSPROJ},
        (
            "dotnet-Speed",
            ".",
            "--project bench/Speed.csproj -- --filter '*' --exporters json",
            ["BenchmarkDotNet.Artifacts/results/*-report*.json"],
            "bench/Speed.csproj:3",
        ),
    ),
    "vitest": (
        {"package.json": PACKAGE, "pnpm-lock.yaml": "", "src/sort.bench.mts": "bench('sort', () => {})\n"},
        ("javascript", ".", "npx vitest bench --run --outputJson results.json", ["results.json"], "package.json:4"),
    ),
    "hyperfine": (
        {"bench.sh": "#!/bin/sh\n# hyperfine nothing\nhyperfine --warmup 3 --export-json out/r.json 'sleep 0'\n"},
        ("hyperfine-bench", ".", "bash bench.sh", ["out/r.json"], "bench.sh:3"),
    ),
}


class TestRecognition:
    """Each tool is recognised in real files of a small repository, by the line that shows it."""

    @pytest.mark.parametrize("format_", REPOSITORIES)
    def test_one_suite(self, format_: str, tmp_path: Path) -> None:
        files, (name, directory, command, outputs, where) = REPOSITORIES[format_]
        [one], unread = found_in(tmp_path, files)
        assert (one.name, one.suite.format, one.suite.directory, one.suite.outputs) == (
            name,
            format_,
            directory,
            outputs,
        )
        assert command in words(one.suite.benchmark)
        assert f"{one.evidence[0].file}:{one.evidence[0].line}" == where
        assert one.evidence[0].text in files[one.evidence[0].file].replace("\n    PRIVATE", " PRIVATE")
        assert unread == []

    @pytest.mark.parametrize("format_", REPOSITORIES)
    def test_the_configuration_reads_as_it_was_meant(self, format_: str, tmp_path: Path) -> None:
        found, _ = found_in(tmp_path, REPOSITORIES[format_][0])
        plan = Plan(name='a "b" \\ #', repository="o/n", branch="main", suites=found, store="", cron="", source="o/n@1")
        config = parse(configuration_text(plan, "bed").encode(), "bench-db.toml")
        check_suites(config)
        assert config.suite == {one.name: one.suite for one in found}
        assert (config.project.name, config.project.test_bed) == ('a "b" \\ #', "bed")

    def test_all_in_one_repository(self, tmp_path: Path) -> None:
        """Several tools of several projects have names of their own."""
        files = {
            "a/pyproject.toml": PYPROJECT,
            "a/test_x.py": FIXTURE,
            "b/a/pyproject.toml": PYPROJECT,
            "b/a/test_x.py": FIXTURE,
            **REPOSITORIES["go"][0],
            **REPOSITORIES["hyperfine"][0],
        }
        found, _ = found_in(tmp_path, files)
        assert [one.name for one in found] == ["python-a", "python-a-2", "go", "hyperfine-bench"]
        assert [one.suite.directory for one in found[:2]] == ["a", "b/a"]

    @pytest.mark.parametrize(
        ("line", "directory"),
        [
            ('"repo": "https://example.org/r", "results_dir": "r/x", "html_dir": "h"', "r/x"),
            ('// "results_dir": "old"', "results"),
            ('"repo": "..", // "results_dir": "old"', "results"),
            ('"note": "\\"results_dir", "results_dir": "new"', "new"),
        ],
    )
    def test_where_asv_writes(self, tmp_path: Path, line: str, directory: str) -> None:
        [one], _ = found_in(tmp_path, {"asv.conf.json": f"{{\n  {line}\n}}\n"})
        assert one.suite.outputs == [f"{directory}/*/*-*.json"]

    @pytest.mark.slow
    @pytest.mark.parametrize("branches", ['"branches": ["main"]', '"branches": ["main", "2.x"]', ""])
    def test_asv_measures_a_checkout_without_branches(self, tmp_path: Path, branches: str) -> None:
        """A pull request is checked out by its commit, so no branch of asv.conf.json exists, and nor does asv's own default."""
        asv = f'{{"version": 1, "project": "lib", "repo": ".", "environment_type": "virtualenv", // one\n{branches}}}\n'
        made = repository(tmp_path / "tree", {"asv.conf.json": asv, "benchmarks/__init__.py": ""})
        (made / "benchmarks/speed.py").write_text("def time_sum():\n    sum(range(99))\n")
        history = History(made)
        head = history.commit()
        history.git("checkout", "--quiet", "--detach")
        history.git("branch", "--quiet", "-D", "main")
        [one] = tools.find(sources(made))[0]
        lines = [*one.suite.setup[-2:], f"{one.suite.benchmark} --quick"]
        commands = [shlex.split(str(line).replace("{commit}", head)) for line in lines]
        (tmp_path / "commands.json").write_text(json.dumps(commands))
        done = read_by("asv", "asv_in_checkout.py", made, tmp_path / "commands.json")
        assert done["codes"] == [0, 0, 0], done["output"]
        assert [name.split("/")[-1][:8] for name in done["results"]] == [head[:8]]

    def test_what_a_machine_lacks_for_hyperfine_is_said(self, tmp_path: Path) -> None:
        [one], _ = found_in(tmp_path, REPOSITORIES["hyperfine"][0])
        assert one.note == "the machine needs hyperfine and what bench.sh runs; let `setup` install and build them"

    def test_many_files_are_named_by_their_directory(self, tmp_path: Path) -> None:
        tests = {f"tests/test_{number}.py": FIXTURE for number in range(9)}
        [one], _ = found_in(tmp_path, {"pyproject.toml": PYPROJECT, **tests})
        assert " pytest tests --benchmark-only" in words(one.suite.benchmark)

    def test_a_file_of_any_name_that_pytest_is_told_to_run(self, tmp_path: Path) -> None:
        helper = {
            "conftest.py": "def other(benchmark):\n    pass\n",
            "src/x.py": "def timed(benchmark, call):\n    pass\n",
        }
        [one], unread = found_in(tmp_path, {"pyproject.toml": PYPROJECT, "testing/benchmark.py": FIXTURE, **helper})
        assert " pytest testing/benchmark.py --benchmark-only" in words(one.suite.benchmark)
        assert not unread
        assert found_in(tmp_path / "helpers", {"pyproject.toml": PYPROJECT, **helper})[0] == []

    def test_many_files_of_other_names_are_named_each(self, tmp_path: Path) -> None:
        tests = {f"perf/speed{number}.py": FIXTURE for number in range(9)}
        [one], _ = found_in(tmp_path, {"pyproject.toml": PYPROJECT, **tests})
        assert words(one.suite.benchmark).count("perf/speed") == 9

    def test_files_that_pytest_finds_in_no_directory_are_named_each(self, tmp_path: Path) -> None:
        """`pytest perf` collects no bench_*.py unless the settings of pytest say so."""
        tests = {f"perf/bench_{number}.py": FIXTURE for number in range(2)}
        [one], _ = found_in(tmp_path, {"pyproject.toml": PYPROJECT, **tests})
        assert " pytest perf/bench_0.py perf/bench_1.py --benchmark-only" in words(one.suite.benchmark)
        chosen = {"pytest.ini": "[pytest]\npython_files = bench_*.py\n"}
        [one], _ = found_in(tmp_path / "set", {"pyproject.toml": PYPROJECT, **chosen, **tests})
        assert " pytest perf --benchmark-only" in words(one.suite.benchmark)

    def test_a_directory_of_benchmarks_alone_is_named_as_one(self, tmp_path: Path) -> None:
        """A commit without one of the files measures the others, and a new file is measured as it comes."""
        files = {
            "bench/test_a.py": FIXTURE,
            "bench/sub/test_b.py": FIXTURE,
            "tests/test_c.py": "def test_c():\n    pass\n",
        }
        [one], _ = found_in(tmp_path, {"pyproject.toml": PYPROJECT, **files})
        assert " pytest bench bench/sub --benchmark-only" in words(one.suite.benchmark)
        [one], _ = found_in(tmp_path / "at the root", {"pyproject.toml": PYPROJECT, "test_a.py": FIXTURE})
        assert " pytest test_a.py --benchmark-only" in words(one.suite.benchmark)

    def test_gradle_without_json_has_a_note(self, tmp_path: Path) -> None:
        files = {"settings.gradle.kts": "", "perf/build.gradle.kts": GRADLE}
        [one], _ = found_in(tmp_path, files)
        assert words(one.suite.benchmark) == "./gradlew --no-daemon :perf:jmh"
        assert one.suite.outputs == ["perf/build/results/jmh/results.json"]
        assert one.note == "add resultFormat = 'JSON' to jmh { } in perf/build.gradle.kts"


class TestUnread:
    """A trace without a suite is reported with its line and the reason."""

    def test_every_format_that_is_named_exists(self) -> None:
        named = {found[1] for *_, reason in tools._OTHERS if (found := re.search(r"the format ([\w-]+)", reason))}
        assert "divan" in named
        assert named <= {adapter.name for adapter in ADAPTERS}

    @pytest.mark.parametrize(
        ("files", "tool", "line", "reason"),
        [
            ({"pyproject.toml": PYPROJECT}, "pytest-benchmark", 9, "no test with the fixture benchmark"),
            (
                {"Cargo.toml": '[package]\nname = "x"\n[dev-dependencies]\ndivan = "0.1"\n'},
                "divan",
                4,
                "the format divan",
            ),
            (
                {"Cargo.toml": '[package]\nname = "x"\n[dev-dependencies]\ncriterion = "0.5"\n'},
                "Criterion",
                4,
                "harness",
            ),
            ({"b.sh": "hyperfine 'sleep 1'\n"}, "hyperfine", 1, "--export-json"),
            ({"package.json": PACKAGE}, "Vitest", 4, "no file *.bench.ts"),
            ({"Gemfile": "gem 'rake'\ngem 'benchmark-ips'\n"}, "benchmark-ips", 2, "the format benchmark-ips"),
            ({"composer.json": '{"require-dev": {\n"phpbench/phpbench": "^1.2"}}'}, "phpbench", 2, "no output of it"),
            ({"benches/x.rs": "#[bench]\nfn f(b: &mut Bencher) {}\n"}, "unstable #[bench]", 1, "cargo-bench"),
        ],
    )
    def test_reason(self, files: dict[str, str], tool: str, line: int, reason: str, tmp_path: Path) -> None:
        found, [one] = found_in(tmp_path, files)
        assert (found, one.tool, one.evidence.line) == ([], tool, line)
        assert reason in one.reason
