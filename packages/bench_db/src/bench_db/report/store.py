"""The state of a store, what was found in it and what an upgrade does, as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench_db.report.quantity import quantity
from bench_db.report.rows import when
from bench_db.report.text import PLAIN, Screen, table, visible
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from bench_db.model import Export, Recomputed, Restored, StoreChange, StoreInfo, Transfer, Upgrade, Verification

# Runs that a line names; the JSON document has all.
_MOST_RUNS = 10


def info_text(info: StoreInfo) -> str:
    """Render the tables and tags of a store."""
    cells = [
        (
            t.name,
            f"{t.rows:,}",
            str(t.fragments),
            quantity(t.bytes, "bytes"),
            quantity(t.bytes_on_disk, "bytes"),
            str(t.version),
            ", ".join(t.indexes) or "-",
        )
        for t in info.tables
    ]
    headings = ("table", "rows", "fragments", "size", "on disk", "version", "indexes")
    tags = ", ".join(f"{name} = {version}" for name, version in info.tags.items()) or "none"
    due = "due at the next publish" if info.maintenance_due else "not due"
    pending = f"{', '.join(info.pending)}; see 'bench-db store migrate --dry-run'" if info.pending else "none pending"
    return (
        f"{info.uri}\n{table(headings, cells, headings[1:6])}\ntags: {tags}\nmaintenance: {due}\nmigrations: {pending}\n"
        f"history projection: {_projection(info)}"
    )


def _projection(info: StoreInfo) -> str:
    """Describe the projection, and how many results are not in it yet."""
    known = info.projection
    if known is None:
        return "none, so histories are read from the results; maintenance makes it where there are many"
    levels = f"{known.levels} level{'s' if known.levels > 1 else ''}"
    newer = f"{known.rows_outside:,} more are read beside it" if known.rows_outside else "no result is outside it"
    return f"{known.rows:,} results in {levels}, {quantity(known.bytes, 'bytes')}; {newer}"


def restored_text(done: Restored, *, dry_run: bool) -> str:
    """Render what going back to a version changes."""
    again = f"the store has the runs of version {done.version}"
    lines = [
        f"removed: {done.runs_removed:,} runs with {done.results_removed:,} results",
        f"returned: {done.runs_returned:,} runs with {done.results_returned:,} results",
        *([f"as they were before they were replaced: {done.runs_reverted:,} runs"] if done.runs_reverted else []),
    ]
    if not (done.runs_removed or done.runs_returned or done.runs_reverted):
        return f"nothing to change: {again}"
    return "\n".join(["nothing changed; with --yes:" if dry_run else f"{again} again", *lines])


def verification_text(found: Verification) -> str:
    """Render what a verification read and found."""
    is_quick = found.sampled is not None
    is_whole = not any(problem.runs for problem in found.problems)
    good = "no damage found" if is_quick else "all sound" if is_whole else "sound"
    good += "" if is_whole else ", but for the runs below"
    how = "counted" if is_quick else "read"
    runs = f"{found.runs:,} run{'' if found.runs == 1 else 's'}"
    head = f"{found.rows:,} results of {runs} {how}: {good if found.sound else 'NOT SOUND'}"
    lines = [f"{p.table}: {p.count} x {p.kind} (first: {visible(p.example)}){_runs(p.runs)}" for p in found.problems]
    if is_quick:
        lines.append(
            f"{found.sampled:,} of them compared with their checksums, chosen at random (--seed {found.seed} chooses the same)"
        )
        lines.append(f"not checked, as 'bench-db store verify' without --quick does: {'; '.join(found.unchecked)}")
    return "\n".join((head, *lines))


def recomputed_text(found: Recomputed) -> str:
    """Render how many statistics were computed again, and which are stored otherwise."""
    lines = [
        f"{found.computed:,} of {found.results:,} results have all their samples; {found.differing:,} are stored with other statistics"
    ]
    return "\n".join([*lines, *found.examples])


def _runs(keys: Sequence[str]) -> str:
    """Name the runs that suffer from a problem."""
    if not keys:
        return ""
    more = f" and {len(keys) - _MOST_RUNS:,} more" if len(keys) > _MOST_RUNS else ""
    return f"; runs {', '.join(keys[:_MOST_RUNS])}{more}"


def stores_json(stores: pl.DataFrame) -> list[dict[str, Any]]:
    """Return a document for each store of a collection; times are unix seconds."""
    return stores.rename({"ingested_at": "published_at"}).to_dicts()


def stores_text(address: str, stores: pl.DataFrame, screen: Screen = PLAIN) -> str:
    """Render the stores of a collection as a table; the last column of one that cannot be read is its error."""
    if stores.is_empty():
        return f"no store directly below {address}"
    headings = ("store", "runs", "results", "newest publish", *(("error",) if stores["error"].count() else ()))
    cells = [
        (
            r["store"],
            *("-" if r[n] is None else f"{r[n]:,}" for n in ("runs", "results")),
            when(r["ingested_at"]),
            r["error"] or "",
        )
        for r in stores.iter_rows(named=True)
    ]
    return table(headings, [row[: len(headings)] for row in cells], ("runs", "results"), screen)


def transfer_json(done: Transfer) -> dict[str, Any]:
    """Return a transfer as JSON; keys of runs are hexadecimal text."""
    keys = {name: [f"{key:016x}" for key in getattr(done, name)] for name in ("replaced", "differing")}
    return {**asdict(done), **keys}


def transfer_text(done: Transfer) -> str:
    """Render what a transfer copied, table by table."""
    cells = [(name, f"{moved.rows:,}", f"{moved.new:,}") for name, moved in done.tables.items()]
    replaced = f", {len(done.replaced)} runs replaced" if done.replaced else ""
    copied = table(("table", "rows", "new"), cells, ("rows", "new"))
    return f"{copied}\n{done.files:,} files of artifacts{replaced}\n{passed_over_text(done)}".rstrip()


def passed_over_text(done: Transfer | Export) -> str:
    """Render what a salvage left out, one thing a line; empty when it left out nothing."""
    lines = [f"{one.table}: {visible(one.name)}: {visible(one.reason)}" for one in done.passed_over]
    return "\n".join([f"passed over, {len(lines):,} in all:", *lines]) if lines else ""


def export_text(done: Export) -> str:
    """Render the files that a export wrote."""
    cells = [
        (name, f"{f.rows:,}", quantity(f.bytes, "bytes"), f.sha256[: RULES.digest_length])
        for name, f in done.files.items()
    ]
    written = table(("file", "rows", "size", "sha256"), cells, ("rows", "size"))
    why = "failed, or without a place in this form (docs/formats.md)"
    left_out = f"{done.left_out:,} of the results have no value in these files: {why}\n" if done.left_out else ""
    return f"{written}\n{done.artifacts:,} files of artifacts\n{left_out}{passed_over_text(done)}".rstrip()


def migration_text(steps: Sequence[StoreChange], *, dry_run: bool) -> str:
    """Describe the changes of a migration, one a line."""
    if not steps:
        return "nothing to do: the store is as this bench-db writes it"
    head = "would change" if dry_run else "changed"
    return "\n".join(
        [head, *(f"  {s.name}: {s.description}" + (f" ({s.rows:,} rows)" if s.rows else "") for s in steps)]
    )


def upgrade_text(done: Upgrade, *, dry_run: bool) -> str:
    """Render what an upgrade changed, or would change."""
    if not done.needed:
        return f"nothing to do: {done.rows_before:,} results are of the present kind"
    lines: Sequence[str] = (
        f"{'would change' if dry_run else 'changed'}: {done.rows_before:,} rows before, {done.rows_after:,} after, {done.runs:,} runs",
        f"  columns added: {', '.join(done.columns_added)}",
        f"  Criterion rows from batch totals to per-iteration values: {done.criterion_repaired:,}",
        f"  rows whose unit was 'ns' instead of 'nanoseconds': {done.units_unified:,}",
        f"  commits read from the version: {done.commits_parsed:,}",
        f"  exact copies collapsed: {done.copies_collapsed:,}",
        f"  rows whose CPU was an architecture, now unknown: {done.cpus_unknown:,}",
        f"  series that continue under the same device, test bed, benchmark, metric and unit: {done.series:,}",
        f"  definitions for that ('bench-db define list' shows them): {done.definitions:,}",
    )
    return "\n".join(lines)
