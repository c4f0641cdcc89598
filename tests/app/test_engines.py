"""Use cases on an engine, with a store."""

from __future__ import annotations

import logging
import os
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import bench_db as api
from bench_db.store.database import Database, connect
from tests.cli.asking import AT, wobble
from tests.cli.commands import bench_db
from tests.cli.kinds import entry, publish, publish_all
from tests.support.engines import Pickling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNS = 24


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Publish two suites of 12 benchmarks; one of each has a step, and all of the first suite move in one run."""
    made = connect(tmp_path_factory.mktemp("engines") / "store", create=True)
    names = [f"b{number}" for number in range(12)]
    noise = np.random.default_rng(1).normal(1, 0.01, (RUNS, 2, len(names)))
    noise[12:, :, 3] *= 1.4
    noise[17, 0, :] *= 1.2
    publish_all(
        made,
        [
            entry(number, dict(zip(names, (100 * noise[number, suite]).tolist(), strict=True)), suite=f"s{suite}")
            for number in range(RUNS)
            for suite in range(2)
        ],
    )
    return made


def asked(store: Database, engine: Any = None) -> list[object]:
    """Return what the use cases with an engine answer."""
    return [
        repr(api.scan(store, dry_run=True, at=AT, engine=engine).document),
        repr(api.noise(store, engine=engine).document),
        api.Database(store).summary(engine=engine).to_dicts(),
        repr(api.Database(store).verify(engine=engine)),
        api.Database(store).recompute(engine=engine).to_dicts(),
    ]


def without_time(document: str) -> str:
    """Return a document without the time at which the scan was."""
    return re.sub(r'"at": \d+', "", document)


class TestEngines:
    """An engine changes no answer."""

    @pytest.mark.slow
    def test_processes(self, store: Database) -> None:
        alone = asked(store)
        assert "b3" in str(alone[0])
        assert asked(store, "local:2") == alone

    @pytest.mark.slow
    def test_the_command(self, store: Database, tmp_path: Path) -> None:
        for verb in (("scan", "--dry-run"), ("noise",), ("summary",), ("store", "verify"), ("store", "recompute")):
            arguments = (*verb, "--store", store.uri, "--output", "json")
            alone, ours = (bench_db(*arguments, *engine, cwd=tmp_path) for engine in ((), ("--engine", "local:1")))
            assert (alone.returncode, ours.returncode) == (0, 0)
            assert without_time(ours.stdout) == without_time(alone.stdout)
        refused = bench_db("scan", "--store", store.uri, "--engine", "threads:2", cwd=tmp_path)
        assert refused.returncode == 2
        assert "engine 'threads:2' is not known; write local:N" in refused.stderr
        quick = bench_db("store", "verify", "--quick", "--engine", "local:1", "--store", store.uri, cwd=tmp_path)
        assert quick.returncode == 2
        assert "leave one of them out" in quick.stderr

    @pytest.mark.slow
    def test_nothing_is_read_after_the_scan_began(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        for number in range(20):
            publish(made, number, {"f": wobble(number, 100.0 if number < 10 else 130.0)})

        class Publishing(Pickling):
            def submit(self, function: Callable[..., Any], *arguments: object, returns: int = 1) -> list[object]:
                publish(made, 20 + len(self.pickles), {"f": 500.0})
                return super().submit(function, *arguments, returns=returns)

        alone = api.scan(made, dry_run=True, at=AT)
        assert repr(api.scan(made, dry_run=True, at=AT, engine=Publishing()).findings) == repr(alone.findings)
        assert api.Database(made).summary()["n"].to_list() > [20]

    def test_no_name_and_no_credential_leaves(
        self, store: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        secrets = {
            "AWS_SECRET_ACCESS_KEY": "s3cr3t-key",
            "AWS_SESSION_TOKEN": "s3cr3t-token",
            "BENCH_DB_URI": "s3cr3t-uri",
        }
        for name, value in secrets.items():
            monkeypatch.setenv(name, value)
        engine = Pickling()
        with caplog.at_level(logging.DEBUG):
            asked(store, engine)
        sent = b"".join(engine.pickles)
        assert not [secret for secret in secrets.values() if secret.encode() in sent]
        # of all use cases only a verification and a recomputation have workers that open the store
        engine.pickles.clear()
        for use_case in (
            partial(api.scan, store, dry_run=True, at=AT),
            partial(api.noise, store),
            api.Database(store).summary,
        ):
            use_case(engine=engine)
        for name in (os.fspath(store.uri), "ci-1", "b3"):
            assert name.encode() not in b"".join(engine.pickles)
        assert not [secret for secret in secrets.values() if secret in caplog.text]
