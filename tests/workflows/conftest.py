"""Scenarios that run once: each fixture runs workflows and returns the result for several tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import bench_db
from tests.support.actions.definitions import ROOT
from tests.support.github_server import REPOSITORY
from tests.support.s3_server import s3_server
from tests.workflows.elsewhere import Foreign, publish_from_elsewhere
from tests.workflows.releases import Released, release, version
from tests.workflows.world import Ground, World, lay_clock_ground, lay_ground, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEMO = ROOT / "packages/bench_db/src/bench_db/demo/pytest-benchmark"


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return lay_ground(tmp_path_factory.mktemp("ground"))


@pytest.fixture(scope="session")
def scheduled(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the scheduler, measure the newest commit, and run the scheduler again."""
    with world(ground, tmp_path_factory.mktemp("scheduled"), apart=True) as told:
        told.run("schedule", "schedule-benchmarks", event="schedule")
        told.carry_out("measured")
        told.run("again", "schedule-benchmarks", {"range": "NEW"})
        yield told


@pytest.fixture(scope="session")
def backfilled(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start two commits of the history and wait for them; then measure the second."""
    with world(ground, tmp_path_factory.mktemp("backfilled"), apart=True) as told:
        told.fake.looks_until_done = 1
        told.run("backfill", "backfill", {"range": "ALL", "max_commits": "2", "parallel": "2"})
        told.fake.runs[1001]["status"] = "queued"
        told.carry_out("measured")
        yield told


@pytest.fixture(scope="session")
def asked(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Request benchmarks in a comment, measure and report them; then start the bot by hand."""
    with world(ground, tmp_path_factory.mktemp("asked"), apart=False) as told:
        told.run("comment", "comment-monitor", event="repository_dispatch", payload=comment(ground, ASKED))
        told.carry_out("reported")
        told.run("bot", "pr-benchmark-bot", {"pr_number": "12", "pr_sha": ground.slow, "pr_repo": REPOSITORY})
        told.carry_out("again")
        yield told


@pytest.fixture(scope="session")
def refused(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Send a contradictory command from the author of a pull request."""
    with world(ground, tmp_path_factory.mktemp("refused"), apart=True) as told:
        payload = comment(ground, "@bench-bot benchmark --rust-only --python-only", "author")
        told.run("comment", "comment-monitor", event="repository_dispatch", payload=payload)
        yield told


@pytest.fixture(scope="session")
def broken(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Measure a pull request of another repository that does not build."""
    with world(ground, tmp_path_factory.mktemp("broken"), apart=True) as told:
        inputs = {"git_sha": ground.broken, "pr_number": "12", "pr_repo": REPOSITORY, "run_python": "false"}
        told.run("measured", "run-benchmarks", inputs)
        yield told


@pytest.fixture(scope="session")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Measure a slower pull request, whose regressions are measured again in pairs; then its next commit, which fails in pairs."""
    ground = lay_clock_ground(tmp_path_factory.mktemp("clock"))
    with world(ground, tmp_path_factory.mktemp("confirmed"), apart=False) as told:
        for name, sha in (("slow", ground.slow), ("stuck", ground.broken)):
            told.run(name, "run-benchmarks", {"git_sha": sha, "pr_number": "12", "pr_repo": REPOSITORY})
        yield told


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a store with shipped measurements, whose known steps are not detected yet."""
    store = tmp_path_factory.mktemp("history") / "store"
    done = bench_db("publish", DEMO, "--store", store, cwd=store.parent)
    assert done.returncode == 0, done.stderr
    return store


@pytest.fixture(scope="session")
def reported(ground: Ground, history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the regression report."""
    with world(ground, tmp_path_factory.mktemp("reported"), apart=True, store=history) as told:
        told.run("report", "regression-report")
        yield told


@pytest.fixture(scope="session")
def deployed(ground: Ground, history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Build the site, as every night."""
    with world(ground, tmp_path_factory.mktemp("deployed"), apart=True, store=history) as told:
        told.run("site", "publish-site", event="schedule")
        yield told


@pytest.fixture(scope="session")
def pushed(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Push to the repository of the workflows."""
    with world(ground, tmp_path_factory.mktemp("pushed"), apart=True) as told:
        told.run("check", "check", event="push")
        yield told


@pytest.fixture(scope="session")
def foreign(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """Publish from another repository with the lines of docs/how-to/ci.md."""
    directory = tmp_path_factory.mktemp("foreign")
    with s3_server() as server:
        server.new_bucket("my-benchmarks")
        yield publish_from_elsewhere(ground, directory, server)


ASKED = """\
> @bench-bot benchmark --rust-only --python-only

`@bench-bot benchmark --fast` is not what I mean, "$(touch pwned)" neither; it's `touch pwned` day.

    @bench-bot benchmark --crate nothing

@bench-bot benchmark
"""


def comment(ground: Ground, body: str, user: str = "writer", **more: Any) -> dict[str, Any]:
    """Return the event of a comment on the slow pull request."""
    about = {"pr_number": 12, "pr_head_sha": ground.slow, "repository": REPOSITORY}
    return {"client_payload": {"comment_body": body, "comment_user": user, **about, **more}}


def strays(directory: Path) -> list[Path]:
    """Return the files that an executed text would have created."""
    return list(directory.rglob("pwned*"))


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Push the tag of the version."""
    return release(tmp_path_factory.mktemp("released"), f"v{version()}")
