from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.store.database import connect
from tests.cli.conftest import bench_db
from tests.cli.kinds import publish

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.histories import History


class TestAnnotate:
    """A tag of the clone names a commit; the annotation is listed, on the site, and can be taken away."""

    def test_a_tag(self, tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(history.path)
        commit = history.commit(n="1")
        history.git("tag", "v1.2", commit)
        store = connect(tmp_path / "store", create=True)
        publish(store, 1, {"f": 1.0}, commit=commit)
        shown = bench_db("annotate", "v1.2", "release <1.2>", "--store", store.uri)
        assert shown.out.splitlines()[-1].split() == ["annotation", commit, "release", "<1.2>", "any"]
        bench_db("site", tmp_path / "site", "--store", store.uri)
        assert "release &lt;1.2&gt;" in (tmp_path / "site" / "commits.html").read_text("utf-8")
        settings = next((tmp_path / "site" / "data").glob("settings-*.js")).read_text("utf-8")
        assert f'"commit":"{commit}"' in settings
        gone = bench_db("annotate", "v1.2", "--remove", "--store", store.uri)
        assert gone.out == "nothing is defined\n"

    def test_an_unknown_commit(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        publish(store, 1, {"f": 1.0})
        answer = bench_db("annotate", "f" * 40, "x", "--store", store.uri)
        assert answer.code == 2
        assert "bench-db commits sync" in answer.err
