"""Series measured in pairs as text for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench_db.model import Figure, PairRun, PairVerdict
from bench_db.report.escape import markdown_code, markdown_text, shortened
from bench_db.report.markdown import LIMIT, headline
from bench_db.report.quantity import percent, percent_with_interval, quantity
from bench_db.report.text import PLAIN, Colour, Fit, Screen, duration, table
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bench_db.model import Confirmation, PairComparison

_COLOURS: Mapping[str, Colour] = {
    PairVerdict.REGRESSED: "red",
    PairVerdict.FAILED: "red",
    PairVerdict.SUSPECTED: "yellow",
    PairVerdict.MISSING: "yellow",
    PairVerdict.IMPROVED: "green",
}
_FIT = Fit(drop=(("rounds",), ("base", "head")), notes="note")
_NUMBERS = ("base", "head", "change", "rounds")
_NAME, _NOTE = 160, 200
_FRAME = 2_000  # room for what is around the rows
_ENDS = {
    "decided": "every series is decided",
    "rounds": "all rounds are measured",
    "budget": "another round did not fit the budget",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsContext:
    """The commits of a report, and how they were measured; `ended` is the reason why measuring ended.

    `published` says what was stored of each suite and side, None when nothing was to be stored.
    """

    base: str
    head: str
    seed: int
    rounds: int
    seconds: float
    ended: str
    published: Sequence[PairRun] | None = None

    @property
    def text(self) -> str:
        """The measurement in one line, without the commits."""
        plural = "" if self.rounds == 1 else "s"
        return f"{self.rounds} round{plural} in {duration(self.seconds)}, {_ENDS[self.ended]}, seed {self.seed}"


def _stored(published: Sequence[PairRun] | None) -> list[str]:
    """Return a line with what was stored of each side; none when nothing was to be stored."""
    if published is None:
        return []
    sides = {run.side: [one for one in published if one.side is run.side] for run in published}
    parts = [f"{side} " + ", ".join(_numbers_of(runs)) for side, runs in sides.items()]
    return [f"published: {'; '.join(parts) or 'nothing was measured'}"]


def _numbers_of(runs: Sequence[PairRun]) -> Iterator[str]:
    for name, words in (("new", "new"), ("unchanged", "unchanged"), ("left_out", "measured before")):
        if number := sum(getattr(run, name) for run in runs):
            yield f"{number} {words}"


class Measured(Protocol):
    """The outcome of measuring flagged series again: where, of which commits, and of each series."""

    @property
    def mode(self) -> str:
        """Which machine measured."""

    @property
    def base(self) -> str:
        """The commit of the baseline."""

    @property
    def head(self) -> str:
        """The candidate."""

    @property
    def rounds(self) -> int:
        """The number of rounds."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each outcome occurs."""

    @property
    def confirmations(self) -> Sequence[Confirmation]:
        """The outcomes."""


def pairs_text(
    comparisons: Sequence[PairComparison],
    control: Sequence[PairComparison],
    context: PairsContext,
    *,
    everything: bool = False,
    screen: Screen = PLAIN,
) -> str:
    """Render the counts of the verdicts over a table of comparisons, in their order; unchanged ones only with `everything`."""
    shown = [c for c in comparisons if everything or c.verdict is not PairVerdict.UNCHANGED]
    sides = f"{context.head[: RULES.sha_length]} against {context.base[: RULES.sha_length]}"
    if not comparisons:
        return f"{sides}: no series regressed or is suspected of it; nothing was measured"
    counts = ", ".join(f"{n} {screen.painted(verdict, _COLOURS.get(verdict))}" for verdict, n in _counted(comparisons))
    rows = [[cell(c) for _, cell in _COLUMNS] for c in shown]
    listed = (
        ["", table([name for name, _ in _COLUMNS], rows, _NUMBERS, screen, _FIT, colours=_COLOURS)] if shown else []
    )
    return "\n".join([f"{sides}: {counts}", context.text, *_control(control), *_stored(context.published), *listed])


def _counted(comparisons: Sequence[PairComparison]) -> list[tuple[PairVerdict, int]]:
    numbers = [(verdict, sum(c.verdict is verdict for c in comparisons)) for verdict in PairVerdict]
    return [(verdict, number) for verdict, number in numbers if number]


