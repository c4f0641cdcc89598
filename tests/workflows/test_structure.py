"""Checks of the workflows without running them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from bench_db.ci.github.dispatch import shas_published
from tests.support.actions.definitions import ROOT, WORKFLOWS, definition, files, steps
from tests.support.actions.expressions import filled
from tests.workflows.world import EXECUTED, GRANTS, LEFT_OUT, SECRETS

STORIES = (
    "scheduled",
    "backfilled",
    "asked",
    "refused",
    "broken",
    "confirmed",
    "reported",
    "deployed",
    "pushed",
    "foreign",
    "released",
)
JOBS = {
    (Path(file).stem, name): job
    for file in files()
    if file.startswith(WORKFLOWS)
    for name, job in definition(ROOT, file)["jobs"].items()
}


def checks_out(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the inputs of each checkout of a job."""
    return [
        step.get("with", {}) for step in job.get("steps", []) if step.get("uses", "").startswith("actions/checkout@")
    ]


class TestEveryStep:
    """Every script of every workflow and action is executed by some test."""

    @pytest.mark.slow
    def test_none_is_forgotten(self, request: pytest.FixtureRequest) -> None:
        for story in STORIES:
            request.getfixturevalue(story)
        scripts = {id_ for id_, step in steps() if "run" in step}
        assert sorted(map(str, scripts - EXECUTED)) == sorted(map(str, LEFT_OUT))
        assert set(LEFT_OUT) <= scripts

    def test_ci_is_the_one_script_that_is_left_out(self) -> None:
        [left_out] = LEFT_OUT
        [step] = [step for id_, step in steps() if id_ == left_out]
        assert step["run"] == ".ci/run"
        assert os.access(ROOT / step["run"], os.X_OK)

    def test_no_expression_within_a_script(self) -> None:
        assert [str(id_) for id_, step in steps() if "${{" in step.get("run", "")] == []


class TestSecrets:
    """A job that checks out a commit to measure it has no secret, no environment and a read-only token."""

    def test_code_of_others_and_secrets_never_meet(self) -> None:
        measuring = {place for place, job in JOBS.items() if any("ref" in given for given in checks_out(job))}
        bench = {("run-rust-benchmarks", "measure"), ("run-python-benchmarks", "measure")}
        assert measuring == bench | {("run-benchmarks", "confirm")}
        for place in measuring | {("check", "check")}:  # which runs on pull requests of strangers
            assert "secrets." not in str(JOBS[place])
            assert "environment" not in JOBS[place]
            assert JOBS[place]["permissions"] == {"contents": "read"}

    def test_pull_requests_start_nothing_that_has_secrets(self) -> None:
        started = {
            file
            for file in files()
            if {"pull_request", "pull_request_target"} & set(definition(ROOT, file).get("on", {}))
        }
        assert started == {f"{WORKFLOWS}/check.yml"}

    def test_no_checkout_keeps_a_token(self) -> None:
        kept = [place for place, job in JOBS.items() for given in checks_out(job) if given.get("persist-credentials")]
        silent = [
            place for place, job in JOBS.items() for given in checks_out(job) if "persist-credentials" not in given
        ]
        assert (kept, silent) == ([], [])

    def test_no_development_package_stands_beside_a_secret(self) -> None:
        with_secrets = {place for place, job in JOBS.items() if "secrets." in str(job)}
        assert len(with_secrets) >= 8
        for file, name in with_secrets:
            workflow = definition(ROOT, f"{WORKFLOWS}/{file}.yml").get("env", {})
            assert {**workflow, **JOBS[file, name].get("env", {})}.get("UV_NO_DEV") == "1", (file, name)

    def test_only_the_report_may_write_checks(self) -> None:
        may = [place for place, job in JOBS.items() if "checks" in job.get("permissions", {})]
        assert may == [("run-benchmarks", "compare-and-comment")]

    def test_secrets_are_those_of_one_environment(self) -> None:
        using = {place: job for place, job in JOBS.items() if "secrets." in str(job) and "uses" not in job}
        assert [place for place, job in using.items() if job.get("environment") != "benchmarks"] == []

    def test_a_workflow_grants_nothing_by_itself(self) -> None:
        assert [file for file in files() if file.startswith(WORKFLOWS) and definition(ROOT, file)["permissions"]] == []


