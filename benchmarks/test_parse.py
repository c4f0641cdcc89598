"""Parsing a large file, in fresh processes."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import pytest

from benchmarks.fresh import in_fresh_process
from benchmarks.parsers import WARM_UP, WAYS
from benchmarks.records import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.side_by_side import SideBySide


@pytest.fixture(scope="session")
def large_file(cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / "pytest-benchmark-50.json"
    if not file.exists():
        write_file(cache / WARM_UP, megabytes=1)
        unfinished = file.with_suffix(".unfinished")
        write_file(unfinished, megabytes=50)
        unfinished.rename(file)
    return file


def test_parse(side_by_side: SideBySide, large_file: Path) -> None:
    works = {kind: partial(in_fresh_process, "parse", kind, str(large_file)) for kind in WAYS}
    spent = side_by_side.contest(works, rounds=5)
    megabytes = large_file.stat().st_size / 1e6
    speed = {kind: megabytes / median(s.milliseconds for s in known) * 1e3 for kind, known in spent.items()}
    side_by_side.read_all("parse", speed)
    side_by_side.read_all("parse-memory", {k: median(s.peak - s.start for s in known) for k, known in spent.items()})
