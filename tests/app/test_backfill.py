"""A backfill through a forge, against a server that behaves as GitHub does."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfile

import pytest

from bench_db.app.backfill import Pace, Remote, readings, same_setup_failure
from bench_db.app.planning import Planner
from bench_db.ci.forge import Workflow
from bench_db.ci.github.client import GitHub
from bench_db.ci.github.forge import GitHubForge
from bench_db.clock import Clock
from bench_db.errors import GitHubError, UnreadableOutputError, UserError
from bench_db.ingest import Provenance
from bench_db.measure.journal import Journal
from bench_db.measure.runner import Written
from bench_db.model import AttemptState as State
from bench_db.model import Commit, Reason, Step, Target
from bench_db.rules import RULES
from bench_db.schedule.config import Config, Project
from tests.ingest.formats.test_criterion_dir import measure
from tests.support.clocks import START, Slept
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub, Reply

pytestmark = pytest.mark.few(1)

DISPATCH = "POST .*dispatches"


def step(i: int, *suites: str) -> Step:
    targets = tuple(Target(suite=suite) for suite in suites) or (Target(),)
    return Step(commit=Commit(sha=f"{i:040x}", time=i), targets=targets, reason=Reason.NOT_MEASURED)


@pytest.fixture
def workflow(fake: FakeGitHub, slept: Slept) -> Iterator[GitHubForge]:
    with GitHubForge(
        GitHub(TOKEN, base_url=fake.url, clock=slept.clock(), deadline_seconds=300), slept.clock()
    ) as github:
        yield github


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "backfill" / "github.jsonl")


def remote(forge: GitHubForge, journal: Journal, slept: Slept, pace: Pace = Pace()) -> Remote:  # noqa: B008 frozen
    config = Config(project=Project(name="p", repository=REPOSITORY))
    planner = Planner(wanted={}, config=config, environment={}, note=print, clock=Clock())
    there = Workflow(repository=REPOSITORY)
    return Remote(forge=forge, workflow=there, planner=planner, journal=journal, clock=slept.clock(), pace=pace)


class TestReadings:
    """The output files of a suite are read as `publish` reads them."""

    CODSPEED = Path(__file__).parents[1] / "data/codspeed/5.0.4/walltime.json"

    def read(self, *outputs: Path, older: Collection[Path] = (), format_name: str = "codspeed") -> list[int]:
        written = Written(outputs, frozenset(older))
        self.said = list[str]()
        read = readings(written, Provenance(suite="s"), format_name, (), self.said.append)
        return [len(results) for _, results in read]

    def test_a_directory_of_files(self, tmp_path: Path) -> None:
        """Of a directory such as `.codspeed` the files of the format are read, but its hidden ones and links."""
        folder = tmp_path / ".codspeed"
        folder.mkdir()
        (folder / ".gitignore").write_text("*\n")
        (folder / "notes.txt").write_text("nothing measured here")
        copyfile(self.CODSPEED, folder / "results_1.json")
        alone = self.read(folder)
        assert self.said == [".codspeed: passed over, as they show no codspeed: 1 file (notes.txt)"]
        assert (self.read(self.CODSPEED), self.said) == (alone, [])
        (folder / "results_2.json").symlink_to(self.CODSPEED)
        (folder / "results_3.json").symlink_to(tmp_path / "nothing")
        (folder / "more").symlink_to(self.CODSPEED.parent)
        assert self.read(folder) == alone
        links = "3 files (more, results_2.json, results_3.json)"
        assert self.said[1:] == [f".codspeed: passed over, as links are not followed: {links}"]
        assert (
            self.read(folder, older=[folder / "notes.txt", *folder.glob("results_[23].json"), folder / "more"]) == alone
        )
        assert self.said == []

    def test_a_file_that_ends_too_early_is_an_error(self, tmp_path: Path) -> None:
        copyfile(self.CODSPEED, tmp_path / "results_1.json")
        (tmp_path / "results_2.json").write_bytes(self.CODSPEED.read_bytes()[:-50])
        with pytest.raises(UserError, match=r"results_2\.json.* ends too early"):
            self.read(tmp_path)
        (tmp_path / "results_3.json").write_bytes(b"")
        with pytest.raises(UserError, match=r"results_3\.json: is empty.*; .*results_2\.json.* ends too early"):
            self.read(tmp_path)

    def test_older_files(self, tmp_path: Path) -> None:
        """Neither their results nor their faults are those of this run; when there are no others, none is a result."""
        for number in (1, 2):
            copyfile(self.CODSPEED, tmp_path / f"results_{number}.json")
        (tmp_path / "results_0.json").write_bytes(self.CODSPEED.read_bytes()[:-50])
        older = [tmp_path / f"results_{number}.json" for number in range(3)]
        assert self.read(tmp_path, older=older[:2]) == self.read(self.CODSPEED)
        with pytest.raises(UnreadableOutputError, match="no benchmark in it could be read"):
            self.read(tmp_path, older=older)

    def test_of_criterion_what_was_measured(self, tmp_path: Path) -> None:
        """A benchmark that a selection left out, and one that was cut off, have the figures of an earlier process."""
        for name in ("a", "b", "c"):
            measure(tmp_path / "criterion", name)
        folder = tmp_path / "criterion"
        assert self.read(folder, format_name="auto") == [3]
        older = [*(folder / "b/new").iterdir(), folder / "c/new/estimates.json"]
        for format_name in ("auto", "criterion-dir"):
            written = Written((folder,), frozenset(older))
            ((run, results),) = readings(written, Provenance(suite="s"), format_name, (), print)
            assert [result.benchmark_name for result in results] == ["a"]
            assert (run.skipped, run.notes[-1]) == ({"missing-file": 1}, "c: skipped, missing-file: no estimates.json")

    def test_nothing_of_the_format(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no file below it shows codspeed"):
            self.read(tmp_path)


class TestRun:
    """Every step is dispatched once, some at a time, and what became of it is known."""

    def test_all_succeed(self, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept) -> None:
        steps = [step(i) for i in range(5)]
        seen: list[tuple[int, int]] = []
        pace = Pace(parallel=2)
        ended = remote(workflow, journal, slept, pace).run(steps, Seen(seen))
        assert [entry.state for entry in ended] == [State.SUCCEEDED] * 5
        assert (fake.most_active, len(fake.runs)) == (2, 5)
        assert (seen[0], seen[-1]) == ((0, 5), (5, 5))

    def test_a_failure_does_not_stop_the_others_and_names_the_job(
        self, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept
    ) -> None:
        fake.conclusions = {f"{1:040x}": "failure"}
        ended = remote(workflow, journal, slept, Pace()).run([step(i) for i in range(3)])
        assert {entry.state for entry in ended if entry.commit != f"{1:040x}"} == {State.SUCCEEDED}
        assert next(entry.detail for entry in ended if entry.state is State.FAILED) == "failure: measure"
        assert journal.attempts == {(f"{i:040x}", ""): 1 for i in range(3)}

    def test_a_run_that_never_ends_is_left_after_its_time(
        self, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept
    ) -> None:
        fake.looks_until_done = 10**9
        ended = remote(workflow, journal, slept, Pace(timeout_seconds=600)).run([step(1)])
        assert (ended[0].state, ended[0].detail) == (State.TIMED_OUT, "in_progress for more than 10 minutes")
        assert 600 < slept.time - START < 700

    def test_a_run_that_is_gone_is_lost(
        self, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(r"GET .*/runs/1000", *[Reply(status=404, document={"message": "Not Found"})] * 50)
        assert remote(workflow, journal, slept, Pace()).run([step(1)])[0].state is State.LOST
        assert slept.time - START < 200

    def test_a_run_that_cannot_be_seen_yet_is_not_lost(
        self, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(r"GET .*/runs/1000", *[Reply(status=404, document={"message": "Not Found"})] * 3)
        assert remote(workflow, journal, slept, Pace()).run([step(1)])[0].state is State.SUCCEEDED

    def test_limits_and_faults_on_the_way_do_not_matter(
        self, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=429, headers={"Retry-After": "30"}))
        fake.fail(r"GET .*/runs/1000", Reply(status=502), Reply(status=0))
        assert remote(workflow, journal, slept, Pace()).run([step(1)])[0].state is State.SUCCEEDED
        assert len(fake.runs) == 1

    def test_a_refusal_ends_it_at_once(
        self, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, Reply(status=404, document={"message": "Not Found"}))
        with pytest.raises(GitHubError, match="404"):
            remote(workflow, journal, slept, Pace()).run([step(1), step(2)])
        assert fake.runs == {}

    def test_three_faults_in_a_row_end_it(
        self, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept
    ) -> None:
        fake.fail(DISPATCH, *[Reply(status=502)] * 9)
        with pytest.raises(GitHubError, match="502"):
            remote(workflow, journal, slept, Pace()).run([step(i) for i in range(5)])
        assert fake.asked(DISPATCH) == 3


class Seen:
    """Progress that is remembered."""

    def __init__(self, seen: list[tuple[int, int]]) -> None:
        self.seen = seen

    def __call__(self, done: int, total: int, doing: str = "") -> None:  # noqa: ARG002 the protocol
        self.seen.append((done, total))

    def say(self, line: str) -> None:
        pass


class Stop(BaseException):
    """A kill, at a point of the test's choice."""


