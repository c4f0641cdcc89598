"""What a store and the exports of an earlier release must answer to the present code, whatever columns came since.

`python -c "from tests.store import releases; releases.main()" RELEASE DIRECTORY` checks everything, with whatever bench_db is
imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import polars as pl

from bench_db.arrow import ROW_CHECKSUM
from bench_db.model import Baseline, Finding, Result, Run
from bench_db.query.selection import Selection
from bench_db.store import migrations
from bench_db.store.database import Database, connect
from bench_db.store.tables import RESULTS_TABLE, stored
from tests.store.carriers import everything, rows_of
from tests.strategies import publication

RELEASES = Path(__file__).parents[1] / "data" / "releases"
# A column of each record that no release has had. Each is added to a copy of the package, in its last place.
ADDED = {Result: "warmups", Run: "toolchain", Baseline: "reason"}
_PLACES = {
    "    values_hash: int | None = None\n": "    warmups: Int32 | None = None\n",
    "    content_key: int | None = None\n": "    toolchain: str | None = None\n",
    '    set_at: int\n    set_by: str = ""\n': '    reason: str = "none given"\n',
}


def added(model: str) -> str:
    """The source of `bench_db.model` with a column more in three records."""
    for place, line in _PLACES.items():
        assert model.count(place) == 1, place
        model = model.replace(place, place + line)
    return model


def has(record: type) -> bool:
    """Whether the record has the added column."""
    return ADDED[record] in {field.name for field in fields(record)}


def expected(release: str) -> dict[str, Any]:
    """What the release itself answered."""
    answers: dict[str, Any] = json.loads((RELEASES / release / "expected.json").read_text())
    return answers


def unpacked(release: str, directory: Path) -> Path:
    """The store of a release, in a directory of its own."""
    with tarfile.open(RELEASES / release / "store.tar.xz") as archive:
        archive.extractall(directory, filter="data")
    return directory / "store"


def exports(release: str) -> list[Path]:
    """The exports of a release."""
    found = sorted((RELEASES / release).glob("export-*"))
    assert found
    return found


def check_reading(store: Path, answers: dict[str, Any]) -> None:
    """Every method that reads gives what the release gave, and null for what it did not know."""
    database = connect(store)
    assert {name: rows_of(database)[name] for name in answers["rows"] if name != "series"} == {
        name: rows for name, rows in answers["rows"].items() if name != "series"
    }
    latest = database.latest()
    columns = ("benchmark_name", "test_bed_name", "suite", "commit", "median")
    assert sorted(map(list, latest.select(columns).rows()), key=str) == sorted(answers["latest"], key=str)
    assert list(map(list, database.trend("sort").select("commit", "median").rows())) == answers["trend"]
    assert [[b.name, b.commit] for b in database.baselines()] == answers["baselines"]
    assert [[f.id, f.commit, f.state] for f in database.findings()] == answers["findings"]
    kept = [[a.name, a.kind, a.sha256] for a in database.artifacts()]
    assert sorted(kept) == sorted(answers["artifacts"])
    for _, _, sha256 in answers["artifacts"]:
        database.get_artifact(sha256, store.parent / sha256)
    _check_more(database, answers["rows"]["results"])
    candidate = answers["trend"][14][0]
    assert _verdicts(store, candidate) == answers["verdicts"]


def _check_more(database: Database, count: int) -> None:
    """The methods that `expected.json` says nothing of."""
    newest = database.version
    for as_of in (None, newest):
        assert database.scan(as_of=as_of).collect().height == len(database.results(as_of=as_of)) == count
        assert database.runs(as_of).collect().height == database.runs(as_of, Selection()).collect().height
        assert database.summary(as_of=as_of).height == database.latest(as_of=as_of).height
        assert database.points(as_of=as_of).rows.height == count
        for table in stored():
            asked = database.query(f"select * from {table.name}", as_of)
            assert asked.columns == list(table.leaves)
    first = database.trend("sort")["commit"][0]
    assert database.has(first).present
    assert database.measured_commit(first[:8]) == first
    assert len(database.runs_of(first)) == 1
    assert database.summary(last=3)["n"].max() == 3
    if has(Result):
        name = ADDED[Result]
        assert {getattr(result, name) for result in database.results()} == {None}
        assert database.query(f"select {name} from results")[name].null_count() == count
        assert database.scan([name]).collect()[name].null_count() == count
        assert database.scan().filter(pl.col(name).is_null()).collect().height == count
        assert database.scan().filter(pl.col(name) == 3).collect().height == 0
        assert database.scan(where={name: None}).collect().height == len(database.results({name: None})) == count
        assert database.scan(where={name: 3}).collect().height == len(database.results({name: 3})) == 0
        assert f"results.{name}" in database.info().pending
    if has(Run):
        assert database.runs().collect()[ADDED[Run]].null_count() == database.runs().collect().height
    if has(Baseline):
        assert [getattr(baseline, ADDED[Baseline]) for baseline in database.baselines()] == ["none given"]


def _verdicts(store: Path, candidate: str) -> list[list[str]]:
    words = ("compare", candidate, "--baseline", "last:10", "--testbed-name", "alpha", "--store", str(store))
    command = [sys.executable, "-c", "from bench_db.cli import main; main()", *words, "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return [[one["benchmark_name"], one["verdict"]] for one in json.loads(done.stdout)["comparisons"]]


def more(number: int, place: str = "") -> tuple[Run, list[Result]]:
    """A run with something in the added columns."""
    run, results = publication(number, place=place)
    in_result: dict[str, Any] = {ADDED[Result]: 3} if has(Result) else {}
    in_run: dict[str, Any] = {ADDED[Run]: "1.80"} if has(Run) else {}
    return replace(run, **in_run), [replace(result, **in_result) for result in results]


def check_extending(store: Path) -> None:
    """It takes every kind of write, stays sound, and has the added columns where they were written."""
    database = connect(store)
    before, then = len(database.results()), database.tag("release")
    run, results = more(1)
    assert database.publish(results, run).new == 3
    assert database.publish(results, run).unchanged == 3
    for number, replaced in ((2, 0), (3, 3)):
        placed, rows = more(number, "x")
        assert database.publish(rows, placed, replace=bool(replaced)).replaced == replaced
    in_baseline: dict[str, Any] = {ADDED[Baseline]: "release"} if has(Baseline) else {}
    assert run.commit
    database.set_baseline(Baseline(name="new", commit=run.commit, set_at=2_000_000_000, **in_baseline))
    database.record_findings([replace(database.findings()[0], note="again", at=2_000_000_000)])
    database.put_artifact(b"more", kind="log", name="more.log", commit=run.commit, added_at=2_000_000_000)
    for _ in range(2):
        _check_extended(database, before, then)
        database.optimize()


def _check_extended(database: Database, before: int, then: int) -> None:
    assert database.verify().problems == ()
    assert len(database.results()) == before + 6
    assert database.latest().height == database.summary().height
    assert {b.name for b in database.baselines()} == {"main", "new"}
    assert database.findings()[0].note == "again"
    if has(Result):
        name = ADDED[Result]
        assert database.info().pending == (migrations.ContentKeys.name,)
        assert sorted({getattr(result, name) for result in database.results()}, key=str) == [3, None]
        assert database.scan().filter(pl.col(name) == 3).collect().height == len(database.results({name: 3})) == 6
        assert database.query(f"select sum({name}) as n from results")["n"].to_list() == [18]
        assert database.query(f"select {name} from results", then)[name].null_count() == before
        assert len(database.results({name: None}, then)) == before
    if has(Run):
        assert sorted(database.runs().collect()[ADDED[Run]].drop_nulls()) == ["1.80", "1.80"]
    if has(Baseline):
        assert {b.name: getattr(b, ADDED[Baseline]) for b in database.baselines()} == {
            "main": "none given",
            "new": "release",
        }


def check_moving(store: Path, directory: Path) -> None:
    """Copies, exports and what is imported of them hold the same rows."""
    database = connect(store)
    copied = connect(directory / "copied", create=True)
    database.copy_to(copied)
    assert everything(copied.uri) == everything(store)
    assert copied.verify().problems == ()
    for name in ("parquet", "jsonl"):
        database.export_to(directory / name, format_name=name)
        imported = connect(directory / f"imported-{name}", create=True)
        imported.import_from(directory / name)
        assert everything(imported.uri) == everything(store)


def check_importing(exported: Path, directory: Path, answers: dict[str, Any]) -> None:
    """An export of the release becomes a store with its rows."""
    database = connect(directory, create=True)
    assert database.import_from(exported).tables["results"].new == answers["rows"]["results"]
    check_reading_of_import(database, answers)
    assert database.import_from(exported).tables["results"].new == 0
    if has(Result):
        assert [column.name for column in RESULTS_TABLE.schema][-2:] == [ADDED[Result], ROW_CHECKSUM]
        assert database.info().pending == (migrations.ContentKeys.name,)


def check_reading_of_import(database: Database, answers: dict[str, Any]) -> None:
    assert database.verify().problems == ()
    rows = rows_of(database)
    assert {name: rows[name] for name in ("runs", "results", "baselines", "findings", "artifacts")} == {
        name: answers["rows"][name] for name in ("runs", "results", "baselines", "findings", "artifacts")
    }
    assert list(map(list, database.trend("sort").select("commit", "median").rows())) == answers["trend"]
    assert all(isinstance(finding, Finding) for finding in database.findings())


def check_migrating(store: Path) -> None:
    """Every run gets the key of its measurements, once, and nothing else changes."""
    database = connect(store)
    before = everything(store)
    database.migrate()
    assert database.migrate() == []
    assert database.info().pending == ()
    assert {name: rows for name, rows in everything(store).items() if name != "runs"} == {
        name: rows for name, rows in before.items() if name != "runs"
    }
    keys = database.runs().collect()["content_key"]
    assert keys.null_count() == 0
    assert keys.n_unique() == len(keys)


def main() -> None:
    """Check all of a release."""
    release, directory = sys.argv[1], Path(sys.argv[2])
    answers = expected(release)
    store = unpacked(release, directory)
    check_reading(store, answers)
    check_moving(store, directory / "before")
    check_extending(store)
    check_moving(store, directory / "after")
    check_migrating(store)
    for exported in exports(release):
        check_importing(exported, directory / exported.name, answers)
    print("added" if has(Result) else "plain")  # noqa: T201 what a test waits for
