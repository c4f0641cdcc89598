"""The published files as JSON and as text."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench_db.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from bench_db.model import PublishedFile, UnreadableFile

_MOST_NAMED = 5
# Of more runs than this the text has a summary, and only the JSON has every run.
_MOST_LISTED = 50


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
    """Render a line for each run with its own notes below it, the notes of several runs, the total, and what was not published.

    Of many runs only the total is rendered, and each different note once.
    """
    added = "to add" if dry_run else "new"
    counts = Counter(note for file in files for note in dict.fromkeys(file.notes))
    listed = len(files) <= _MOST_LISTED
    together = Counter({note: count for note, count in counts.items() if count > 1}) if listed else counts
    lines = [line for file in files for line in _lines(file, added, together)] if listed else []
    lines += _notes(files, together)
    if len(files) > 1:
        new, failed, unchanged = (sum(getattr(file, name) for file in files) for name in ("new", "failed", "unchanged"))
        replaced, skipped = sum(file.replaced for file in files), sum(sum(file.skipped.values()) for file in files)
        parts = [f"{new} {added}", *([f"{failed} failed"] if failed else []), f"{unchanged} unchanged"]
        parts += [f"{replaced} replaced"] if replaced else []
        parts += [f"{skipped} skipped"] if skipped else []
        lines.append(f"{len(files)} runs: {', '.join(parts)}")
    if passed_over:
        lines.append(f"passed over, as they show no such format: {named_files(passed_over)}")
    if unreadable:
        lines.append(f"not published: {len(unreadable)} files")
        lines += [f"  {visible(file.error)}" for file in unreadable]
    return "\n".join(lines)


def named_files(names: Sequence[str]) -> str:
    """Render the number of some files, and the names of the first."""
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return f"{len(names)} file{'s' if len(names) > 1 else ''} ({', '.join(map(visible, names[:_MOST_NAMED]))}{more})"


def _notes(files: Sequence[PublishedFile], counts: Counter[str]) -> list[str]:
    """Render each of these notes with the number of its runs, the most frequent first."""
    first = {note: file.path for file in reversed(files) for note in file.notes}
    shown = [
        f"{visible(note)} ({f'{count:,} runs, first ' if count > 1 else ''}{visible(first[note])})"
        for note, count in counts.most_common(_MOST_LISTED)
    ]
    more = len(counts) - len(shown)
    return [*shown, *([f"... and {more:,} more notes, which --output json lists"] if more > 0 else [])]


def _lines(file: PublishedFile, added: str, elsewhere: Container[str]) -> list[str]:
    parts = [f"{file.new} {added}", *([f"{file.failed} failed"] if file.failed else []), f"{file.unchanged} unchanged"]
    parts += [f"{file.replaced} replaced"] if file.replaced else []
    parts += [f"{sum(file.skipped.values())} skipped"] if file.skipped else []
    head = f"{visible('#'.join(part for part in (file.path, file.part) if part))}: {file.format}, {', '.join(parts)}"
    return [head, *(f"  {visible(note)}" for note in file.notes if note not in elsewhere)]
