import pytest

from bench_db.ci.environment import ci_provenance

JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "3",
    "GITHUB_REPOSITORY": "owner/name",
    "GITHUB_WORKFLOW": "Benchmarks",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REF": "refs/pull/7/merge",
    "GITHUB_SHA": "a" * 40,
}


class TestCiProvenance:
    """The fields describe the job of GitHub Actions, never the commit; outside of a job there are none."""

    def test_a_job_of_a_pull_request(self) -> None:
        assert ci_provenance(JOB) == {
            "run_id": "42",
            "attempt": 3,
            "repository": "owner/name",
            "workflow": "Benchmarks",
            "run_url": "https://github.example/owner/name/actions/runs/42",
            "pr_number": 7,
        }

    @pytest.mark.parametrize("value", ["", "false", "1"])
    def test_outside_of_a_job(self, value: str) -> None:
        assert ci_provenance(JOB | {"GITHUB_ACTIONS": value}) == {}
        assert ci_provenance({}) == {}

    @pytest.mark.parametrize("ref", ["", "refs/heads/main", "refs/heads/refs/pull/7/merge", "refs/pull/x/merge"])
    def test_a_job_of_no_pull_request(self, ref: str) -> None:
        assert ci_provenance(JOB | {"GITHUB_REF": ref})["pr_number"] is None

    @pytest.mark.parametrize("name", ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"])
    def test_an_incomplete_address_is_none(self, name: str) -> None:
        assert ci_provenance(JOB | {name: ""})["run_url"] is None

    def test_the_first_attempt_needs_no_number(self) -> None:
        assert ci_provenance({"GITHUB_ACTIONS": "true"})["attempt"] == 1
