"""The causes of findings and movements of a scan, in real histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from bench_db.analysis.findings import movements, scanned
from bench_db.analysis.histories import Histories, histories
from bench_db.analysis.scan_blame import Blamed, blame_scan
from bench_db.model import Cause
from bench_db.query.series import HISTORY, IDENTITY, Points

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = np.ndarray[Any, Any]
COMMITS, AT, BENCHMARKS = 60, 30, 16


def noise(seed: int, sigma: float = 0.01) -> Array:
    return np.random.default_rng(seed).normal(0, sigma, (BENCHMARKS, COMMITS))


def arranged(**beds: Array) -> Histories:
    """Arrange log values, a row a benchmark, as histories of one suite on several test beds; a bed is its name before `_`."""
    names, rows = [], []
    for number, (bed, logs) in enumerate(beds.items()):
        for benchmark, row in enumerate(logs):
            key = 1000 * number + benchmark
            bed_name = bed.partition("_")[0]
            names.append((key, "d", bed_name, "s", f"f{benchmark}", "time", "", "nanoseconds", "lower"))
            points = enumerate(np.exp(row).tolist())
            of_run = ((at, 1000 * number + at, [x] * 5) for at, x in points if np.isfinite(x))
            rows += [(key, at, at, run, at, f"{at:040x}", 1, *figures, None) for at, run, figures in of_run]
    return histories(
        Points(
            series=pl.DataFrame(names, schema=list(IDENTITY), orient="row"),
            rows=pl.DataFrame(rows, schema=list(HISTORY), orient="row", schema_overrides={"error": pl.String}),
        )
    )


def blamed(of: Histories, labels: Mapping[int, str] | None = None) -> Blamed:
    return blame_scan(of, scanned(of, rate=0.05), labels or {})


def causes(of: Blamed) -> set[Cause]:
    return {one.cause for one in of.findings}


class TestFindings:
    """The findings of a suite at one commit, on all test beds, have one cause."""

    def test_neighbouring_commits_are_one_change(self) -> None:
        early, late = noise(1), noise(2)
        early[:3, AT:] += 0.2
        late[:3, AT + 2 :] += 0.2
        found = blamed(arranged(x86=early, arm=late))
        assert (len(found.findings), causes(found)) == (6, {Cause.CODE})
        assert len({one.evidence for one in found.findings}) == 1
        assert any("at one commit on arm and x86" in text for text in found.findings[0].evidence)

    def test_far_commits_are_two_changes(self) -> None:
        moved = noise(3)
        moved[:3, AT:] += 0.2
        moved[4, AT + 12 :] += 0.2
        found = blamed(arranged(x86=moved))
        assert {one.test_beds[0].moved for one in found.findings} == {1, 3}

    def test_a_bed_that_measured_other_commits_is_a_control(self) -> None:
        moved, other = noise(4), noise(5)
        moved[:, AT:] += 0.2
        other[:, ::2] = np.nan  # every second commit
        found = blamed(arranged(x86=moved, arm=other))
        assert causes(found) == {Cause.MACHINE}
        assert all(found.whole_runs)
        assert found.of_machine == len(found.findings)

    def test_a_bed_that_began_later_is_none(self) -> None:
        moved, later = noise(6), noise(7)
        moved[:, AT:] += 0.2
        later[:, : AT + 1] = np.nan
        assert causes(blamed(arranged(x86=moved, arm=later))) == {Cause.UNKNOWN}

    def test_beds_in_opposite_directions(self) -> None:
        slower, faster = noise(8), noise(9)
        slower[:, AT:] += 0.2
        faster[:, AT:] -= 0.2
        assert causes(blamed(arranged(x86=slower, arm=faster))) == {Cause.UNKNOWN}

    def test_machines_of_a_pool(self) -> None:
        slow, calm = noise(10), noise(11)
        slow[:, AT:] += 0.2
        of = arranged(ci_1=slow, ci_2=calm)
        labels = {one.series_key: "ci (Xeon)" if one.series_key >= 1000 else "ci (EPYC)" for one in of.series}
        found = blamed(of, labels)
        assert causes(found) == {Cause.MACHINE}
        assert any("ci (Xeon) measured the same commit" in text for text in found.findings[0].evidence)
        assert set(found.beds) == {"ci (EPYC)"}

    def test_nothing(self) -> None:
        assert blamed(arranged(x86=noise(12))) == Blamed()


class TestMovements:
    """A movement without findings has a cause, too."""

    def test_a_passing_one_of_a_machine(self) -> None:
        moved = noise(13)
        moved[:, AT] += 0.3
        for beds in ({"x86": moved}, {"x86": moved, "arm": noise(14)}):
            of = arranged(**beds)
            (one,) = movements(of, scanned(of, rate=0.05), blamed(of))
            assert (one.cause, one.lasting, one.test_bed_name) == (Cause.MACHINE, False, "x86")
            assert (one.benchmarks, one.measured) == (BENCHMARKS, BENCHMARKS)

    def test_a_passing_one_on_two_beds_is_of_the_code(self) -> None:
        x86, arm = noise(15), noise(16)
        x86[:, AT] += 0.3
        arm[:, AT] += 0.3
        found = blamed(arranged(x86=x86, arm=arm))
        assert [one.cause for one in found.movements] == [Cause.CODE] * 2

    def test_the_newest_run_has_not_returned(self) -> None:
        moved = noise(17)
        moved[:, -1] += 0.3
        (one,) = blamed(arranged(x86=moved)).movements
        assert (one.cause, one.evidence[-1]) == (Cause.UNKNOWN, "no other test bed measured them at this commit")

    def test_a_step_that_no_series_shows(self) -> None:
        moved, calm = np.concatenate([noise(18, 0.02), noise(19, 0.02)]), np.concatenate([noise(20), noise(21)])
        moved[:, AT:] += 0.02
        for beds, cause in (({"x86": moved, "arm": calm}, Cause.MACHINE), ({"x86": moved}, Cause.UNKNOWN)):
            found = blamed(arranged(**beds))
            assert [one.cause for one in found.movements] == [cause]
