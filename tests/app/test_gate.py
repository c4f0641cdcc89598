"""The gate, from Python and from the command line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import bench_db as api
from bench_db import Baseline, UserError
from bench_db.store.database import Database, connect
from tests.cli.asking import AT, nine_commits, refused
from tests.cli.conftest import bench_db
from tests.cli.kinds import BED, entry, publish, publish_all, sha

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.few(1)

OTHER_BED = replace(BED, name="ci-2")


@pytest.fixture
def store(tmp_path: Path) -> Database:
    return nine_commits(tmp_path / "store")


class TestGate:
    """The gate passes what got no worse, and then alone moves the baseline."""

    def test_the_baseline_moves_after_a_passing_check_alone(self, store: Database) -> None:
        store.set_baseline(Baseline(name="main", commit=sha(7), set_at=AT))
        publish(store, 9, {"f": 150.0})
        gate = api.check(store, set_baseline=True)
        assert (gate.candidate, gate.passed, gate.moved) == (sha(9), False, False)
        assert [j.verdict for j in gate.failing] == ["regressed"]
        assert store.baseline("main").commit == sha(7)  # type: ignore[union-attr]
        publish(store, 10, {"f": 100.0})
        gate = api.check(store, set_baseline=True, set_by="ci")
        assert (gate.passed, gate.moved) == (True, True)
        moved = store.baseline("main")
        assert moved is not None
        assert (moved.commit, moved.set_by) == (sha(10), "ci")

    @pytest.mark.slow
    def test_each_scope_moves_for_itself(self, store: Database) -> None:
        publish(store, 8, {"f": 1.0}, bed=OTHER_BED)
        publish(store, 9, {"f": 1.0}, bed=OTHER_BED)
        for bed in (None, "ci-2"):
            store.set_baseline(Baseline(name="main", commit=sha(8), testbed_name=bed, set_at=AT))
        assert api.check(store, threshold=5, set_baseline=True).moved
        assert {b.testbed_name: b.commit for b in store.baselines()} == {None: sha(8), "ci-2": sha(9)}

    @pytest.mark.parametrize("what", ["level", "last:5", sha(7)])
    def test_nothing_but_a_name_can_be_moved(self, store: Database, what: str) -> None:
        assert "is no named baseline" in refused(store, "check", sha(8), "--baseline", what, "--set-baseline")
        assert store.baselines() == []

    def test_no_baseline_is_set(self, store: Database) -> None:
        assert "bench-db baseline set NAME COMMIT" in refused(store, "check", sha(8), "--baseline", "main")
        assert "bench-db baseline set main COMMIT" in refused(store, "check", sha(8), "--set-baseline")

    def test_none_is_named_and_none_is_set(self, store: Database) -> None:
        publish(store, 9, {"f": 150.0})
        gate = api.check(store)
        assert (gate.candidate, gate.passed, gate.baseline) == (sha(9), False, "the level since the last change")
        store.set_baseline(Baseline(name="release", commit=sha(9), set_at=AT))
        assert not api.check(store).passed
        store.set_baseline(Baseline(name="main", commit=sha(9), set_at=AT))
        assert api.check(store).baseline.startswith("main (")

    def test_a_test_bed_without_results_of_the_commit_is_named(self, store: Database) -> None:
        """The job of the machine that shows the regression may have failed."""
        publish_all(store, [entry(number, {"f": 100.0}, bed=OTHER_BED) for number in range(7)])
        assert api.check(store).history == f"the main history (branch main); {sha(8)[:9]} is not measured on ci-2"
        assert api.check(store, sha(6)).history == "the main history (branch main)"
        assert api.check(store, test_bed_name="ci-1").history == "the main history (branch main)"

    @pytest.mark.slow
    def test_main_is_set_for_another_project(self, store: Database) -> None:
        """A store can have several projects, and a commit of one is no baseline of another."""
        publish_all(
            store,
            [
                entry(number, {"f": 100.0 + number % 3 if number < 29 else 150.0}, dut_name="other")
                for number in range(21, 30)
            ],
        )
        store.set_baseline(Baseline(name="main", commit=sha(8), set_at=AT))
        gate = api.check(store, sha(29))
        assert (gate.passed, gate.baseline) == (False, "the level since the last change")
        assert "is no named baseline" in refused(store, "check", sha(29), "--set-baseline")
        assert "is of another project" in refused(store, "check", sha(29), "--baseline", "main")
        store.set_baseline(Baseline(name="main", commit=sha(28), set_at=AT, dut_name="other"))
        assert api.check(store, sha(29), baseline="main").baseline == f"main ({sha(28)[:9]} for device other)"
        assert api.check(store, sha(8)).baseline.startswith("main (")

    @pytest.mark.parametrize(
        ("before", "after", "threshold", "code"),
        [
            (100.0, 102.0, "2", 0),
            (100.0, 102.001, "2", 1),
            (0.7, 0.735, "5", 0),
            (1.1, 1.155, "5", 0),
            (1.1, 1.1551, "5", 1),
            (100.0, 110.0, "0", 1),
            (100.0, 50.0, "0", 0),
        ],
    )
    def test_exactly_at_the_threshold_is_no_regression(
        self, tmp_path: Path, before: float, after: float, threshold: str, code: int
    ) -> None:
        made = connect(tmp_path / "made", create=True)
        publish(made, 1, {"f": before, "g": 1.0})
        publish(made, 2, {"f": after, "g": 1.0})
        made.set_baseline(Baseline(name="main", commit=sha(1), set_at=AT))
        assert bench_db("check", "--threshold", threshold, "--store", made.uri).code == code
        assert api.check(made, threshold=float(threshold)).passed is (code == 0)

    def test_at_the_minimum_effect_of_the_test_it_is_one(self, tmp_path: Path) -> None:
        """As docs/statistics.md says: reaching the minimum effect counts, reaching a threshold does not."""
        made = connect(tmp_path / "made", create=True)
        publish_all(made, (entry(number, {"f": 102.0 if number == 8 else 100.0}) for number in range(9)))
        made.set_baseline(Baseline(name="main", commit=sha(7), set_at=AT))
        assert not api.check(made, min_effect=2).passed
        assert api.check(made, threshold=2).passed

    def test_a_threshold_looks_at_the_baseline_s_own_runs(self, store: Database) -> None:
        publish(store, 9, {"f": 300.0})
        publish(store, 10, {"f": 301.0})
        store.set_baseline(Baseline(name="main", commit=sha(9), set_at=AT))
        gate = api.check(store, threshold=2)
        assert (gate.passed, gate.comparisons[0].n_baseline) == (True, 1)
        assert gate.comparisons[0].effect == pytest.approx(1 / 300)

    @pytest.mark.parametrize("beside", ["0" * 40, "f" * 40])
    def test_a_commit_of_the_same_second_is_not_the_baseline(self, store: Database, beside: str) -> None:
        publish(store, 9, {"f": 300.0})
        publish(store, 9, {"f": 100.0}, commit=beside)
        publish(store, 10, {"f": 301.0})
        (row,) = api.check(store, baseline=sha(9), threshold=2).comparisons
        assert (row.baseline_median, row.n_baseline) == (300.0, 1)

    def test_several_runs_of_either_commit_count_by_their_median(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "made", create=True)
        for number, values in ((1, (99.9, 100.0, 500.0)), (2, (100.9, 101.0, 900.0))):
            for at, value in enumerate(values):
                publish(made, number, {"f": value}, again=at)
        made.set_baseline(Baseline(name="main", commit=sha(1), set_at=AT))
        (row,) = api.check(made, threshold=1).comparisons
        assert (row.verdict, row.n_baseline, row.n_candidate, row.candidate_median) == ("unchanged", 3, 3, 101.0)

    def test_one_name_in_two_suites_is_two_series(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "made", create=True)
        for number in (1, 2):
            publish(made, number, {"f": 100.0}, suite="train")
            publish(made, number, {"f": 10.0}, suite="infer")
        made.set_baseline(Baseline(name="main", commit=sha(1), set_at=AT))
        gate = api.check(made, threshold=0)
        assert [(j.series.suite, j.verdict, j.effect) for j in gate.comparisons] == [
            ("infer", "unchanged", 0.0),
            ("train", "unchanged", 0.0),
        ]

    def test_what_vanished_is_reported(self, store: Database) -> None:
        publish(store, 9, {"f": 100.0, "g": 5.0})
        store.set_baseline(Baseline(name="main", commit=sha(9), set_at=AT))
        publish(store, 10, {"f": 100.0})
        answer = bench_db("check", "--store", store.uri)
        assert (answer.code, answer.out.splitlines()[0]) == (0, "PASSED: no series got worse")
        assert "1 missing" in answer.out
        assert not api.check(store, fail_on=["missing"]).passed

    def test_threshold_is_a_method_of_its_own(self, store: Database) -> None:
        assert "--threshold" in refused(store, "check", sha(8), "--threshold", "2", "--min-effect", "2")
        with pytest.raises(UserError, match="`threshold` is a method"):
            api.check(store, threshold=2, method="lance-bench-z")

    def test_text(self, store: Database) -> None:
        bench_db("baseline", "set", "main", sha(7), "--store", store.uri)
        answer = bench_db("check", "--set-baseline", "--store", store.uri)
        head = f"PASSED: no series got worse\n{sha(8)[:9]} against main ({sha(7)[:9]}): 1 unchanged\nmain is now {sha(8)}\n"
        assert (answer.code, answer.out) == (0, head)

    def test_nothing_to_judge_is_said(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "made", create=True)
        publish(made, 1, {"f": 1.0})
        publish(made, 2, {"f": 1.0})
        made.set_baseline(Baseline(name="main", commit=sha(1), set_at=AT))
        assert bench_db("check", "--store", made.uri).out.startswith("PASSED: but no series could be judged\n")

    def test_json(self, store: Database) -> None:
        store.set_baseline(Baseline(name="main", commit=sha(7), set_at=AT))
        document = bench_db("check", "--threshold", "2", "--store", store.uri, "--output", "json").document
        del document["comparisons"]
        assert document == {
            "history": "the main history (branch main)",
            "passed": True,
            "candidate": sha(8),
            "baseline": f"main ({sha(7)[:9]})",
            "baseline_commits": [sha(7)],
            "method": "threshold",
            "threshold": 2.0,
            "threshold_faults": [],
            "confirmed": None,
            "moved": False,
            "failing": [],
            "counts": {"unchanged": 1},
            "of_machine": 0,
            "too_noisy": 0,
            "blame": [],
            "schema_version": 1,
        }


class TestNoise:
    """A gate that passes says of how many series it could not have seen that they are much worse."""

    @pytest.mark.parametrize("form", [(), ("--markdown",)], ids=["text", "markdown"])
    def test_what_is_too_noisy_to_fail_is_said(self, tmp_path: Path, form: tuple[str, ...]) -> None:
        made = connect(tmp_path / "noisy", create=True)
        times = [{"quiet": 100.0 + n % 3, "noisy": 100.0 * 2 ** (n * n % 5)} for n in range(13)]
        publish_all(made, [entry(number, values) for number, values in enumerate(times)])
        answer = bench_db("check", "--baseline", "last:12", "--store", made.uri, *form)
        assert answer.code == 0
        assert "1 of 2 unchanged: so noisy that they may be 50 % worse; see" in answer.out
        assert bench_db("check", "--store", made.uri, "--output", "json").document["too_noisy"] == 1

    def test_nothing_is_said_of_series_that_are_quiet_enough(self, store: Database) -> None:
        assert "noisy" not in bench_db("check", "--baseline", "last:5", "--store", store.uri).out


class TestSuspected:
    """A change that one run shows passes, says what to do, and does not move the baseline."""

    @pytest.fixture
    def suspicious(self, tmp_path: Path) -> Database:
        made = connect(tmp_path / "noisy", create=True)
        publish_all(made, [entry(number, {"f": 100.0 + 3 * (number % 3), "g": 100.0}) for number in range(9)])
        made.set_baseline(Baseline(name="main", commit=sha(8), set_at=AT))
        publish(made, 9, {"f": 130.0, "g": 100.0})
        return made

    def test_it_passes_unless_asked_for(self, suspicious: Database) -> None:
        answer = bench_db("check", "--set-baseline", "--store", suspicious.uri)
        assert answer.code == 0
        assert answer.out.startswith("PASSED: 1 suspected, measure this commit again")
        assert "one run shows it: measure this commit again, at least 10 minutes later" in answer.out
        assert suspicious.baseline("main").commit == sha(8)  # type: ignore[union-attr]
        for verb in ("check", "compare"):
            assert bench_db(verb, sha(9), "--fail-on", "suspected", "--store", suspicious.uri).code == 1
        assert bench_db("compare", sha(9), "--fail-on", "regression", "--store", suspicious.uri).code == 0

    def test_a_second_run_confirms(self, suspicious: Database) -> None:
        publish(suspicious, 9, {"f": 131.0, "g": 100.0}, again=1)
        assert [c.verdict for c in api.check(suspicious).failing] == ["regressed"]

    def test_a_suspected_improvement_fails_nothing(self, suspicious: Database) -> None:
        publish(suspicious, 10, {"f": 81.0, "g": 100.0})
        gate = api.check(suspicious, fail_on=["suspected"], set_baseline=True)
        assert (gate.counts.get("suspected"), gate.passed, gate.moved) == (1, True, True)
