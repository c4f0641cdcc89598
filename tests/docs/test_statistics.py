from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.repository import tree

# Sections that describe no method: a list of the thresholds.
OTHERS = {"Thresholds"}
TITLE, *PARTS = re.split(r"^#{2,} ", tree.text(Path("docs/statistics.md")), flags=re.MULTILINE)
SECTIONS = {heading: text.strip() for heading, _, text in (part.partition("\n") for part in PARTS)}


class TestSections:
    """Every section that describes a method ends with its known limits, in the same form."""

    def test_form(self) -> None:
        assert (
            "known limit"
            not in re.sub(r"^\*\*Known limits\.\*\* ", "", "\n\n".join(SECTIONS.values()), flags=re.MULTILINE).lower()
        )

    @pytest.mark.parametrize("heading", [heading for heading in SECTIONS if heading not in OTHERS])
    def test_limits(self, heading: str) -> None:
        *_, last = SECTIONS[heading].split("\n\n")
        form = re.fullmatch(r"\*\*Known limits\.\*\* (?P<limits>[A-Z][^*]+\.)", last)
        assert form, f"the section ends with {last[:60]!r}"
        assert len(form["limits"]) > 60

    def test_others_are_sections(self) -> None:
        assert SECTIONS.keys() > OTHERS
