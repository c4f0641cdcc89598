"""Change points: of the series of one benchmark (`detect`), and of all series at a false discovery rate (`scan`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bench_db.analysis.by_commit import by_commit
from bench_db.analysis.changes import changes_of
from bench_db.analysis.constants import Profile
from bench_db.analysis.findings import finding_of, finding_of_shape, in_order, movements, scanned, settled, updated
from bench_db.analysis.histories import Histories, histories, joined
from bench_db.analysis.scan_blame import blame_scan
from bench_db.app.answers import Answer, frame_of
from bench_db.app.charts import effects_chart, worse_or_better
from bench_db.app.compare import threshold_faults
from bench_db.app.database import on_database
from bench_db.app.engines import detecting
from bench_db.app.runs import no_results
from bench_db.app.scans import extents, records_of
from bench_db.errors import ConflictError, UserError
from bench_db.model import Change, CommitFindings, Finding, Movement, Series
from bench_db.query.selection import Conditions, Selection, SeriesConditions, selection_of
from bench_db.query.series import series_told_apart
from bench_db.query.thresholds import Thresholds
from bench_db.report.document import finding_json, record_json
from bench_db.rules import RULES

if TYPE_CHECKING:
    from typing import Unpack

    import polars as pl

    from bench_db.app.charts import Chart
    from bench_db.distributed import Engine
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

_TRIES = 8
# Points that are read together: with all their columns they take 400 bytes each. Fewer cost CPU: 25,000 take a fifth more.
_PART = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected(Answer):
    """The changes of some series, oldest first within a series, and the histories they are changes of.

    `changes` are those of level, and `shapes` the findings of spread and of modes.
    `history` describes whose results they are.
    """

    history: str
    changes: Sequence[Change]
    histories: Histories
    shapes: Sequence[Finding] = ()

    @property
    def series(self) -> dict[int, Series]:
        """The series by key."""
        return {series.series_key: series for series in self.histories.series}

    @property
    def findings(self) -> list[Finding]:
        """The findings that a scan would make of the changes, largest first."""
        return in_order(self._found)

    def frame(self) -> pl.DataFrame:
        """Return the changes as a frame, a row each: those of level, then those of spread and of modes, which have no effect and no interval.

        `kind`, `before` and `after` are as in `Finding`.
        """
        frame = findings_frame(self._found, self.series)
        return frame.select(*frame_of((), Change).columns, "kind", "before", "after")

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        series = self.series
        return {"history": self.history, "findings": [finding_json(finding, series) for finding in self._found]}

    @property
    def _found(self) -> list[Finding]:
        return [*map(partial(finding_of, at=0), self.changes), *self.shapes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned(Answer):
    """The findings after a scan, open ones first and the largest first among them, and what moved with whole runs.

    `changes` counts the changes of this scan, `expected_false` of which are expected to be false alarms; `of_machine` of them moved
    with the machine. `tested` series were long enough, `too_short` ones were not. `history` describes whose results were
    scanned; the findings are `stored` only for the main history. `series` are the scanned series by key.
    Of the provisional findings before, later runs made some `confirmed` and others `withdrawn`, here by id.
    `thresholds` has the smallest change that counts, by the key of those series for which one is defined; `threshold_faults` are thresholds
    that match no series, or not the unit of one. `beds` has what a chart calls the test beds, by the key of the series.
    """

    history: str
    stored: bool
    findings: Sequence[Finding]
    movements: Sequence[Movement]
    series: Mapping[int, Series]
    changes: int
    of_machine: int
    tested: int
    too_short: int
    expected_false: float
    confirmed: Sequence[str]
    withdrawn: Sequence[str]
    thresholds: Mapping[int, str]
    threshold_faults: Sequence[str]
    beds: Mapping[int, str] = field(default_factory=dict)

    def frame(self) -> pl.DataFrame:
        """Return the findings as a frame, a row each, with their series."""
        return findings_frame(self.findings, self.series)

    def plot(self) -> Chart:
        """Draw the relative change of each finding with its interval, coloured by what it means."""
        return effects_chart(worse_or_better(self.frame()), "kind", self.beds)

    @property
    def groups(self) -> list[CommitFindings]:
        """The findings of each commit and state together, in the order of the first of each."""
        return by_commit(self.findings, self.series)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        names = ("history", "stored", "tested", "too_short", "expected_false", "of_machine", "confirmed", "withdrawn")
        return {
            "findings": [finding_json(finding, self.series) for finding in self.findings],
            "groups": groups_json(self.groups),
            **{name: getattr(self, name) for name in names},
            "movements": [_movement_json(movement) for movement in self.movements],
            "thresholds": {f"{key:016x}": text for key, text in self.thresholds.items()},
            "threshold_faults": list(self.threshold_faults),
        }


@on_database
def detect(
    store: Database,
    benchmark: str | None = None,
    *,
    profile: str = "default",
    as_of: AsOf | None = None,
    selection: Selection | None = None,
    **conditions: Unpack[SeriesConditions],
) -> Detected:
    """Find where the level of a benchmark changes, in each of its series; nothing is stored.

    `profile` is `quiet`, `default`, `strict` or `sensitive`. Raises `UserError` with the nearest names when nothing matches.
    """
    chosen = selection_of(selection, conditions)
    if benchmark is not None:
        chosen = replace(chosen, benchmark=benchmark)
    of = histories(store.points(chosen, as_of))
    if not len(of):
        raise UserError(no_results(store, chosen, as_of))
    changes, shapes = changes_of(of, profile)
    return Detected(
        history=store.history(as_of).about(chosen),
        changes=changes,
        histories=of,
        shapes=[finding_of_shape(of, number, one, at=0) for number, one in shapes],
    )


@on_database
def scan(
    store: Database,
    *,
    rate: float = RULES.false_discovery_rate,
    dry_run: bool = False,
    at: int | None = None,
    engine: str | Engine | None = None,
    selection: Selection | None = None,
    **conditions: Unpack[Conditions],
) -> Scanned:
    """Find where any series changes its level, and store what is found: each change keeps its id from scan to scan.

    Of the changes found, a share of `rate` at most is expected to be false alarms. Movements of whole runs are reported apart.
    That the scan ran is recorded, whether it finds something or not. With `dry_run`, and of another history than the main one, nothing is stored. `at` is the time of the scan in unix seconds, now by default.
    `engine` runs the statistics on other processes or machines, with the same answer: `local:N`, `dask:ADDRESS`, `ray:ADDRESS`, or an
    engine of `bench_db.distributed`. The store is read here, once, so what others publish meanwhile changes nothing.
    """
    chosen = selection_of(selection, conditions)
    with store.one_look():
        of, extent, version = joined(store.points_in_parts(chosen, _PART)), extents(store), store.version
    thresholds = Thresholds(store.definitions()).by_key(of.names)
    with detecting(engine, of) as detect_all:
        found = scanned(of, rate=rate, thresholds=thresholds, detect=detect_all)
    named = series_told_apart(of.series, store.machines)
    labels = {key: one.test_bed_name for key, one in named.items()}
    blamed = blame_scan(of, found, labels, partial=chosen != Selection())
    now, paired = int(time.time()) if at is None else at, store.pairs()
    stored = chosen.is_of_main and not dry_run
    trees = {record.commit: record.tree for record in (store.commits() if paired else ()) if record.tree}
    known, records = _update(
        store,
        lambda known: updated(
            of, found, known, blamed=blamed, thresholds=thresholds, paired=paired, trees=trees, at=now
        ),
        chosen,
        stored=stored,
    )
    if stored:
        store.record_scans(
            records_of(
                of,
                judged=found.judged,
                extent=extent,
                chosen=chosen,
                rate=rate,
                profile=Profile.DEFAULT.value,
                store_version=version,
                at=now,
            )
        )
    confirmed, withdrawn = settled(known, records)
    return Scanned(
        history=store.history().about(chosen),
        stored=stored,
        findings=in_order({finding.id: finding for finding in (*known, *records)}.values()),
        movements=movements(of, found, blamed),
        series={series.series_key: series for series in of.series},
        changes=len(found.findings) + len(found.shapes),
        of_machine=blamed.of_machine,
        tested=found.tested,
        too_short=found.too_short,
        expected_false=found.expected_false,
        confirmed=confirmed,
        withdrawn=withdrawn,
        thresholds={key: threshold.text for key, threshold in thresholds.items()},
        threshold_faults=threshold_faults(store),
        beds=labels,
    )


def _update(
    store: Database, update: Callable[[Sequence[Finding]], list[Finding]], chosen: Selection, *, stored: bool
) -> tuple[list[Finding], list[Finding]]:
    """Return the known findings and the records that bring them up to date, which are written if `stored`.

    A decision or another scan may come between the reading and the writing. Then the findings are read again.
    """
    for _ in range(_TRIES):
        known = store.findings(every=True) if chosen.is_of_main else []
        records = update(known)
        if not stored or store.update_findings(records):
            return known, records
    message = "the findings changed again and again while this scan wrote its own; run it again"
    raise ConflictError(message)


def findings_frame(findings: Sequence[Finding], series: Mapping[int, Series]) -> pl.DataFrame:
    """Return findings as a frame, a row each, with the columns of their series."""
    return (
        frame_of(findings, Finding)
        .drop("key", "replaces")
        .join(frame_of(series.values(), Series), on="series_key", how="left")
    )


def groups_json(groups: Sequence[CommitFindings]) -> list[dict[str, Any]]:
    """Return the findings of each commit as JSON objects."""
    return [asdict(group) for group in groups]


def _movement_json(movement: Movement) -> dict[str, Any]:
    return {name: value for name, value in record_json(movement).items() if name != "run"}
