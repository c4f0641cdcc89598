"""The confirmation of a check: the series that it flags are measured again, in pairs with the commit of its baseline.

One job can flag and another one measure: `HandedOver` is the file between them. The job that measures runs code of a pull request
and has no secrets, so it has no store either.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import polars as pl
from msgspec import structs

from bench_db.analysis.judge import in_order
from bench_db.analysis.pairs import Claim
from bench_db.app.backfill import check_suites
from bench_db.app.baselines import beside_main, of_candidate
from bench_db.app.configuration import configuration, path_of, root_of
from bench_db.app.gate import Confirmed, Mode
from bench_db.app.pairs import Paired, measured, name_of
from bench_db.ci.environment import PRIVILEGED
from bench_db.errors import BenchDbError, UnreadableOutputError, UserError
from bench_db.identity import is_commit_id
from bench_db.ingest import this_machine
from bench_db.model import Comparison, Confirmation, Outcome, PairVerdict, Series, Verdict
from bench_db.query.selection import Selection
from bench_db.report.pairs import note_of
from bench_db.report.quantity import percent
from bench_db.rules import RULES
from bench_db.schedule.config import FILE
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench_db.app.baselines import BaselineQuery, BaselineRuns
    from bench_db.app.gate import Confirming
    from bench_db.app.pairs import Name
    from bench_db.model import PairComparison
    from bench_db.query.thresholds import Thresholds
    from bench_db.schedule.config import Config
    from bench_db.store.database import Database

_OUTCOMES = {PairVerdict.REGRESSED: Outcome.CONFIRMED, PairVerdict.UNCHANGED: Outcome.NOT_CONFIRMED}
_PERCENT = 100.0
_NOTHING = Paired(
    base="", head="", seed=0, rounds=0, seconds=0.0, ended="decided", min_effect=0.0, comparisons=()
)  # nothing was measured


_MOST_ROUNDS = 10_000
_NO_EVIDENCE = "the job that measures again gives no pairs for its outcome"
_NOT_ARRIVED = "the job that measures again left no outcome; see its log"
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """A series that a comparison flags: its verdict, its relative change, and the smallest change that counts.

    `least` is relative, null where that of bench-db.toml counts.
    """

    series: Series
    verdict: Verdict
    effect: float | None = None
    least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """The flagged series of a comparison for another job, the two commits to measure, and `[pairs] confirm` of the first job."""

    mode: Mode
    base: str
    head: str
    flagged: list[Flagged]


def flagged_of(
    comparisons: Iterable[Comparison], *, minimum_effect: float | None, thresholds: Thresholds
) -> list[Flagged]:
    """Return what measuring comparisons again takes; `minimum_effect` is relative, and goes before the thresholds of the series."""
    found = []
    for c in comparisons:
        own = thresholds.of(c.series) if minimum_effect is None else None
        # JSON has no infinity, which is the share of a difference from 0
        least = minimum_effect if own is None else min(own.share_of(c.baseline_value or 0.0), sys.float_info.max)
        found.append(Flagged(series=c.series, verdict=c.verdict, effect=c.effect, least=least))
    return found


def hand_over(document: HandedOver | Confirmed, file: Path) -> None:
    """Write the flagged series, or their outcomes, to a file for another job; missing directories are created."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(document)))


def confirm_handed_over(file: Path, how: Confirming) -> Confirmed:
    """Measure the flagged series in a file of `hand_over` again, as its mode says. Raises `UnreadableOutputError` for another file."""
    asked = _read(file, HandedOver)
    found = confirm(asked.flagged, asked.base, asked.head, replace(how, mode=asked.mode))
    if found is None:
        message = f"{file}: its mode is off, so nothing is to be measured again"
        raise UserError(message)
    return found


def arrived(file: Path, flagged: Sequence[Flagged], base: str, head: str, mode: Mode) -> Confirmed:
    """Return the outcome of each flagged series from a file of `hand_over`.

    The job that wrote it ran code of the pull request. So only outcomes of flagged series are taken, and what the comparison says of them
    is not read from it. Without a readable outcome of these commits a series is undecided, with the reason.
    """
    try:
        found, reason = _read(file, Confirmed), _NOT_ARRIVED
        if (found.base, found.head) != (base, head):
            reason = f"{file.name} has the outcomes of other commits"
    except BenchDbError as error:
        found, reason = Confirmed(mode=mode, base=base, head=head, confirmations=()), f"{_NOT_ARRIVED} ({error})"
    of = {c.series.series_key: c for c in found.confirmations if reason is _NOT_ARRIVED}
    outcomes = [_own(one, of.get(one.series.series_key), reason) for one in flagged]
    return replace(found, mode=mode, base=base, head=head, confirmations=_in_order(outcomes))


