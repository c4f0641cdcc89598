"""One S3 server, one PostgreSQL and one browser for all tests, whatever their order, and a proxy before the server that misbehaves when told to."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings
from playwright.sync_api import Browser
from xdist.scheduler import LoadScopeScheduling

from bench_db.ci.environment import SERVICE_VARIABLES
from bench_db.store import projection
from tests.report.browsing import chromium
from tests.support.campaigns import CAMPAIGNS, choose, rounds
from tests.support.clocks import Slept
from tests.support.fault_proxy import fault_proxy
from tests.support.faults import FaultProxy
from tests.support.github_server import FakeGitHub, github_server
from tests.support.histories import History
from tests.support.postgres_server import Postgres, postgres_server
from tests.support.s3_server import S3Server, s3_server
from tests.support.workers import Turns, common_directory

_TURNS: pytest.StashKey[Turns] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", metavar="NAME", help=f"run one campaign in its full size: {', '.join(CAMPAIGNS)}")


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--campaign")
    if name and name not in CAMPAIGNS:
        msg = f"--campaign {name}: there are {', '.join(CAMPAIGNS)}"
        raise pytest.UsageError(msg)
    choose(name)
    turns = config.stash[_TURNS] = Turns()
    config.add_cleanup(turns.end)
    for job in SERVICE_VARIABLES:  # what a test records is not of the job that runs the tests
        os.environ.pop(job, None)
    # a loaded machine is no failure, and compilation takes seconds
    settings.register_profile("bench_db", deadline=None, max_examples=rounds("laws", 20, full=1000))
    settings.load_profile("bench_db")


def campaigns_of(item: pytest.Item) -> set[str]:
    """Return the campaigns of a test; a property that is in none is one of the laws."""
    named = {mark.args[0] for mark in item.iter_markers("campaign")}
    return named or ({"laws"} if is_hypothesis_test(getattr(item, "obj", None)) else set())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the chosen campaign, and start the slow modules first: no worker ends long after the others."""
    if name := config.getoption("--campaign"):
        kept = [item for item in items if name in campaigns_of(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("few")}
    items.sort(key=lambda item: item.path not in slow)


def work_unit(test: str) -> str:
    """Return what one worker runs as a whole: a module, or all of tests/workflows, whose modules share their stories."""
    module = test.split("::", maxsplit=1)[0]
    return "tests/workflows" if module.startswith("tests/workflows/") else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = work_unit
    return scheduler


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Let tests marked `alone` run while the other workers wait.

    The scheduler states the test after the next one without waiting for another worker, so that a turn that is kept ends.
    """
    factory: pytest.TempPathFactory = item.config._tmp_path_factory  # type: ignore[attr-defined]
    alone, then = (one is not None and one.get_closest_marker("alone") is not None for one in (item, nextitem))
    with item.config.stash[_TURNS].take(common_directory(factory), alone=alone, next_alone=then):
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def rows_with_levels() -> Iterator[int]:
    """Give the small stores of the tests levels of the projection; yield from how many rows on a store in a directory has them."""
    rows = projection._LEAST_ROWS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projection, "_LEAST_ROWS", 0)
        yield rows


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as running:
        yield running


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with github_server() as state:
        yield state


@pytest.fixture
def slept() -> Slept:
    return Slept()


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "clone")
