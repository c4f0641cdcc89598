"""The conversation on a pull request, with a server that behaves as GitHub does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench_db.app.pull_requests import check, comment, configuration_in_ci, dispatch, order_document, process_comment
from bench_db.errors import UserError
from bench_db.model import Order
from bench_db.schedule.config import Config, Project
from tests.support.github_server import REPOSITORY, TOKEN, FakeGitHub

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.app.pull_requests import Decision

SHA = "a" * 40


@pytest.fixture(autouse=True)
def prepared(fake: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fake.permissions = {"writer": "write", "reader": "read"}
    fake.inputs |= {"pr_number", "pr_repo"}


def environment(fake: FakeGitHub) -> dict[str, str]:
    return {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": fake.url, "GITHUB_REPOSITORY": REPOSITORY}


def decided(fake: FakeGitHub, body: str, user: str = "writer", **more: object) -> Decision:
    base = {"comment_body": body, "comment_user": user, "pr_number": 12, "pr_head_sha": SHA, "repository": REPOSITORY}
    return process_comment(json.dumps(base | more), environment=environment(fake))


class TestProcessComment:
    """A command of a permitted user becomes an order, an invalid one an answer; other comments lead to nothing."""

    @pytest.mark.parametrize("user", ["writer", "author"])
    def test_an_order(self, user: str, fake: FakeGitHub) -> None:
        decision = decided(fake, "@bench-bot benchmark --python-only", user)
        assert decision.order is not None
        assert (decision.order.commit_sha, decision.order.pr_number, decision.order.user) == (SHA, 12, user)
        assert decision.order.kinds == ("python",)
        assert decision.outputs["should_run"] == "true"
        assert json.loads(decision.outputs["config"]) == decision.document

    @pytest.mark.parametrize("user", ["reader", "stranger"])
    def test_others_get_no_answer(self, user: str, fake: FakeGitHub) -> None:
        decision = decided(fake, "@bench-bot benchmark", user)
        assert (decision.order, decision.outputs) == (None, {"should_run": "false", "answer": ""})

    def test_a_contradiction_is_answered(self, fake: FakeGitHub) -> None:
        decision = decided(fake, "@bench-bot benchmark --rust-only --python-only")
        assert decision.order is None
        assert decision.outputs["should_run"] == "false"
        assert "contradict" in decision.outputs["answer"]

    def test_prose_sends_no_request(self, fake: FakeGitHub) -> None:
        assert decided(fake, "looks good").order is None
        assert fake.requests == []

    @pytest.mark.parametrize(
        ("more", "words"),
        [({"pr_head_sha": "main"}, "is not a full commit id"), ({"pr_number": "one"}, "is not the payload")],
    )
    def test_an_invalid_payload(self, more: dict[str, object], words: str, fake: FakeGitHub) -> None:
        with pytest.raises(UserError, match=words):
            decided(fake, "@bench-bot benchmark", **more)  # type: ignore[arg-type]
        assert fake.requests == []

    def test_a_comment_of_another_repository(self, fake: FakeGitHub) -> None:
        with pytest.raises(UserError, match="the comment is of other/name"):
            decided(fake, "@bench-bot benchmark", repository="other/name")


class TestDispatch:
    """An order starts the run that it describes, from its file as from its numbers."""

    def test_from_the_file(self, fake: FakeGitHub, tmp_path: Path) -> None:
        decision = decided(fake, "@bench-bot benchmark --python-only")
        (tmp_path / "command.json").write_text(json.dumps(decision.document))
        started = dispatch(command_file="command.json", environment=environment(fake))
        inputs = fake.runs[started.run.run_id]["inputs"]
        assert {name: inputs[name] for name in started.inputs} == started.inputs
        assert (inputs["git_sha"], inputs["pr_number"]) == (SHA, "12")
        assert (inputs["run_python"], inputs["run_rust"]) == ("true", "false")

    def test_from_numbers(self, fake: FakeGitHub) -> None:
        started = dispatch(pr_number=12, sha=SHA, environment=environment(fake))
        assert (started.inputs["git_sha"], started.inputs["pr_repo"]) == (SHA, REPOSITORY)

    def test_incomplete(self, fake: FakeGitHub, tmp_path: Path) -> None:
        (tmp_path / "command.json").write_text('{"commit_sha": 7}')
        for given, words in (
            ({"pr_number": 12}, "give `command_file`, or"),
            ({"pr_number": 12, "sha": "main"}, "'main' is not a full commit id"),
            ({"command_file": "command.json"}, "not a command that process-comment wrote"),
        ):
            with pytest.raises(UserError, match=words):
                dispatch(**given, environment=environment(fake))
        assert fake.runs == {}


class TestAnswers:
    """An answer replaces the earlier one of its kind or name, and another kind stays beside it."""

    def test_comment(self, fake: FakeGitHub) -> None:
        first = comment(12, "one", environment=environment(fake))
        assert comment(12, "two", environment=environment(fake)) == first
        comment(12, "no", kind="refusal", environment=environment(fake))
        comment(12, "three", update=False, environment=environment(fake))
        assert [word in posted["body"] for word, posted in zip(("two", "no", "three"), fake.comments, strict=True)] == [
            True,
            True,
            True,
        ]

    def test_check(self, fake: FakeGitHub) -> None:
        for conclusion in ("failure", "success"):
            check(SHA, conclusion=conclusion, summary=f"was a {conclusion}", environment=environment(fake))
        (posted,) = fake.checks
        assert (posted["head_sha"], posted["name"], posted["conclusion"]) == (SHA, "benchmarks", "success")
        assert posted["output"]["summary"] == "was a success"
        check(SHA, conclusion="failure", summary="s", as_status=True, environment=environment(fake))
        assert [status["state"] for status in fake.statuses] == ["failure"]

    def test_an_unknown_conclusion(self, fake: FakeGitHub) -> None:
        with pytest.raises(ValueError, match="'perfect' is not a valid Conclusion"):
            check(SHA, conclusion="perfect", summary="s", environment=environment(fake))


class TestDocument:
    """The document of an order says of each kind whether it runs; no kind means all of them."""

    def test_kinds(self) -> None:
        config = Config(project=Project(name="x"))
        order = Order(commit_sha=SHA, pr_number=1, pr_repo="o/x", suites=("s",))
        runs = {f"run_{kind}" for kind in config.schedule.kinds}
        every = order_document(order, config)
        assert {name for name in runs if every[name]} == runs
        assert every["crates"] == ["s"]
        one = order_document(Order(commit_sha=SHA, pr_number=1, pr_repo="o/x", kinds=("rust",)), config)
        assert {name for name in runs if one[name]} == {"run_rust"}

    def test_the_repository_of_the_job(self) -> None:
        assert configuration_in_ci(None, {"GITHUB_REPOSITORY": "o/x"}).project == Project(name="x", repository="o/x")
