"""Suites of real series with labels from people. The files are not part of this repository; an option names their folder."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.suites import MARGIN, Found, Suite, hits
from benchmarks.synthetic import places

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SETS, SCORER, TURING = ("A", "B", "C"), "score.py", "tcpd_univariate.json"
RUNNERS, LEAST_POINTS, PLANTED = "gha_series.json", 100, (0.05, 0.1, 0.2)


def labelled(folder: Path) -> dict[str, Suite]:
    """Return the suites whose files are in the folder."""
    found = {}
    if (folder / SCORER).is_file():
        found = {f"labels {name}": windows(folder, name) for name in SETS if labels(folder, name).is_file()}
    return found | ({"TCPD": turing(folder)} if (folder / TURING).is_file() else {})


def labels(folder: Path, name: str) -> Path:
    """Return the file of a set."""
    return folder / f"labels_{name}.json"


def windows(folder: Path, name: str) -> Suite:
    """Return the suite of one set of windows of CI series, scored by the scorer in the same folder."""
    held = json.loads(labels(folder, name).read_text("utf-8"))
    scorer = _module(folder / SCORER)

    def score(found: Found) -> dict[str, float]:
        answers = iter(found)
        scored = scorer.labelled(lambda _: next(answers), labels(folder, name), MARGIN)
        return {f"labels {name}: {figure}": float(scored[figure]) for figure in ("f1", "precision", "recall")}

    planted = sum(len(window["change_points"]) for window in held)
    size = f"{len(held)} windows of real CI series with {planted} labelled changes"
    return Suite(size=size, series=[np.array(window["values"], float) for window in held], score=score)


def planted(folder: Path, seed: int) -> Suite | None:
    """Return the suite of steps of 5 to 20 % planted in series of shared runners; None where their file is not in the folder.

    One to three steps are planted in the last 200 points of each series of at least 100. Its own changes, which nobody labelled, count as false.
    """
    if not (folder / RUNNERS).is_file():
        return None
    rng, truth, series = np.random.default_rng(seed), [], []
    for one in json.loads((folder / RUNNERS).read_text("utf-8")):
        values = np.array(one["values"], float)[-200:]
        if len(values) >= LEAST_POINTS and np.isfinite(values).all():
            truth.append(places(len(values), rng))
            for at in truth[-1]:
                values[at:] *= (1 + float(rng.choice(PLANTED))) ** float(rng.choice([-1, 1]))
            series.append(values)

    def score(found: Found) -> dict[str, float]:
        right = sum(hits(at, f) for at, f in zip(truth, found, strict=True))
        return {"GHA with planted steps: F1": 2 * right / (sum(map(len, truth)) + sum(map(len, found)))}

    return Suite(size=f"{len(series)} series of shared runners with planted steps", series=series, score=score)


def turing(folder: Path) -> Suite:
    """Return the Turing Change Point Dataset, scored by the mean F1 of van den Burg and Williams 2020."""
    held = json.loads((folder / TURING).read_text("utf-8"))
    annotations = [[set(marks) for marks in series["annotations"].values()] for series in held]

    def score(found: Found) -> dict[str, float]:
        return {"TCPD: F1": float(np.mean([_f1(marks, f) for marks, f in zip(annotations, found, strict=True)]))}

    size = f"{len(held)} series of the Turing Change Point Dataset, none of them a benchmark"
    return Suite(size=size, series=[np.array(series["values"], float) for series in held], score=score)


def _f1(annotations: list[set[int]], found: Iterable[int]) -> float:
    """Return F1 with precision against all annotators together and mean recall; all annotators mark the start as a change."""
    reported, marked = {0, *found}, [{0, *marks} for marks in annotations]
    precision = hits(sorted(set().union(*marked)), sorted(reported)) / len(reported)
    recall = float(np.mean([hits(sorted(marks), sorted(reported)) / len(marks) for marks in marked]))
    return 2 * precision * recall / (precision + recall)


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
