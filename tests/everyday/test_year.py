"""A whole year of a repository ends with a complete history in git's order, and with the planted changes found."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl
import pytest

import bench_db as api
from tests.everyday.year import BEDS, Year
from tests.support.campaigns import rounds

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.app.database import Database

pytestmark = [pytest.mark.slow, pytest.mark.campaign("year")]

IN_FULL = rounds("year", False, full=True)  # noqa: FBT003
SEEDS = (1, 2, 3, 4, 5)[: rounds("year", 1, full=5)]
COMMITS = rounds("year", 100, full=300)
PULL_REQUESTS = rounds("year", 12, full=60)
STEPS = {
    COMMITS * 3 // 10: ("test_parse", 1.2),
    COMMITS * 55 // 100: ("test_write", 1.15),
    COMMITS * 8 // 10: ("test_sort", 0.75),
}
NOMINAL = 0.01
# Commits until the level after a change is a baseline of its own.
ACCEPTED = 8
# Of each seed whose gates were tried: commits that failed without a planted regression, and commits that were judged.
GATED: dict[int, tuple[int, int]] = {}


def year(directory: Path, seed: int, *, full_clones: bool = False) -> Year:
    return Year(
        directory=directory,
        seed=seed,
        commits=COMMITS,
        pull_requests=PULL_REQUESTS,
        steps=STEPS,
        renamed_at=COMMITS * 45 // 100,
        full_clones=full_clones,
        together=full_clones and not IN_FULL,
    )


@pytest.fixture(scope="module", params=SEEDS)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Year, Database]:
    one = year(tmp_path_factory.mktemp("year"), request.param)
    return one, one.live()


class TestYear:
    """Main's series are complete and in git's order; the steps are found where they were planted."""

    def test_mains_series(self, lived: tuple[Year, Database]) -> None:
        one, store = lived
        for bed in BEDS:
            rows = store.trend("*", test_bed_name=bed)
            for name in rows["benchmark_name"].unique():
                of_one = rows.filter(pl.col("benchmark_name") == name)
                shas = [sha for sha in one.main if sha in set(of_one["commit"])]
                if bed != "pool":
                    assert list(dict.fromkeys(of_one["commit"])) == shas
                    measured = set(store.scan(test_bed_name=bed, everything=True).collect()["commit"])
                    left_out = {sha for sha in one.main if sha not in shas and sha in measured}
                    assert len(left_out) <= (0 if bed == "bare-1" else 4)
        assert not set(one.gone) & set(store.trend("*")["commit"])

    def test_each_commit_once_but_for_repeated_jobs(self, lived: tuple[Year, Database]) -> None:
        _, store = lived
        counts = Counter(store.trend("*test_parse", test_bed_name="bare-2")["commit"])
        assert set(counts.values()) == {1}

    def test_the_steps_are_found_at_their_commits(self, lived: tuple[Year, Database]) -> None:
        one, store = lived
        scanned = api.scan(store, dry_run=True, test_bed_name="bare-1")
        found = {(f.commit, scanned.series[f.series_key].benchmark_name.rpartition("::")[2]) for f in scanned.findings}
        names = {"test_sort": "test_sorted"}
        assert found == {(sha, names.get(name, name)) for sha, name in one.planted.items()}

    def test_the_gate(self, lived: tuple[Year, Database]) -> None:
        """A commit that has a planted regression fails, and so do those that still have it, until its level is accepted."""
        one, store = lived
        judged = one.main[12:]
        factors = dict(STEPS.values())
        worse = {one.main.index(sha): name for sha, name in one.planted.items() if factors[name] > 1}
        false_alarms = 0
        for number, sha in enumerate(judged, 12):
            gate = api.check(store, sha, baseline="level", test_bed_name="bare-1")
            failing = {c.series.benchmark_name.rpartition("::")[2] for c in gate.failing}
            if number in worse:
                assert worse[number] in failing
            still = {name for at, name in worse.items() if at <= number <= at + ACCEPTED}
            false_alarms += bool(failing - still)
        GATED[one.seed] = (false_alarms, len(judged))

    def test_false_alarms_of_the_gate(self) -> None:
        """Over all seeds, at most the nominal rate of commits fails that has no planted regression."""
        assert GATED
        false_alarms, judged = map(sum, zip(*GATED.values(), strict=True))
        assert false_alarms <= max(1, NOMINAL * judged), GATED


class TestFullClones:
    """Published from full clones, main's series are the same."""

    def test_the_same_order(self, lived: tuple[Year, Database], tmp_path: Path) -> None:
        one, store = lived
        other = year(tmp_path, one.seed, full_clones=True).live()
        for bed in BEDS:
            columns = ("benchmark_name", "commit", "median")
            assert (
                other.trend("*", test_bed_name=bed)
                .select(columns)
                .equals(store.trend("*", test_bed_name=bed).select(columns))
            )
