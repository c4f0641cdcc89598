from __future__ import annotations

import re
from pathlib import Path

from tests.repository import tree

FOLDER = Path("docs/adr")
RECORDS = [path for path in tree.paths() if path.parent == FOLDER and path.name != "README.md"]


class TestRecords:
    """Every decision has its own number, a status, three parts, and a row of the index."""

    def test_numbers(self) -> None:
        assert [path.name[:4] for path in RECORDS] == [f"{n:04}" for n in range(1, len(RECORDS) + 1)]

    def test_parts(self) -> None:
        for path in RECORDS:
            text = tree.text(path)
            assert text.startswith(f"# {int(path.name[:4])}. "), path
            parts = re.findall(r"^(?:Status: |\*\*(?:Context|Decision|Consequences)\.\*\*)", text, re.MULTILINE)
            assert parts == ["Status: ", "**Context.**", "**Decision.**", "**Consequences.**"], path
            assert len(text.splitlines()) <= 40, path

    def test_index(self) -> None:
        listed = re.findall(r"^\| \[(\d+)\]\(([\w-]+\.md)\)", tree.text(FOLDER / "README.md"), re.MULTILINE)
        assert listed == [(str(int(path.name[:4])), path.name) for path in RECORDS]
