from __future__ import annotations

import time
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UserError
from bench_db.store.database import connect
from tests.store import carriers
from tests.store.carriers import content, everything, fill, rows_of
from tests.store.workers import PROCESSES, forks
from tests.support.campaigns import rounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench_db.store.database import Database

pytestmark = pytest.mark.sample(1)


_READY_SECONDS = 60
_RUNS = rounds("kills", 30, full=60)


@pytest.mark.alone
@pytest.mark.campaign("races")
class TestPutting:
    """Eight processes putting at once lose nothing and double nothing, from no table on."""

    @pytest.mark.parametrize("same", [True, False])
    def test_at_once(self, pool: Any, place: tuple[str, dict[str, str]], *, same: bool) -> None:
        uri, environment = place
        connect(uri, create=True)
        each = rounds("races", 2, full=12)
        shares = [tuple(range(each * i, each * i + each)) if not same else tuple(range(each)) for i in range(PROCESSES)]
        new = pool.map(carriers.put, [(uri, share, environment) for share in shares], chunksize=1)
        numbers = sorted({number for share in shares for number in share})
        assert sum(new) == len(numbers)
        assert [a.name for a in connect(uri).artifacts()] == [f"{number}.log" for number in numbers]
        assert connect(uri).verify().sound


def _killed(action: Callable[..., None], *arguments: object, seconds: float, steps: int = 0) -> list[int]:
    """What a process said before it was killed, so long after it began its work and said so many things."""
    context = forks()
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=action, args=(theirs, *arguments))
    child.start()
    theirs.close()
    said = []
    with suppress(EOFError):  # a process that goes on during a pause of this one may have ended
        for _ in range(1 + steps):
            assert ours.poll(_READY_SECONDS)
            said.append(ours.recv())
    time.sleep(seconds)
    child.kill()
    child.join()
    while ours.poll():
        try:
            said.append(ours.recv())
        except EOFError:
            break
    ours.close()
    child.close()
    return [number for number in said if number >= 0]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Return a store of many runs, which the tests only read: to fill it takes seconds."""
    store = connect(tmp_path_factory.mktemp("origin") / "store", create=True)
    fill(store, range(_RUNS))
    return store


@pytest.mark.campaign("kills")
class TestKilled:
    """kill -9 at any moment of a put, a copy, an import or an export leaves nothing false, and doing it again completes it, once."""

    def test_put(self, tmp_path: Path) -> None:
        database, random = connect(tmp_path / "store", create=True), Random(3)
        acknowledged: set[int] = set()
        for _ in range(rounds("kills", 3, full=80)):
            acknowledged.update(
                _killed(carriers.put_until_killed, database.uri, steps=1, seconds=random.uniform(0, 0.2))
            )
            there = {artifact.added_at for artifact in database.artifacts()}
            assert acknowledged <= there
            assert database.verify().sound
        assert acknowledged
        for number in range(max(acknowledged) + 2):
            database.put_artifact(content(number, 100_000), kind="log", name=f"{number}.log", added_at=number)
        assert [a.added_at for a in database.artifacts()] == list(range(max(acknowledged) + 2))
        assert {p.kind for p in database.verify().problems} <= {"files of unfinished writes"}

    def _whole_runs(self, uri: str, rows: int) -> int:
        counted = connect(uri).scan(["run_key"]).collect()["run_key"].value_counts()
        assert set(counted["count"].to_list()) <= {rows}
        return counted.height

    @pytest.mark.parametrize("way", ["copy", "import"])
    def test_whole_stores(self, origin: Database, tmp_path: Path, way: str) -> None:
        random = Random(5)
        if way == "import":
            origin.export_to(tmp_path / "out")
        counted = set()
        targets = [str(tmp_path / f"target{number}") for number in range(2 * rounds("kills", 1, full=12))]
        for odd, even in zip(targets[::2], targets[1::2], strict=True):
            # few enough for either target that there is still something to copy
            for steps in (1, 2, 4, 1, 3, 0):
                target = odd if steps % 2 else even
                arguments = (carriers.copy, origin.uri) if way == "copy" else (carriers.bring_in, tmp_path / "out")
                _killed(*arguments, target, steps=steps, seconds=random.uniform(0, 0.02))
                counted.add(self._whole_runs(target, 4))
                assert connect(target).verify().sound
        assert counted & set(range(1, _RUNS))
        for target in targets:
            store = connect(target, create=True)
            assert (origin.copy_to(store) if way == "copy" else store.import_from(tmp_path / "out")).missing == ()
            assert rows_of(store) == rows_of(origin)
            assert everything(target) == everything(origin.uri)
            assert {p.kind for p in store.verify().problems} <= {"files of unfinished writes"}

    @pytest.mark.slow
    def test_export(self, tmp_path: Path) -> None:
        origin, random = connect(tmp_path / "origin", create=True), Random(9)
        fill(origin, range(20))
        whole = origin.export_to(tmp_path / "whole")
        for kill in range(rounds("kills", 3, full=40)):
            _killed(carriers.export, origin.uri, tmp_path / "out", seconds=random.uniform(0.05, 0.4))
            target = connect(tmp_path / f"target{kill}", create=True)
            try:
                target.import_from(tmp_path / "out")
            except UserError:
                assert rows_of(target) == {"runs": 0, "results": 0}
            else:
                assert everything(target.uri) == everything(origin.uri)
        assert origin.export_to(tmp_path / "out") == whole
