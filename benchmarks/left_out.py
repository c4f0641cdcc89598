"""F1 of the labelled sets by constants that a search chose without the scored set: `python -m benchmarks.left_out FOLDER [SEED]`.

The search starts at random places of a coarse grid, so that the constants in use, which were chosen on all sets, have no part in it.
From the best of them it changes one constant at a time, in at most two sweeps, to the best value of the grid. The score is the sum of
shortfalls from the targets on the other sets, synthetic series and the situations; a twentieth of the sum of F1 breaks ties.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench_db.analysis.constants import PROFILES, Constants, Profile
from benchmarks import suites
from benchmarks.accuracy import found_by
from benchmarks.labelled import SETS, windows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from benchmarks.suites import Suite

SEED = 1
STARTS = 24
SWEEPS = 2
SEEDS_OF_SITUATIONS = 5
GRID: Mapping[str, Sequence[float]] = {
    "squares_alpha": (0.0001, 0.0003, 0.001, 0.003),
    "fourier_alpha": (0.003, 0.01, 0.03),
    "pairs_alpha": (0.001, 0.003, 0.01),
    "step_weight": (2.0, 3.0, 4.0, 5.0),
    "fourier_penalty": (1.2, 1.5, 2.0, 3.0),
    "pairs_penalty": (1.0, 1.2, 1.5, 2.0),
    "reach": (16, 24, 32, 48),
    "prior": (8.0, 16.0, 32.0),
    "winsor": (2.0, 2.5, 3.0),
    "slope": (1.0, 1.1, 1.3),
    "precedent": (0.5, 0.7, 0.9),
    "candidate": (1.5, 2.0, 2.5),
}
LEAST = {"labels A: f1": 0.84, "labels B: f1": 0.90, "labels C: f1": 0.88, "F1": 0.74}
MOST = {"false alarms per quiet series": 0.10, "  sticky": 0.25, "  drift": 0.25}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Constants that a search chose, by name, without one set; its F1, and those of the other sets and of synthetic series."""

    without: str
    constants: Mapping[str, float]
    figures: Mapping[str, float]


class Search:
    """A search of constants on suites; the figures of tried constants are kept."""

    def __init__(self, folder: Path, seed: int = SEED) -> None:
        """Read the labelled sets of the folder, and draw the starts."""
        self._suites = [windows(folder, name) for name in SETS]
        self._suites.append(suites.offline(seed, per_step=4, unchanged=15))
        self._suites.append(suites.situations(count=SEEDS_OF_SITUATIONS, first=1000 * seed))
        self._rng = np.random.default_rng(seed)
        self._known: dict[tuple[float, ...], dict[str, float]] = {}
        self._starts = [self._drawn() for _ in range(STARTS)]

    @property
    def tried(self) -> int:
        """The number of constants whose figures were computed."""
        return len(self._known)

    def without(self, left_out: Collection[str]) -> Choice:
        """Return the choice without these sets."""
        best = min(self._starts, key=lambda place: shortfall(self.figures(place), left_out))
        for _ in range(SWEEPS):
            before = best
            for number, values in enumerate(GRID.values()):
                places = [(*best[:number], value, *best[number + 1 :]) for value in values]
                best = min([best, *places], key=lambda place: shortfall(self.figures(place), left_out))
            if best == before:
                break
        name = "".join(left_out) or "none"
        return Choice(without=name, constants=dict(zip(GRID, best, strict=True)), figures=self.figures(best))

    def figures(self, place: tuple[float, ...]) -> dict[str, float]:
        """Return the figures of the constants at a place of the grid."""
        if place not in self._known:
            constants = _constants(place)
            columns = [_scored(suite, constants) for suite in self._suites]
            self._known[place] = {name: value for column in columns for name, value in column.items()}
        return self._known[place]

    def _drawn(self) -> tuple[float, ...]:
        return tuple(values[int(self._rng.integers(len(values)))] for values in GRID.values())


def shortfall(of: Mapping[str, float], left_out: Collection[str]) -> float:
    """Return the sum of shortfalls from the targets by figures, without those of the sets left out; less is better."""
    least = {
        name: least for name, least in LEAST.items() if name.partition(":")[0].removeprefix("labels ") not in left_out
    }
    short = sum(max(0.0, value - of[name]) for name, value in least.items())
    short += sum(max(0.0, of[name] - value) for name, value in MOST.items())
    return short + _missed(of) - sum(of[name] for name in least) / 20


def _missed(of: Mapping[str, float]) -> float:
    """Return the share of missed and of other changes in the situations, as a mean over them, beyond 5 %."""
    names = [name for name in of if f"{name}: others" in of]
    planted = {name: 5 if name.startswith("staircase") else SEEDS_OF_SITUATIONS for name in names}
    shares = [(planted[name] - of[name] + of[f"{name}: others"]) / planted[name] for name in names]
    return max(0.0, float(np.mean(shares)) - 0.05) if shares else 0.0


def _constants(place: tuple[float, ...]) -> Constants:
    chosen: dict[str, Any] = dict(zip(GRID, place, strict=True))
    return PROFILES[Profile.DEFAULT]._replace(**chosen)


def _scored(suite: Suite, constants: Constants) -> dict[str, float]:
    return suite.score(found_by(suite.series, constants))


def table(folder: Path, seed: int = SEED) -> Iterator[str]:
    """Yield the table of choices as lines of Markdown; the F1 of the set that was left out is bold."""
    search = Search(folder, seed)
    yield f"| chosen without | A | B | C | synthetic | false alarms per quiet series | {' | '.join(GRID)} |"
    yield "|---|" + "---|" * (5 + len(GRID))
    for left_out in ("", *SETS):
        choice = search.without(left_out)
        of = choice.figures
        labels = [f"{of[f'labels {name}: f1']:.3f}" for name in SETS]
        labels = [f"**{one}**" if name == left_out else one for name, one in zip(SETS, labels, strict=True)]
        others = f"{of['F1']:.3f} | {of['false alarms per quiet series']:.3f}"
        yield f"| {choice.without} | {' | '.join(labels)} | {others} | {' | '.join(f'{x:g}' for x in choice.constants.values())} |"
    yield f"\n{search.tried} constants were tried, seed {seed}."


if __name__ == "__main__":
    for line in table(Path(sys.argv[1]), *map(int, sys.argv[2:3])):
        print(line, flush=True)
