"""Publishing from the command line, hostile names included."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha1
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from bench_db import StoreNotFoundError, connect
from tests.cli.commands import environment
from tests.cli.conftest import bench_db

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.histories import History

pytestmark = pytest.mark.few(1)

HOSTILE = "it's \"x\" \\ ; DROP -- ' OR '1'='1 ünïcode"
BUILD = ("--dut-name", "d", "--dut-version", "1+abcdef1", "--dut-timestamp", "1700000000", "--test-bed-name", "ci")


def output_file(path: Path, *names: str, **stats: Any) -> Path:
    """Write a file of pytest-benchmark with three samples per benchmark."""
    given = {"data": [1e-6, 2e-6, 3e-6], "rounds": 3, "iterations": 1, **stats}
    data = {name: value for name, value in given.items() if value is not None}
    benchmarks = [{"name": name, "fullname": name, "stats": data} for name in names]
    document = {"machine_info": {"node": "n"}, "commit_info": {}, "benchmarks": benchmarks, "version": "5.3.1"}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


SAMPLES = [1.01e-6, 1.02e-6, 1.03e-6, 1.04e-6, 1.05e-6, 1.06e-6]
FULL = {
    "data": SAMPLES,
    "rounds": 6,
    "min": 1.01e-6,
    "max": 1.06e-6,
    "mean": 1.035e-6,
    "median": 1.035e-6,
    "q1": 1.02e-6,
    "q3": 1.05e-6,
    "stddev": 1.7e-8,
}


def published(file: Path, store: Path, *more: str) -> dict[str, Any]:
    """Publish a file with a known build and return the answer."""
    build = [word.partition("+")[0] for word in BUILD] if "--commit" in more else BUILD
    answer: dict[str, Any] = bench_db("publish", file, *build, "--store", store, *more, "--output", "json").document
    return answer


def stored(store: Path) -> list[dict[str, Any]]:
    """Return the commit, test bed, suite and tags of every stored result."""
    columns = "commit, test_bed_name, suite, tags_key, n, median"
    rows: list[dict[str, Any]] = bench_db(
        "query", f"select {columns} from results order by {columns}", "--all", "--store", store, "--output", "json"
    ).document
    return rows


OTHER_BYTES: dict[str, Callable[[str], str]] = {
    "indented": lambda text: json.dumps(json.loads(text), indent=4),
    "sorted keys": lambda text: json.dumps(json.loads(text), sort_keys=True),
    "other spellings of numbers": lambda text: text.replace("1.01e-06", "0.00000101").replace("1.02e-06", "102E-8"),
    "lines of Windows": lambda text: json.dumps(json.loads(text), indent=1).replace("\n", "\r\n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "other order of benchmarks": lambda text: json.dumps(
        {**json.loads(text), "benchmarks": json.loads(text)["benchmarks"][::-1]}
    ),
}


class TestSameMeasurements:
    """A run is what was measured: the same measurements in other bytes are the same run, and elsewhere they are another."""

    @pytest.mark.parametrize("change", OTHER_BYTES)
    def test_in_other_bytes(self, tmp_path: Path, change: str) -> None:
        store = tmp_path / "s"
        file = output_file(tmp_path / "f.json", "a", "b", **FULL)
        assert published(file, store)["new"] == 2
        other = tmp_path / "g.json"
        other.write_bytes(OTHER_BYTES[change](file.read_text()).encode())
        assert other.read_bytes() != file.read_bytes()
        again = published(other, store)
        assert (again["new"], again["unchanged"], again["published"][0]["notes"]) == (0, 2, [])
        assert len(stored(store)) == 2

    @pytest.mark.parametrize("samples_first", [True, False])
    def test_without_samples(self, tmp_path: Path, *, samples_first: bool) -> None:
        """`--benchmark-autosave` without `--benchmark-save-data` writes the statistics of what `--benchmark-json` has in full."""
        store = tmp_path / "s"
        files = [
            output_file(tmp_path / "full.json", "a", "b", **FULL),
            output_file(tmp_path / "auto.json", "a", "b", **{**FULL, "data": None}),
        ]
        for file in files if samples_first else files[::-1]:
            published(file, store)
        assert [row["n"] for row in stored(store)] == [6, 6]
        values = bench_db("query", "select values from results", "--store", store, "--output", "json").document
        assert [len(row["values"]) for row in values] == [6, 6]
        assert len(bench_db("query", "select * from runs", "--store", store, "--output", "json").document) == 1
        for file in files:
            assert (published(file, store)["new"], len(stored(store))) == (0, 2)

    @pytest.mark.parametrize("change", [{"min": 1.0e-6}, {"max": 1.07e-6}, {"rounds": 7}])
    def test_other_statistics_are_another_run(self, tmp_path: Path, change: dict[str, float]) -> None:
        store = tmp_path / "s"
        published(output_file(tmp_path / "full.json", "a", **FULL), store)
        other = output_file(tmp_path / "auto.json", "a", **{**FULL, "data": None, **change})
        assert published(other, store)["new"] == 1

    @pytest.mark.parametrize(
        "elsewhere",
        [
            ("--commit", "2" * 40),
            ("--suite", "release"),
            ("--tag", "allocator=jemalloc"),
            ("--test-bed-name", "other"),
            ("--dut-name", "other"),
            ("--pr", "7"),
        ],
        ids=lambda words: words[0],
    )
    def test_elsewhere(self, tmp_path: Path, elsewhere: tuple[str, str]) -> None:
        store = tmp_path / "s"
        file = tmp_path / "size.json"
        file.write_text('[{"name": "binary size", "unit": "bytes", "value": 1843200}]')
        said = ("--commit", "1" * 40)
        assert published(file, store, *said)["new"] == 1
        other = published(file, store, *said, *elsewhere)
        assert (other["new"], len(stored(store))) == (1, 2)
        notes = " ".join(other["published"][0]["notes"])
        is_other_series = elsewhere[0] in {"--suite", "--tag"}
        assert ("already stored as run" in notes) != is_other_series
        assert is_other_series or ("1" * 40 in notes and " on ci" in notes)
        for words in (said, (*said, *elsewhere)):
            assert (published(file, store, *words)["new"], len(stored(store))) == (0, 2)


class TestLeftovers:
    """A time with the samples of an earlier commit was not measured again: it is skipped, counted and named."""

    def test_at_another_commit(self, tmp_path: Path) -> None:
        store = tmp_path / "s"
        fresh = [2.01e-6, 2.02e-6, 2.03e-6, 2.04e-6, 2.05e-6]
        published(output_file(tmp_path / "1.json", "old", "read", **FULL), store, "--commit", "1" * 40)
        file = output_file(tmp_path / "2.json", "old", "read", **FULL)
        document = json.loads(file.read_text())
        document["benchmarks"][1]["stats"] = {"data": fresh, "rounds": 5, "iterations": 1}
        file.write_text(json.dumps(document))
        for new, unchanged in ((1, 0), (0, 1)):
            answer = published(file, store, "--commit", "2" * 40)
            (said,) = answer["published"]
            assert (said["new"], said["unchanged"], said["skipped"]) == (new, unchanged, {"leftover": 1})
            assert [note.partition(":")[0] for note in said["notes"]] == ["old"]
            assert "1" * 40 in said["notes"][0]
            assert "--keep-leftovers" in said["notes"][0]
        assert len(stored(store)) == 3
        runs = bench_db("query", "select results, skipped from runs", "--store", store, "--output", "json").document
        assert sorted(run["results"] for run in runs) == [1, 2]

    def test_all_of_a_file(self, tmp_path: Path) -> None:
        store = tmp_path / "s"
        file = output_file(tmp_path / "f.json", "a", "b", **FULL)
        published(file, store, "--commit", "1" * 40)
        (said,) = published(file, store, "--commit", "2" * 40)["published"]
        assert (said["new"], said["unchanged"], said["skipped"]) == (0, 0, {"leftover": 2})
        assert bench_db("has", "2" * 40, "--store", store).code == 1

    def test_kept_when_asked_for(self, tmp_path: Path) -> None:
        store = tmp_path / "s"
        file = output_file(tmp_path / "f.json", "a", **FULL)
        published(file, store, "--commit", "1" * 40)
        (said,) = published(file, store, "--commit", "2" * 40, "--keep-leftovers")["published"]
        assert (said["new"], said["skipped"]) == (1, {})
        assert len(stored(store)) == 2


class TestReplaceInAMatrix:
    """`--replace` takes out the earlier run of the same job, and leaves the other jobs of its CI run."""

    @pytest.mark.parametrize("axis", ["--test-bed-name", "--suite", "--tag", "--dut-name", "--commit"])
    def test_jobs_stay(self, tmp_path: Path, axis: str) -> None:
        store = tmp_path / "s"
        values = {"--tag": ("os=a", "os=b", "os=c"), "--commit": ("1" * 40, "2" * 40, "3" * 40)}.get(axis, "abc")
        for attempt in (1, 2):
            for number, value in enumerate(values):
                file = output_file(tmp_path / "results.json", "q", data=[1e-6 * (10 * attempt + number)], rounds=1)
                answer = published(file, store, "--run-id", "4711", "--replace", axis, value)
                assert answer["published"][0]["replaced"] == attempt - 1
        assert len(stored(store)) == 3
        assert len(bench_db("query", "select * from runs", "--store", store, "--output", "json").document) == 3


class TestPublish:
    """Parsed results are stored once; an unreadable file is named and does not change the store."""

    def test_a_file_without_any_result_says_why(self, tmp_path: Path) -> None:
        (tmp_path / "f.json").write_text('[{"name": "a", "unit": "ms", "value": "12,5"}]')
        answer = bench_db("publish", tmp_path / "f.json", *BUILD, "--store", tmp_path / "s")
        assert answer.code == 2
        assert answer.err.rstrip().endswith(
            "f.json: no benchmark in it could be read: a: skipped, not-a-number: '12,5' at $[0].value"
        )

    def test_twice(self, tmp_path: Path) -> None:
        file = output_file(tmp_path / "f.json", "a", "b")
        first, second = (
            bench_db("publish", file, *BUILD, "--store", tmp_path / "s", "--output", "json").document for _ in range(2)
        )
        assert (first["new"], first["unchanged"]) == (2, 0)
        assert (second["new"], second["unchanged"]) == (0, 2)
        assert first["published"][0].keys() >= {"path", "format", "run_id", "new", "unchanged", "skipped"}

    def test_dry_run_stores_nothing(self, tmp_path: Path) -> None:
        file = output_file(tmp_path / "f.json", "a")
        assert bench_db("publish", file, *BUILD, "--dry-run", "--store", tmp_path / "s").code == 0
        assert not (tmp_path / "s").exists()

    def test_a_bad_file_among_good_ones_leaves_no_store(self, tmp_path: Path) -> None:
        good = output_file(tmp_path / "good.json", "a")
        bad = tmp_path / "bad.json"
        bad.write_text('{"benchmarks": [', encoding="utf-8")
        answer = bench_db("publish", good, bad, "--format", "pytest-benchmark", *BUILD, "--store", tmp_path / "s")
        assert (answer.code, str(bad) in answer.err) == (2, True)
        assert not (tmp_path / "s").exists()

    def test_keep_going_stores_the_rest_and_ends_with_2(self, tmp_path: Path) -> None:
        good = output_file(tmp_path / "good.json", "a")
        bad = tmp_path / "bad.json"
        bad.touch()
        answer = bench_db("publish", good, bad, *BUILD, "--keep-going", "--store", tmp_path / "s", "--output", "json")
        assert (answer.code, answer.document["new"]) == (2, 1)
        assert [file["path"] for file in answer.document["unreadable"]] == [str(bad)]
        refused = bench_db("publish", bad, bad, *BUILD, "--store", tmp_path / "t")
        assert (refused.code, "publish the others with --keep-going" in refused.err) == (2, True)

    def test_standard_input_has_the_identity_of_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)  # standard input is in the working directory, whose bench-db.toml names suites
        file = output_file(tmp_path / "f.json", "a")
        bench_db("publish", file, *BUILD, "--store", tmp_path / "s")
        with file.open() as stdin, mock.patch.object(sys, "stdin", stdin):
            answer = bench_db("publish", "-", *BUILD, "--store", tmp_path / "s", "--output", "json").document
        assert (answer["unchanged"], answer["published"][0]["path"]) == (1, "stdin")

    def test_a_pipe_without_a_writer_ends_at_the_deadline(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        answer = bench_db("publish", tmp_path / "pipe", "--deadline", "0.1", *BUILD, "--store", tmp_path / "s")
        assert (answer.code, "within 0.1 s" in answer.err) == (2, True)

    def test_a_history_is_a_run_for_each_commit(self, tmp_path: Path) -> None:
        rows = ["time,commit,p99", "1700000000,aaaaaa0,5", "1700000001,aaaaaa1,6"]
        file, store = tmp_path / "web.csv", ("--store", tmp_path / "s", "--output", "json")
        said = ("--dut-name", "d", "--test-bed-name", "ci", "--direction", "p99=lower")
        for new, unchanged in ((2, 0), (1, 2)):
            file.write_text("\n".join(rows))
            first = bench_db("publish", file, *said, *store).document
            assert (first["new"], first["unchanged"], first["published"][0]["path"]) == (new, unchanged, str(file))
            assert [run["part"] for run in first["published"]][:2] == ["aaaaaa0@1700000000", "aaaaaa1@1700000001"]
            rows.append("1700000002,aaaaaa2,7")
        points = bench_db("trend", "web", "--metric", "p99", *store).document
        assert [(point["commit"], point["median"]) for point in points] == [
            ("aaaaaa0", 5),
            ("aaaaaa1", 6),
            ("aaaaaa2", 7),
        ]
        text = bench_db("publish", file, *said, "--store", tmp_path / "s").out
        assert f"{file}#aaaaaa1@1700000001: otava, 0 new, 1 unchanged" in text

    def test_a_direction_that_is_not_stored_is_said(self, tmp_path: Path) -> None:
        file, store = output_file(tmp_path / "f.json", "a"), tmp_path / "s"
        assert published(file, store)["new"] == 1
        again = published(file, store, "--direction", "time=higher")["published"][0]
        assert (again["new"], again["unchanged"]) == (0, 1)
        assert again["notes"][-1].startswith(
            "stored already with another direction than the stated one (time as lower)"
        )
        assert published(file, store, "--direction", "lower")["published"][0]["notes"] == again["notes"][:-1]

    def test_each_of_many_files_says_it(self, tmp_path: Path) -> None:
        files, store = tmp_path / "files", tmp_path / "s"
        files.mkdir()
        for number in range(12):
            output_file(files / f"{number}.json", f"b{number}")
        assert published(files, store)["new"] == 12
        again = published(files, store, "--direction", "higher")["published"]
        assert [any("another direction" in note for note in file["notes"]) for file in again] == [True] * 12

    @pytest.mark.parametrize("way", ["up", "p99=", "p99=up", "=", ""])
    def test_a_direction_is_one_of_three(self, tmp_path: Path, way: str) -> None:
        file = output_file(tmp_path / "f.json", "a")
        answer = bench_db("publish", file, *BUILD, "--direction", way, "--store", tmp_path / "s")
        assert (answer.code, "lower, higher, info" in answer.err) == (2, True)

    def test_a_bad_benchmark_is_named(self, tmp_path: Path) -> None:
        file = output_file(tmp_path / "f.json", "good")
        document = json.loads(file.read_text())
        document["benchmarks"].append({"fullname": "bad", "stats": {"data": [-1.0], "rounds": 1}})
        file.write_text(json.dumps(document))
        answer = bench_db("publish", file, *BUILD, "--store", tmp_path / "s")
        assert (answer.code, "bad: skipped, negative-time" in answer.out) == (0, True)

    def test_unknown_build(self, tmp_path: Path) -> None:
        answer = bench_db("publish", output_file(tmp_path / "f.json", "a"), "--store", tmp_path / "s")
        assert (answer.code, "--dut-version" in answer.err) == (2, True)

    def test_a_corrected_file_replaces_the_run(self, tmp_path: Path) -> None:
        store = ("--store", tmp_path / "s", "--run-id", "ci-1", *BUILD)
        assert bench_db("publish", output_file(tmp_path / "f.json", "a", "wrong"), *store).code == 0
        answer = bench_db("publish", output_file(tmp_path / "f.json", "a"), *store, "--replace", "--output", "json")
        assert answer.document["published"][0]["replaced"] == 2
        rows = bench_db("latest", "--store", tmp_path / "s", "--output", "json").document
        assert [row["benchmark_name"] for row in rows] == ["a"]


class TestFacts:
    """Flags are checked, the checkout resolves names, and CI says what is checked out."""

    @pytest.mark.parametrize(
        ("flags", "reason"),
        [
            (("--dut-timestamp", "1700000000000"), "these are milliseconds"),
            (
                ("--dut-timestamp", "2099-01-01"),
                "--dut-timestamp 4070908800: 2099-01-01T00:00:00Z is more than a year from now",
            ),
            (("--dut-timestamp", "1950-01-01"), "it is before 1970"),
            (("--commit", "nowhere"), "--commit nowhere: not a full sha"),
            (("--commit-from", "(f)[.]"), "--commit f: not a full sha"),
            (("--pr", "0"), "--pr"),
        ],
    )
    def test_refused(self, tmp_path: Path, flags: tuple[str, ...], reason: str) -> None:
        file = output_file(tmp_path / "f.json", "a")
        answer = bench_db("publish", file, *flags, "--dut-version", "1", "--store", tmp_path / "s")
        assert (answer.code, reason in answer.err) == (2, True), answer.err
        assert not (tmp_path / "s").exists()

    def test_directory_of_files_of_many_commits(self, tmp_path: Path) -> None:
        shas = ["a" * 40, "b" * 40]
        for day, sha in enumerate(shas, 1):
            output_file(tmp_path / f"2026-01-0{day}-{sha}.json", "a")
        where = ("--commit-from", "-([0-9a-f]{40})[.]json", "--dut-timestamp-from", "^([0-9]{4}-[0-9]{2}-[0-9]{2})")
        store = ("--store", tmp_path / "s")
        answer = bench_db(
            "publish", *sorted(tmp_path.glob("*.json")), *where, "--dut-name", "d", "--test-bed-name", "t", *store
        )
        assert answer.code == 0, answer.err
        points = bench_db("trend", "a", *store, "--output", "json").document
        assert [(point["commit"], point["timestamp"]) for point in points] == [
            (shas[0], 1767225600), (shas[1], 1767312000),
        ]  # fmt: skip

    def test_pull_request_in_ci(self, history: History, tmp_path: Path) -> None:
        history.commit("main", pyproject__toml='[project]\nname = "proj"\nversion = "1.0"\n')
        history.git("checkout", "-q", "-b", "fork")
        head = history.commit("pull request", f="x")
        history.git("checkout", "-q", "--detach", "main")
        history.git("merge", "-q", "--no-ff", "fork", "-m", "Merge into main")
        merge = history.git("rev-parse", "HEAD")
        ci = {
            "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/pull/12/merge", "GITHUB_HEAD_REF": "fork", "GITHUB_SHA": merge,
            "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REPOSITORY": "o/p", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "1",
        }  # fmt: skip
        file = output_file(history.path / "p.json", "a")
        assert bench_db("publish", file, "--test-bed-name", "t", "--store", tmp_path / "s", **ci).code == 0
        [run] = bench_db(
            "query",
            "select commit, merge_commit, branch, pr_number, run_id from runs",
            "--all",
            "--store",
            tmp_path / "s",
            "--output",
            "json",
        ).document
        assert run == {"commit": head, "merge_commit": merge, "branch": "fork", "pr_number": 12, "run_id": "77"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a store with a hostile name in it."""
    path = tmp_path_factory.mktemp("hostile")
    file = output_file(path / "f.json", HOSTILE, "innocent")
    assert bench_db("publish", file, *BUILD, "--store", path / "s").code == 0
    return path / "s"