def _control(control: Sequence[PairComparison]) -> list[str]:
    """Return a line for the control, and one for each series of it that moved."""
    if not control:
        return []
    counts = ", ".join(f"{number} {verdict}" for verdict, number in _counted(control))
    moved = [c for c in control if c.verdict in {PairVerdict.REGRESSED, PairVerdict.IMPROVED, PairVerdict.SUSPECTED}]
    named = [f"control: {c.series.label} moved by {percent(c.effect)} without a change" for c in moved]
    return [f"control: {counts}", *named]


def confirmed_text(confirmed: Measured, screen: Screen = PLAIN) -> str:
    """Render the outcomes of measuring flagged series again, with the change of the check beside that of the pairs."""
    rows = [[cell(c) for _, cell in _CONFIRMED] for c in confirmed.confirmations]
    listed = table([name for name, _ in _CONFIRMED], rows, ("check", "pairs", "rounds"), screen, Fit(notes="reason"))
    return f"{_measured_again(confirmed)}\n\n{listed}"


def confirmed_markdown(confirmed: Measured) -> str:
    """Render the outcomes of measuring flagged series again as a section of a comment, with as many rows as an open section has."""
    lines = [f"### Measured again in pairs\n\n{markdown_text(_measured_again(confirmed))}\n"]
    lines += ["| outcome | benchmark | check | pairs | rounds | reason |", "|:--|:--|--:|--:|--:|:--|"]
    for c in confirmed.confirmations[: RULES.comment_rows]:
        name, reason = markdown_code(shortened(c.series.label, _NAME)), shortened(c.reason, _NOTE)
        why = markdown_code(reason) if reason else ""
        change = percent_with_interval(c.effect, c.low, c.high)
        lines.append(f"| {c.outcome} | {name} | {percent(c.flagged_effect)} | {change} | {c.rounds} | {why} |")
    left = len(confirmed.confirmations) - RULES.comment_rows
    return "\n".join([*lines, *([f"\n{left:,} more left out."] if left > 0 else []), ""])


def outcomes_text(confirmed: Measured | None) -> str:
    """Return how often each outcome of measuring flagged series again occurs, as headlines end; empty when nothing was measured again."""
    return "" if confirmed is None else f"; measured again: {_outcomes(confirmed)}"


def _outcomes(confirmed: Measured) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in confirmed.counts.items())


def _measured_again(confirmed: Measured) -> str:
    counts = _outcomes(confirmed)
    base, head = confirmed.base[: RULES.sha_length] or "no commit", confirmed.head[: RULES.sha_length]
    rounds = f"{confirmed.rounds} round{'' if confirmed.rounds == 1 else 's'} in {duration(confirmed.seconds)}"
    where = (
        "another machine"
        if confirmed.mode == "fresh"
        else "the machine of the candidate, whose own bias is not excluded"
    )
    return f"measured again in pairs, {head} against {base}: {counts}; {rounds} on {where}"


_CONFIRMED: tuple[tuple[str, Callable[[Confirmation], str]], ...] = (
    ("outcome", lambda c: c.outcome),
    ("benchmark", lambda c: c.series.label),
    ("check", lambda c: percent(c.flagged_effect)),
    ("pairs", lambda c: percent_with_interval(c.effect, c.low, c.high)),
    ("rounds", lambda c: str(c.rounds)),
    ("reason", lambda c: shortened(c.reason, _NOTE)),
)


def note_of(c: PairComparison) -> str:
    """Return what a reader needs beside the numbers: the reason, what an undecided series excludes, the dropped rounds."""
    parts = [c.note] if c.note else []
    if c.verdict is PairVerdict.UNDECIDED:
        parts += _undecided(c)
    if c.verdict is PairVerdict.SUSPECTED and not c.note:
        parts.append("alone it would be a change, among so many series it may be chance: measure again")
    if c.threshold:
        parts.append(f"counts from {c.threshold}")
    if c.dropped and c.rounds:
        parts.append(f"{c.dropped} round{'' if c.dropped == 1 else 's'} without a side")
    if c.median_effect is not None:
        parts.append(f"median {percent(c.median_effect)}")
    return "; ".join(parts)


