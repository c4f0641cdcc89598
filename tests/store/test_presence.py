from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import UserError
from bench_db.model import Samples
from bench_db.store.presence import presence
from tests.strategies import commit_of, publication

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_db.model import Presence
    from bench_db.store.database import Database

SHA = "abcdef0123456789abcdef0123456789abcdef01"


@pytest.fixture
def measured(database: Database) -> Database:
    """Two results of suite a, one result and one failure of suite b, one failure of suite c; all of one commit."""
    run, results = publication(1, rows=5)
    suites = ("a", "a", "b", "b", "c")
    stored = [replace(result, suite=suite) for result, suite in zip(results, suites, strict=True)]
    for row in (3, 4):
        stored[row] = replace(stored[row], values=Samples([]), error="out of memory")
    database.publish(stored, run)
    return database


def asked(database: Database, commit: str, *suites: str, test_bed_name: str | None = None) -> Presence:
    return presence(database._engine, commit, suites, test_bed_name, None)


class TestPresence:
    """A failure is counted and is no result; a commit is present when every requested suite has a result."""

    def test_all_suites(self, measured: Database) -> None:
        found = asked(measured, commit_of(1)[:12])
        assert (found.present, found.suites, found.failed) == (True, {"a": 2, "b": 1, "c": 0}, {"b": 1, "c": 1})

    @pytest.mark.parametrize(
        ("suites", "present"),
        [(("a",), True), (("a", "b"), True), (("c",), False), (("a", "c"), False), (("z",), False)],
    )
    def test_requested_suites(self, suites: Sequence[str], present: bool, measured: Database) -> None:  # noqa: FBT001
        found = asked(measured, commit_of(1), *suites)
        assert (found.present, tuple(found.suites)) == (present, tuple(suites))

    def test_another_commit_and_another_test_bed(self, measured: Database) -> None:
        assert asked(measured, commit_of(1), test_bed_name="bed").present
        for found in (asked(measured, commit_of(2)), asked(measured, commit_of(1), test_bed_name="arm")):
            assert (found.present, found.suites, found.failed) == (False, {}, {})


class TestMeasuredCommit:
    """An abbreviation means the one commit that starts with it; of none or several, the error names what to do."""

    def resolve(self, database: Database, text: str, *commits: str) -> str:
        for number, commit in enumerate(commits):
            run, results = publication(number)
            database.publish([replace(result, commit=commit) for result in results], replace(run, commit=commit))
        return database.measured_commit(text)

    def test_one(self, database: Database) -> None:
        assert self.resolve(database, SHA[:7], SHA, "b" * 40) == SHA

    def test_the_longest_of_one_commit(self, database: Database) -> None:
        assert self.resolve(database, SHA[:8], SHA[:10], SHA, SHA[:20]) == SHA

    def test_none(self, database: Database) -> None:
        with pytest.raises(UserError, match=r"no results of abcdef0 .*bench-db latest"):
            self.resolve(database, SHA[:7], "b" * 40)

    def test_a_branch_is_no_commit(self, database: Database) -> None:
        with pytest.raises(UserError, match=r"no results of main .*7 digits or more"):
            self.resolve(database, "main", SHA)

    def test_several(self, database: Database) -> None:
        others = [SHA[:10] + digit * 30 for digit in "45"]
        with pytest.raises(UserError, match=r"abcdef0 means 2 commits: .*write more of its digits"):
            self.resolve(database, SHA[:7], *others)
        assert self.resolve(database, SHA[:10] + "5") == others[1]
