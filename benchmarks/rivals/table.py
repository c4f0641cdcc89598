"""The table of the figures of all methods: columns, rendering and legend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench_db.report.text import table
from benchmarks.accuracy import TARGETS
from benchmarks.labelled import SETS
from benchmarks.suites import DELAYED_STEPS, HORIZON

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.suites import Suite

NONE = "-"
Outcome = dict[str, float] | str  # the figures, or the reason of the failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Columns computed from the same suites: their figures by heading, and a description."""

    suites: tuple[str, ...]
    columns: Mapping[str, str]
    says: str


_STEPS = tuple(f"{step:.0%}" for step in DELAYED_STEPS)
_STEP_SUITES = tuple(f"{step} step" for step in _STEPS)
GROUPS = (
    *(Group(suites=(f"labels {name}",), columns={name: f"labels {name}: f1"}, says="F1") for name in SETS),
    Group(suites=("TCPD",), columns={"TCPD": "TCPD: F1"}, says="mean F1, precision against all annotators"),
    Group(
        suites=("offline",),
        columns={"F1": "F1", "alarms": "false alarms per quiet series", "indep.": "the same, independent noise"},
        says="F1 over all series; false alarms per series without change; the same on the four independent noise kinds",
    ),
    Group(
        suites=("outliers",),
        columns={"outl. P": "outliers: precision", "outl. R": "outliers: recall"},
        says="precision and recall",
    ),
    Group(
        suites=_STEP_SUITES,
        columns={f"delay {step}": f"{step} step: median delay" for step in _STEPS}
        | {f"in 10 {step}": f"{step} step: found within 10" for step in _STEPS},
        says="median commits until a change is reported within 5 points of the step, and the share reported within 10 commits; "
        "an alarm that was there before counts too",
    ),
    Group(
        suites=("online",),
        columns={"online": "online alarms per 100 quiet commits"},
        says="distinct false alarms per 100 commits",
    ),
    Group(
        suites=("scan",),
        columns={"FDR": "scan: FDR by series", "power": "scan: changed series found"},
        says="unchanged series among those reported, and the share of changed ones that is; rivals: every series with a change",
    ),
    Group(suites=(), columns={"CPU ms": "CPU ms, 200 points"}, says="per series of 200 points, without start-up"),
)


def figures_table(outcomes: Mapping[str, Outcome], known: Iterable[str], *, markdown: bool = False) -> str:
    """Return one row per method, one column per figure of the known suites, and the targets in the last row."""
    shown = {heading: name for group in groups(known) for heading, name in group.columns.items()}
    rows = [
        [method, *(_figure(outcome, name) for name in shown.values()), _failure(outcome)]
        for method, outcome in outcomes.items()
    ]
    rows.append(["target", *(TARGETS.get(name, "") for name in shown.values()), ""])
    return rendered(["method", *shown, ""], rows, markdown=markdown)


def groups(known: Iterable[str]) -> list[Group]:
    """Return the groups with all their suites known."""
    names = set(known)
    return [group for group in GROUPS if names.issuperset(group.suites)]


def legend(known: Mapping[str, Suite]) -> list[str]:
    """Describe each column and its number of series."""
    return [
        f"{', '.join(group.columns)}: {group.says}" + "".join(f"; {size}" for size in _sizes(group, known))
        for group in groups(known)
    ]


def _sizes(group: Group, known: Mapping[str, Suite]) -> list[str]:
    return list(dict.fromkeys(known[name].size for name in group.suites))


def rendered(headings: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False) -> str:
    """Render for a terminal, or as Markdown."""
    if not markdown:
        return table(headings, rows, right=headings[1:-1])
    rule = ["---", *("---:" for _ in headings[2:]), "---"]
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in (headings, rule, *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def _figure(outcome: Outcome, name: str) -> str:
    if isinstance(outcome, str):
        return NONE
    value = outcome[name]
    if "delay" in name:
        return f"{value:g}" if value <= HORIZON else f"> {HORIZON}"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _failure(outcome: Outcome) -> str:
    return f"failed: {outcome}" if isinstance(outcome, str) else ""
