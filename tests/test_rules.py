from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from bench_db.report.site.pages import assets
from bench_db.rules import RULES
from tests.repository.tree import ROOT


class TestRules:
    """A threshold has one home: verdicts, help, documentation and pages follow when it changes."""

    @pytest.mark.slow
    def test_everything_follows_every_rule(self) -> None:
        command = [sys.executable, "-m", "tests.support.rules_observed"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == []

    def test_texts(self) -> None:
        texts = RULES.texts()
        assert (texts["minimum_effect"], texts["error_length"], texts["sha_length"]) == ("2 %", "4,000", "9")

    def test_scripts_of_the_site_ask_for_rules_that_there_are(self) -> None:
        scripts = "".join(body.decode() for name, (_, body) in assets().items() if name.endswith(".js"))
        asked = set(re.findall(r'\brule\("(\w+)"\)', scripts))
        assert asked >= {"minimum_effect", "baseline_runs", "noise_effect", "sha_length"}
        assert asked <= RULES.texts().keys()
