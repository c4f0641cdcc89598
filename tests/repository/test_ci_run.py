from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# what `uv` is to .ci/run: it notes each command, prints a log for pytest, and really adds up the logs
UV = """#!/bin/sh
echo "$*" >> "$NOTES"
case "$*" in
"run pytest") printf '%s\\n' "$FIRST"; exit "$FIRST_CODE" ;;
"run pytest -m slow") printf '%s\\n' "$SLOW"; exit "$SLOW_CODE" ;;
"run python .ci/totals.py"*) shift 2; exec "$PYTHON" "$@" ;;
esac
"""
PASSED = "..\n====== 8 passed, 1 skipped in 50.25s ======"
SLOW = "..\n= 4 passed, 1 warning in 3600.50s (1:00:00) ="
FAILED = "F.\n= 1 failed, 3 passed, 2 errors in 9.50s ="
INSTALLED = ("npm", "cc", "git", "chromium", "initdb")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory in which all tools are installed, so that the script installs none."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("uv", *INSTALLED):
        (tools / name).write_text(UV if name == "uv" else "#!/bin/sh\n", "utf-8")
        (tools / name).chmod(0o755)
    return tools


def run(tools: Path, first: tuple[str, int], slow: tuple[str, int]) -> tuple[int, str, list[str]]:
    """Return the exit code of the script, its last line and the commands it ran."""
    notes = tools.parent / "notes"
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "NOTES": str(notes),
        "PYTHON": sys.executable,
        "FIRST": first[0],
        "FIRST_CODE": str(first[1]),
        "SLOW": slow[0],
        "SLOW_CODE": str(slow[1]),
    }
    done = subprocess.run(
        [ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout.splitlines()[-1], notes.read_text("utf-8").splitlines()


class TestRun:
    """CI runs both tiers, and its last line has the totals of both."""

    def test_both_pass(self, tools: Path) -> None:
        code, last, commands = run(tools, (PASSED, 0), (SLOW, 0))
        assert code == 0
        assert last.strip("= ") == "12 passed, 1 skipped, 1 warning in 3650.75s (1:00:50)"
        assert last.startswith("=")
        assert [command for command in commands if "pytest" in command] == ["run pytest", "run pytest -m slow"]
        checks = ("run just lint", "run just types", "run just imports", "run just workflows", "run just docs --check")
        assert set(checks) <= set(commands)

    @pytest.mark.parametrize(("first", "slow"), [((FAILED, 1), (SLOW, 0)), ((SLOW, 0), (FAILED, 1))])
    def test_a_tier_fails(self, tools: Path, first: tuple[str, int], slow: tuple[str, int]) -> None:
        code, last, commands = run(tools, first, slow)
        assert code == 1
        assert last.strip("= ") == "1 failed, 7 passed, 1 warning, 2 errors in 3610.00s (1:00:10)"
        assert "run pytest -m slow" in commands

    def test_a_tier_that_is_killed_is_an_error(self, tools: Path) -> None:
        code, last, _ = run(tools, (PASSED, 0), ("Killed", 137))
        assert code == 1
        assert last.strip("= ") == "8 passed, 1 skipped, 1 error in 50.25s (0:00:50)"

    def test_a_failure_that_no_count_shows(self, tools: Path) -> None:
        assert run(tools, (PASSED, 0), (SLOW, 3))[0] == 1
