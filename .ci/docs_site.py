"""Build the documentation as a site and check it; `just docs-site` writes dist/docs/site, `--check` keeps nothing.

The site has the pages of docs/ and four of the root: README, ARCHITECTURE, CONTRIBUTING and CHANGELOG. Zensical fails on a link to
a page or a section that does not exist. The check of this file finds what it passes over: missing pictures and files, and everything
that a browser would load from another host.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
# pages of the root -> their names in the site
ROOT_PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
}
LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)")
# an element whose attribute is loaded with the page; a link in the text is not
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
}
LOADED_LINKS = {"icon", "manifest", "modulepreload", "preconnect", "prefetch", "preload", "stylesheet"}
STYLE = re.compile(r"(?:url\(|@import\s*)[\"']?((?:https?:)?//[^\"')\s]+)")


def stage(root: Path, out: Path) -> None:
    """Write the configuration and the pages to `out`, with the links of root pages as the site needs them."""
    shutil.copy(root / "mkdocs.yml", out)
    shutil.copytree(root / "docs", out / "docs")
    sources = {
        f"docs/{p.relative_to(root / 'docs').as_posix()}" for p in (root / "docs").rglob("*.md")
    } | ROOT_PAGES.keys()
    for source in sorted(sources):
        text = (root / source).read_text("utf-8")
        (out / "docs" / _staged(source)).write_text(_with_links(text, source), "utf-8")


def _staged(source: str) -> str:
    """Return the path below docs/ of a file of the repository."""
    return ROOT_PAGES.get(source) or relpath(source, "docs")


def _with_links(text: str, source: str) -> str:
    def moved(link: re.Match[str]) -> str:
        target = normpath(f"{dirname(source)}/{link[2]}".lstrip("/"))
        return link[1] + relpath(_staged(target), dirname(_staged(source)) or ".")

    return LINK.sub(moved, text)


def build(out: Path) -> None:
    """Build the staged pages into `out`/site; exit if Zensical reports an issue."""
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=out, check=False, capture_output=True, text=True)
    if done.returncode:
        issues = done.stdout + done.stderr.partition("Traceback")[0]
        sys.exit(
            f"{issues}\nthe documentation has wrong links: correct the pages above, then run `just docs-site --check`"
        )


class _Page(HTMLParser):
    """Ids of a page, its links, the addresses that a browser loads with it, and the lists that became a paragraph."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.lists: list[str] = []
        self._paragraph = ""
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self._paragraph += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self.lists += re.findall(r"^[*-] .*", self._paragraph, re.MULTILINE)[:1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._paragraph = "" if tag == "p" else self._paragraph
        named = {name: value or "" for name, value in attrs}
        self.ids |= {named[name] for name in ("id", "name") if name in named}
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        if tag == "link" and LOADED_LINKS & set(named.get("rel", "").split()):
            self.loaded.append(named.get("href", ""))
        if LOADED.get(tag) in named:
            self.loaded.append(named[LOADED[tag]])
        self.loaded += STYLE.findall(named.get("style", ""))


def problems(site: Path) -> list[str]:
    """Return what is wrong in a built site: foreign files that a page loads, links to no file or section, lists without a line before."""
    pages = {path: _Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    styles = [(path, address) for path in site.rglob("*.css") for address in STYLE.findall(path.read_text("utf-8"))]
    foreign = [
        *((path, address) for path, page in pages.items() for address in page.loaded if _foreign(address)),
        *styles,
    ]
    return [
        *(f"{path.relative_to(site)}: loads {address} from another host" for path, address in foreign),
        *(f"{path.relative_to(site)}: {address}: no such {what}" for path, address, what in _broken(site, pages)),
        *(
            f"{path.relative_to(site)}: {item}: a list needs an empty line before it"
            for path, page in pages.items()
            for item in page.lists
        ),
    ]


def _foreign(address: str) -> bool:
    return bool(urlsplit(address).netloc)


def _broken(site: Path, pages: dict[Path, _Page]) -> Iterator[tuple[Path, str, str]]:
    for path, page in pages.items():
        for address in [*page.links, *page.loaded]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue  # the address of page 404 is not known
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_relative_to(site.resolve()) or not target.is_file():
                yield path, address, "file"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids | {"__top"}:
                yield path, address, "section"


def main() -> None:
    """Build and check the site; with `--check` in a temporary directory."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory).resolve()
        stage(ROOT, out)
        build(out)
        if found := problems(out / "site"):
            sys.exit("\n".join(found))
        pages = len(list((out / "site").rglob("*.html")))
        if "--check" not in sys.argv[1:]:
            target = ROOT / "dist" / "docs"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(out / "site", target)
            print(f"{pages} pages: open {(target / 'index.html').relative_to(ROOT)}")
        else:
            print(f"{pages} pages, no wrong link, nothing of another host")


if __name__ == "__main__":
    main()
