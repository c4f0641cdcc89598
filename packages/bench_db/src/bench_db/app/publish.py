"""Publishing files: read them all, then store their runs one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_db.app.configuration import named
from bench_db.app.database import Source, opened
from bench_db.app.progress import SILENT
from bench_db.errors import InputFileError, UnreadableFilesError, UnreadableOutputError, UserError
from bench_db.ingest import STDIN, Provenance, file_name, find, location, parse_each
from bench_db.ingest.host import checkout_around
from bench_db.measure import git
from bench_db.model import Published, PublishedFile, UnreadableFile
from bench_db.report.publish import as_json
from bench_db.rules import RULES
from bench_db.store import database as stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench_db.errors import BenchDbError
    from bench_db.model import RecordedCommit, Result, Run

_NOTHING = Provenance()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The published files in order; with `dry_run` those that would have been published.

    `unreadable` are the files that were not published, and `passed_over` the files of directories that are no output.
    """

    files: Sequence[PublishedFile]
    unreadable: Sequence[UnreadableFile] = ()
    passed_over: Sequence[str] = ()
    dry_run: bool = False

    @property
    def new(self) -> int:
        """The number of results that were added, without those of failed benchmarks."""
        return sum(file.new for file in self.files)

    @property
    def failed(self) -> int:
        """The number of results of failed benchmarks that were added."""
        return sum(file.failed for file in self.files)

    @property
    def unchanged(self) -> int:
        """The number of results that were stored before."""
        return sum(file.unchanged for file in self.files)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return as_json(self.files, self.unreadable, self.passed_over)


def publish(
    database: Source,
    *paths: str | Path,
    format: str = "auto",  # noqa: A002 as the flag is called
    provenance: Provenance = _NOTHING,
    replace: bool = False,
    keep_leftovers: bool = False,
    single_writer: bool = False,
    keep_going: bool = False,
    deadline_seconds: float = RULES.input_seconds,
    progress: Callable[[int, int], None] = SILENT,
) -> Publication:
    """Publish files and directories of benchmark output. Publishing the same measurements again adds nothing.

    A Criterion directory is one run, any other file is one or a history of them, and of a directory each file is published; `-` is
    standard input. All files are read before the first is stored, so that an unreadable one leaves the store as it was; with
    `keep_going` the others are stored, and `unreadable` of the answer has its error. A pipe needs a writer within
    `deadline_seconds`. A store at an address is created when there is none; `single_writer` is as for `connect`. `replace` removes
    the earlier run of the same run id and file name if its device, commit, test bed and suite are the same. `keep_leftovers` stores
    results whose samples are those of an earlier commit. Raises `UserError` when neither a file nor `provenance` has version or
    time, and `UnreadableFilesError` for several unreadable files.
    """
    reading = _Reading(format, provenance, deadline_seconds)
    runs = reading.read(paths, keep_going=keep_going)
    if not runs:
        return reading.publication([])
    if isinstance(database, str | Path):
        store = stores.connect(database, create=True, single_writer=single_writer)
    else:
        store = opened(database)
    files = []
    for done, (path, run, results) in enumerate(runs, 1):
        details = partial(_details, run, path, provenance)
        published = store.publish(results, run, replace=replace, keep_leftovers=keep_leftovers, commits=details)
        files.append(_file(path, run, results, published))
        progress(done, len(runs))
    return reading.publication(files)


def _details(run: Run, file: Path, provenance: Provenance) -> list[RecordedCommit]:
    """Return what the checkout at hand knows of the commit of a run."""
    checkout = provenance.checkout or checkout_around(location(file))
    return [] if checkout is None else known_of_commit(checkout, run)


def known_of_commit(checkout: Path, run: Run) -> list[RecordedCommit]:
    """Return what a checkout knows of the commit of a run; nothing when it is of another repository."""
    try:
        return [] if run.commit is None else [git.record_of(checkout, run.commit, run.dut.name)]
    except UserError:  # another repository, or no git
        return []


def preview(
    *paths: str | Path,
    format: str = "auto",  # noqa: A002 as the flag is called
    provenance: Provenance = _NOTHING,
    keep_going: bool = False,
    deadline_seconds: float = RULES.input_seconds,
) -> Publication:
    """Read and check files as `publish` does, and store nothing: every result counts as added."""
    reading = _Reading(format, provenance, deadline_seconds)
    runs = reading.read(paths, keep_going=keep_going)
    files = [
        _file(
            path,
            run,
            results,
            Published(run_key=run.run_key, new=len(results), unchanged=0, skipped=run.skipped, notes=run.notes),
        )
        for path, run, results in runs
    ]
    return changed(reading.publication(files), dry_run=True)


class _Reading:
    """The reading of files: what is unreadable, and what was passed over."""

    def __init__(self, format_name: str, provenance: Provenance, deadline_seconds: float) -> None:
        self._format, self._provenance, self._deadline = format_name, provenance, deadline_seconds
        self._unreadable: list[UnreadableFile] = []
        self._passed_over: list[str] = []

    def read(self, paths: Iterable[str | Path], *, keep_going: bool) -> list[tuple[Path, Run, list[Result]]]:
        """Read all files. Raises the errors of unreadable files together, unless `keep_going`."""
        runs: list[tuple[Path, Run, list[Result]]] = []
        errors: list[BenchDbError] = []
        for path in paths:
            found = find(Path(path), self._format)
            self._unreadable += found.unreadable
            self._passed_over += map(str, found.passed_over)
            for file in found.readable:
                try:
                    runs += self._runs(file)
                except (UnreadableOutputError, InputFileError) as error:
                    errors.append(error)
                    self._unreadable.append(UnreadableFile(path=str(file), error=str(error)))
        if self._unreadable and not keep_going:
            if len(errors) == len(self._unreadable) == 1:
                raise errors[0]
            raise UnreadableFilesError([file.error for file in self._unreadable])
        return runs

    def publication(self, files: Sequence[PublishedFile]) -> Publication:
        """Return the answer for these published files."""
        return Publication(files=files, unreadable=self._unreadable, passed_over=self._passed_over)

    def _runs(self, file: Path) -> list[tuple[Path, Run, list[Result]]]:
        read = parse_each(
            file, self._format, provenance=named(location(file), self._provenance), deadline_seconds=self._deadline
        )
        runs = [(file, run, results) for run, results in read]
        for run in runs:
            _require_build(*run)
        return runs


def _require_build(file: Path, run: Run, results: list[Result]) -> None:
    if not results:
        message = f"{file}: no benchmark in it could be read: {'; '.join(run.notes[:3])}"
        raise InputFileError(message)
    if run.dut.version == "unknown":
        message = (
            f"{file}: DUT version could not be determined. Give `dut_version`, or `checkout` with the measured source"
        )
        raise InputFileError(message)
    if not run.dut.timestamp:
        message = f"{file}: DUT timestamp could not be determined. Give `dut_timestamp`, or `checkout` with the measured source"
        raise InputFileError(message)


def _file(path: Path, run: Run, results: Sequence[Result], published: Published) -> PublishedFile:
    failed = min(published.new, sum(result.error is not None for result in results))
    return PublishedFile(
        path="stdin" if path == STDIN else str(path),
        part=run.file_name.removeprefix(file_name(path)).removeprefix("#"),
        format=run.format,
        run_id=run.run_id,
        new=published.new - failed,
        failed=failed,
        unchanged=published.unchanged,
        replaced=published.replaced,
        skipped=dict(published.skipped),
        notes=published.notes,
    )