class TestHostileName:
    """A hostile name is found by its own text, appears in every output and harms none."""

    @pytest.mark.parametrize("verb", ["latest", "summary"])
    def test_lists(self, store: Path, verb: str) -> None:
        rows = bench_db(verb, "--benchmark", HOSTILE, "--store", store, "--output", "json").document
        assert [row["benchmark_name"] for row in rows] == [HOSTILE]
        assert HOSTILE in bench_db(verb, "--store", store).out

    @pytest.mark.parametrize("verb", ["trend", "detect"])
    def test_by_name(self, store: Path, verb: str) -> None:
        assert HOSTILE in bench_db(verb, HOSTILE, "--store", store).out

    def test_sql(self, store: Path) -> None:
        quoted = HOSTILE.replace("'", "''")
        rows = bench_db(
            "query", "--filter", f"benchmark_name = '{quoted}'", "--store", store, "--output", "json"
        ).document
        assert [row["benchmark_name"] for row in rows] == [HOSTILE]

    @pytest.mark.parametrize("verb", [("compare", "abcdef1", "--all"), ("noise",)])
    def test_verdicts(self, store: Path, verb: tuple[str, ...]) -> None:
        assert HOSTILE in bench_db(*verb, "--store", store).out

    def test_site(self, store: Path, tmp_path: Path) -> None:
        assert bench_db("site", tmp_path / "site", "--store", store).code == 0
        assert any("ünïcode" in file.read_text(encoding="utf-8") for file in (tmp_path / "site").rglob("*.js"))


