"""The inputs of the workflow that measures, for a step of a plan and for a pull request."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bench_db.model import Order, Step
    from bench_db.schedule.config import Config, Kind


def of_step(step: Step, config: Config) -> dict[str, str]:
    """Return the inputs that measure the suites of a step.

    Only the commit when the step asks for all suites, or for one that no input selects: the workflow then measures all.
    """
    found, wanted = {"git_sha": step.commit.sha}, step.suites
    if not wanted or not all(suite in config.suite and config.kind_of(suite) for suite in wanted):
        return found
    for name, kind in config.schedule.kinds.items():
        suites = [suite for suite in wanted if config.kind_of(suite) == name]
        found |= _switch(kind, on=bool(suites))
        is_whole = kind.others and set(suites) == set(config.suites_of(name))
        if suites and kind.suites_input and not is_whole:
            found[kind.suites_input] = ",".join(suites)
    return found


def of_order(order: Order, kinds: Mapping[str, Kind]) -> dict[str, str]:
    """Return the inputs that measure a pull request. The suites of an order belong to its one kind."""
    found = {"git_sha": order.commit_sha, "pr_number": str(order.pr_number), "pr_repo": order.pr_repo}
    for name, kind in kinds.items():
        asked = _is_asked(name, order.kinds)
        found |= _switch(kind, on=asked)
        suites = ",".join(order.suites if asked else ())
        if kind.suites_input and (suites or not kind.others):
            found[kind.suites_input] = suites
    return found


def _is_asked(kind: str, kinds: Collection[str]) -> bool:
    return not kinds or kind in kinds


def _switch(kind: Kind, *, on: bool) -> dict[str, str]:
    return {kind.run_input: str(on).lower()} if kind.run_input else {}


def correlation_of(step: Step, at: int) -> str:
    """Return the correlation id of one attempt that began at `at` (unix seconds). Equal arguments give equal ids."""
    text = "\0".join((step.commit.sha, *map(str, step.targets), str(step.attempt), str(at)))
    return sha256(text.encode()).hexdigest()[:16]
