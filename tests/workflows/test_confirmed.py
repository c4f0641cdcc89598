"""The bot confirms in pairs before it says that a pull request regressed: a real repository, and a clock of seeded tables."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from bench_db.rules import RULES
from tests.workflows.world import GRANTS, SECRETS

if TYPE_CHECKING:
    from tests.workflows.world import World

pytestmark = pytest.mark.slow


def report(world: World, name: str) -> str:
    """Return the comment that a run wrote; that of the next commit takes its place on the pull request."""
    return (world.runs[name].machines["compare-and-comment"].workspace / "comparison_report.md").read_text("utf-8")


def rows(body: str) -> dict[str, list[str]]:
    """Return the rows of the section of the pairs, by benchmark: the outcome, both figures, the rounds and the reason."""
    section = body.partition("### Measured again in pairs")[2]
    found = re.findall(r"^\| ([a-z ]+) \| <code>python: (\w+)</code> \| (.*) \|$", section, re.MULTILINE)
    return {name: [outcome, *rest.split(" | ")] for outcome, name, rest in found}


class TestOutcomes:
    """Real slow-downs of +25 and +8 % are confirmed, a spike of one run is not, and noise leaves one undecided."""

    def test_every_job_succeeds(self, confirmed: World) -> None:
        run = confirmed.runs["slow"]
        assert run.conclusion == "success", run.logs
        assert [run.results[job] for job in ("flag", "confirm", "compare-and-comment")] == ["success"] * 3

    def test_the_comment(self, confirmed: World) -> None:
        body = report(confirmed, "slow")
        found = rows(body)
        assert {name: row[0] for name, row in found.items()} == {
            "real": "confirmed",
            "little": "confirmed",
            "spike": "not confirmed",
            "wild": "undecided",
        }
        flagged = {name: float(row[1].split()[0]) for name, row in found.items()}
        paired = {name: float(row[2].split()[0]) for name, row in found.items()}
        assert flagged == pytest.approx({"real": 25.0, "little": 8.0, "spike": 60.0, "wild": 50.0}, abs=6.0)
        assert paired["real"] == pytest.approx(25.0, abs=3.0)
        assert paired["little"] == pytest.approx(8.0, abs=3.0)
        assert paired["spike"] == pytest.approx(0.0, abs=3.0)
        assert "excluded" in found["wild"][-1]
        sides = [sha[: RULES.sha_length] for sha in (confirmed.ground.slow, confirmed.ground.commits[-2])]
        assert (
            f"measured again in pairs, {sides[0]} against {sides[1]}: 2 confirmed, 1 undecided, 1 not confirmed" in body
        )
        assert "on another machine" in body

    def test_no_spike_is_said_to_have_regressed(self, confirmed: World) -> None:
        body = report(confirmed, "slow")
        assert "regressed; measured again: 2 confirmed, 1 undecided, 1 not confirmed" in body.splitlines()[1]
        regressed, unchanged = body.partition("Regressed (")[2].split("Unchanged (")
        assert [name in regressed for name in ("real", "little", "spike")] == [True, True, False]
        assert "spike" in unchanged

    def test_the_check(self, confirmed: World) -> None:
        check = confirmed.fake.checks[0]
        assert (check["head_sha"], check["conclusion"]) == (confirmed.ground.slow, "failure")
        assert check["output"]["title"].endswith("; measured again: 2 confirmed, 1 undecided, 1 not confirmed")

    def test_only_what_is_flagged_is_judged(self, confirmed: World) -> None:
        [file] = confirmed.runs["slow"].artifacts.glob("flagged/flagged.json")
        asked = json.loads(file.read_text())
        names = {one["series"]["benchmark_name"] for one in asked["flagged"]}
        assert names == {"real", "little", "spike", "wild"}
        assert (asked["base"], asked["head"]) == (confirmed.ground.commits[-2], confirmed.ground.slow)


class TestStuck:
    """A benchmark that fails in pairs leaves every series undecided: the comment says why, and the check stays red."""

    def test_the_comment(self, confirmed: World) -> None:
        run = confirmed.runs["stuck"]
        assert run.conclusion == "success", run.logs
        [comment] = confirmed.fake.comments
        body = comment["body"]  # the comment of the earlier commit, edited
        assert body.endswith(report(confirmed, "stuck").strip())
        found = rows(body)
        assert {row[0] for row in found.values()} == {"undecided"}
        assert "regressed; measured again: 4 undecided" in body
        assert "exit code 1" in found["real"][-1]
        assert confirmed.fake.checks[-1]["conclusion"] == "failure"
        assert confirmed.fake.checks[-1]["output"]["title"].endswith("undecided")


class TestSecrets:
    """The job that measures again runs code of the pull request, which sees nothing that is secret."""

    def test_measured_code_sees_none(self, confirmed: World) -> None:
        secrets = {*SECRETS.values(), *GRANTS, str(confirmed.store), "workflow-token", "AUTHORIZATION"} - {"us-east-1"}
        for run in confirmed.runs.values():
            for (job, _), environment in run.seen.items():
                if job == "confirm":
                    assert not secrets & set(environment.values())
            logs = [path.read_text() for path in run.artifacts.glob("logs-pairs/**/*.log")]
            assert logs
            assert not [secret for secret in secrets for text in logs if secret in text]
