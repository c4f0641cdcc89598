"""Finding the commit that changed a benchmark, by measuring a real clone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench_db.app.bisect import bisect
from bench_db.errors import UserError
from bench_db.model import Side
from tests.cli.commands import environment
from tests.cli.measured_histories import config

if TYPE_CHECKING:
    from bench_db.app.bisect import Bisected
    from tests.support.histories import History

pytestmark = pytest.mark.sample(1)

SCRIPT = 'print(\'{"results": [{"benchmark_name": "sum", "values_ns": [%d, %d, %d]}]}\')'


def grown(history: History, *levels: int) -> list[str]:
    (history.path.parent / "bench-db.toml").write_text(config())
    return [history.commit(n=str(i), bench__py=SCRIPT % (t, t + 1, t)) for i, t in enumerate(levels)]


def found(history: History, shas: list[str], benchmark: str = "sum", **stated: Any) -> Bisected:
    directory = history.path.parent
    return bisect(
        shas[0],
        shas[-1],
        benchmark=benchmark,
        clone=history.path,
        config_file=str(directory / "bench-db.toml"),
        work_dir=directory / "work",
        environment=environment(),
        **stated,
    )


class TestBisect:
    """The suspect is the first commit of the new level, and fewer commits than all are measured."""

    @pytest.mark.parametrize("first", [1, 3, 5])
    def test_the_first_slow_commit(self, first: int, history: History) -> None:
        shas = grown(history, *(90 if i >= first else 9 for i in range(6)))
        answer = found(history, shas, "s?m")
        assert [commit.sha for commit in answer.bisection.suspects] == [shas[first]]
        frame = answer.frame()
        sides = dict(frame.select("commit", "side").iter_rows())
        assert (sides[shas[0]], sides[shas[-1]], sides[shas[first]]) == (Side.GOOD, Side.BAD, Side.BAD)
        assert frame["commit"].to_list() == [sha for sha in shas if sha in sides]
        assert frame.height < len(shas)

    def test_ends_that_do_not_differ(self, history: History) -> None:
        with pytest.raises(UserError):
            found(history, grown(history, 9, 9, 9))

    def test_an_unknown_benchmark(self, history: History) -> None:
        with pytest.raises(UserError, match="does not have the benchmark"):
            found(history, grown(history, 9, 90), "product")

    @pytest.mark.slow
    def test_an_end_that_fails(self, history: History) -> None:
        (history.path.parent / "bench-db.toml").write_text(config())
        shas = [history.commit(n="0", bench__py=SCRIPT % (9, 9, 9)), history.commit(bench__py="raise SystemExit('no')")]
        with pytest.raises(UserError, match=f"commit {shas[1][:9]} cannot be measured"):
            found(history, shas)
        with pytest.raises(UserError, match="cannot be measured"):
            found(history, [shas[1], history.commit(bench__py=SCRIPT % (90, 90, 90))])

    @pytest.mark.slow
    def test_commits_that_fail_are_skipped(self, history: History) -> None:
        (history.path.parent / "bench-db.toml").write_text(config())
        codes = [SCRIPT % (t, t, t) if t else "raise SystemExit('no')" for t in (9, 9, 0, 90, 90)]
        shas = [history.commit(n=str(i), bench__py=code) for i, code in enumerate(codes)]
        assert [commit.sha for commit in found(history, shas).bisection.suspects] == shas[2:4]

    @pytest.mark.slow
    def test_an_improvement(self, history: History) -> None:
        shas = grown(history, 90, 90, 60, 60)
        assert [commit.sha for commit in found(history, shas).bisection.suspects] == [shas[2]]

    @pytest.mark.slow
    def test_a_threshold_of_the_benchmark(self, history: History) -> None:
        shas = grown(history, 100, 100, 110, 110)
        defined = '[[define.threshold]]\nbenchmark = "sum"\nrelative = "20%"\n'
        (history.path.parent / "bench-db.toml").write_text(config() + defined)
        with pytest.raises(UserError, match="do not differ"):
            found(history, shas)
        assert [c.sha for c in found(history, shas, least_change=0.02).bisection.suspects] == [shas[2]]


LEVELS = (100.0, 100.0, 100.0, 100.0, 105.0, 105.0)
# Each process is 2 % slower than the one before.
DRIFT = 1.02
# The number of earlier processes is in a file beside bench-db.toml.
DRIFTING = f"""
import pathlib
level = {{level}}
count = pathlib.Path({{count!r}})
slot = int(count.read_text()) if count.exists() else 0
count.write_text(str(slot + 1))
value = level * {DRIFT} ** slot
print('{{{{"results": [{{{{"benchmark_name": "sum", "values_ns": [%r]}}}}]}}}}' % value)
"""


@pytest.mark.slow
class TestDrift:
    """On a machine that gets slower all the time, pairs find the commit of a change of 5 % that single measurements miss."""

    def test_found(self, history: History) -> None:
        directory = history.path.parent
        (directory / "bench-db.toml").write_text(config())
        count = str(directory / "count")
        texts = [DRIFTING.format(level=level, count=count) for level in LEVELS]
        shas = [history.commit(n=str(i), bench__py=text) for i, text in enumerate(texts)]
        answer = found(history, shas)
        assert [commit.sha for commit in answer.bisection.suspects] == [shas[4]]
        assert int((directory / "count").read_text()) > 30  # the last process took twice the time of the first

    def test_one_measurement_after_the_other_misleads(self) -> None:
        """Good, bad, and then each middle, nearest to the end that it resembles: the second commit, which changed nothing."""
        measured = {i: LEVELS[i] * DRIFT**slot for slot, i in enumerate((0, 5, 2, 1))}
        assert abs(measured[2] - measured[5]) < abs(measured[2] - measured[0])
        assert abs(measured[1] - measured[5]) < abs(measured[1] - measured[0])
