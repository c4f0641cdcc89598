"""A repository and its benchmark files as CI leaves them: commits at chosen times, and a pytest-benchmark file of each run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

from tests.support.histories import FIRST, History

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600


class Repository(History):
    """A git history whose package is called proj, with benchmark files beside it that git ignores."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        (path / "pyproject.toml").write_text('[project]\nname = "proj"\nversion = "1.0"\n')
        (path / ".gitignore").write_text(".bench/\n")
        (path / ".bench").mkdir()

    def commit_at(self, time: int, subject: str = "change") -> str:
        """Create a commit with this committer and author time in unix seconds, and return its sha."""
        self.count += 1
        (self.path / "f").write_text(f"{self.count}\n")
        self.git("add", "--all")
        date = f"{time} +0000"
        self.git("commit", "--quiet", "-m", subject, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
        return self.git("rev-parse", "HEAD")

    def measured(
        self, mean: float, *, at: int, names: tuple[str, ...] = ("test_q",), cpu: str = "Imaginary 9000"
    ) -> Path:
        """Write the file of a run in the checkout, whose times (in seconds) are around `mean`."""
        path = self.path / ".bench" / f"r{len(list((self.path / '.bench').iterdir()))}.json"
        path.write_text(json.dumps(benchmark_file(mean, at=at, names=names, seed=path.name, cpu=cpu)))
        return path


def benchmark_file(
    mean: float,
    *,
    at: int,
    names: tuple[str, ...] = ("test_q",),
    seed: str = "",
    cpu: str = "Imaginary 9000",
    spread: float = 0.01,
) -> dict[str, object]:
    """Return the document of a pytest-benchmark run without commit information."""
    random = Random(f"{seed}/{mean}")
    benchmarks = []
    for name in names:
        data = sorted(mean * (1 + random.gauss(0, spread)) for _ in range(12))
        stats = {
            "min": data[0],
            "max": data[-1],
            "mean": sum(data) / len(data),
            "stddev": spread * mean,
            "rounds": len(data),
            "iterations": 1,
            "median": data[6],
            "q1": data[3],
            "q3": data[9],
            "iqr": data[9] - data[3],
            "ops": 1 / mean,
            "total": sum(data),
            "outliers": "0;0",
            "data": data,
        }
        benchmarks.append(
            {"name": name, "fullname": f"tests/test_q.py::{name}", "params": None, "extra_info": {}, "stats": stats}
        )
    machine = {"node": "bench-7", "machine": "x86_64", "system": "Linux", "release": "6.1.0", "cpu": {"brand_raw": cpu}}
    return {
        "machine_info": machine,
        "commit_info": {},
        "benchmarks": benchmarks,
        "datetime": datetime.fromtimestamp(at, UTC).isoformat(),
        "version": "5.1.0",
    }


BEGIN = FIRST
