"""The list of all series, and the findings."""

from base64 import b64decode
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest

from bench_db.model import State
from bench_db.query.series import IDENTITY
from bench_db.report.site import catalogue
from bench_db.report.site.catalogue import Row
from bench_db.report.site.encode import EncodedSeries
from bench_db.report.site.encode import encoded as encode
from tests.report.example_site import arranged_points, history
from tests.report.examples import found

QUIET = {"spread": 0.02, "smallest_effect": 0.05, "autocorrelated": True, "runs_needed": 3}


def encoded(frame: pl.DataFrame, *findings: Any) -> EncodedSeries:
    return encode(arranged_points(frame)[1], frame["direction"][0], findings)


def row(frame: pl.DataFrame, *findings: Any, noise: Row | None = None) -> Row:
    return catalogue.row(encoded(frame, *findings), frame.select(IDENTITY).row(0, named=True), noise)


def series(name: str, *medians: float, **identity: Any) -> pl.DataFrame:
    return history(name, np.array(medians), **identity)


class TestOrder:
    """Labels are sorted as people count: numbers by value, letters without their case."""

    def test_sizes(self) -> None:
        wanted = ["a10", "a {size=3}", "A {size=20}", "a {size=100}", "a {size=100}b", "b007", "b7.5", "b80"]
        for seed in range(20):
            assert sorted(Random(seed).sample(wanted, len(wanted)), key=catalogue.natural) == wanted

    def test_numbers_of_any_length(self) -> None:
        long = ["9" * 9000, "1" + "0" * 9000, "0" * 9000 + "3"]
        assert [label[-1] for label in sorted(long, key=catalogue.natural)] == ["3", "9", "0"]


class TestRow:
    """The change is that of the newest point against the median of those before it; a failure has none."""

    def test_change(self) -> None:
        one = row(series("a", 1.0, 2.0, 3.0, 3.0), noise=QUIET)
        assert (one["latest"], one["level"], one["change"], one["first"]) == (3.0, 2.0, 0.5, 2.5)
        assert (one["points"], one["failing"], one["label"]) == (4, False, "io: a")
        assert one["noise"] == [0.02, 0.05, True, 3]

    def test_only_the_present_level_counts(self) -> None:
        one = row(series("a", *[9.0] * 30, *[1.0] * 20, 2.0))
        assert (one["level"], one["change"], one["first"]) == (1.0, 1.0, 9.0)

    def test_a_failure(self) -> None:
        one = row(series("a", 1.0, 2.0, np.nan))
        assert (one["failing"], one["latest"], one["change"], one["points"]) == (True, None, None, 3)

    @pytest.mark.parametrize(("medians", "level"), [([4.0], 4.0), ([np.nan], None)])
    def test_a_single_point(self, medians: list[float], level: float | None) -> None:
        one = row(series("a", *medians))
        assert (one["change"], one["level"], one["noise"]) == (None, level, None)

    @pytest.mark.parametrize(("points", "few"), [(5, 1), (6, 0)])
    def test_few(self, points: int, few: int) -> None:
        # five before the newest are a baseline
        assert row(series("a", *[1.0] * points))["few"] == few

    def test_a_level_of_zero(self) -> None:
        assert row(series("a", 0.0, 0.0, 1.0))["change"] is None

    def test_a_change_beyond_all_numbers(self) -> None:
        up, down = (row(series("a", -1e-300, -1e-300, end))["change"] for end in (1e300, -1e300))
        assert 1e300 < up == -down < np.inf

    def test_findings_that_are_open(self) -> None:
        states = [found(f"id{s}", 1, 1, state=s) for s in State]
        better = found("better", 1, 1, effect=-0.1)
        one = row(series("a", 1.0, 2.0), *states, better)
        assert (one["worse"], one["better"]) == (len(catalogue.STANDING), 1)


