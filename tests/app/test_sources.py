from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.app.ci_files import Plan, configuration_text
from bench_db.app.sources import sources
from bench_db.app.tools import find
from bench_db.errors import UserError
from bench_db.schedule.config import parse
from tests.app.recognising import found_in, repository

if TYPE_CHECKING:
    from pathlib import Path


class TestSources:
    """Only the repository's own files count."""

    def test_ignored_files_links_and_large_files(self, tmp_path: Path) -> None:
        (tmp_path / "outside.sh").write_text("hyperfine --export-json r.json x\n")
        root = repository(tmp_path / "r", {".gitignore": "vendor\n"})
        (root / "vendor").mkdir()
        (root / "vendor/test_x.go").write_text("func BenchmarkX(b *testing.B) {}\n")
        (root / "link.sh").symlink_to(tmp_path / "outside.sh")
        (root / "large.sh").write_text("hyperfine --export-json r.json x\n" + " " * (1 << 20))
        assert find(sources(root)) == ([], [])
        (root / "new.sh").write_text("hyperfine --export-json r.json x\n")  # not in the index yet
        assert [one.name for one in find(sources(root))[0]] == ["hyperfine-new"]

    def test_outside_of_a_repository(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="not a git repository"):
            sources(tmp_path)

    def test_names_of_files_do_not_become_words(self, tmp_path: Path) -> None:
        name = "a b'; touch pwned; $(x).sh"
        [one], _ = found_in(tmp_path, {name: "hyperfine --export-json r.json x\n"})
        plan = Plan(name="n", repository="", branch="main", suites=[one], store="", cron="", source="o/n@1")
        config = parse(configuration_text(plan, "").encode(), "bench-db.toml")
        [suite] = config.suite.values()
        assert suite.at(dict.fromkeys(("root", "tree", "cache", "python", "commit"), "")).benchmark == ["bash", name]
