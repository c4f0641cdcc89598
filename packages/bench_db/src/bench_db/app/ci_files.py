"""The files that `init` writes: bench-db.toml, and the workflow or pipeline that measures, compares and gates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from msgspec import structs

from bench_db.app.tools import FoundSuite
from bench_db.schedule.config import FILE, Suite, toml_path

Judging = Literal["history", "pairs"]
"""How a pull request is judged: one run of it with the stored history, or in alternation with its merge base."""
GITHUB_FILE, GITLAB_FILE = ".github/workflows/benchmarks.yml", ".gitlab-ci.yml"
VARIABLE = "BENCH_DB_URI"
Alarm = Literal["none", "github", "gitlab", "slack", "teams", "webhook"]
"""Who gets messages about findings; other kinds of receivers need more than the name of a variable."""
# The variable with the address, or the token, of each kind of receiver; GitHub's token comes with the job.
SECRET_OF_ALARM: Mapping[Alarm, str] = {
    "slack": "SLACK_WEBHOOK",
    "teams": "TEAMS_WEBHOOK",
    "webhook": "BENCH_DB_WEBHOOK",
    "gitlab": "BENCH_DB_GITLAB_TOKEN",
}
# Only the job that scans sends messages; the jobs of pull requests, whose code may be anybody's, do not get the address.
_ALARMS_OF_GITHUB = """\
          # for a receiver of {file}, in the jobs that scan and in no other
          {comment}{name}: ${{{{ github.event_name == 'schedule' && secrets.{name} || '' }}}}
"""
CRONS = {"nightly": "17 3 * * *", "weekly": "17 3 * * 1", "never": ""}
_HOW = {
    "history": "All are compared with the history.",
    "pairs": "These are measured in alternation with their merge base, the others are compared with the history.",
}
_CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
_SECRETS = {
    "AWS_ACCESS_KEY_ID": "BENCH_S3_USER_ACCESS_KEY",
    "AWS_SECRET_ACCESS_KEY": "BENCH_S3_USER_SECRET_KEY",
    "AWS_DEFAULT_REGION": "BENCH_S3_REGION",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the files state: the project, its suites, the store (empty: that of the variable BENCH_DB_URI), and when to measure.

    `source` is the repository with the action or template, OWNER/NAME@REF. `cron` is empty for no schedule. `mode` is how pull
    requests are judged, and `alarm` who gets messages about findings.
    """

    name: str
    repository: str
    branch: str
    suites: Sequence[FoundSuite]
    store: str
    cron: str
    source: str
    mode: Judging = "pairs"
    alarm: Alarm = "none"

    @property
    def is_directory(self) -> bool:
        """Whether the store is a directory, which only a runner of one's own keeps."""
        return bool(self.store) and "://" not in self.store


def configuration_text(plan: Plan, test_bed: str) -> str:
    """Return the text of bench-db.toml."""
    project = {"name": plan.name, "repository": plan.repository, "branch": plan.branch, "test_bed": test_bed}
    head = [f"# What bench_db measures. docs/how-to/start.md of bench_db explains every key of {FILE}.", "[project]"]
    parts = ["\n".join([*head, *(_assigned(name, value) for name, value in project.items() if value)])]
    for found in plan.suites:
        notes = [
            *(f"# {found.tool}: {one.file}:{one.line}" for one in found.evidence),
            *(f"# {one}" for one in (found.note, found.assumed) if one),
        ]
        stated = {
            name: value
            for name, value in structs.asdict(found.suite).items()
            if value != structs.asdict(_PLAIN)[name] or name == "benchmark"
        }
        table = f"[{toml_path('suite', found.name)}]"
        parts.append("\n".join([*notes, table, *(_assigned(name, value) for name, value in stated.items())]))
    return "\n\n".join([*parts, _receiver_text(plan.alarm)]) + "\n"


def _receiver_text(alarm: Alarm) -> str:
    """Return the receiver of messages, as a comment when there is none."""
    kind: Alarm = "slack" if alarm == "none" else alarm
    key, what = ("token_env", "token") if kind == "gitlab" else ("address_env", "address")
    secret = SECRET_OF_ALARM.get(kind)
    table = ["[[notify]]", f"kind = {_basic(kind)}"]
    table += [f"{key} = {_basic(secret)} # the name of the variable with the {what}"] if secret else []
    about = '# Who gets a message about what a scan finds; docs/how-to/share.md of bench_db, "Alarms", has mail and other receivers.'
    return "\n".join([about, *(f"{'# ' * (alarm == 'none')}{line}" for line in table)])


