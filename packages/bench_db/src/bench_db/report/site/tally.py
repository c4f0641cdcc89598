"""What a build has counted of the points that it read, from which the next one goes on with the newer points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from bench_db.query.availability import OF, no_days
from bench_db.report.site.arrange import NOTHING, Known
from bench_db.report.site.measured import FAILURE
from bench_db.report.site.shards import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.report.site.arrange import Arranged

_RUNS = NOTHING.runs.schema
_FAILURES = dict.fromkeys(FAILURE, pl.String)


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    made_by: str
    runs: Sequence[Sequence[Any]]
    sums: Sequence[tuple[int, int, int]]
    failures: Sequence[Sequence[Any]]
    days: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The runs and the series of all groups, the first `failures` of each build, and the days with results, as `by_day` has them."""

    known: Known
    failures: pl.DataFrame
    days: pl.DataFrame

    def document(self, made_by: str) -> dict[str, Any]:
        """Return the document of which `tally_of` makes the same again. It depends on the points alone, not on how they were read."""
        return {
            "made_by": made_by,
            "runs": self.known.runs.select(*_RUNS).sort(*GROUP, "run_key").rows(),
            "sums": sorted((key, *of_series) for key, of_series in self.known.sums.items()),
            "failures": self.failures.rows(),
            "days": self.days.with_columns(pl.col("day").to_physical()).rows(),
        }


def tally_of(text: bytes, made_by: str) -> Tally | None:
    """Return what a build has counted from its document as JSON; None where it was made by something else."""
    found = msgspec.json.decode(text, type=_Document)
    if found.made_by != made_by:
        return None
    days = pl.DataFrame(found.days, schema={**no_days().schema, "day": pl.Int32}, orient="row")
    return Tally(
        known=Known(
            runs=pl.DataFrame(found.runs, schema=_RUNS, orient="row"),
            sums={key: (digest, points) for key, digest, points in found.sums},
        ),
        failures=pl.DataFrame(found.failures, schema=_FAILURES, orient="row"),
        days=days.with_columns(pl.col("day").cast(pl.Date)),
    )


def days_of(earlier: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    """Return the days of earlier points and those of newer ones together, each as `by_day` has them."""
    of_day = (*OF, "day")
    return pl.concat([earlier, newer]).group_by(of_day).agg(pl.col("results", "failed").sum()).sort(of_day)


def known_of(parts: Iterable[Arranged]) -> Known:
    """Return what was found of the points of all groups, which were arranged part by part."""
    runs, sums = [NOTHING.runs], dict[int, tuple[int, int]]()
    for part in parts:
        names = pl.DataFrame(list(part.groups), schema=dict.fromkeys(GROUP, pl.String), orient="row").with_columns(
            group=pl.Series(part.groups.values(), dtype=part.runs.schema["group"])
        )
        runs.append(part.runs.join(names, on="group").select(*_RUNS))
        sums |= part.sums
    return Known(runs=pl.concat(runs), sums=sums)
