"""The benchmark tools that a repository uses, recognised in its own files, and the suite that measures each.

A tool is recognised by a dependency or by a benchmark in the source, never by a guess: each suite names the file and the line.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from bench_db.app.pytest_settings import joined, pytest_settings
from bench_db.app.python_project import PYTHON, installation, not_installed, uninstallable, within
from bench_db.app.sources import Evidence, Sources
from bench_db.schedule.config import Suite

_MOST_PATHS = 8  # beyond that a command names directories
_FIXTURE = r"def \w+\(.*\bbenchmark\b|^\s+benchmark\b\s*[,:)]|\bpytest\.mark\.benchmark\b"
_TEST_OF_FIXTURE = r"^\s*(?:async )?def test\w*\(.*\bbenchmark\b|\bpytest\.mark\.benchmark\b"
_TESTS = ("test_*.py", "*_test.py", "bench_*.py", "*_bench.py")
_PYTHON_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "Pipfile", "*requirements*.txt",
                 "requirements/*.txt", "requirements*.in", "environment*.yml")  # fmt: skip
_CPP = ("*.cpp", "*.cc", "*.cxx", "*.c++")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSuite:
    """A suite, the tool that it runs, and why it is proposed.

    `note` says what to look at before the first run, and `assumed` what the files of the repository do not state; else both are empty.
    """

    name: str
    tool: str
    suite: Suite
    evidence: Sequence[Evidence]
    note: str = ""
    assumed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A trace of benchmarks that no suite was made of, and the reason."""

    tool: str
    evidence: Evidence
    reason: str


def find(files: Sources) -> tuple[list[FoundSuite], list[Unread]]:
    """Return a suite for each tool that is recognised, with names that differ, and the traces of others."""
    found, unread = list[FoundSuite](), list[Unread]()
    taken = set[str]()
    for look in _TOOLS:
        for one in look(files):
            if isinstance(one, Unread):
                unread.append(one)
                continue
            name, number = one.name, 2
            while name in taken:
                name, number = f"{one.name}-{number}", number + 1
            taken.add(name)
            found.append(replace(one, name=name))
    return found, [*unread, *_others(files)]


_Found = Iterator[FoundSuite | Unread]


# -- Python ------------------------------------------------------------------------------------------------------------


def _python_suites(files: Sources, tool: str, pattern: str, command: str, suite: Suite) -> _Found:
    """Yield a suite for each Python project with tests that use the fixture `benchmark`."""
    dependency = files.first(files.like(*_PYTHON_FILES), pattern)
    if dependency is None:
        return
    usual = files.like(*_TESTS)
    others = [name for name in files.like("*.py") if name not in set(usual)]  # pytest runs any file that is named
    by_home: dict[str, list[Evidence]] = {}
    for evidence in (*files.each(usual, _FIXTURE), *files.each(others, _TEST_OF_FIXTURE)):
        by_home.setdefault(files.home(evidence.file, "pyproject.toml", "setup.py"), []).append(evidence)
    if not by_home:
        yield Unread(tool=tool, evidence=dependency, reason="no test with the fixture benchmark")
    for home, found in by_home.items():
        tests = [evidence.file for evidence in found]
        settings = pytest_settings(files, tests)
        paths = _chosen(files, home, tests, settings.python_files)
        setup: list[str | list[str]] = [*installation(files, home, "pytest", tool)]
        harmful = shlex.join(settings.harmful)
        without = f" -o {shlex.quote(f'addopts={joined(settings.needed)}')}" if harmful else ""
        benchmark = f"{PYTHON} -m pytest {shlex.join(paths)} {command}{without}"
        made = Suite(
            kind="python", directory=home, setup=setup, benchmark=benchmark, outputs=suite.outputs, format=suite.format,
            select=suite.select,
        )  # fmt: skip
        name = "python" if home == "." else f"python-{PurePosixPath(home).name}"
        several = uninstallable(files, home)
        note = (
            f"the project is not installed, because setuptools finds {' and '.join(several[:3])} at its top: tests import it from "
            "its directory. [tool.setuptools] with packages or py-modules changes that"
            if several
            else not_installed(files, home, "pytest", tool)
        )
        assumed = f"addopts of {settings.file} are for other tests than benchmarks: they have {harmful}"
        yield FoundSuite(
            name=name, tool=tool, suite=made, evidence=[dependency, found[0]], note=note, assumed=assumed if harmful else ""
        )  # fmt: skip


