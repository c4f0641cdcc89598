from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from bench_db.cli import ruled as module
from bench_db.cli.ruled import ruled
from bench_db.rules import RULES
from tests.cli.conftest import bench_db


class TestRuled:
    """A threshold in a help text is the value of `rules`, as people read it."""

    def test_values_replace_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "RULES", replace(RULES, minimum_effect=0.125, error_length=1_234))

        def verb() -> int:
            """Report changes of {minimum_effect}, and {error_length} characters."""
            return 7

        assert ruled(verb) is verb
        assert (verb.__doc__, verb()) == ("Report changes of 12.5 %, and 1,234 characters.", 7)

    def test_a_rule_that_does_not_exist(self) -> None:
        def verb() -> None:
            """Report {no_such_rule}."""

        with pytest.raises(KeyError, match="no_such_rule"):
            ruled(verb)

    def test_without_a_docstring(self) -> None:
        def verb() -> None:
            pass

        assert ruled(verb).__doc__ == ""

    @pytest.mark.parametrize(
        ("verb", "text"),
        [
            ("compare", f"{100 * RULES.minimum_effect:g} %"),
            ("detect", f"A series needs {RULES.detection_runs} runs."),
            ("noise", f"the runs that {100 * RULES.noise_effect:g} % would take"),
            ("scan", f"{100 * RULES.false_discovery_rate:g} % at most"),
        ],
    )
    def test_help(self, verb: str, text: str) -> None:
        out = " ".join(bench_db(verb, "--help").out.split())
        assert text in out
        assert not [name for name in asdict(RULES) if f"{{{name}}}" in out]
