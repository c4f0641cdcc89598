from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench_db as api
from bench_db import Comparison, Series, UserError, Verdict
from bench_db.analysis import judge
from bench_db.analysis.judge import counted
from bench_db.analysis.level import levels
from bench_db.app.baselines import BaselineQuery, resolve
from bench_db.app.compare import counts_of
from bench_db.app.confirm import baseline_commit
from bench_db.model import Samples
from bench_db.query.selection import Selection
from bench_db.rules import RULES
from bench_db.store import projection
from bench_db.store.database import connect
from bench_db.store.engine import Snapshot
from bench_db.store.publish import Entry
from tests.cli.asking import AT
from tests.cli.kinds import BED, entry, publish_all, sha
from tests.strategies import publication
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

    from bench_db.analysis.histories import Histories
    from bench_db.store.database import Database
    from tests.support.histories import History

pytestmark = pytest.mark.few(1)


class TestCompare:
    """A comparison answers with records, whose numbers are in the frame and in the document."""

    def test_records(self, store: Database) -> None:
        compared = api.compare(store)
        (one,) = compared.comparisons
        assert isinstance(one, Comparison)
        assert (one.series.benchmark_name, one.series.test_bed_name, one.verdict) == ("f", "ci-1", Verdict.REGRESSED)
        assert (compared.candidate, compared.counts) == (sha(9), {"regressed": 1})
        assert one.candidate_median == 150.0

    def test_conditions_are_keyword_arguments(self, store: Database) -> None:
        assert len(api.compare(store, benchmark="f*", test_bed_name="ci-1", branch="main").comparisons) == 1
        with pytest.raises(UserError, match="no result of any commit"):
            api.compare(store, test_bed_name="another")

    def test_frame(self, store: Database) -> None:
        compared = api.compare(store)
        frame = compared.frame()
        assert set(frame.columns) >= set(get_type_hints(Series)) | {
            "verdict",
            "effect",
            "low",
            "high",
            "p_value",
            "n_baseline",
            "note",
        }
        assert frame.row(0, named=True)["effect"] == compared.comparisons[0].effect

    def test_document_has_the_names_of_the_frame_and_those_of_earlier_releases(self, store: Database) -> None:
        compared = api.compare(store)
        (row,) = json.loads(json.dumps(compared.document, allow_nan=False))["comparisons"]
        assert row.keys() >= {*compared.frame().columns, "series"}
        assert (row["testbed_name"], row["label"]) == (row["test_bed_name"], row["series"])
        assert row["series_key"] == f"{compared.comparisons[0].series.series_key:016x}"

    def test_few_rows_are_read_without_a_filter(
        self, store: Database, monkeypatch: pytest.MonkeyPatch, rows_with_levels: int
    ) -> None:
        """The first filter of a process takes memory of its own, and the answer is the same."""
        read, filters = Snapshot.read, list[str | None]()

        def read_by(self: Snapshot, columns: Iterable[str], where: str | None = None, **options: Any) -> pa.Table:
            filters.append(where)
            return read(self, columns, where, **options)

        monkeypatch.setattr(Snapshot, "read", read_by)
        found = [api.compare(store, sha(9)[:12], baseline="last:20").comparisons]
        assert any(filters)
        filters.clear()
        monkeypatch.setattr(projection, "_LEAST_ROWS", rows_with_levels)
        found.append(api.compare(store, sha(9)[:12], baseline="last:20").comparisons)
        assert found[0] == found[1]
        assert filters
        assert not any(filters)

    def test_min_effect_in_percent(self, store: Database) -> None:
        assert api.compare(store, min_effect=60).counts == {"unchanged": 1}

    @pytest.mark.parametrize("what", ["nothing", "merge-base:main"])
    def test_errors_name_the_parameter(self, store: Database, what: str, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=f"^`baseline` {what}: "):
            api.compare(store, baseline=what, clone=tmp_path)

    def test_what_check_cannot_fail_on(self, store: Database) -> None:
        with pytest.raises(
            UserError, match="`fail_on`: 'slow' is no verdict to fail on; it takes regression, suspected, failed"
        ):
            api.check(store, baseline="level", fail_on=["slow"])


