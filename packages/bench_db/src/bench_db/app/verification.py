"""Complete readings of a store, here or on an engine: a verification, and the statistics of all samples computed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.app.database import on_database
from bench_db.app.engines import workers_of
from bench_db.app.progress import SILENT
from bench_db.errors import UserError
from bench_db.model import Recomputed

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.distributed import Engine
    from bench_db.model import Verification
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf

_EXAMPLES = 10


@on_database
def verified(
    store: Database,
    *,
    quick_seed: int | None = None,
    engine: str | Engine | None = None,
    progress: Callable[[int, int], None] = SILENT,
) -> Verification:
    """Read everything, on an engine if one is given, or with `quick_seed` a sample of the results, and return the problems."""
    if quick_seed is None:
        with workers_of(engine) as workers:
            return store.verify(progress, workers=workers)
    if engine is not None:
        message = "a quick verification reads too little for an engine; leave one of them out"
        raise UserError(message)
    return store.verify_quickly(quick_seed)


@on_database
def recomputed(store: Database, *, as_of: AsOf | None = None, engine: str | Engine | None = None) -> Recomputed:
    """Compute the statistics of all samples again, on an engine if one is given, and count those that are stored otherwise."""
    with workers_of(engine) as workers:
        results, computed, differing = store.recompute(as_of, differing=True, workers=workers)
    examples = tuple(differing["id"].head(_EXAMPLES))
    return Recomputed(results=results, computed=computed, differing=len(differing), examples=examples)
