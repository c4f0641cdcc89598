"""A collection of three small stores, whose names need directories of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db import FilePlace

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["My exp", "my_exp:1.0", "other.1"]


def filled_collection(root: Path) -> FilePlace:
    """Make a store of each name with one run: the second has the benchmarks f and g, the others f alone."""
    collection = FilePlace(root=str(root))
    for number, name in enumerate(NAMES):
        store = collection.scoped(name).connect(create=True)
        with store.record("d", commit=f"{number}" * 40, test_bed_name="t", environment={}) as run:
            second = number == 1
            run.add("f", [1.0 + number], unit="s", tags={"framework": "flax"} | ({"batch": 32} if second else {}))
            if second:
                run.add("g", [5.0], unit="s")
    return collection
