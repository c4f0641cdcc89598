from __future__ import annotations

import re

import msgspec
import pytest
from packaging.requirements import Requirement

from bench_db.app.ci_files import (
    CRONS,
    SECRET_OF_ALARM,
    Alarm,
    Judging,
    Plan,
    configuration_text,
    github_text,
    gitlab_text,
)
from bench_db.app.sources import Evidence
from bench_db.app.tools import FoundSuite
from bench_db.schedule.config import Suite, parse
from tests.support.actions.definitions import ROOT

AWKWARD = 'a "b" \\ \x7f é #'
SUITE = FoundSuite(
    name="rust/io",
    tool="Criterion",
    suite=Suite(benchmark=AWKWARD, setup=["one", "two"], outputs=["x"], env={}),
    evidence=[Evidence(file="Cargo.toml", line=3, text="criterion")],
    note="look at it",
)


def plan(mode: Judging = "pairs", alarm: Alarm = "none", **stated: str) -> Plan:
    given = {"name": "p", "repository": "o/n", "branch": "main", "store": "s3://b/p", "cron": "17 3 * * *"}
    return Plan(**{**given, "source": "o/bench_db@abc123", **stated}, suites=[SUITE], mode=mode, alarm=alarm)


class TestConfiguration:
    """What is written reads back as it was meant, with the evidence as comments."""

    def test_awkward_texts(self) -> None:
        text = configuration_text(plan(name=AWKWARD), "bed")
        config = parse(text.encode(), "bench-db.toml")
        assert config.suite == {"rust/io": SUITE.suite}
        assert config.project.name == AWKWARD
        assert "# Criterion: Cargo.toml:3\n# look at it\n[suite." in text


ALARMS: tuple[Alarm, ...] = ("github", "gitlab", "slack", "teams", "webhook")


class TestAlarms:
    """A receiver is declared with the names of its secrets, which only the job that scans gets."""

    @pytest.mark.parametrize("alarm", ALARMS)
    def test_configuration(self, alarm: Alarm) -> None:
        [receiver] = parse(configuration_text(plan(alarm=alarm), "bed").encode(), "bench-db.toml").notify
        assert receiver.kind == alarm
        assert {receiver.address_env, receiver.token_env} - {""} == {*filter(None, [SECRET_OF_ALARM.get(alarm)])}

    def test_none(self) -> None:
        text = configuration_text(plan(), "bed")
        assert parse(text.encode(), "bench-db.toml").notify == []
        commented = text.partition("# [[notify]]")[2].replace("\n# ", "\n")
        assert [one.kind for one in parse(f"{text}[[notify]]{commented}".encode(), "bench-db.toml").notify] == ["slack"]

    @pytest.mark.parametrize("store", ["s3://b/p", "../benchmarks"])
    @pytest.mark.parametrize("alarm", ALARMS)
    def test_workflow(self, alarm: Alarm, store: str) -> None:
        job = msgspec.yaml.decode(github_text(plan(alarm=alarm, store=store)))["jobs"]["benchmarks"]
        environment = job["steps"][1].get("env", {})
        secret = SECRET_OF_ALARM.get(alarm)
        given = {name: text for name, text in environment.items() if not name.startswith("AWS_")}
        only = f"${{{{ github.event_name == 'schedule' && secrets.{secret} || '' }}}}"
        assert given == ({secret: only} if secret else {})
        assert job["permissions"].get("issues") == ("write" if alarm == "github" else None)


def test_pointers_name_pages_that_exist() -> None:
    pages = re.findall(r"docs/[\w/-]+\.md", configuration_text(plan(), "bed"))
    assert pages == ["docs/how-to/start.md", "docs/how-to/share.md"]
    assert "## Alarms" in (ROOT / pages[1]).read_text("utf-8")
    assert "bench-db.toml" in (ROOT / pages[0]).read_text("utf-8")


