"""Campaigns: tests of many random cases, of which the suite tries a seeded few and `just campaign NAME` tries all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

Cases = TypeVar("Cases")

CAMPAIGNS = {
    "clocks": "runs and commits that arrive in any order, with any time",
    "faults": "faults of S3 and of the network that do not end by themselves",
    "flips": "single bits that change in the files of a store, in exports and samples",
    "fuzz": "files, rows and queries that nobody would write",
    "kills": "kill -9 at random moments of each operation that writes",
    "laws": "every other property, with 1,000 examples",
    "races": "eight processes that write at once",
    "year": "simulated years of a repository: real git, pull requests, force pushes and mistakes",
}
_chosen: list[str] = []


def choose(name: str | None) -> None:
    """Give the tests of a campaign their full size; call it before the test modules are imported."""
    _chosen[:] = [name] if name else []


def rounds(campaign: str, few: Cases, *, full: Cases) -> Cases:
    """Return which or how many cases a test tries: a few in the suite, all in its campaign."""
    return full if campaign in _chosen else few


def examples(campaign: str, few: int, *, full: int) -> Callable[[Any], Any]:
    """Make a property part of a campaign."""
    chosen = sized(campaign, few, full=full)
    return lambda test: pytest.mark.campaign(campaign)(chosen(test))


def sized(campaign: str, few: int, *, full: int) -> settings:
    """Return how many examples a property tries: the same few in every suite, random ones in its campaign."""
    return settings(
        max_examples=rounds(campaign, few, full=full),
        derandomize=campaign not in _chosen,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
