from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db import connect
from bench_db.rules import RULES
from tests.workflows.conftest import strays

if TYPE_CHECKING:
    from tests.workflows.world import World

pytestmark = pytest.mark.slow


class TestComment:
    """A command in a comment, amid quotations and code, is acknowledged and starts one run."""

    def test_it_is_started(self, asked: World) -> None:
        run = asked.runs["comment"]
        assert run.results == {"answer": "success"}, run.logs
        inputs = asked.fake.runs[1000]["inputs"]
        del inputs["correlation_id"]
        assert inputs == {
            "git_sha": asked.ground.slow,
            "pr_number": "12",
            "pr_repo": "owner/name",
            "run_rust": "true",
            "run_python": "true",
            "rust_crates": "",
        }

    def test_the_acknowledgement_outlives_the_report(self, asked: World) -> None:
        kinds = [comment["body"].partition("\n")[0] for comment in asked.fake.comments]
        assert kinds == ["<!-- bench-db: acknowledgement -->", "<!-- bench-db: report -->"]
        text = asked.fake.comments[0]["body"]
        assert asked.ground.slow in text
        assert "Rust and Python" in text
        assert "https://github.test/runs/1000" in text


class TestRefusal:
    """A command that contradicts itself is answered with the reason and starts nothing."""

    def test_it_is_answered(self, refused: World) -> None:
        assert refused.runs["comment"].results == {"answer": "success"}, refused.runs["comment"].logs
        [answer] = refused.fake.comments
        assert answer["body"].startswith("<!-- bench-db: refusal -->")
        assert "contradict each other" in answer["body"]
        assert refused.fake.runs == {}


class TestReport:
    """Results of all suites are merged, held against the history up to the merge base, and reported in one place each."""

    def test_the_report(self, asked: World) -> None:
        run = asked.runs["reported"]
        assert run.conclusion == "success", run.logs
        body = asked.fake.comments[1]["body"]
        assert "⚠️ 8 benchmarks regressed" in body
        assert "+100.0 %" in body
        assert f"up to the merge base {asked.ground.commits[-2][: RULES.sha_length]}" in body
        assert "New: nothing to compare with yet (1)" in body
        assert "| 5 + 1 |" in body  # the newest commit of the main branch is no part of the baseline

    def test_the_verdict_is_a_check_on_the_commit(self, asked: World) -> None:
        [check] = asked.fake.checks
        assert (check["head_sha"], check["name"]) == (asked.ground.slow, "benchmarks")
        assert (check["status"], check["conclusion"]) == ("completed", "failure")
        assert check["output"]["title"] == "⚠️ 8 benchmarks regressed"
        assert "+100.0 %" in check["output"]["summary"]
        assert check["details_url"] == "https://github.test/owner/name/actions/runs/4"
        assert asked.fake.statuses == []

    def test_nothing_of_it_is_published(self, asked: World) -> None:
        for name in ("reported", "again"):
            assert {asked.runs[name].results[f"{job}/publish"] for job in ("rust(rust/io)", "python(python)")} == {
                "skipped"
            }
        assert not connect(asked.store).has(asked.ground.slow).present
        assert connect(asked.store).scan(["pr_number"]).collect()["pr_number"].null_count() == 5 * 8


class TestAgain:
    """Starting the bot again changes the same comment and the same check, and adds nothing."""

    def test_the_bot_starts_the_same(self, asked: World) -> None:
        assert asked.runs["bot"].results == {"dispatch": "success"}, asked.runs["bot"].logs
        first, second = (run["inputs"] for run in asked.fake.runs.values())
        assert {**first, "correlation_id": ""} == {**second, "correlation_id": ""}

    def test_one_of_each(self, asked: World) -> None:
        assert asked.runs["again"].conclusion == "success", asked.runs["again"].logs
        assert (len(asked.fake.comments), len(asked.fake.checks)) == (2, 1)
        assert asked.fake.asked(r"PATCH .*/issues/comments/2$") == asked.fake.asked(r"PATCH .*/check-runs/1$") == 1

    def test_merging_what_is_merged_adds_nothing(self, asked: World) -> None:
        for name in ("reported", "again"):
            log = asked.runs[name].logs["compare-and-comment", "Merge"]
            assert "Merged 9 rows into merged-results.lance (9 new)" in log

    def test_no_text_became_a_command(self, asked: World) -> None:
        assert strays(asked.platform.directory.parent) == []
