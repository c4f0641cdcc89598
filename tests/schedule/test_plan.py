from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UserError
from bench_db.model import Commit, Plan, Reason
from bench_db.schedule.plan import Evidence, Known, Order, Policy, Scope, plan

DAY = 86_400
SUITES = ("python", "rust")


def commits(count: int) -> list[Commit]:
    return [Commit(sha=f"{i:x}".rjust(2, "0").ljust(40, "e"), time=i * DAY) for i in range(1, count + 1)]


def measured(commit: Commit, suite: str = "", results: int = 1, failures: int = 0) -> Evidence:
    return Evidence(commit=commit.sha, suite=suite, results=results, failures=failures)


def chosen(found: Plan, history: Sequence[Commit]) -> list[int]:
    return [history.index(step.commit) for step in found.steps]


def reasons(found: Plan, history: Sequence[Commit]) -> dict[int, Reason]:
    return {history.index(out.commit): out.reason for out in found.left_out}


class TestNew:
    """NEW is every commit after the newest measured one, and earlier incomplete ones."""

    def test_all_since_the_last_and_not_only_the_newest(self) -> None:
        history = commits(6)
        found = plan(history, Known(evidence=(measured(history[2]),)), Policy(scope=Scope.NEW))
        assert chosen(found, history) == [3, 4, 5]
        assert reasons(found, history) == {0: Reason.NOT_NEW, 1: Reason.NOT_NEW, 2: Reason.MEASURED}

    def test_a_limit_never_jumps_over_a_commit(self) -> None:
        history = commits(6)
        known = Known(evidence=(measured(history[1]),))
        found = plan(history, known, Policy(scope=Scope.NEW, max_commits=2))
        assert chosen(found, history) == [2, 3]
        assert reasons(found, history)[5] is Reason.OVER_LIMIT

    def test_nothing_measured_yet_starts_at_the_newest(self) -> None:
        history = commits(4)
        assert chosen(plan(history, Known(), Policy(scope=Scope.NEW)), history) == [3]

    def test_a_failed_commit_is_tried_again_although_newer_ones_are_measured(self) -> None:
        history = commits(4)
        evidence = (measured(history[1]), measured(history[2], results=0, failures=3), measured(history[3]))
        found = plan(history, Known(evidence=evidence), Policy(scope=Scope.NEW))
        assert [(step.commit, step.reason) for step in found.steps] == [(history[2], Reason.FAILED_BEFORE)]

    def test_a_suite_that_was_lost_is_measured_alone(self) -> None:
        history = commits(3)
        evidence = tuple(measured(c, s) for c in history for s in SUITES if (c, s) != (history[1], "rust"))
        found = plan(history, Known(evidence=evidence), Policy(scope=Scope.NEW, suites=SUITES))
        assert [(step.commit, step.suites, step.reason) for step in found.steps] == [
            (history[1], ("rust",), Reason.INCOMPLETE)
        ]

    def test_a_new_suite_starts_at_the_newest_commit(self) -> None:
        history = commits(5)
        evidence = tuple(measured(commit, "python") for commit in history)
        found = plan(history, Known(evidence=evidence), Policy(scope=Scope.NEW, suites=SUITES))
        assert [(step.commit, step.suites) for step in found.steps] == [(history[4], ("rust",))]


