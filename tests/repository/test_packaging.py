"""The distribution as users install it: the wheel alone, with the core dependencies and no extra."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tests.cli.commands import environment
from tests.repository.tree import ROOT
from tests.support.needs import lacking

if TYPE_CHECKING:
    from email.message import Message

OUTPUT = ROOT / "tests/data/pytest-benchmark"
MOST_MEBIBYTES = 650  # the core with what it needs
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def uv(*arguments: object) -> None:
    """Run uv without a network, or skip where it cannot work so."""
    command = os.environ.get("UV") or shutil.which("uv")
    if command is None:
        lacking("uv is not installed")
    done = subprocess.run(
        [command, *map(str, arguments), "--offline", "--quiet"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution and, from it, the wheel."""
    directory = tmp_path_factory.mktemp("dist")
    uv("build", ROOT / "packages/bench_db", "--out-dir", directory)
    return directory


def wheel_of(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_string(archive.read(name).decode())


def closure(requirements: list[str]) -> set[str]:
    """Return the names of all distributions that some requirements install here, without extras."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        one = waiting.pop()
        if one.name not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found.add(one.name)
            waiting += map(Requirement, metadata.requires(one.name) or ())
    return found


@pytest.fixture(scope="module")
def bare(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel in an environment of its own, and link what its core dependencies have installed here."""
    directory = tmp_path_factory.mktemp("bare")
    uv("venv", directory, "--python", sys.executable, "--clear")
    uv("pip", "install", "--no-deps", "--python", directory / "bin/python", wheel_of(built))
    for name in closure(metadata_of(wheel_of(built)).get_all("Requires-Dist", [])):
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            place = directory / SITE / top
            if not place.exists():
                place.symlink_to(Path(str(distribution.locate_file(top))))
    return directory


def run(bare: Path, directory: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(bare / "bin/bench-db"), *map(str, arguments)]
    return subprocess.run(command, cwd=directory, env=environment(), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def work(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish two commits to a store in a directory."""
    directory = tmp_path_factory.mktemp("work")
    output = min(path for path in OUTPUT.rglob("*.json") if ".golden" not in path.name)
    for commit in ("a" * 40, "b" * 40):
        words = ("publish", output, "--commit", commit, "--testbed-name", "bed", "--keep-leftovers", "--store", "store")
        done = run(bare, directory, *words)
        assert done.returncode == 0, done.stderr
    return directory


@pytest.mark.slow
class TestDistributions:
    """The wheel comes from the source distribution, is pure, and has its license and description."""

    def test_license(self, built: Path) -> None:
        text = (ROOT / "LICENSE").read_bytes()
        with zipfile.ZipFile(wheel_of(built)) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
            assert archive.read(name) == text
        (source,) = built.glob("*.tar.gz")
        with tarfile.open(source) as sources:
            (name,) = [name for name in sources.getnames() if name.count("/") == 1 and name.endswith("/LICENSE")]
            member = sources.extractfile(name)
            assert member is not None
            assert member.read() == text

    def test_metadata(self, built: Path) -> None:
        wheel = wheel_of(built)
        about = metadata_of(wheel)
        assert wheel.name.endswith("-py3-none-any.whl")
        assert (about["License-Expression"], about["Requires-Python"]) == ("Apache-2.0", ">=3.11")
        assert about["Keywords"]
        versions = {text.rpartition(" ")[2] for text in about.get_all("Classifier", []) if "Python :: 3." in text}
        assert versions == {"3.11", "3.12", "3.13"}
        declared = tomllib.loads((ROOT / "packages/bench_db/pyproject.toml").read_text())["project"]
        assert set(about.get_all("Provides-Extra", [])) == set(declared["optional-dependencies"])


@pytest.mark.slow
class TestBare:
    """The core publishes, reads and judges; what needs an extra names it in one line."""

    @pytest.mark.parametrize(
        "words", [("has", "a" * 40), ("latest", "--all"), ("compare", "b" * 40, "--all")], ids=lambda words: words[0]
    )
    def test_core(self, bare: Path, work: Path, words: tuple[str, ...]) -> None:
        done = run(bare, work, *words, "--store", "store", "--output", "json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("query", "SELECT 1", "--store", "store"), "a query needs the package duckdb"),
            (("latest", "--store", "s3://bucket/store"), "s3://bucket/store needs the package boto3"),
        ],
        ids=["sql", "s3"],
    )
    def test_missing_extra(
        self, bare: Path, work: Path, words: tuple[str, ...], message: str, request: pytest.FixtureRequest
    ) -> None:
        done = run(bare, work, *words)
        extra = request.node.callspec.id
        assert done.returncode == 2
        assert done.stderr == (
            f"bench-db: {message} of the extra {extra}: in a clone of bench_db, pip install './packages/bench_db[{extra}]'\n"
        )

    def test_missing_lancedb(self, bare: Path, work: Path) -> None:
        code = (
            "import bench_db\ntry: bench_db.connect('store').lancedb()\n"
            "except bench_db.UserError as error: print(error)"
        )
        done = subprocess.run(
            [bare / "bin/python", "-c", code], cwd=work, env=environment(), capture_output=True, text=True, check=True
        )
        assert done.stdout == (
            "a LanceDB connection needs the package lancedb of the extra lancedb: in a clone of bench_db,"
            " pip install './packages/bench_db[lancedb]'\n"
        )

    def test_doctor_names_what_is_missing(self, bare: Path, work: Path) -> None:
        done = run(bare, work, "doctor", "--store", "s3://bucket/store")
        assert "boto3 not installed" in done.stdout
        assert "pip install './packages/bench_db[s3]'" in done.stdout
        assert "defect" not in done.stderr


# What uv says when an interpreter or a package cannot be fetched; any other failure is one of the distribution.
_NO_NETWORK = ("dns error", "error sending request", "Failed to fetch", "operation timed out")


@pytest.fixture(params=["3.11", "3.12", "3.13"])
def elsewhere(request: pytest.FixtureRequest, built: Path, tmp_path: Path) -> Path:
    """Install the source distribution with its core dependencies, as pinned, on a Python that uv has or can get."""
    command = os.environ.get("UV") or shutil.which("uv")
    if command is None:
        lacking("uv is not installed")
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["constraint-dependencies"]
    (tmp_path / "pins.txt").write_text("\n".join(pins))
    (source,) = built.glob("*.tar.gz")
    made = [command, "venv", tmp_path / "bare", "--python", request.param, "--no-project", "--quiet"]
    python = tmp_path / "bare/bin/python"
    installed = [
        command,
        "pip",
        "install",
        "--python",
        python,
        source,
        "--constraint",
        tmp_path / "pins.txt",
        "--quiet",
    ]
    for words in (made, installed):
        done = subprocess.run([*map(str, words)], cwd=tmp_path, capture_output=True, text=True, check=False)
        if done.returncode and (words is made or any(reason in done.stderr for reason in _NO_NETWORK)):
            reason = f"Python {request.param}: uv cannot provide it or its packages: {done.stderr.strip()[-200:]}"
            if request.param == f"{sys.version_info.major}.{sys.version_info.minor}":  # this one is there
                lacking(reason)
            pytest.skip(reason)
        assert done.returncode == 0, done.stderr
    return tmp_path / "bare"


def mebibytes(environment: Path) -> float:
    """Return the size of the files of an environment, without bytecode."""
    files = (path for path in environment.rglob("*") if path.suffix != ".pyc" and path.is_file())
    return sum(path.lstat().st_size for path in files) / 2**20


@pytest.mark.slow
def test_on_every_python(elsewhere: Path, tmp_path: Path) -> None:
    """The source distribution installs, publishes and answers on each Python that the classifiers name."""
    output = min(path for path in OUTPUT.rglob("*.json") if ".golden" not in path.name)
    words = ("publish", output, "--commit", "a" * 40, "--testbed-name", "bed", "--store", "store")
    published = run(elsewhere, tmp_path, *words)
    assert published.returncode == 0, published.stderr
    assert mebibytes(elsewhere) <= MOST_MEBIBYTES
    for answer in (("has", "a" * 40), ("latest", "--all"), ("compare", "a" * 40, "--all")):
        done = run(elsewhere, tmp_path, *answer, "--store", "store", "--output", "json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)
