"""Views of a mirror in PostgreSQL: the answers of `latest`, `summary` and `trend`, computed from the table of results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# The points of a series in order; the order has no null, and an unknown time of the run comes first.
_OLDEST_FIRST = '"commit_order", "run_time" NULLS FIRST, "run_key"'
_NEWEST_FIRST = '"commit_order" DESC, "run_time" DESC NULLS LAST, "run_key" DESC'
_IDENTITY = (
    *("series_key", "dut_name", "test_bed_name", "suite", "benchmark_name"),
    *("metric", "tags_key", "tags", "units", "direction"),
)
_STATISTICS = ("min", "q1", "median", "q3", "max", "mean", "standard_deviation")
_POINT = (
    *("commit", "branch", "dut_version", "commit_time", "run_time", "published_at", "run_key", "n"),
    *(*_STATISTICS, "lower", "upper", "error"),
)
# As `bench-db run show` takes it.
_RUN = """lpad(to_hex("run_key"), 16, '0') AS "run\""""
# Infinity and NaN are no measurements.
_FINITE = """CASE WHEN "median" > '-Infinity' AND "median" < 'Infinity' THEN "median" END"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view: `body` is its query, in which `{results}` is the table of results."""

    name: str
    about: str
    body: str


def _columns(*names: str, of: str = "") -> str:
    return ", ".join(f'{of}."{name}"' if of else f'"{name}"' for name in names)


def _quantile(share: float, name: str) -> str:
    return f'percentile_cont({share}) WITHIN GROUP (ORDER BY "value") AS "{name}"'


def _change(base: str) -> str:
    return f'CASE WHEN {base} <> 0 THEN ("value" - {base}) / abs({base}) END'


_NEWEST = f"""SELECT DISTINCT ON ("series_key") *
        FROM {{results}} WHERE "main_history" ORDER BY "series_key", {_NEWEST_FIRST}"""

VIEWS: Final = (
    View(
        name="latest",
        about="The newest result of each series of the main history. stale: another series of its device, test bed and suite has a newer commit.",
        body=f"""SELECT {_columns(*_IDENTITY, *_POINT)},
       "commit_order" < max("commit_order") OVER (PARTITION BY "dut_name", "test_bed_name", "suite") AS "stale", {_RUN}
FROM ({_NEWEST}) AS newest""",
    ),
    View(
        name="series",
        about="Each series of the main history with the statistics of its medians; n counts them. spread: standard deviation relative to the mean.",
        body=f"""SELECT {_columns(*_IDENTITY, "commit", "dut_version", "commit_time", of="newest")},
       {_columns("n", *_STATISTICS, of="statistics")},
       CASE WHEN statistics."mean" <> 0 THEN statistics."standard_deviation" / abs(statistics."mean") END AS "spread"
FROM ({_NEWEST}) AS newest
JOIN (SELECT "series_key", count("value") AS "n", min("value") AS "min", {_quantile(0.25, "q1")},
             {_quantile(0.5, "median")}, {_quantile(0.75, "q3")}, max("value") AS "max", avg("value") AS "mean",
             CASE count("value") WHEN 1 THEN 0 ELSE stddev_samp("value") END AS "standard_deviation"
      FROM (SELECT "series_key", {_FINITE} AS "value" FROM {{results}} WHERE "main_history") AS medians
      GROUP BY "series_key") AS statistics USING ("series_key")""",
    ),
    View(
        name="trend",
        about="The points of the main history. index counts those of a series from 0; change is relative to the point before, 0.08 is +8 %.",
        body=f"""SELECT {_columns(*_IDENTITY, *_POINT)},
       row_number() OVER (PARTITION BY "series_key" ORDER BY {_OLDEST_FIRST}) - 1 AS "index",
       {_change('"before"')} AS "change", {_change('"first"')} AS "change_since_first", {_RUN}
FROM (SELECT *, lag("value") OVER points AS "before", first_value("value") OVER points AS "first"
      FROM (SELECT *, {_FINITE} AS "value" FROM {{results}} WHERE "main_history") AS medians
      WINDOW points AS (PARTITION BY "series_key", "value" IS NULL ORDER BY {_OLDEST_FIRST})) AS changes""",
    ),
)
