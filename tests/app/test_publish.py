from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.app import publish as app_publish
from bench_db.app.publish import preview, publish
from bench_db.errors import BenchDbError, StoreUnavailableError, UnreadableFilesError, UserError
from bench_db.ingest import FactsFrom, Opened, Provenance, registry
from bench_db.model import CiChange, TestBed
from bench_db.store import database as stores
from bench_db.store.database import connect
from bench_db.store.filters import condition
from bench_db.store.tables import RESULTS_TABLE, RUNS_TABLE
from bench_db.units import Direction
from tests.ingest.formats.test_calibrax import calibrax_run, point
from tests.ingest.samples import SAMPLES
from tests.support.campaigns import rounds
from tests.support.histories import History

if TYPE_CHECKING:
    from bench_db.app.publish import Publication
    from bench_db.ingest import Adapter
    from bench_db.ingest.content import Content

pytestmark = pytest.mark.few(1)

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

    @pytest.mark.parametrize("together", [False, True])
    def test_two_files_with_the_run_id_of_a_tool(self, together: bool, tmp_path: Path) -> None:  # noqa: FBT001 a parameter
        """A tool's own id names one run; a job of CI gives its id to all its files."""
        files = [tmp_path / f"{number}.json" for number in (1, 2, 3)]
        for number, file in enumerate(files):
            file.write_text(calibrax_run(point(latency={"value": 20.0 + number // 2})))  # two are alike

        def notes(**stated: Any) -> list[list[str]]:
            store, how = tmp_path / f"store{len(stated)}", replace(BUILD, **stated)
            calls = [files] if together else [[file] for file in files]
            done = [file for call in calls for file in publish(store, *call, provenance=how).files]
            return [[note for note in file.notes if "its run id" in note] for file in done]

        first, same, other = notes()
        assert (first, same) == ([], [])
        key = connect(tmp_path / "store0").runs().collect().row(0, named=True)["run_key"]
        assert [note.partition(";")[0] for note in other] == [
            f"run {key:016x} has its run id a1b2c3d4e5f6, too, and other values"
        ]
        assert notes(run_id="77") == [[], [], []]

    def test_each_earlier_run_that_counts_is_named(self, tmp_path: Path) -> None:
        files = [tmp_path / f"{number}.json" for number in range(4)]
        for number, file in enumerate(files):
            file.write_text(calibrax_run(point(latency={"value": 20.0 + number})))
        for file in files[:3]:
            publish(tmp_path / "store", file, provenance=BUILD)
        store = connect(tmp_path / "store")
        keys = store.runs().collect()["run_key"].to_list()
        store.exclude(keys[:1], reason="a mistake", lifted=False, at=1, by="me")
        (said,) = publish(tmp_path / "store", files[3], provenance=BUILD).files
        (note,) = [note for note in said.notes if "its run id" in note]
        assert [f"{key:016x}" in note for key in keys] == [False, True, True]

    @pytest.mark.parametrize("count", [1, 2])
    @pytest.mark.parametrize("replace_", [False, True])
    def test_an_excluded_run(self, count: int, replace_: bool, tmp_path: Path) -> None:  # noqa: FBT001 a parameter
        """It is stored and in no answer, which each publish of it says."""
        files = FILES[:count]
        publish(tmp_path / "store", *files, provenance=BUILD)
        store = connect(tmp_path / "store")
        keys = store.runs().collect()["run_key"].to_list()
        store.exclude(keys[:1], reason="a bad\nmachine", lifted=False, at=1, by="me")
        again = publish(tmp_path / "store", *files, provenance=BUILD, replace=replace_)
        notes = [note for file in again.files for note in file.notes if "excluded" in note]
        assert notes == [
            f"this run is excluded (a bad\\nmachine), so no answer has it; 'bench-db run include {keys[0]:016x}' puts it back"
        ]

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

    def test_the_format_of_a_file_is_looked_for_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        looked = list[Path]()
        shown_by = registry._shown_by

        def counted(content: Content, *declared: Any) -> Adapter:
            looked.append(content.path)
            return shown_by(content, *declared)

        monkeypatch.setattr(registry, "_shown_by", counted)
        for number in range(3):
            output(tmp_path / "out" / f"{number}.json", number)
        assert publish(tmp_path / "store", tmp_path / "out", provenance=BUILD).new == 6
        assert sorted(looked) == sorted((tmp_path / "out").iterdir())

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


class TestUnnamed:
    """Results without a name of what was measured get a note, with the name that the file itself has for its repository."""

    @pytest.mark.parametrize(
        ("address", "proposed"),
        [
            ("https://github.com/owner/engine", "give --dut-name engine, as the file calls its repository, or"),
            ("https://git.example.com/group/sub/en.gine.git/", "give --dut-name en.gine, as the file calls its"),
            ("https://github.com/owner/a;rm", "give --dut-name, or"),
            ("https://github.com", "give --dut-name, or"),
            ("https://github.com/owner/-x", "give --dut-name, or"),
            (None, "give --dut-name, or"),
        ],
    )
    def test_the_repository_of_a_history(self, address: str | None, proposed: str, tmp_path: Path) -> None:
        entries = [
            {
                "commit": {"id": f"{at}" * 40},
                "date": 1_700_000_000_000 + at,
                "tool": "pytest",
                "benches": [{"name": "sum", "value": at, "unit": "iter/sec"}],
            }
            for at in (1, 2)
        ]
        text = json.dumps({"lastUpdate": 1, "repoUrl": address, "entries": {"suite": entries}})
        (tmp_path / "data.js").write_text(f"window.BENCHMARK_DATA = {text}")
        files = publish(tmp_path / "store", tmp_path / "data.js").files
        assert len(files) == 2
        assert all(any(proposed in note for note in file.notes) for file in files)
        assert all(any("history measured elsewhere, as in CI?" in note for note in file.notes) for file in files)
        named = publish(tmp_path / "named", tmp_path / "data.js", provenance=Provenance(dut_name="engine")).files
        assert not any("--dut-name" in note for file in named for note in file.notes)


class TestAttempts:
    """The results of a repeated job follow those of its first attempt, also of a tool that gives no time."""

    def test_the_newest_result_is_of_the_last_attempt(self, tmp_path: Path) -> None:
        file = tmp_path / "out.json"
        for number in range(8):
            for attempt in (1, 2, 3):
                output(file, 10 * number + attempt)
                build = replace(
                    BUILD,
                    commit=f"{number:040x}",
                    dut_timestamp=1 + number,
                    attempt=attempt,
                    ingested_at=10**9 + attempt,
                )
                publish(tmp_path / "store", file, provenance=build)
        store = connect(tmp_path / "store")
        last = store.trend("sum").group_by("commit", maintain_order=True).last()
        assert last["median"].to_list() == [10 * number + 4.5 for number in range(8)]
        assert store.trend("sum").group_by("commit", maintain_order=True).first()["run_time"].null_count() == 8
        assert store.latest().filter(benchmark_name="sum")["median"].to_list() == [74.5]
        assert store.verify().sound

    def test_the_newest_result_is_of_the_last_run(self, tmp_path: Path) -> None:
        """A run of the night follows the second attempt of the day before: each was measured when it was published."""
        file = tmp_path / "out.json"
        jobs = [("day", 1), ("day", 2), ("night", 1), ("day after", 1)]
        for turn, (run_id, attempt) in enumerate(jobs):
            output(file, 10 * turn)
            at = replace(BUILD, commit="a" * 40, run_id=run_id, attempt=attempt, ingested_at=10**9 + 3600 * turn)
            assert publish(tmp_path / "store", file, provenance=at).new == 2
        store = connect(tmp_path / "store")
        trend = store.trend("sum")
        assert trend["median"].to_list() == [1.5, 11.5, 21.5, 31.5]
        assert trend["run_time"].to_list() == trend["timestamp"].to_list()
        assert store.latest().filter(benchmark_name="sum")["median"].to_list() == [31.5]
        later = replace(BUILD, commit="a" * 40, run_id="another", ingested_at=10**9 + 10**5)
        again = publish(tmp_path / "store", file, provenance=later)
        assert (again.new, again.unchanged) == (0, 2)
        assert len(store.trend("sum")) == 4

    def test_a_file_without_a_job_has_no_time(self, tmp_path: Path) -> None:
        output(tmp_path / "out.json", 1)
        publish(tmp_path / "store", tmp_path / "out.json", provenance=replace(BUILD, commit="a" * 40))
        assert connect(tmp_path / "store").trend("sum")["run_time"].to_list() == [None]


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


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are parsed."""
    names: list[str] = []
    runs = Opened.runs

    def noted(opened: Opened, **how: Any) -> Any:
        names.append(opened._path.name)
        return runs(opened, **how)

    monkeypatch.setattr(Opened, "runs", noted)
    return names


@pytest.fixture
def small_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a look-up worth it for a single small file."""
    monkeypatch.setattr(app_publish, "_WORTH_A_LOOK", 0)


@pytest.mark.usefixtures("small_too")
class TestKnownFile:
    """A file whose run is stored in full is not parsed, and its answer is that of a publish that parses it."""

    @pytest.fixture
    def out(self, tmp_path: Path) -> Path:
        for number in range(3):
            output(tmp_path / "out" / f"{number}.json", number)
        return tmp_path / "out"

    def test_is_not_parsed(self, out: Path, tmp_path: Path, parsed: list[str]) -> None:
        store = tmp_path / "store"
        publish(store, out, provenance=BUILD)
        parsed.clear()
        output(out / "3.json", 3)
        again = publish(store, out, provenance=BUILD)
        assert (parsed, again.new, again.unchanged) == (["3.json"], 2, 6)
        assert publish(store, out, provenance=replace(BUILD, run_id="night", attempt=2)).unchanged == 8
        assert parsed == ["3.json"]
        assert publish(store, out / "1.json", provenance=BUILD, replace=True).files[0].replaced == 2
        assert parsed == ["3.json", "1.json"]

    def test_a_single_small_file_is_parsed(
        self, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsed: list[str]
    ) -> None:
        publish(tmp_path / "store", out, provenance=BUILD)
        parsed.clear()
        for least, expected in ((1, []), ((out / "1.json").stat().st_size + 1, ["1.json"])):
            monkeypatch.setattr(app_publish, "_WORTH_A_LOOK", least)
            assert publish(tmp_path / "store", out / "1.json", provenance=BUILD).unchanged == 2
            assert parsed == expected

    def test_what_is_missing_is_stored(self, out: Path, tmp_path: Path, parsed: list[str]) -> None:
        store = tmp_path / "store"
        publish(store, out, provenance=BUILD)
        rows = connect(store).scan(["run_key"]).collect()["run_key"].unique().to_list()
        engine = connect(store)._engine
        engine.delete(RESULTS_TABLE, f"{condition('run_key', rows[0])} AND {condition('benchmark_name', 'sum')}")
        engine.delete(RESULTS_TABLE, condition("run_key", rows[1]))
        parsed.clear()
        again = publish(store, out, provenance=BUILD)
        assert (len(parsed), again.new, again.unchanged) == (2, 3, 3)
        assert connect(store).scan(["run_key"]).collect().height == 6

    def test_a_run_that_is_removed_meanwhile(self, out: Path, tmp_path: Path, parsed: list[str]) -> None:
        store = tmp_path / "store"
        publish(store, out, provenance=BUILD)
        parsed.clear()

        def removing(done: int, _total: int, doing: str) -> None:
            if (done, doing) == (0, "storing"):
                connect(store).remove_runs(connect(store).scan(["run_key"]).collect()["run_key"].unique().to_list())

        again = publish(store, out, provenance=BUILD, progress=removing)
        assert (sorted(parsed), again.new) == (["0.json", "1.json", "2.json"], 6)
        assert connect(store).scan().collect().height == 6

    def test_a_run_that_the_same_publish_replaces(self, tmp_path: Path) -> None:
        """A file with samples completes the stored run of a file with statistics; both are then the one run."""
        samples, statistics = tmp_path / "a.json", tmp_path / "b.json"
        samples.write_text(json.dumps({"results": [{"benchmark_name": "x", "values_ns": [1, 2, 3, 4, 5]}]}))
        row = {"min": 1e-9, "max": 5e-9, "mean": 3e-9, "median": 3e-9, "stddev": 1.6e-9, "rounds": 5, "iterations": 1}
        stats = {**row, "q1": 2e-9, "q3": 4e-9}
        benchmark = {"name": "x", "fullname": "x", "group": None, "params": None, "extra_info": {}, "stats": stats}
        statistics.write_text(
            json.dumps({"benchmarks": [benchmark], "machine_info": {}, "commit_info": {}, "version": "4"})
        )
        bed = replace(BUILD, test_bed=TestBed(name="bed"), suite="s")
        answers = []
        for known in (True, False):
            store = tmp_path / f"store-{known}"
            assert publish(store, statistics, provenance=bed).new == 1
            with pytest.MonkeyPatch.context() as patch:
                if not known:
                    patch.setattr(app_publish._Place, "runs_of_files", lambda *_: [])
                answers.append(publish(store, samples, statistics, provenance=bed).document)
        assert answers[0] == answers[1]
        assert [(file["replaced"], file["unchanged"]) for file in answers[0]["published"]] == [(1, 0), (0, 1)]

    def test_changed_results_are_no_reading_of_the_file(self, out: Path, tmp_path: Path) -> None:
        ((run, results),) = Opened(out / "0.json", provenance=BUILD).runs(keyed=True)
        store = connect(tmp_path / "store", create=True)
        store.publish(results[:1], run)
        assert run.input_key is not None
        assert store.runs().collect()["input_key"].to_list() == [None]
        assert "with other results" in "".join(publish(store, out / "0.json", provenance=BUILD).files[0].notes)

    def test_a_store_that_cannot_be_reached_is_asked_once(
        self, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def gone(*_: object, **how: object) -> None:
            asked.append(how)
            message = "the bucket is gone"
            raise StoreUnavailableError(message)

        monkeypatch.setattr(stores, "connect", gone)
        with pytest.raises(StoreUnavailableError, match="the bucket is gone"):
            publish(tmp_path / "store", out, provenance=BUILD)
        assert len(asked) == 1

    def test_a_look_up_that_fails_is_left_to_the_publish(
        self, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsed: list[str]
    ) -> None:
        def damaged(*_: object) -> None:
            message = "a file is cut"
            raise BenchDbError(message)

        publish(tmp_path / "store", out, provenance=BUILD)
        parsed.clear()
        monkeypatch.setattr(connect(tmp_path / "store").__class__, "runs_of_files", damaged)
        assert publish(tmp_path / "store", out, provenance=BUILD).unchanged == 6
        assert len(parsed) == 3


@pytest.mark.usefixtures("small_too")
class TestKnownInCheckout:
    """The state of the checkout is part of what a publish depends on."""

    @pytest.fixture
    def history(self, tmp_path: Path) -> History:
        history = History(tmp_path / "checkout")
        history.commit(pyproject__toml='[project]\nname = "flax"\nversion = "1"\n', __gitignore="out\n")
        history.commit()
        output(history.path / "out" / "plain.json", 1)
        self.write(history, "named", history.git("rev-parse", "HEAD~1"))
        self.write(history, "current", history.git("rev-parse", "HEAD"))
        self.write(history, "strange", "d" * 40)
        return history

    def write(self, history: History, name: str, commit: str) -> None:
        """Write the output of pytest-benchmark for a commit."""
        stats = {
            "mean": 1.5,
            "median": 1.5,
            "min": 1,
            "max": 2,
            "stddev": 0.5,
            "q1": 1,
            "q3": 2,
            "rounds": 2,
            "iterations": 1,
        }
        benchmark = {"name": "x", "fullname": name, "group": None, "params": None, "extra_info": {}, "stats": stats}
        info = {"id": commit, "time": "2026-01-01T00:00:00+00:00", "branch": "main", "dirty": False}
        document = {"benchmarks": [benchmark], "machine_info": {}, "commit_info": info, "version": "4.0.0"}
        (history.path / "out" / f"{name}.json").write_text(json.dumps(document))

    def test_states(self, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsed: list[str]) -> None:
        head = history.git("rev-parse", "HEAD")
        merge = CiChange(commit=head, head_commit="e" * 40, branch="idea", pr_number=4)
        states: list[tuple[list[list[str]], CiChange | None]] = [
            ([], None),
            ([], None),
            ([], merge),
            ([], merge),
            ([["commit", "--quiet", "--allow-empty", "-m", "next"]], None),
            ([["checkout", "--quiet", "--detach"]], None),
            ([["update-ref", "refs/pull/9/head", "HEAD"]], None),
            ([["checkout", "--quiet", "-b", "idea", head]], None),
            ([["checkout", "--quiet", "main"], ["reset", "--quiet", "--hard", head]], None),
        ]
        counts = []
        for commands, change in states:
            for command in commands:
                history.git(*command)
            how = {"provenance": Provenance(change=change, ingested_at=1_800_000_000)}
            parsed.clear()
            mine = answered(tmp_path / "mine", [history.path / "out"], **how)
            counts.append(len(parsed))
            with monkeypatch.context() as patch:
                patch.setattr(app_publish._Place, "runs_of_files", lambda *_: [])
                assert mine == answered(tmp_path / "plain", [history.path / "out"], **how)
        # Only an equal state before makes a file known, but a file that names a commit depends on less.
        assert [counts[state] for state in (0, 1, 2, 3, 8)] == [4, 0, 4, 0, 0]
        assert all(counts[4:8])

    def test_a_commit_that_is_fetched_later(self, history: History, tmp_path: Path, parsed: list[str]) -> None:
        """The time of a commit is that of its checkout, which may get the commit after a first publish."""
        other = History(tmp_path / "other")
        other.git("pull", "--quiet", str(history.path), "main")
        commit = other.commit()
        self.write(history, "strange", commit)
        given = Provenance(dut_name="flax")
        publish(tmp_path / "store", history.path / "out/strange.json", provenance=given)
        parsed.clear()
        publish(tmp_path / "store", history.path / "out/strange.json", provenance=given)
        assert parsed == []
        history.git("fetch", "--quiet", str(other.path))
        publish(tmp_path / "store", history.path / "out/strange.json", provenance=given)
        assert parsed == ["strange.json"]


REAL = Path(__file__).parents[1] / "data"
NOT_PUBLISHED = {"releases", "mltraq"}


def outputs(directory: Path) -> list[Path]:
    """Write a file of every format, and return them with the real outputs of every tool."""
    written = []
    for name, text in SAMPLES.items():
        written.append(directory / name.replace("-", "_"))
        written[-1].write_text(text)
    return [*written, *(tool for tool in sorted(REAL.iterdir()) if tool.is_dir() and tool.name not in NOT_PUBLISHED)]


def facts(chance: random.Random) -> Provenance:
    """Return what a caller may state, each with a few values, so that some publishes repeat."""
    few: dict[str, list[Any]] = {
        "dut_name": ["a", "b"],
        "dut_version": ["1", "1+abcdef1"],
        "dut_timestamp": [1_700_000_000, 1_700_000_001],
        "commit": [None, "a" * 40],
        "branch": [None, "main", "idea"],
        "pr_number": [None, 7],
        "suite": [None, "s"],
        "tags": [{}, {"k": "v", "a": "b"}, {"a": "b", "k": "v"}],
        "directions": [{}, {"": Direction.HIGHER}],
        "run_id": [None, "one", "two"],
        "attempt": [1, 2],
        "workflow": [None, "nightly"],
        "test_bed": [None, TestBed(name="bed")],
        "test_bed_name": [None, "bed"],
        "test_bed_cpu": [None, "cpu"],
        "test_bed_class": ["machine", "name"],
        "facts_from": [None, FactsFrom(branch="^(.)")],
        "change": [None, CiChange(commit="b" * 40, branch="main", pr_number=3)],
    }
    fixed: dict[str, Any] = {
        "dut_name": "a",
        "dut_version": "1",
        "dut_timestamp": 1_700_000_000,
        "ingested_at": 1_700_000_100,
    }
    return Provenance(**fixed | {name: chance.choice(few[name]) for name in chance.sample(sorted(few), 3)})


def answered(store: Path, paths: list[Path], **how: Any) -> tuple[Publication | str, list[object]]:
    """Publish, and return the answer or the error, and what the store has."""
    answer: Publication | str
    try:
        answer = publish(store, *paths, keep_going=True, **how)
    except BenchDbError as error:
        answer = str(error)
    if not (store / "results.lance").exists():
        return answer, []
    engine = connect(store)._engine
    tables = (engine.open(table).rows().to_pylist() for table in (RUNS_TABLE, RESULTS_TABLE))
    return answer, [sorted(map(repr, rows)) for rows in tables]


@pytest.mark.slow
@pytest.mark.campaign("laws")
@pytest.mark.parametrize("case", rounds("laws", range(2), full=range(100)))
def test_the_answer_is_that_of_parsing(
    case: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsed: list[str]
) -> None:
    """Every format, with any facts and flags in any order: a store that looks for known files gets the same answers and rows."""
    chance = random.Random(case)
    (tmp_path / "files").mkdir()
    files = outputs(tmp_path / "files")
    stated = [facts(chance) for _ in range(2)]
    saved = 0
    for step in range(5):
        how: dict[str, Any] = {
            "provenance": stated[0] if step < 2 else chance.choice(stated),
            "keep_leftovers": chance.random() < 0.3,
        }
        how["replace"] = step == 4 and chance.random() < 0.5
        paths = files if step in {0, 1} else chance.sample(files, 12)
        parsed.clear()
        mine = answered(tmp_path / "mine", paths, **how)
        read = len(parsed)
        with monkeypatch.context() as patch:
            patch.setattr(app_publish._Place, "runs_of_files", lambda *_: [])
            parsed.clear()
            plain = answered(tmp_path / "plain", paths, **how)
        assert mine[0] == plain[0]
        assert mine[1] == plain[1]
        saved += len(parsed) - read
    assert saved > len(SAMPLES) / 2
