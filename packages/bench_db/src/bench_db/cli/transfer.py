"""`bench-db store copy`, `export` and `import`: a store brought to another place, whole."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench_db.cli.options import AS_OF, SINGLE_WRITER, common, emit, open_store, reading, storeless
from bench_db.cli.progress import progress_bar
from bench_db.errors import CorruptStoreError, UserError

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.app.collection import Merging
    from bench_db.model import Export, Transfer

_REPLACE = click.option(
    "--replace", is_flag=True, help="Where both hold a run with other rows, take the incoming ones."
)
_RUNS = click.option(
    "--run",
    "runs",
    metavar="RUN",
    multiple=True,
    help="Only this run and its artifacts, by run id or run key; may be repeated.",
)
_SALVAGE = click.option(
    "--salvage",
    is_flag=True,
    help="Take what is sound of a damaged store: runs with unreadable or changed rows are named and left out.",
)
_NO_ARTIFACTS = click.option("--no-artifacts", is_flag=True, help="Leave the artifacts behind.")


@click.command("copy")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option("--collection", is_flag=True, help="Copy every store directly below SRC to the same name below DST.")
@_RUNS
@_REPLACE
@_NO_ARTIFACTS
@_SALVAGE
@SINGLE_WRITER
@storeless
@AS_OF
def copy(
    source: str,
    target: str,
    runs: tuple[str, ...],
    output: str,
    as_of: str | None,
    *,
    collection: bool,
    replace: bool,
    no_artifacts: bool,
    salvage: bool,
    single_writer: bool,
) -> None:
    """Merge the store SRC into the store DST, which is made when there is none, and compare them at the end.

    Doing it again adds nothing, and completes what was cut short. Versions and tags stay behind: the copy has its own.
    With --salvage, exit code 4 says that something was passed over; everything else was copied. SRC is not changed.

    Example: bench-db store copy ./results s3://my-bucket/benchmarks
    """
    chosen: Merging = {
        "runs": runs,
        "replace": replace,
        "artifacts": not no_artifacts,
        "salvage": salvage,
        "as_of": as_of,
    }
    if collection:
        _copy_collection(output, source, target, single_writer=single_writer, **chosen)
        return
    origin = open_store(source, damaged=salvage)
    with progress_bar("copying") as progress:
        into = open_store(target, create=True, single_writer=single_writer)
        done = origin.copy_to(into, progress=progress, **chosen)
    _tell(output, done, origin.uri, into.uri)


def _copy_collection(output: str, source: str, target: str, *, single_writer: bool, **chosen: Unpack[Merging]) -> None:
    """Copy every store of a collection; raise an error at the end when part of a store is missing."""
    from bench_db.app.collection import copy
    from bench_db.app.places import place
    from bench_db.report.store import transfer_json, transfer_text

    origin, into = place(source), place(target)
    done = copy(origin, into, single_writer=single_writer, **chosen)
    stores = [{"store": name, **transfer_json(one)} for name, one in done.items()]
    texts = [f"{name}\n{transfer_text(one)}" for name, one in done.items()]
    emit(output, {"source": origin.address, "target": into.address, "stores": stores}, lambda: "\n\n".join(texts))
    for name, one in done.items():
        _refuse_incomplete(origin.for_store(name).address, into.scoped(name).address, one)


@click.command("export")
@click.argument("directory", metavar="OUT", type=click.Path(path_type=Path, file_okay=False))
@click.option("--format", "format_name", metavar="FORMAT", default="parquet", show_default=True,
              help="parquet, jsonl, calibrax, asv, mlflow, wandb, or an exporter of an installed package.")  # fmt: skip
@_RUNS
@_NO_ARTIFACTS
@_SALVAGE
@reading
def export(
    directory: Path,
    format_name: str,
    runs: tuple[str, ...],
    uri: str | None,
    output: str,
    as_of: str | None,
    *,
    no_artifacts: bool,
    salvage: bool,
) -> None:
    """Write every table, the artifacts and a manifest with their sha256 into the directory OUT.

    An earlier export there is replaced. The same rows give the same files, byte for byte. The format calibrax is a store for calibrax,
    of the runs that are not excluded, asv results for `asv publish`, mlflow a file store of MLflow, and wandb offline runs for
    `wandb sync`; they have no artifacts and are not for `import`.
    With --salvage, exit code 4 says that something was passed over; everything else was exported.

    Example: bench-db store export ./backup
    """
    from bench_db.app.database import Database
    from bench_db.report.store import export_text

    store = open_store(uri, damaged=salvage)
    with progress_bar("exporting") as progress:
        if format_name not in ("parquet", "jsonl"):
            done = Database(store).export_to(
                directory, runs=runs, format_name=format_name, salvage=salvage, as_of=as_of
            )
        else:
            exporting = partial(store.export_to, directory, runs=runs, format_name=format_name)
            done = exporting(artifacts=not no_artifacts, salvage=salvage, as_of=as_of, progress=progress)
    emit(output, {"directory": str(directory), **asdict(done)}, lambda: export_text(done))
    refuse_missing(store.uri, done.missing)
    refuse_passed_over(store.uri, done)


@click.command("import")
@click.argument("directory", metavar="IN", type=click.Path(path_type=Path, file_okay=False, exists=True))
@_REPLACE
@SINGLE_WRITER
@common
def import_(directory: Path, uri: str | None, output: str, *, replace: bool, single_writer: bool) -> None:
    """Merge the export in the directory IN into the store, which is made when there is none. Doing it again adds nothing.

    Nothing is written when a file is not the one that was exported.

    Example: bench-db store import ./backup --store ./restored
    """
    from bench_db.store.export import ExportSource

    exported = ExportSource(directory)  # before a store is made for it
    store = open_store(uri, create=True, single_writer=single_writer)
    with progress_bar("importing") as progress:
        done = store.import_from(exported, replace=replace, progress=progress)
    _tell(output, done, str(directory), store.uri)


def _tell(output: str, done: Transfer, source: str, target: str) -> None:
    """Write what was copied; raise an error when part of the source is missing."""
    from bench_db.report.store import transfer_json, transfer_text

    emit(output, {"source": source, "target": target, **transfer_json(done)}, lambda: transfer_text(done))
    _refuse_incomplete(source, target, done)


def _refuse_incomplete(source: str, target: str, done: Transfer) -> None:
    """Raise an error when part of the source was not copied."""
    refuse_missing(source, done.missing)
    refuse_passed_over(source, done)
    if done.differing:
        message = (
            f"{target} holds {len(done.differing)} runs with other rows than {source}, such as {done.differing[0]:016x}; they "
            "were left as they are, and everything else was brought. --replace takes the incoming rows"
        )
        raise UserError(message)


def refuse_missing(source: str, missing: tuple[str, ...]) -> None:
    """`CorruptStoreError` when a source did not have the content of every artifact."""
    if missing:
        message = (
            f"{source} does not have the content of {len(missing)} artifacts any more, such as {missing[0]}; everything else was "
            "brought. Put the originals again; 'bench-db store verify' names them"
        )
        raise CorruptStoreError(message)


def refuse_passed_over(source: str, done: Transfer | Export) -> None:
    """`CorruptStoreError` when a salvage left something out."""
    if done.passed_over:
        message = (
            f"{source}: {len(done.passed_over)} things are damaged and were passed over, as listed; everything else was brought. "
            "Publish the files of the named runs into the copy"
        )
        raise CorruptStoreError(message)
