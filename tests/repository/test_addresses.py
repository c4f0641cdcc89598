from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.repository import tree

# In parts, so that this file contains none of them.
HOSTS = [
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("piwheels", "org"),
    ("anaconda", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("unpkg", "com"),
    ("jsdelivr", "net"),
    ("cdnjs", "cloudflare", "com"),
    ("crates", "io-index"),
    ("index", "crates", "io"),
    ("static", "crates", "io"),
    ("rustup", "rs"),
    ("rust-lang", "org/dist"),
    ("proxy", "golang", "org"),
    ("deb", "debian", "org"),
    ("archive", "ubuntu", "com"),
    ("astral", "sh"),
    ("githubusercontent", "com"),
    ("codeload", "github", "com"),
    ("ghcr", "io"),
    ("docker", "io"),
    ("huggingface", "co"),
]
DOWNLOADS = [
    "/releases/" + "download/",
    "/archive/" + "refs/",
    "--index" + "-url",
    "--extra-index" + "-url",
    "--find" + "-links",
]
ADDRESS = re.compile(
    "|".join([rf"\b(?:{'|'.join(re.escape('.'.join(host)) for host in HOSTS)})\b", *map(re.escape, DOWNLOADS)])
)

# A path that exists only on one machine; a name before the slash makes it part of a longer path.
HOME = re.compile(r"(?<![\w.}-])/(?:home|Users)/(?!\.\.\.)[\w.-]+")
MACHINE = re.compile(r"(?<![\w.}*-])/(?:root|work|opt|srv)/[\w.-]+")
SCRATCH = re.compile(r"(?<![\w.}-])/tmp/[\w.-]+")
REAL_OUTPUT = Path("tests/data")


def found(pattern: re.Pattern[str], path: Path) -> list[str]:
    """Return each match with its position."""
    lines = tree.text(path).splitlines()
    return [f"{path}:{n}: {match[0]}" for n, line in enumerate(lines, 1) for match in pattern.finditer(line)]


class TestAddresses:
    """No committed file contains the address of a package index or of a download."""

    def test_every_file(self) -> None:
        assert [hit for path in tree.paths() for hit in found(ADDRESS, path)] == []

    @pytest.mark.parametrize("host", HOSTS, ids=".".join)
    def test_the_search_finds_each(self, host: tuple[str, ...]) -> None:
        assert ADDRESS.search(f"see https://{'.'.join(host)}/simple")
        assert ADDRESS.search(f'"https://files.{".".join(host)}"')


class TestMachinePaths:
    """No committed file contains a path of the machine on which it was written."""

    def test_every_file(self) -> None:
        assert [hit for path in tree.paths() for hit in found(MACHINE, path)] == []

    def test_home_directories(self) -> None:
        ours = [path for path in tree.paths() if not path.is_relative_to(REAL_OUTPUT)]
        assert [hit for path in ours for hit in found(HOME, path)] == []

    def test_scratch_directories(self) -> None:
        ours = [path for path in tree.paths() if path.parts[0] not in {"tests", "docs"} and path.suffix != ".md"]
        assert [hit for path in ours for hit in found(SCRATCH, path)] == []

    @pytest.mark.parametrize(
        ("pattern", "path"),
        [(MACHINE, ("", "root", "x")), (HOME, ("", "home", "ada", "x")), (SCRATCH, ("", "tmp", "x"))],
    )
    def test_the_search_finds_each(self, pattern: re.Pattern[str], path: tuple[str, ...]) -> None:
        assert pattern.search(f'"{"/".join(path)}"')
        assert not pattern.search(f"target{'/'.join(path)}")
