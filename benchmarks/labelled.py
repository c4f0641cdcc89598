"""Suites of real series with labels from people. The files are not part of this repository; an option names their folder."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.suites import MARGIN, Found, Suite, hits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LABELS, SCORER, TURING = "labels_A.json", "score.py", "tcpd_univariate.json"


def labelled(folder: Path) -> dict[str, Suite]:
    """Return the suites whose files are in the folder."""
    every = {"labels A": (windows, (LABELS, SCORER)), "TCPD": (turing, (TURING,))}
    return {
        name: make(folder) for name, (make, files) in every.items() if all((folder / file).is_file() for file in files)
    }


def windows(folder: Path) -> Suite:
    """Return the suite of windows of CI series, scored by the scorer in the same folder."""
    held = json.loads((folder / LABELS).read_text("utf-8"))
    scorer = _module(folder / SCORER)

    def score(found: Found) -> dict[str, float]:
        answers = iter(found)
        scored = scorer.labelled(lambda _: next(answers), folder / LABELS, MARGIN)
        return {f"labels A: {name}": float(scored[name]) for name in ("f1", "precision", "recall")}

    planted = sum(len(window["change_points"]) for window in held)
    size = f"{len(held)} windows of real CI series with {planted} labelled changes"
    return Suite(size=size, series=[np.array(window["values"], float) for window in held], score=score)


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
