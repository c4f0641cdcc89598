"""Records for tests: arbitrary ones of a hostile tool, and plain ones that differ by a number."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha1, sha256
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from bench_db.model import DutBuild, Result, Run, Samples, SummaryValues, TestBed, Throughput
from bench_db.units import Direction

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

HOSTILE = "it's \"x\" \\ ; DROP -- ' OR '1'='1 ünïcode"
_AWKWARD = (
    "",
    HOSTILE,
    " ",
    "line\nbreak\r\n",
    "tab\t",
    "a[0-9]*?{b}",
    "%2C%,=%25",
    "`back` \\' \\\\",
    "\u202ertl \U0001f600 e\u0301",
    "NULL",
    "1:a",
)
_LETTERS = st.characters(exclude_categories=["Cs"])
_LARGEST_INT64 = 2**63 - 1


def texts(max_size: int = 12) -> SearchStrategy[str]:
    """Return any UTF-8 text, with awkward ones often."""
    return st.sampled_from(_AWKWARD) | st.text(_LETTERS, max_size=max_size)


def numbers(limit: float = 1e300) -> SearchStrategy[float]:
    """Return finite numbers, including negative zero and subnormal ones."""
    return st.floats(-limit, limit)


def times() -> SearchStrategy[int]:
    """Draw valid times; the upper end is not in the future of any test."""
    return st.integers(0, 1_790_000_000)


def commits() -> SearchStrategy[str]:
    """Draw full and abbreviated commit ids."""
    return st.text("0123456789abcdef", min_size=7, max_size=40)


def pull_requests() -> SearchStrategy[int]:
    return st.integers(1, 2**31 - 1)


def tags() -> SearchStrategy[dict[str, str]]:
    return st.dictionaries(texts(), texts(), max_size=3)


def samples(min_size: int = 0, max_size: int = 9, limit: float = 1e300) -> SearchStrategy[Samples]:
    return st.lists(numbers(limit), min_size=min_size, max_size=max_size).map(Samples)


def beds() -> SearchStrategy[TestBed]:
    return st.builds(
        TestBed, name=texts(), cpu=texts(), memory_gb=st.integers(0, 2**31 - 1), os=texts(), created_at=times()
    )


def dut_builds() -> SearchStrategy[DutBuild]:
    return st.builds(DutBuild, name=texts(), version=texts(), timestamp=times())


def summaries() -> SearchStrategy[SummaryValues]:
    """Draw statistics as a tool reports them: all, or some."""
    return st.builds(
        lambda ordered, middle, spread, unknown: replace(
            SummaryValues(
                min=ordered[0],
                q1=ordered[1],
                median=ordered[2],
                q3=ordered[3],
                max=ordered[4],
                mean=ordered[0] / 2 + ordered[4] / 2 if middle else ordered[2],
                standard_deviation=spread,
            ),
            **dict.fromkeys(unknown),  # type: ignore[arg-type]
        ),
        st.lists(numbers(), min_size=5, max_size=5).map(sorted),
        st.booleans(),
        st.floats(0, 1e300),
        st.sets(st.sampled_from(("min", "q1", "q3", "max", "standard_deviation"))),
    )


def throughputs() -> SearchStrategy[Throughput]:
    return st.builds(Throughput, multiplier=numbers(), name=texts(), unit_system=st.sampled_from(("binary", "decimal")))


def _outcomes() -> SearchStrategy[dict[str, object]]:
    """Draw one of three outcomes of a benchmark: samples, statistics of a tool, or an error."""
    return st.one_of(
        st.fixed_dictionaries({"values": samples(min_size=1)}),
        st.fixed_dictionaries({"summary": summaries(), "n": st.integers(1, _LARGEST_INT64)}),
        st.fixed_dictionaries({"error": texts()}),
    )


def _intervals() -> SearchStrategy[list[float | None]]:
    """Draw the two ends of an interval, or one of them, or none."""
    ends = st.lists(numbers(), min_size=2, max_size=2).map(sorted)
    missing = st.sets(st.integers(0, 1))
    return st.builds(lambda two, none: [None if i in none else end for i, end in enumerate(two)], ends, missing)


@st.composite
def results(draw: st.DrawFn, dut: DutBuild | None = None, test_bed: TestBed | None = None) -> Result:
    interval = draw(_intervals())
    return Result(
        dut=dut or draw(dut_builds()),
        test_bed=test_bed or draw(beds()),
        benchmark_name=draw(texts()),
        units=draw(st.sampled_from(("nanoseconds", "recall", HOSTILE))),
        throughput=draw(st.none() | throughputs()),
        metadata=draw(texts()),
        timestamp=draw(times()),
        commit=draw(st.none() | commits()),
        branch=draw(st.none() | texts()),
        pr_number=draw(st.none() | pull_requests()),
        suite=draw(texts()),
        metric=draw(texts()),
        direction=draw(st.sampled_from(Direction)),
        tags=draw(tags()),
        iterations=tuple(draw(st.lists(st.integers(1, _LARGEST_INT64), max_size=3))),
        lower=interval[0],
        upper=interval[1],
        run_time=draw(st.none() | times()),
        source=draw(texts()),
        **draw(_outcomes()),  # type: ignore[arg-type]
    )


@st.composite
def runs(draw: st.DrawFn) -> Run:
    return Run(
        run_id=draw(texts()),
        attempt=draw(st.integers(1, 2**31 - 1)),
        file_name=draw(texts()),
        sha256=draw(st.binary(min_size=1, max_size=4)).hex(),
        format=draw(texts()),
        dut=draw(dut_builds()),
        test_bed=draw(beds()),
        test_bed_class=draw(st.sampled_from(("machine", "name"))),
        commit=draw(st.none() | commits()),
        branch=draw(st.none() | texts()),
        pr_number=draw(st.none() | pull_requests()),
        context=draw(texts()),
        run_time=draw(st.none() | times()),
        skipped=draw(st.dictionaries(texts(), st.integers(0, 9), max_size=2)),
        notes=tuple(draw(st.lists(texts(), max_size=2))),
        ingested_at=draw(times()),
    )


@st.composite
def publications(draw: st.DrawFn, max_results: int = 4) -> tuple[Run, list[Result]]:
    """Draw a run and its results of the same commit, device and test bed, as from an adapter."""
    run = draw(runs())
    drawn = draw(st.lists(results(run.dut, run.test_bed), min_size=1, max_size=max_results))
    shared = {"commit": run.commit, "branch": run.branch, "pr_number": run.pr_number}
    return run, [replace(result, **shared) for result in drawn]  # type: ignore[arg-type]


def commit_of(number: int | str) -> str:
    """Return the full sha of the commit of a plain publication."""
    return sha1(str(number).encode(), usedforsecurity=False).hexdigest()


def publication(
    number: int,
    *,
    rows: int = 3,
    samples_each: int = 3,
    commit_time: int | None = None,
    branch: str | None = None,
    place: str = "",
) -> tuple[Run, list[Result]]:
    """Return a plain run and its results; equal numbers give equal publications, others share only the series.

    Runs of one `place` have the same run id, file name and commit, so that each replaces the previous one.
    """
    commit = commit_of(place or number)
    dut = DutBuild(
        name="engine",
        version=f"1.0.{number}",
        timestamp=1_700_000_000 + (number if commit_time is None else commit_time),
    )
    bed = TestBed(name="bed", cpu="cpu", memory_gb=16, os="Linux 6.1")
    run = Run(
        run_id=place,
        file_name=f"{place or number}.json",
        sha256=sha256(str(number).encode()).hexdigest(),
        format="test",
        dut=dut,
        test_bed=bed,
        commit=commit,
    )
    return run, [
        Result(
            dut=dut,
            test_bed=bed,
            benchmark_name=f"bench {row}",
            values=Samples([number + row + sample / 8 for sample in range(samples_each)]),
            commit=commit,
            branch=branch,
            suite="suite",
        )
        for row in range(rows)
    ]
