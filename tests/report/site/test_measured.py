"""The measured commits of each device."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from bench_db.model import RecordedCommit
from bench_db.query.series import IDENTITY
from bench_db.report.site.measured import MeasuredCommits, devices_of, freshness
from tests.report.example_site import arranged_points, history
from tests.report.examples import commit_of, last_scan


def measured(*frames: pl.DataFrame) -> list[dict[str, Any]]:
    commits = MeasuredCommits()
    for frame in frames:
        commits.add(frame, arranged_points(frame)[0].runs, frame.select(IDENTITY).unique("series_key"))
    records = {
        commit_of(number): RecordedCommit(
            dut_name="device", commit=commit_of(number), position=3 * number, subject=f"s{number}"
        )
        for number in range(8)
    }
    return commits.newest_first(records)


class TestMeasuredCommits:
    """The counts of a commit are sums over shards, and the commit before is the one that has results."""

    def test_counts(self) -> None:
        newest, failed, older, _ = measured(
            history("a", np.array([1.0, 2.0, np.nan, 3.0])), history("b", np.array([1.0]), first_commit=1)
        )
        assert (newest["commit"], newest["results"], newest["failed"]) == (commit_of(3), 1, 0)
        assert (newest["before"], newest["commits"]) == (commit_of(1), 6)
        assert (failed["results"], failed["failed"], failed["subject"]) == (0, 1, "s2")
        assert (older["results"], older["before"]) == (2, commit_of(0))

    def test_test_beds(self) -> None:
        newest, older = measured(*(history("a", np.array([1.0, 2.0][:n]), bed=bed) for bed, n in (("y", 1), ("x", 2))))
        assert (newest["beds"], older["beds"]) == (["x"], ["x", "y"])

    def test_a_series_that_was_measured_twice_counts_once(self) -> None:
        first = history("a", np.array([1.0, 2.0]))
        again = first.with_columns(pl.col("run_key") + 100)
        newest, older = measured(
            pl.concat([first, again, history("b", np.array([1.0]))]), history("c", np.array([1.0]))
        )
        assert (older["results"], older["series"], newest["series"], newest["fewer"]) == (4, 3, 1, 2)

    def test_two_builds_of_a_commit(self) -> None:
        """The commit before is another one, for both; the wheels of two packages have two versions."""
        python = history("a", np.array([1.0, 2.0, 3.0]))
        rust = history("b", np.array([1.0, 2.0, 3.0])).with_columns(
            dut_version=pl.lit("2+") + pl.col("dut_version"), run_key=pl.col("run_key") + 100
        )
        found = measured(python, rust)
        assert [row["commit"] for row in found] == [commit_of(n) for n in (2, 2, 1, 1, 0, 0)]
        assert len({row["version"] for row in found}) == 6
        assert [row["before"] for row in found] == [*[commit_of(1)] * 2, *[commit_of(0)] * 2, "", ""]
        assert [row["commits"] for row in found] == [3, 3, 3, 3, None, None]

    def test_errors(self) -> None:
        names = ("a", "b", "c", "d", "e", "f", "g")
        (commit,) = measured(*(history(name, np.array([np.nan])) for name in names))
        assert commit["failed"] == 7
        assert [error[0] for error in commit["errors"]] == [f"io: {name}" for name in names[:5]]
        assert commit["errors"][0][2].startswith("exit code 1 in a = =")
        assert commit["errors"][0][2].endswith("NameError: x")

    def test_without_commits(self) -> None:
        frame = history("a", np.array([1.0])).with_columns(pl.lit(None, dtype=pl.String).alias("commit"))
        (build,) = measured(frame)
        assert (build["commit"], build["version"], build["before"], build["commits"]) == (
            "",
            f"1.0.0+{commit_of(0)[:7]}",
            "",
            None,
        )


class TestFreshness:
    """Each device has its newest commit with results, and the commits since, which have none."""

    def test_since(self) -> None:
        failing = history("a", np.array([1.0, np.nan, np.nan]))
        other = history("z", np.array([np.nan])).with_columns(
            pl.lit("other").alias("dut_name"), run_key=pl.lit(-1, pl.Int64)
        )
        found = {one["dut"]: one for one in freshness(measured(failing, other))}
        assert found["device"]["newest"]["commit"] == commit_of(0)
        assert [one["commit"] for one in found["device"]["failed"]] == [commit_of(2), commit_of(1)]
        assert (found["other"]["newest"], len(found["other"]["failed"])) == (None, 1)


class TestDevices:
    """A device has its newest scan in words and in numbers; without a scan nothing is judged."""

    def test_scans(self) -> None:
        fresh = [{"dut": "a"}, {"dut": "b"}]
        scan = last_scan(dut="a", judged=4, commits_since=2, late_runs=3)
        found = devices_of(fresh, [scan, None], [[(1, "regressed")], []])
        assert [(one["dut"], one["judged"], one["since"], one["late"], one["said"]) for one in found] == [
            ("a", 4, 2, 3, [(1, "regressed")]),
            ("b", 0, None, 0, []),
        ]
        assert found[0]["scan"].startswith("last scan: ")
        assert found[1]["scan"].startswith("no scan is recorded")
