"""The golden pair of runs of all reports, and hostile names."""

from __future__ import annotations

from typing import Any

from bench_db.analysis.judge import counted, in_order
from bench_db.identity import hash63
from bench_db.model import Comparison, Finding, LastScan, ScanRecord, Series, State, Verdict
from bench_db.units import Direction

HOSTILE = {
    "script": "</script><img src=x onerror=document.title='owned'>",
    "quotes": """it's "x" \\ OR 1=1 `y` | *b* _i_ [l](http://e.example) @octocat #12 :tada:""",
    "right to left": "safe\u202egnp.exe\u2066",
    "newlines": "one\ntwo\r\n\ttre\u2028vier\x00\x1b[31m",
    "template": "{{7*7}}${7*7}<%= 7*7 %>&lt;b&gt;&amp;",
    "formula": "=HYPERLINK(1)",
    "long": "x" * 10_000,
}


def compared(label: str, verdict: str, *, n_baseline: int = 20, n_candidate: int = 3, **rest: Any) -> Comparison:
    """Return a comparison; fields of its series can be given beside its numbers."""
    identity = {"test_bed_name": "ci-1", **{name: rest.pop(name) for name in _IDENTITY & rest.keys()}}
    values = {
        name.replace("median", "value"): rest[name] for name in ("baseline_median", "candidate_median") if name in rest
    }
    return Comparison(
        series=Series(benchmark_name=label, **identity),
        verdict=Verdict(verdict),
        n_baseline=n_baseline,
        n_candidate=n_candidate,
        **{**values, **rest},
    )


def found(finding_id: str, series_key: int, index: int, **rest: Any) -> Finding:
    """Return a finding with typical numbers."""
    given = {"commit": None, "effect": 0.1, "low": 0.07, "high": 0.13, "p_value": 1e-5, "provisional": False, **rest}
    given["state"] = State(given.get("state", State.OPEN))
    return Finding(id=finding_id, series_key=series_key, index=index, at=0, **given)


_IDENTITY = {"series_key", "test_bed_name", "units", "direction"}

GOLDEN = in_order(
    (
        compared(
            "io: decode{rows=10}",
            "regressed",
            effect=0.081,
            low=0.052,
            high=0.11,
            p_value=0.0004,
            baseline_median=1432.567,
            candidate_median=1548.6,
        ),
        compared(
            "search recall",
            "regressed",
            units="recall",
            direction=Direction.HIGHER,
            effect=-0.0312,
            low=-0.04,
            high=-0.0224,
            p_value=0.0061,
            baseline_median=0.96,
            candidate_median=0.93,
        ),
        compared(
            "io: copy",
            "suspected",
            effect=0.21,
            low=0.04,
            high=0.41,
            p_value=0.002,
            baseline_median=1000.0,
            candidate_median=1210.0,
            n_candidate=1,
            note="one run shows it: measure this commit again, at least 10 minutes later",
        ),
        compared(
            "peak memory",
            "improved",
            units="bytes",
            effect=-0.25,
            low=-0.26,
            high=-0.24,
            p_value=2e-9,
            baseline_median=4.0 * 2**30,
            candidate_median=3.0 * 2**30,
        ),
        compared(
            "encode",
            "unchanged",
            effect=0.0004,
            low=-0.01,
            high=0.011,
            p_value=0.93,
            baseline_median=5e6,
            candidate_median=5.002e6,
        ),
        compared(
            "rare",
            "insufficient",
            n_baseline=2,
            baseline_median=12.0,
            candidate_median=13.0,
            note="a verdict needs 5 runs of the baseline",
        ),
        compared(
            "vanished",
            "missing",
            n_candidate=0,
            baseline_median=77.0,
            note="renamed from vanished to arrived?",
        ),
        compared(
            "arrived",
            "new",
            n_baseline=0,
            candidate_median=99.0,
            note="renamed from vanished to arrived?",
        ),
        compared("broken", "failed", n_candidate=0, baseline_median=31.0, note="assert 1 == 2 | <b>@octocat</b>"),
        compared(
            HOSTILE["quotes"],
            "regressed",
            effect=1.5,
            low=1.2,
            high=1.8,
            p_value=1e-12,
            baseline_median=10.0,
            candidate_median=25.0,
        ),
    )
)
COUNTS = counted(GOLDEN)


def commit_of(number: int) -> str:
    return f"{hash63([str(number)]):016x}" * 2 + "00000000"


def last_scan(
    *,
    dut: str = "device",
    commit: str | None = None,
    judged: int = 1,
    too_short: int = 0,
    commits_since: int | None = 0,
    runs_since: int = 0,
    late_runs: int = 0,
) -> LastScan:
    """Return the newest scan of a device, by default one that read everything."""
    record = ScanRecord(
        dut_name=dut,
        commit=commit_of(1) if commit is None else commit or None,
        dut_version="" if commit is None else "1.2",
        runs=30,
        store_version=7,
        judged=judged,
        too_short=too_short,
        profile="default",
        rate=0.05,
        at=1_780_000_000,
    )
    return LastScan(dut_name=dut, scan=record, commits_since=commits_since, runs_since=runs_since, late_runs=late_runs)