class TestNames:
    """Who has no commits compares versions and runs; a tag of the clone is a commit."""

    @pytest.fixture
    def versions(self, tmp_path: Path) -> Database:
        """Return a store of 12 versions without commits, of which the last is slower."""
        store = connect(tmp_path / "store", create=True)
        publish_all(store, [measured(n, f"16.{n}", 150.0 if n == 11 else 100.0) for n in range(12)])
        return store

    def test_a_version_is_compared_with_the_runs_of_another_alone(self, tmp_path: Path) -> None:
        store = connect(tmp_path / "store", create=True)
        levels = [("1.0", 50.0)] * 10 + [("2.0", 10.0)] * 5 + [("3.0", 10.0)] * 5
        publish_all(store, [measured(number, *level) for number, level in enumerate(levels)])
        (one,) = api.compare(store, "version:3.0", baseline="version:2.0").comparisons
        assert (one.verdict, one.n_baseline) == (Verdict.UNCHANGED, 5)
        api.set_baseline(store, "stable", "version:2.0")
        (one,) = api.compare(store, "version:3.0", baseline="stable").comparisons
        assert (one.verdict, one.n_baseline) == (Verdict.UNCHANGED, 5)
        (one,) = api.compare(store, "run:job-19", baseline="run:job-0", method="lance-bench-z").comparisons
        assert one.n_baseline == 1

    def test_versions(self, versions: Database) -> None:
        compared = api.compare(versions, "version:16.11", baseline="level")
        assert (compared.candidate, compared.baseline) == ("version:16.11", "the level since the last change")
        (one,) = compared.comparisons
        assert one.verdict is Verdict.REGRESSED
        assert one.candidate_median == pytest.approx(153.06)
        assert api.compare(versions, "version:16.11", baseline="version:16.10").counts == {"insufficient": 1}
        assert api.compare(versions, "version:16.10").counts == {"unchanged": 1}

    def test_the_newest_version_is_latest(self, versions: Database) -> None:
        assert api.compare(versions).candidate == "version:16.11"
        assert api.compare(versions).counts == {"regressed": 1}

    def test_runs(self, versions: Database) -> None:
        key = api.runs(versions, runs=["job-11"]).frame()["run"][0]
        compared = api.compare(versions, "run:job-11")
        assert compared.candidate == f"run:{key}"
        assert compared.counts == {"regressed": 1}
        assert api.compare(versions, f"run:{key}").candidate == f"run:{key}"

    def test_a_named_baseline(self, versions: Database) -> None:
        api.set_baseline(versions, "stable", "version:16.9")
        compared = api.compare(versions, baseline="stable")
        assert (compared.baseline, compared.counts) == ("stable (version:16.9)", {"insufficient": 1})
        assert not api.check(versions, baseline="stable", threshold=10).passed
        assert api.check(versions, "version:16.10", baseline="stable", threshold=10, set_baseline=True).moved
        assert api.baseline(versions, "stable").commit == "version:16.10"

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("version:16.99", "no results of version:16.99; the nearest versions are 16.0, "),
            ("run:nothing", "no run is called 'nothing'"),
            ("tag:v9", "there is no commit 'refs/tags/v9'"),
        ],
    )
    def test_nothing_of_that_name(self, versions: Database, history: History, name: str, reason: str) -> None:
        history.commit()
        with pytest.raises(UserError, match=reason):
            api.compare(versions, name, clone=history.path)
        with pytest.raises(UserError, match=reason):
            api.compare(versions, baseline=name, clone=history.path)

    def test_an_excluded_run(self, versions: Database) -> None:
        api.exclude_runs(versions, runs=["job-11"], reason="a broken fan")
        with pytest.raises(UserError, match="this run is excluded"):
            api.compare(versions, "run:job-11")
        assert api.compare(versions).candidate == "version:16.10"

    def test_a_tag_of_the_clone(self, tmp_path: Path, history: History) -> None:
        store = connect(tmp_path / "store", create=True)
        commits = [history.commit(n=str(number)) for number in range(8)]
        for number, commit in enumerate(commits):
            run, results = publication(number, rows=1)
            store.publish([replace(results[0], commit=commit)], replace(run, commit=commit, run_time=AT + number))
        history.git("tag", "-a", "v1", "-m", "v1", commits[5])
        assert api.compare(store, "tag:v1", clone=history.path).candidate == commits[5]

    @pytest.mark.parametrize("name", ["version:1", "run:1", "tag:1"])
    def test_no_baseline_is_called_so(self, store: Database, name: str) -> None:
        with pytest.raises(UserError, match="cannot be the name of a baseline"):
            api.set_baseline(store, name)


