from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench_db.compat.scripts import VERBS, translated

SCRIPTS = Path(__file__).parents[2] / "scripts"


class TestTranslated:
    """A script's arguments are those of its verb, but for the flags that lance-bench named otherwise."""

    @pytest.mark.parametrize(
        ("script", "given", "expected"),
        [
            ("schedule_benchmarks", "", "schedule"),
            ("backfill_benchmarks", "", "backfill --engine github"),
            ("merge_pr_results", "results out", "pr merge results out"),
            (
                "process_pr_comment",
                "--payload-json {} --output c.json",
                "pr process-comment --payload-json {} --command-file c.json",
            ),
            (
                "compare_pr_benchmarks",
                "abc --pr-number 3 --threshold 2.0 --baseline-limit 20 --min-baseline-count 5 --output r.md",
                "pr compare abc --pr 3 --report r.md",
            ),
            ("compare_pr_benchmarks", "abc --threshold", "pr compare abc"),
        ],
    )
    def test_arguments(self, script: str, given: str, expected: str) -> None:
        assert translated(script, given.split()) == (tuple(expected.split()), None)

    def test_a_token_is_taken_out(self) -> None:
        found = translated("post_pr_comment", ["7", "--token", "secret", "--repo", "a/b"])
        assert found == (("pr", "comment", "7", "--repo", "a/b"), "secret")

    def test_a_token_without_a_value_is_left_for_the_verb_to_refuse(self) -> None:
        assert translated("post_pr_comment", ["7", "--token"]) == (("pr", "comment", "7", "--token"), None)

    @pytest.mark.parametrize("script", sorted(VERBS))
    def test_each_is_a_script(self, script: str) -> None:
        assert f'run_script("{script}")' in (SCRIPTS / f"{script}.py").read_text("utf-8")

    def test_the_scheduler_and_the_backfill_need_what_they_name(self, tmp_path: Path) -> None:
        """Run as lance-bench runs them, without a token or configuration: exit code 1 and what is missing, and nothing is made."""
        for script in ("schedule_benchmarks", "backfill_benchmarks"):
            environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANCE_BENCH_URI": str(tmp_path / "s")}
            command = [sys.executable, str(SCRIPTS / f"{script}.py")]
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
            )
            assert (done.returncode, done.stdout) == (1, ""), done.stderr
            assert done.stderr.startswith("Error: bench-db.toml: no such file")
            assert list(tmp_path.iterdir()) == []
