"""Definitions of names: aliases, joins of renamed benchmarks, pools of machines, main branches; applied when results are read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.app.answers import Answer, frame_of
from bench_db.app.baselines import name_of
from bench_db.app.compare import threshold_faults
from bench_db.app.configuration import configuration
from bench_db.app.database import on_database
from bench_db.clock import Moment, bounds
from bench_db.errors import UserError
from bench_db.identity import is_commit_id, same_commit
from bench_db.ingest.declared import UNMAPPED, unmapped_in
from bench_db.model import Definition
from bench_db.query.definitions import ANNOTATION, FIELDS, METRIC, Definitions, checked, place_of
from bench_db.query.formula import derived_metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bench_db.schedule.config import Config
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Defined(Answer):
    """The definitions in force, oldest first. `changed` counts those that this call added, changed or ended.

    `threshold_faults` are the thresholds that match no series yet, or not the unit of one. `metric_faults` are the derived metrics
    that have no series, or none of some benchmarks, each with the reason.
    """

    definitions: Sequence[Definition]
    changed: int = 0
    threshold_faults: Sequence[str] = ()
    metric_faults: Sequence[str] = ()

    @property
    def faults(self) -> list[str]:
        """The faults of thresholds and of derived metrics."""
        return [*self.threshold_faults, *self.metric_faults]

    def frame(self) -> pl.DataFrame:
        """Return the definitions as a frame, a row each."""
        return frame_of(self.definitions, Definition).drop("key", "replaces", "lifted")

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        hidden = {"key", "replaces", "lifted"}
        rows = [{n: v for n, v in asdict(one).items() if n not in hidden} for one in self.definitions]
        faults = {"threshold_faults": list(self.threshold_faults), "metric_faults": list(self.metric_faults)}
        return {"definitions": rows, "changed": self.changed, **faults}


@on_database
def definitions(store: Database, *, as_of: AsOf | None = None) -> Defined:
    """List the definitions in force."""
    return _defined(store, as_of=as_of)


def _defined(store: Database, *, changed: int = 0, as_of: AsOf | None = None) -> Defined:
    return Defined(
        definitions=store.definitions(as_of),
        changed=changed,
        threshold_faults=threshold_faults(store, as_of),
        metric_faults=store.metric_faults(as_of),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmapped(Answer):
    """Names that no definition of their field matches or gives, with the number of their results and the newest of them.

    Of an alias table of declared formats the field is `alias.NAME`, and `results` is the number of rows in files, each of which can have
    several results. The columns are field, name, dut_name, results and last_seen (unix seconds, null when unknown).
    """

    names: pl.DataFrame

    def frame(self) -> pl.DataFrame:
        """Return the names as a frame, a row each; `last_seen` is a datetime."""
        return self.names.with_columns(pl.from_epoch("last_seen").dt.replace_time_zone("UTC"))

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"unmapped": self.names.to_dicts()}


@on_database
def unmapped(store: Database, *, field: str | None = None, since: Moment | None = None) -> Unmapped:
    """List the names that no definition knows, in all results that are stored, those of pull requests too.

    Without `field` the names are those of each field that has aliases, of test beds when there are pools, and those that alias tables of
    declared formats lacked when files were published. `since` leaves out results of earlier runs.
    """
    if field is not None and field not in FIELDS:
        message = f"`field`: {field!r} has no definitions; these can have: {', '.join(FIELDS)}"
        raise UserError(message)
    known = store.history().definitions or Definitions()
    earliest, _ = bounds(since, None)
    found = [_unmapped(store, known, name, earliest) for name in ([field] if field else known.named_fields)]
    return Unmapped(names=pl.concat([_NONE, *found, *([_of_tables(store, earliest)] if field is None else [])]))


_NONE = pl.DataFrame(
    schema={"field": pl.String, "name": pl.String, "dut_name": pl.String, "results": pl.Int64, "last_seen": pl.Int64}
)


def _of_tables(store: Database, since: int | None) -> pl.DataFrame:
    """Return the names that no alias table had when files of declared formats were published."""
    runs = store.runs().select("context", "dut_name", time=pl.coalesce("run_time", "ingested_at"))
    runs = runs.filter(pl.col("context").str.contains(f'"{UNMAPPED}"', literal=True))
    if since is not None:
        runs = runs.filter(pl.col("time") >= since)
    rows = [
        (f"alias.{table}", name, dut, count, time)
        for context, dut, time in runs.collect().iter_rows()
        for table, names in unmapped_in(context).items()
        for name, count in names.items()
    ]
    return (
        pl.DataFrame(rows, _NONE.schema, orient="row")
        .group_by("field", "name", "dut_name")
        .agg(pl.col("results").sum(), pl.col("last_seen").max())
        .sort("field", "results", "name", "dut_name", descending=[False, True, False, False])
        .select(_NONE.columns)
    )


def _unmapped(store: Database, known: Definitions, field: str, since: int | None) -> pl.DataFrame:
    column = FIELDS[field]
    rows = store.scan(list(dict.fromkeys((column, "dut_name", "run_time"))))
    if since is not None:
        rows = rows.filter(pl.col("run_time") >= since)
    names = (
        rows.select(name=pl.col(column).fill_null(""), dut_name=pl.col("dut_name").fill_null(""), run_time="run_time")
        .group_by("name", "dut_name")
        .agg(results=pl.len().cast(pl.Int64), last_seen=pl.col("run_time").max().cast(pl.Int64))
        .sort("results", "name", "dut_name", descending=[True, False, False])
        .collect()
    )
    left = set(known.unmapped(names.select("name", "dut_name").rows(), field))
    kept = [pair in left for pair in names.select("name", "dut_name").rows()]
    return names.filter(kept).select(pl.lit(field).alias("field"), *_NONE.columns[1:])


@on_database
def sync_definitions(
    store: Database, config_file: str | None = None, *, by: str = "", at: int | None = None
) -> Defined:
    """Bring the definitions of a device to what `[define]` in its bench-db.toml states.

    Definitions of the file are added, and those that were removed from it are ended. A definition of the file replaces one of the
    same name that `define` made; all others stay. Raises `UserError` for a definition that cannot be applied; then nothing changes.
    """
    config = configuration(config_file)
    moment = int(time.time()) if at is None else at
    stated = [checked(record) for record in _stated(config, by=by, at=moment)]
    _refuse_units(store, stated)
    places = {place_of(record) for record in stated}
    gone = [
        replace(record, key=0, lifted=True, by=by, at=moment)
        for record in store.definitions()
        if record.note == _FROM_FILE.format(config.project.name) and place_of(record) not in places
    ]
    changed = store.define([*gone, *stated])
    return _defined(store, changed=changed)


_FROM_FILE = "from bench-db.toml of {}"


def _stated(config: Config, *, by: str, at: int) -> Iterator[Definition]:
    """Yield the definitions of a configuration. They are of its device alone, except for the name of a device."""
    name, given = config.project.name, config.define
    about: dict[str, Any] = {"by": by, "at": at, "note": _FROM_FILE.format(name)}
    for field, patterns in given.alias.items():
        of = None if field == "dut" else name
        for pattern, value in patterns.items():
            yield Definition(kind="alias", field=field, pattern=pattern, value=value, dut_name=of, **about)
    tables: dict[str, Mapping[str, str]] = {
        "join": given.join,
        "pool": dict.fromkeys(given.pool, ""),
        "better": given.better,
        "ignore": dict.fromkeys(given.ignore, ""),
        "metric": given.metric,
    }
    for kind, table in tables.items():
        for pattern, value in table.items():
            yield Definition(kind=kind, pattern=pattern, value=value, dut_name=name, **about)
    for threshold in given.threshold:
        yield Definition(kind="threshold", pattern=threshold.pattern, value=threshold.value, dut_name=name, **about)
    if given.main:
        yield Definition(kind="main", pattern=name, value=given.main, **about)


def _refuse_units(store: Database, stated: Sequence[Definition]) -> None:
    """Raise `UserError` for a new derived metric whose unit fits no benchmark that has all of its metrics."""
    known = {place_of(record): record.value for record in store.definitions()}
    for record in stated:
        if record.kind == METRIC and known.get(place_of(record)) != record.value:
            fault = store.unit_fault(derived_metric(record.pattern, record.value), record.dut_name)
            if fault is not None:
                message = f"metric {record.pattern}: {fault}; nothing was defined"
                raise UserError(message)


@on_database
def annotate(
    store: Database,
    commit: str,
    text: str = "",
    *,
    clone: Path | None = None,
    dut_name: str | None = None,
    by: str = "",
    at: int | None = None,
    remove: bool = False,
) -> Defined:
    """Annotate a commit with a text that charts show at it, or with `remove` take the annotation away.

    `commit` is a sha of 7 digits or more, or `HEAD`, a branch, a tag or `tag:NAME` of the clone. A commit has one annotation for
    each device and one for all; another text replaces it. Raises `UserError` for a commit that is neither measured nor recorded,
    for a text that is empty, and when there is no annotation to take away.
    """
    name = name_of(store, commit, clone)
    annotated = {record.pattern for record in store.definitions() if record.kind == ANNOTATION}
    sha = _commit_of(name, annotated if remove else _known_commits(store), annotated=remove)
    return define(store, ANNOTATION, sha, text.strip(), dut_name=dut_name, by=by, at=at, lifted=remove)


def _known_commits(store: Database) -> set[str]:
    measured = store.runs().select("commit").drop_nulls().unique().collect()["commit"]
    return {*measured, *(record.commit for record in store.commits())}


def _commit_of(name: str, commits: set[str], *, annotated: bool) -> str:
    """Return the commit that a sha or its beginning means among those that are annotated, or else known."""
    found = [commit for commit in commits if is_commit_id(name) and same_commit(commit, name)]
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{name}: {len(found)} commits begin so; give more digits"
    elif annotated:
        message = f"{name}: no such commit has an annotation; 'bench-db define list' shows those that do"
    else:
        message = f"{name}: no such commit is measured or recorded; 'bench-db commits sync' records those of a clone"
    raise UserError(message)


@on_database
def define(
    store: Database,
    kind: str,
    pattern: str,
    value: str = "",
    *,
    field: str = "",
    dut_name: str | None = None,
    note: str = "",
    by: str = "",
    at: int | None = None,
    lifted: bool = False,
) -> Defined:
    """Add a definition, or end it with `lifted`; `model.Definition` describes the kinds. Nothing stored is rewritten.

    Raises `UserError` for a definition that cannot be applied, such as a derived metric whose unit fits no stored result, and when
    there is none to end.
    """
    record = Definition(
        kind=kind,
        field=field,
        pattern=pattern,
        value=value,
        dut_name=dut_name,
        note=note,
        by=by,
        at=int(time.time()) if at is None else at,
        lifted=lifted,
    )
    stated = record if lifted else checked(record)
    if stated.kind == METRIC and not lifted and pattern in store.stored_metrics(dut_name):
        message = f"the store has results of a metric {pattern!r}; give the derived one another name"
        raise UserError(message)
    if not lifted:
        _refuse_units(store, [stated])
    changed = store.define([stated])
    if lifted and not changed:
        message = f"there is no definition {kind} of {pattern!r} to end; 'bench-db define list' shows those in force"
        raise UserError(message)
    return _defined(store, changed=changed)
