"""The published files as JSON and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench_db.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import PublishedFile, UnreadableFile

_MOST_NAMED = 5


def as_json(
    files: Sequence[PublishedFile], unreadable: Sequence[UnreadableFile] = (), passed_over: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the published files, the other files, and the totals."""
    return {
        "published": [{**asdict(file), "skipped": dict(file.skipped)} for file in files],
        "unreadable": [asdict(file) for file in unreadable],
        "passed_over": list(passed_over),
        "new": sum(file.new for file in files),
        "failed": sum(file.failed for file in files),
        "unchanged": sum(file.unchanged for file in files),
    }


def as_text(
    files: Sequence[PublishedFile],
    unreadable: Sequence[UnreadableFile] = (),
    passed_over: Sequence[str] = (),
    *,
    dry_run: bool = False,
) -> str:
    """Render a line for each run with its notes below it, the total, and the files that were not published."""
    added = "to add" if dry_run else "new"
    lines = [line for file in files for line in _lines(file, added)]
    if len(files) > 1:
        new, failed, unchanged = (sum(getattr(file, name) for file in files) for name in ("new", "failed", "unchanged"))
        parts = [f"{new} {added}", *([f"{failed} failed"] if failed else []), f"{unchanged} unchanged"]
        lines.append(f"{len(files)} runs: {', '.join(parts)}")
    if passed_over:
        shown = ", ".join(map(visible, passed_over[:_MOST_NAMED]))
        more = ", ..." if len(passed_over) > _MOST_NAMED else ""
        lines.append(f"passed over, as they show no such format: {len(passed_over)} files ({shown}{more})")
    if unreadable:
        lines.append(f"not published: {len(unreadable)} files")
        lines += [f"  {visible(file.error)}" for file in unreadable]
    return "\n".join(lines)


def _lines(file: PublishedFile, added: str) -> list[str]:
    parts = [f"{file.new} {added}", *([f"{file.failed} failed"] if file.failed else []), f"{file.unchanged} unchanged"]
    parts += [f"{file.replaced} replaced"] if file.replaced else []
    parts += [f"{sum(file.skipped.values())} skipped"] if file.skipped else []
    head = f"{visible('#'.join(part for part in (file.path, file.part) if part))}: {file.format}, {', '.join(parts)}"
    return [head, *(f"  {visible(note)}" for note in file.notes)]