_PLAIN = Suite(benchmark="-")


def _assigned(key: str, value: object) -> str:
    if isinstance(value, list) and len(value) > 1:
        return f"{key} = [\n" + "".join(f"    {_basic(each)},\n" for each in value) + "]"
    return f"{key} = {_basic(value)}"


def _basic(value: object) -> str:
    """Return a text, or a list of texts, as TOML: the escapes of JSON, and that of DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def github_text(plan: Plan) -> str:
    """Return the workflow for GitHub Actions."""
    repository, _, ref = plan.source.partition("@")
    schedule = f"  schedule:\n    - cron: {_quoted(plan.cron)}\n" if plan.cron else ""
    runner = "self-hosted # the store is a directory of this machine" if plan.is_directory else "ubuntu-latest"
    store = _quoted(plan.store) if plan.store else f"${{{{ vars.{VARIABLE} }}}}"
    keys = "".join(f"          {name}: ${{{{ secrets.{secret} }}}}\n" for name, secret in _SECRETS.items())
    secret = SECRET_OF_ALARM.get("slack" if plan.alarm == "none" else plan.alarm) if plan.cron else None
    is_none = plan.alarm == "none"
    alarms = _ALARMS_OF_GITHUB.format(file=FILE, name=secret, comment="# " * is_none) if secret else ""
    if plan.is_directory:
        secrets = f"        {'# ' * is_none}env:\n{alarms}" if alarms else ""
    else:
        secrets = f"        env: # secrets of the repository\n{keys}{alarms}"
    scan = (
        f"          scan: ${{{{ github.event_name == 'schedule' }}}} # and sends messages to the receivers of {FILE}\n"
        if plan.cron
        else ""
    )
    comment = "" if plan.alarm == "github" else "# "
    issues = f'      {comment}issues: write # for a receiver "github" of {FILE}\n' if plan.cron else ""
    return f"""\
# Measures the suites of {FILE} at every commit of the main branch and of pull requests. {_HOW[plan.mode]}
name: Benchmarks

on:
  push:
    branches: [{_quoted(plan.branch)}]
  pull_request:
{schedule}  workflow_dispatch:

permissions: {{}}

concurrency: # a newer commit of a pull request replaces the older one; every commit of the main branch is measured
  group: benchmarks-${{{{ github.event.pull_request.number || github.run_id }}}}
  cancel-in-progress: true

jobs:
  benchmarks:
    name: Benchmarks
    # a fork and Dependabot have no access to the store, and their code none to a machine of yours
    if: github.event_name != 'pull_request' || (github.event.pull_request.head.repo.full_name == github.repository && github.actor != 'dependabot[bot]')
    runs-on: {runner}
    timeout-minutes: 240
    permissions:
      contents: read # the checkout
      pull-requests: write # the comment
{issues}    steps:
      - name: Check out
        uses: {_CHECKOUT}
        with:
          ref: ${{{{ github.event.pull_request.head.sha || github.sha }}}}
          fetch-depth: 0 # the order of commits, and the merge base
          persist-credentials: false
      - name: Measure, publish, compare and gate
        uses: {repository}/.github/actions/publish@{ref}
        with:
          store: {store}
          mode: {plan.mode}
{scan}{secrets}"""


def gitlab_text(plan: Plan) -> str:
    """Return the pipeline for GitLab CI."""
    repository, _, ref = plan.source.partition("@")
    store = f"      store: {_quoted(plan.store)}\n" if plan.store else ""
    return f"""\
# Measures the suites of {FILE} at every commit of the main branch and of merge requests. {_HOW[plan.mode]}
# A scheduled pipeline scans the history, too, and sends messages to the receivers of {FILE}, which name CI/CD variables.
include:
  - project: {_quoted(repository)}
    ref: {_quoted(ref)}
    file: /templates/bench-db.yml
    inputs:
      requirement: "bench-db[s3] @ git+$CI_SERVER_URL/{repository}@{ref}#subdirectory=packages/bench_db"
      mode: {plan.mode}
{store}"""


def _quoted(text: str) -> str:
    """Return a text as a YAML scalar in double quotes."""
    return json.dumps(text, ensure_ascii=False)
