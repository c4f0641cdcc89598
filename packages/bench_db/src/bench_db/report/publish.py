"""The published files as JSON and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench_db.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import PublishedFile


def as_json(files: Sequence[PublishedFile]) -> dict[str, Any]:
    """Return the files and their totals."""
    return {
        "published": [{**asdict(file), "skipped": dict(file.skipped)} for file in files],
        "new": sum(file.new for file in files),
        "unchanged": sum(file.unchanged for file in files),
    }


def as_text(files: Sequence[PublishedFile], *, dry_run: bool = False) -> str:
    """Render a line for each run with its notes below it, and the total."""
    added = "to add" if dry_run else "new"
    lines = [line for file in files for line in _lines(file, added)]
    total = f"{len(files)} runs: {sum(o.new for o in files)} {added}, {sum(o.unchanged for o in files)} unchanged"
    return "\n".join([*lines, total] if len(files) > 1 else lines)


def _lines(file: PublishedFile, added: str) -> list[str]:
    parts = [f"{file.new} {added}", f"{file.unchanged} unchanged"]
    parts += [f"{file.replaced} replaced"] if file.replaced else []
    parts += [f"{sum(file.skipped.values())} skipped"] if file.skipped else []
    head = f"{visible('#'.join(part for part in (file.path, file.part) if part))}: {file.format}, {', '.join(parts)}"
    return [head, *(f"  {visible(note)}" for note in file.notes)]
