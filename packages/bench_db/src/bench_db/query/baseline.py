"""The baseline pointer that applies to a candidate, and the rows it selects."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from bench_db.model import Baseline

Place = tuple[str, str]
PLACE = ("dut_name", "test_bed_name")


def holding(
    pointers: Iterable[Baseline], place: tuple[str | None, str | None], branches: Collection[str]
) -> Baseline | None:
    """Return the applicable pointer with the narrowest scope, for a device, a test bed and any of some branches; else None.

    The narrower scope names more of the three. With equally many, naming a branch is narrower, then naming a test bed.
    """
    dut, bed = place
    fitting = [
        p
        for p in pointers
        if p.dut_name in (None, dut) and p.testbed_name in (None, bed) and (p.branch is None or p.branch in branches)
    ]
    return max(fitting, key=_narrowness, default=None)


def _narrowness(pointer: Baseline) -> tuple[int, bool, bool, int]:
    given = (pointer.branch is not None, pointer.testbed_name is not None, pointer.dut_name is not None)
    return sum(given), given[0], given[1], pointer.set_at


def by_place(of_place: Mapping[Place, pl.Expr]) -> pl.Expr:
    """Select the rows of each device and test bed by its own condition, and no row of any other."""
    terms = [
        (pl.col("dut_name") == dut) & (pl.col("test_bed_name") == bed) & condition
        for (dut, bed), condition in of_place.items()
    ]
    return reduce(or_, terms, pl.lit(value=False))


def newest_build_of_each(builds: pl.DataFrame, meant: pl.Expr) -> pl.Expr:
    """Select the rows of the newest commit of each device, test bed and suite among some builds.

    Of several commits with one order, the one that matches `meant` is the newest.
    """
    group = [*PLACE, "suite"]
    in_order = builds.sort("commit_order", meant.fill_null(value=False), "commit", nulls_last=False)
    newest = in_order.unique(group, keep="last", maintain_order=True)
    terms = [
        reduce(lambda one, other: one & other, (pl.col(name).eq_missing(value) for name, value in row.items()))
        for row in newest.select(*group, "commit", "commit_order").to_dicts()
    ]
    return reduce(or_, terms, pl.lit(value=False))