def _own(one: Flagged, found: Confirmation | None, reason: str) -> Confirmation:
    """Return the outcome of a flagged series; undecided for a reason without one."""
    if found and found.outcome is Outcome.NOT_CONFIRMED and not _has_evidence(found):
        found, reason = None, _NO_EVIDENCE
    known = found or Confirmation(outcome=Outcome.UNDECIDED, flagged=one.verdict, reason=reason)
    reason = known.reason[: RULES.error_length]
    return replace(known, series=one.series, flagged=one.verdict, flagged_effect=one.effect, reason=reason)


def _has_evidence(found: Confirmation) -> bool:
    """Return whether an outcome, which the pull request itself may have written, has the numbers of pairs."""
    return 1 < found.rounds <= _MOST_ROUNDS and None not in (found.effect, found.low, found.high)


def _read(file: Path, kind: type[_Read]) -> _Read:
    """Return the record in a file. Raises `UnreadableOutputError` for a file that cannot be read or has another form."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"cannot be read: {reason}"
        raise UnreadableOutputError(message, file=file.name) from error


def _in_order(outcomes: Iterable[Confirmation]) -> list[Confirmation]:
    return sorted(outcomes, key=lambda c: list(Outcome).index(c.outcome))


def confirm(flagged: Sequence[Flagged], base: str, head: str, how: Confirming) -> Confirmed | None:
    """Measure flagged series again, those alone, and return the outcome of each; None when bench-db.toml does not ask for it.

    Whatever keeps a series from being measured is the reason why it is undecided.
    """
    mode: Mode = "same" if how.mode == "configured" else how.mode
    if how.mode == "configured" and not path_of(how.config_file).exists():
        return None
    found, reasons = _NOTHING, dict.fromkeys((c.series.series_key for c in flagged), "")
    try:
        config = configuration(how.config_file)
        mode = config.pairs.confirm if how.mode == "configured" else how.mode
        if mode == "off":
            return None
        _refuse_privileged(how)
        reasons = {c.series.series_key: _elsewhere(c.series, config) for c in flagged}
        here = [c for c in flagged if not reasons[c.series.series_key]]
        found = _paired(here, base, head, config, how) if here else _NOTHING
    except BenchDbError as error:
        reasons = {key: reason or str(error) for key, reason in reasons.items()}
    outcomes = [_confirmation(c, found, reasons[c.series.series_key]) for c in flagged]
    return Confirmed(
        mode=mode,
        base=found.base or base,
        head=found.head or head,
        rounds=found.rounds,
        seconds=found.seconds,
        confirmations=_in_order(outcomes),
    )


def _refuse_privileged(how: Confirming) -> None:
    """Raise `UserError` where a file, which a pull request can change, would run code in a job that has secrets."""
    event = how.environment.get("GITHUB_EVENT_NAME", "")
    if how.mode == "configured" and event in PRIVILEGED:
        message = f"[pairs] confirm of {FILE} is not used in a job of {event}, which has secrets; state --confirm if the code may run there"
        raise UserError(message)


def _elsewhere(series: Series, config: Config) -> str:
    """Return why a series cannot be measured here; empty when it can."""
    device, bed = config.project.name, config.project.test_bed or this_machine().name
    if series.dut_name != device:
        return f"it is of the device {series.dut_name}, and {FILE} is of {device}"
    if series.test_bed_name != bed:
        return f"it is of the test bed {series.test_bed_name}, and this is {bed}; project.test_bed in {FILE} names it"
    return ""


def applied(judged: Sequence[Comparison], confirmed: Confirmed) -> list[Comparison]:
    """Return the verdicts after a confirmation: confirmed is regressed, not confirmed is unchanged, undecided stays as it is."""
    of = {c.series.series_key: c for c in confirmed.confirmations}
    return in_order(_applied(c, of[c.series.series_key]) if c.series.series_key in of else c for c in judged)


def _applied(c: Comparison, found: Confirmation) -> Comparison:
    beside = f": {percent(found.effect)} in pairs" if found.effect is not None else ""
    said = f"{found.outcome}{beside}{f', {found.reason}' if found.reason else ''}"
    note = "; ".join(filter(None, (said, c.note)))
    if found.outcome is Outcome.CONFIRMED:
        return replace(c, verdict=Verdict.REGRESSED, note=note)
    if found.outcome is Outcome.NOT_CONFIRMED:
        return replace(c, verdict=Verdict.UNCHANGED, significant=False, note=note)
    return replace(c, note=note)


def baseline_commit(store: Database, runs: BaselineRuns, query: BaselineQuery) -> str:
    """Return the commit of a baseline; of one that names none the newest of its measured commits before the candidate, empty without one."""
    if runs.commits:
        return runs.commits[0] if len(runs.commits) == 1 else ""
    of_baseline = pl.lit(value=True) if runs.until is None else runs.until
    columns = {"commit", "commit_order", *of_baseline.meta.root_names()}
    named = pl.col("commit").is_not_null()
    rows = store.rows(columns, query.compared(runs), condition=named, beside=beside_main(store, query, runs))
    own = store.rows(("commit_order",), Selection(everything=True), condition=of_candidate(store, query))[
        "commit_order"
    ].min()
    earlier = rows.filter(of_baseline & (pl.col("commit") != query.candidate) & (pl.col("commit_order") < own))
    return "" if earlier.is_empty() else str(earlier.sort("commit_order")["commit"][-1])


def _paired(flagged: Sequence[Flagged], base: str, head: str, config: Config, how: Confirming) -> Paired:
    for commit, what in ((base, "baseline"), (head, "candidate")):
        if not is_commit_id(commit):
            message = f"the {what} names no single commit that can be measured"
            raise UserError(message)
    names = {c.series.suite for c in flagged}
    suites = {name: suite for name, suite in config.suite.items() if names <= config.suite.keys() and name in names}
    budget = config.pairs.budget_minutes if how.budget_minutes is None else how.budget_minutes
    settings = structs.replace(config.pairs, control=False, budget_minutes=budget)
    config = structs.replace(config, pairs=settings, suite=suites or config.suite)
    check_suites(config)
    return measured(
        base,
        head,
        config=config,
        clone=how.clone,
        home=Path(how.work_dir).resolve(),
        root=root_of(how.config_file),
        claims=dict(_claim(c, config) for c in flagged),
        seed=how.seed,
        environment=how.environment,
        clock=how.clock,
        progress=how.progress,
    )


def _claim(c: Flagged, config: Config) -> tuple[Name, Claim]:
    """Return the claim that a series got worse: by the minimum effect, or half of a smaller change that the check flagged."""
    name, size = name_of(c.series), abs(c.effect or 0.0)
    least = config.pairs.min_effect / _PERCENT if c.least is None else c.least
    claim = Claim(
        is_increase=c.series.direction is Direction.LOWER, least=least if size >= least or not size else size / 2.0
    )
    return (name if name.suite in config.suite else replace(name, suite="")), claim


def _of(c: Flagged, paired: Paired) -> PairComparison | None:
    """Return the pairs of a series, whose suite may have another name in the store."""
    name, by_name = name_of(c.series), {name_of(one.series): one for one in paired.comparisons}
    others = (one for known, one in by_name.items() if replace(known, suite=name.suite) == name)
    return by_name.get(name) or next(others, None)


def _missing(c: Flagged, paired: Paired) -> str:
    """Return why no process gave a result of a series."""
    failed = (f"{one.series.suite}, {one.note}" for one in paired.comparisons if one.verdict is PairVerdict.FAILED)
    return "; ".join([f"no process gave a result of {c.series.benchmark_name!r}", *failed])


def _confirmation(c: Flagged, paired: Paired, reason: str) -> Confirmation:
    known = Confirmation(series=c.series, outcome=Outcome.UNDECIDED, flagged=c.verdict, flagged_effect=c.effect)
    found = None if reason else _of(c, paired)
    if found is None:
        return replace(known, reason=(reason or _missing(c, paired))[: RULES.error_length])
    outcome = _OUTCOMES.get(found.verdict, Outcome.UNDECIDED)
    why = note_of(found) or f"{found.verdict} in pairs"
    return replace(
        known,
        outcome=outcome,
        effect=found.effect,
        low=found.low,
        high=found.high,
        figure=found.figure,
        base_value=found.base_value,
        head_value=found.head_value,
        rounds=found.rounds,
        reason="" if outcome is not Outcome.UNDECIDED else why[: RULES.error_length],
    )
