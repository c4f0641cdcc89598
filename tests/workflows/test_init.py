"""A fresh repository becomes measured, gated and alarmed by `bench-db init` and exactly what it wrote, acted out step by step."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench_db import connect
from bench_db.app.ci_files import SECRET_OF_ALARM
from tests.cli.commands import bench_db
from tests.support.actions.definitions import ROOT
from tests.support.actions.runner import Platform, Run
from tests.support.benches import WITHOUT_INDEX, WITHOUT_PLUGINS
from tests.support.certificates import authority
from tests.support.github_server import REPOSITORY, FakeGitHub, github_server
from tests.support.histories import History
from tests.support.receivers import receiver
from tests.workflows.conftest import strays
from tests.workflows.world import EXECUTED, copy_workflows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.app.ci_files import Alarm

pytestmark = pytest.mark.slow
OURS = "tools/bench_db"
# A timer instead of a clock makes times that do not depend on the machine; they differ from commit to commit.
PYTEST_SUITE = """\
import os, pathlib, random
import pytest
random = random.Random(os.environ["BENCH_DB_COMMIT"])
level = float(pathlib.Path("level.txt").read_text())
now = 0.0

def timer():
    global now
    now += level * (1 + 0.01 * random.random())
    return now

@pytest.mark.benchmark(timer=timer)
@pytest.mark.parametrize("size", [1, 2])
def test_sum(benchmark, size):
    assert not [name for name in os.environ if "TOKEN" in name or "AWS" in name], "the code of a commit sees no credential"
    benchmark.pedantic(sum, args=(range(size),), rounds=20)
"""
PYPROJECT = f"""\
[project]
name = "small"
version = "1.0"
[project.optional-dependencies]
bench = ["pytest-benchmark>=5"]
[tool.pytest.ini_options]
addopts = "-q {WITHOUT_PLUGINS}"
"""
PYTEST_FILES = {"pyproject.toml": PYPROJECT, "bench/test_speed.py": PYTEST_SUITE}
# Real work on the real clock.
REAL_SUITE = """\
import pathlib
import pytest
work = int(20_000 * float(pathlib.Path("level.txt").read_text()))

@pytest.mark.parametrize("size", [1, 2])
def test_sum(benchmark, size):
    benchmark.pedantic(lambda: sum(range(work * size)), rounds=150, warmup_rounds=5)
"""
# cmake whose build is a program with the output of google-benchmark, that of the repository or PROGRAM
CMAKE = f"""#!{sys.executable}
import os, pathlib, sys
if sys.argv[1] == "--build":
    program = pathlib.Path(sys.argv[2], "bench", sys.argv[sys.argv.index("--target") + 1])
    program.parent.mkdir(parents=True)
    own = pathlib.Path("program")
    program.write_text((own if own.exists() else pathlib.Path(__file__).with_name("program")).read_text())
    program.chmod(0o755)
"""
PROGRAM = f"""#!{sys.executable}
import json, os, pathlib, random, sys
assert not [name for name in os.environ if "TOKEN" in name or "AWS" in name], "the code of a commit sees no credential"
random.seed(os.environ["BENCH_DB_COMMIT"])
given = dict(word.lstrip("-").split("=") for word in sys.argv[1:])
assert given["benchmark_out_format"] == "json", given
document = json.loads(pathlib.Path({str(ROOT / "tests/data/google-benchmark/1.7.1/interleaved.json")!r}).read_text())
level = float(pathlib.Path("level.txt").read_text())
for run in document["benchmarks"]:
    for key in ("real_time", "cpu_time"):
        run[key] *= level * (1 + 0.01 * random.random())
