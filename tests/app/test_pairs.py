"""Two commits measured in alternation by a benchmark that reads its figures from tables, so no verdict depends on a clock."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench_db.analysis.compare import compare as compare_figures
from bench_db.app.compare import compare
from bench_db.app.database import connect
from bench_db.app.pairs import failing, pairs, publish_pairs
from bench_db.clock import Clock
from bench_db.errors import UserError
from bench_db.measure.pairs import order
from bench_db.model import Definition, DutBuild, Figure, PairSide, PairVerdict, Result, Run, Samples, Verdict
from tests.cli.commands import environment
from tests.cli.kinds import BED
from tests.store import releases
from tests.support.clocks import START
from tests.support.histories import FIRST, History

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bench_db.app.pairs import Paired
    from bench_db.model import PairComparison
    from bench_db.store.database import Database

pytestmark = pytest.mark.sample(4)

BASE, HEAD, CONTROL = PairSide
SEED = 11
ROUNDS = 13  # with the warm-up
# The number of the round is the number of earlier processes in this work tree; the side is in the name of the tree.
SCRIPT = """
n=$(cat count 2>/dev/null || echo 0)
echo $((n + 1)) > count
echo "$@" >> "$1/words"
cat "$1/${PWD##*-}-$n.json"
"""
CONFIG = """
[project]
name = "p"
test_bed = "here"
[pairs]
min_effect = 2.0
[suite.tables]
benchmark = "sh bench.sh {root}"
stdout = "results.json"
format = "values-ns"
"""


@dataclass
class Lines:
    said: list[str] = field(default_factory=list)

    def __call__(self, done: int, total: int, doing: str = "") -> None: ...

    def say(self, line: str) -> None:
        self.said.append(line)


def tables(directory: Path, figures: Callable[[PairSide, int], Mapping[str, Any]], sides: Sequence[PairSide]) -> None:
    """Write the output of each process: of each benchmark a figure, samples, or nothing. No figures at all are no file."""
    for side in sides:
        for number in range(ROUNDS):
            of = figures(side, number)
            results = [
                {"benchmark_name": name, "values_ns": values if isinstance(values, list) else [values]}
                for name, values in of.items()
            ]
            if of:
                (directory / f"{side}-{number}.json").write_text(json.dumps({"results": results}))


def paired(history: History, progress: Lines | None = None, config: str = CONFIG, **options: Any) -> Paired:
    """Compare a commit with itself: the tables make the difference."""
    directory = history.path.parent
    (directory / "bench-db.toml").write_text(config)
    sha = history.commit(bench__sh=SCRIPT)
    return pairs(
        sha,
        clone=history.path,
        config_file=str(directory / "bench-db.toml"),
        work_dir=directory / "work",
        environment=environment(),
        progress=progress or Lines(),
        **{"seed": SEED, **options},
    )


def published(store: Database, commit: str, number: int, figures: dict[str, float]) -> None:
    """Publish a run of a commit, a day a number."""
    bed, dut = replace(BED, name="here"), DutBuild(name="p", version=commit[:7], timestamp=FIRST + number * 86_400)
    rows = [
        Result(dut=dut, test_bed=bed, benchmark_name=name, values=Samples([value]), commit=commit, suite="tables")
        for name, value in figures.items()
    ]
    run = Run(
        file_name="f", sha256=f"{number}", format="values-ns", dut=dut, test_bed=bed, commit=commit, branch="main"
    )
    store.publish(rows, replace(run, run_time=dut.timestamp))


def called(found: Paired, start: str) -> list[PairComparison]:
    return [c for c in found.comparisons if c.series.benchmark_name.startswith(start)]


def shares(found: Paired, start: str, *verdicts: PairVerdict) -> float:
    chosen = called(found, start)
    return sum(c.verdict in verdicts for c in chosen) / len(chosen)


MOVED = (PairVerdict.REGRESSED, PairVerdict.IMPROVED, PairVerdict.SUSPECTED)
DRIFTING = 400


def drift(rng: np.random.Generator, slots: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the logs of a machine that drifts slowly, a row a series and a column a slot, beside noise of 1 %."""
    steps = rng.normal(0.0, 0.01, (DRIFTING, slots))
    return np.asarray(np.cumsum(steps, axis=1) + rng.normal(0.0, 0.01, (DRIFTING, slots)))


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Paired:
    directory = tmp_path_factory.mktemp("suite")
    rng = np.random.default_rng(1)
    drifting = drift(rng, 2 * ROUNDS)
    noise = rng.normal(0.0, 1.0, (2 * ROUNDS, 3, 50))

    def figures(side: PairSide, number: int) -> dict[str, Any]:
        position = order(SEED, "tables", number, (BASE, HEAD)).index(side)
        slot, head = 2 * number + position, side is HEAD
        of = {f"drift{i}": 100.0 * np.exp(drifting[i, slot]) for i in range(DRIFTING)}
        for i in range(50):
            of[f"slower{i}"] = 100.0 * (1.05 if head else 1.0) * np.exp(0.014 * noise[slot, 0, i])
            late = 1.1 if position else 1.0
            of[f"late{i}"] = 100.0 * late * (1.05 if head else 1.0) * np.exp(0.007 * noise[slot, 1, i])
            of[f"noisy{i}"] = 100.0 * np.exp(0.14 * noise[slot, 2, i])
        return {**of, "zero": 0.0, "constant": 5.0, "better": 90.0 if head else 100.0}

    tables(directory, figures, (BASE, HEAD))
    return paired(History(directory / "clone"))


