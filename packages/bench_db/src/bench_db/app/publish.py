"""Publishing files: read them all, then store their runs, many at a time."""

from __future__ import annotations

import json
import pickle
import re
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import replace as changed
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

import polars as pl

from bench_db.app.configuration import Declaration, formats_for, formats_stated, named
from bench_db.app.database import Source, opened
from bench_db.app.progress import SILENT
from bench_db.errors import (
    BenchDbError,
    InputFileError,
    StoreUnavailableError,
    UnreadableFilesError,
    UnreadableOutputError,
    UserError,
)
from bench_db.ingest import STDIN, Builds, Opened, Provenance, file_name, find, location
from bench_db.ingest.host import checkout_around
from bench_db.ingest.normalise import UNKNOWN
from bench_db.measure import git
from bench_db.model import Published, PublishedFile, Result, Run, UnreadableFile
from bench_db.query.selection import Selection, of_runs
from bench_db.report.publish import as_json
from bench_db.report.text import visible
from bench_db.rules import RULES
from bench_db.store import database as stores
from bench_db.store.publish import Entry, rarely_searched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from bench_db.ingest import Adapter
    from bench_db.model import RecordedCommit

_UNNAMED = f"nothing names the device under test, so its name is {UNKNOWN!r}, and results of another project would join its series: "
# the name of a repository at the end of its address; no other text becomes part of a proposed command
_REPOSITORY = re.compile(r"https?://[^/?#]+/(?:[^?#]*/)?([A-Za-z0-9][\w.-]{0,98}?)(?:[.]git)?/?", re.ASCII)
_NOTHING = Provenance()
# Read results of so many rows stay in memory, about 50 MB.
_ROWS_IN_MEMORY = 32_768
# Files that are open at once, for one look-up of all: beyond those of the last file, so many bytes.
_FILES_AT_ONCE, _BYTES_AT_ONCE = 256, 1 << 23
# To parse one smaller file takes less than a look-up in a bucket, which reads every data file of the runs.
_WORTH_A_LOOK = 1 << 20


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
    formats: Declaration | None = None,
    progress: Callable[[int, int, str], None] = SILENT,
) -> Publication:
    """Publish files and directories of benchmark output. Publishing the same measurements again adds nothing.

    A Criterion directory is one run, any other file is one or a history of them, and of a directory each file is published; `-` is
    standard input. All files are read before the first is stored, so that an unreadable one leaves the store as it was; with
    `keep_going` the others are stored, and `unreadable` of the answer has its error. A pipe needs a writer within
    `deadline_seconds`. A store at an address is created when there is none; `single_writer` is as for `connect`. `replace` removes
    the earlier run of the same run id and file name if its device, commit, test bed and suite are the same. `keep_leftovers` stores
    results whose samples are those of an earlier commit. `formats` declares formats as `[format.NAME]` of bench-db.toml does: a
    TOML file, or the same as a dictionary. Raises `UserError` when neither a file nor `provenance` has version or
    time, and `UnreadableFilesError` for several unreadable files. `progress` is called with the number of files done, of all, and
    what is being done with them: finding, reading or storing.

    Many runs are written together. When the process is killed, publishing the same files again continues. A file that is stored
    already, as its `runs.input_key` says, is not parsed.
    """
    reading = _Reading(format, provenance, deadline_seconds, formats, progress)
    place = _Place(database, single_writer=single_writer)
    with rarely_searched(), _Spool() as runs:
        reading.read(paths, runs, keep_going=keep_going, known=_nothing if replace else place.runs_of_files)
        if not len(runs):
            return reading.publication([])
        how = {"replace": replace, "keep_leftovers": keep_leftovers}
        return reading.publication(_stored(place.store(), runs, reading, how, progress))


def _nothing(_digests: Collection[str]) -> list[Run]:
    return []


class _Place:
    """Where runs are published. A look-up creates no store, and its failure leaves the answer to the publish."""

    def __init__(self, database: Source, *, single_writer: bool) -> None:
        self._database, self._single_writer = database, single_writer
        self._store: stores.Database | None = None
        self._looks = True
        self._error: StoreUnavailableError | None = None

    def runs_of_files(self, digests: Collection[str]) -> list[Run]:
        """Return the stored runs of files with some SHA-256; none without a store and none of one that cannot be read."""
        try:
            return self._to_look().runs_of_files(digests) if self._looks else []
        except BenchDbError:
            self._looks = False
            return []

    def _to_look(self) -> stores.Database:
        if self._store is None and isinstance(self._database, str | Path):
            try:
                self._store = stores.connect(self._database, single_writer=self._single_writer)
            except StoreUnavailableError as error:
                self._error = error
                raise
        return self.store()

    def store(self) -> stores.Database:
        """Return the store, created where there is none. Raises as `connect` does."""
        if self._error is not None:
            raise self._error  # to wait for the store again would take as long
        if self._store is None and isinstance(self._database, str | Path):
            self._store = stores.connect(self._database, create=True, single_writer=self._single_writer)
        elif self._store is None:
            self._store = opened(self._database)
        return self._store


