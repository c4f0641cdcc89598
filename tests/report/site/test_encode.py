"""The points and findings of a shard as a document."""

from base64 import b64decode
from typing import Any

import numpy as np
import polars as pl
import pytest

from bench_db.model import ChangeKind
from bench_db.report.quantity import NO_VALUE
from bench_db.report.site.encode import EncodedSeries, builds_document, encoded, finding_document
from tests.report.example_site import arranged_points, history
from tests.report.examples import commit_of, found

ONE = history("one", np.array([1.0, 2.0, 3.0]))
FAILING = history("two", np.array([5.0, np.nan]), first_commit=2)
BOTH = pl.concat([ONE, FAILING])


def key_of(frame: pl.DataFrame) -> int:
    return int(frame["series_key"][0])


def one_of(frame: pl.DataFrame, points: pl.DataFrame, *findings: Any) -> EncodedSeries:
    _, ordered = arranged_points(points)
    return encoded(ordered.filter(series_key=key_of(frame)), "lower", findings)


def series_of(frame: pl.DataFrame, points: pl.DataFrame) -> Any:
    return one_of(frame, points).document


def builds_of(points: pl.DataFrame) -> Any:
    (builds,) = arranged_points(points)[0].builds.values()
    return builds_document(builds)


def decoded(text: str) -> list[float]:
    return [float(value) for value in np.frombuffer(b64decode(text), "<f4")]


class TestShard:
    """Each build is listed once, oldest first, and each point names its build; the order of the rows does not count."""

    def test_builds(self) -> None:
        builds = builds_of(BOTH)
        assert builds["commit"] == [commit_of(n) for n in range(4)]
        assert builds["time"] == sorted(builds["time"])
        assert [builds["branches"][at] for at in builds["branch"]] == ["main"] * 4

    def test_points(self) -> None:
        one, two = series_of(ONE, BOTH), series_of(FAILING, BOTH)
        assert (one["at"], two["at"]) == ([0, 3], [2, 2])
        assert decoded(one["median"]) == [1.0, 2.0, 3.0]
        assert (one["n"], two["n"]) == (20, [20, 0])
        assert "lower" not in one

    def test_a_branch_that_is_unknown(self) -> None:
        unknown = ONE.with_columns(branch=pl.lit(None, dtype=pl.String))
        builds = builds_of(unknown)
        assert (builds["branch"], builds["branches"]) == ([-1] * 3, [])

    def test_the_order_of_rows(self) -> None:
        assert builds_of(BOTH.reverse()) == builds_of(BOTH)
        assert series_of(ONE, BOTH.reverse()) == series_of(ONE, BOTH)

    def test_an_interval(self) -> None:
        intervals = ONE.with_columns(lower=pl.col("median") - 1, upper=pl.col("median") + 1)
        document = series_of(ONE, intervals)
        assert (decoded(document["lower"]), decoded(document["upper"])) == ([0.0, 1.0, 2.0], [2.0, 3.0, 4.0])


class TestErrors:
    """A point without a number has its error by position: a short text with the begin and the end."""

    def test_shortened(self) -> None:
        assert "errors" not in series_of(ONE, BOTH)
        ((at, text),) = series_of(FAILING, BOTH)["errors"].items()
        assert (at, text.splitlines()[0], text.splitlines()[-1]) == ("1", "exit code 1 in two", "NameError: x")
        assert len(text) <= 800

    def test_no_credential_is_in_an_error(self) -> None:
        failing = FAILING.with_columns(error=pl.lit("cannot read https://me:pw@host.test/x\ntoken=abc"))
        assert series_of(FAILING, failing)["errors"]["1"] == "cannot read https://***@host.test/x\ntoken=***"

    def test_no_value(self) -> None:
        numberless = FAILING.with_columns(error=pl.lit(None, dtype=pl.String))
        assert series_of(FAILING, numberless)["errors"] == {"1": NO_VALUE}


class TestFinding:
    """A finding is at the first point of its commit; one of an unknown commit is at its index, inside the history."""

    @pytest.mark.parametrize(
        ("commit", "index", "at"), [(commit_of(1), 0, 1), (None, 2, 2), ("gone", 9, 2), (None, -1, 0)]
    )
    def test_at(self, commit: str | None, index: int, at: int) -> None:
        document = finding_document(found("id1", 1, index, commit=commit), ONE, "lower")
        assert (document["at"], document["time"]) == (at, ONE["dut_timestamp"][at])

    @pytest.mark.parametrize(("direction", "worse"), [("lower", True), ("higher", False), ("info", None)])
    def test_worse(self, direction: str, worse: bool | None) -> None:  # noqa: FBT001
        assert finding_document(found("id1", 1, 1, effect=0.1), ONE, direction)["worse"] is worse

    @pytest.mark.parametrize(("state", "shown"), [("open", (True, False)), ("fixed", (False, True))])
    def test_a_provisional_one_that_is_gone_is_withdrawn(self, state: str, shown: tuple[bool, bool]) -> None:
        document = finding_document(found("id1", 1, 1, state=state, provisional=True), ONE, "lower")
        assert (document["provisional"], document["withdrawn"]) == shown

    def test_in_order(self) -> None:
        one = one_of(ONE, BOTH, found("late", 1, 2), found("early", 1, 0))
        assert [finding["id"] for finding in one.findings] == ["early", "late"]
        assert one_of(FAILING, BOTH).findings == []

    def test_a_kind_other_than_level_has_its_words(self) -> None:
        given = {"effect": None, "low": None, "high": None, "before": 0.011, "after": 0.042}
        spread = finding_document(found("id1", 1, 1, kind=ChangeKind.SPREAD, **given), ONE, "lower", "nanoseconds")
        assert (spread["kind"], spread["what"], spread["worse"]) == ("spread", "noise 1.1 % -> 4.2 %", None)
        level = finding_document(found("id1", 1, 1), ONE, "lower")
        assert (level["kind"], level["what"]) == ("level", None)
