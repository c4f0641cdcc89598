"""Plans, backfills and bisections as text and as JSON."""

import json
from dataclasses import replace

from bench_db.model import Attempt, AttemptState, Bisection, Commit, LeftOut, Look, Plan, Reason, Side, Step, Target
from bench_db.report import plans
from bench_db.rules import RULES
from tests.report.examples import commit_of

COMMITS = [Commit(sha=commit_of(n), time=1_700_000_000 + n, subject=f"Change {n}\x1b[31m") for n in range(6)]
PLAN = Plan(
    steps=(
        Step(
            commit=COMMITS[2], targets=(Target(suite="io"), Target(suite="cpu")), reason=Reason.FAILED_BEFORE, attempt=2
        ),
        Step(commit=COMMITS[0], targets=(Target(),), reason=Reason.NOT_MEASURED),
    ),
    left_out=(
        LeftOut(commit=COMMITS[1], reason=Reason.MEASURED),
        LeftOut(commit=COMMITS[3], reason=Reason.OVER_LIMIT),
        LeftOut(commit=COMMITS[4], reason=Reason.OVER_LIMIT),
        LeftOut(commit=COMMITS[5], reason=Reason.GIVEN_UP),
    ),
)
LEFT_OUT = [
    "1 left out: measured",
    "2 left out: more than one plan may hold (--max-commits sets how many)",
    "1 left out: failed too often (a higher --max-attempts tries again)",
]


class TestPlan:
    """Every commit of the range is a step, in order, or left out with its reason."""

    def test_document(self) -> None:
        document = json.loads(json.dumps(plans.plan_document(PLAN)))
        listed = [one["commit"] for one in (*document["steps"], *document["left_out"])]
        assert listed == [COMMITS[n].sha for n in (2, 0, 1, 3, 4, 5)]
        assert document["steps"][0] == {
            "commit": COMMITS[2].sha,
            "time": COMMITS[2].time,
            "subject": COMMITS[2].subject,
            "suites": ["io", "cpu"],
            "reason": "failed before",
            "explanation": "failed before: io, cpu (attempt 2)",
            "attempt": 2,
        }

    def test_text(self) -> None:
        head, first, second, *left_out = plans.plan_text(PLAN).split("\n")
        assert head == "2 to measure"
        assert first.startswith(f"{COMMITS[2].sha[: RULES.sha_length]}  Change 2\\x1b[31m ")
        assert first.endswith("  failed before: io, cpu (attempt 2)")
        assert second.startswith(COMMITS[0].sha[: RULES.sha_length])
        assert left_out == LEFT_OUT

    def test_nothing(self) -> None:
        assert plans.plan_text(Plan()) == "0 to measure"


def attempt(number: int, state: AttemptState, detail: str = "") -> Attempt:
    return Attempt(
        commit=commit_of(number), state=state, at=1, suites=("io",), detail=detail, url=f"https://x/{number}"
    )


class TestEnded:
    """Each attempt that did not succeed has a line with the reason, and the address of its run."""

    ENDED = (
        attempt(0, AttemptState.SUCCEEDED),
        attempt(2, AttemptState.FAILED, "\n".join(["exit \x1b code 1", *map(str, range(20)), "", "Trace \x1b back"])),
        attempt(3, AttemptState.LOST),
    )

    def test_text(self) -> None:
        lines = plans.ended_text(PLAN, self.ENDED, 90).split("\n")
        assert lines[0].startswith("1 measured, 2 failed in 1")
        log = [f"    {n}" for n in range(21 - RULES.log_lines, 20)]
        assert lines[1 : 5 + RULES.log_lines] == [
            f"{commit_of(2)[: RULES.sha_length]}  io  failed: exit \\x1b code 1",
            *log,
            "    Trace \\x1b back",
            "    https://x/2",
            f"{commit_of(3)[: RULES.sha_length]}  io  lost: ?",
            "    https://x/3",
        ]
        assert lines[5 + RULES.log_lines :] == LEFT_OUT

    def test_in_part(self) -> None:
        """A suite that failed beside results that are stored did not fail altogether."""
        parts = (*self.ENDED, replace(self.ENDED[1], kept=3))
        assert plans.ended_text(PLAN, parts, 90).startswith("1 measured, 1 measured in part, 2 failed in 1")
        assert [one["kept"] for one in plans.ended_document(parts)] == [0, 0, 0, 3]

    def test_success(self) -> None:
        assert "failed" not in plans.ended_text(Plan(), self.ENDED[:1], 90)
        assert plans.ended_text(Plan(), (), 90) == "0 measured"

    def test_document(self) -> None:
        document = json.loads(json.dumps(plans.ended_document(self.ENDED)))
        assert [(one["commit"], one["state"]) for one in document] == [
            (commit_of(0), "succeeded"),
            (commit_of(2), "failed"),
            (commit_of(3), "lost"),
        ]
        assert document[1]["detail"] == self.ENDED[1].detail


class TestBisection:
    """One suspect is the change; several are what it may be, and every look is shown."""

    LOOKS = (
        Look(commit=COMMITS[1], side=Side.GOOD, rounds=3, typical=1234.5678),
        Look(commit=COMMITS[3], side=Side.UNMEASURABLE, rounds=1, typical=None),
    )

    def test_found(self) -> None:
        bisection = Bisection(suspects=(COMMITS[2],), looks=self.LOOKS)
        good, unmeasurable, head, suspect = plans.bisection_text(bisection).split("\n")
        assert good.split(maxsplit=2) == [COMMITS[1].sha[: RULES.sha_length], "1234.57", "as the good commit"]
        assert unmeasurable.split(maxsplit=1) == [COMMITS[3].sha[: RULES.sha_length], "cannot be measured"]
        assert (head, suspect.split()[0]) == ("the change is in", COMMITS[2].sha)
        document = json.loads(json.dumps(plans.bisection_document(bisection)))
        assert document["commit"] == COMMITS[2].sha
        assert document["looks"][0] == {
            "commit": COMMITS[1].sha,
            "side": "as the good commit",
            "rounds": 3,
            "typical": 1234.5678,
        }

    def test_several(self) -> None:
        bisection = Bisection(suspects=tuple(COMMITS[2:4]), looks=())
        head, *suspects = plans.bisection_text(bisection).split("\n")
        assert (head, len(suspects)) == ("the change is in one of", 2)
        document = plans.bisection_document(bisection)
        assert document["commit"] is None
        assert document["suspects"] == [{"commit": c.sha, "subject": c.subject} for c in COMMITS[2:4]]

    def test_a_subject_moves_no_cursor(self) -> None:
        suspects = (commit for commit in COMMITS if "\x1b" in commit.subject)
        assert "\x1b" not in plans.bisection_text(Bisection(suspects=tuple(suspects), looks=()))
