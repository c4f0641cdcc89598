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

SETS, SCORER, TURING = ("A", "B", "C"), "score.py", "tcpd_univariate.json"


def labelled(folder: Path) -> dict[str, Suite]:
    """Return the suites whose files are in the folder."""
    found = {}
    if (folder / SCORER).is_file():
        found = {f"labels {name}": windows(folder, name) for name in SETS if _labels(folder, name).is_file()}
    return found | ({"TCPD": turing(folder)} if (folder / TURING).is_file() else {})


def _labels(folder: Path, name: str) -> Path:
    return folder / f"labels_{name}.json"


def windows(folder: Path, name: str) -> Suite:
    """Return the suite of one set of windows of CI series, scored by the scorer in the same folder."""
    held = json.loads(_labels(folder, name).read_text("utf-8"))
    scorer = _module(folder / SCORER)

    def score(found: Found) -> dict[str, float]:
        answers = iter(found)
        scored = scorer.labelled(lambda _: next(answers), _labels(folder, name), MARGIN)
        return {f"labels {name}: {figure}": float(scored[figure]) for figure in ("f1", "precision", "recall")}

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