def _stored(
    store: stores.Database,
    runs: _Spool,
    reading: _Reading,
    how: Mapping[str, bool],
    progress: Callable[[int, int, str], None],
) -> list[PublishedFile]:
    """Store runs and return what was published; a single new run without the cost of a batch."""
    waiting: deque[_Read] = deque()

    def entries() -> Iterator[Entry]:
        for read in runs:
            waiting.append(read._replace(results=[result for result in read.results if result.error is not None]))
            parse = None if read.results else partial(reading.parsed, read.path)
            yield Entry(read.run, read.results, partial(details, read.run, read.path, reading.provenance), parse)

    answers: list[tuple[_Read, Published]] = []
    progress(0, len(runs), "storing")
    try:
        is_batch = len(runs) > 1 or runs.has_known
        for published in store.publish_many(entries(), **how) if is_batch else _alone(store, entries(), how):
            answers.append((waiting.popleft(), published))
            progress(len(answers), len(runs), "storing")
    except BenchDbError as error:
        if answers:
            error.args = (f"{error}. {len(answers)} of {len(runs)} runs are stored; the same command continues",)
        raise
    keys = [published.run_key for _, published in answers]
    more = (
        _direction_notes(store, [published for _, published in answers], reading.provenance),
        _exclusion_notes(store, [p.run_key for _, p in answers if p.replaced or not p.new]),
        {p.run_key: _unnamed(read.run) for read, p in answers if p.new and read.run.dut.name == UNKNOWN},
        _id_notes(store, answers, reading.provenance),
    )
    return [
        _file(read, changed(published, notes=(*published.notes, *(n[key] for n in more if key in n))))
        for key, (read, published) in zip(keys, answers, strict=True)
    ]


def _unnamed(run: Run) -> str:
    """Return the note on a run without a name of what it measured; it proposes that of the repository that its file names."""
    context = json.loads(run.context)
    found = _REPOSITORY.fullmatch(str(context.get("repoUrl"))) if isinstance(context, dict) else None
    named = "" if found is None else f" {found[1]}, as the file calls its repository"
    return f"{_UNNAMED}give --dut-name{named}, or --checkout with the measured source"


def _id_notes(
    store: stores.Database, answers: Iterable[tuple[_Read, Published]], provenance: Provenance
) -> dict[int, str]:
    """Return a note for each new run, by key, whose file has the run id of an earlier one with other values.

    A job of CI gives all its files one id, so that only the id of a tool names one run.
    """
    new = {
        published.run_key: read.run
        for read, published in answers
        if published.new and not provenance.run_id and read.run.run_id not in {"", f"{published.run_key:016x}"}
    }
    if not new:
        return {}
    ids = list({run.run_id for run in new.values()})
    known = store.runs().select("run_key", "run_id", "sha256").filter(pl.col("run_id").is_in(ids)).collect()
    known = known.filter(~pl.col("run_key").is_in(list(store.exclusion_reasons())))
    notes, later = {}, set(new)
    for key, run in new.items():
        earlier = known.filter(pl.col("run_id") == run.run_id, pl.col("sha256") != run.sha256)
        if others := [f"{other:016x}" for other in earlier["run_key"] if other not in later]:
            named = f"run {others[0]} has" if len(others) == 1 else f"runs {' and '.join(others)} have"
            notes[key] = (
                f"{named} its run id {visible(run.run_id)}, too, and other values; all of them count, unless "
                "'bench-db run exclude' leaves some out"
            )
        later.remove(key)
    return notes


def _exclusion_notes(store: stores.Database, keys: Sequence[int]) -> dict[int, str]:
    """Return a note for each excluded run, by key: it is in no answer."""
    excluded = store.exclusion_reasons() if keys else {}
    return {
        key: f"this run is excluded ({visible(excluded[key])}), so no answer has it; 'bench-db run include {key:016x}' puts it back"
        for key in keys
        if key in excluded
    }


def _direction_notes(store: stores.Database, answers: Iterable[Published], provenance: Provenance) -> dict[int, str]:
    """Return a note for each run, by key, that was stored before with another direction than the stated one."""
    keys = {published.run_key for published in answers if published.unchanged and not published.new}
    if not keys or not provenance.directions:
        return {}
    runs = store.runs().select("run_key", "commit").filter(pl.col("run_key").is_in(list(keys))).collect()
    rows = store.rows(("run_key", "metric", "direction"), Selection(everything=True), condition=of_runs(runs))
    others: dict[int, set[str]] = {}
    for key, metric, known in rows.unique().iter_rows():
        stated = provenance.directions.get(metric, provenance.directions.get(""))
        if stated not in {None, known}:
            others.setdefault(key, set()).add(f"{metric} as {known}")
    return {
        key: f"stored already with another direction than the stated one ({', '.join(sorted(of)[:3])}); --replace stores this"
        " one, and 'bench-db define better' changes it when results are read"
        for key, of in others.items()
    }