pathlib.Path(given["benchmark_out"]).write_text(json.dumps(document))
"""
# Noise of 1 % between pairs of processes. In a commit with a file `spike.txt` one process takes five times as long. A start takes
# 20 ms, that of a suite of pytest 450 ms. Its two series are the time and the CPU time.
NOISY_PROGRAM = f"""#!{sys.executable} -IS
import json, pathlib, random, sys
count, spike = pathlib.Path("count.txt"), pathlib.Path("spike.txt").exists()
number = int(count.read_text()) if count.exists() else 0
count.write_text(str(number + 1))
level = float(pathlib.Path("level.txt").read_text())
random = random.Random(f"{{level}} {{spike}} {{number}}")
level *= random.gauss(1.0, 0.007) * (5 if spike and number == 3 else 1)
given = dict(word.lstrip("-").split("=") for word in sys.argv[1:])
document = json.loads(pathlib.Path({str(ROOT / "tests/data/google-benchmark/1.7.1/interleaved.json")!r}).read_text())
times = dict.fromkeys(("real_time", "cpu_time"), level)
document["benchmarks"] = [run | times for run in document["benchmarks"] if run["run_type"] == "iteration"]
pathlib.Path(given["benchmark_out"]).write_text(json.dumps(document))
"""
GOOGLE_FILES = {
    "CMakeLists.txt": "cmake_minimum_required(VERSION 3.16)\nproject(codec CXX)\nadd_subdirectory(bench)\n",
    "bench/CMakeLists.txt": "add_executable(speed speed.cpp)\ntarget_link_libraries(speed PRIVATE benchmark::benchmark)\n",
    "bench/speed.cpp": "int main() {}\n",
}
HOSTILE = "a\"b'c;$(touch${IFS}pwned)`touch${IFS}pwned`${{github.token}}"


@dataclass
class Repository:
    """A repository, a GitHub that runs its workflow, and a store on the runner."""

    history: History
    platform: Platform
    fake: FakeGitHub
    store: Path

    def pushed(self) -> Run:
        return self.platform.run("benchmarks", event="push", payload={"repository": {"default_branch": "main"}})

    def scheduled(self) -> Run:
        return self.platform.run("benchmarks", event="schedule", payload={"repository": {"default_branch": "main"}})

    def opened(self, sha: str, fork: str = REPOSITORY) -> Run:
        head = {"sha": sha, "ref": HOSTILE, "repo": {"full_name": fork}}
        base = {"sha": self.history.git("rev-parse", "main"), "ref": "main"}
        pull = {"number": 12, "title": HOSTILE, "head": head, "base": base}
        return self.platform.run("benchmarks", event="pull_request", payload={"pull_request": pull})

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.history.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.history.path / name).write_text(text)

    def backfill(self, commits: str, tools: Path) -> None:
        path = os.pathsep.join([str(tools), os.environ["PATH"]])
        words = ("--range", commits, "--store", self.store, "--fail-on-error")
        done = bench_db("backfill", *words, cwd=self.history.path, PATH=path)
        assert done.returncode == 0, done.stderr


@contextmanager
def repository(
    directory: Path, files: dict[str, str], tools: Path, secrets: dict[str, str] | None = None, **variables: str
) -> Iterator[Repository]:
    """Create a repository with benchmarks and secrets, the repository of the action, and a GitHub for both."""
    history = History(directory / "small")
    history.git("config", "uploadpack.allowAnySHA1InWant", "true")
    action = History(directory / "bench_db")
    copy_workflows(action.path, "")
    action.commit("action")
    with github_server() as fake:
        fake.base, fake.head = "main", HOSTILE
        fake.grants = {"workflow-token": (REPOSITORY, {"contents": "read", "pull-requests": "write"})}
        platform = Platform(
            directory=directory / "runs",
            repository=REPOSITORY,
            repositories={REPOSITORY: history.path, OURS: action.path},
            environments={"": secrets or {}},
            variables={
                "GITHUB_API_URL": fake.url,
                "UV_NO_SYNC": "1",
                "UV_PROJECT_ENVIRONMENT": sys.prefix,
                **variables,
                **({"PYTHONPYCACHEPREFIX": sys.pycache_prefix} if sys.pycache_prefix else {}),
            },
            path=[tools],
            executed=EXECUTED,
        )
        made = Repository(history=history, platform=platform, fake=fake, store=directory / "store")
        made.write({**files, "level.txt": "1"})
        history.commit("first")
        yield made


def initialise(there: Repository, tools: Path, *more: str) -> None:
    """Call `init`, then the two commands that it names."""
    words: tuple[str | Path, ...] = (
        *more,
        "--yes",
        "--action",
        f"{OURS}@{'a' * 40}",
        "--store",
        there.store,
        "--output",
        "json",
    )
    done = bench_db("init", *words, cwd=there.history.path)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)["steps"]
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    tried = bench_db(*first.split()[1:], cwd=there.history.path, PATH=path)
    assert tried.returncode == 0, tried.stderr
    assert connect(there.history.path / ".bench-db/try").latest().height > 0
    assert second.startswith("git add bench-db.toml .github/workflows/benchmarks.yml && git commit")
    there.history.commit("Measure benchmarks")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a Python and a cmake that need no network."""
    directory = tmp_path_factory.mktemp("tools")
    scripts = {"python3": WITHOUT_INDEX.format(installed=directory / "installed"), "cmake": CMAKE, "program": PROGRAM}
    for name, text in scripts.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    return directory


