"""Changes of spread and of the share of modes on synthetic series: false alarms in quiet series, and the share found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench_db.analysis.detect import detect_all
from bench_db.analysis.shapes import apart, shapes_of, significant
from bench_db.rules import RULES
from benchmarks.synthetic import NOISE, SCALE, history

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.synthetic import Array

LENGTHS = (60, 200)
NEAR = 10  # points
PLACES = (0.3, 0.5, 0.75)
SPREADS = (2.0, 3.0, 4.0)  # times the noise of 1 %
SLOW, SHARES = 0.1, (0.35, 0.6)  # how much slower the slow mode is, and its share after 10 %


def quiet(n: int, rng: np.random.Generator, count: int) -> dict[str, list[Array]]:
    """Return series without such a change by kind: the noise of CI machines, coarse clocks with and without drift, a step of the level."""
    made = {kind: [history(kind, n, 0.0, (), rng).values for _ in range(count)] for kind in NOISE}
    for tick in (0.5, 1.0, 2.0):
        for drift in (0.0, 3.0):
            level = 1000.0 * (1 + SCALE * drift * np.linspace(0, 1, n))
            unit = 1000.0 * SCALE * tick
            several = [np.round(level * np.exp(rng.normal(0, SCALE, n)) / unit) * unit for _ in range(count)]
            made[f"clock of {tick:g} standard deviations, drift {drift:g}"] = several
    made["step"] = [history("independent", n, 0.1, (n // 2,), rng).values for _ in range(count)]
    return made


def changed(n: int, rng: np.random.Generator, count: int) -> dict[str, list[tuple[Array, int]]]:
    """Return series by kind, with the point at which their spread, or their share of slow runs, changes; half of them change back to less."""
    made: dict[str, list[tuple[Array, int]]] = {"spread": [], "modes": []}
    for at in (int(n * place) for place in PLACES):
        for number in range(count):
            after = np.arange(n) >= at if number % 2 else np.arange(n) < at
            for ratio in SPREADS:
                noise = rng.normal(0, 0.01 * np.where(after, ratio, 1.0), n)
                made["spread"].append((100 * np.exp(noise), at))
            for share in SHARES:
                slow = rng.random(n) < np.where(after, share, 0.1)
                made["modes"].append((100 * np.exp(rng.normal(0, 0.01, n)) * (1 + SLOW * slow), at))
    return made


def shown(series: Sequence[Array], *, beside_levels: bool) -> list[list[int]]:
    """Return where each series has a change of spread or modes; `detect` leaves out those beside a change of level."""
    values, offsets = np.concatenate(series), np.cumsum([0, *map(len, series)], dtype=np.int64)
    changes = detect_all(values, offsets)
    shapes = shapes_of(values, offsets, changes)
    levels = [] if beside_levels else list(zip(changes.series.tolist(), changes.index.tolist(), strict=True))
    found: list[list[int]] = [[] for _ in series]
    for number, one in apart(shapes, significant(shapes, RULES.significance), levels):
        found[number].append(one.index)
    return found


def figures(seed: int, *, count: int = 30) -> dict[str, float]:
    """Return the shares of quiet series with a change, and the shares of changes found within 10 points."""
    rng, of = np.random.default_rng(seed), dict[str, float]()
    alarms: dict[str, list[bool]] = {}
    for n in LENGTHS:
        for kind, series in quiet(n, rng, count).items():
            alarms.setdefault(kind, []).extend(bool(one) for one in shown(series, beside_levels=False))
        for kind, pairs in changed(n, rng, count).items():
            found = shown([values for values, _ in pairs], beside_levels=True)
            hit = [any(abs(index - at) <= NEAR for index in one) for one, (_, at) in zip(found, pairs, strict=True)]
            of[f"{kind}, {n} points: found"] = float(np.mean(hit))
    of["spread and modes: alarms, all quiet"] = float(np.mean([one for several in alarms.values() for one in several]))
    of["spread and modes: alarms, worst kind"] = max(float(np.mean(several)) for several in alarms.values())
    return of
