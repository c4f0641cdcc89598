"""The findings of each commit together."""

from __future__ import annotations

from bench_db.analysis.by_commit import by_commit
from bench_db.model import ChangeKind, CommitFindings, Series, State
from bench_db.report.terminal import moved_words
from bench_db.units import Direction
from tests.report.examples import found


class TestByCommit:
    """The findings of one commit and state are one group; a finding without a commit is alone."""

    def test_groups(self) -> None:
        series = {
            1: Series(benchmark_name="a", test_bed_name="x", units="nanoseconds"),
            2: Series(benchmark_name="b", test_bed_name="y", units="per_second", direction=Direction.HIGHER),
            3: Series(benchmark_name="c", test_bed_name="y", units="nanoseconds"),
        }
        given = [
            found("f1", 1, 4, commit="abc", effect=0.2),
            found("f2", 2, 4, commit="def", effect=0.1),
            found("f3", 2, 4, commit="abc", effect=-0.4),
            found("f4", 3, 4, commit="abc", effect=-0.1),
            found("f5", 9, 4, commit="abc", effect=0.1),
            found("f6", 1, 4, commit="abc", effect=0.1, state="fixed"),
            found("f7", 1, 4),
            found("f8", 1, 4),
        ]
        groups = by_commit(given, series)
        assert [(g.commit, g.state, g.ids) for g in groups] == [
            ("abc", State.OPEN, ("f1", "f3", "f4", "f5")),
            ("def", State.OPEN, ("f2",)),
            ("abc", State.FIXED, ("f6",)),
            (None, State.OPEN, ("f7",)),
            (None, State.OPEN, ("f8",)),
        ]
        assert (groups[0].spread, groups[0].modes) == (0, 0)
        assert groups[0] == CommitFindings(
            commit="abc",
            state=State.OPEN,
            ids=("f1", "f3", "f4", "f5"),
            worse=2,
            better=1,
            neither=1,
            worse_effect=None,
            better_effect=-0.1,
            test_bed_names=("x", "y"),
            units=("nanoseconds", "per_second"),
        )

    def test_spread_and_modes_are_neither(self) -> None:
        series = {1: Series(benchmark_name="a")}
        given = [
            found(f"f{n}", 1, 4, commit="abc", effect=None, kind=kind, before=0.1, after=0.5)
            for n, kind in enumerate([ChangeKind.SPREAD, ChangeKind.SPREAD, ChangeKind.MODES])
        ]
        (group,) = by_commit(given, series)
        assert (group.worse, group.better, group.neither, group.spread, group.modes) == (0, 0, 3, 2, 1)
        assert moved_words(group) == "2 with other noise, 1 with other modes"