def logs(run: Run) -> str:
    return "\n".join(run.logs.values())


def outputs(there: Repository, run: Run) -> dict[str, Any]:
    """Return the document of the report: what the job said."""
    return {"log": logs(run), "comments": [comment["body"] for comment in there.fake.comments], "summary": run.summary}


@pytest.mark.parametrize(
    ("files", "suite", "mode", "alarm"),
    [(PYTEST_FILES, "python", "history", "webhook"), (GOOGLE_FILES, "cpp-speed", "pairs", "slack")],
    ids=["pytest", "google"],
)
def test_from_nothing_to_an_alarm(  # noqa: PLR0917 a story and two fixtures
    files: dict[str, str], suite: str, mode: str, alarm: Alarm, tmp_path: Path, tools: Path
) -> None:
    trusted = authority(tmp_path)
    with (
        receiver(trusted.server()) as web,
        repository(
            tmp_path,
            files,
            tools,
            secrets={SECRET_OF_ALARM[alarm]: f"{web.url}/the-secret-path"},
            SSL_CERT_FILE=str(trusted.file),
        ) as there,
    ):
        initialise(there, tools, "--mode", mode, "--alarm", alarm)
        # the first push publishes, and nothing can be judged yet
        first = there.pushed()
        assert first.conclusion == "success", logs(first)
        assert "No verdict" in first.summary
        store = connect(there.store)
        [measured] = store.runs().select("commit", "branch", "test_bed_name").unique().collect().rows()
        assert measured == (there.history.git("rev-parse", "main"), "main", "self-hosted")
        assert set(store.latest()["suite"]) == {suite}
        # the environment of the first job is in the cache, and the second job installs nothing
        commits = [there.history.commit(f"change {number}", notes__txt=str(number)) for number in range(6)]
        second = there.pushed()
        assert second.conclusion == "success", logs(second)
        there.backfill(",".join(commits[:-1]), tools)
        # a pull request that makes nothing slow passes and gets a comment
        there.history.git("checkout", "--quiet", "-b", HOSTILE)
        fine = there.opened(there.history.commit("fine", notes__txt="fine"))
        assert fine.conclusion == "success", logs(fine)
        [comment] = there.fake.comments
        assert "No change in" in comment["body"]
        # its next commit is slow: the gate fails, and the same comment says it
        slow_sha = there.history.commit("slow", level__txt="2")
        slow = there.opened(slow_sha)
        assert slow.conclusion == "failure"
        [comment] = there.fake.comments
        title = next(line for line in comment["body"].splitlines() if line.startswith("## "))
        assert "regressed" in title
        assert title.endswith("in pairs") is (mode == "pairs")
        assert comment["body"] in slow.summary or "regressed" in slow.summary
        # a pull request of a fork starts nothing that could see the store
        assert set(there.opened(slow_sha, fork="stranger/name").results.values()) == {"skipped"}
        # merged all the same, it alarms on the main branch
        there.history.git("checkout", "--quiet", "main")
        there.history.git("merge", "--quiet", "--no-ff", "-m", "Merge", slow_sha)
        merged = there.pushed()
        assert merged.conclusion == "failure"
        assert "regressed" in merged.summary
        assert web.requests == []
        # the scheduled job finds the change in the history, fails once, and the receiver gets one message, by TLS
        later = [there.history.commit(f"later {number}", notes__txt=f"later {number}") for number in range(8)]
        there.backfill(",".join(later[:-1]), tools)
        nightly = there.scheduled()
        assert nightly.conclusion == "failure", logs(nightly)
        [message] = web.documents
        merge = there.history.git("rev-parse", f"{later[0]}~1")
        assert merge[:9] in json.dumps(message)
        assert "slower" in json.dumps(message)
        again = there.scheduled()
        assert again.conclusion == "success", logs(again)
        assert len(web.requests) == 1
        assert "the-secret-path" not in str([outputs(there, run) for run in there.platform.runs])
        assert strays(tmp_path) == []
        assert "workflow-token" not in str(outputs(there, merged))


