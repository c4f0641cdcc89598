"""The page that lists the stores of a collection and leads to the site of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench_db.report.site import pages
from bench_db.report.site.contract import SiteMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench_db.report.site.build import File


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRow:
    """A store: the directory of its site, its series, the time of its newest commit (unix seconds, None without one), and its open findings."""

    name: str
    directory: str
    series: int
    newest: int | None
    findings: int


def site(title: str, stores: Sequence[StoreRow]) -> Iterator[File]:
    """Yield path and bytes of every file of the page; the sites that it leads to are not among them."""
    yield from sorted(pages.assets().values())
    yield (
        "index.html",
        pages.page("stores.html", SiteMetadata(store="", version="", generated_at=0, title=title), {}, stores=stores),
    )