class TestSettled:
    """A commit that is being measured, or failed too often, is not started, with a reason."""

    def test_in_flight(self) -> None:
        history = commits(2)
        found = plan(history, Known(in_flight=frozenset({history[0].sha})), Policy())
        assert (chosen(found, history), reasons(found, history)) == ([1], {0: Reason.IN_FLIGHT})

    def test_given_up(self) -> None:
        history = commits(2)
        found = plan(history, Known(attempts={(history[1].sha, ""): 3}), Policy(max_attempts=3))
        assert reasons(found, history) == {1: Reason.GIVEN_UP}

    def test_a_suite_that_was_given_up_does_not_hold_up_another(self) -> None:
        history = commits(1)
        known = Known(attempts={(history[0].sha, "python"): 3})
        [step] = plan(history, known, Policy(suites=SUITES)).steps
        assert (step.suites, step.attempt) == (("rust",), 1)

    def test_what_was_measured_is_no_failed_attempt_at_a_suite_added_later(self) -> None:
        history, suites = commits(1), ("a", "b", "c", "d")
        known = Known(
            evidence=tuple(measured(history[0], suite) for suite in suites[:3]),
            attempts={(history[0].sha, suite): 1 for suite in suites[:3]},
        )
        [step] = plan(history, known, Policy(suites=suites)).steps
        assert (step.suites, step.attempt) == (("d",), 1)

    def test_a_failure_that_is_kept_does_not_hold_up_another_suite(self) -> None:
        history = commits(1)
        known = Known(evidence=(measured(history[0], "python", results=0, failures=1),))
        [step] = plan(history, known, Policy(suites=SUITES, retry_failed=False)).steps
        assert step.suites == ("rust",)

    def test_failures_kept(self) -> None:
        history = commits(2)
        known = Known(evidence=(measured(history[0], results=0, failures=1),))
        assert reasons(plan(history, known, Policy(retry_failed=False)), history) == {0: Reason.FAILED_KEPT}

    def test_a_failure_beside_results(self) -> None:
        """It is measured again where that is asked for, as one that failed before, until its attempts are used up."""
        history = commits(1)
        known = Known(evidence=(measured(history[0], "python", failures=1), measured(history[0], "rust")))
        assert reasons(plan(history, known, Policy(suites=SUITES)), history) == {0: Reason.MEASURED}
        [step] = plan(history, known, Policy(suites=SUITES, retry_partial=True)).steps
        assert (step.suites, step.reason, step.attempt) == (("python",), Reason.FAILED_BEFORE, 2)
        gone = Policy(suites=SUITES, retry_partial=True, max_attempts=1)
        assert reasons(plan(history, known, gone), history) == {0: Reason.GIVEN_UP}

    def test_failures_that_are_not_tried_again_are_named(self) -> None:
        history = commits(4)
        known = Known(
            evidence=(
                measured(history[0], "python", failures=1),
                measured(history[0], "rust"),
                measured(history[1], "python", failures=1),  # beside a suite that is measured now
                measured(history[2], "python"),
                measured(history[2], "rust", results=0, failures=1),
            ),
            attempts={(history[3].sha, "python"): 3},  # beside a suite that is tried
        )

        def incomplete(policy: Policy) -> list[int]:
            return [history.index(commit) for commit in plan(history, known, policy).incomplete]

        assert incomplete(Policy(suites=SUITES)) == [0, 1, 3]
        assert incomplete(Policy(suites=SUITES, retry_failed=False)) == [0, 1, 2, 3]
        assert incomplete(Policy(suites=SUITES, max_commits=0)) == [0, 1, 2, 3]
        assert incomplete(Policy(suites=SUITES, retry_partial=True)) == [3]
        assert incomplete(Policy(suites=SUITES, since=history[1].time)) == [1, 3]
        assert incomplete(Policy(suites=("rust",))) == []
        assert incomplete(Policy(scope=Scope.NEW, suites=SUITES)) == [3]  # the python of the third commit is newer

    def test_the_newest_failure_in_part_counts_for_new(self) -> None:
        history = commits(2)
        known = Known(evidence=tuple(measured(commit, failures=1) for commit in history))
        assert plan(history, known, Policy(scope=Scope.NEW)).incomplete == (history[1],)

    def test_an_abbreviated_commit_in_the_store_counts(self) -> None:
        history = commits(2)
        known = Known(evidence=(Evidence(commit=history[0].sha[:7], results=1),))
        assert reasons(plan(history, known, Policy()), history)[0] is Reason.MEASURED

    def test_a_shorter_text_never_counts(self) -> None:
        history = commits(2)
        known = Known(evidence=(Evidence(commit=history[0].sha[:6], results=1), Evidence(commit="", results=1)))
        assert len(plan(history, known, Policy()).steps) == 2

    def test_another_test_bed_does_not_count(self) -> None:
        history = commits(1)
        evidence = (Evidence(commit=history[0].sha, test_bed="other", results=1),)
        assert len(plan(history, Known(evidence=evidence), Policy(test_beds=("mine",))).steps) == 1