class TestSuite:
    """One suite of many series, of which each kind gets its verdict."""

    @pytest.mark.slow
    def test_a_machine_that_drifts(self, suite: Paired) -> None:
        assert shares(suite, "drift", *MOVED) <= 8 / DRIFTING
        rng = np.random.default_rng(1)
        sequential = np.exp(drift(rng, 24))
        verdicts = [compare_figures(row[12:].tolist(), row[:12].tolist()).verdict for row in sequential]
        assert sum(verdict is not Verdict.UNCHANGED for verdict in verdicts) > 40

    def test_five_percent(self, suite: Paired) -> None:
        assert shares(suite, "slower", PairVerdict.REGRESSED) >= 0.98
        assert np.mean([c.effect for c in called(suite, "slower")]) == pytest.approx(0.05, abs=0.01)

    @pytest.mark.slow
    def test_a_slow_second_process(self, suite: Paired) -> None:
        assert shares(suite, "late", PairVerdict.REGRESSED) >= 0.90

    @pytest.mark.slow
    def test_noise_of_twenty_percent(self, suite: Paired) -> None:
        assert shares(suite, "noisy", PairVerdict.UNDECIDED) >= 0.98
        assert all(c.low is not None and c.needed != 0 for c in called(suite, "noisy"))

    @pytest.mark.slow
    def test_zero_constant_and_better(self, suite: Paired) -> None:
        of = {name: called(suite, name)[0] for name in ("zero", "constant", "better")}
        assert {name: (c.verdict, c.rounds) for name, c in of.items()} == {
            "zero": (PairVerdict.UNCHANGED, 5),
            "constant": (PairVerdict.UNCHANGED, 5),
            "better": (PairVerdict.IMPROVED, 5),
        }
        assert (of["better"].base_value, of["better"].head_value) == (100.0, 90.0)

    def test_the_answer(self, suite: Paired) -> None:
        assert (suite.rounds, suite.ended, suite.seed) == (12, "rounds", SEED)
        verdicts = [list(PairVerdict).index(c.verdict) for c in suite.comparisons]
        assert verdicts == sorted(verdicts)
        assert sum(suite.counts.values()) == len(suite.comparisons) == suite.frame().height
        assert len(failing(suite.comparisons, ["undecided"])) >= 49
        assert failing(suite.comparisons, []) == []
        with pytest.raises(UserError, match="'missing' is no verdict to fail on"):
            failing(suite.comparisons, ["missing"])


