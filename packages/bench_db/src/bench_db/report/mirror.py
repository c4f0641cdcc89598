"""What a mirror changed, or what differs, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db.report.text import table

if TYPE_CHECKING:
    from bench_db.model import JsonObject

_COUNTS = ("rows", "new", "changed", "removed", "same")


def mirror_text(document: JsonObject) -> str:
    """Render the document of a mirror: a head line, the tables, and what was missing or altered."""
    where = f"schema {document['schema']} of {document['target']}"
    if document["checked"]:
        head = f"{where} is equal to the store" if document["equal"] else f"{where} DIFFERS from the store"
    else:
        head = f"{where}: {'nothing to change' if document['equal'] else 'is equal to the store now'}"
    cells = [(name, *(f"{counts[name_of]:,}" for name_of in _COUNTS)) for name, counts in document["tables"].items()]
    faults = [f"{'' if document['checked'] else 'restored: '}{fault}" for fault in document["faults"]]
    advice = ["restore it with 'bench-db mirror --rebuild'"] if document["checked"] and document["faults"] else []
    return "\n".join((head, table(("table", *_COUNTS), cells, _COUNTS), *faults, *advice))
