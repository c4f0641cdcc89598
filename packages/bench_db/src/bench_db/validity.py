"""Checks of a run and its results: a contradiction is refused before anything is stored, and units become base units."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench_db.clock import time_fault
from bench_db.errors import UserError
from bench_db.identity import is_commit_id
from bench_db.model import Samples
from bench_db.units import BASE_UNITS, Direction, base_unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench_db.model import Result, Run, SummaryValues, TestBed

# Tools print statistics with three digits or more, each rounded on its own.
_ROUNDING = 0.005
_SHARED = ("commit", "branch", "pr_number")


def checked(run: Run, results: Sequence[Result], now: float) -> tuple[Run, Sequence[Result]]:
    """Return a run and its results with base units, and with the commit, branch and pull request of the run in each result.

    Records that need no change are returned as they are. `now` is unix seconds. Raises `UserError` that names the field and what
    to do for a time, commit, pull request, direction or statistic that is not valid, an empty `sha256`, and a result of another
    device, test bed, commit, branch or pull request than its run.
    """
    for reason in _faults_of_run(run, now):
        message = f"run {run.file_name!r}: {reason}"
        raise UserError(message)
    for name in _SHARED:
        values = {getattr(result, name) for result in results} - {None}
        if getattr(run, name) is None and len(values) > 1:
            message = f"run {run.file_name!r}: its results have several values of `{name}`, {sorted(values)[:3]}; publish a run for each"
            raise UserError(message)
    rows = [_checked(run, result, now) for result in results]
    unchanged = all(row is result for row, result in zip(rows, results, strict=True))
    return run, results if unchanged else rows


def _faults_of_run(run: Run, now: float) -> Iterator[str]:
    """Yield what is wrong with a run: the field, its value and what to do."""
    if not run.sha256:
        yield "`sha256` is empty; give the SHA-256 of what was published, such as hashlib.sha256(content).hexdigest()"
    times = {"dut.timestamp": run.dut.timestamp, "run_time": run.run_time, "ingested_at": run.ingested_at}
    yield from _faults_of_times({**times, "test_bed.created_at": run.test_bed.created_at}, now)
    if run.commit is not None and not _is_stored_commit(run.commit):
        yield f"`commit` {run.commit!r} is not a commit id; give the full sha in lower case, as 'git rev-parse' prints it"
    if run.pr_number is not None and run.pr_number < 1:
        yield f"`pr_number` {run.pr_number} is not the number of a pull request; give 1 or more, or None"


def _faults_of_times(times: dict[str, int | None], now: float) -> Iterator[str]:
    for name, seconds in times.items():
        if seconds and (fault := time_fault(seconds, now)):
            yield f"`{name}` {seconds}: {fault}; give unix seconds between 1970 and a year from now"


def _is_stored_commit(text: str) -> bool:
    return is_commit_id(text) and text == text.lower()


def _checked(run: Run, result: Result, now: float) -> Result:
    for reason in _faults(run, result, now):
        message = f"{result.benchmark_name!r}: {reason}"
        raise UserError(message)
    changes: dict[str, Any] = {
        name: value for name in _SHARED if (value := getattr(run, name)) is not None and getattr(result, name) is None
    }
    direction = Direction(result.direction)
    if direction is not result.direction:  # a text, such as "lower"
        changes["direction"] = direction
    if result.units not in BASE_UNITS:
        changes |= _in_base_unit(result)
    return replace(result, **changes) if changes else result


def _faults(run: Run, result: Result, now: float) -> Iterator[str]:
    """Yield what is wrong with a result of a run: the field, its value and what to do."""
    if result.dut is not run.dut and result.dut != run.dut:
        yield f"`dut` {result.dut} is not that of its run, {run.dut}; publish a run for each build"
    if result.test_bed is not run.test_bed and _undated(result.test_bed) != _undated(run.test_bed):
        yield f"`test_bed` {result.test_bed.name!r} is not that of its run, {run.test_bed}; publish a run for each test bed"
    for name in _SHARED:
        its, ours = getattr(result, name), getattr(run, name)
        if its is not None and ours is not None and its != ours:
            yield f"`{name}` {its!r} is not that of its run, {ours!r}; publish a run for each"
        elif name == "commit" and its is not None and not _is_stored_commit(its):
            yield f"`commit` {its!r} is not a commit id; give the full sha in lower case, as 'git rev-parse' prints it"
    yield from _faults_of_times({"timestamp": result.timestamp, "run_time": result.run_time}, now)
    if result.direction not in {way.value for way in Direction}:
        yield f"`direction` {result.direction!r} must be one of {', '.join(Direction)}"
    if result.error is None and (fault := contradiction(result.summary, result.n, result.values)):
        yield f"`summary` contradicts itself: {fault}; correct it, or leave it out to have it computed from the values"
    if result.lower is not None and result.upper is not None and result.lower > result.upper:
        yield f"`lower` {result.lower:g} is above `upper` {result.upper:g}; exchange them"


def _undated(bed: TestBed) -> TestBed:
    """Return a test bed without the time of its description, which is not part of its identity."""
    return replace(bed, created_at=0)


def contradiction(summary: SummaryValues | None, n: int, values: Sequence[float]) -> str | None:
    """Return how statistics contradict each other or the number of values; None when they do not, or there are none.

    Differences that come from rounding to three digits are not a contradiction. A median that equals the mean may stand for a tool's
    single central figure, which can lie outside the quartiles.
    """
    if summary is None:
        return None
    if n and n < len(values):
        return f"n is {n}, but there are {len(values)} values"
    if summary.standard_deviation is not None and summary.standard_deviation < 0:
        return f"the standard deviation {summary.standard_deviation:g} is negative"
    middle = () if summary.median == summary.mean else ("median",)
    for names in (("min", "q1", *middle, "q3", "max"), ("min", "mean", "max")):
        known = [(name, number) for name in names if (number := getattr(summary, name)) is not None]
        for (less, low), (more, high) in pairwise(known):
            if low > high and low - high > _ROUNDING * max(abs(low), abs(high)):
                return f"{less} {low:g} is above {more} {high:g}"
    return None


def _in_base_unit(result: Result) -> dict[str, Any]:
    """Return the fields of a result that change when its unit becomes a base unit; none for a unit that bench_db does not know."""
    try:
        unit, factor = base_unit(result.units)
    except UserError:
        return {}
    scaled: dict[str, Any] = {"units": unit.name}
    if factor != 1:
        scaled |= {name: factor * bound for name in ("lower", "upper") if (bound := getattr(result, name)) is not None}
        scaled |= {"values": Samples(factor * value for value in result.values), "values_hash": None}
    if factor != 1 and result.summary is not None:
        numbers = {
            name: factor * number
            for name in ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")
            if (number := getattr(result.summary, name)) is not None
        }
        scaled["summary"] = replace(result.summary, **numbers)
    return scaled