def _alone(store: stores.Database, entries: Iterable[Entry], how: Mapping[str, bool]) -> Iterator[Published]:
    return (store.publish(entry.results, entry.run, commits=entry.commits, **how) for entry in entries)


def details(run: Run, file: Path, provenance: Provenance) -> list[RecordedCommit]:
    """Return what the checkout at hand records of the commit of a run."""
    checkout = provenance.checkout or checkout_around(location(file))
    return [] if checkout is None else known_of_commit(checkout, run)


def known_of_commit(checkout: Path, run: Run) -> list[RecordedCommit]:
    """Return what a checkout records of the commit of a run; nothing when it is of another repository."""
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
    formats: Declaration | None = None,
    progress: Callable[[int, int, str], None] = SILENT,
) -> Publication:
    """Read and check files as `publish` does, and store nothing: every result counts as added."""
    reading = _Reading(format, provenance, deadline_seconds, formats, progress)
    with rarely_searched(), _Spool() as runs:
        reading.read(paths, runs, keep_going=keep_going)
        files = [_file(read, _to_publish(read)) for read in runs]
    return changed(reading.publication(files), dry_run=True)


def _to_publish(read: _Read) -> Published:
    run = read.run
    return Published(run_key=run.run_key, new=len(read.results), unchanged=0, skipped=run.skipped, notes=run.notes)


class _Read(NamedTuple):
    """A run of a file, as it was read; the record of a stored one, without results, for a file that was not parsed."""

    path: Path
    run: Run
    results: list[Result]


class _Spool:
    """The runs that were read, in order; beyond the first ones they are in a temporary file, so that memory stays bounded."""

    def __init__(self) -> None:
        self._first: list[_Read] = []
        self._runs = self._rows = self._later = 0
        self.has_known = False
        self._file: IO[bytes] | None = None
        self._open = ExitStack()

    def add(self, read: _Read) -> None:
        """Add a run."""
        self._runs += 1
        self._rows += len(read.results)
        self.has_known |= not read.results
        if self._rows <= _ROWS_IN_MEMORY:
            self._first.append(read)
            return
        if self._file is None:
            self._file = self._open.enter_context(TemporaryFile())  # noqa: SIM115 closed by `__exit__`
        self._later += 1
        pickle.dump(read, self._file, pickle.HIGHEST_PROTOCOL)

    def __len__(self) -> int:
        return self._runs

    def __iter__(self) -> Iterator[_Read]:
        """Yield the runs once each; those in memory are released."""
        first, self._first = self._first[::-1], []
        while first:
            yield first.pop()
        if self._file is not None:
            self._file.seek(0)
            for _ in range(self._later):
                yield pickle.load(self._file)  # noqa: S301 written above, and the file has no name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


