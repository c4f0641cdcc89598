"""`bench-db store`: make, inspect and care for the store."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from bench_db.cli import transfer
from bench_db.cli.options import (
    ENGINE,
    SINGLE_WRITER,
    Minutes,
    common,
    default_uri,
    emit,
    emit_found,
    open_store,
    reading,
    reason,
    screen,
    selecting,
    selection,
    storeless,
)
from bench_db.cli.progress import progress_bar
from bench_db.errors import CorruptStoreError

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.cli.options import Stated


@click.group("store")
def command() -> None:
    """Make, inspect and care for the store.

    Example: bench-db store init --store s3://my-bucket/benchmarks
    """


@command.command("init")
@SINGLE_WRITER
@common
def init(uri: str | None, output: str, *, single_writer: bool) -> None:
    """Make the store, unless it is there; on a bucket, prove first that it can keep concurrent writers apart.

    Example: bench-db store init --store ./results
    """
    store = open_store(uri, create=True, single_writer=single_writer)
    emit(output, {"store": store.uri}, lambda: f"store ready at {store.uri}")


@command.command("info")
@common
def info(uri: str | None, output: str) -> None:
    """Show the rows and sizes of the tables, the newest scans, and whether maintenance is due.

    Example: bench-db store info
    """
    from bench_db.app.scans import last_scans, scans_json
    from bench_db.report.scans import scans_text
    from bench_db.report.store import info_text

    store = open_store(uri)
    found, scans = store.info(), last_scans(store)
    document = {**asdict(found), "scans": scans_json(scans)}
    emit(output, document, lambda: "\n".join(filter(None, [info_text(found), scans_text(scans)])))


@command.command("availability")
@click.option(
    "--days",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="The newest days, up to the last with results.",
)
@selecting()
@reading
def availability(days: int, uri: str | None, output: str, as_of: str | None, **conditions: Unpack[Stated]) -> None:
    """Show on which days each device, test bed and suite has results: a line each, a character a day, darker for more results.

    A day is that of the measurement in UTC, else of the commit. Stored results are counted, and no derived metrics.

    Example: bench-db store availability --days 90
    """
    from bench_db.app.availability import availability as find
    from bench_db.report.availability import availability_text

    store, chosen = open_store(uri), selection(**conditions)
    found = find(store, days=days, as_of=as_of, selection=chosen)
    emit_found(
        output,
        lambda: found.document,
        lambda: availability_text(found.days, found.first, found.last, screen()),
        found=not found.days.is_empty(),
        why=lambda: reason(store, chosen, as_of),
        history=lambda: found.history,
    )


@command.command("list")
@click.argument("root", metavar="URI")
@storeless
def list_(root: str, output: str) -> None:
    """List the stores directly below a directory or prefix, a collection; 'latest --collection URI' and others ask them all.

    Example: bench-db store list s3://my-bucket/experiments
    """
    from bench_db.app.collection import listed
    from bench_db.app.places import place
    from bench_db.report.store import stores_json, stores_text

    collection = place(root)
    found = listed(collection)
    document = {"collection": collection.address, "stores": stores_json(found)}
    emit(output, document, lambda: stores_text(collection.address, found, screen()))


@command.command("optimize")
@click.option(
    "--older-than",
    type=Minutes(),
    default="24h",
    show_default=True,
    help="Remove versions without a tag that are older, such as 2h or 30m; at least 10m.",
)
@common
def optimize(uri: str | None, output: str, *, older_than: float) -> None:
    """Compact, index and clean now; publishing does it by itself about every 50 publishes.

    Of versions between 10 minutes and a day old only the newest 100 of a table stay, and none when they take more than 4 MiB and
    three times its size.
    Nothing is removed when the clock of this machine differs from that of the store, or without the right to delete.

    Example: bench-db store optimize --older-than 2h
    """
    done = open_store(uri).optimize(older_than=timedelta(minutes=older_than))
    emit(
        output,
        asdict(done),
        lambda: (
            f"fragments {done.fragments_before} -> {done.fragments_after}, {done.versions_removed} old versions removed, "
            f"{done.series} series{done.not_cleaned and f'; {done.not_cleaned}'}"
        ),
    )


@command.command("verify")
@click.option(
    "--repair",
    is_flag=True,
    help="Take out unreadable files, go back to a readable version, and make indexes and the rollup anew.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Check files and their sizes, runs, ledgers, ids and numbers of rows, and a sample of the results with their checksums.",
)
@click.option("--seed", type=int, help="Choose the sample of --quick by this number; the day number by default.")
@ENGINE
@common
def verify(uri: str | None, output: str, seed: int | None, engine: str | None, *, repair: bool, quick: bool) -> None:
    """Read everything and compare it with its checksums; exit code 4 when a number cannot be trusted.

    With --repair the repair comes first, and the document says what it did and what is left. Publishing the files of a run again
    completes it. --quick is for a nightly job: it names what it did not check. The workers of an engine open the store themselves.

    Example: bench-db store verify --output json
    """
    from bench_db.app.verification import verified
    from bench_db.report.store import verification_text

    store = open_store(uri, damaged=True)
    done = store.repair() if repair else []
    day = int(time.time() // timedelta(days=1).total_seconds())
    chosen = (day if seed is None else seed) if quick else None
    with progress_bar("verifying") as progress:
        found = verified(store, quick_seed=chosen, engine=engine, progress=progress)
    document = {**asdict(found), "sound": found.sound, "repaired": done}
    emit(output, document, lambda: "\n".join([*done, verification_text(found)]))
    if not found.sound:
        message = f"{store.uri}: some numbers cannot be trusted; what is listed above says what to do"
        raise CorruptStoreError(message)


@command.command("recompute")
@ENGINE
@reading
def recompute(uri: str | None, output: str, as_of: str | None, engine: str | None) -> None:
    """Compute the statistics of all stored samples again, and compare them with those stored; nothing is changed.

    Results without samples, or with fewer than their tool measured, keep the statistics of the tool and are counted alone. The
    workers of an engine open the store themselves. In Python, Database.recompute returns the statistics.

    Example: bench-db store recompute --engine local:4
    """
    from bench_db.app.verification import recomputed
    from bench_db.report.store import recomputed_text

    found = recomputed(open_store(uri), as_of=as_of, engine=engine)
    emit(output, asdict(found), lambda: recomputed_text(found))


@command.command("upgrade")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@common
def upgrade(uri: str | None, output: str, *, dry_run: bool) -> None:
    """Bring a database of lance-bench to the present schema, in place; the version before keeps the tag before-upgrade.

    Definitions let every series continue under the same device, test bed, benchmark, metric and unit; 'define list' shows them.

    Example: bench-db store upgrade --dry-run --store s3://lance-bench-results
    """
    from bench_db.compat.upgrade import upgrade as upgrade_store
    from bench_db.report.store import upgrade_text

    done = upgrade_store(uri or default_uri(), dry_run=dry_run)
    emit(output, asdict(done), lambda: upgrade_text(done, dry_run=dry_run))


@command.command("migrate")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@common
def migrate(uri: str | None, output: str, *, dry_run: bool) -> None:
    """Bring a store that an older bench-db wrote to what this one writes. Doing it again changes nothing.

    Reading and publishing do not wait for it: a column that an older release did not write reads as null, and the first publish
    adds it.

    Example: bench-db store migrate --dry-run
    """
    from bench_db.report.store import migration_text

    steps = open_store(uri).migrate(dry_run=dry_run)
    document = {"dry_run": dry_run, "steps": [asdict(step) for step in steps]}
    emit(output, document, lambda: migration_text(steps, dry_run=dry_run))


@command.command("tag")
@click.argument("name")
@click.option("--version", type=click.IntRange(1), help="The version to name; the newest by default.")
@common
def tag(name: str, version: int | None, uri: str | None, output: str) -> None:
    """Name a version of the results, so that it is kept and --as-of NAME reads it for ever.

    Example: bench-db store tag release-1.0
    """
    number = open_store(uri).tag(name, version)
    emit(output, {"tag": name, "version": number}, lambda: f"{name} names version {number}")


@command.command("restore")
@click.argument("version")
@click.option("--yes", is_flag=True, help="Do it; without it, only say what would change.")
@common
def restore(version: str, uri: str | None, output: str, *, yes: bool) -> None:
    """Go back to the runs of VERSION (a number, a tag or a date), as a new version; without --yes only say what would change.

    Runs that were published since leave, runs that were removed since return, and replaced runs are as they were. Commits, definitions, exclusions, baselines
    and findings keep their records.

    Example: bench-db store restore 2026-01-31
    """
    from bench_db.report.store import restored_text

    done = open_store(uri).restore(version, dry_run=not yes)
    emit(output, asdict(done), lambda: restored_text(done, dry_run=not yes))


command.add_command(transfer.copy)
command.add_command(transfer.export)
command.add_command(transfer.import_)