class TestCatalogue:
    """Columns of equal length give back each row; a series is stale when its group has newer points."""

    OLD = row(series("suite/decode", *[1.0] * 6))
    NEW = row(series("core/decode", *[1.0] * 6, first_commit=10))
    BED = row(series("other", *[1 / 3] * 3, bed="laptop"))

    def document(self) -> dict[str, Any]:
        rows = catalogue.current([(0, self.OLD), (0, self.NEW), (1, self.BED)])
        return catalogue.catalogue(rows, [("a.js", "", "x.js"), ("b.js", "c.js", "x.js")])

    def test_columns(self) -> None:
        document = self.document()
        assert [document["facets"]["bed"][at] for at in document["bed"]] == ["runner-large", "runner-large", "laptop"]
        assert (document["file"], document["files"]) == ([0, 0, 1], [["a.js", "", "x.js"], ["b.js", "c.js", "x.js"]])
        assert document["label"] == ["io: suite/decode", "io: core/decode", "io: other"]
        assert document["latest"][2] == 0.333333

    def test_tags(self) -> None:
        rows = [row(series("a", 1.0, tags="size=8")), self.BED]
        document = catalogue.catalogue(catalogue.current([(0, one) for one in rows]), [("a.js", "", "x.js")])
        assert [document["facets"]["tags"][at] for at in document["tags"]] == ["size=8", ""]

    def test_stale(self) -> None:
        assert self.document()["stale"] == [1, 0, 0]

    def test_a_series_that_goes_on_under_another_name(self) -> None:
        assert self.document()["heirs"] == [(0, 1, "renamed from suite/decode to core/decode?")]


class TestPastFailures:
    """A failure counts while its suite has no newer commit; a series without a value is listed no longer than that."""

    FAILED = series("io", np.nan)
    FLAKY = series("flaky", 1.0, np.nan, first_commit=1)

    @pytest.mark.parametrize(
        ("newer", "listed", "failing"),
        [
            ([], ["io: io"], 1),
            ([series("a", 1.0)], ["io: io", "io: a"], 1),
            ([series("a", 1.0, bed="laptop", first_commit=4)], ["io: io", "io: a"], 1),
            ([series("a", 1.0, first_commit=4)], ["io: a"], 0),
            ([FLAKY], ["io: flaky"], 1),
            ([FLAKY, series("a", 1.0, first_commit=4)], ["io: flaky", "io: a"], 0),
        ],
    )
    def test_listed(self, newer: list[pl.DataFrame], listed: list[str], failing: int) -> None:
        rows = catalogue.current([(0, row(one)) for one in (self.FAILED, *newer)])
        assert [one["label"] for _, one in rows] == listed
        assert catalogue.failing([one for _, one in rows]) == failing

    def test_the_order_of_commits_decides_and_not_their_clocks(self) -> None:
        """The commit that mends the broken one has its second, or an earlier one."""
        for ahead in (0, 90_000):
            broken = self.FAILED.with_columns(pl.col("dut_timestamp") + ahead)
            mended = series("a", 1.0).with_columns(pl.col("commit_order") + 1)
            rows = catalogue.current([(0, row(one)) for one in (broken, mended)])
            assert [one["label"] for _, one in rows] == ["io: a"]

    def test_a_successor_is_of_a_later_commit_whatever_its_clock_says(self) -> None:
        old, new = series("suite/decode", *[1.0] * 6), series("core/decode", *[1.0] * 6, first_commit=10)
        rows = catalogue.current([(0, row(old)), (0, row(new.with_columns(pl.col("dut_timestamp") - 9_000_000)))])
        found = catalogue.catalogue(rows, [("a.js", "", "x.js")])
        assert (found["stale"], [pair[:2] for pair in found["heirs"]]) == ([1, 0], [(0, 1)])


class TestNames:
    """Long names lose what they share, in the list and in the findings; the label stays complete."""

    def test_short(self) -> None:
        rows = [row(series(f"library/testsuite/benchmarks/test_evaluation.py::test_{n}", 1.0)) for n in ("add", "sub")]
        findings = [{"label": rows[1]["label"]}]
        catalogue.name_apart([*rows, other := row(series("other", 1.0))], findings)
        assert [one["name"] for one in (*rows, other, *findings)] == [
            "library/…test_add",
            "library/…test_sub",
            "",
            "library/…test_sub",
        ]
        assert rows[0]["label"] == "io: library/testsuite/benchmarks/test_evaluation.py::test_add"

    def test_suites_are_shortened_by_themselves(self) -> None:
        suites = ("virtualenv-py3.9-library-with-extras", "virtualenv-py3.11-library-with-extras")
        name = "validation.InstantiateModelTimeSuite.time_instantiate_model"
        rows = [
            row(series(f"{name}_{n}", 1.0).with_columns(suite=pl.lit(suite))) for suite in suites for n in ("a", "b")
        ]
        catalogue.name_apart(rows, [])
        assert [one["name"] for one in rows] == [
            f"…py3.{minor}-library-with-extras: …time_instantiate_model_{n}" for minor in (9, 11) for n in ("a", "b")
        ]


