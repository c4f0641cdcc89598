from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_db.query.ranks import ALIKE, means, of_values, ranked

# benchmark, value of the tag -> median, null for a failed one
Medians = dict[tuple[str, str], float | None]
_MEDIANS = st.dictionaries(
    st.tuples(st.sampled_from("fgh"), st.sampled_from(["a", "b", "c"])),
    st.sampled_from([1.0, 2.0, 3.0, 8.0, -1.0, 0.0, None, float("nan")]),
    min_size=1,
)


def frame(medians: Medians, direction: str = "lower") -> pl.DataFrame:
    schema: dict[str, Any] = dict.fromkeys(ALIKE, pl.String) | {"value": pl.String, "median": pl.Float64}
    rows = [("d", "bed", "s", name, "time", "ns", direction, "", value, m) for (name, value), m in medians.items()]
    return pl.DataFrame(rows, schema, orient="row")


def _is_known(median: float | None) -> bool:
    return median is not None and math.isfinite(median)


class TestRanked:
    """A rank is 1 more than the number of better results of the group, and every value without one says why."""

    @settings(max_examples=100, deadline=None)
    @given(_MEDIANS, st.sampled_from(["lower", "higher"]))
    def test_by_counting(self, medians: Medians, direction: str) -> None:
        places = ranked(frame(medians, direction))
        values = {value for _, value in medians}
        groups = {name for name, _ in medians}
        assert len(places) == len(values) * len(groups)
        sign = 1 if direction == "lower" else -1
        for row in places.iter_rows(named=True):
            key = (row["benchmark_name"], row["value"])
            if key not in medians:
                assert (row["rank"], row["state"]) == (None, "missing")
                continue
            own = medians[key]
            if own is None or not math.isfinite(own):
                assert (row["rank"], row["state"], row["median"]) == (None, "failed", None)
                continue
            others = [m for (name, _), m in medians.items() if name == key[0] and m is not None and math.isfinite(m)]
            assert row["rank"] == 1 + sum(sign * other < sign * own for other in others)
            best = min(others, key=lambda m: sign * m)
            assert row["behind"] == (None if best == 0 else pytest.approx(sign * (own - best) / abs(best)))

    def test_ties_share_a_rank(self) -> None:
        places = ranked(frame({("f", "a"): 1.0, ("f", "b"): 1.0, ("f", "c"): 2.0}))
        assert places.select("value", "rank").rows() == [("a", 1), ("b", 1), ("c", 3)]

    def test_without_a_direction_there_is_no_rank(self) -> None:
        places = ranked(frame({("f", "a"): 1.0}, "info"))
        assert places.select("rank", "state", "median").rows() == [(None, "no direction", 1.0)]

    def test_a_value_is_missing_where_its_metric_has_it_elsewhere(self) -> None:
        rows = frame({("f", "a"): 1.0, ("f", "b"): 2.0})
        other = rows.head(1).with_columns(metric=pl.lit("size"))
        found = ranked(pl.concat([rows, other]))
        assert found.filter(pl.col("metric") == "size")["value"].to_list() == ["a"]

    def test_columns_keep_groups_apart(self) -> None:
        rows = frame({("f", "a"): 1.0, ("f", "b"): 2.0}).with_columns(cpu=pl.lit("x"))
        other = rows.with_columns(cpu=pl.lit(None, pl.String), median=pl.Series([2.0, 1.0]))
        found = ranked(pl.concat([rows, other]), ["cpu"])
        assert sorted(found.filter(pl.col("rank") == 1).select("cpu", "value").rows(), key=str) == [
            ("x", "a"),
            (None, "b"),
        ]


class TestOfValues:
    """A value is judged over the groups that all values have: geometric means of its closeness to the best."""

    @settings(max_examples=100, deadline=None)
    @given(_MEDIANS, st.sampled_from(["lower", "higher"]))
    def test_by_hand(self, medians: Medians, direction: str) -> None:
        places = ranked(frame(medians, direction))
        values = sorted({value for _, value in medians})
        names = sorted({name for name, _ in medians})
        shared = [n for n in names if all(_is_known(m := medians.get((n, v))) and (m or 0) > 0 for v in values)]
        pick = min if direction == "lower" else max
        for row in of_values(places).iter_rows(named=True):
            own = [medians[name, row["value"]] or 0.0 for name in shared]
            best = [pick(medians[name, value] or 0.0 for value in values) for name in shared]
            ratios = [min(a, b) / max(a, b) for a, b in zip(own, best, strict=True)]
            assert row["common"] == len(shared)
            assert row["score"] == (pytest.approx(math.prod(ratios) ** (1 / len(ratios))) if ratios else None)
            assert row["missing"] == sum((name, row["value"]) not in medians for name in names)
            assert row["ranked"] + row["missing"] + row["failed"] == len(names)
        for row in means(places).iter_rows(named=True):
            own = [medians[name, row["value"]] or 0.0 for name in shared]
            assert row["geometric_mean"] == pytest.approx(math.prod(own) ** (1 / len(own)))
            assert row["common"] == len(shared)
        assert means(places)["value"].to_list() == (values if shared else [])

    def test_the_best_is_first(self) -> None:
        places = ranked(frame({("f", "a"): 4.0, ("f", "b"): 1.0, ("g", "a"): 1.0, ("g", "b"): 1.0}))
        assert of_values(places).select("value", "score", "first", "mean_rank").rows() == [
            ("b", 1.0, 2, 1.0),
            ("a", 0.5, 1, 1.5),
        ]
