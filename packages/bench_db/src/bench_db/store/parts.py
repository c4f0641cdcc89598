"""Reading of a table by the workers of an engine: each opens the store itself, at the version of the driver.

Workers receive the address, the version and numbers of fragments. They find credentials as any process does.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar, cast

from bench_db.store.tables import registered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench_db.distributed.engine import Engine
    from bench_db.store.engine import Snapshot

Answer = TypeVar("Answer")


def of_fragments(
    workers: Engine, snapshot: Snapshot, function: Callable[..., Answer], *arguments: object, parts: int | None = None
) -> list[Answer]:
    """Return the answer of a function for each fragment of a table, in order, from the workers of an engine.

    The function gets a snapshot, a fragment and `arguments`. `parts` is into how many parts the fragments are cut, by default four
    a worker.
    """
    from bench_db.distributed.engine import parts_for  # noqa: PLC0415 only for an engine: the package loads Polars and all statistics

    numbers = [fragment.number for fragment in snapshot.every_fragment()]
    count = min(parts or parts_for(workers, len(numbers)), len(numbers))
    ends = [len(numbers) * part // count for part in range(count + 1)] if count else []
    place = str(snapshot.engine.location), snapshot.table.name, snapshot.version
    asked = [
        workers.submit(of_part, *place, numbers[low:high], function, *arguments)[0] for low, high in pairwise(ends)
    ]
    return [one for answers in workers.get(asked) for one in cast("list[Answer]", answers)]


def of_part(
    uri: str, name: str, version: int, numbers: Sequence[int], function: Callable[..., Answer], *arguments: object
) -> list[Answer]:
    """Open a table at a version, and return the answers of a function for some of its fragments."""
    from bench_db.store.database import engine_at  # noqa: PLC0415 it imports what calls this module

    [table] = [table for table in registered() if table.name == name]
    snapshot = engine_at(uri).open(table, version)
    wanted = set(numbers)
    chosen = [fragment for fragment in snapshot.every_fragment() if fragment.number in wanted]
    return [function(snapshot, fragment, *arguments) for fragment in chosen]
