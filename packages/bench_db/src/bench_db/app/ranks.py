"""The rank of each value of a tag, by the newest results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.app.answers import Answer
from bench_db.app.database import on_database
from bench_db.errors import UserError
from bench_db.identity import tags_key, tags_of_key
from bench_db.query.ranks import ALIKE, means, of_values, ranked
from bench_db.query.selection import SCENARIO, Conditions, Selection, named_there, selection_of
from bench_db.query.series import COMMIT_ORDER, MACHINE

if TYPE_CHECKING:
    from typing import Unpack

    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

# The columns that may be ranked in place of a tag.
COLUMNS = ("dut_name", "test_bed_name", "suite")
_KEY = [*ALIKE, *MACHINE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks(Answer):
    """The ranks of the values of `tag`. `places` are those of `query.ranks.ranked`, `values` and `means` what it has over all of them.

    `without` counts the selected results that do not have the tag; they are in no answer.
    """

    history: str
    tag: str
    places: pl.DataFrame
    values: pl.DataFrame
    means: pl.DataFrame
    without: int = 0

    def frame(self) -> pl.DataFrame:
        """Return the places, a row for each group of alike results and each value of the tag, the best of a group first."""
        return self.places.drop(MACHINE)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        places = [{**row, "other_tags": tags_of_key(row["other_tags"])} for row in self.frame().to_dicts()]
        return {
            "history": self.history,
            "tag": self.tag,
            "places": places,
            "values": self.values.to_dicts(),
            "means": self.means.to_dicts(),
            "without": self.without,
        }


@on_database
def rank(
    store: Database,
    tag: str,
    *,
    as_of: AsOf | None = None,
    selection: Selection | None = None,
    **conditions: Unpack[Conditions],
) -> Ranks:
    """Return the rank of each value of a tag in every benchmark, by the median of the newest results and the direction of the metric.

    Compared are results that have everything but the tag in common: device, test bed, suite, benchmark, metric, unit and other tags.
    `tag` is a tag, or `dut_name`, `test_bed_name` or `suite`; of test beds whose machine changed, the newest result counts. Raises `UserError` for a tag that no selected result has.
    """
    chosen = selection_of(selection, conditions)
    newest = store.latest(chosen, as_of)
    column = "suite" if tag == SCENARIO else tag
    rows = _valued(store, newest, column)
    without = len(newest) - len(rows)
    if rows.is_empty() and len(newest):
        known = {name for key in newest["tags_key"].unique() for name in tags_of_key(key or "")}
        message = f"`tag`: no result has a tag {tag!r}; {named_there('tags', tag, known.union(COLUMNS))}"
        raise UserError(message)
    if column == "test_bed_name":  # a bed whose machine changed has a series of each: the newest counts
        ordered = rows.sort(COMMIT_ORDER, nulls_last=False)
        rows = ordered.unique([*ALIKE, "value"], keep="last", maintain_order=True)
    places = ranked(rows, MACHINE)
    return Ranks(
        history=store.history(as_of).about(chosen),
        tag=tag,
        places=places,
        values=of_values(places, MACHINE),
        means=means(places, MACHINE),
        without=without,
    )


def _valued(store: Database, newest: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the results that have the tag or the column as `value`, in the columns of `_KEY`, `COMMIT_ORDER` and `median`."""
    filled = newest.with_columns(pl.col("suite", "tags_key").fill_null(""))
    if column in COLUMNS:
        rows = filled.with_columns(pl.lit("").alias(column), value=pl.col(column), other_tags="tags_key")
    else:
        tags = {key: tags_of_key(key) for key in filled["tags_key"].unique()}
        values = {key: found.get(column) for key, found in tags.items()}
        others = {key: tags_key({n: v for n, v in found.items() if n != column}) for key, found in tags.items()}
        rows = filled.with_columns(
            value=pl.col("tags_key").replace_strict(values, return_dtype=pl.String),
            other_tags=pl.col("tags_key").replace_strict(others, return_dtype=pl.String),
        ).drop_nulls("value")
    known = rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in _MACHINES.items())
    # beds are compared whatever their machines, and otherwise machines of one name are apart
    if column != "test_bed_name" and rows.select(*ALIKE, "value").is_duplicated().any():
        known = rows.join(store.machines(rows["series_key"].to_list()), on="series_key", how="left")
    return known.select(*_KEY, *COMMIT_ORDER, "value", "median")


_MACHINES = {"test_bed_cpu": pl.String, "test_bed_memory_gb": pl.Int32, "test_bed_os": pl.String}
