"""Links between the pages, as they are read in the repository; `just docs-site --check` checks those of the built site."""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import normpath

import pytest

from tests.repository import tree

PAGES = [path for path in tree.paths() if path.suffix == ".md" and (path.parts[0] == "docs" or len(path.parts) == 1)]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
# where the sections of the former single page are now; releases before 0.2 and other repositories link to them
FORMER = Path("docs/how-to.md")


def slug(heading: str) -> str:
    """Return the id of a heading, by the rule of GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """Return the ids of the headings of a page, and those written in HTML."""
    text = tree.text(page)
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {slug(heading) for heading in headings} | set(re.findall(r'<a id="([\w-]+)"', text))


def wrong(page: Path) -> list[str]:
    """Return the links of a page that lead to no file or to no section."""
    found = []
    for target, anchor in LINK.findall(INLINE.sub("", FENCED.sub("", tree.text(page)))):
        path = Path(normpath(page.parent / target)) if target else page
        if not (tree.ROOT / path).exists() or (anchor and anchor not in anchors(path)):
            found.append(f"{page}: {target}#{anchor}")
    return found


class TestLinks:
    """Every link leads to a file of the repository, and to a section that it has."""

    @pytest.mark.parametrize("page", PAGES, ids=str)
    def test_every_link(self, page: Path) -> None:
        assert wrong(page) == []

    def test_a_wrong_link_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        page = Path("docs/sql.md")
        text = (
            "[a](how-to.md#gate-changes-in-ci) [b](nowhere.md) [c](json.md#nowhere) `[d](no.md)`\n\n# One\n\n[e](#one)"
        )
        monkeypatch.setattr(tree, "text", lambda path: text if path == page else (tree.ROOT / path).read_text("utf-8"))
        assert wrong(page) == [f"{page}: nowhere.md#", f"{page}: json.md#nowhere"]

    def test_every_section_of_the_former_page_has_its_anchor(self) -> None:
        sections = re.findall(r'<a id="([\w-]+)"></a>\[.*?\]\((.*?)#([\w-]+)\)', tree.text(FORMER))
        pages = [path for path in PAGES if path.parent == FORMER.parent / "how-to"]
        listed = {(FORMER.parent / page, anchor) for _, page, anchor in sections}
        assert len(sections) > 25
        assert {id_ for id_, _, anchor in sections if id_ != anchor} == set()
        assert {page for page, _ in listed} >= set(pages)

    def test_the_list_has_every_section_in_its_order(self) -> None:
        listed = [
            (FORMER.parent / page, anchor)
            for page, anchor in re.findall(r"^\* .*\]\((.*?)#([\w-]+)\)$", tree.text(FORMER), re.MULTILINE)
        ]
        for page in (path for path in PAGES if path.parent == FORMER.parent / "how-to"):
            headings = re.findall(r"^## (.+)$", FENCED.sub("", tree.text(page)), re.MULTILINE)
            assert [anchor for path, anchor in listed if path == page] == [slug(heading) for heading in headings]