def measured(number: int, version: str, level: float) -> Entry:
    """Return a run of a version without a commit, job-NUMBER, with samples about a level."""
    run, results = publication(number, rows=1)
    build = replace(run.dut, version=version, timestamp=AT + number)
    run = replace(run, dut=build, commit=None, run_id=f"job-{number}", run_time=AT + number)
    values = Samples([level + number % 3 + number / 100 + i / 10 for i in range(20)])
    return Entry(run, [replace(results[0], dut=build, commit=None, values=values, summary=None)])


SECOND = 1e9  # a second in the nanoseconds of a comparison
FIRST = 1_700_000_000  # commits of the future all count as made now


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with ten quiet commits of main, which tests copy: to record them takes 0.4 s of CPU."""
    path = tmp_path_factory.mktemp("quiet") / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        made = api.connect(path, create=True)
        for number in range(10):
            timed(made, number, 1.0)
    return path


@pytest.mark.slow
class TestBranches:
    """The candidate of a branch or a pull request is its own runs, whatever else has results of its commit."""

    @pytest.fixture
    def main(self, quiet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> api.Database:
        """Ten quiet commits of main."""
        monkeypatch.chdir(tmp_path)
        return api.connect(shutil.copytree(quiet, tmp_path / "store"))

    @pytest.mark.slow
    @pytest.mark.parametrize("pull", [None, 7], ids=["branch", "pull request"])
    def test_a_regression_of_the_branch(self, main: api.Database, pull: int | None) -> None:
        """Against its own runs and against those of main, which has newer ones; a commit that is named is one of the baseline, too."""
        for number in range(10, 18):
            timed(main, number, 1.3, branch="topic", pr_number=pull)
        timed(main, 20, 1.6, branch="topic", pr_number=pull)
        timed(main, 21, 1.0)
        api.set_baseline(main, "named", sha(9))
        own, mains = ("level", "last:5", sha(17)), ("level", "last:5", sha(9), "named")
        for beside, before, baselines in (("topic", 1.3, own), ("main", 1.0, mains)):
            for baseline in baselines:
                for candidate in ("latest", sha(20)):
                    asked: dict[str, Any] = {"branch": "topic", "baseline_branch": beside, "baseline": baseline}
                    gate = api.check(main, candidate, **asked)
                    (one,) = gate.comparisons
                    assert one.verdict is Verdict.REGRESSED
                    assert one.candidate_value == pytest.approx(1.601 * SECOND)
                    assert one.baseline_value == pytest.approx(before * SECOND, rel=0.01)
                    assert (gate.passed, gate.history) == (False, "branch topic")
                    assert gate.document["history"] == api.compare(main, candidate, **asked).history == "branch topic"
            chosen = Selection(branch="topic")
            query = BaselineQuery(candidate=sha(20), what="level", chosen=chosen, branch=beside, clone=Path())
            newest = sha(17) if beside == "topic" else sha(9)  # what a confirmation measures again
            assert baseline_commit(main.store, resolve(main.store, query), query) == newest
            (one,) = api.check(main, branch="topic", baseline_branch=beside, baseline="named", threshold=5).comparisons
            assert one.verdict is Verdict.REGRESSED
            assert one.baseline_value == pytest.approx(SECOND, rel=0.01)

    @pytest.mark.parametrize("of", [{"branch": "topic"}, {"pr_number": 7}], ids=["branch", "pull request"])
    def test_a_commit_that_main_has_too(self, main: api.Database, of: dict[str, Any]) -> None:
        """The runs of the branch are compared with those of main, its run of this commit included; and those of main with main's."""
        timed(main, 10, 1.0)
        timed(main, 10, 1.5, **{"branch": "topic", **of})
        api.set_baseline(main, "main", sha(9))
        for baseline in ("level", "last:5", "main", sha(9)):
            for candidate, threshold in (("latest", None), (sha(10), None), ("latest", 5.0)):
                asked: dict[str, Any] = {"baseline": baseline, "threshold": threshold}
                (one,) = api.check(main, candidate, baseline_branch="main", **asked, **of).comparisons
                assert one.verdict is Verdict.REGRESSED
                assert one.candidate_value == pytest.approx(1.5 * SECOND)
                assert one.baseline_value == pytest.approx(SECOND, rel=0.01)
                (one,) = api.check(main, candidate, **asked).comparisons
                assert (one.verdict, one.n_candidate) == (Verdict.UNCHANGED, 1)

    @pytest.mark.parametrize("of", [{"branch": "topic"}, {"pr_number": 7}], ids=["branch", "pull request"])
    def test_a_commit_that_main_alone_has(self, main: api.Database, of: dict[str, Any]) -> None:
        timed(main, 20, 1.0, **{"branch": "topic", **of})
        api.set_baseline(main, "main", sha(8))
        for ask in (api.compare, api.check):
            for baseline in ("level", "last:5", "main", sha(8)):
                with pytest.raises(UserError, match=f"no results of {sha(9)} with these conditions"):
                    ask(main, sha(9), baseline=baseline, baseline_branch="main", **of)

    def test_a_pull_request_of_the_same_branch_is_no_baseline_of_main(self, main: api.Database) -> None:
        """A fork calls its branch `main`, too."""
        for number in range(10, 20):
            timed(main, number, 1.5, pr_number=7)
        timed(main, 20, 1.5, pr_number=7)
        (one,) = api.check(main, pr_number=7, baseline_branch="main").comparisons
        assert (one.verdict, one.n_baseline) == (Verdict.REGRESSED, 10)
        (own,) = api.check(main, branch="main", baseline_branch="main").comparisons
        assert (own.verdict, own.n_baseline) == (Verdict.UNCHANGED, 9)

    @pytest.mark.parametrize("own", [1, 8], ids=["first run", "runs of its own"])
    def test_a_commit_of_main_is_main_s_history(self, main: api.Database, own: int) -> None:
        """A new branch has no runs up to the commit of the baseline; runs of its own that are older are no part of it, either."""
        for number in range(1, own):
            timed(main, number, 1.5, branch="topic")
        api.set_baseline(main, "main", sha(9))
        for number, level, expected in ((10, 1.5, Verdict.REGRESSED), (12, 1.0, Verdict.UNCHANGED)):
            timed(main, number, level, branch="topic")
            for baseline, threshold in product((None, "main", sha(9)), (None, 5.0)):
                gate = api.check(main, branch="topic", baseline=baseline, threshold=threshold)
                (one,) = gate.comparisons
                assert (one.verdict, gate.passed) == (expected, expected is Verdict.UNCHANGED)
                assert one.candidate_value == pytest.approx(level * SECOND, rel=0.002)
                assert one.baseline_value == pytest.approx(SECOND, rel=0.002)
                assert one.n_baseline == (10 if threshold is None else 1)
        query = BaselineQuery(candidate=sha(10), what="main", chosen=Selection(branch="topic"), clone=Path())
        assert baseline_commit(main.store, resolve(main.store, query), query) == sha(9)

    def test_a_baseline_of_the_branch_is_its_own_history(self, main: api.Database) -> None:
        """A release branch with a baseline of its own is compared with its own runs, whatever main has."""
        for number in range(10, 18):
            timed(main, number, 1.5, branch="release")
        timed(main, 18, 1.5, branch="release")
        timed(main, 9, 1.0)
        api.set_baseline(main, "main", sha(9))
        api.set_baseline(main, "main", sha(17), branch="release")
        for baseline in ("main", sha(17), "level", "last:5"):
            (one,) = api.check(main, branch="release", baseline=baseline).comparisons
            assert one.verdict is Verdict.UNCHANGED
            assert one.baseline_value == pytest.approx(1.5 * SECOND, rel=0.01)

    def test_a_branch_of_a_pull_request_alone(self, main: api.Database) -> None:
        """The earlier runs of the pull request are those of its branch; another one's are not."""
        for number in range(10, 16):
            timed(main, number, 1.3, branch="topic", pr_number=7)
            timed(main, number, 1.0, branch="topic", pr_number=8)
        timed(main, 16, 1.6, branch="topic", pr_number=7)
        for baseline in ("level", "last:5"):
            (one,) = api.check(main, pr_number=7, baseline_branch="topic", baseline=baseline).comparisons
            assert one.verdict is Verdict.REGRESSED
            assert one.baseline_value == pytest.approx(1.3 * SECOND, rel=0.01)

    def test_a_baseline_branch_without_results(self, main: api.Database) -> None:
        """Nothing would be judged, and the check would pass."""
        timed(main, 10, 1.5, branch="topic")
        timed(main, 11, 1.5, branch="pull", pr_number=7)
        timed(main, 12, 1.5, branch="other", pr_number=8)
        api.set_baseline(main, "main", sha(9))
        chosen: tuple[dict[str, Any], ...] = ({}, {"branch": "topic"}, {"pr_number": 7})
        for of, baseline, name in product(chosen, ("level", "last:5", "main", sha(9)), ("nope", "other")):
            expected = f"no results of branch '{name}' outside pull requests.*branch main, branch topic, pull request 7"
            for ask in (api.check, api.compare):
                with pytest.raises(UserError, match=expected):
                    ask(main, baseline=baseline, baseline_branch=name, **of)

    def test_a_commit_of_a_pull_request_alone_is_no_baseline(self, main: api.Database) -> None:
        timed(main, 11, 1.0, branch="topic", pr_number=7)
        timed(main, 11, 1.0, branch="topic", pr_number=8)
        for branch in (None, "topic"):
            with pytest.raises(UserError, match=rf"{sha(11)} has results of pull requests 7 and 8 alone"):
                api.set_baseline(main, "main", sha(11), branch=branch)
        assert list(api.baselines(main).baselines) == []


