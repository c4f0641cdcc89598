"""Thresholds of series: which one applies, and what cannot be read."""

from __future__ import annotations

from dataclasses import asdict

import polars as pl
import pytest

from bench_db.errors import UserError
from bench_db.model import Definition, Series
from bench_db.query.thresholds import Thresholds, checked, pattern_of, value_of


def thresholds(*stated: tuple[str, str], dut_name: str | None = None) -> Thresholds:
    return Thresholds(
        Definition(kind="threshold", pattern=pattern, value=value, dut_name=dut_name, at=0) for pattern, value in stated
    )


def series(
    name: str, metric: str = "time", units: str = "nanoseconds", tags_key: str = "", suite: str = "io"
) -> Series:
    return Series(
        series_key=hash((name, metric)) >> 1,
        dut_name="d",
        suite=suite,
        benchmark_name=name,
        metric=metric,
        units=units,
        tags_key=tags_key,
    )


class TestOf:
    """The narrowest of the matching thresholds applies, then the one with most literal characters, then the newest."""

    @pytest.mark.parametrize(
        ("name", "metric", "expected"),
        [
            ("scan", "time", "10%"),
            ("parse/json", "time", "5%"),
            ("parse/xml", "time", "4%"),
            ("parse/xml", "memory", "1%"),
        ],
    )
    def test_the_narrowest(self, name: str, metric: str, expected: str) -> None:
        stated = (
            ("", "10%"),
            ("benchmark=parse/*", "5%"),
            ("benchmark=parse/xml", "4%"),
            ("benchmark=* metric=mem*", "1%"),
        )
        for order in (stated, stated[::-1]):
            threshold = thresholds(*order).of(series(name, metric))
            assert threshold is not None
            assert threshold.text.startswith(f"{expected}")

    def test_the_newest_of_equals(self) -> None:
        found = thresholds(("benchmark=a*", "5%"), ("benchmark=*a", "6%")).of(series("a"))
        assert found is not None
        assert found.text == "6% (benchmark=*a)"

    def test_suite_and_tags(self) -> None:
        of_tags = thresholds(("suite=i? tag.size=1*", "7%"))
        assert of_tags.of(series("a", tags_key="kind=x,size=16")) is not None
        assert of_tags.of(series("a", tags_key="size=2")) is None
        assert of_tags.of(series("a")) is None
        assert of_tags.of(series("a", tags_key="size=16", suite="net")) is None

    def test_of_another_device(self) -> None:
        assert thresholds(("", "5%"), dut_name="other").of(series("a")) is None

    @pytest.mark.parametrize(
        ("value", "units", "amount"),
        [
            ("2ms", "nanoseconds", 2e6),
            ("64KiB", "bytes", 65536.0),
            ("1.5 MB", "bytes", 1.5e6),
            ("3", "count", 3.0),
            ("3", "frames", 3.0),
            ("3", "nanoseconds", None),
            ("2ms", "bytes", None),
        ],
    )
    def test_a_difference_is_in_base_units_and_of_its_unit_alone(
        self, value: str, units: str, amount: float | None
    ) -> None:
        found = thresholds(("", value)).of(series("a", units=units))
        assert (None if found is None else found.absolute) == amount

    def test_one_of_another_unit_leaves_the_next(self) -> None:
        found = thresholds(("", "9%"), ("benchmark=a", "2ms")).of(series("a", units="bytes"))
        assert found is not None
        assert found.relative == pytest.approx(0.09)


class TestShareOf:
    """A change has to reach both amounts: the larger share counts."""

    def test_both(self) -> None:
        threshold = thresholds(("", "5% and 2ms")).of(series("a"))
        assert threshold is not None
        assert [threshold.share_of(level) for level in (1e7, 1e9)] == [pytest.approx(0.2), pytest.approx(0.05)]


class TestFaults:
    """What matches nothing, or not in its unit, is described."""

    def test_faults(self) -> None:
        stated = thresholds(("benchmark=parse", "5%"), ("benchmark=b*", "5%"), ("metric=mem", "2ms"))
        known = pl.DataFrame(
            [{**asdict(one), "direction": "lower"} for one in (series("parse"), series("x", "mem", "bytes"))]
        )
        assert stated.faults(known) == [
            "threshold 2ms of metric=mem: not used for series in bytes",
            "threshold 5% of benchmark=b*: matches no series",
        ]
        assert thresholds(("benchmark=b", "5%"), dut_name="other").faults(known) == []

    def test_one_that_a_later_release_wrote(self) -> None:
        stated = thresholds(("", "5 furlongs"), ("", "4%"))
        found = stated.of(series("a"))
        assert found is not None
        assert found.text == "4%"
        (fault,) = stated.faults(pl.DataFrame([{**asdict(series("a")), "direction": "lower"}]))
        assert fault.startswith("threshold '5 furlongs' of '' is not used: unknown unit 'furlongs'")


class TestChecked:
    """A threshold is stored in one spelling; an error lists what is allowed."""

    def test_one_spelling(self) -> None:
        spelled = checked("tag.b=1 suite='a b' tag.a=2 benchmark=x*", " 5 %,  2 ms")
        assert spelled == ("benchmark=x* 'suite=a b' tag.a=2 tag.b=1", "5 % and 2 ms")
        assert checked(*spelled) == spelled
        assert pattern_of({"metric": "time"}, {"k": "v"}) == "metric=time tag.k=v"
        assert value_of("5%", "2ms") == "5% and 2ms"

    @pytest.mark.parametrize(
        ("pattern", "value", "reason"),
        [
            ("bench=x", "5%", r"'bench=x' is no condition .* takes benchmark, metric, suite and tag.NAME"),
            ("benchmark", "5%", "'benchmark' is no condition"),
            ("tag.=x", "5%", "'tag.=x' is no condition"),
            ("'a", "5%", "cannot be split"),
            ("", "", "a threshold needs a share such as 5%"),
            ("", "x%", "'x' in 'x%' is no number"),
            ("", "-5%", "is no number from 0 on"),
            ("", "nan%", "is no number"),
            ("", "fast", "'fast' is no threshold; it takes a share such as 5%"),
            ("", "2 lightyears", "unknown unit 'lightyears'; known: .*ms"),
        ],
    )
    def test_what_cannot_be_read(self, pattern: str, value: str, reason: str) -> None:
        with pytest.raises(UserError, match=reason):
            checked(pattern, value)

    def test_a_share_needs_its_sign(self) -> None:
        with pytest.raises(UserError, match="'5' is no share; write it with a percent sign, such as 5%"):
            value_of("5", "")
