"""Finding the commit that changed a benchmark, by measuring a real clone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.bisect import bisect
from bench_db.errors import UserError
from bench_db.model import Side
from tests.cli.commands import environment
from tests.cli.measured_histories import config

if TYPE_CHECKING:
    from bench_db.app.bisect import Bisected
    from tests.support.histories import History

SCRIPT = 'print(\'{"results": [{"benchmark_name": "sum", "values_ns": [%d, %d, %d]}]}\')'


def grown(history: History, *levels: int) -> list[str]:
    (history.path.parent / "bench-db.toml").write_text(config())
    return [history.commit(n=str(i), bench__py=SCRIPT % (t, t + 1, t)) for i, t in enumerate(levels)]


def found(history: History, shas: list[str], benchmark: str = "sum") -> Bisected:
    directory = history.path.parent
    return bisect(
        shas[0],
        shas[-1],
        benchmark=benchmark,
        clone=history.path,
        config_file=str(directory / "bench-db.toml"),
        work_dir=directory / "work",
        environment=environment(),
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
