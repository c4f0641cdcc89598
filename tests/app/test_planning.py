"""The plan over a real clone, and the workflow, each with its order of precedence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.planning import Planner, workflow_of
from bench_db.clock import Clock
from bench_db.errors import UserError
from bench_db.schedule.config import Config, Project, Schedule
from bench_db.schedule.plan import Evidence, Known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench_db.app.parameters import Planning
    from tests.support.histories import History

NOTHING = Known()


class TestPlanner:
    """A plan of all commits starts with the newest; its limits come from the parameters, then the environment, then the configuration."""

    def shas(
        self,
        history: History,
        *,
        known: Known = NOTHING,
        environment: Mapping[str, str] | None = None,
        **wanted: object,
    ) -> list[str]:
        config = Config(project=Project(name="x"), schedule=Schedule(max_commits=3))
        parameters: Planning = {"clone": history.path, "range": "ALL", **wanted}  # type: ignore[typeddict-item]
        notes: list[str] = []
        planner = Planner(
            wanted=parameters, config=config, environment=environment or {}, note=notes.append, clock=Clock()
        )
        plan = planner.plan(known, None)
        assert notes == []
        return [step.commit.sha for step in plan.steps]

    def test_most_commits(self, history: History) -> None:
        made = [history.commit(n=str(i)) for i in range(6)]
        assert len(self.shas(history)) == 3
        assert len(self.shas(history, environment={"MAX_COMMITS": "4"})) == 4
        assert len(self.shas(history, environment={"MAX_COMMITS": "4"}, max_commits=5)) == 5
        assert self.shas(history, environment={"MAX_COMMITS": "0"}, max_commits=0) == []
        assert self.shas(history, steps=6) == made[::-1]  # so many are asked for, whatever the configuration

    def test_every(self, history: History) -> None:
        made = [history.commit(n=str(i)) for i in range(5)]
        assert self.shas(history, environment={"COMMIT_INTERVAL": "2"}) == made[::-2]
        assert self.shas(history, environment={"COMMIT_INTERVAL": "2"}, every=4) == made[::-4]

    def test_what_is_measured_is_not_planned(self, history: History) -> None:
        made = [history.commit(n=str(i)) for i in range(3)]
        evidence = Evidence(commit=made[1], suite="", test_bed="b", results=1, failures=0)
        assert self.shas(history, known=Known(evidence=(evidence,))) == [made[2], made[0]]

    @pytest.mark.parametrize(
        ("name", "text", "least"), [("MAX_COMMITS", "-1", 0), ("COMMIT_INTERVAL", "0", 1), ("MAX_COMMITS", "many", 0)]
    )
    def test_a_variable_that_is_no_number(self, name: str, text: str, least: int, history: History) -> None:
        history.commit()
        with pytest.raises(UserError, match=f"{name}={text}: must be a whole number of at least {least}"):
            self.shas(history, environment={name: text})

    def test_the_test_bed(self) -> None:
        named = Config(project=Project(name="x", test_bed="configured"))
        for wanted, config, bed in (
            ({"test_bed_name": "wanted"}, named, "wanted"),
            ({}, named, "configured"),
            ({}, Config(project=Project(name="x")), "here"),
        ):
            planner = Planner(
                wanted=wanted,  # type: ignore[arg-type]
                config=config,
                environment={},
                test_bed="here",
                note=print,
                clock=Clock(),
            )
            assert planner.bed == bed


class TestWorkflowOf:
    """The workflow is that of the parameters, else of the environment, else of the configuration."""

    def test_precedence(self) -> None:
        config = Config(
            project=Project(name="x", repository="project/x"),
            schedule=Schedule(workflow_repository="configured/x", workflow="w.yml", ref="dev"),
        )
        lance, github = {"LANCE_BENCH_REPO": "lance/x"}, {"GITHUB_REPOSITORY": "github/x"}
        assert workflow_of({"workflow_repository": "wanted/x"}, config, lance).repository == "wanted/x"
        assert workflow_of({}, config, lance | github).repository == "lance/x"
        assert workflow_of({}, config, github).repository == "configured/x"
        bare = Config(project=config.project)
        assert workflow_of({}, bare, github).repository == "github/x"
        assert workflow_of({}, bare, {}).repository == "project/x"
        assert (workflow_of({}, config, {}).file, workflow_of({"ref": "r"}, config, {}).ref) == ("w.yml", "r")

    def test_none(self) -> None:
        with pytest.raises(UserError, match="where is the workflow"):
            workflow_of({}, Config(project=Project(name="x")), {})
