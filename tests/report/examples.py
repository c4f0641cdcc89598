"""The golden pair of runs that all reports show, and names nobody should choose."""

from __future__ import annotations

from dataclasses import dataclass

from bench_db.identity import hash63

HOSTILE = {
    "script": "</script><img src=x onerror=document.title='owned'>",
    "quotes": """it's "x" \\ OR 1=1 `y` | *b* _i_ [l](http://e.example) @octocat #12 :tada:""",
    "right to left": "safe\u202egnp.exe\u2066",
    "newlines": "one\ntwo\r\n\ttre\u2028vier\x00\x1b[31m",
    "template": "{{7*7}}${7*7}<%= 7*7 %>&lt;b&gt;&amp;",
    "formula": "=HYPERLINK(1)",
    "long": "x" * 10_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    label: str
    verdict: str
    units: str = "nanoseconds"
    direction: str = "lower"
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    n_baseline: int = 20
    n_candidate: int = 3
    baseline_median: float | None = None
    candidate_median: float | None = None
    testbed_name: str = "ci-1"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    id: str
    series_key: int
    index: int
    commit: str | None = None
    effect: float | None = 0.1
    low: float | None = 0.07
    high: float | None = 0.13
    p_value: float | None = 1e-5
    state: str = "open"
    provisional: bool = False
    common_mode: str | None = None
    note: str = ""


GOLDEN = (
    Compared(
        label="io: decode{rows=10}",
        verdict="regressed",
        effect=0.081,
        low=0.052,
        high=0.11,
        p_value=0.0004,
        baseline_median=1432.567,
        candidate_median=1548.6,
    ),
    Compared(
        label="search recall",
        verdict="regressed",
        units="recall",
        direction="higher",
        effect=-0.0312,
        low=-0.04,
        high=-0.0224,
        p_value=0.0061,
        baseline_median=0.96,
        candidate_median=0.93,
    ),
    Compared(
        label="peak memory",
        verdict="improved",
        units="bytes",
        effect=-0.25,
        low=-0.26,
        high=-0.24,
        p_value=2e-9,
        baseline_median=4.0 * 2**30,
        candidate_median=3.0 * 2**30,
    ),
    Compared(
        label="encode",
        verdict="unchanged",
        effect=0.0004,
        low=-0.01,
        high=0.011,
        p_value=0.93,
        baseline_median=5e6,
        candidate_median=5.002e6,
    ),
    Compared(
        label="rare",
        verdict="insufficient",
        n_baseline=2,
        baseline_median=12.0,
        candidate_median=13.0,
        note="a verdict needs 5 runs of the baseline",
    ),
    Compared(
        label="vanished",
        verdict="missing",
        n_candidate=0,
        baseline_median=77.0,
        note="renamed from vanished to arrived?",
    ),
    Compared(
        label="arrived",
        verdict="new",
        n_baseline=0,
        candidate_median=99.0,
        note="renamed from vanished to arrived?",
    ),
    Compared(
        label="broken", verdict="failed", n_candidate=0, baseline_median=31.0, note="assert 1 == 2 | <b>@octocat</b>"
    ),
    Compared(
        label=HOSTILE["quotes"],
        verdict="regressed",
        effect=1.5,
        low=1.2,
        high=1.8,
        p_value=1e-12,
        baseline_median=10.0,
        candidate_median=25.0,
    ),
)


def commit_of(number: int) -> str:
    return f"{hash63([str(number)]):016x}" * 2 + "00000000"