_SMALL_BATCHES = "from bench_db.store import publish; publish._BATCH_RUNS = 10; from bench_db.cli import main; main()"


class TestHistory:
    """The files of a directory are a run each, by its own commit; a killed import continues where it was."""

    FILES = 300

    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        directory = tmp_path / "out"
        directory.mkdir()
        for number in range(self.FILES):
            rows = [{"benchmark_name": name, "values_ns": [number + 1, number + 2]} for name in ("sum", "sort")]
            sha = sha1(str(number).encode(), usedforsecurity=False).hexdigest()
            (directory / f"{number:03}-{sha}.json").write_text(json.dumps({"results": rows}))
        return directory

    @staticmethod
    def flags(store: Path) -> list[str]:
        stated = ("--dut-name", "d", "--dut-timestamp", "1700000000", "--test-bed-name", "ci")
        return [*stated, "--commit-from", "-([0-9a-f]+)[.]json", "--store", str(store), "--output", "json"]

    @pytest.mark.slow
    def test_killed(self, files: Path, tmp_path: Path) -> None:
        store = tmp_path / "store"
        command = [sys.executable, "-c", _SMALL_BATCHES, "publish", str(files), *self.flags(store)]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as importing:
            while self._version(store) < 4:
                assert importing.poll() is None
                time.sleep(0.01)
            importing.kill()
        assert importing.returncode == -signal.SIGKILL
        database = connect(store)
        there = database.scan(["run_key"], everything=True).collect()["run_key"].value_counts()
        assert set(there["count"].to_list()) == {2}
        assert 0 < len(there) < self.FILES
        assert [problem for problem in database.verify().problems if not problem.harmless] == []
        answer = bench_db("publish", files, *self.flags(store)).document
        assert (answer["new"], answer["unchanged"]) == (2 * (self.FILES - len(there)), 2 * len(there))
        bench_db("publish", files, *self.flags(tmp_path / "other"))
        assert stored(store) == stored(tmp_path / "other")
        assert len(stored(store)) == 2 * self.FILES
        assert database.verify().sound

    @staticmethod
    def _version(store: Path) -> int:
        """Return the version of the results; 0 while the store is being made."""
        try:
            return connect(store).version
        except StoreNotFoundError:
            return 0

    def test_the_summary(self, files: Path, tmp_path: Path) -> None:
        done = bench_db("publish", files, *self.flags(tmp_path / "s")[:-2])
        assert done.out.splitlines()[-1] == f"{self.FILES} runs: {2 * self.FILES} new, 0 unchanged"
        assert len(done.out.splitlines()) < 10
