"""A tag is built, attested and published, without a token of a user."""

from __future__ import annotations

import tomllib
import zipfile
from email import message_from_string
from typing import TYPE_CHECKING

import pytest

from tests.repository.tree import ROOT
from tests.workflows.releases import Released, release, version
from tests.workflows.world import OURS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def names() -> list[str]:
    return [f"bench_db-{version()}-py3-none-any.whl", f"bench_db-{version()}.tar.gz"]


def test_published_by_trust(released: Released) -> None:
    assert released.run.conclusion == "success", released.run.logs
    assert sorted(released.index.files) == names()
    assert released.index.refused == []


def test_the_package_says_where_it_comes_from(released: Released) -> None:
    """The addresses are those of the repository that the release is built in; the committed file has none."""
    (wheel,) = (released.run.artifacts / "distributions").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        about = message_from_string(archive.read(name).decode())
    stated = dict(text.split(", ", 1) for text in about.get_all("Project-URL", []))
    assert set(stated) == {"Source", "Issues", "Changelog", "Documentation"}
    assert stated["Source"].endswith(f"/{OURS}")
    assert all(address.startswith(stated["Source"]) for address in stated.values())
    assert "urls" not in tomllib.loads((ROOT / "packages/bench_db/pyproject.toml").read_text("utf-8"))["project"]


def test_attested(released: Released) -> None:
    """The distributions have the attestation of their build, and of the packages that they install."""
    text = (released.run.artifacts / "attested.txt").read_text("utf-8")
    assert text.splitlines() == [" ".join(names()), " ".join([*names(), "bench_db.cdx.json"])]
    listed = (released.run.artifacts / "distributions/bench_db.cdx.json").read_text("utf-8")
    assert '"CycloneDX"' in listed
    assert '"pyarrow"' in listed
    assert '"moto"' not in listed  # a package of development


def test_a_tag_of_another_version(tmp_path: Path) -> None:
    done = release(tmp_path, "v99.0.0")
    assert done.run.results == {"build": "failure", "attest": "skipped", "publish": "skipped"}
    assert "::error::the tag is of 99.0.0" in str(done.run.logs)
    assert done.index.files == []
