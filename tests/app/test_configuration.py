from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench_db.app.configuration import configuration, load, named, root_of
from bench_db.app.publish import publish
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import Provenance
from bench_db.schedule.config import Project
from bench_db.store.database import connect
from tests.cli.measured_histories import backfill, grow
from tests.cli.test_publish import output_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.histories import History

PROJECT = '[project]\nname = "x"\nrepository = "o/x"\n'
CONFIG = """
[project]
name = "thing"
test_bed = "lab"
[suite.fast]
benchmark = "x"
directory = "py"
outputs = ["out/*.json"]
[suite.slow]
benchmark = "x"
stdout = "slow.json"
"""
NOTHING = Provenance()


def stated(path: Path, provenance: Provenance = NOTHING) -> tuple[str | None, str | None, str | None]:
    """Return device, test bed and suite of a file."""
    found = named(path, provenance)
    return found.dut_name, found.test_bed_name, found.suite


class TestConfiguration:
    """The file decides; without one, a repository makes a configuration of its own."""

    def test_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "other.toml").write_text(PROJECT)
        assert load(tmp_path / "other.toml").project == Project(name="x", repository="o/x")
        assert configuration(str(tmp_path / "other.toml"), "p/y").project.repository == "o/x"
        assert root_of(str(tmp_path / "other.toml")) == tmp_path.resolve()

    def test_without_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert configuration(None, "p/y").project == Project(name="y", repository="p/y")
        with pytest.raises(UserError, match=r"bench-db\.toml: no such file"):
            configuration(None)
        (tmp_path / "bench-db.toml").write_text(PROJECT)
        assert configuration(None, "p/y").project.repository == "o/x"
        assert root_of(None) == tmp_path.resolve()

    def test_a_directory_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableOutputError, match="cannot be read"):
            load(tmp_path)


class TestNamed:
    """The configuration of a file's project names device, test bed and suite; what the caller states precedes it."""

    @pytest.mark.parametrize(
        ("place", "suite"),
        [
            ("py/out/a.json", "fast"),
            ("slow.json", "slow"),
            ("py/other/a.json", None),
            ("out/a.json", None),
            ("py/out/deep/a.json", "fast"),
        ],
    )
    def test_suite_by_path(self, history: History, place: str, suite: str | None) -> None:
        history.commit("one", bench_db_toml="")
        (history.path / "bench-db.toml").write_text(CONFIG)
        assert stated(history.path / place) == ("thing", "lab", suite)

    def test_only_suite(self, history: History) -> None:
        (history.path / "bench-db.toml").write_text(CONFIG.partition("[suite.slow]")[0])
        assert stated(history.path / "any.json")[2] == "fast"

    def test_stated_by_the_caller(self, history: History) -> None:
        (history.path / "bench-db.toml").write_text(CONFIG)
        mine = Provenance(dut_name="d", test_bed_name="t", suite="")
        assert stated(history.path / "slow.json", mine) == ("d", "t", "")

    def test_working_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "bench-db.toml").write_text(CONFIG)
        monkeypatch.chdir(tmp_path)
        assert stated(tmp_path / "runs" / "slow.json") == ("thing", "lab", "slow")
        assert stated(tmp_path.parent / "slow.json") == (None, None, None)

    def test_declared_checkout(self, history: History, tmp_path: Path) -> None:
        (history.path / "bench-db.toml").write_text(CONFIG)
        assert stated(tmp_path / "slow.json", Provenance(checkout=history.path)) == ("thing", "lab", "slow")

    def test_none(self, tmp_path: Path) -> None:
        assert named(tmp_path / "f.json", NOTHING) is NOTHING

    def test_invalid(self, history: History) -> None:
        (history.path / "bench-db.toml").write_text("[project]\nnames = 1\n")
        with pytest.raises(UnreadableOutputError, match="unknown key 'names'"):
            named(history.path / "f.json", NOTHING)


class TestSeries:
    """A file published by hand and a backfill give the same series; a new series beside another one is noted."""

    def test_by_hand_and_backfill(self, tmp_path: Path) -> None:
        history, [sha] = grow(tmp_path, 1)
        (history.path / "bench-db.toml").write_text((tmp_path / "bench-db.toml").read_text())
        (history.path / "results.json").write_text('{"results": [{"benchmark_name": "sum", "values_ns": [1.0, 2.0]}]}')
        publish(tmp_path / "store", history.path / "results.json", provenance=Provenance(ingested_at=1_700_000_000))
        by_hand = connect(tmp_path / "store").scan(["series_key", "commit", "dut_name"]).collect()
        history.commit("again", n="x")
        backfill(tmp_path)
        both = connect(tmp_path / "store").scan(["series_key"]).collect()
        assert by_hand["commit"].to_list() == [sha]
        assert by_hand["dut_name"].to_list() == ["p"]
        assert len(both) == 2
        assert both["series_key"].n_unique() == 1

    def test_new_series_beside_another(self, tmp_path: Path) -> None:
        file, store = output_file(tmp_path / "f.json", "a", "b"), tmp_path / "store"
        lab = Provenance(dut_name="d", dut_version="1", dut_timestamp=5, test_bed_name="lab", suite="s")
        first = publish(store, file, provenance=lab)
        assert not any("new series begin" in note for note in first.files[0].notes)
        moved = publish(store, file, provenance=replace(lab, test_bed_name="labb"))
        [note] = [note for note in moved.files[0].notes if "new series begin here" in note]
        assert "test bed lab, suite s" in note
        assert note in str(moved.document)
        again = publish(store, file, provenance=replace(lab, dut_version="2"))
        assert not any("new series begin" in note for note in again.files[0].notes)
