"""What the reports need to know of a comparison and of a finding; the analyses' own records have these attributes."""

from __future__ import annotations

from typing import Protocol


class Comparison(Protocol):
    """A candidate held against its baseline, one series.

    `verdict` is one of `Verdict`. `effect`, `low` and `high` are relative changes (0.08 is +8 %) of the measured number, whatever
    its direction; they and the medians are null when there is nothing to compare.
    """

    @property
    def label(self) -> str:
        """What a reader calls the series."""

    @property
    def testbed_name(self) -> str:
        """Where it was measured."""

    @property
    def units(self) -> str:
        """Stored unit."""

    @property
    def direction(self) -> str:
        """lower, higher or info."""

    @property
    def verdict(self) -> str:
        """One of `Verdict`."""

    @property
    def effect(self) -> float | None:
        """Relative change."""

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""

    @property
    def high(self) -> float | None:
        """Upper end of its interval."""

    @property
    def p_value(self) -> float | None:
        """Null when no test was made."""

    @property
    def n_baseline(self) -> int:
        """Baseline runs."""

    @property
    def n_candidate(self) -> int:
        """Candidate runs."""

    @property
    def baseline_median(self) -> float | None:
        """In base units."""

    @property
    def candidate_median(self) -> float | None:
        """In base units."""

    @property
    def note(self) -> str:
        """What the figures cannot say; "" for nothing."""


class Finding(Protocol):
    """A change point of a series with a life of its own.

    `index` counts the points of the series from 0, oldest first, and names the first of the new level; `commit` is that
    point's. `effect`, `low` and `high` are relative changes as in a comparison. `common_mode` names the movement of a whole
    suite or runner that the change is part of, and is null for a change of its own.
    """

    @property
    def id(self) -> str:
        """Stable across detections."""

    @property
    def series_key(self) -> int:
        """The series it belongs to."""

    @property
    def commit(self) -> str | None:
        """First commit of the new level."""

    @property
    def index(self) -> int:
        """Point of that commit."""

    @property
    def effect(self) -> float | None:
        """Relative change; null for a change from zero."""

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""

    @property
    def high(self) -> float | None:
        """Upper end of its interval."""

    @property
    def p_value(self) -> float | None:
        """Null when no test was made."""

    @property
    def state(self) -> str:
        """One of `State`."""

    @property
    def provisional(self) -> bool:
        """Whether too few points follow it to be sure."""

    @property
    def common_mode(self) -> str | None:
        """Name of the movement it is part of."""

    @property
    def note(self) -> str:
        """What people say of it; empty when nothing."""


def is_worse(effect: float | None, direction: str) -> bool | None:
    """Whether a relative change is for the worse; null when neither way is better or nothing moved."""
    if not effect or direction not in {"lower", "higher"}:
        return None
    return (effect > 0) == (direction == "lower")
