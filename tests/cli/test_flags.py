from __future__ import annotations

import pytest

from bench_db.cli.flags import as_flags


class TestFlags:
    """A message of a use case names parameters; the command line names flags."""

    @pytest.mark.parametrize(
        ("message", "shown"),
        [
            (
                "`threshold` is a method of its own: leave out `min_effect`",
                "--threshold is a method of its own: leave out --min-effect",
            ),
            ("`set_baseline`: x", "--set-baseline: x"),
            ("`states`: 'y' is no state", "--state: 'y' is no state"),
            ("the output of `bench-db suites`", "the output of `bench-db suites`"),
            ("a name `Fib[5]` stays", "a name `Fib[5]` stays"),
        ],
    )
    def test_parameters_become_flags(self, message: str, shown: str) -> None:
        assert as_flags(message) == shown
