"""The noise of every series, and so the changes it can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench_db.analysis.histories import histories, observations
from bench_db.analysis.noise import noises
from bench_db.app.answers import Answer, frame_of
from bench_db.app.database import on_database
from bench_db.app.engines import measuring
from bench_db.model import Noise
from bench_db.query.selection import Conditions, Selection, selection_of
from bench_db.report.document import record_json

if TYPE_CHECKING:
    from typing import Unpack

    import polars as pl

    from bench_db.distributed import Engine
    from bench_db.store.database import Database
    from bench_db.store.versions import AsOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Noises(Answer):
    """The noise of each series, noisiest first; those without a known spread come last. `history` describes whose results they are."""

    history: str
    noise: Sequence[Noise]

    def frame(self) -> pl.DataFrame:
        """Return the noise as a frame, a row a series."""
        return frame_of(self.noise, Noise)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"history": self.history, "noise": [record_json(one) for one in self.noise]}


@on_database
def noise(
    store: Database,
    *,
    as_of: AsOf | None = None,
    engine: str | Engine | None = None,
    selection: Selection | None = None,
    **conditions: Unpack[Conditions],
) -> Noises:
    """Measure the noise of each series at its present level: the spread between runs, and the smallest change they can show.

    `engine` measures it on other processes or machines, as for `scan`.
    """
    chosen = selection_of(selection, conditions)
    of = histories(observations(store.points(chosen, as_of)))
    with measuring(engine, of) as measure:
        found = noises(of, measure)
    return Noises(
        history=store.history(as_of).about(chosen),
        noise=sorted(found, key=lambda one: (one.spread is None, -(one.spread or 0.0))),
    )
