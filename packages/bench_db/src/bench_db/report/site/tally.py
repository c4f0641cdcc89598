"""What a build has counted of the points that it read, from which the next one goes on with the newer points."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from bench_db.query.availability import no_days
from bench_db.report.site.arrange import NOTHING, Known
from bench_db.report.site.measured import FAILURE
from bench_db.report.site.shards import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench_db.report.site.arrange import Arranged

_RUNS = NOTHING.runs.columns
_FAILURES = dict.fromkeys(FAILURE, pl.String)
_SUMS = ("series_key", "digest", "points")
_Columns = Mapping[str, str]


class _Origin(msgspec.Struct):
    made_by: str


class _Document(_Origin, forbid_unknown_fields=True):
    groups: Sequence[Sequence[str]]
    runs: _Columns
    sums: _Columns
    failures: Sequence[Sequence[Any]]
    days: _Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The runs and the series of all groups, the first `failures` of each build, and the days with results, as `by_day` has them."""

    known: Known
    failures: pl.DataFrame
    days: pl.DataFrame

    def document(self, made_by: str) -> dict[str, Any]:
        """Return the document of which `tally_of` makes the same again. It depends on the points alone, not on how they were read."""
        runs, days = self.known.runs.select(_RUNS), self.days.with_columns(pl.col("day").to_physical())
        groups = pl.concat([runs.select(GROUP), days.select(GROUP)]).unique().sort(GROUP)
        sums = [(key, *of_series) for key, of_series in self.known.sums.items()]
        return {
            "made_by": made_by,
            "groups": groups.rows(),
            "runs": _packed(_numbered(runs, groups)),
            "sums": _packed(pl.DataFrame(sums, schema=dict.fromkeys(_SUMS, pl.Int64), orient="row")),
            "failures": self.failures.rows(),
            "days": _packed(_numbered(days, groups)),
        }


def tally_of(text: bytes, made_by: str) -> Tally | None:
    """Return what a build has counted from its document as JSON; None where it was made by something else."""
    if msgspec.json.decode(text, type=_Origin).made_by != made_by:
        return None
    found = msgspec.json.decode(text, type=_Document)
    groups = pl.DataFrame(found.groups, schema=dict.fromkeys(GROUP, pl.String), orient="row")
    sums = {key: (digest, points) for key, digest, points in _unpacked(found.sums).select(_SUMS).iter_rows()}
    return Tally(
        known=Known(runs=_named(_unpacked(found.runs), groups).select(_RUNS), sums=sums),
        failures=pl.DataFrame(found.failures, schema=_FAILURES, orient="row"),
        days=_named(_unpacked(found.days), groups).select(no_days().columns).cast(no_days().schema),
    )


def _numbered(rows: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the place of their group instead of its names."""
    return groups.with_row_index("group").join(rows, on=GROUP).drop(GROUP)


def _named(rows: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that `_numbered` was given."""
    return rows.with_columns(groups[rows["group"]]).drop("group")


def _packed(rows: pl.DataFrame) -> dict[str, str]:
    """Return columns of whole numbers as text, with the rows in order.

    The first bytes of all numbers come first, then their second bytes and so on: most are alike, and are compressed. 10,000 series of 300
    points in 100 groups take 0.18 MB.
    """
    columns = {column.name: column.to_numpy().astype("<i8") for column in rows.sort(pl.all())}
    planes = {name: numbers.view("u1").reshape(-1, 8).T for name, numbers in columns.items()}
    return {name: b64encode(zlib.compress(of.tobytes())).decode() for name, of in planes.items()}


def _unpacked(columns: _Columns) -> pl.DataFrame:
    """Return the rows that `_packed` has written, as Int64."""
    planes = {name: np.frombuffer(zlib.decompress(b64decode(text)), "u1") for name, text in columns.items()}
    return pl.DataFrame({name: of.reshape(8, -1).T.copy().view("<i8").ravel() for name, of in planes.items()})


def days_of(earlier: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    """Return the days of earlier points and those of newer ones together, each as `by_day` has them."""
    of_day = (*GROUP, "day")
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
