"""The runner of workflows, compared with the documentation of GitHub."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.actions.expressions import filled, holds
from tests.support.actions.inputs import WorkflowError, completed
from tests.support.actions.machine import commands
from tests.support.actions.runner import Platform, Run
from tests.support.histories import History

CONTEXT: dict[str, Any] = {
    "github": {"repository": "Owner/Name", "event": {"client_payload": {"text": "it's ${{ github.token }}"}}},
    "inputs": {"flag": False, "on": True, "empty": "", "text": "a,b"},
    "matrix": {"suite": {"name": "rust/io"}},
    "items": ["one", "two"],
    "status": {"success": False, "failure": True, "always": True, "cancelled": False},
}


class TestExpressions:
    """Values and truth follow the documentation of GitHub."""

    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("inputs.empty || 'NEW'", "NEW"),
            ("inputs.absent.deeper || github.repository", "Owner/Name"),
            ("inputs.flag && 'a' || 'b'", "b"),
            ("inputs.on && '' || 'b'", "b"),
            ("inputs.on && inputs.text", "a,b"),
            ("github.repository == 'owner/NAME'", True),
            ("null == ''", True),
            ("'abc' == 0", False),
            ("'1' == 1", True),
            ("inputs.flag == 0", True),
            ("'' != inputs.text && !cancelled()", True),
            ("!(1 < 2) || 3 >= 3", True),
            ("contains(inputs.text, 'A') && contains(items, 'TWO')", True),
            ("startsWith('refs/heads/main', 'refs/')", True),
            ("endsWith('a.yml', '.yaml')", False),
            ("format('{0}-{1}', 'a', 2)", "a-2"),
            ("join(items, '+')", "one+two"),
            ("fromJSON('[1, {\"a\": 2}]')[1].a", 2),
            ("matrix['suite'].name", "rust/io"),
            ("items[1]", "two"),
            ("items[9]", None),
            ("'it''s'", "it's"),
            ("toJSON(matrix.suite)", '{\n  "name": "rust/io"\n}'),
        ],
    )
    def test_values(self, expression: str, value: Any) -> None:
        assert filled(f"${{{{ {expression} }}}}", CONTEXT) == value

    def test_within_a_text(self) -> None:
        assert filled("x ${{ inputs.on }} ${{ null }} ${{ 1.5 }}", CONTEXT) == "x true  1.5"

    def test_a_value_is_not_evaluated_again(self) -> None:
        assert filled("${{ github.event.client_payload.text }}!", CONTEXT) == "it's ${{ github.token }}!"

    @pytest.mark.parametrize(
        ("condition", "met"),
        [
            (None, False),
            ("inputs.on", False),
            ("${{ inputs.on && failure() }}", True),
            ("!cancelled()", True),
            ("always() && inputs.flag", False),
            ("${{ !cancelled() && matrix.suite.name == 'rust/io' }}", True),
        ],
    )
    def test_a_condition_asks_for_success_unless_it_asks_for_a_status(self, condition: Any, met: bool) -> None:  # noqa: FBT001
        assert holds(condition, CONTEXT) is met


class TestFiles:
    """The files that pass values from a step to the next."""

    def test_values_of_one_line_and_of_several(self) -> None:
        assert commands("a=1=2\nb<<END\nx\ny=<<z\nEND\nc=\n") == {"a": "1=2", "b": "x\ny=<<z", "c": ""}

    def test_a_value_that_never_ends(self) -> None:
        with pytest.raises(ValueError, match="no line 'END'"):
            commands("a<<END\nx\n")


class TestInputs:
    """A workflow that GitHub refuses to start is refused."""

    DECLARED: dict[str, Any] = {  # noqa: RUF012 read only
        "sha": {"type": "string", "required": True},
        "dry": {"type": "boolean", "default": False},
        "order": {"type": "choice", "options": ["a", "b"], "default": "b"},
    }

    def test_completed_by_type(self) -> None:
        found = completed(self.DECLARED, {"sha": "1", "dry": "true"})
        assert found == {"sha": "1", "dry": True, "order": "b"}

    @pytest.mark.parametrize(
        "given", [{}, {"sha": ""}, {"sha": "1", "other": "2"}, {"sha": "1", "dry": "yes"}, {"sha": "1", "order": "c"}]
    )
    def test_refused(self, given: dict[str, str]) -> None:
        with pytest.raises(WorkflowError):
            completed(self.DECLARED, given)


WORKFLOW = """\
name: Test
on: push
permissions: {}
env: {LEVEL: workflow, WORKFLOW: w}
jobs:
  first:
    environment: place
    env: {LEVEL: job}
    outputs: {said: "${{ steps.say.outputs.said }}"}
    steps:
      - uses: actions/checkout@x
      - id: say
        env: {LEVEL: step}
        run: |
          echo "said=$LEVEL $WORKFLOW ${{ secrets.KEY }}" >> "$GITHUB_OUTPUT"
          echo "LATER=yes" >> "$GITHUB_ENV"
          mkdir .hidden kept; touch .hidden/file kept/.file kept/file
          echo summary >> "$GITHUB_STEP_SUMMARY"
      - run: "false"
        continue-on-error: true
      - run: test "$LATER $LEVEL" = "yes job" && grep -q workflow-token .git/config
      - uses: actions/upload-artifact@x
        with: {name: all, path: .}
  second:
    needs: first
    steps:
      - uses: actions/download-artifact@x
        with: {pattern: a*, path: got}
      - run: test -f got/all/kept/file -a ! -e got/all/kept/.file -a ! -e got/all/.hidden -a ! -e got/all/.git
      - run: test "$SAID" = "step w hush" -a "$KEY" = ""
        env: {SAID: "${{ needs.first.outputs.said }}", KEY: "${{ secrets.KEY }}"}
      - run: nonsense
      - run: touch not-reached
      - if: failure()
        run: touch reached
  third:
    needs: [first, second]
    steps:
      - run: "true"
  fourth:
    needs: third
    if: always()
    strategy: {matrix: {a: [1, 2], b: [x]}}
    steps:
      - run: test "${{ matrix.a }}${{ matrix.b }}" = 1x
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("run")
    history = History(directory / "repository")
    (history.path / ".github/workflows").mkdir(parents=True)
    (history.path / ".github/workflows/test.yml").write_text(WORKFLOW)
    history.commit()
    repositories = {"owner/name": history.path}
    environments = {"place": {"KEY": "hush"}}
    platform = Platform(
        directory=directory / "runs", repository="owner/name", repositories=repositories, environments=environments
    )
    return platform.run("test", event="push")


class TestRun:
    """Jobs, steps and their values behave as on GitHub."""

    def test_results(self, run: Run) -> None:
        assert run.results == {
            "first": "success",
            "second": "failure",
            "third": "skipped",
            "fourth(1, x)": "success",
            "fourth(2, x)": "failure",
        }, run.logs
        assert run.conclusion == "failure"

    def test_after_a_failure_only_what_asks_for_it(self, run: Run) -> None:
        workspace = run.machines["second"].workspace
        assert {path.name for path in workspace.iterdir()} == {"got", "reached"}

    def test_the_summary(self, run: Run) -> None:
        assert run.summary == "summary\n"
