"""Starting workflows on a server that behaves as GitHub does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench_db.app.schedule import Dispatched, Scheduled, schedule_runs
from bench_db.errors import BenchDbError
from bench_db.store.database import connect
from tests.cli.kinds import publish
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.clocks import Slept


def sha(i: int) -> str:
    return f"{i:x}".ljust(40, "c")


def record(i: int) -> dict[str, Any]:
    committer = {"date": f"2026-01-{i + 1:02}T00:00:00Z"}
    parents = [{"sha": sha(i - 1)}] if i else []
    return {"sha": sha(i), "commit": {"message": f"change {i}", "committer": committer}, "parents": parents}


@pytest.fixture(autouse=True)
def grown(fake: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six commits on the forge, of which the store has the third; the directory has no configuration."""
    monkeypatch.chdir(tmp_path)
    fake.commits = [record(i) for i in reversed(range(6))]
    publish(connect(tmp_path / "store", create=True), 2, {"f": 1.0}, commit=sha(2))


def scheduled(fake: FakeGitHub, slept: Slept, store: Path, *, dry_run: bool = False) -> Scheduled:
    return schedule_runs(
        str(store),
        environment={"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": fake.url},
        clock=slept.clock(),
        repository=REPOSITORY,
        workflow_repository=REPOSITORY,
        dry_run=dry_run,
    )


class TestSchedule:
    """Each commit since the last measured one is started once, and a run in flight is left alone."""

    def test_started(self, fake: FakeGitHub, slept: Slept, tmp_path: Path) -> None:
        found = scheduled(fake, slept, tmp_path / "store")
        assert [run.commit for run in found.started] == [sha(3), sha(4), sha(5)]
        assert [run["inputs"]["git_sha"] for run in fake.runs.values()] == [sha(3), sha(4), sha(5)]
        assert [run.run_id for run in found.started] == list(fake.runs)
        assert scheduled(fake, slept, tmp_path / "store").started == ()

    def test_a_dry_run_plans_and_starts_nothing(self, fake: FakeGitHub, slept: Slept, tmp_path: Path) -> None:
        found = scheduled(fake, slept, tmp_path / "store", dry_run=True)
        assert [step.commit.sha for step in found.plan.steps] == [sha(3), sha(4), sha(5)]
        assert (found.started, fake.runs) == ((), {})

    def test_without_a_store_nothing_starts(self, fake: FakeGitHub, slept: Slept, tmp_path: Path) -> None:
        with pytest.raises(BenchDbError, match="absent"):
            scheduled(fake, slept, tmp_path / "absent")
        assert fake.requests == []


class TestScheduled:
    """The frame has a row a started run, and its columns without any."""

    def test_frame(self, fake: FakeGitHub, slept: Slept, tmp_path: Path) -> None:
        plan = scheduled(fake, slept, tmp_path / "store", dry_run=True).plan
        one = Scheduled(plan=plan, started=(Dispatched(commit="a", run_id=2**40, url="u"),)).frame()
        assert one.rows() == [("a", 2**40, "u")]
        assert Scheduled(plan=plan).frame().schema == one.schema