class TestPairs:
    """A pull request is measured in alternation with its merge base, without a history: judged, stored, commented and gated."""

    def opened(self, there: Repository, tools: Path, rounds: int | None = None, /, **files: str) -> Run:
        """Open a pull request with a change of these files, in a repository whose main branch was never measured."""
        initialise(there, tools)
        if rounds is not None:
            with (there.history.path / "bench-db.toml").open("a") as file:
                file.write(f"\n[pairs]\nrounds = {rounds}\n")
            there.history.commit("Measure more rounds")
        there.history.git("checkout", "--quiet", "-b", "topic")
        return there.opened(there.history.commit("change", **files))

    def verdicts(self, there: Repository) -> dict[str, int]:
        """Return the stored verdicts of the pull request."""
        rows = connect(there.store).query("select verdict, count(*) from pairs group by all", everything=True).rows()
        return dict(rows)

    @pytest.mark.alone
    def test_a_quarter_more_work(self, tmp_path: Path, tools: Path) -> None:
        """The clock and the work are real, and so is whatever else this machine does: a busy one needs more rounds."""
        with repository(tmp_path, {"pyproject.toml": PYPROJECT, "bench/test_speed.py": REAL_SUITE}, tools) as there:
            run = self.opened(there, tools, 60, level__txt="1.25")
            assert run.conclusion == "failure", logs(run)
            [comment] = there.fake.comments
            assert "2 benchmarks regressed, in pairs" in comment["body"], comment["body"]
            assert self.verdicts(there) == {"regressed": 2}
            rows = (
                connect(there.store)
                .query("select commit, pr_number, pair_side from runs order by all", everything=True)
                .rows()
            )
            head, base = there.history.git("rev-parse", "HEAD"), there.history.git("rev-parse", "main")
            assert set(rows) == {(head, 12, "head"), (base, None, "base")}

    @pytest.mark.parametrize(
        ("files", "conclusion", "verdicts"),
        [
            ({"level__txt": "1.03"}, "failure", {"regressed": 2}),
            ({"spike__txt": "1"}, "success", {"unchanged": 2}),
        ],
        ids=["three percent", "spike"],
    )
    def test_noise_of_one_percent(
        self, files: dict[str, str], conclusion: str, verdicts: dict[str, int], tmp_path: Path, tools: Path
    ) -> None:
        with repository(tmp_path, {**GOOGLE_FILES, "program": NOISY_PROGRAM}, tools) as there:
            run = self.opened(there, tools, **files)
            assert there.fake.comments, logs(run)
            [comment] = there.fake.comments
            assert (run.conclusion, self.verdicts(there)) == (conclusion, verdicts), comment["body"]
            assert "in pairs" in comment["body"]
