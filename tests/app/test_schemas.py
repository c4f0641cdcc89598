from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from bench_db.app.mirror import Mirrored, MirroredTable
from bench_db.app.schemas import schemas
from bench_db.report.document import DOCUMENT_VERSION, OLD_NAMES, versioned
from tests.app.recognising import repository
from tests.cli.conftest import bench_db, demo_once
from tests.cli.measured_histories import config
from tests.support.github_server import REPOSITORY, TOKEN, github_server
from tests.support.histories import History

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[1] / "data"
_BUILD = ("--dut-name", "d", "--dut-version", "1+1a2b3c4", "--dut-timestamp", "1780000000")
_STEP = "110aa08"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped measurements in a store, with a baseline, an artifact, an export and a second store."""
    root = tmp_path_factory.mktemp("answers")
    shutil.copytree(demo_once(tmp_path_factory).parent, root / "demo")
    (root / "job.log").write_text("log", "utf-8")
    history = History(root / "clone")
    for level in (9, 90):
        output = json.dumps({"results": [{"benchmark_name": "sum", "values_ns": [level, level + 1, level]}]})
        history.commit(f"level {level}", bench__py=f"print({output!r})")
    (root / "bench-db.toml").write_text(config(), "utf-8")
    shutil.copytree(root / "demo" / "store", root / "parts" / "one")
    return root


def _run_of(root: Path) -> str:
    listed = bench_db("run", "list", "--store", root / "demo" / "store", "--output", "json")
    return str(listed.document["runs"][0]["run"])


def _of_runs(run: str, store: tuple[object, ...]) -> Iterator[tuple[str, tuple[object, ...]]]:
    yield "run-list", ("run", "list", *store)
    yield "run-exclude", ("run", "exclude", "--commit", _STEP, "--reason", "r", "--dry-run", *store)
    yield "run-include", ("run", "include", "--commit", _STEP, "--dry-run", *store)
    yield "run-remove", ("run", "remove", "--commit", _STEP, *store)
    yield "run-show", ("run", "show", run, *store)
    yield "run-diff", ("run", "diff", run, run, *store)


def _answers(root: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    store = ("--store", root / "demo" / "store")
    new = ("--store", root / "new")
    output = DATA / "hyperfine" / "1.15.0" / "parameters.json"
    yield "publish", ("publish", output, *_BUILD, *new)
    yield "store-init", ("store", "init", *new)
    yield "latest", ("latest", *store)
    yield "trend", ("trend", "*query*", *store)
    yield "summary", ("summary", *store)
    yield "query", ("query", "SELECT median, run_time FROM results LIMIT 2", *store)
    yield "formats", ("formats",)
    yield "formats", ("formats", "--try", output)
    yield "frontier", ("frontier", "--x", "time", "--y", "user-time", "--by", "tool", "--at", "time=12ms", *new)
    yield from _of_runs(_run_of(root), store)
    yield "commits-list", ("commits", "list", *store)
    yield "commits-show", ("commits", "show", _STEP, *store)
    yield "has", ("has", _STEP, *store)
    yield "baseline-set", ("baseline", "set", "main", "d7fbbca", *store)
    yield "baseline-list", ("baseline", "list", *store)
    yield "compare", ("compare", _STEP, *store)
    yield "check", ("check", _STEP, "--threshold", "10", *store)
    yield "detect", ("detect", "*test_query[1]", *store)
    yield "scan", ("scan", *store)
    yield "show", ("show", _STEP, *store)
    yield "noise", ("noise", *store)
    yield "finding-list", ("finding", "list", *store)
    yield from _alarms(root)
    yield "finding-bless", ("finding", "bless", "7debefa6", *store)
    yield "site", ("site", root / "site", *new)
    yield "artifact-put", ("artifact", "put", root / "job.log", "--commit", "1a2b3c4", *new)
    yield "artifact-list", ("artifact", "list", *new)
    yield "artifact-get", ("artifact", "get", "0", root / "again.log", *new)
    for verb in ("availability", "info"):
        yield f"store-{verb}", ("store", verb, *store)
    yield "store-tag", ("store", "tag", "release", *new)
    yield "store-restore", ("store", "restore", "release", *new)
    yield "store-optimize", ("store", "optimize", *new)
    yield "store-verify", ("store", "verify", *new)
    yield "store-recompute", ("store", "recompute", *new)
    yield "store-export", ("store", "export", root / "exported", *new)
    yield from (
        ("store-copy", ("store", "copy", root / "new", root / "copy")),
        ("store-list", ("store", "list", root)),
    )
    yield "store-import", ("store", "import", root / "exported", "--store", root / "imported")
    yield "doctor", ("doctor", *new)
    yield "store-migrate", ("store", "migrate", *new)
    yield "store-upgrade", ("store", "upgrade", "--dry-run", *new)
    yield "baseline-show", ("baseline", "show", "main", *store)
    yield "baseline-clear", ("baseline", "clear", "main", *store)
    yield from _measuring(root)
    yield from _pull_requests(root)


def _alarms(root: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    file = root / "alarms.toml"
    file.write_text('[project]\nname = "demo"\n[[notify]]\nkind = "github"\nrepository = "o/n"\n', "utf-8")
    words = ("--dry-run", "--config", file, "--store", root / "demo" / "store")
    yield "notify", ("notify", *words)
    yield "finding-publish", ("finding", "publish", "--issues", REPOSITORY, *words)


def _measuring(root: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    configured = ("--config", root / "bench-db.toml")
    work = ("--clone", root / "clone", "--work-dir", root / "work", *configured)
    yield "suites", ("suites", *configured)
    repository(root / "fresh", {"bench.sh": "hyperfine --export-json r.json x\n", "Gemfile": "gem 'benchmark-ips'\n"})
    yield "init", ("init", root / "fresh", "--action", "o/n@1", "--dry-run")
    yield "ci", ("ci", "--checkout", root / "clone", *configured, "--store", root / "judged", "--scan")
    yield "backfill", ("backfill", *work, "--store", root / "measured")
    yield "commits-sync", ("commits", "sync", "--clone", root / "clone", "--store", root / "measured")
    for words in (
        ("join", "a", "b"),
        ("alias", "suite", "", "s"),
        ("pool", "ci"),
        ("better", "time", "info"),
        ("main", "d", "release"),
        ("metric", "doubled", "time * 2"),
        ("ignore", "smoke*"),
        ("threshold", "--relative", "5%"),
        ("list",),
        ("unmapped", "--field", "benchmark"),
        ("sync", *configured),
        ("end", "join", "a"),
    ):
        yield f"define-{words[0]}", ("define", *words, "--store", root / "measured")
    yield "annotate", ("annotate", "main", "release", "--clone", root / "clone", "--store", root / "measured")
    yield "bisect", ("bisect", "main~1", "main", "--benchmark", "sum", *work)
    yield "pairs", ("pairs", "main~1", "main", "--rounds", "2", "--control", *work)
    there = ("--workflow-repository", REPOSITORY, "--clone", root / "clone", "--range", "ALL")
    yield "schedule", ("schedule", *configured, *there, "--store", root / "new")


def _pull_requests(root: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    sha = "a" * 40
    comment = {"comment_body": "@bench-bot benchmark", "comment_user": "writer", "pr_number": 12, "pr_head_sha": sha}
    payload = json.dumps({**comment, "repository": REPOSITORY})
    file = root / "command.json"
    yield "pr-process-comment", ("pr", "process-comment", "--payload-json", payload, "--command-file", file)
    yield "pr-dispatch", ("pr", "dispatch", "--command-file", file, "--workflow-repository", REPOSITORY)
    yield "pr-comment", ("pr", "comment", "12", "--repo", REPOSITORY, "--body", "text")
    about = ("--repo", REPOSITORY, "--conclusion", "success", "--summary-file", root / "job.log")
    yield "pr-check", ("pr", "check", sha, *about)
    yield "pr-merge", ("pr", "merge", root / "parts", root / "merged")
    stores = ("--local-results", root / "merged", "--store", root / "demo" / "store")
    yield "pr-compare", ("pr", "compare", _STEP, "--pr", "12", *stores)
    # of another device, so nothing is measured
    asked = {"mode": "same", "base": sha, "head": "b" * 40, "flagged": [{"series": {}, "verdict": "regressed"}]}
    (root / "flagged.json").write_text(json.dumps(asked), "utf-8")
    files = (root / "flagged.json", "--outcomes", root / "outcomes.json", "--config", root / "bench-db.toml")
    yield "pr-confirm", ("pr", "confirm", *files)


@pytest.fixture(scope="module")
def documents(directory: Path) -> dict[str, Any]:
    """The real document of every verb that has a schema."""
    with github_server() as forge:
        forge.permissions = {"writer": "write"}
        forge.inputs |= {"pr_number", "pr_repo"}
        access = {"GITHUB_API_URL": forge.url, "GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": REPOSITORY}
        return _documents(directory, access)


def _documents(directory: Path, access: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, arguments in _answers(directory):
        words = list(arguments)
        if name == "artifact-get":
            words[2] = found["artifact-list"]["artifacts"][0]["sha256"]
        answer = bench_db(*words, "--output", "json", **access)
        assert answer.code in {0, 1}, (name, answer.err)
        found[name] = answer.document
    return found | {"demo": json.loads((directory / "demo" / "demo.json").read_text("utf-8")), "mirror": _mirrored()}


def _mirrored() -> dict[str, Any]:
    """Return a document of `mirror`, which needs a server; tests/cli/test_mirror.py has one from there."""
    counts = MirroredTable(rows=3, new=1, same=2)
    done = Mirrored(
        target="postgresql://host/db", schema="s", checked=True, tables={"runs": counts}, faults=("a fault",)
    )
    document: dict[str, Any] = json.loads(json.dumps(versioned(done.document)))
    return document


class TestSchemas:
    """What every verb prints is what its schema says, and each schema is the one of a real document."""

    def test_every_schema_has_a_real_document(self, documents: dict[str, Any]) -> None:
        assert set(documents) == set(schemas())

    @pytest.mark.parametrize("name", sorted(schemas()))
    def test_a_real_document_is_valid(self, name: str, documents: dict[str, Any]) -> None:
        schema = schemas()[name]
        Draft202012Validator.check_schema(schema)
        problems = [
            f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(documents[name])
        ]
        assert problems == []
        assert documents[name] not in ([], {})

    @pytest.mark.parametrize("name", sorted(schemas()))
    def test_a_key_too_many_is_not(self, name: str, documents: dict[str, Any]) -> None:
        if name in {"query", "run-show"}:
            return  # their columns are those of the query, and of the table
        document = documents[name]
        wrong = [{**document[0], "invented": 1}] if isinstance(document, list) else {**document, "invented": 1}
        assert list(Draft202012Validator(schemas()[name]).iter_errors(wrong))

    @pytest.mark.parametrize("name", ["latest", "trend", "summary"])
    def test_rows_have_the_version_and_the_old_names(self, name: str, documents: dict[str, Any]) -> None:
        row = documents[name][0]
        assert row["schema_version"] == DOCUMENT_VERSION
        for old, new in OLD_NAMES.items():
            assert row.get(old) == row.get(new)
        assert {"testbed_name", "version", "timestamp"} <= set(row)
