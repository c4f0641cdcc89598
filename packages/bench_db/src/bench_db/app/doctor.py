"""The use case `doctor`: check the installation, the access to a store, and the store."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench_db.app.answers import Answer, frame_of
from bench_db.model import Check
from bench_db.store.doctor import examine

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined(Answer):
    """The checks of an installation and of a store, in the order they were run."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"healthy": self.healthy, "checks": [asdict(check) for check in self.checks]}

    def frame(self) -> pl.DataFrame:
        """Return a row a check."""
        return frame_of(self.checks, Check)


def doctor(uri: str | Path) -> Examined:
    """Check the installation, the access to a store and the store; a failed check does not stop the others.

    On a bucket an object of its own proves that concurrent writers are kept apart.
    """
    return Examined(checks=tuple(examine(uri)))
