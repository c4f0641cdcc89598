"""The two tiers of the suite: `uv run pytest` runs the first, `uv run pytest -m slow` runs the second.

A test that is marked `slow` is in the second tier. So are the cases of a parametrized test that is marked `few`, except the first ones, and
the tests of a module that is marked `sample`, except the first ones.
Whoever names tests, by a path, an expression or a campaign, gets them from both tiers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOW, FEW, SAMPLE = "slow", "few", "sample"
# options that choose tests: an expression, a marker, the failures of the last run, a campaign
CHOOSING = ("keyword", "markexpr", "lf", "campaign")
_LEFT_OUT: pytest.StashKey[int] = pytest.StashKey()


def first_tier_only(config: pytest.Config) -> bool:
    """Return whether the command names no tests. The command of a worker names all, so its controller decides."""
    if (given := getattr(config, "workerinput", None)) is not None:
        return bool(given[SLOW])
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    return not named and not any(config.getoption(option, None) for option in CHOOSING)


def in_tiers(items: Iterable[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return the tests of the first and of the second tier."""
    first: list[pytest.Item] = []
    second: list[pytest.Item] = []
    for item in items:
        (second if item.get_closest_marker(SLOW) else first).append(item)
    return first, second


def mark_cases(items: Iterable[pytest.Item]) -> None:
    """Mark the cases slow that a test marked `few` has beyond the number it names, and the tests that a module marked `sample` has."""
    seen: Counter[str] = Counter()
    for item in items:
        if sample := item.get_closest_marker(SAMPLE):
            module = item.nodeid.partition("::")[0]
            seen[module] += 1
            if seen[module] > sample.args[0]:
                item.add_marker(SLOW)
        if few := item.get_closest_marker(FEW):
            test = item.nodeid.removesuffix(item.name) + getattr(item, "originalname", item.name)
            seen[test] += 1
            if seen[test] > few.args[0]:
                item.add_marker(SLOW)


@pytest.hookimpl(tryfirst=True)  # before pytest itself applies `-m`
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mark_cases(items)
    if first_tier_only(config):
        items[:], left_out = in_tiers(items)
        config.hook.pytest_deselected(items=left_out)
        config.stash[_LEFT_OUT] = len(left_out)
        if hasattr(config, "workeroutput"):
            config.workeroutput[SLOW] = len(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput[SLOW] = first_tier_only(node.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the count of a worker, which all workers agree on; a worker that crashed has none."""
    if left_out := getattr(node, "workeroutput", {}).get(SLOW):
        node.config.stash[_LEFT_OUT] = left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left_out := config.stash.get(_LEFT_OUT, 0):
        terminalreporter.write_line(f"{left_out:,} slow tests were left out: `uv run pytest -m slow` runs them.")
