"""The GitLab template, acted out: its inputs become variables, and its script runs in a clone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bench_db import connect
from tests.cli.commands import bench_db
from tests.support.actions.definitions import ROOT
from tests.support.histories import IDENTITY, History
from tests.workflows.conftest import strays

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = ROOT / "templates/bench-db.yml"
HOSTILE = "a\"b'c;$(touch${IFS}pwned)`touch${IFS}pwned`"
BENCH = """\
import json, pathlib, random
level = float(pathlib.Path("level.txt").read_text()) * (100 + random.random())
pathlib.Path("results.json").write_text(json.dumps({"results": [{"benchmark_name": "sum", "values_ns": [level, level * 1.01, level * 0.99]}]}))
"""
CONFIG = """\
[project]
name = "p"
test_bed = "gitlab"
[suite.sums]
benchmark = "{python} bench.py"
outputs = ["results.json"]
format = "values-ns"
"""
# `python3 -m venv DIR`, the pip in it, and the bench-db that pip would install
PYTHON = f"""#!/bin/sh
if [ "$1 $2" = '-m venv' ]; then
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && ln -s '{sys.prefix}/bin/bench-db' "$3/bin/bench-db"
else
    echo "$@" >> '{{installed}}'
fi
"""


def template() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the inputs and the job."""
    head, _, body = TEMPLATE.read_text("utf-8").partition("\n---\n")
    return msgspec.yaml.decode(head)["spec"]["inputs"], msgspec.yaml.decode(body)["benchmarks"]


def job(checkout: Path, tools: Path, inputs: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the job with GitLab's variables."""
    declared, whole = template()
    given = {name: inputs.get(name, spec["default"]) for name, spec in declared.items()}
    own = {name: str(value) for name, value in whole["variables"].items()}
    for name, value in given.items():
        own = {key: text.replace(f"$[[ inputs.{name} ]]", value) for key, text in own.items()}
    own = {key: variables.get(text.removeprefix("$"), text) for key, text in own.items()}
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    fixed = {
        "GITLAB_CI": "true",
        "CI_PROJECT_DIR": str(checkout),
        "PATH": path,
        "HOME": str(checkout.parent),
        "LANG": "C.UTF-8",
    }
    return subprocess.run(
        ["sh", "-ec", "\n".join(whole["script"])],
        cwd=checkout,
        env={**fixed, **IDENTITY, **variables, **own},
        capture_output=True,
        text=True,
        check=False,
    )


class TestTemplate:
    """Inputs reach the script as variables only."""

    def test_no_input_is_text_of_the_script(self) -> None:
        _, whole = template()
        assert "inputs." not in "".join(whole["script"])

    def test_every_input_is_used(self) -> None:
        declared, whole = template()
        assert [name for name in declared if f"$[[ inputs.{name} ]]" not in msgspec.json.encode(whole).decode()] == []


@pytest.mark.slow
def test_main_and_a_merge_request(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").write_text(PYTHON.format(installed=tools / "installed"))
    (tools / "python3").chmod(0o755)
    history = History(tmp_path / "origin")
    texts = {
        "bench__py": BENCH,
        "bench-db__toml": CONFIG,
        "level__txt": "1",
        "__gitignore": "results.json\n.bench-db*\n",
    }
    commits = [history.commit("first", **texts), *(history.commit(f"{number}") for number in range(6))]
    store = tmp_path / "store"
    words = ("--range", ",".join(commits[:-1]), "--store", store, "--fail-on-error")
    assert bench_db("backfill", *words, cwd=history.path).returncode == 0
    history.git("clone", "--quiet", str(history.path), str(tmp_path / "checkout"))
    checkout = History(tmp_path / "checkout")
    inputs = {"requirement": "git+https://gitlab.test/me/bench_db@1"}
    main = {
        "BENCH_DB_URI": str(store),
        "CI_COMMIT_SHA": commits[-1],
        "CI_COMMIT_BRANCH": "main",
        "CI_DEFAULT_BRANCH": "main",
    }
    done = job(checkout.path, tools, inputs, **main)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout
    checkout.git("checkout", "--quiet", "-b", "topic")
    slow = checkout.commit("slow", level__txt="2")
    request = {
        "BENCH_DB_URI": str(store),
        "CI_COMMIT_SHA": slow,
        "CI_MERGE_REQUEST_IID": "12",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": HOSTILE,
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_TITLE": HOSTILE,
    }
    done = job(checkout.path, tools, inputs, **request)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the merge base with main" in done.stdout
    assert "1 benchmark regressed" in (checkout.path / "bench-db-report.md").read_text()
    assert set(connect(store).latest()["commit"]) == {commits[-1]}  # the merge request is no part of main
    # in pairs the same merge request needs no history
    new = {**request, "BENCH_DB_URI": str(tmp_path / "new")}
    done = job(checkout.path, tools, {**inputs, "mode": "pairs"}, **new)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 benchmark regressed, in pairs" in (checkout.path / "bench-db-report.md").read_text()
    # the environment of the first job is used again
    assert (tools / "installed").read_text().splitlines() == [f"-m pip install --quiet {inputs['requirement']}"]
    assert strays(tmp_path) == []