class TestPairs:
    """What lacks a side, a round or a figure is named; what is decided is not measured further."""

    @pytest.mark.slow
    def test_sides_that_fail_or_lack_a_benchmark(self, history: History, tmp_path: Path) -> None:
        def figures(side: PairSide, number: int) -> dict[str, Any]:
            if side is HEAD and number == 3:
                return {}
            own = {"old": 1.0} if side is BASE else {"new": 1.0}
            ragged = {} if (side, number) in {(BASE, 1), (HEAD, 2)} else {"ragged": 5.0}
            broken = {"broken": float("nan") if side is HEAD else 1.0}
            return {"same": 5.0, **own, **ragged, **broken}

        tables(tmp_path, figures, (BASE, HEAD))
        progress = Lines()
        found = paired(history, progress)
        of = {c.series.benchmark_name: c for c in found.comparisons}
        assert {name: (c.verdict, c.rounds, c.dropped) for name, c in of.items() if c.rounds} == {
            "same": (PairVerdict.UNCHANGED, 4, 1),
            "ragged": (PairVerdict.UNCHANGED, 2, 3),
        }
        assert of["new"].verdict is PairVerdict.NEW
        assert of["old"].verdict is of["broken"].verdict is PairVerdict.FAILED
        assert found.rounds == 5
        assert any("tables, head, round 3 failed: sh: exit code 1" in line for line in progress.said)
        assert progress.said[-1].startswith("round 5 of 12: ")
        assert progress.said[-1].endswith(" s, 0 of 5 series open")

    def test_a_side_that_never_succeeds(self, history: History, tmp_path: Path) -> None:
        tables(tmp_path, lambda side, _: {"a": 1.0} if side is BASE else {}, (BASE, HEAD))
        found = paired(history)
        assert [(c.verdict, c.note) for c in found.comparisons] == [(PairVerdict.FAILED, "head: sh: exit code 1")]
        assert (found.rounds, found.ended) == (0, "decided")
        assert failing(found.comparisons, ["failed"])

    def test_a_suite_that_cannot_be_set_up(self, history: History, tmp_path: Path) -> None:
        tables(tmp_path, lambda *_: {"a": 1.0}, (BASE, HEAD))
        other = CONFIG + '[suite.bad]\nsetup = ["false"]\nbenchmark = "true"\nstdout = "o"\n'
        found = paired(history, config=other)
        assert [(c.series.benchmark_name, c.verdict, c.note) for c in found.comparisons] == [
            ("bad", PairVerdict.FAILED, "base: false: exit code 1"),
            ("a", PairVerdict.UNCHANGED, ""),
        ]

    def test_nothing_to_measure(self, history: History, tmp_path: Path) -> None:
        with pytest.raises(
            UserError,
            match=r"nothing could be measured; tables, \w+: sh: exit code 1. The log is /.*, and ends with: \S",
        ):
            paired(history)
        tables(tmp_path, lambda *_: {"a": 1.0}, (BASE, HEAD))
        with pytest.raises(UserError, match="no benchmark 'b'; the suites have a"):
            paired(history, benchmark="b")
        with pytest.raises(UserError, match="there is no commit 'v9'"):
            paired(history, head="v9")
        with pytest.raises(UserError, match="`seed` 9223372036854775808 is out of range"):
            paired(history, seed=2**63)

    @pytest.mark.slow
    def test_the_budget(self, history: History, tmp_path: Path) -> None:
        tables(tmp_path, lambda side, n: {"a": 100.0 + (17 * n + 31 * (side is HEAD)) % 7}, (BASE, HEAD))
        times = iter(range(int(START), int(START) + 10_000))
        found = paired(history, clock=Clock(now=lambda: float(next(times))), budget_minutes=0.5)
        (one,) = found.comparisons
        assert found.ended == "budget"
        assert 2 <= found.rounds < 12
        assert (one.verdict, one.rounds) == (PairVerdict.UNDECIDED, found.rounds)
        assert found.seconds <= 30

    @pytest.mark.slow
    def test_undecided_benchmarks_alone_go_on(self, history: History, tmp_path: Path) -> None:
        noisy = {n: 100.0 + (17 * n) % 13 for n in range(ROUNDS)}
        tables(
            tmp_path,
            lambda side, n: {"x::a": 5.0, "b": noisy[n] if side is HEAD else noisy[ROUNDS - 1 - n], "c": 5.0},
            (BASE, HEAD),
        )
        config = CONFIG + 'select = "-k {names}"\n'
        found = paired(history, config=config)
        assert {c.series.benchmark_name: c.rounds for c in found.comparisons} == {"x::a": 5, "b": 12, "c": 5}
        words = (tmp_path / "words").read_text().splitlines()
        assert [" -k b" in line for line in words] == [False] * 12 + [True] * 14
        (tmp_path / "words").unlink()
        found = paired(history, config=config, benchmark="?", rounds=5)
        assert [c.series.benchmark_name for c in found.comparisons] == ["b", "c"]
        assert " -k b or c" in (tmp_path / "words").read_text().splitlines()[2]

    @pytest.mark.slow
    def test_a_selection_that_leaves_out_benchmarks(self, history: History, tmp_path: Path) -> None:
        tables(
            tmp_path,
            lambda side, n: {
                "a": 5.0,
                **({"b": 100.0 + (17 * n + 5 * (side is HEAD)) % 13} if (side, n) != (HEAD, 7) else {}),
            },
            (BASE, HEAD),
        )
        progress = Lines()
        found = paired(history, progress, CONFIG + 'select = "-k {names}"\n')
        assert [(c.series.benchmark_name, c.rounds, c.dropped) for c in found.comparisons] == [
            ("b", 11, 1),
            ("a", 5, 0),
        ]
        assert any("no b with `select`; the whole suite is measured from now on" in line for line in progress.said)
        words = (tmp_path / "words").read_text().splitlines()
        assert " -k b" not in "".join(words[-10:])

    @pytest.mark.slow
    def test_a_control_that_moves_takes_the_verdict_back(self, history: History, tmp_path: Path) -> None:
        levels = {BASE: 100.0, HEAD: 120.0, CONTROL: 110.0}
        tables(
            tmp_path,
            lambda side, _: {"moved": levels[side], "calm": 100.0 if side is CONTROL else levels[side]},
            tuple(PairSide),
        )
        found = paired(history, control=True)
        of = {c.series.benchmark_name: (c.verdict, c.note) for c in found.comparisons}
        assert of == {
            "calm": (PairVerdict.REGRESSED, ""),
            "moved": (PairVerdict.SUSPECTED, "the control moved, too: +10.0 %"),
        }
        assert {c.series.benchmark_name: c.verdict for c in found.control} == {
            "moved": PairVerdict.REGRESSED,
            "calm": PairVerdict.UNCHANGED,
        }

    @pytest.mark.parametrize(
        ("figure", "samples", "expected"),
        [
            ("auto", 5, Figure.MINIMUM),
            ("auto", 4, Figure.MEDIAN),
            ("min", 4, Figure.MINIMUM),
            ("median", 5, Figure.MEDIAN),
        ],
    )
    def test_the_figure(self, figure: str, samples: int, expected: Figure, history: History, tmp_path: Path) -> None:
        levels = {BASE: 10.0, HEAD: 11.0}
        tables(tmp_path, lambda side, _: {"a": [levels[side], *[20.0] * (samples - 1)]}, (BASE, HEAD))
        (one,) = paired(history, config=CONFIG.replace("[suite", f'figure = "{figure}"\n[suite'), rounds=2).comparisons
        assert one.figure is expected
        assert one.effect == pytest.approx(0.0 if expected is Figure.MEDIAN else 0.1)
        assert one.median_effect == (None if expected is Figure.MEDIAN else 0.0)

    def test_the_merge_base(self, history: History, tmp_path: Path) -> None:
        tables(tmp_path, lambda *_: {"a": 1.0}, (BASE, HEAD))
        (tmp_path / "bench-db.toml").write_text(CONFIG)
        fork = history.commit(bench__sh=SCRIPT)
        history.git("checkout", "-q", "-b", "topic")
        topic = history.commit(n="1")
        history.git("checkout", "-q", "main")
        history.commit(n="2")
        found = pairs(
            "main...",
            "topic",
            clone=history.path,
            config_file=str(tmp_path / "bench-db.toml"),
            work_dir=tmp_path / "work",
            environment=environment(),
            rounds=2,
        )
        assert (found.base, found.head) == (fork, topic)


