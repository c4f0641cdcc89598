from pathlib import Path
from typing import Any

import pytest

from bench_db.app.suites import artifact_of, suites

CONFIG = "[project]\nname = 'p'\nrepository = 'o/n'\n" + "".join(
    f"[suite.'{name}']\nkind = '{kind}'\nbenchmark = 'x'\nstdout = 'o'\n"
    for name, kind in (("rust/io", "rust"), ("python", "python"), ("parser", "go"), ("app", "other"))
)


class TestSuites:
    """Suites are chosen by kind, which is any word, and by name."""

    @pytest.mark.parametrize(
        ("conditions", "names"),
        [
            ({}, ["rust/io", "python", "parser", "app"]),
            ({"kinds": ["rust"]}, ["rust/io"]),
            ({"kinds": ["c++"]}, []),
            ({"others": ["rust"]}, ["python", "parser", "app"]),
            ({"others": ["rust"], "only": "parser, rust/io"}, ["parser"]),
        ],
    )
    def test_chosen(self, conditions: dict[str, Any], names: list[str], tmp_path: Path) -> None:
        (tmp_path / "bench-db.toml").write_text(CONFIG)
        found = suites(str(tmp_path / "bench-db.toml"), **conditions)
        assert [suite.name for suite in found.suites] == names
        assert found.repository == "o/n"
        assert found.frame()["name"].to_list() == names

    @pytest.mark.parametrize(
        ("name", "kind", "artifact"),
        [
            ("rust/lance-io", "rust", "pr-results-rust-rust-lance-io"),
            ("python", "python", "pr-results-python"),
            ("parser", "c++/x", "pr-results-c---x-parser"),
        ],
    )
    def test_artifacts(self, name: str, kind: str, artifact: str) -> None:
        assert artifact_of(name, kind) == artifact
