from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.store import named
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from bench_db.store.database import Database


class TestKeyOf:
    """A text of 16 hexadecimal digits is the key it formats; every other text is none."""

    @given(st.integers(0, 2**63 - 1))
    def test_it_inverts_the_format(self, key: int) -> None:
        assert named.key_of(f"{key:016x}") == key

    @pytest.mark.parametrize(
        "text", ["", "1", "0" * 15, "0" * 17, "8" + "0" * 15, "0" * 15 + "A", "0x" + "0" * 14, " " * 16]
    )
    def test_any_other_text(self, text: str) -> None:
        assert named.key_of(text) is None


class TestRuns:
    """A name finds the runs that have it as a run id or as a key, and no others."""

    def test_a_run_id_several_runs_share(self, database: Database) -> None:
        keys = {}
        for number, place in ((1, "nightly"), (2, "nightly"), (3, "weekly")):
            run, results = publication(number, place=place)
            keys[number] = database.publish(results, run).run_key
        assert named.runs(database._engine, "nightly") == {keys[1]: commit_of("nightly"), keys[2]: commit_of("nightly")}
        assert named.runs(database._engine, "night") == {}

    def test_a_key_as_a_number_and_as_a_text(self, database: Database) -> None:
        keys = [database.publish(results, run).run_key for run, results in map(publication, (1, 2))]
        for number, key in zip((1, 2), keys, strict=True):
            assert named.runs(database._engine, key) == {key: commit_of(number)}
            assert named.runs(database._engine, f"{key:016x}") == {key: commit_of(number)}

    def test_a_run_id_that_looks_like_the_key_of_another(self, database: Database) -> None:
        run, results = publication(1)
        key = database.publish(results, run).run_key
        run, results = publication(2, place=f"{key:016x}")
        named_so = database.publish(results, run).run_key
        assert named.runs(database._engine, f"{key:016x}") == {key: commit_of(1), named_so: run.commit}