def stored(
    store: Path, columns: str = "benchmark_name, commit, branch, median, n", table: str = "results"
) -> list[Any]:
    return connect(store).query(f"select {columns} from {table} order by all", everything=True).rows()


@pytest.fixture(scope="module")
def topic(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("publish") / "clone")


@pytest.fixture(scope="module")
def found(topic: History) -> Paired:
    """The tips of main and of a branch, whose rounds have the medians 101 to 105 and twice as much."""
    directory = topic.path.parent

    def figures(side: PairSide, number: int) -> dict[str, Any]:
        factor = 2.0 if side is HEAD else 1.0
        level = factor * (100.0 + number)
        own = {"new": 1.0} if side is HEAD else {"old": 1.0}
        return {"a": [level - 1.0, level, level + 3.0], "b": 5.0, **own}

    tables(directory, figures, (BASE, HEAD, CONTROL))
    (directory / "bench-db.toml").write_text(CONFIG)
    topic.commit(bench__sh=SCRIPT)
    topic.git("checkout", "-q", "-b", "topic")
    topic.commit(n="1")
    return pairs(
        "main",
        "topic",
        clone=topic.path,
        config_file=str(directory / "bench-db.toml"),
        work_dir=directory / "work",
        environment=environment(),
        rounds=5,
        control=True,
        seed=SEED,
    )