def timed(store: api.Database, number: int, seconds: float, **stated: Any) -> None:
    """Record a run of one benchmark at a commit, of main where no branch is stated; every third is 0.1 % slower."""
    about = {"commit": sha(number), "dut_timestamp": FIRST + 86_400 * number, "branch": "main", **stated}
    seconds += 0.001 if number % 3 == 2 else 0.0
    with store.record("model", suite="s", test_bed_name="t", environment={}, **about) as run:
        run.add("step", [seconds, seconds * 1.001, seconds * 0.999], unit="s")


def at_minute(made: Entry, minute: float) -> Entry:
    """Return an entry whose results were measured some minutes after their commit."""
    seconds = (made.run.dut.timestamp or 0) + int(60 * minute)
    results = [replace(result, run_time=seconds) for result in made.results]
    return made._replace(run=replace(made.run, run_time=seconds), results=results)


class TestCountsOf:
    """The counts are those of the comparison, whatever the commit lacks, adds, renames or fails."""

    @examples("laws", 4, full=200)
    @given(drawn=st.data())
    def test_counts(self, drawn: st.DataObject) -> None:
        with TemporaryDirectory() as directory:
            made = connect(Path(directory) / "store", create=True)
            names = [f"f{number}" for number in range(6)]
            noise = np.random.default_rng(drawn.draw(st.integers(0, 99), "noise")).normal(1, 0.003, (24, 6))
            entries = [
                entry(run, dict(zip(names, (100 * noise[run]).tolist(), strict=True)), bed=bed, dut_name=dut)
                for run in range(23)
                for bed, dut in ((BED, "d"), (replace(BED, name="other"), "d"), (BED, "e"))
                if run < 20 or drawn.draw(st.booleans(), "measured")
            ]
            here = drawn.draw(st.lists(st.sampled_from([*names, "new", "f7"]), min_size=1, unique=True), "candidate")
            factors: st.SearchStrategy[float | str] = st.sampled_from([1.0, 1.0, 1.02, 1.5, 0.5, "it broke"])
            values = {
                name: factor if isinstance(factor := drawn.draw(factors), str) else 100.0 * factor for name in here
            }
            bed = drawn.draw(st.sampled_from([BED, replace(BED, name="third")]), "bed")
            publish_all(made, [*entries, entry(23, values, bed=bed)])
            count, compared = counts_of(made, sha(23)), api.compare(made, sha(23))
            for device in ("d", "e", "unknown"):
                of_device = [c for c in compared.comparisons if c.series.dut_name == device]
                assert count(device) == counted(of_device)
            assert count("d")

    def test_others_of_a_commit_that_were_measured_in_one_go(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        # the run of g connects those of f, which are then one: f lacks a run for a verdict
        minutes = 0.8 * RULES.one_go_minutes
        again = [at_minute(entry(9, {name: 100.0 + n / 10}, again=n), n * minutes) for n, name in enumerate("fgf")]
        before = [entry(run, {"f": 100.0 + run / 10, "g": 5.0}) for run in range(RULES.baseline_runs - 2)]
        publish_all(made, [*before, *again, entry(10, {"f": 200.0})])
        assert counts_of(made, sha(10))("d") == api.compare(made, sha(10)).counts == {"insufficient": 1, "missing": 1}

    @pytest.mark.parametrize("notes", [(), ("g: skipped, it broke",)])
    def test_a_skipped_benchmark_has_failed(self, tmp_path: Path, notes: tuple[str, ...]) -> None:
        made = connect(tmp_path / "store", create=True)
        last = entry(12, {"f": 100.0})
        last = last._replace(run=replace(last.run, notes=notes))
        publish_all(made, [*(entry(run, {"f": 100.0, "g": 5.0}) for run in range(12)), last])
        assert counts_of(made, sha(12))("d") == {"failed" if notes else "missing": 1, "unchanged": 1}

    def test_only_the_points_of_its_series_are_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = connect(tmp_path / "store", create=True)
        publish_all(made, [*(entry(run, {"f": 100.0, "g": 5.0, "h": 7.0}) for run in range(30)), entry(30, {"f": 9.0})])
        read: list[int] = []
        points, rows = type(made).points, type(made).rows

        def points_of(store: Database, *given: Any, **named: Any) -> Any:
            found = points(store, *given, **named)
            read.append(len(found.rows))
            return found

        def rows_of(store: Database, *given: Any, **named: Any) -> Any:
            found = rows(store, *given, **named)
            read.append(len(found))
            return found

        monkeypatch.setattr(type(made), "points", points_of)
        monkeypatch.setattr(type(made), "rows", rows_of)
        assert counts_of(made, sha(30))("d") == {"improved": 1, "missing": 2}
        assert sorted(read) == [1, 30, 31]  # its result, those of 10 commits, and the history of its series

    @pytest.mark.parametrize(
        "question",
        [
            lambda made: counts_of(made, sha(12)),
            lambda made: api.compare(made, sha(12), baseline="named"),
            lambda made: api.show(made, sha(12)),
        ],
        ids=["counts", "compare", "show"],
    )
    def test_rows_of_runs_are_found_by_the_index_on_their_commit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, question: Callable[[Database], object]
    ) -> None:
        made = connect(tmp_path / "store", create=True)
        publish_all(made, [entry(run, {"f": 100.0, "g": 5.0}) for run in range(13)])
        api.set_baseline(made, "named", sha(11))
        filters: list[list[str]] = []
        read = Snapshot.read

        def noted(snapshot: Snapshot, columns: Iterable[str], where: str | None = None, **named: Any) -> pa.Table:
            filters.append([term.strip("()") for term in (where or "").split(" AND ")])
            return read(snapshot, columns, where, **named)

        monkeypatch.setattr(Snapshot, "read", noted)
        question(made)
        of_runs = [terms for terms in filters if any(term.startswith("`run_key`") for term in terms)]
        assert of_runs
        assert all(any(term.startswith("`commit`") for term in terms) for terms in of_runs)

    def test_the_levels_of_what_is_missing_are_not_searched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = connect(tmp_path / "store", create=True)
        whole = [entry(run, {"f": 100.0 + run % 3, "g": 5.0, "h": 7.0}) for run in range(12)]
        publish_all(made, [*whole, entry(12, {"f": 100.0})])
        searched: list[int] = []

        def levels_of(old: Histories, **named: Any) -> list[slice]:
            searched.append(len(old))
            return levels(old, **named)

        monkeypatch.setattr(judge, "levels", levels_of)
        assert counts_of(made, sha(12))("d") == {"unchanged": 1, "missing": 2}
        assert searched == [1]
