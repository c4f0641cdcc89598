"""Questions to every store of a collection at once. Each row of an answer names its store."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import polars as pl

from bench_db.app.database import Database, public, tables_of
from bench_db.app.places import directory_of
from bench_db.app.site import TITLE, refuse_unmatched, site
from bench_db.app.tree import Tree, Written
from bench_db.errors import BenchDbError, UserError
from bench_db.model import State
from bench_db.query.selection import Conditions
from bench_db.report.site.collection import StoreRow
from bench_db.report.site.collection import site as collection_files
from bench_db.store.database import unopened

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any, Unpack

    from bench_db.app.places import Place
    from bench_db.app.progress import Progress
    from bench_db.model import Transfer
    from bench_db.query.selection import Selection
    from bench_db.store import sql
    from bench_db.store.versions import AsOf


class Asked(Conditions, total=False):
    """Conditions on results, and the version of each store that is read."""

    selection: Selection | None
    as_of: AsOf | None


class Newest(Asked, total=False):
    """What `Database.latest` takes."""

    last: int | None


class AskedInSql(TypedDict, total=False):
    """What `Database.query` takes beside the text."""

    as_of: AsOf | None
    everything: bool
    timeout: float | None
    limit_rows: int | None


class AskedOfSite(Asked, total=False):
    """What `bench_db.site` takes beside the directory."""

    title: str
    commit_url: str
    samples: int
    charts: Sequence[str]
    at: int | None
    progress: Progress


class Merging(TypedDict, total=False):
    """What `Database.copy_to` takes beside the target."""

    runs: Collection[int | str]
    replace: bool
    artifacts: bool
    salvage: bool
    as_of: AsOf | None


class Copying(Merging, total=False):
    """What a copy of one store takes, and `single_writer` of the targets."""

    single_writer: bool


STORE = "store"
_LISTED = {
    STORE: pl.String,
    "address": pl.String,
    "runs": pl.Int64,
    "results": pl.Int64,
    "ingested_at": pl.Int64,
    "error": pl.String,
}


def stores(collection: Place) -> dict[str, Database]:
    """Return the opened stores of a collection by name, sorted. Raises `UserError` when there are none."""
    return {name: where.connect() for name, where in _places(collection).items()}


def _places(collection: Place) -> dict[str, Place]:
    found = collection.places()
    if not found:
        message = f"{collection.address}: no store directly below; is it a store itself? 'bench-db store list' lists the stores of a collection"
        raise UserError(message)
    return found


def together(parts: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of stores as one frame whose first column, `store`, names the store; a column that a store lacks is null."""
    return pl.concat([_named(name, rows.lazy()) for name, rows in parts.items()], how="diagonal_relaxed").collect()


def _named(name: str, rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(pl.lit(name).alias(STORE), pl.all())


def listed(collection: Place) -> pl.DataFrame:
    """Return a row for each store of a collection: its name, address, runs, results, and the unix time of its newest publish.

    `error` says why a store cannot be read; its numbers are null. There may be no row.
    """
    return pl.DataFrame([_listed(name, where) for name, where in collection.places().items()], _LISTED)


def described(collection: Place) -> pl.DataFrame:
    """Return `listed` with the public names of its columns."""
    return public(listed(collection))


def _listed(name: str, where: Place) -> dict[str, Any]:
    row: dict[str, Any] = {STORE: name, "address": where.address, "error": None}
    try:
        runs = (
            where.connect()
            .store.runs()
            .select(runs=pl.len(), results=pl.col("results").sum(), ingested_at=pl.col("ingested_at").max())
        )
        return {**row, **runs.collect().to_dicts()[0]}
    except BenchDbError as error:
        return {**row, "error": str(error)}


def query(collection: Place, text: str, **asked: Unpack[AskedInSql]) -> pl.DataFrame:
    """Return the answer to one SELECT, as `Database.query` does, over the rows of all stores; `store` is a column of every table."""
    from bench_db.store import sql  # noqa: PLC0415 only queries need DuckDB

    as_of, everything = asked.get("as_of"), asked.get("everything", False)
    tables = {name: tables_of(store.store, as_of, everything=everything) for name, store in stores(collection).items()}
    together = {table: partial(_union, table, tables) for table in next(iter(tables.values()))}
    return sql.run(text, together, timeout=asked.get("timeout"), limit_rows=asked.get("limit_rows"))


def _union(table: str, tables: Mapping[str, sql.Tables], reading: sql.Reading) -> pl.LazyFrame:
    return pl.concat(
        [_named(name, of_store[table](reading)) for name, of_store in tables.items()], how="diagonal_relaxed"
    )


def write_site(collection: Place, out: str | Path, **asked: Unpack[AskedOfSite]) -> Written:
    """Write a page that lists the stores, and the site of each store, as `site` does, into a directory `stores` beside it."""
    root, title = Path(out), asked.get("title") or TITLE
    opened = stores(collection)
    newest = {name: _newest(store, **asked) for name, store in opened.items()}
    rows = {name: _row(name, newest[name], store) for name, store in opened.items()}
    charts = _charts_of(newest, asked.get("charts", ()))
    about = Tree(root).write(collection_files(title, list(rows.values())))
    parts: list[Written] = []
    for name, store in opened.items():
        of_store: AskedOfSite = {**asked, "title": f"{name} · {title}", "charts": charts[name]}
        parts.append(site(store, root / rows[name].directory, **of_store))
    every = [about, *parts]
    return Written(
        **{name: sum(getattr(one, name) for one in every) for name in ("files", "bytes", "written", "removed")}
    )


def _newest(store: Database, **asked: Unpack[AskedOfSite]) -> pl.DataFrame:
    """Return the newest results of one store that the site asks for."""
    conditions = Conditions(**{name: value for name, value in asked.items() if name in Conditions.__annotations__})  # type: ignore[typeddict-item]
    return store.latest(selection=asked.get("selection"), as_of=asked.get("as_of"), **conditions)


def _charts_of(newest: Mapping[str, pl.DataFrame], globs: Sequence[str]) -> dict[str, list[str]]:
    """Return the globs that match a benchmark of each store; `UserError` for one that matches in none."""
    names = {name: rows["benchmark_name"].unique().to_list() for name, rows in newest.items()}
    refuse_unmatched(globs, sorted({one for of_store in names.values() for one in of_store}))
    return {name: [glob for glob in globs if any(fnmatchcase(one, glob) for one in names[name])] for name in names}


def _row(name: str, newest: pl.DataFrame, store: Database) -> StoreRow:
    time = newest["commit_time"].max()
    return StoreRow(
        name=name,
        directory=f"stores/{directory_of(name)}",
        series=newest.height,
        newest=None if time is None else int(time.timestamp()),  # type: ignore[union-attr]
        findings=sum(finding.state in {State.OPEN, State.REOPENED} for finding in store.store.findings()),
    )


def copy(source: Place, target: Place, **options: Unpack[Copying]) -> dict[str, Transfer]:
    """Merge each store of a collection, or the one store of a place, into that of the same name in another.

    A target that is a store's place already is used as it is. After an error, doing it again goes on.
    """
    if source.store_name is not None:
        into = target if target.is_scoped else target.scoped(source.store_name)
        return {source.store_name: _copied(source, into, **options)}
    return {name: _copied(where, target.scoped(name), **options) for name, where in _places(source).items()}


def _copied(source: Place, target: Place, *, single_writer: bool = False, **options: Unpack[Merging]) -> Transfer:
    store = Database(unopened(source.address)) if options.get("salvage") else source.connect()
    return store.copy_to(target.connect(create=True, single_writer=single_writer), **options)
