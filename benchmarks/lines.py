"""The budgets, one line each with its limit, in the order of the table."""

from __future__ import annotations

from dataclasses import dataclass

FULL_SIZE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measurement with its unit and its limit; `limit` None means measured without a budget.

    A budget applies to stores of `rows` rows, or to every size if `rows` is None. With `at_least` higher is better.
    """

    what: str
    unit: str
    limit: float | None
    at_least: bool = False
    rows: int | None = FULL_SIZE

    def is_met(self, measured: float, rows: int | None) -> bool | None:
        """Return whether the measurement meets the budget; None without a budget for this size."""
        if self.limit is None or (self.rows is not None and rows != self.rows):
            return None
        return measured >= self.limit if self.at_least else measured <= self.limit


LINES = {
    "help": Line(what="bench-db --help, process", unit="ms", limit=60, rows=None),
    "has-process": Line(what="bench-db has, process", unit="ms", limit=270),
    "has": Line(what="look-up with open", unit="ms", limit=3),
    "has-warm": Line(what="look-up, store open", unit="ms", limit=None),
    "trend": Line(what="trend of one series", unit="ms", limit=4),
    "trend-values": Line(what="trend with raw values", unit="ms", limit=15),
    "latest": Line(what="latest per series", unit="ms", limit=5),
    "latest-scan": Line(what="latest without the rollup", unit="ms", limit=None),
    "latest-memory": Line(what="latest, peak memory", unit="MB", limit=400),
    "summary": Line(what="summary of all series", unit="ms", limit=25),
    "summary-memory": Line(what="summary, peak memory", unit="MB", limit=400),
    "recompute": Line(what="statistics of all samples", unit="ms", limit=800),
    "verify-cpu": Line(what="verify, CPU beside a plain read", unit="times", limit=None),
    "verify-quick-cpu": Line(what="verify --quick, CPU beside a plain read", unit="times", limit=None),
    "recompute-memory": Line(what="the same, peak memory", unit="MB", limit=1_000),
    "first-verdict": Line(what="first verdict of a new environment, 10,000 points", unit="ms", limit=2_500, rows=None),
    "compare": Line(what="compare 3,000 benchmarks, process", unit="ms", limit=1_500),
    "compare-last": Line(what="  the same, --baseline last:20", unit="ms", limit=500),
    "compare-memory": Line(what="  the same, peak memory", unit="MB", limit=400),
    "publish": Line(what="publish 200 rows, new", unit="ms", limit=34),
    "publish-again": Line(what="publish 200 rows, known", unit="ms", limit=6),
    "publish-content": Line(what="publish 200 rows, known in other bytes", unit="ms", limit=14),
    "race-same": Line(what="8 processes, same runs, p95", unit="ms", limit=500),
    "race-same-failed": Line(what="  publishes that failed", unit="publishes", limit=0),
    "race-same-wrong": Line(what="  rows lost or doubled", unit="rows", limit=0),
    "race-different": Line(what="8 processes, different runs, p95", unit="ms", limit=1_000),
    "race-different-failed": Line(what="  publishes that failed", unit="publishes", limit=0),
    "race-different-wrong": Line(what="  rows lost or doubled", unit="rows", limit=0),
    "disk": Line(what="disk", unit="B/row", limit=720),
    "requests": Line(what="S3: open and rows of one commit", unit="requests", limit=14, rows=None),
    "requests-latest": Line(what="S3: latest per series", unit="requests", limit=8, rows=None),
    "requests-trend": Line(what="S3: trend of one series", unit="requests", limit=12, rows=None),
    "requests-summary": Line(what="S3: summary of all series", unit="requests", limit=20, rows=None),
    "maintenance": Line(what="maintenance after 50 publishes", unit="ms", limit=800),
    "parse": Line(what="parse 50 MB of pytest-benchmark", unit="MB/s", limit=150, at_least=True, rows=None),
    "parse-memory": Line(what="the same, above the start", unit="MB", limit=130, rows=None),
    "latest-ten-million": Line(what="latest at 10 M rows", unit="ms", limit=8, rows=None),
    "latest-ten-million-newer": Line(what="  and 45 publishes after maintenance", unit="ms", limit=8, rows=None),
    "trend-ten-million": Line(what="trend of 10,000 points at 10 M rows", unit="ms", limit=6, rows=None),
    "summary-ten-million": Line(what="summary of all series at 10 M rows", unit="ms", limit=400, rows=None),
    "publish-ten-million": Line(what="publish 200 rows at 10 M rows, new", unit="ms", limit=100, rows=None),
    "publish-again-ten-million": Line(what="  known", unit="ms", limit=6, rows=None),
    "publish-content-ten-million": Line(what="  known in other bytes", unit="ms", limit=14, rows=None),
    "maintenance-ten-million": Line(
        what="maintenance after 50 publishes at 10 M rows", unit="ms", limit=1_000, rows=None
    ),
    "bulk": Line(what="publish 2,000 files of 180 results, CPU with parsing", unit="s", limit=25, rows=360_000),
    "bulk-memory": Line(what="  peak memory", unit="MB", limit=400, rows=360_000),
    "bulk-disk": Line(what="  disk over the settled store", unit="times", limit=1.5, rows=360_000),
    "bulk-flat": Line(what="  CPU a file over that of 200 files", unit="times", limit=None, rows=None),
    "bulk-again": Line(what="  the same files again, over the first time", unit="times", limit=0.1, rows=360_000),
    "day-disk": Line(
        what="disk in a day of 2,000 publishes, over the settled store", unit="times", limit=5, rows=40_000
    ),
    "scan": Line(what="scan of 100,000 series of 200 points, CPU", unit="s", limit=12, rows=20_000_000),
    "scan-memory": Line(what="  peak memory above that of one series", unit="B/point", limit=100, rows=20_000_000),
    "site-build": Line(what="site of 10,000 series of 300 points, CPU", unit="s", limit=28, rows=3_000_000),
    "site-after": Line(what="  after one publish of 200 results, CPU", unit="s", limit=3, rows=3_000_000),
    "site-page": Line(what="  one benchmark's page, with all it loads", unit="KB", limit=300, rows=3_000_000),
}