class TestFindings:
    """A finding shows the medians around it, and those that need a reader come first."""

    @pytest.mark.parametrize(("at", "here", "length"), [(3, 3, 33), (50, 30, 60), (99, 30, 31)])
    def test_excerpt(self, at: int, here: int, length: int) -> None:
        one = encoded(series("a", *np.arange(100.0)), found("id1", 1, at))
        described = row(series("a", 1.0)) | {"test_bed_name": "bed\x1b"}
        (finding,) = catalogue.finding_rows(one.document, described)
        decoded = np.frombuffer(b64decode(finding["excerpt"]), "<f4")
        assert (finding["here"], len(decoded)) == (here, length)
        assert decoded[here] == at
        assert (finding["bed"], finding["label"], finding["id"]) == ("bed\\x1b", "io: a", "id1")

    def test_ranked(self) -> None:
        ordered = [
            finding("newest worse", time=9),
            finding("large worse", time=5, effect=-0.5),
            finding("small worse", time=5, effect=0.1),
            finding("better", time=99, worse=False),
            finding("blessed", time=99, state="blessed"),
        ]
        shuffled = Random(1).sample(ordered, k=len(ordered))
        assert catalogue.ranked(shuffled) == ordered

    def test_counts(self) -> None:
        findings = [
            finding("a"),
            finding("b", worse=False),
            finding("c", worse=None),
            finding("d", common="3 series"),
            finding("f", common="3 series", cause="machine"),
            finding("g", worse=False, cause="machine"),
            finding("e", state="blessed"),
        ]
        assert catalogue.counts(findings) == {
            "worse": 3,
            "better": 2,
            "moved": 1,
            "common": 2,
            "machine": 1,
            "open": 6,
            "blessed": 1,
        }


def finding(name: str, **rest: Any) -> Row:
    return {"id": name, "state": "open", "worse": True, "time": 1, "effect": 0.1, "common": None, "cause": None, **rest}


class TestBeds:
    """A test bed has the sums and medians of its series."""

    def test_beds(self) -> None:
        loud = {"spread": 0.04, "smallest_effect": None, "autocorrelated": None, "runs_needed": None}
        rows = [
            row(series("a", 1.0, np.nan), noise=QUIET),
            row(series("b", 1.0, first_commit=1), noise=loud),
            row(series("c", 1.0, bed="arm\x1b")),
        ]
        arm, large = catalogue.beds([one for _, one in catalogue.current([(0, one) for one in rows])])
        assert (arm["name"], arm["series"], arm["spread"]) == ("arm\\x1b", 1, None)
        assert (large["series"], large["failing"], large["autocorrelated"]) == (2, 1, 1)
        assert (large["spread"], large["smallest_effect"]) == (pytest.approx(0.03), 0.05)
        assert large["time"] == rows[1]["time"]


class TestCommits:
    """A build is listed once, newest first, with every group that measured it."""

    def test_commits(self) -> None:
        io, cpu = ("lib", "ci", "io"), ("lib", "ci", "cpu")
        first = {"commit": ["a", "b"], "version": ["1", "2"], "time": [10, 20]}
        second = {"commit": ["b", "c"], "version": ["2", "2"], "time": [20, 20]}
        assert catalogue.commits([(io, first), (cpu, second)]) == {
            "groups": [["lib", "ci", "cpu"], ["lib", "ci", "io"]],
            "builds": [["b", "2", 20, [0, 1]], ["c", "2", 20, [0]], ["a", "1", 10, [1]]],
        }
