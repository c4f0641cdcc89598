from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.app.backfill import check_suites
from bench_db.app.bisect import bisect
from bench_db.app.configuration import configuration, load, named, root_of
from bench_db.app.pairs import pairs
from bench_db.app.publish import preview, publish
from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import Provenance
from bench_db.schedule.config import Project
from bench_db.store.database import connect
from tests.cli.measured_histories import backfill, grow
from tests.cli.test_publish import output_file
from tests.support.histories import History

if TYPE_CHECKING:
    from pathlib import Path

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


FORMATS = '[format.mine]\nhas = ["case", "t_ms"]\nname = "{case}"\nmetrics = ["*_ms"]\n'
ROWS = '[{"case": "a", "t_ms": 1}, {"case": "b", "t_ms": 2}]'
BUILD = Provenance(dut_name="d", dut_version="1", dut_timestamp=1_780_000_000)


class TestFormats:
    """A project declares formats in its bench-db.toml; a caller, in a file or a dictionary instead."""

    def test_of_the_project_and_of_the_working_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "rows.json").write_text(ROWS)
        (tmp_path / "project" / "out").mkdir(parents=True)
        (tmp_path / "project" / "bench-db.toml").write_text(PROJECT + FORMATS)
        (tmp_path / "project" / "out" / "rows.json").write_text(ROWS)
        with pytest.raises(UnreadableOutputError, match="is in no format"):
            publish(tmp_path / "store", tmp_path / "rows.json", provenance=BUILD)
        monkeypatch.chdir(tmp_path / "project")
        for path in ("out", "out/rows.json", "../rows.json"):
            [file] = preview(path, provenance=BUILD).files
            assert (file.format, file.new) == ("mine", 2)
        assert publish(tmp_path / "store", "../rows.json", format="mine", provenance=BUILD).new == 2
        monkeypatch.chdir(tmp_path)
        [file] = preview("project/out", provenance=replace(BUILD, checkout=tmp_path / "project")).files
        assert file.format == "mine"

    def test_stated(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "rows.json").write_text(ROWS)
        (tmp_path / "formats.toml").write_text(FORMATS)
        tables = {"format": {"mine": {"name": "{case}", "has": ["case"], "metrics": {"t_ms": {"unit": "s"}}}}}
        for formats, first in (("formats.toml", 1e6), (tmp_path / "formats.toml", 1e6), (tables, 1e9)):
            store = tmp_path / str(type(formats)) / str(formats)[:20].replace("/", "_")
            assert publish(store, "rows.json", formats=formats, provenance=BUILD).new == 2
            assert sorted(connect(store).latest()["median"]) == [first, 2 * first]

    @pytest.mark.parametrize(
        ("formats", "error"),
        [
            ("none.toml", r"none.toml: no such file; name a TOML file with tables \[format.NAME\]"),
            ("bad.toml", r"bad.toml: unknown key 'nam'; nearest: name.* at format.mine.nam"),
            ({"format": {"mine": {"name": "n"}}}, r"`formats`: needs the fields of numbers.* at format.mine.metrics"),
            ({"formats": {}}, r"`formats`: unknown key 'formats'; nearest: format"),
            (
                {"format": {"jmh": {"name": "n", "metrics": ["a"]}}},
                r"\[format.jmh\]: bench_db has a format of that name",
            ),
        ],
    )
    def test_a_mistake(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formats: Any, error: str) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "bad.toml").write_text(FORMATS.replace("name", "nam"))
        (tmp_path / "rows.json").write_text(ROWS)
        with pytest.raises((UnreadableOutputError, UserError), match=error):
            preview("rows.json", formats=formats, provenance=BUILD)

    def test_a_mistake_of_the_project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "rows.json").write_text(ROWS)
        (tmp_path / "bench-db.toml").write_text(PROJECT + FORMATS.replace("metrics", "metrix"))
        with pytest.raises(UnreadableOutputError, match=r"bench-db.toml: unknown key 'metrix'; nearest: metrics"):
            preview("rows.json", provenance=BUILD)

    @pytest.mark.slow
    def test_a_suite_of_a_declared_format(self, tmp_path: Path) -> None:
        """A backfill, pairs and a bisection read the output of a suite as the configuration declares it."""
        history = History(tmp_path / "clone")
        for level in (10, 90):
            history.commit(
                f"level {level}", bench__py=f"""print('[{{"case": "sum", "t_ms": [{level}, {level + 1}]}}]')"""
            )
        suite = '[suite.sums]\nbenchmark = "{python} bench.py"\nstdout = "rows.json"\nformat = "mine"\n'
        (tmp_path / "bench-db.toml").write_text(PROJECT + suite + FORMATS)
        backfill(tmp_path, "--range", "ALL")
        latest = connect(tmp_path / "store").latest()
        assert latest.select("benchmark_name", "metric", "median").rows() == [("sum", "t", 90.5e6)]
        where: dict[str, Any] = {"config_file": str(tmp_path / "bench-db.toml"), "clone": tmp_path / "clone"}
        where |= {"work_dir": tmp_path / "work", "environment": os.environ}
        found = bisect("main~1", "main", benchmark="sum", metric="t", **where)
        assert found.bisection.found is not None
        paired = pairs("main~1", "main", rounds=2, **where)
        assert [one.series.benchmark_name for one in paired.comparisons] == ["sum"]
        (tmp_path / "bench-db.toml").write_text(PROJECT + suite.replace("mine", "mien") + FORMATS)
        with pytest.raises(UnreadableOutputError, match=r"no format is called 'mien'; known: auto, mine, criterion"):
            check_suites(load(tmp_path / "bench-db.toml"))
