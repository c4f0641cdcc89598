"""A release of this repository, acted out on a machine of GitHub with an index of its own."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.repository.tree import ROOT
from tests.support.actions.runner import Platform, Run
from tests.support.certificates import authority
from tests.support.histories import History
from tests.support.package_index import FakeIndex, package_index
from tests.workflows.world import EXECUTED, OURS

SOURCES = ("pyproject.toml", "requirements.lock", "LICENSE", "README.md", ".github", "packages")


@dataclass(frozen=True, kw_only=True)
class Released:
    """The run of the workflow for a tag, and the index."""

    run: Run
    index: FakeIndex


def release(directory: Path, tag: str) -> Released:
    """Push a tag of this repository, with the sources of the working directory."""
    history = History(directory / "bench_db")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *SOURCES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # uv.lock is not committed; with it uv needs no network to list the packages
    for name in (*listed.stdout.splitlines(), "uv.lock"):
        (history.path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, history.path / name)
    history.commit("release")
    trusted = authority(directory)
    others = Path(ssl.get_default_verify_paths().cafile or "")  # those of the index with the tools of the build
    (directory / "authorities.pem").write_bytes(
        trusted.file.read_bytes() + (others.read_bytes() if others.is_file() else b"")
    )
    cache = (
        os.environ.get("UV_CACHE_DIR")
        or subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    )
    with package_index(trusted.server()) as index:
        platform = Platform(
            directory=directory / "runs",
            repository=OURS,
            repositories={OURS: history.path},
            variables={"UV_CACHE_DIR": cache, "SSL_CERT_FILE": str(directory / "authorities.pem"), **index.variables},
            executed=EXECUTED,
        )
        run = platform.run("release", event="push", payload={"ref": f"refs/tags/{tag}"})
    return Released(run=run, index=index)


def version() -> str:
    """Return the version of the package."""
    return str(tomllib.loads((ROOT / "packages/bench_db/pyproject.toml").read_text("utf-8"))["project"]["version"])
