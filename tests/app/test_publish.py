from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench_db.app import publish as app_publish
from bench_db.app.publish import preview, publish
from bench_db.errors import BenchDbError, StoreUnavailableError, UnreadableFilesError, UserError
from bench_db.ingest import Provenance
from bench_db.store.database import connect

DATA = Path(__file__).parents[2] / "packages/bench_db/src/bench_db/demo/pytest-benchmark"
FILES = sorted(DATA.glob("*.json"))[:2]
BUILD = Provenance(dut_name="d", dut_version="1", dut_timestamp=1)
PHASES = {"finding": (0, 1), "reading": (0, 1), "storing": (0, 1, 2)}


def output(file: Path, number: int) -> None:
    """Write a small file with the results of a build, in the form of lance-bench."""
    rows = [{"benchmark_name": name, "values_ns": [number + 1, number + 2]} for name in ("sum", "sort")]
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"results": rows}))


class TestPublish:
    """Publishing twice adds nothing, and an unreadable file leaves the store as it was."""

    def test_twice(self, tmp_path: Path) -> None:
        first = publish(tmp_path / "store", *FILES, provenance=BUILD)
        again = publish(tmp_path / "store", *FILES, provenance=BUILD)
        stored = connect(tmp_path / "store").scan().collect().height
        assert (first.new, first.unchanged) == (stored, 0)
        assert (again.new, again.unchanged) == (0, stored)
        assert [file.path for file in first.files] == [str(path) for path in FILES]

    def test_an_error_says_what_is_stored(self, tmp_path: Path) -> None:
        for number in range(3):
            output(tmp_path / "out" / f"{number}.json", number)

        def failing(done: int, _total: int, doing: str) -> None:
            if (done, doing) == (2, "storing"):
                message = "the bucket is gone"
                raise StoreUnavailableError(message)

        with pytest.raises(StoreUnavailableError) as raised:
            publish(tmp_path / "store", tmp_path / "out", provenance=BUILD, progress=failing)
        assert str(raised.value) == "the bucket is gone. 2 of 3 runs are stored; the same command continues"

    def test_a_directory_is_its_files(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        for file in FILES:
            shutil.copy(file, tmp_path / "out")
        done: list[tuple[int, int, str]] = []
        found = publish(
            tmp_path / "store", tmp_path / "out", provenance=BUILD, progress=lambda *counts: done.append(counts)
        )
        assert [Path(file.path).name for file in found.files] == [file.name for file in FILES]
        assert done == [(count, 2, doing) for doing, counts in PHASES.items() for count in counts]

    def test_many_files_are_few_commits_and_bounded_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Runs beyond a bound are in a temporary file until they are stored, whatever the bound."""
        for number in range(6):
            output(tmp_path / "out" / f"{number}.json", number)
        answers = []
        for rows in (0, 3, 1000):
            monkeypatch.setattr(app_publish, "_ROWS_IN_MEMORY", rows)
            answers.append(publish(tmp_path / f"store-{rows}", tmp_path / "out", provenance=BUILD))
            assert connect(tmp_path / f"store-{rows}").version == connect(tmp_path / "empty", create=True).version + 1
        assert [file.new for file in answers[0].files] == [2] * 6
        assert answers[0] == answers[1] == answers[2]

    def test_all_are_read_before_the_first_is_stored(self, tmp_path: Path) -> None:
        (tmp_path / "broken.json").write_text("{")
        with pytest.raises(BenchDbError, match=r"broken\.json"):
            publish(tmp_path / "store", FILES[0], tmp_path / "broken.json", provenance=BUILD)
        assert not (tmp_path / "store").exists()

    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            (Provenance(dut_name="d", dut_timestamp=1), "DUT version could not be determined"),
            (Provenance(dut_name="d", dut_version="1"), "DUT timestamp could not be determined"),
        ],
    )
    def test_the_build_is_required(self, given: Provenance, missing: str, tmp_path: Path) -> None:
        file = tmp_path / "one.json"
        file.write_text('{"results": [{"benchmark_name": "sum", "values_ns": [1, 2]}]}')
        with pytest.raises(UserError, match=missing):
            publish(tmp_path / "store", file, format="values-ns", provenance=given)


class TestKeepGoing:
    """All unreadable files are named; with `keep_going` the others are stored."""

    @pytest.fixture
    def out(self, tmp_path: Path) -> Path:
        directory = tmp_path / "out"
        directory.mkdir()
        shutil.copy(FILES[0], directory / "good.json")
        (directory / "cut.json").write_bytes(FILES[0].read_bytes()[:-20])
        (directory / "empty.json").touch()
        (directory / "README.md").write_text("hello")
        return directory

    def test_all_are_named_and_nothing_is_stored(self, out: Path, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFilesError, match="2 files cannot be published, and nothing was stored") as caught:
            publish(tmp_path / "store", out, provenance=BUILD)
        assert all(any(name in error for error in caught.value.errors) for name in ("cut.json", "empty.json"))
        assert not (tmp_path / "store").exists()

    def test_the_others_are_stored(self, out: Path, tmp_path: Path) -> None:
        done = publish(tmp_path / "store", out, tmp_path / "gone", provenance=BUILD, keep_going=True)
        assert [Path(file.path).name for file in done.files] == ["good.json"]
        assert sorted(Path(file.path).name for file in done.unreadable) == ["cut.json", "empty.json", "gone"]
        assert done.passed_over == [str(out / "README.md")]
        assert connect(tmp_path / "store").scan().collect().height == done.new

    def test_nothing_readable_makes_no_store(self, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        done = publish(tmp_path / "store", tmp_path / "empty", provenance=BUILD, keep_going=True)
        assert (done.files, len(done.unreadable), (tmp_path / "store").exists()) == ([], 1, False)

    def test_a_file_without_a_version_is_one_of_them(self, out: Path, tmp_path: Path) -> None:
        given = Provenance(dut_name="d")
        (out / "go.txt").write_text("BenchmarkA-8 \t 100\t 12.5 ns/op\n")
        done = publish(tmp_path / "store", out, provenance=given, keep_going=True)
        assert any("DUT version" in file.error for file in done.unreadable)


class TestFailed:
    """Results of failed benchmarks are counted as failed, not as new."""

    def test_counts(self, tmp_path: Path) -> None:
        file = tmp_path / "go.txt"
        file.write_text("BenchmarkA-8 \t 100\t 12.5 ns/op\n--- FAIL: BenchmarkB\n")
        for store, counts in (("s", (1, 1, 0)), ("s", (0, 0, 2))):
            done = publish(tmp_path / store, file, provenance=BUILD)
            assert (done.new, done.failed, done.unchanged) == counts
        assert preview(file, provenance=BUILD).document["failed"] == 1


class TestPreview:
    """A preview reports the files that publishing would store, and stores nothing."""

    def test_as_publishing(self, tmp_path: Path) -> None:
        shown = preview(*FILES, provenance=BUILD)
        stored = publish(tmp_path / "store", *FILES, provenance=BUILD)
        assert (shown.dry_run, stored.dry_run) == (True, False)
        assert (list(shown.files), shown.new) == (list(stored.files), stored.new)
