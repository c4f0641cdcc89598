"""The jobs of a matrix measure one commit on machines of one name, each with another Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.everyday.asking import asked, publish, store_of
from tests.support.everyday import BEGIN, HOUR, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def measured_by(repository: Repository, python: str, mean: float, at: int, by: str = "CPython") -> Path:
    file = Path(repository.measured(mean, at=at))
    document = json.loads(file.read_text())
    document["machine_info"] |= {"python_version": python, "python_implementation": by}
    file.write_text(json.dumps(document))
    return file


def notes(document: dict[str, Any]) -> list[str]:
    return ["\n".join(file["notes"]) for file in document["published"]]


class TestMatrix:
    """A series of two levels hides changes, so each job is asked to give its series a name; with it the change is found."""

    def test_another_python_is_named_with_what_to_do(self, repository: Repository) -> None:
        sha = repository.commit_at(BEGIN)
        publish(repository, measured_by(repository, "3.11.9", 0.0012, BEGIN + 60))
        (said,) = notes(publish(repository, measured_by(repository, "3.13.1", 0.001, BEGIN + 90)))
        assert f"CPython 3.11 measured the same benchmarks of proj commit {sha} on t as run " in said
        assert "--tag python=3.13 here and --tag python=3.11 there" in said

    def test_two_implementations_of_one_version(self, repository: Repository) -> None:
        """The tag that both have is no advice for either."""
        repository.commit_at(BEGIN)
        tag = ("--tag", "python=3.10")
        publish(repository, measured_by(repository, "3.10.14", 0.001, BEGIN + 60), *tag)
        pypy = measured_by(repository, "3.10.14", 0.0005, BEGIN + 70, by="PyPy")
        (said,) = notes(publish(repository, pypy, *tag))
        assert "--tag python=pypy3.10 here and --tag python=3.10 there" in said

    def test_what_a_replacement_removed_is_not_named(self, repository: Repository) -> None:
        repository.commit_at(BEGIN)
        file = measured_by(repository, "3.12.1", 0.001, BEGIN + 60)
        publish(repository, file, "--run-id", "x")
        file.write_text(file.read_text().replace('"3.12.1"', '"3.13.1"').replace("0.001", "0.0011"))
        (said,) = notes(publish(repository, file, "--run-id", "x", "--replace"))
        assert "measured the same" not in said
        assert len(asked(repository, "latest")) == 1

    def test_an_excluded_run_is_not_named(self, repository: Repository) -> None:
        repository.commit_at(BEGIN)
        publish(repository, measured_by(repository, "3.12.1", 0.001, BEGIN + 60), "--run-id", "wrong")
        asked(repository, "run", "exclude", "wrong", "--reason", "wrong python")
        (said,) = notes(publish(repository, measured_by(repository, "3.13.1", 0.0011, BEGIN + 80)))
        assert "measured the same" not in said

    @pytest.mark.parametrize("damage", [b"x", b"\xff"])
    def test_damage_of_another_run_stops_no_publish(self, repository: Repository, damage: bytes) -> None:
        """What ran its benchmarks cannot be read, so there is no advice."""
        repository.commit_at(BEGIN)
        publish(repository, measured_by(repository, "3.12.1", 0.001, BEGIN + 60))
        (data,) = (store_of(repository) / "runs.lance" / "data").iterdir()
        content = data.read_bytes()
        assert content.count(b'{"machine_info') == 1
        data.write_bytes(content.replace(b'{"machine_info', damage + b'"machine_info'))
        (said,) = notes(publish(repository, measured_by(repository, "3.13.1", 0.0011, BEGIN + 80)))
        assert "measured the same" not in said

    def test_files_of_one_call(self, repository: Repository) -> None:
        repository.commit_at(BEGIN)
        first = measured_by(repository, "3.11.9", 0.0012, BEGIN + 60)
        one, other = notes(publish(repository, first, measured_by(repository, "3.13.1", 0.001, BEGIN + 90)))
        assert ["CPython 3.11 measured the same" in said for said in (one, other)] == [False, True]

    def test_a_job_that_is_run_again(self, repository: Repository) -> None:
        """Another measurement by the same Python, or by a newer patch of it, needs no name."""
        repository.commit_at(BEGIN)
        for turn, patch in enumerate((1, 1, 2)):
            file = measured_by(repository, f"3.13.{patch}", 0.001 + turn / 1e5, BEGIN + 60 * turn)
            assert "measured the same" not in notes(publish(repository, file))[0]

    def test_with_names_the_change_is_found(self, repository: Repository) -> None:
        for number in range(14):
            repository.commit_at(BEGIN + number * HOUR)
            for python, base in (("3.11", 0.00125), ("3.13", 0.001)):
                mean = base * (1.2 if number >= 8 else 1) * (1 + 0.002 * (number % 3))
                file = measured_by(repository, f"{python}.1", mean, BEGIN + number * HOUR + 60)
                said = notes(publish(repository, file, "--tag", f"python={python}"))
                assert "measured the same" not in said[0]
        assert len(asked(repository, "scan")["findings"]) == 2
