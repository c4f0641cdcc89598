from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import vl_convert

import bench_db as api
from bench_db.app.charts import effects_chart, trend_chart, worse_or_better
from bench_db.errors import UserError
from bench_db.model import TestBed
from bench_db.rules import RULES
from bench_db.store.database import connect
from tests.app.test_frontier import SERVED, serve
from tests.cli.asking import wobble
from tests.cli.kinds import COMMITS, entry, publish_all, sha
from tests.report.examples import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.store.database import Database
    from tests.cli.kinds import Values

pytestmark = pytest.mark.few(1)


def effects(count: int, **changed: Any) -> pl.DataFrame:
    """Return comparisons with growing effects."""
    row = {"suite": "", "metric": "time", "tags_key": "", "test_bed_name": "bed", "low": 0.0, "high": 0.5, **changed}
    rows = [{"benchmark_name": f"f{n}", **row, "effect": n / 1000, "verdict": "regressed"} for n in range(count)]
    return pl.DataFrame(rows)


def values(chart: Any) -> list[dict[str, Any]]:
    """Return the rows of a chart that a renderer of Vega-Lite can draw."""
    document = chart.to_dict()
    assert vl_convert.vegalite_to_svg(document).startswith("<svg")
    return rows_of(document)


def rows_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a chart, which Altair may keep apart under a name."""
    data = document["data"]
    rows: list[dict[str, Any]] = data["values"] if "values" in data else document["datasets"][data["name"]]
    return rows


class TestTrend:
    """A line is a series; a failed point is a gap, and no number of points is too many."""

    def test_points(self, stepped: Database) -> None:
        answer = api.trend(stepped, "f", last=5)
        rows = values(answer.plot())
        scale = {"ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}[rows[0]["units"]]
        assert [row["median"] * scale for row in rows] == pytest.approx(answer.frame()["median"].to_list())
        assert {row["line"] for row in rows} == {"f"}
        assert [row["commit"] for row in rows] == [sha[: RULES.sha_length] for sha in answer.frame()["commit"]]

    def test_several_machines_and_failures(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        publish_all(store, [entry(n, {"f": "broken" if n == 1 else wobble(n), "g": (1.0, "bytes")}) for n in range(3)])
        rows = values(api.trend(store, "*").plot())
        assert [row["median"] for row in rows if row["series"] == "f"][1] is None
        assert {row["units"] for row in rows} == {"ns", "B"}

    @pytest.mark.slow
    def test_a_panel_is_in_the_step_of_its_largest_median(self, tmp_path: Path) -> None:
        """All series of a unit share its step; a unit without steps, and one whose results all failed, keep theirs."""
        store = connect(tmp_path / "store", create=True)
        made: Values = {"f": (3e6, "nanoseconds"), "g": (2e3, "nanoseconds"), "h": (5e9, "widgets"), "i": "broken"}
        publish_all(store, [entry(n, made) for n in range(2)])
        rows = values(api.trend(store, "*").plot())
        found = {(row["series"], row["median"], row["units"]) for row in rows if row["median"] is not None}
        assert found == {("f", 3.0, "ms"), ("g", 0.002, "ms"), ("h", 5e9, "widgets")}

    @pytest.mark.slow
    @pytest.mark.parametrize("apart", ["dut_name", "cpu"])
    def test_a_line_a_series(self, tmp_path: Path, apart: str) -> None:
        """Series of two devices, and of two machines under one name, are two lines and two rows."""
        store = alike(tmp_path, apart)
        both = {"f on bed (one)", "f on bed (two)"}
        lines = {(row["line"], row["series_key"]) for row in values(api.trend(store, "f").plot())}
        assert ({line for line, _ in lines}, len(lines)) == (both, 2)
        assert {row["row"] for row in values(api.compare(store, sha(COMMITS - 1)).plot())} == both
        scanned = [row["row"] for row in values(api.scan(store, dry_run=True).plot())]
        assert scanned
        assert set(scanned) <= both
        assert len(set(scanned)) == len(scanned)

    @pytest.mark.slow
    def test_many_points(self, stepped: Database) -> None:
        many = pl.concat([stepped_rows(stepped)] * 300)
        assert len(rows_of(trend_chart(many).to_dict())) == many.height > 5_000

    def test_no_points(self, stepped: Database) -> None:
        assert values(trend_chart(stepped_rows(stepped).clear())) == []


def alike(tmp_path: Path, apart: str) -> Database:
    """Return a store with two series of a step that differ by the device or the machine alone."""
    store = connect(tmp_path / "store", create=True)
    entries = []
    for number in range(COMMITS):
        for of, step in (("one", 2.0), ("two", 3.0)):
            bed = TestBed(name="bed", cpu=of if apart == "cpu" else "x", memory_gb=4, os="Linux")
            value = wobble(number) * (step if number > COMMITS // 2 else 1.0)
            made = entry(
                number, {"f": value}, bed=bed, dut_name=of if apart == "dut_name" else "d", again=int(of == "two")
            )
            entries.append(made)
    publish_all(store, entries)
    return store


def stepped_rows(store: Database) -> pl.DataFrame:
    return api.trend(store, "f").frame()


class TestEffects:
    """The largest changes come first; a change that is not known is left out."""

    def test_comparisons(self, store: Database) -> None:
        rows = values(api.compare(store).plot())
        assert [(row["series"], row["kind"]) for row in rows] == [("f", "regressed")]

    def test_the_largest(self) -> None:
        rows = values(effects_chart(effects(RULES.chart_rows + 9), "verdict"))
        assert len(rows) == RULES.chart_rows
        assert rows[0]["series"] == f"f{RULES.chart_rows + 8}"

    @pytest.mark.parametrize("count", [0, 1])
    def test_few(self, count: int) -> None:
        rows = effects(2).head(count).with_columns(effect=pl.lit(None, pl.Float64))
        assert values(effects_chart(rows, "verdict")) == []

    @pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
    def test_hostile(self, name: str) -> None:
        rows = effects(2).with_columns(benchmark_name=pl.lit(name), test_bed_name=pl.lit(name))
        found = values(effects_chart(rows, "verdict"))
        assert all(letter.isprintable() for row in found for letter in row["row"])

    def test_findings(self, stepped: Database) -> None:
        rows = values(api.scan(stepped, dry_run=True).plot())
        assert [(row["series"], row["kind"]) for row in rows] == [("f", "worse")]

    @pytest.mark.parametrize(
        ("direction", "effect", "state", "kind"),
        [
            ("lower", 0.1, "open", "worse"),
            ("lower", -0.1, "reopened", "better"),
            ("higher", 0.1, "open", "better"),
            ("higher", -0.1, "open", "worse"),
            ("info", 0.1, "open", "open"),
            ("lower", 0.1, "fixed", "fixed"),
        ],
    )
    def test_what_a_finding_means(self, direction: str, effect: float, state: str, kind: str) -> None:
        rows = pl.DataFrame({"direction": [direction], "effect": [effect], "state": [state]})
        assert worse_or_better(rows)["kind"].to_list() == [kind]


class TestFrontier:
    """Each configuration is a point, and those on a front are marked."""

    def test_points(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        database = api.connect(tmp_path / "store", create=True)
        serve(database, SERVED)
        found = api.frontier(database, "latency", "throughput", by=["framework", "precision"])
        chart = found.plot()
        rows = values(chart)
        assert {(row["group"], row["x"], row["on_front"]) for row in rows} >= {
            ("trt / fp4", 80.0, True),
            ("trt / fp4", 90.0, False),
        }
        assert len(rows) == found.frame().height
        document = chart.to_dict()
        assert "latency (ms)" in str(document)
        legends = [layer["encoding"].get("fill", {}).get("legend", "shown") for layer in document["layer"]]
        assert legends == ["shown", None]  # a group is in the legend once, by its colour


class TestMissing:
    """Without Altair one line names the extra."""

    def test_extra(self, stepped: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "altair", None)
        with pytest.raises(
            UserError, match=r"a chart needs the package altair of the extra plot: .*'\./packages/bench_db\[plot\]'"
        ):
            api.trend(stepped, "f").plot()
