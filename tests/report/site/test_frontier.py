from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from bench_db.query.frontier import located
from bench_db.query.series import MACHINE
from bench_db.report.site.contract import NEWEST, FrontierView
from bench_db.report.site.frontier import frontiers
from tests.report.example_site import content_of, history, site, stepped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.report.site.frontier import Frontiers

METRICS = {"a": "lower", "b": "lower", "c": "higher", "d": "higher", "note": "info"}


def newest(
    values: dict[str, dict[str, float | None]], *, commit: str | None = "c", group: Sequence[str] = ("d", "b", "s")
) -> pl.DataFrame:
    """Return newest results: the metrics of each benchmark, the tags after the first comma of its name."""
    rows = [
        {
            "series_key": number * 100 + place,
            **dict(zip(("dut_name", "test_bed_name", "suite"), group, strict=True)),
            "benchmark_name": name.partition(",")[0],
            "tags_key": name.partition(",")[2],
            "metric": metric,
            "units": "u",
            "direction": METRICS[metric],
            "median": value,
            "commit": commit,
            "dut_version": "1",
            "dut_timestamp": 5,
        }
        for number, (name, metrics) in enumerate(values.items())
        for place, (metric, value) in enumerate(metrics.items())
    ]
    schema = {name: kind for name, kind in NEWEST.items() if name not in {"configuration", "build"}}
    return pl.DataFrame(rows, schema=schema)


def found(rows: pl.DataFrame, **view: Any) -> Frontiers | None:
    empty = pl.DataFrame(schema={"series_key": pl.Int64, **dict.fromkeys(MACHINE, pl.String)})
    return frontiers(located(rows, lambda _keys: empty), FrontierView(**view))


class TestFrontiers:
    """There is a page where two metrics that can be better share a point; it begins with two of different directions."""

    @pytest.mark.parametrize(
        ("values", "first"),
        [
            ({"f": {"a": 1, "c": 2}}, ("a", "c")),
            ({"f": {"c": 1, "d": 1}, "g": {"a": 1, "d": 1}}, ("a", "d")),
            ({"f": {"a": 1, "b": 1}}, ("a", "b")),
            ({"f": {"b": 1, "d": 1, "c": 1}, "g": {"a": 1, "d": 1}}, ("a", "d")),
        ],
    )
    def test_first(self, values: dict[str, dict[str, float | None]], first: tuple[str, str]) -> None:
        about = found(newest(values))
        assert about is not None
        assert tuple(about.axes[one][0] for one in about.first) == first

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"f": {"a": 1}, "g": {"c": 1}},
            {"f": {"a": 1, "note": 1}},
            {"f": {"a": 1, "c": None}},
        ],
    )
    def test_none(self, values: dict[str, dict[str, float | None]]) -> None:
        assert found(newest(values)) is None

    def test_results_of_different_builds_share_no_point(self) -> None:
        old, new = newest({"f": {"a": 1, "c": 1}}, commit="x"), newest({"f": {"a": 1, "c": 1}}, commit="y")
        assert found(pl.concat([old.filter(pl.col("metric") == "a"), new.filter(pl.col("metric") == "c")])) is None

    def test_without_a_commit_a_build_is_a_version_and_a_time(self) -> None:
        rows = newest({"f": {"a": 1, "c": 1}}, commit=None)
        assert found(rows) is not None
        is_a = pl.col("metric") == "a"
        assert found(rows.with_columns(dut_version=pl.when(is_a).then(pl.lit("2")).otherwise("dut_version"))) is None

    def test_stated(self) -> None:
        rows = newest({"f,k=1,suite=x": {"a": 1, "b": 1, "c": 1}})
        about = found(rows, x="b", y="a", by=["k", "commit", "suite", "none"])
        assert about is not None
        assert [about.axes[one][0] for one in about.first] == ["b", "a"]
        assert (about.tags, about.by, about.missing) == (["k"], ["k", "commit", "suite"], ["none"])
        other = found(rows, x="b", y="gone")
        assert other is not None
        assert ([other.axes[one][0] for one in other.first], other.missing) == (["a", "c"], ["gone"])

    def test_a_new_metric_of_a_group_changes_no_other_group(self) -> None:
        one, other = newest({"f": {"b": 1, "c": 1}}), ("d", "b", "other")
        before = found(pl.concat([one, newest({"f": {"b": 1, "c": 1}}, group=other)]))
        after = found(pl.concat([one, newest({"f": {"a": 1, "b": 1, "c": 1}}, group=other)]))
        assert before is not None
        assert after is not None
        documents = [dict(about.of_groups) for about in (before, after)]
        assert documents[0]["d", "b", "s"][1] == documents[1]["d", "b", "s"][1]
        assert documents[0][other] != documents[1][other]

    def test_texts_that_are_shown_alike_are_apart(self) -> None:
        about = found(newest({"f,k=\x1b": {"a": 1, "c": 1}, "f,k=\\x1b": {"a": 1, "c": 1}}))
        assert about is not None
        ((_, document),) = about.of_groups.values()
        assert sorted(dict(pairs)["k"] for pairs in document["tags"]) == ["\\x1b", "\\x1b\N{PRIME}"]


class TestPage:
    """The menu links to the page where there is one, and the site has no file of it elsewhere."""

    def test_without(self) -> None:
        files = dict(site(content_of(history("f", stepped(1.0, 9, {})))))
        assert "frontier.html" not in files
        assert not [path for path in files if path.startswith("data/") and "frontier" in path]
        assert b"frontier.html" not in files["index.html"]
