from pathlib import Path

import pytest

from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.demo_names import SLOW_COMMIT
from tests.cli.kinds import publish
from tests.support.histories import History


class TestHas:
    """Exit code 0 for a measured commit, 1 for any other."""

    @pytest.mark.parametrize(
        ("commit", "code"), [(SLOW_COMMIT, 0), ("d3f1e3210ac78e0f095f7dc191e4375f697ef42e", 0), ("0" * 40, 1)]
    )
    def test_exit_code(self, demo_store: Path, commit: str, code: int) -> None:
        answer = bench_db("has", commit, "--store", demo_store, "--output", "json")
        assert answer.code == code
        assert answer.document["present"] == (code == 0)

    def test_a_suite_nobody_measured(self, demo_store: Path) -> None:
        answer = bench_db("has", SLOW_COMMIT, "--suite", "nope", "--store", demo_store, "--output", "json")
        assert (answer.code, answer.document["suites"]) == (1, {"nope": 0})

    def test_a_run_a_version_and_a_tag(self, tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(history.path)
        commit, other = history.commit(n="1"), history.commit(n="2")
        history.git("tag", "v1", commit)
        history.git("tag", "v2", other)
        store = connect(tmp_path / "store", create=True)
        publish(store, 1, {"f": 1.0}, commit=commit)
        key = bench_db("run", "list", "--store", store.uri, "--output", "json").document["runs"][0]["run"]
        asked = {
            name: bench_db("has", name, "--store", store.uri).code
            for name in (
                f"run:{key}",
                f"version:1+{commit[:7]}",
                "tag:v1",
                "tag:v2",
                "version:9",
                "run:nothing",
                "tag:v3",
            )
        }
        assert list(asked.values()) == [0, 0, 0, 1, 1, 2, 2]
