from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import bench_db, document
from tests.cli.test_output_file import outputs

if TYPE_CHECKING:
    from pathlib import Path

SUITES = {"rust/io": "rust", "python": "python", "parser": "go"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a directory with a configuration of three suites."""
    suites = "".join(
        f"[suite.'{name}']\nkind = '{kind}'\nbenchmark = 'x'\nstdout = 'o'\n" for name, kind in SUITES.items()
    )
    (tmp_path / "bench-db.toml").write_text(f"[project]\nname = 'p'\nrepository = 'o/n'\n{suites}")
    return tmp_path


def found(checkout: Path, *words: str) -> list[Any]:
    """Return the suites that the command writes as JSON."""
    return list(document(bench_db("suites", *words, "--output", "json", cwd=checkout)))


class TestSuites:
    """The suites of a configuration, in its order; each condition leaves out the suites that do not meet it."""

    @pytest.mark.parametrize(
        ("words", "names"),
        [
            ((), [*SUITES]),
            (("--kind", "go", "--kind", "rust"), ["rust/io", "parser"]),
            (("--other-than", "go", "--other-than", "rust"), ["python"]),
            (("--only", "parser, python"), ["python", "parser"]),
            (("--only", ""), [*SUITES]),
            (("--only", "parser", "--other-than", "go"), []),
        ],
    )
    def test_conditions(self, checkout: Path, words: tuple[str, ...], names: list[str]) -> None:
        assert sorted(suite["name"] for suite in found(checkout, *words)) == sorted(names)
        lines = bench_db("suites", *words, cwd=checkout).stdout.splitlines()
        assert sorted(lines) == (sorted(f"{name}  ({SUITES[name]})" for name in names) or ["no suite"])

    def test_another_configuration(self, checkout: Path) -> None:
        (checkout / "bench-db.toml").rename(checkout / "other.toml")
        assert [suite["kind"] for suite in found(checkout, "--config", "other.toml")] == [*SUITES.values()]
        missing = bench_db("suites", "--config", "none.toml", cwd=checkout)
        assert (missing.returncode, missing.stdout, "none.toml" in missing.stderr) == (2, "", True)

    @pytest.mark.parametrize("name", ["prser", "go"])
    def test_a_name_that_is_no_suite(self, checkout: Path, name: str) -> None:
        answer = bench_db("suites", "--only", f"python,{name}", cwd=checkout)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert name in answer.stderr


class TestOutputs:
    """A workflow step hands the suites to the next job; only a single suite has an artifact."""

    @pytest.mark.parametrize(("words", "artifact"), [((), ""), (("--kind", "rust"), "pr-results-rust-rust-io")])
    def test_of_a_step(self, checkout: Path, words: tuple[str, ...], artifact: str) -> None:
        assert bench_db("suites", *words, cwd=checkout, GITHUB_OUTPUT="out").returncode == 0
        written = outputs((checkout / "out").read_text())
        listed = [
            {name: value for name, value in row.items() if name != "schema_version"} for row in found(checkout, *words)
        ]
        assert json.loads(written.pop("suites")) == listed
        assert written == {"artifact": artifact, "repository": "o/n", "confirm": "off"}
