from pathlib import Path

import pytest

from bench_db.errors import UserError
from bench_db.measure.journal import Journal
from bench_db.model import Attempt, AttemptState


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "backfill" / "github.jsonl")


class TestJournal:
    """A journal survives a kill within a line, and another file is refused as a journal."""

    def test_a_torn_line_is_taken_out(self, journal: Journal) -> None:
        journal.add(Attempt(commit="a" * 40, state=AttemptState.STARTED, at=1))
        with journal.path.open("ab") as file:
            file.write(b'{"commit":"tor')
        assert Journal(journal.path).entries == journal.entries
        assert journal.path.read_bytes().endswith(b"}\n")

    def test_attempts_are_those_at_a_suite_and_an_end_told_twice_is_one(self, journal: Journal) -> None:
        sha = "a" * 40
        for suite, state, began in (
            ("rust", AttemptState.FAILED, 1),
            ("rust", AttemptState.FAILED, 1),
            ("rust", AttemptState.FAILED, 2),
            ("python", AttemptState.FAILED, 1),
            ("python", AttemptState.SUCCEEDED, 2),
            ("js", AttemptState.STARTED, 3),
        ):
            journal.add(Attempt(commit=sha, state=state, at=9, started_at=began, suites=(suite,)))
        assert journal.attempts == {(sha, "rust"): 2, (sha, "python"): 2}
        assert journal.failures == {(sha, "rust"): 2}

    def test_two_attempts_within_a_second_are_two(self, journal: Journal) -> None:
        sha = "a" * 40
        for attempt in (1, 2):
            journal.add(Attempt(commit=sha, state=AttemptState.FAILED, at=9, started_at=9, attempt=attempt))
        assert journal.attempts == {(sha, ""): 2}

    def test_another_file(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        path.write_text("something\n")
        with pytest.raises(UserError, match="not a journal"):
            Journal(path)