class TestResume:
    """Whenever it is killed, it goes on: nothing is dispatched twice, nothing is forgotten."""

    @pytest.mark.parametrize("after", range(1, 24))
    def test_killed_at_any_request(
        self, after: int, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept
    ) -> None:
        steps = [step(i) for i in range(4)]
        fake.looks_until_done = 3
        with suppress(Stop), killed_after(after):
            remote(workflow, journal, slept, Pace(parallel=2)).run(steps)
        again = Journal(journal.path)
        done = {entry.commit for entry in again.newest.values() if entry.state is State.SUCCEEDED}
        rest = [s for s in steps if s.commit.sha not in done]
        remote(workflow, again, slept, Pace(parallel=2)).run(rest)
        assert sorted(run["inputs"]["git_sha"] for run in fake.runs.values()) == [s.commit.sha for s in steps]
        assert {entry.state for entry in Journal(journal.path).newest.values()} == {State.SUCCEEDED}

    def test_interrupted_before_the_dispatch(
        self, fake: FakeGitHub, workflow: GitHubForge, journal: Journal, slept: Slept
    ) -> None:
        with pytest.raises(Stop), killed_after(0):
            remote(workflow, journal, slept, Pace()).run([step(1)])
        assert fake.runs == {}
        assert remote(workflow, journal, slept).resume() == []
        assert journal.newest[f"{1:040x}"].state is State.LOST


