"""Publishing files: read them all, then store their runs one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.app.database import Source, opened
from bench_db.app.names import named
from bench_db.app.progress import SILENT
from bench_db.errors import UserError
from bench_db.ingest import Provenance, find, parse_each
from bench_db.ingest.host import checkout_around
from bench_db.measure import git
from bench_db.model import Published, PublishedFile
from bench_db.report.publish import as_json
from bench_db.store import database as stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bench_db.model import RecordedCommit, Result, Run

_NOTHING = Provenance()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The published files in order; with `dry_run` those that would have been published."""

    files: Sequence[PublishedFile]
    dry_run: bool = False

    @property
    def new(self) -> int:
        """The number of results that were added."""
        return sum(file.new for file in self.files)

    @property
    def unchanged(self) -> int:
        """The number of results that were stored before."""
        return sum(file.unchanged for file in self.files)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return as_json(self.files)


def publish(
    database: Source,
    *paths: str | Path,
    format: str = "auto",  # noqa: A002 as the flag is called
    provenance: Provenance = _NOTHING,
    replace: bool = False,
    keep_leftovers: bool = False,
    single_writer: bool = False,
    progress: Callable[[int, int], None] = SILENT,
) -> Publication:
    """Publish files and directories of benchmark output. Publishing the same measurements again adds nothing.

    A Criterion directory is one run, any other file is one or a history of them, and of a directory each file is published. All
    files are read before the first is stored, so that an unreadable one leaves the store as it was. A store at an address is made
    when there is none; `single_writer` is as for `connect`. `replace` removes the earlier run of the same run id and file name if
    its device, commit, test bed and suite are the same. `keep_leftovers` stores results whose samples are those of an earlier
    commit. Raises `UserError` when a file does not tell version or time and `provenance`
    does not either.
    """
    runs = list(_read(paths, format, provenance))
    if isinstance(database, str | Path):
        store = stores.connect(database, create=True, single_writer=single_writer)
    else:
        store = opened(database)
    files = []
    for done, (path, run, results) in enumerate(runs, 1):
        others = store.neighbours(results)
        details = _details(store, run, path, provenance)
        published = store.publish(results, run, replace=replace, keep_leftovers=keep_leftovers, commits=details)
        files.append(_with_neighbours(_file(path, run, published), others))
        progress(done, len(runs))
    return Publication(files=files)


def _with_neighbours(file: PublishedFile, others: Sequence[tuple[str, str]]) -> PublishedFile:
    """Return a published file with a note when its series are new, and others have the same benchmarks."""
    if not others:
        return file
    shown = "; ".join(f"test bed {bed}, suite {suite or '(none)'}" for bed, suite in others[:3])
    note = (
        f"new series begin here, and the same benchmarks exist elsewhere ({shown}); to continue those, publish under the same "
        "names, which bench-db.toml can give"
    )
    return changed(file, notes=(*file.notes, note))


def _details(store: stores.Database, run: Run, file: Path, provenance: Provenance) -> list[RecordedCommit]:
    """Return what the checkout at hand knows of the commit of a run."""
    checkout = provenance.checkout or checkout_around(file.absolute())
    return [] if checkout is None else known_of_commit(store, checkout, run)


def known_of_commit(store: stores.Database, checkout: Path, run: Run) -> list[RecordedCommit]:
    """Return what a checkout knows of the commit of a run; nothing when it is recorded in full already, or not of this repository."""
    if run.commit is None or store.knows_commit(run.dut.name, run.commit):
        return []
    try:
        return [git.record_of(checkout, run.commit, run.dut.name)]
    except UserError:  # another repository, or no git
        return []


def preview(*paths: str | Path, format: str = "auto", provenance: Provenance = _NOTHING) -> Publication:  # noqa: A002
    """Read and check files as `publish` does, and store nothing: every result counts as new."""
    runs = _read(paths, format, provenance)
    files = [
        _file(
            path,
            run,
            Published(run_key=run.run_key, new=len(results), unchanged=0, skipped=run.skipped, notes=run.notes),
        )
        for path, run, results in runs
    ]
    return Publication(files=files, dry_run=True)


def _read(
    paths: Iterable[str | Path], format_name: str, provenance: Provenance
) -> Iterator[tuple[Path, Run, list[Result]]]:
    for file in [file for path in paths for file in find(Path(path), format_name)]:
        for run, results in parse_each(file, format_name, provenance=named(file, provenance)):
            _require_build(file, run, results)
            yield file, run, results


def _require_build(file: Path, run: Run, results: list[Result]) -> None:
    if not results:
        message = f"{file}: no benchmark in it could be read: {'; '.join(run.notes[:3])}"
        raise UserError(message)
    if run.dut.version == "unknown":
        message = (
            f"{file}: DUT version could not be determined. Give `dut_version`, or `checkout` with the measured source"
        )
        raise UserError(message)
    if not run.dut.timestamp:
        message = f"{file}: DUT timestamp could not be determined. Give `dut_timestamp`, or `checkout` with the measured source"
        raise UserError(message)


def _file(path: Path, run: Run, published: Published) -> PublishedFile:
    return PublishedFile(
        path=str(path),
        part=run.file_name.removeprefix(path.resolve().name).removeprefix("#"),
        format=run.format,
        run_id=run.run_id,
        new=published.new,
        unchanged=published.unchanged,
        replaced=published.replaced,
        skipped=dict(published.skipped),
        notes=published.notes,
    )
