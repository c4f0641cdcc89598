"""The HTML pages and what they load; every text goes through the templates' escaping."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench_db.report.quantity import percent, share
from bench_db.report.rows import when
from bench_db.report.scans import NO_SCAN, scan_words
from bench_db.report.site.manifest import digest
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench_db.report.site.contract import SiteMetadata

# page -> the scripts it loads beside those of every page
PAGES = {
    "index.html": ("overview.js",),
    "series.html": ("grid.js", "index.js", "series.js"),
    "noise.html": ("grid.js", "index.js", "noise.js"),
    "benchmark.html": (
        *(
            "uplot.min.js",
            "strip.js",
            "family.js",
            "plot.js",
            "chart.js",
            "pulls.js",
            "lines.js",
            "scaling.js",
            "benchmark.js",
        ),
    ),
    "compare.html": ("grid.js", "compare.js"),
    "frontier.html": ("uplot.min.js", "grid.js", "plot.js", "lines.js", "frontier.js"),
    "availability.html": ("availability.js",),
    "progress.html": ("uplot.min.js", "plot.js", "lines.js", "progress.js"),
    "commits.html": (),
    "commit.html": ("commit.js",),
    "moved.html": (),
    "stores.html": (),
}
_MENU = {
    "index.html": "Findings",
    "series.html": "Series",
    "commits.html": "Commits",
    "compare.html": "Compare",
    "frontier.html": "Frontier",
    "availability.html": "Availability",
    "progress.html": "Progress",
    "noise.html": "Noise",
}
_EVERYWHERE = ("bench.js", "quantity.js", "data.js", "draw.js")
_LICENCE = "uplot.LICENSE.txt"


def named(folder: str, name: str, content: bytes) -> str:
    """Return a path that changes with its content, so that no cache answers with older content."""
    stem, _, suffix = name.rpartition(".")
    return f"{folder}/{stem}-{digest(content)[: RULES.digest_length]}.{suffix}"


@cache
def assets() -> Mapping[str, tuple[str, bytes]]:
    """Return path and bytes of every style, script and picture of the package, by name."""
    found = sorted((entry.name, entry.read_bytes()) for entry in files(__package__).joinpath("assets").iterdir())
    return {name: (f"assets/{name}" if name == _LICENCE else named("assets", name, body), body) for name, body in found}


@cache
def _templates() -> Environment:
    # a template that names what it is not given is a fault here and not an empty place in a page
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": when,
        "percent": percent,
        "relative": share,
        "scan": scan_words,
        "capitalised": lambda text: text[:1].upper() + text[1:],
    }
    environment.globals["no_scan"] = NO_SCAN
    # no line break between a number and its sign
    environment.globals |= {
        "rules": {name: text.replace(" ", "\N{NO-BREAK SPACE}") for name, text in RULES.texts().items()}
    }
    return environment


def menu(
    *, with_frontier: bool, with_availability: bool, with_progress: bool, with_noise: bool
) -> Sequence[tuple[str, str]]:
    """Return the path and the name of each page that the head of a page links to."""
    optional = {
        "frontier.html": with_frontier,
        "availability.html": with_availability,
        "progress.html": with_progress,
        "noise.html": with_noise,
    }
    absent = {path for path, there in optional.items() if not there}
    return [(path, name) for path, name in _MENU.items() if path not in absent]


def page(name: str, metadata: SiteMetadata, scripts: Mapping[str, str], **facts: object) -> bytes:
    """Render a page by the name of its template. `scripts` are the paths of the data scripts that it loads first, by name."""
    paths = {asset: path for asset, (path, _) in assets().items()}
    # a page's own script reads the data scripts, so they come before it
    loaded = [*map(paths.get, _EVERYWHERE), *scripts.values(), *map(paths.get, PAGES[name])]
    template = _templates().get_template(f"{name}.j2")
    return template.render(metadata=metadata, here=name, asset=paths, loaded=loaded, **facts).encode()
