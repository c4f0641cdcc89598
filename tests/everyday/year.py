"""A simulated year of a repository: real git, runs of three test beds, pull requests, merges, force pushes and mistakes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import bench_db as api
from bench_db.app.publish import known_of_commit
from bench_db.store.publish import Entry
from tests.support.everyday import BEGIN, HOUR, Repository, benchmark_file

if TYPE_CHECKING:
    from bench_db.app.database import Database
    from bench_db.model import RecordedCommit

DAY = 24 * HOUR
BENCHMARKS = {"test_parse": 0.001, "test_write": 0.02, "test_sort": 0.0004}
CPUS = {"Vendor A": 1.0, "Vendor B": 1.3, "Vendor C": 0.8}
BEDS = ("bare-1", "bare-2", "pool")
PATIENCE = 8  # commits between two nights


@dataclass(kw_only=True)
class Year:
    """What happens, and what was planted. `steps` maps the number of a main commit to a benchmark and a factor.

    With `together` the runs of a day are read one by one, and stored with one write before the commits are synced.
    """

    directory: Path
    seed: int
    commits: int
    pull_requests: int
    steps: dict[int, tuple[str, float]]
    renamed_at: int
    full_clones: bool = False
    together: bool = False
    level: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BENCHMARKS, 1.0))
    main: list[str] = field(default_factory=list)
    planted: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    time: int = BEGIN

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.origin = Repository(self.directory / "origin")
        self.origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
        self.store = api.connect(self.directory / "store", create=True)
        self.night = self.directory / "nightly"
        self.waiting: list[Entry] = []
        self.known: dict[str, list[RecordedCommit]] = {}
        self.broken_from = self.commits // 2
        self.force_pushes = {self.commits // 3, 2 * self.commits // 3}
        self.opens = set(self.random.sample(range(5, self.commits), self.pull_requests))

    def live(self) -> Database:
        """Let the year happen, and return the store."""
        for number in range(self.commits):
            self.time += self.random.randint(HOUR, DAY)
            if number in self.force_pushes:
                self._force_push()
            wrong = 30 * DAY if number == self.commits // 4 else 0
            if number in self.steps:
                name, factor = self.steps[number]
                self.level[name] *= factor
            sha = self.origin.commit_at(self.time + wrong, f"change {number}")
            if number in self.steps:
                self.planted[sha] = self.steps[number][0]
            self._measure_main(sha, number)
            if number in self.opens:
                self._pull_request(number)
            if number % PATIENCE == PATIENCE - 1:
                self._sync()
        self._sync()
        self.main = self.origin.git("rev-list", "--first-parent", "--reverse", "main").split()
        api.exclude_runs(self.store, "a fan had failed", test_bed_name="bare-2", file="broken-*")
        api.define(self.store, "join", "tests/test_q.py::test_sort", "tests/test_q.py::test_sorted")
        return self.store

    def _measure_main(self, sha: str, number: int) -> None:
        for bed in BEDS:
            again = 1 + (number % 14 == 3 and bed == "bare-1")
            for turn in range(again):
                broken = bed == "bare-2" and self.broken_from <= number < self.broken_from + 3
                self._publish(
                    sha, bed, number, factor=2.0 if broken else 1.0, name="broken" if broken else "run", turn=turn
                )

    def _pull_request(self, number: int) -> None:
        """Open a pull request of some pushes, each a rewritten commit; merge it, with a merge commit, by a rebase, or never."""
        branch, levels = f"idea-{number}", dict(self.level)
        self.level = {name: level * self.random.choice((1.0, 2.0)) for name, level in levels.items()}
        self.origin.git("checkout", "--quiet", "-b", branch)
        base = self.origin.git("rev-parse", "HEAD")
        for _ in range(self.random.randint(1, 8)):
            self.origin.git("reset", "--quiet", "--hard", base)
            self.time += self.random.randint(60, HOUR)
            sha = self.origin.commit_at(self.time, f"idea {number}")
            self._publish(sha, "bare-1", number, pull_request=number + 1, branch=branch)
        self.level = levels
        self.origin.git("checkout", "--quiet", "main")
        fate = self.random.choice(("merge", "rebase", "never"))
        self.time += HOUR
        date = f"{self.time} +0000"
        if fate == "merge":
            self.origin.git(
                "merge",
                "--quiet",
                "--no-ff",
                "-m",
                f"merge {branch}",
                branch,
                GIT_AUTHOR_DATE=date,
                GIT_COMMITTER_DATE=date,
            )
            self._measure_main(self.origin.git("rev-parse", "HEAD"), number)
        elif fate == "rebase":
            self.origin.git("cherry-pick", branch, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
            self._measure_main(self.origin.git("rev-parse", "HEAD"), number)

    def _force_push(self) -> None:
        """Take the newest two commits of main away, unless a step was planted there."""
        taken = self.origin.git("rev-list", "--first-parent", "-2", "main").split()
        if not set(taken) & set(self.planted):
            self.gone += taken
            self.origin.git("reset", "--quiet", "--hard", "HEAD~2")

    def _publish(
        self,
        sha: str,
        bed: str,
        number: int,
        *,
        factor: float = 1.0,
        name: str = "run",
        turn: int = 0,
        pull_request: int | None = None,
        branch: str = "main",
    ) -> None:
        cpu = self.random.choice(list(CPUS)) if bed == "pool" else "Imaginary 9000"
        sorts = "test_sorted" if number >= self.renamed_at else "test_sort"
        names = {n: sorts if n == "test_sort" else n for n in BENCHMARKS}
        benchmarks: list[object] = []
        document: dict[str, Any] = {}
        for benchmark, base in BENCHMARKS.items():
            mean = base * self.level[benchmark] * factor * CPUS.get(cpu, 1.0) * self.random.gauss(1, 0.01)
            seed = f"{self.seed}/{sha}/{bed}/{turn}/{benchmark}"
            document = benchmark_file(mean, at=self.time + 600 + turn, names=(names[benchmark],), seed=seed, cpu=cpu)
            benchmarks += document["benchmarks"]  # type: ignore[arg-type]
        file = self.directory / f"{name}-{bed}-{turn}.json"
        file.write_text(json.dumps(document | {"benchmarks": benchmarks}))
        provenance = api.Provenance(
            dut_name="proj",
            test_bed_name=bed,
            checkout=self._checkout(sha, branch),
            branch=branch,
            pr_number=pull_request,
        )
        if self.together:
            run, results = api.parse(file, provenance=provenance)
            if sha not in self.known:
                self.known[sha] = known_of_commit(self.origin.path, run)
            self.waiting.append(Entry(run, results, self.known[sha]))
        else:
            api.publish(self.store, file, provenance=provenance)

    def _checkout(self, sha: str, branch: str) -> Path:
        """Return a checkout as CI has it: of depth 1, on the branch that was pushed."""
        if self.full_clones:
            self.origin.git("checkout", "--quiet", branch)
            return self.origin.path
        clone = self.directory / "checkout"
        if not (clone / ".git").exists() or self.origin.git("-C", str(clone), "rev-parse", "HEAD") != sha:
            if not clone.exists():
                Repository(clone)
            git = ("-C", str(clone))
            self.origin.git(*git, "fetch", "--quiet", "--depth", "1", f"file://{self.origin.path}", sha)
            self.origin.git(*git, "checkout", "--quiet", "--force", "-B", branch, "FETCH_HEAD")
            (clone / ".git" / "shallow").touch()
        return clone

    def _sync(self) -> None:
        if self.waiting:
            list(self.store.store.publish_many(self.waiting))
            self.waiting = []
        if not self.night.exists():
            self.origin.git("clone", "--quiet", "--bare", f"file://{self.origin.path}", str(self.night))
        self.origin.git(
            "-C", str(self.night), "fetch", "--quiet", "--force", "--prune", "origin", "+refs/heads/*:refs/heads/*"
        )
        api.sync_commits(self.store, clone=self.night, branch="main", at=self.time)