class TestGitHub:
    """The workflow is YAML whose texts stay texts."""

    def test_it_measures_main_and_pull_requests(self) -> None:
        whole = msgspec.yaml.decode(github_text(plan(branch='we"ird: #')))
        on = whole[True]
        assert on["push"]["branches"] == ['we"ird: #']
        assert on["schedule"] == [{"cron": "17 3 * * *"}]
        assert {"pull_request", "workflow_dispatch"} <= set(on)
        step = whole["jobs"]["benchmarks"]["steps"][1]
        assert step["uses"] == "o/bench_db/.github/actions/publish@abc123"
        assert step["with"]["store"] == "s3://b/p"

    def test_without_store_and_schedule(self) -> None:
        whole = msgspec.yaml.decode(github_text(plan(store="", cron="")))
        assert "schedule" not in whole[True]
        assert whole["jobs"]["benchmarks"]["steps"][1]["with"]["store"] == "${{ vars.BENCH_DB_URI }}"

    @pytest.mark.parametrize("store", ["s3://b/p", "../benchmarks"])
    def test_only_a_scheduled_job_has_the_address_of_a_receiver(self, store: str) -> None:
        text = github_text(plan(store=store))
        assert "SLACK_WEBHOOK: ${{ github.event_name == 'schedule' && secrets.SLACK_WEBHOOK || '' }}\n" in text
        assert '# issues: write # for a receiver "github" of bench-db.toml\n' in text

    def test_dependabot_has_no_secrets(self) -> None:
        assert (
            "&& github.actor != 'dependabot[bot]'"
            in msgspec.yaml.decode(github_text(plan()))["jobs"]["benchmarks"]["if"]
        )

    @pytest.mark.parametrize(("cron", "tells"), [("17 3 * * *", True), ("", False)])
    def test_it_names_receivers_only_where_it_tells_them(self, cron: str, *, tells: bool) -> None:
        text = github_text(plan(cron=cron))
        step = msgspec.yaml.decode(text)["jobs"]["benchmarks"]["steps"][1]
        assert ("receiver" in text, "SLACK_WEBHOOK" in text, "scan" in step["with"]) == (tells, tells, tells)

    def test_a_directory_needs_a_runner_of_ones_own_and_no_keys(self) -> None:
        job = msgspec.yaml.decode(github_text(plan(store="../benchmarks")))["jobs"]["benchmarks"]
        assert job["runs-on"] == "self-hosted"
        assert "env" not in job["steps"][1]

    def test_its_inputs_are_those_of_the_action(self) -> None:
        action = msgspec.yaml.decode((ROOT / ".github/actions/publish/action.yml").read_bytes())
        given = msgspec.yaml.decode(github_text(plan()))["jobs"]["benchmarks"]["steps"][1]["with"]
        assert set(given) <= set(action["inputs"])

    @pytest.mark.parametrize("mode", ["history", "pairs"])
    def test_how_pull_requests_are_judged(self, mode: Judging) -> None:
        assert msgspec.yaml.decode(github_text(plan(mode)))["jobs"]["benchmarks"]["steps"][1]["with"]["mode"] == mode
        assert msgspec.yaml.decode(gitlab_text(plan(mode)))["include"][0]["inputs"]["mode"] == mode

    def test_no_expression_is_in_a_script(self) -> None:
        assert "run:" not in github_text(plan())

    def test_actions_are_pinned_as_ours_are(self) -> None:
        [pin] = re.findall(r"uses: (actions/checkout@\S+ # \S+)", github_text(plan()))
        assert pin in (ROOT / ".github/workflows/run-benchmarks.yml").read_text("utf-8")


class TestGitLab:
    """The pipeline includes the shipped template with its inputs."""

    def test_its_inputs_are_those_of_the_template(self) -> None:
        template = (ROOT / "templates/bench-db.yml").read_text("utf-8")
        declared = msgspec.yaml.decode(template.partition("\n---\n")[0])["spec"]["inputs"]
        [include] = msgspec.yaml.decode(gitlab_text(plan()))["include"]
        assert (include["project"], include["ref"]) == ("o/bench_db", "abc123")
        assert set(include["inputs"]) <= set(declared)
        assert include["inputs"]["store"] == "s3://b/p"

    def test_a_bucket_can_be_opened(self) -> None:
        """The tests run with all extras, so nothing else would miss the one that a bucket needs."""
        [include] = msgspec.yaml.decode(gitlab_text(plan()))["include"]
        assert Requirement(
            include["inputs"]["requirement"].replace("$CI_SERVER_URL", "https://gitlab.test")
        ).extras == {"s3"}
        assert " --extra s3 " in (ROOT / ".github/actions/publish/action.yml").read_text("utf-8")


@pytest.mark.parametrize("name", ["nightly", "weekly"])
def test_schedules_are_off_the_hour(name: str) -> None:
    minute, *rest = CRONS[name].split()
    assert minute != "0"
    assert len(rest) == 4