def _chosen(files: Sources, home: str, tests: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the paths for pytest: the directories of the tests where nothing else is tested or where they are many.

    A commit that lacks a file which is named measures nothing, and a new file in a directory needs no new configuration. In a
    directory pytest looks at files of `patterns` alone.
    """
    usual = set(files.like(*patterns))
    parents = sorted({str(PurePosixPath(name).parent) for name in tests})
    tested = [name for name in usual if any(PurePosixPath(name).is_relative_to(parent) for parent in parents)]
    is_apart = home not in parents and set(tested) == set(tests)
    is_many = len(tests) > _MOST_PATHS and set(tests) <= usual
    chosen = parents if is_apart or is_many else sorted(tests)
    return [str(PurePosixPath(name).relative_to(home)) for name in chosen]


def _pytest_benchmark(files: Sources) -> _Found:
    command = "--benchmark-only --continue-on-collection-errors --benchmark-json=results.json"
    suite = Suite(benchmark="-", outputs=["results.json"], format="pytest-benchmark", select="-k {names}")
    yield from _python_suites(files, "pytest-benchmark", r"\bpytest[-_]benchmark\b", command, suite)


def _codspeed(files: Sources) -> _Found:
    command = "--codspeed --codspeed-mode=walltime --continue-on-collection-errors"
    suite = Suite(benchmark="-", outputs=[".codspeed"], format="codspeed", select="-k {names}")
    if files.first(files.like(*_PYTHON_FILES), r"\bpytest[-_]benchmark\b") is None:  # both have the fixture `benchmark`
        yield from _python_suites(files, "pytest-codspeed", r"\bpytest[-_]codspeed\b", command, suite)


# the key among others of its line, after texts in quotation marks, and never in a comment
_RESULTS_DIR = re.compile(
    r"""^(?:[^"/\n]|"(?:\\.|[^"\\\n])*"|/(?!/))*?"results_dir"\s*:\s*"([\w./-]+)\"""", re.MULTILINE
)


# asv wants every branch of its configuration to exist, and the checkout of a pull request has none: this copy names HEAD.
_OF_HEAD = "asv.head.json"
_COPY = """\
from asv import util; c = util.load_json("{config}", js_comments=True); c["branches"] = ["HEAD"]; util.write_json("{copy}", c)"""


def _asv(files: Sources) -> _Found:
    for name in files.like("asv.conf.json", "asv.conf.jsonc"):
        [evidence, *_] = [*[e for e, _ in files.lines([name], r"\S", "//")], Evidence(file=name, line=1, text="")]
        results = _RESULTS_DIR.search(files.text(name))
        directory, config = str(PurePosixPath(name).parent), PurePosixPath(name).name
        home = files.home(name, "pyproject.toml", "setup.py")
        own = f"{PYTHON} -m asv"
        copied = f"{PYTHON} -c {shlex.quote(_COPY.format(config=config, copy=_OF_HEAD))}"
        if home != directory:
            installed = [f"{PYTHON} -m pip install -e {shlex.quote('{tree}' if home == '.' else '{tree}/' + home)} asv"]
            setup = ["python3 -m venv {tree}/.venv", *installed]
        else:
            setup = installation(files, home, "asv")
        yield FoundSuite(
            name="asv",
            tool="asv",
            suite=Suite(
                kind="python",
                directory=directory,
                setup=[*setup, copied, f"{own} machine --yes --config {_OF_HEAD}"],
                benchmark=f"{own} run --config {_OF_HEAD} --environment existing:{PYTHON} --set-commit-hash {{commit}}",
                outputs=[f"{results[1] if results else 'results'}/*/*-*.json"],
                format="asv",
            ),
            evidence=[evidence],
        )


def _pyperf(files: Sources) -> _Found:
    for evidence in files.each(files.like("*.py"), r"\bpyperf\.Runner\("):
        stem = PurePosixPath(evidence.file).stem
        home = files.home(evidence.file, "pyproject.toml", "setup.py")
        script = str(PurePosixPath(evidence.file).relative_to(home))
        suite = Suite(
            kind="python",
            directory=home,
            setup=[*installation(files, home, "pyperf")],
            benchmark=f"{PYTHON} {shlex.quote(script)} -o results.json",
            outputs=["results.json"],
            format="pyperf",
        )
        yield FoundSuite(name=f"pyperf-{stem}", tool="pyperf", suite=suite, evidence=[evidence])


# -- Rust and Go -------------------------------------------------------------------------------------------------------


def _criterion(files: Sources) -> _Found:
    for name in files.like("Cargo.toml"):
        dependency = files.first(
            [name], r"^\s*(criterion|codspeed-criterion-compat)\b\s*(=|\.)|^\[.*dependencies\.criterion\]"
        )
        if dependency is None:
            continue
        text = files.text(name)
        benches = [
            part
            for part in text.split("[[bench]]")[1:]
            if re.search(r"^\s*harness\s*=\s*false", part.split("\n[")[0], re.MULTILINE)
        ]
        targets = [
            found[1] for part in benches if (found := re.search(r'^\s*name\s*=\s*"([\w.-]+)"', part, re.MULTILINE))
        ]
        package = re.search(r'^\[package\][^\[]*?^\s*name\s*=\s*"([\w-]+)"', text, re.MULTILINE | re.DOTALL)
        if not targets or package is None:
            if package is not None:
                yield Unread(tool="Criterion", evidence=dependency, reason="no [[bench]] with harness = false")
            continue
        home = next((str(parent) for parent in reversed(PurePosixPath(name).parents)
                     if re.search(r"^\[workspace\]", files.text(str(parent / "Cargo.toml")), re.MULTILINE)), str(PurePosixPath(name).parent))  # fmt: skip
        chosen = " ".join(f"--bench {target}" for target in targets)
        suite = Suite(
            kind="rust",
            directory=home,
            benchmark=f"cargo bench --package {package[1]} {chosen} -- --noplot",
            outputs=["target/criterion"],
            format="criterion-dir",
            select="{pattern}",
        )
        suite_name = "rust" if home == str(PurePosixPath(name).parent) == "." else f"rust/{package[1]}"
        yield FoundSuite(name=suite_name, tool="Criterion", suite=suite, evidence=[dependency])


def _go(files: Sources) -> _Found:
    by_home: dict[str, Evidence] = {}
    for evidence, _ in files.lines(files.like("*_test.go"), r"^func Benchmark\w*\(\w+ \*testing\.B\)", "//"):
        by_home.setdefault(files.home(evidence.file, "go.mod"), evidence)
    for home, evidence in by_home.items():
        suite = Suite(
            kind="go",
            directory=home,
            benchmark="go test -run '^$' -bench . -benchmem -count 5 ./...",
            stdout="go-benchmarks.txt",
            format="go",
        )
        name = "go" if home == "." else f"go-{PurePosixPath(home).name}"
        yield FoundSuite(name=name, tool="Go", suite=suite, evidence=[evidence])


# -- C++ ---------------------------------------------------------------------------------------------------------------


def _cmake(files: Sources) -> _Found:
    """Yield a suite for each executable of CMake that links google-benchmark, or Catch2 and has benchmarks."""
    for name in files.like("CMakeLists.txt"):
        code = re.sub(r"#[^\n]*", "", files.text(name))
        for call in re.finditer(r"\btarget_link_libraries\s*\(\s*([\w.+-]+)([^)]*)\)", code):
            target, libraries = call[1], call[2]
            line = code.count("\n", 0, call.start()) + 1
            evidence = Evidence(file=name, line=line, text=" ".join(call[0].split()))
            if not re.search(rf"\badd_executable\s*\(\s*{re.escape(target)}\b", code):
                continue
            if re.search(r"\bbenchmark(::benchmark(_main)?|_main)?\b", libraries):
                yield _built(files, name, target, evidence, is_catch=False)
            elif "Catch2::" in libraries and (
                macro := files.first(files.like(*_CPP), r"\bBENCHMARK(_ADVANCED)?\s*\(", "//")
            ):
                yield _built(files, name, target, evidence, macro, is_catch=True)


def _built(files: Sources, listed: str, target: str, *evidence: Evidence, is_catch: bool) -> FoundSuite:
    home, inner = _cmake_root(files, listed), PurePosixPath(listed).parent
    path = str(PurePosixPath(home, "build", inner.relative_to(home), target))
    program = f"{{tree}}/{shlex.quote(path)}"
    catch, google = "--reporter xml --out results.xml", "--benchmark_out=results.json --benchmark_out_format=json"
    hidden = is_catch and files.first(files.like(*_CPP), r"\[!benchmark\]", "//")
    suite = Suite(
        kind="cpp",
        directory=home,
        setup=["cmake -S . -B build -DCMAKE_BUILD_TYPE=Release", f"cmake --build build --target {target} --parallel"],
        benchmark=f"{program} {catch if is_catch else google + ' --benchmark_repetitions=5'}"
        + (" '[!benchmark]'" if hidden else ""),
        outputs=["results.xml" if is_catch else "results.json"],
        format="catch2-xml" if is_catch else "google-benchmark",
        select="" if is_catch else "--benchmark_filter={pattern}",
    )
    tool = "Catch2" if is_catch else "google-benchmark"
    return FoundSuite(name=f"cpp-{target}", tool=tool, suite=suite, evidence=evidence)


def _cmake_root(files: Sources, name: str) -> str:
    """Return the outermost directory above a CMakeLists.txt whose own one has project()."""
    for parent in reversed(PurePosixPath(name).parents):
        if re.search(r"^\s*project\s*\(", files.text(str(parent / "CMakeLists.txt")), re.MULTILINE | re.IGNORECASE):
            return str(parent)
    return str(PurePosixPath(name).parent)


# -- JVM, .NET, JavaScript and command lines ---------------------------------------------------------------------------


def _jmh(files: Sources) -> _Found:
    for evidence in files.each(files.like("pom.xml"), r"<artifactId>\s*jmh-core\s*<", "<!--"):
        suite = Suite(
            kind="java",
            directory=str(PurePosixPath(evidence.file).parent),
            setup=["mvn --batch-mode --quiet -DskipTests package"],
            benchmark="java -jar target/benchmarks.jar -rf json -rff results.json",
            outputs=["results.json"],
            format="jmh",
        )
        note = "the archive is expected as target/benchmarks.jar, as JMH's archetype names it"
        yield FoundSuite(name="java", tool="JMH", suite=suite, evidence=[evidence], note=note)
    for evidence in files.each(files.like("build.gradle", "build.gradle.kts"), r"me\.champeau\.jmh", "//"):
        home = files.home(evidence.file, "settings.gradle", "settings.gradle.kts", "gradlew")
        module = PurePosixPath(evidence.file).parent.relative_to(home)
        task = ":".join(("", *module.parts, "jmh")) if module.parts else "jmh"
        is_json = re.search(r"resultFormat\s*(=|\.set\()\s*['\"]JSON", files.text(evidence.file))
        suite = Suite(
            kind="java",
            directory=home,
            benchmark=f"./gradlew --no-daemon {task}",
            outputs=[str(module / "build/results/jmh/results.json")],
            format="jmh",
        )
        note = "" if is_json else f"add resultFormat = 'JSON' to jmh {{ }} in {evidence.file}"
        yield FoundSuite(name="java", tool="JMH", suite=suite, evidence=[evidence], note=note)


def _benchmarkdotnet(files: Sources) -> _Found:
    for evidence in files.each(files.like("*.csproj", "*.fsproj"), r'Include="BenchmarkDotNet"', "<!--"):
        project = PurePosixPath(evidence.file)
        suite = Suite(
            kind="dotnet",
            benchmark=f"dotnet run --configuration Release --project {shlex.quote(evidence.file)} -- --filter '*' --exporters json",
            outputs=["BenchmarkDotNet.Artifacts/results/*-report*.json"],
            format="benchmarkdotnet",
        )
        note = "the program is expected to pass its arguments on: BenchmarkSwitcher...Run(args)"
        yield FoundSuite(
            name=f"dotnet-{project.stem}", tool="BenchmarkDotNet", suite=suite, evidence=[evidence], note=note
        )


def _vitest(files: Sources) -> _Found:
    for evidence in files.each(files.like("package.json"), r'"vitest"\s*:\s*"[^"]*\d', "//"):
        home = str(PurePosixPath(evidence.file).parent)
        benches = [
            name
            for name in files.like("*.bench.[jt]s", "*.bench.[cm][jt]s", "*.bench.[jt]sx")
            if files.home(name, "package.json") == home
        ]
        if not benches:
            yield Unread(tool="Vitest", evidence=evidence, reason="no file *.bench.ts or *.bench.js")
            continue
        locks = {
            "pnpm-lock.yaml": "pnpm install --frozen-lockfile",
            "yarn.lock": "yarn install --frozen-lockfile",
            "package-lock.json": "npm ci",
        }
        install = next((command for lock, command in locks.items() if within(home, lock) in files.names), "npm install")
        suite = Suite(
            kind="javascript",
            directory=home,
            setup=[install],
            benchmark="npx vitest bench --run --outputJson results.json",
            outputs=["results.json"],
            format="vitest",
        )
        bench = Evidence(file=benches[0], line=1, text=(files.text(benches[0]).splitlines() or [""])[0].strip())
        name = "javascript" if home == "." else f"javascript-{PurePosixPath(home).name}"
        yield FoundSuite(name=name, tool="Vitest", suite=suite, evidence=[evidence, bench])


def _hyperfine(files: Sources) -> _Found:
    for name in files.like("*.sh", "*.bash"):
        call = files.first([name], r"(^|[;&|]\s*)hyperfine\s")
        if call is None:
            continue
        exported = re.search(
            r"--export-json[= ]\s*['\"]?([\w.+-]+(?:/[\w.+-]+)*)(?=['\"\s]|$)", files.text(name), re.MULTILINE
        )
        if exported is None:
            yield Unread(tool="hyperfine", evidence=call, reason="no --export-json with the name of a file")
            continue
        suite = Suite(kind="shell", benchmark=f"bash {shlex.quote(name)}", outputs=[exported[1]], format="hyperfine")
        yield FoundSuite(
            name=f"hyperfine-{PurePosixPath(name).stem}",
            tool="hyperfine",
            suite=suite,
            evidence=[call],
            note=f"the machine needs hyperfine and what {name} runs; let `setup` install and build them",
        )


_TOOLS: Sequence[Callable[[Sources], _Found]] = (
    _pytest_benchmark, _codspeed, _asv, _pyperf, _criterion, _go, _cmake, _jmh, _benchmarkdotnet, _vitest, _hyperfine,
)  # fmt: skip
_UNREAD = "bench_db reads no output of it; a script that writes the Bencher Metric Format is enough (docs/formats.md)"
_BY_HAND = "how it is run is not known; write a suite with its command and the format {} (docs/formats.md)"
_NIGHTLY = "it needs a nightly compiler; write a suite with 'cargo bench' and the format cargo-bench"
_OTHERS = (
    ("divan", ("Cargo.toml",), r"^\s*divan\s*=", _BY_HAND.format("divan")),
    ("gungraun", ("Cargo.toml",), r"^\s*(gungraun|iai(-callgrind)?)\s*=", _BY_HAND.format("gungraun")),
    ("benchmark-ips", ("Gemfile", "*.gemspec"), r"\bbenchmark-ips\b", _BY_HAND.format("benchmark-ips")),
    ("BenchmarkTools.jl", ("Project.toml",), r"^\s*BenchmarkTools\s*=", _BY_HAND.format("julia")),
    ("mitata", ("package.json",), r'"mitata"\s*:', _BY_HAND.format("mitata")),
    ("tinybench", ("package.json",), r'"tinybench"\s*:', _UNREAD),
    ("Benchmark.js", ("package.json",), r'"benchmark"\s*:\s*"[\^~]?\d', _BY_HAND.format("benchmarkjs")),
    ("benchmark_harness", ("pubspec.yaml",), r"^\s*benchmark_harness\s*:", _BY_HAND.format("dart")),
    ("phpbench", ("composer.json",), r'"phpbench/phpbench"', _UNREAD),
    ("criterion (Haskell)", ("*.cabal", "package.yaml"), r"^[\s,-]*(criterion|tasty-bench)\b", _UNREAD),
    ("google-benchmark in Bazel", ("BUILD", "BUILD.bazel"), r"@(com_github_)?google_benchmark//", _BY_HAND.format("google-benchmark")),
    ("nanobench", _CPP, r'#include [<"](ankerl/)?nanobench\.h', _BY_HAND.format("nanobench")),
    ("unstable #[bench]", ("*.rs",), r"^\s*#\[bench\]", _NIGHTLY),
)  # fmt: skip


def _others(files: Sources) -> Iterator[Unread]:
    for tool, names, pattern, reason in _OTHERS:
        evidence = files.first(files.like(*names), pattern, "//")
        if evidence is not None:
            yield Unread(tool=tool, evidence=evidence, reason=reason)