class TestPublish:
    """A suite of a commit becomes one run of its series; publishing again adds nothing."""

    def test_a_store(self, found: Paired, topic: History, tmp_path: Path) -> None:
        store = tmp_path / "store"
        answer = publish_pairs(store, found, clone=topic.path, at=int(START))
        assert [(run.side, run.suite, run.commit, run.new, run.left_out) for run in answer.published or ()] == [
            (HEAD, "tables", found.head, 3, 0),
            (BASE, "tables", found.base, 3, 0),
        ]
        rows = [("a", found.base, "main", 103.0, 3), ("a", found.head, "topic", 206.0, 3)]
        assert [row for row in stored(store) if row[0] == "a"] == rows
        assert len(connect(store).latest(branch="main")) == 3
        assert connect(store).trend("a", everything=True)["min"].to_list() == [102.0, 205.0]
        assert connect(store).store.verify().problems == ()
        assert set(stored(store, "pair_id, pair_side", "runs")) == {(found.pair_id, "base"), (found.pair_id, "head")}
        (first, *_) = connect(store).store.results({"benchmark_name": "a", "commit": found.head})
        rounds = json.loads(first.metadata)["pair_rounds"]
        assert [(one["round"], one["median"]) for one in rounds] == [(n, 200.0 + 2 * n) for n in range(1, 6)]
        assert {one["position"] for one in rounds} <= {0, 1, 2}

    @pytest.mark.slow
    def test_again(self, found: Paired, topic: History, tmp_path: Path) -> None:
        store = tmp_path / "store"
        publish_pairs(store, found, clone=topic.path)
        before = stored(store), stored(store, "*", "pairs")
        again = publish_pairs(store, found, clone=topic.path)
        assert (stored(store), stored(store, "*", "pairs")) == before
        assert [(run.new, run.unchanged, run.left_out) for run in again.published or ()] == [(0, 3, 0), (0, 0, 3)]

    @pytest.mark.slow
    def test_a_base_that_has_points(self, found: Paired, topic: History, tmp_path: Path) -> None:
        """Those of the series that it has are left out, whichever way they were measured."""
        store = connect(tmp_path / "store", create=True)
        (run, results), *_ = [pair for pair in found.runs if pair[0].pair_side == BASE]
        store.publish([r for r in results if r.benchmark_name == "a"], replace(run, pair_id=None, pair_side=None))
        answer = publish_pairs(store, found, clone=topic.path)
        (base,) = [run for run in answer.published or () if run.side is BASE]
        assert (base.new, base.left_out) == (2, 1)
        assert store.trend("a").height == 1

    def test_verdicts(self, found: Paired, topic: History, tmp_path: Path) -> None:
        store = tmp_path / "store"
        publish_pairs(store, found, clone=topic.path, at=int(START))
        columns = 'benchmark_name, verdict, effect, rounds, base, head, seed, epoch("at")'
        about = (found.base, found.head, SEED, int(START))
        rows = stored(store, columns, "pairs")
        assert [row[:2] for row in rows] == [("a", "regressed"), ("b", "unchanged"), ("new", "new"), ("old", "missing")]
        assert rows[0][2:] == (pytest.approx(1.0), 5, *about)

    @pytest.mark.slow
    def test_the_rounds_are_one_observation(self, found: Paired, topic: History, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        publish_pairs(store, found, clone=topic.path)
        answer = compare(store, found.head, baseline=found.base)
        assert [(c.n_baseline, c.n_candidate) for c in answer.comparisons if c.series.benchmark_name == "a"] == [(1, 1)]

    @pytest.mark.slow
    def test_a_store_of_the_first_release(self, found: Paired, topic: History, tmp_path: Path) -> None:
        address = releases.unpacked("0.1", tmp_path)
        before = len(stored(address))
        publish_pairs(address, found, clone=topic.path)
        publish_pairs(address, found, clone=topic.path)
        assert len(stored(address)) == before + 6
        assert {side for (side,) in stored(address, "pair_side", "runs")} == {None, "base", "head"}
        assert connect(address).store.verify().problems == ()


class TestThresholds:
    """A change counts from the threshold of its series, of bench-db.toml or the store; `min_effect` overrides it."""

    CONFIG = (
        CONFIG
        + """
[[define.threshold]]
benchmark = "share"
relative = "20%"
[[define.threshold]]
benchmark = "?zero"
absolute = "30ns"
"""
    )

    def test_of_the_file(self, history: History, tmp_path: Path) -> None:
        levels = {"plain": (100.0, 110.0), "share": (100.0, 110.0), "azero": (0.0, 10.0), "bzero": (0.0, 40.0)}
        tables(tmp_path, lambda side, _: {name: of[side is HEAD] for name, of in levels.items()}, (BASE, HEAD))
        found = paired(history, config=self.CONFIG)
        assert {c.series.benchmark_name: c.verdict for c in found.comparisons} == {
            "plain": PairVerdict.REGRESSED,
            "share": PairVerdict.UNCHANGED,
            "azero": PairVerdict.UNCHANGED,
            "bzero": PairVerdict.REGRESSED,
        }
        assert called(found, "share")[0].threshold == "20% (benchmark=share)"
        shutil.rmtree(tmp_path / "work")
        stated = paired(history, config=self.CONFIG, min_effect=2.0)
        assert called(stated, "share")[0].verdict is PairVerdict.REGRESSED

    def test_of_the_store(self, history: History, tmp_path: Path) -> None:
        tables(tmp_path, lambda side, _: {"a": 110.0 if side is HEAD else 100.0}, (BASE, HEAD))
        store = connect(tmp_path / "store", create=True)
        store.store.define([Definition(kind="threshold", pattern="benchmark=a", value="20%", at=1)])
        assert paired(history, database=store).comparisons[0].verdict is PairVerdict.UNCHANGED


class TestFlagged:
    """Only what `compare` shows as worse is measured; nothing is when nothing got worse."""

    @pytest.fixture
    def measured(self, history: History, tmp_path: Path) -> Path:
        """A store of twelve commits, of which the last one made `slow` slow."""
        store = connect(tmp_path / "store", create=True).store
        rng = np.random.default_rng(5)
        for number in range(12):
            commit = history.commit(bench__sh=SCRIPT, n=str(number))
            slow = 150.0 if number == 11 else 100.0
            noise = np.exp(rng.normal(0.0, 0.003, 2))
            figures = {"slow": slow * noise[0], "calm": 100.0 * noise[1]}
            published(store, commit, number, figures)
        tables(
            tmp_path, lambda side, _: dict.fromkeys(("slow", "calm"), 150.0 if side is HEAD else 100.0), (BASE, HEAD)
        )
        (tmp_path / "bench-db.toml").write_text(CONFIG + 'select = "-k {names}"\n')
        return tmp_path

    def flagged(self, directory: Path, head: str) -> Paired:
        return pairs(
            "HEAD~3",
            head,
            clone=directory / "clone",
            config_file=str(directory / "bench-db.toml"),
            work_dir=directory / "work",
            environment=environment(),
            database=directory / "store",
            flagged=True,
            seed=SEED,
        )

    def test_what_got_worse(self, measured: Path, history: History) -> None:
        assert history.path == measured / "clone"
        found = self.flagged(measured, "HEAD")
        assert [(c.series.benchmark_name, c.verdict) for c in found.comparisons] == [("slow", PairVerdict.REGRESSED)]
        assert all(" -k slow" in line for line in (measured / "words").read_text().splitlines())

    def test_nothing_got_worse(self, measured: Path) -> None:
        found = self.flagged(measured, "HEAD~1")
        assert (found.comparisons, found.rounds) == ((), 0)
        assert not (measured / "work").exists()

    def test_without_results(self, measured: Path, history: History) -> None:
        head = history.commit(n="new")
        with pytest.raises(UserError, match=f"no results of {head}"):
            self.flagged(measured, "HEAD")
        with pytest.raises(UserError, match="`flagged` needs the `database`"):
            paired(history, flagged=True)


@pytest.mark.slow
class TestPublishInCI:
    """The provenance of a job."""

    def test_a_pull_request(self, history: History, tmp_path: Path) -> None:
        """The head is of the pull request that the job builds, and the base of the main history."""
        tables(tmp_path, lambda side, _: {"a": 2.0 if side is HEAD else 1.0}, (BASE, HEAD))
        (tmp_path / "bench-db.toml").write_text(CONFIG)
        base = history.commit(bench__sh=SCRIPT)
        history.git("checkout", "-q", "--detach")
        head = history.commit(n="1")
        event = {"pull_request": {"number": 7, "head": {"sha": head, "ref": "theirs"}, "base": {"sha": base}}}
        (tmp_path / "event.json").write_text(json.dumps(event))
        job = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": head,
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        }
        found = pairs(
            base,
            head,
            clone=history.path,
            config_file=str(tmp_path / "bench-db.toml"),
            work_dir=tmp_path / "work",
            environment=environment(**job),
            rounds=2,
        )
        publish_pairs(tmp_path / "store", found, clone=history.path)
        assert stored(tmp_path / "store", "commit, branch, pr_number") == sorted(
            [(base, "main", None), (head, "theirs", 7)]
        )