class _Reading:
    """The reading of files: what is unreadable, and what was passed over."""

    def __init__(
        self,
        format_name: str,
        provenance: Provenance,
        deadline_seconds: float,
        formats: Declaration | None,
        progress: Callable[[int, int, str], None],
    ) -> None:
        self._stated = None if formats is None else formats_stated(formats)
        self._format, self.provenance, self._deadline = format_name, provenance, deadline_seconds
        self._progress = progress
        self._builds = Builds()
        # Of each file its format, which is looked for once, and what is declared for it.
        self._formats: dict[Path, str] = {}
        self._declared: dict[Path, Sequence[Adapter]] = {}
        self._unreadable: list[UnreadableFile] = []
        self._passed_over: list[str] = []

    def read(
        self,
        paths: Iterable[str | Path],
        runs: _Spool,
        *,
        keep_going: bool,
        known: Callable[[Collection[str]], list[Run]] = _nothing,
    ) -> None:
        """Add the runs of all files. Raises the errors of unreadable files together, unless `keep_going`.

        `known` returns the stored runs of files with some SHA-256; a file that would be stored as one of them is not parsed.
        """
        errors: list[BenchDbError] = []
        files = [found for path in paths for found in self._found(Path(path))]
        for number, (file, reads) in enumerate(self._each(files, known)):
            self._progress(number, len(files), "reading")
            try:
                for read in reads():
                    runs.add(read)
            except (UnreadableOutputError, InputFileError) as error:
                errors.append(error)
                self._unreadable.append(UnreadableFile(path=str(file), error=str(error)))
        if self._unreadable and not keep_going:
            if len(errors) == len(self._unreadable) == 1:
                raise errors[0]
            raise UnreadableFilesError([file.error for file in self._unreadable])

    def _found(self, path: Path) -> list[tuple[Path, Sequence[Adapter]]]:
        """Return the files of a path, with the formats that are declared for them."""
        declared = formats_for(location(path), self.provenance) if self._stated is None else self._stated
        found = find(
            path, self._format, declared=declared, looked=lambda done, total: self._progress(done, total, "finding")
        )
        self._unreadable += found.unreadable
        self._passed_over += map(str, found.passed_over)
        self._formats |= found.readable
        self._declared |= dict.fromkeys(found.readable, declared)
        return [(file, declared) for file in found.readable]

    def publication(self, files: Sequence[PublishedFile]) -> Publication:
        """Return the answer for these published files."""
        return Publication(files=files, unreadable=self._unreadable, passed_over=self._passed_over)

    def _each(
        self, files: Sequence[tuple[Path, Sequence[Adapter]]], known: Callable[[Collection[str]], list[Run]]
    ) -> Iterator[tuple[Path, Callable[[], list[_Read]]]]:
        """Yield each file and what reads it; some files are open at once."""
        waiting: list[tuple[Path, Opened | BenchDbError]] = []
        size = 0
        for number, (file, declared) in enumerate(files, 1):
            try:
                one: Opened | BenchDbError = self._opened(file, declared)
            except BenchDbError as error:  # raised when its turn comes
                one = error
            waiting.append((file, one))
            size += one.size if isinstance(one, Opened) else 0
            if number == len(files) or len(waiting) >= _FILES_AT_ONCE or size >= _BYTES_AT_ONCE:
                yield from self._looked_up(waiting, known)
                waiting, size = [], 0

    def _looked_up(
        self, files: Sequence[tuple[Path, Opened | BenchDbError]], known: Callable[[Collection[str]], list[Run]]
    ) -> Iterator[tuple[Path, Callable[[], list[_Read]]]]:
        opened = [(file, one) for file, one in files if isinstance(one, Opened)]
        is_worth_it = len(opened) > 1 or any(one.size >= _WORTH_A_LOOK for _, one in opened)
        looks = is_worth_it and known is not _nothing
        digests = {one.digest for file, one in opened if looks and _is_repeatable(file)}
        found: dict[str, list[Run]] = {}
        for run in known(digests) if digests else ():
            found.setdefault(run.sha256, []).append(run)
        for file, one in files:
            stored = found.get(one.digest, ()) if found and isinstance(one, Opened) and _is_repeatable(file) else ()
            yield file, partial(self._runs, file, one, stored)

    def parsed(self, file: Path) -> tuple[Run, list[Result]]:
        """Parse a file whose run the store had in full, and no longer has."""
        ((run, results),) = self._opened(file, self._declared[file]).runs(keyed=True)
        _require_build(file, run, results)
        return run, results

    def _opened(self, file: Path, declared: Sequence[Adapter]) -> Opened:
        return Opened(
            file,
            self._formats[file],
            provenance=named(location(file), self.provenance),
            declared=declared,
            deadline_seconds=self._deadline,
            builds=self._builds,
        )

    def _runs(self, file: Path, opened: Opened | BenchDbError, stored: Sequence[Run]) -> list[_Read]:
        if isinstance(opened, BenchDbError):
            raise opened
        same = next((run for run in stored if opened.is_input_of(run)), None)
        if same is not None:
            opened.release()
            run_id = self.provenance.run_id or same.run_id
            return [_Read(file, changed(same, run_id=run_id), [])]
        runs = [_Read(file, run, results) for run, results in opened.runs(keyed=True)]
        for run in runs:
            _require_build(*run)
        return runs


def _is_repeatable(file: Path) -> bool:
    """Return whether a file can be read a second time, as standard input and a pipe cannot."""
    return file != STDIN and (file.is_file() or file.is_dir())


def _require_build(file: Path, run: Run, results: list[Result]) -> None:
    if not results:
        reasons = [note for note in run.notes if ": skipped, " in note] or run.notes
        message = f"{file}: no benchmark in it could be read: {'; '.join(reasons[:3])}"
        raise InputFileError(message)
    if run.dut.version == "unknown":
        message = (
            f"{file}: DUT version could not be determined. Give `dut_version`, or `checkout` with the measured source"
        )
        raise InputFileError(message)
    if not run.dut.timestamp:
        message = f"{file}: DUT timestamp could not be determined. Give `dut_timestamp`, or `checkout` with the measured source"
        raise InputFileError(message)


def _file(read: _Read, published: Published) -> PublishedFile:
    path, run, results = read
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
