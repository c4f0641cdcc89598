"""The build in a checkout, as its manifest and its git history name it."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench_db.identity import ABBREVIATED_SHA

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A checkout. A field is null or empty where neither git nor a manifest has it; `timestamp` is the commit's, in unix seconds."""

    name: str | None = None
    version: str | None = None
    commit: str | None = None
    branch: str | None = None
    timestamp: int | None = None


def build_of(checkout: Path) -> Build:
    """Return the build of a checkout. `version` is `{manifest version}+{short commit}`, or the part of it that is known."""
    name, number = _manifest(checkout)
    commit = _git(checkout, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    head = _git(checkout, "symbolic-ref", "--quiet", "HEAD")  # --short adds heads/ where a tag has the same name
    time = _git(checkout, "log", "-1", "--format=%ct", commit, "--") if commit else None
    return Build(
        name=name,
        version="+".join(part for part in (number, commit[:ABBREVIATED_SHA] if commit else None) if part) or None,
        commit=commit,
        branch=head.removeprefix("refs/heads/") if head else None,
        timestamp=int(time) if time and time.isdecimal() else None,
    )


def checkout_around(path: Path) -> Path | None:
    """Return the git checkout that contains a file or directory, None when there is none."""
    place = path.resolve()
    for directory in (place, *place.parents):
        if (directory / ".git").exists():
            return directory
    return None


def _git(checkout: Path, *arguments: str) -> str | None:
    """Return what git prints, None when it fails, prints nothing or is not installed. No shell, hook or pager of the user runs."""
    command = ["git", "-C", str(checkout), "--no-pager", "-c", "core.fsmonitor=false", *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_PATIENCE_SECONDS, check=True)  # noqa: S603 no shell
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode("utf-8", "replace").strip() or None


def _manifest(checkout: Path) -> tuple[str | None, str | None]:
    """Return name and version of Cargo.toml, else of pyproject.toml."""
    for file, tables in _TABLES.items():
        document = _toml(checkout / file)
        found = [_table(document, path) for path in tables]
        name, number = _first(found, "name"), _first(found, "version")
        if name or number:
            return name, number
    return None, None


_TABLES = {
    "Cargo.toml": (("package",), ("workspace", "package")),
    "pyproject.toml": (("project",), ("tool", "poetry")),
}


def _first(tables: list[dict[str, object]], key: str) -> str | None:
    return next((value for table in tables if isinstance(value := table.get(key), str)), None)


def _table(document: dict[str, object], path: tuple[str, ...]) -> dict[str, object]:
    for key in path:
        inner = document.get(key)
        document = inner if isinstance(inner, dict) else {}
    return document


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):  # a checkout may contain anything; the commit is still known
        return {}
