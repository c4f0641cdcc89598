"""The runs of a name: a run id, which several can have, or the key of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.store.filters import condition
from bench_db.store.tables import RUNS_TABLE

if TYPE_CHECKING:
    from bench_db.store.engine import Engine


def runs(engine: Engine, run: int | str) -> dict[int, str | None]:
    """Return the commits of the runs with a key, a run id or a hexadecimal key, by their keys."""
    meant = condition("run_key", run) if isinstance(run, int) else condition("run_id", run)
    key = None if isinstance(run, int) else key_of(run)
    either = meant if key is None else f"({meant}) OR ({condition('run_key', key)})"
    rows = engine.open(RUNS_TABLE).read(("run_key", "commit"), either)
    return dict(zip(rows["run_key"].to_pylist(), rows["commit"].to_pylist(), strict=True))


def key_of(text: str) -> int | None:
    """Return the run key that 16 hexadecimal digits write; None for any other text."""
    digits = set("0123456789abcdef")
    return int(text, 16) if len(text) == 16 and set(text) <= digits and text < "8" else None  # noqa: PLR2004
