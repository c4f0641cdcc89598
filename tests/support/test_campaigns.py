from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.campaigns import CAMPAIGNS, rounds

ROOT = Path(__file__).resolve().parents[2]


def collected(*arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments, "tests/store/test_crash.py"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120).stdout


class TestCampaigns:
    """A campaign selects its tests and gives them their full size; the suite runs the same tests with a few cases."""

    def test_the_suite_has_a_few_cases(self) -> None:
        assert rounds("kills", 3, full=99) == 3

    @pytest.mark.slow
    def test_a_campaign_runs_its_own_tests_alone(self) -> None:
        assert "TestKilled" in collected("--campaign", "kills")
        assert "TestKilled" not in collected("--campaign", "clocks")

    def test_every_campaign_has_tests(self) -> None:
        tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
        named = set(re.findall(r'(?:examples|rounds|campaign)\("(\w+)"', tests))
        assert named | {"laws"} == set(CAMPAIGNS)  # "laws" has those that name none, too

    @pytest.mark.parametrize("name", CAMPAIGNS)
    def test_the_contributing_page_lists_it(self, name: str) -> None:
        assert f"`{name}`" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")
