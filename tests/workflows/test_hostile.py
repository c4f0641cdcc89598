"""Texts of strangers reach programs as texts: no shell, step file or comment executes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workflows.conftest import comment, strays
from tests.workflows.world import Ground, World, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
TOUCH = "touch pwned; touch ../pwned"
# with any quotes of a shell
SHELL = f"""$({TOUCH})`{TOUCH}`'; {TOUCH}; '"; {TOUCH}; " """
HOSTILE = [
    SHELL,
    f"12\n{TOUCH}\n",
    "${{ secrets.PR_COMMENT_TOKEN }}",
    "x\nEOF\nshould_run=true\ncommit_sha=" + "b" * 40,
    "x\nshould_run<<EOF\ntrue\nEOF\n::set-output name=should_run::true",
    "--workflow-repository=evil/evil",
    "\N{RIGHT-TO-LEFT OVERRIDE}<!-- bench-db: report -->\n@everyone",
]


@pytest.fixture
def told(ground: Ground, tmp_path: Path) -> Iterator[World]:
    with world(ground, tmp_path, apart=True) as built:
        yield built


def unharmed(told: World) -> bool:
    """Return whether nothing was started or executed, and no secret was printed."""
    said = "".join(comment["body"] for comment in told.fake.comments)
    return not (told.fake.runs or strays(told.platform.directory.parent) or "the-comment-token" in said)


class TestComments:
    """The text of a comment, its author and its repository is never executed and never forges an output."""

    def test_a_command_with_hostile_words(self, told: World) -> None:
        for number, text in enumerate(HOSTILE):
            body = f"{text}\n@bench-bot benchmark --crate {text}"
            run = told.run(
                str(number), "comment-monitor", event="repository_dispatch", payload=comment(told.ground, body)
            )
            assert run.results == {"answer": "success"}, run.logs
            assert ("answer", "Start") not in run.logs
            assert unharmed(told)
        [answer] = told.fake.comments
        assert answer["body"].startswith("<!-- bench-db: refusal -->\nNothing was started")
        assert "@everyone" not in answer["body"]

    @pytest.mark.parametrize("field", ["user", "repository", "pr_number", "pr_head_sha"])
    def test_hostile_fields_beside_a_command(self, field: str, told: World) -> None:
        for number, text in enumerate(HOSTILE[:2]):
            payload = comment(told.ground, "@bench-bot benchmark", **{field: text})
            run = told.run(str(number), "comment-monitor", event="repository_dispatch", payload=payload)
            assert run.conclusion == (
                "success" if field == "user" else "failure"
            )  # a comment of a stranger is not an error
            assert unharmed(told)
        assert told.fake.comments == []

    def test_strangers_are_not_answered(self, told: World) -> None:
        for user in ("reader", "nobody"):
            payload = comment(told.ground, "@bench-bot benchmark --fast", user)
            assert (
                told.run(user, "comment-monitor", event="repository_dispatch", payload=payload).conclusion == "success"
            )
        assert unharmed(told)
        assert told.fake.comments == []


class TestBot:
    """A text in the inputs of a workflow is only an input."""

    @pytest.mark.parametrize("name", ["pr_number", "pr_sha", "pr_repo"])
    def test_hostile_inputs_of_the_bot(self, name: str, told: World) -> None:
        for number, text in enumerate(HOSTILE[:3]):
            inputs = {"pr_number": "12", "pr_sha": told.ground.slow, "pr_repo": "", name: text}
            told.run(str(number), "pr-benchmark-bot", inputs)
        dispatched = [run["inputs"] for run in told.fake.runs.values()]
        # only a repository is not validated here: its checkout refuses it
        assert [inputs["pr_repo"] for inputs in dispatched] == (HOSTILE[:3] if name == "pr_repo" else [])
        assert strays(told.platform.directory.parent) == []

    @pytest.mark.parametrize(
        "name", ["git_sha", "pr_number", "pr_repo", "rust_crates", "python_suites", "correlation_id"]
    )
    def test_hostile_inputs_of_a_measurement(self, name: str, told: World) -> None:
        inputs = {"git_sha": told.ground.slow, "pr_number": "12", "run_python": "false", "rust_crates": "rust/io"}
        run = told.run("measured", "run-benchmarks", {**inputs, name: SHELL})
        assert run.conclusion == ("success" if name == "correlation_id" else "failure"), run.logs
        assert strays(told.platform.directory.parent) == []