class TestThinning:
    """Fewer commits, evenly spread: every Nth, one per period, or a total number."""

    def test_every(self) -> None:
        history = commits(10)
        assert chosen(plan(history, Known(), Policy(every=3)), history) == [9, 6, 3, 0]

    @pytest.mark.parametrize("scope", [Scope.ALL, Scope.NEW])
    def test_every_keeps_its_distance_while_the_branch_grows(self, scope: Scope) -> None:
        history, done = commits(40), set[int]()
        for count in (20, 21, 23, 30, 31, 40):
            known = Known(evidence=tuple(measured(history[i]) for i in done))
            policy = Policy(scope=scope, every=5, max_commits=3)
            done.update(chosen(plan(history[:count], known, policy), history))
        assert {i % 5 for i in done} == {4}
        assert {24, 29, 34, 39} <= done

    @pytest.mark.parametrize("scope", [Scope.ALL, Scope.NEW])
    def test_a_period_that_goes_on_is_measured_once(self, scope: Scope) -> None:
        history, done = commits(40), set[int]()
        for count in range(20, 41):
            known = Known(evidence=tuple(measured(history[i]) for i in done))
            policy = Policy(scope=scope, period_seconds=7 * DAY)
            done.update(chosen(plan(history[:count], known, policy), history))
        weeks = [history[i].time // (7 * DAY) for i in done]
        assert len(weeks) == len(set(weeks))
        assert {3, 4, 5} <= set(weeks)

    def test_steps_hold_both_ends(self) -> None:
        history = commits(10)
        assert sorted(chosen(plan(history, Known(), Policy(steps=4)), history)) == [0, 3, 6, 9]

    def test_a_measured_commit_may_be_one_of_the_steps(self) -> None:
        history = commits(10)
        found = plan(history, Known(evidence=(measured(history[3]),)), Policy(steps=4))
        assert sorted(chosen(found, history)) == [0, 6, 9]

    def test_one_a_period(self) -> None:
        history = commits(14)  # days 1 to 14 since the epoch
        found = plan(history, Known(), Policy(period_seconds=7 * DAY))
        assert [step.commit.time // DAY for step in found.steps] == [14, 13, 6]

    def test_dates(self) -> None:
        history = commits(5)
        found = plan(history, Known(), Policy(since=2 * DAY, until=4 * DAY))
        assert chosen(found, history) == [3, 2, 1]
        assert set(reasons(found, history).values()) == {Reason.OUT_OF_TIME}

    def test_existing_is_what_was_ever_begun(self) -> None:
        history = commits(3)
        evidence = (measured(history[1], "python"),)
        found = plan(history, Known(evidence=evidence), Policy(scope=Scope.EXISTING, suites=SUITES))
        assert (chosen(found, history), found.steps[0].suites) == ([1], ("rust",))

    def test_bisecting_halves_the_widest_gap(self) -> None:
        history = commits(17)
        found = plan(history, Known(evidence=(measured(history[0]),)), Policy(order=Order.BISECT, max_commits=4))
        assert chosen(found, history) == [16, 8, 12, 4]

    @pytest.mark.parametrize(
        "wrong", [{"every": 0}, {"steps": 0}, {"max_commits": -1}, {"max_attempts": 0}, {"period_seconds": 0}]
    )
    def test_impossible_policies(self, wrong: dict[str, int]) -> None:
        with pytest.raises(UserError, match="must be at least"):
            Policy(**wrong)  # type: ignore[arg-type]


def policies() -> st.SearchStrategy[Policy]:
    small = st.integers(1, 12)
    return st.builds(
        Policy,
        scope=st.sampled_from(Scope),
        suites=st.sampled_from([(), ("python",), SUITES]),
        since=st.none() | st.integers(0, 30 * DAY),
        until=st.none() | st.integers(0, 30 * DAY),
        every=small,
        period_seconds=st.none() | st.integers(DAY // 2, 9 * DAY),
        steps=st.none() | small,
        max_commits=st.none() | st.integers(0, 12),
        max_attempts=st.integers(1, 3),
        retry_failed=st.booleans(),
        retry_partial=st.booleans(),
        order=st.none() | st.sampled_from(Order),
    )


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Commit], Known]:
    history = commits(draw(st.integers(0, 24)))
    one = st.sampled_from(history) if history else st.nothing()
    counts = st.integers(0, 2)
    evidence = st.builds(measured, one, st.sampled_from(("", *SUITES)), counts, counts)
    shas = one.map(lambda commit: commit.sha)
    tried = st.tuples(shas, st.sampled_from(("", *SUITES)))
    return history, Known(
        evidence=tuple(draw(st.lists(evidence, max_size=20))) if history else (),
        in_flight=draw(st.frozensets(shas, max_size=5)) if history else frozenset(),
        attempts=draw(st.dictionaries(tried, st.integers(0, 4), max_size=5)) if history else {},
    )


class TestLaws:
    """Laws of a plan for any state of the store and any request."""

    @given(situations(), policies())
    def test_a_plan_never_repeats_a_measured_commit(
        self, situation: tuple[list[Commit], Known], policy: Policy
    ) -> None:
        history, known = situation
        found = {(e.commit, e.suite) for e in known.evidence if e.results}
        failed = {(e.commit, e.suite) for e in known.evidence if e.failures and policy.retry_partial}
        for step in plan(history, known, policy).steps:
            for target in step.targets:
                has, lacks = (
                    any(sha == step.commit.sha and target.suite in ("", suite) for sha, suite in known_of)
                    for known_of in (found, failed)
                )
                assert not has or lacks

    @given(situations(), policies())
    def test_every_commit_is_a_step_or_left_out_with_a_reason(
        self, situation: tuple[list[Commit], Known], policy: Policy
    ) -> None:
        history, known = situation
        found = plan(history, known, policy)
        told = [step.commit.sha for step in found.steps] + [out.commit.sha for out in found.left_out]
        assert sorted(told) == sorted(commit.sha for commit in history)
        assert all(step.targets and step.explanation for step in found.steps)

    @given(situations(), policies())
    def test_a_plan_keeps_its_limits(self, situation: tuple[list[Commit], Known], policy: Policy) -> None:
        history, known = situation
        steps = plan(history, known, policy).steps
        assert len(steps) <= min(n for n in (policy.max_commits, policy.steps, len(history)) if n is not None)
        for step in steps:
            assert step.commit.sha not in known.in_flight
            assert step.attempt <= policy.max_attempts

    @given(situations(), policies())
    def test_the_same_question_has_the_same_answer(self, situation: tuple[list[Commit], Known], policy: Policy) -> None:
        history, known = situation
        shuffled = Known(evidence=known.evidence[::-1], in_flight=known.in_flight, attempts=known.attempts)
        assert plan(history, known, policy) == plan(history, shuffled, policy)

    @given(situations(), policies())
    def test_carrying_out_a_plan_leaves_nothing_of_it_to_do(
        self, situation: tuple[list[Commit], Known], policy: Policy
    ) -> None:
        history, known = situation
        steps = plan(history, known, policy).steps
        done = tuple(measured(step.commit, target.suite) for step in steps for target in step.targets)
        after = plan(history, Known(evidence=known.evidence + done, attempts=known.attempts), policy)
        carried_out = {(step.commit.sha, target) for step in steps for target in step.targets}
        assert not carried_out & {(step.commit.sha, target) for step in after.steps for target in step.targets}
