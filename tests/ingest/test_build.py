from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bench_db.ingest import Build, Provenance, build_of
from bench_db.ingest.host import checkout_around
from tests.ingest.formats.test_criterion_dir import measure
from tests.ingest.support import pytest_benchmark, pytest_file, read

WHO = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
WHEN = {
    "GIT_AUTHOR_DATE": "1600000000 +0000",
    "GIT_COMMITTER_DATE": "1600000001 +0000",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    answer = subprocess.run(command, env={**os.environ, **WHO, **WHEN}, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    path = tmp_path / "checkout"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "Cargo.toml").write_text('[package]\nname = "lib"\nversion = "0.15.0"\n')
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "one")
    return path


class TestBuildOf:
    """Name and version come from the manifest of a checkout, the rest from its history; missing values are no error."""

    def test_all_of_it(self, checkout: Path) -> None:
        sha = git(checkout, "rev-parse", "HEAD")
        expected = Build(name="lib", version=f"0.15.0+{sha[:7]}", commit=sha, branch="main", timestamp=1600000001)
        assert build_of(checkout) == expected

    def test_detached_head_has_no_branch(self, checkout: Path) -> None:
        git(checkout, "checkout", "-q", "--detach")
        assert build_of(checkout).branch is None

    def test_no_git(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "2"\n')
        assert build_of(tmp_path) == Build(name="p", version="2")

    def test_nothing(self, tmp_path: Path) -> None:
        assert build_of(tmp_path) == build_of(tmp_path / "not there") == Build()

    def test_unborn_branch(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "-q", "-b", "start")
        assert build_of(tmp_path) == Build(branch="start")

    @pytest.mark.parametrize("branch", ["--upload-pack=touch", "x;id", "$(id)", "`id`", "HEAD", "a/b"])
    def test_hostile_branch_is_a_name(self, checkout: Path, branch: str) -> None:
        git(checkout, "update-ref", f"refs/heads/{branch}", "HEAD")
        git(checkout, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
        build = build_of(checkout)
        assert build.branch == branch
        assert (build.commit, build.timestamp) == (git(checkout, "rev-parse", "main"), 1600000001)

    def test_tag_called_head_is_not_the_head(self, checkout: Path) -> None:
        git(checkout, "commit", "-q", "--allow-empty", "-m", "two")
        git(checkout, "update-ref", "refs/tags/HEAD", "HEAD~1")
        assert build_of(checkout).commit == git(checkout, "rev-parse", "main")


class TestManifest:
    """Cargo.toml before pyproject.toml; a version defined elsewhere is unknown; an invalid manifest is ignored."""

    @pytest.mark.parametrize(
        ("file", "text", "name", "version"),
        [
            ("Cargo.toml", '[workspace.package]\nversion = "1.2"\n', None, "1.2"),
            (
                "Cargo.toml",
                '[package]\nname = "m"\nversion.workspace = true\n[workspace.package]\nversion = "3"\n',
                "m",
                "3",
            ),
            ("Cargo.toml", '[package]\nname = "m"\nversion = { workspace = true }\n', "m", None),
            ("pyproject.toml", '[tool.poetry]\nname = "q"\nversion = "4"\n', "q", "4"),
            ("pyproject.toml", '[project]\nname = "q"\ndynamic = ["version"]\n', "q", None),
            ("pyproject.toml", "[project\n", None, None),
            ("pyproject.toml", "project = 5\n", None, None),
            ("Cargo.toml", "\xff", None, None),
        ],
    )
    def test_forms(self, tmp_path: Path, file: str, text: str, name: str | None, version: str | None) -> None:
        (tmp_path / file).write_bytes(text.encode("latin-1"))
        assert build_of(tmp_path) == Build(name=name, version=version)

    def test_cargo_first(self, checkout: Path) -> None:
        (checkout / "pyproject.toml").write_text('[project]\nname = "other"\n')
        assert build_of(checkout).name == "lib"


class TestMeasuredSource:
    """A file in a checkout was measured from it, unless it names another commit or device."""

    def test_around_the_file(self, checkout: Path) -> None:
        measure(checkout / "target" / "criterion")
        run, _ = read(checkout / "target" / "criterion", provenance=Provenance(ingested_at=1))
        sha = git(checkout, "rev-parse", "HEAD")
        assert (run.dut.name, run.dut.version, run.dut.timestamp) == ("lib", f"0.15.0+{sha[:7]}", 1600000001)
        assert (run.commit, run.branch) == (sha, "main")

    @pytest.mark.parametrize("said", [{"commit": "f" * 40}, {"dut_version": "1+fffffff"}, {"dut_name": "postgres"}])
    def test_of_another_commit_or_device(self, checkout: Path, said: dict[str, str]) -> None:
        measure(checkout)
        run, _ = read(checkout, provenance=Provenance(ingested_at=1, **said))  # type: ignore[arg-type]
        assert (run.branch, run.dut.timestamp, run.dut.name) == (None, 0, said.get("dut_name", "unknown"))

    def test_file_that_names_its_own_commit(self, checkout: Path) -> None:
        commit = {"id": "e" * 40}
        run, _ = read(checkout / "f", pytest_file(pytest_benchmark(), commit_info=commit), Provenance(ingested_at=1))
        assert (run.dut.name, run.dut.version, run.branch) == ("unknown", "eeeeeee", None)

    def test_declared_checkout(self, checkout: Path, tmp_path: Path) -> None:
        said = Provenance(ingested_at=1, checkout=checkout, dut_name="renamed")
        run, _ = read(tmp_path / "f", pytest_file(pytest_benchmark()), said)
        assert (run.dut.name, run.dut.timestamp, run.branch) == ("renamed", 1600000001, "main")

    def test_checkout_around(self, checkout: Path, tmp_path: Path) -> None:
        assert checkout_around(checkout / "a" / "b") == checkout
        assert checkout_around(tmp_path / "elsewhere") is None

    def test_checkout_around_a_relative_path(
        self, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inside = checkout / "a"
        inside.mkdir()
        monkeypatch.chdir(inside)
        outside = Path(os.path.relpath(tmp_path, inside)) / "elsewhere" / "x.json"
        assert checkout_around(outside) is None
        assert checkout_around(Path("x.json")) == checkout