class TestConcurrency:
    """Every request runs: no waiting run is cancelled for a newer one."""

    def test_every_request_is_kept(self) -> None:
        groups = {
            Path(file).stem: definition(ROOT, file)["concurrency"]["group"]
            for file in files()
            if file.startswith(WORKFLOWS)
        }
        shared = {name for name, group in groups.items() if "github.run_id" not in group}
        # the newest replaces all
        assert shared == {"check", "publish-site", "regression-report", "schedule-benchmarks"}


class TestContract:
    """The names of lance-bench that others use: workflows, inputs, secrets and artifacts."""

    @pytest.mark.parametrize(
        ("workflow", "trigger", "inputs"),
        [
            ("schedule-benchmarks", "schedule", set()),
            ("schedule-benchmarks", "workflow_dispatch", set()),
            (
                "run-benchmarks",
                "workflow_dispatch",
                {"git_sha", "pr_number", "pr_repo", "run_rust", "run_python", "rust_crates"},
            ),
            ("run-rust-benchmarks", "workflow_call", {"git_sha", "crate_path", "pr_number"}),
            ("run-python-benchmarks", "workflow_call", {"git_sha", "pr_number"}),
            ("run-python-benchmarks", "workflow_dispatch", {"git_sha", "pr_number"}),
            ("regression-report", "workflow_dispatch", set()),
            ("comment-monitor", "repository_dispatch", set()),
            ("pr-benchmark-bot", "workflow_dispatch", {"pr_number", "pr_sha", "pr_repo"}),
        ],
    )
    def test_triggers_and_inputs(self, workflow: str, trigger: str, inputs: set[str]) -> None:
        on = definition(ROOT, f"{WORKFLOWS}/{workflow}.yml")["on"]
        body = on[trigger] if isinstance(on[trigger], dict) else {}
        declared = body.get("inputs", {})
        assert inputs <= set(declared)
        # callers with only these inputs can still start it
        assert [name for name in set(declared) - inputs if declared[name].get("required")] == []

    @pytest.mark.parametrize("workflow", ["run-rust-benchmarks", "run-python-benchmarks"])
    def test_secrets_that_callers_hand_over(self, workflow: str) -> None:
        secrets = definition(ROOT, f"{WORKFLOWS}/{workflow}.yml")["on"]["workflow_call"]["secrets"]
        assert {"LANCE_BENCH_DB_URI", "BENCH_S3_USER_ACCESS_KEY", "BENCH_S3_USER_SECRET_KEY"} <= set(secrets)

    @pytest.mark.parametrize(("number", "counted"), [("", frozenset({"a" * 40})), ("12", frozenset())])
    def test_the_name_of_a_run_says_whether_it_publishes(self, number: str, counted: frozenset[str]) -> None:
        inputs = {"git_sha": "a" * 40, "correlation_id": "c0", "pr_number": number}
        title = filled(definition(ROOT, f"{WORKFLOWS}/run-benchmarks.yml")["run-name"], {"inputs": inputs})
        assert title.split()[-2:] == ["a" * 40, "c0"]
        assert frozenset(shas_published(title)) == counted

    def test_the_scheduler_runs_every_six_hours(self) -> None:
        on = definition(ROOT, f"{WORKFLOWS}/schedule-benchmarks.yml")["on"]
        assert on["schedule"] == [{"cron": "0 */6 * * *"}]


class TestDocuments:
    """docs/how-to/ci.md names every secret that a workflow uses, and the permissions of its token."""

    def rows(self) -> dict[str, str]:
        page = (ROOT / "docs/how-to/ci.md").read_text("utf-8")
        return {name: row for row in page.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row)}

    def test_every_secret(self) -> None:
        used = {name for job in JOBS.values() for name in re.findall(r"secrets\.(\w+)", str(job))}
        assert used - set(self.rows()) == set()

    @pytest.mark.parametrize("name", ["SCHEDULER_GITHUB_TOKEN", "PR_COMMENT_TOKEN"])
    def test_the_tokens_of_the_tests_are_no_mightier(self, name: str) -> None:
        shown = {"actions": "Actions", "contents": "Contents", "pull-requests": "Pull requests"}
        shown["statuses"] = "Commit statuses"
        said = set(re.findall(r"\*([A-Z][\w ]+: \w+)\*", self.rows()[name]))
        assert said == {f"{shown[key]}: {level}" for key, level in GRANTS[SECRETS[name]][1].items()}
