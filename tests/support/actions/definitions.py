"""The workflows and actions of a repository, and all their steps that run a script."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
WORKFLOWS, ACTIONS = ".github/workflows", ".github/actions"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class StepId:
    """The identity of a step: file, job (`runs` in an action), number from 0, name."""

    file: str
    job: str
    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}: {self.job}: {self.name}"


def definition(root: Path, file: str) -> dict[str, Any]:
    """Return a workflow or an action; YAML reads the key `on` as true."""
    found: dict[Any, Any] = msgspec.yaml.decode((root / file).read_bytes())
    return {"on" if key is True else key: value for key, value in found.items()}


def files(root: Path = ROOT) -> list[str]:
    """Return every workflow and every action of a repository."""
    found = [*(root / WORKFLOWS).glob("*.yml"), *(root / ACTIONS).glob("*/action.yml")]
    return sorted(str(path.relative_to(root)) for path in found)


def jobs_of(file: str, whole: dict[str, Any]) -> dict[str, Any]:
    """Return the jobs of a workflow that have steps; an action counts as one."""
    jobs = {"runs": whole["runs"]} if file.startswith(ACTIONS) else whole["jobs"]
    return {name: job for name, job in jobs.items() if "steps" in job}


def steps(root: Path = ROOT) -> Iterator[tuple[StepId, dict[str, Any]]]:
    """Yield every step of every file."""
    for file in files(root):
        for job, spec in jobs_of(file, definition(root, file)).items():
            for number, step in enumerate(spec["steps"]):
                yield step_id(file, job, number, step), step


def step_id(file: str, job: str, number: int, step: dict[str, Any]) -> StepId:
    """Return the id of a step; without a name GitHub uses its action or command."""
    return StepId(file=file, job=job, number=number, name=step.get("name") or step.get("run") or step["uses"])