def _undecided(c: PairComparison) -> list[str]:
    if c.low is None or c.high is None:
        return ["too few rounds with both sides"]
    excluded = f"less than {percent(c.low)} and more than {percent(c.high)} are excluded"
    if c.needed is None:
        return [excluded, f"more than {RULES.pair_most_needed} rounds would be needed"]
    return [excluded, f"{c.needed} more round{'' if c.needed == 1 else 's'} would tell"]


_COLUMNS: tuple[tuple[str, Callable[[PairComparison], str]], ...] = (
    ("verdict", lambda c: c.verdict),
    ("benchmark", lambda c: c.series.label),
    ("base", lambda c: quantity(c.base_value, c.series.units)),
    ("head", lambda c: quantity(c.head_value, c.series.units)),
    ("figure", lambda c: c.figure),
    ("change", lambda c: percent_with_interval(c.effect, c.low, c.high)),
    ("rounds", lambda c: str(c.rounds)),
    ("note", lambda c: shortened(note_of(c), _NOTE)),
)


def pairs_headline(counts: Mapping[str, int]) -> str:
    """Summarise the counts of the verdicts of pairs in one line."""
    undecided = counts.get(PairVerdict.UNDECIDED, 0)
    if undecided and not set(counts) - {PairVerdict.UNDECIDED, PairVerdict.NEW, PairVerdict.MISSING}:
        return f"❔ Undecided in pairs: {undecided:,} benchmark{'' if undecided == 1 else 's'}"
    return f"{headline(counts)}{f', {undecided:,} undecided' if undecided else ''}, in pairs"


def pairs_markdown(
    comparisons: Sequence[PairComparison], control: Sequence[PairComparison], context: PairsContext
) -> str:
    """Render a comment for a pull request, never longer than GitHub takes; unchanged series are folded."""
    if not comparisons:
        return "## ✅ Nothing to measure in pairs: no series regressed or is suspected of it\n"
    counted = _counted(comparisons)
    counts = " · ".join(f"**{number:,}** {verdict}" for verdict, number in counted)
    sides = (
        f"{markdown_code(context.head[: RULES.sha_length])} against {markdown_code(context.base[: RULES.sha_length])}"
    )
    title = pairs_headline({str(verdict): number for verdict, number in counted})
    lines = [f"## {title}", "", counts, "", f"{sides}, measured in alternation: {context.text}."]
    lines += [f"\n{markdown_text(shortened(line, _NOTE))}" for line in _control(control)[: RULES.comment_rows]]
    changed = [c for c in comparisons if c.verdict is not PairVerdict.UNCHANGED]
    unchanged = [c for c in comparisons if c.verdict is PairVerdict.UNCHANGED]
    room = LIMIT - _FRAME - len("\n".join(lines).encode())
    rows, room = _rows(changed, room)
    folded, _ = _rows(unchanged, room)
    lines += ["", *rows] if changed else []
    lines += (
        ["", f"<details><summary>Unchanged ({len(unchanged):,})</summary>", "", *folded, "", "</details>"]
        if unchanged
        else []
    )
    return "\n".join([*lines, ""])


def _rows(comparisons: Iterable[PairComparison], room: int) -> tuple[list[str], int]:
    """Return a table of as many rows as there is room for, with a line for those left out, and the room that is left."""
    lines, left = ["| verdict | benchmark | base | head | change | rounds | note |", "|:--|:--|--:|--:|--:|--:|:--|"], 0
    for c in comparisons:
        line = _row(c)
        room -= len(line.encode("utf-8", "surrogatepass")) + 1
        if room > 0:
            lines.append(line)
        else:
            left += 1
    return [*lines, *([f"\n{left:,} more left out: a comment holds {LIMIT:,} characters."] if left else [])], max(
        room, 0
    )


def _row(c: PairComparison) -> str:
    units = shortened(c.series.units, 40)
    base, head = (markdown_code(quantity(value, units)) for value in (c.base_value, c.head_value))
    figure = f" ({c.figure})" if c.figure is not Figure.MEDIAN else ""
    name, change = markdown_code(shortened(c.series.label, _NAME)), percent_with_interval(c.effect, c.low, c.high)
    note = markdown_code(shortened(note_of(c), _NOTE)) if note_of(c) else ""
    return f"| {c.verdict} | {name} | {base}{figure} | {head}{figure} | {change} | {c.rounds} | {note} |"
