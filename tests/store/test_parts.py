"""Reading of the results by the workers of an engine."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.distributed.local import Local
from bench_db.errors import StoreNotFoundError
from bench_db.store.database import connect
from bench_db.store.parts import of_fragments, of_part
from bench_db.store.tables import RESULTS_TABLE
from tests.store.conftest import go_to
from tests.strategies import publication
from tests.support import damage
from tests.support.engines import Pickling, read_anew, store_of_nine

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.store.database import Database
    from bench_db.store.engine import Fragment, Snapshot
    from tests.support.s3_server import S3Server

pytestmark = pytest.mark.sample(1)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("nine") / "store"
    store_of_nine(directory)
    return directory


@pytest.fixture
def store(once: Path, tmp_path: Path) -> Database:
    return connect(shutil.copytree(once, tmp_path / "store"))


def number_and_rows(_snapshot: Snapshot, fragment: Fragment, more: int) -> tuple[int, int]:
    return fragment.number, fragment.rows + more


class TestOfFragments:
    """Whatever the parts, processes and losses, a verification and all statistics are those of one process, bit for bit."""

    @pytest.mark.parametrize("parts", [1, 2, 7, 64, None])
    def test_parts(self, store: Database, parts: int | None) -> None:
        snapshot, engine = store._engine.open(RESULTS_TABLE), Pickling()
        alone = [(part.number, part.rows + 100) for part in snapshot.every_fragment()]
        assert len(alone) == 10
        assert of_fragments(engine, snapshot, number_and_rows, 100, parts=parts) == alone
        asked = sum(b"of_part" in sent for sent in engine.pickles)
        assert asked == min(parts or 12, 10)
        assert read_anew(store, Pickling(), parts) == read_anew(store)

    @pytest.mark.parametrize("how", damage.BROKEN)
    def test_a_damaged_file(self, store: Database, how: str) -> None:
        file = damage.live_files(Path(store.uri), "results")[4]
        damage.spoil(file, how)
        alone = connect(store.uri).verify()
        assert any(problem.kind.startswith("data file cannot be read") for problem in alone.problems)
        assert repr(connect(store.uri).verify(workers=Pickling(), parts=3)) == repr(alone)

    def test_no_row(self, tmp_path: Path) -> None:
        empty = connect(tmp_path / "empty", create=True)
        assert read_anew(empty, Pickling()) == read_anew(empty)

    def test_processes_and_one_that_is_killed(self, store: Database) -> None:
        alone = read_anew(store)
        with Local(2) as engine:
            assert read_anew(store, engine, 7) == alone
            os.kill(engine.process_ids[0], signal.SIGKILL)
            assert read_anew(store, engine, 2) == alone

    def test_what_is_published_meanwhile_is_not_read(self, store: Database) -> None:
        class Publishing(Pickling):
            def submit(self, function: Callable[..., Any], *arguments: object, returns: int = 1) -> list[object]:
                run, results = publication(100 + len(self.pickles))
                connect(store.uri).publish(results, run)
                return super().submit(function, *arguments, returns=returns)

        alone = store.recompute()
        ours = store.recompute(workers=Publishing(), parts=4)
        assert ours[:2] == alone[:2]
        assert ours[2].equals(alone[2])
        assert store.recompute()[0] == 45 + 4 * 3

    def test_a_bucket_without_credentials_on_the_way(self, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        go_to(server, monkeypatch)
        store, engine = store_of_nine(f"s3://{server.new_bucket()}/store"), Pickling()
        assert read_anew(store, engine, 2) == read_anew(store)
        sent = b"".join(engine.pickles)
        secrets = [value for name, value in server.environment().items() if "KEY" in name or "TOKEN" in name]
        assert secrets
        assert not [secret for secret in secrets if secret.encode() in sent]


class TestOfPart:
    """A worker opens the version of the driver, or says that there is no store."""

    def test_an_older_version(self, store: Database) -> None:
        version = store.version
        run, results = publication(50)
        store.publish(results, run)
        assert len(of_part(store.uri, "results", version, range(100), number_and_rows, 0)) == 10
        assert len(of_part(store.uri, "results", store.version, range(100), number_and_rows, 0)) == 11

    def test_a_machine_that_does_not_see_the_directory(self, tmp_path: Path) -> None:
        with pytest.raises(StoreNotFoundError):
            of_part(str(tmp_path / "elsewhere"), "results", 1, [0], number_and_rows, 0)