@contextmanager
def killed_after(requests: int) -> Iterator[None]:
    """A kill after so many requests: as the answer of the last one arrives, or before the first is sent."""
    original, count = GitHub._request, 0

    def request(self: GitHub, *arguments: object) -> object:
        nonlocal count
        count += 1
        if requests == 0:
            raise Stop
        answer = original(self, *arguments)  # type: ignore[arg-type]
        if count == requests:
            raise Stop
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GitHub, "_request", request)
        yield


class TestSameSetupFailure:
    """Only as many commits as the rules say, all failing in set-up alike and in every suite, stop a backfill."""

    FAILURE = ("work", 0, "make: exit code 2")

    def test_enough_of_them(self) -> None:
        some = [[self.FAILURE]] * RULES.same_setup_failures
        assert same_setup_failure(some) == self.FAILURE
        assert same_setup_failure(some[1:]) is None
        assert same_setup_failure([*some, [self.FAILURE]]) is None

    @pytest.mark.parametrize("other", [("work", 1, FAILURE[2]), ("else", 0, FAILURE[2]), ("work", 0, "cargo"), None])
    def test_one_that_differs(self, other: tuple[str, int, str] | None) -> None:
        some: list[list[tuple[str, int, str] | None]] = [[self.FAILURE]] * (RULES.same_setup_failures - 1)
        for commits in ([*some, [other]], [[other], *some], [*some, [self.FAILURE, other]]):
            assert same_setup_failure(commits) is None
