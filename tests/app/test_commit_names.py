from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db import check, compare, connect
from bench_db.app.baselines import set_baseline
from bench_db.app.commit_names import sha_of
from tests.cli.conftest import bench_db
from tests.cli.test_publish import output_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.histories import History


class TestShaOf:
    """A name is what the clone says it is; a sha, and what the clone does not know, stay as they are."""

    def test_names(self, history: History) -> None:
        first, second = history.commit("one"), history.commit("two")
        history.git("tag", "v1", first)
        for name, sha in (("HEAD", second), ("main", second), ("v1", first), ("HEAD~1", first)):
            assert sha_of(name, history.path) == sha

    @pytest.mark.parametrize("name", ["1a2b3c4", "f" * 40, "nowhere", "--help", ""])
    def test_others(self, history: History, name: str) -> None:
        history.commit("one")
        assert sha_of(name, history.path) == name


class TestVerbs:
    """Every verb that takes a commit takes HEAD, a branch and a tag of the checkout."""

    def test_all(self, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first, sha, store = history.commit("one"), history.commit("two"), tmp_path / "store"
        history.git("tag", "v1")
        monkeypatch.chdir(history.path)
        for number, name in enumerate(("HEAD~1", "HEAD")):
            file = output_file(tmp_path / f"f{number}.json", f"a{number}")
            published = bench_db(
                "publish", file, "--commit", name, "--dut-name", "d", "--test-bed-name", "t", "--store", store
            )
            assert published.code == 0, published.err
        for name in ("HEAD", "main", "v1"):
            assert bench_db("has", name, "--store", store, "--output", "json").document["commit"] == sha
            assert connect(store).has(name).present
            assert compare(store, name).candidate == sha
            assert check(store, name).candidate == sha
            assert set_baseline(connect(store), f"of {name}", name).commit == sha
            assert (
                connect(store).put_artifact(b"x", kind="log", added_at=1, name=name, commit=name).artifact.commit == sha
            )
            assert connect(store).artifacts(commit=name)
            assert compare(store, sha, baseline=f"{name}~1").baseline == f"commit {first[:9]}"
        assert bench_db("has", "nowhere", "--store", store).code == 1
