from __future__ import annotations

import platform
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UserError
from bench_db.identity import commit_of_version
from bench_db.ingest import Measurement, Provenance, Reading, Skip, SkipReason, normalise, this_machine
from bench_db.ingest.host import Build
from bench_db.model import DutBuild, Result, Run, Samples, TestBed
from bench_db.units import Direction
from tests.ingest.support import FIXED, pytest_benchmark, pytest_file, read

if TYPE_CHECKING:
    from pathlib import Path

FILE = TestBed(name="from-file", cpu="file cpu", os="Linux 5")
READING = Reading(
    source="x/1",
    context='{"a":1}',
    measurements=(Measurement(benchmark_name="b", suite="own", values=Samples([1.0, 3.0]), tags={"k": "1"}),),
    run_time=50,
    commit="c" * 40,
    branch="file-branch",
    version="file-version",
    commit_time=40,
    node="from-file",
    test_bed=FILE,
)
NOTHING = Provenance()
BARE = Reading(source="x/1", measurements=READING.measurements)


def normal(reading: Reading = READING, provenance: Provenance = NOTHING, **more: Any) -> tuple[Run, list[Result]]:
    return normalise(reading, file_name="f.json", sha256="ab" * 32, format="x", provenance=provenance, **more)


class TestCheckout:
    """A path is a text or a `Path`, as everywhere."""

    def test_a_text(self, tmp_path: Path) -> None:
        assert Provenance(checkout=str(tmp_path)) == Provenance(checkout=tmp_path)  # type: ignore[arg-type]


class TestTimes:
    """A commit dated after it was measured is ordered as made then, which its date does not show."""

    def test_a_commit_dated_after_its_run_began(self) -> None:
        said = (
            "the commit is dated 1970-01-01 00:00:51 UTC, after its run began at 1970-01-01 00:00:50 UTC, and is ordered as made then; "
            "check --dut-timestamp and the clocks of both machines"
        )
        for reading, notes in (
            (replace(READING, commit_time=51), [said]),
            (replace(READING, commit_time=50), []),
            (replace(READING, commit_time=51, run_time=None), []),
            (replace(READING, commit_time=51, commit=None), []),
        ):
            assert [note for note in normal(reading)[0].notes if "is dated" in note] == notes
        published = Provenance(dut_timestamp=70, measured_at=60)
        notes = list(normal(replace(READING, run_time=None), published)[0].notes)
        assert any("after its run began at 1970-01-01 00:01:00 UTC" in note for note in notes)


class TestPrecedence:
    """The caller precedes the file, the file precedes the checkout, the checkout precedes "unknown"."""

    BUILD = Build(name="lib", version="1.0+ddddddd", commit="d" * 40, branch="dev", timestamp=30)

    def test_caller(self) -> None:
        said = Provenance(
            dut_name="n", dut_version="v", dut_timestamp=0, test_bed=TestBed(name="tb"), test_bed_name="better",
            commit="e" * 40, branch="br", pr_number=7, suite="", tags={"k": "2", "l": "3"}, run_id="r", attempt=2,
            repository="o/r", workflow="w", run_url="u", ingested_at=99,
        )  # fmt: skip
        run, [result] = normal(READING, said, build=self.BUILD)
        assert run.dut == DutBuild(name="n", version="v", timestamp=0)
        assert run.test_bed == TestBed(name="better")
        assert (run.commit, run.branch, run.pr_number, run.run_id, run.attempt) == ("e" * 40, "br", 7, "r", 2)
        assert (run.repository, run.workflow, run.run_url, run.ingested_at) == ("o/r", "w", "u", 99)
        assert (result.suite, result.tags, result.timestamp) == ("", {"k": "2", "l": "3"}, 99)

    def test_file(self) -> None:
        run, [result] = normal(READING, Provenance(), build=self.BUILD)
        assert run.dut == DutBuild(name="lib", version="file-version", timestamp=40)
        assert (run.test_bed, run.commit, run.branch, run.run_time) == (FILE, "c" * 40, "file-branch", 50)
        assert (result.suite, result.tags, result.run_time, result.source) == ("own", {"k": "1"}, 50, "x/1")

    def test_checkout(self) -> None:
        run, _ = normal(BARE, Provenance(), build=self.BUILD)
        assert run.dut == DutBuild(name="lib", version="1.0+ddddddd", timestamp=30)
        assert (run.commit, run.branch) == ("d" * 40, "dev")

    @pytest.mark.parametrize("none", ["HEAD", "(detached head)", "refs/heads/HEAD", ""])
    def test_a_checkout_at_no_branch_is_not_on_one(self, none: str) -> None:
        of_file = replace(READING, branch=none)
        assert normal(of_file, build=self.BUILD)[0].branch == "dev"
        assert normal(of_file, Provenance(branch=none))[0].branch is None
        assert normal(READING, Provenance(branch=none))[0].branch == "file-branch"

    def test_a_reference_is_the_branch(self) -> None:
        assert normal(replace(READING, branch="refs/heads/a/b"))[0].branch == "a/b"
        assert normal(READING, Provenance(branch="refs/heads/main"))[0].branch == "main"

    def test_default(self) -> None:
        run, _ = normal(BARE)
        assert run.dut == DutBuild(name="unknown", version="unknown", timestamp=0)
        assert (run.commit, run.branch, run.run_time, run.test_bed) == (None, None, None, this_machine())

    def test_a_stated_time_that_is_that_of_the_run_is_known(self) -> None:
        dated = replace(READING, commit_time=None)
        assert any("not known" in note for note in normal(dated)[0].notes)
        stated = normal(dated, Provenance(dut_timestamp=50))[0]
        assert (stated.dut.timestamp, [note for note in stated.notes if "not known" in note]) == (50, [])

    def test_version_of_a_known_commit(self) -> None:
        assert normal(replace(READING, version=None))[0].dut.version == "ccccccc"

    def test_commit_of_a_known_version(self) -> None:
        assert normal(BARE, Provenance(dut_version="0.15.0+ABC1234"))[0].commit == "abc1234"


class TestCommitInVersion:
    """Only a hexadecimal build part of 7 to 40 digits is a commit."""

    @pytest.mark.parametrize(
        ("version", "commit"),
        [
            ("0.15.0+abc1234", "abc1234"),
            ("1+" + "a" * 40, "a" * 40),
            ("1+2.gabc", None),
            ("1+abc123", None),
            ("1+" + "a" * 41, None),
            ("1+xyz1234", None),
            ("abc1234", None),
            ("", None),
        ],
    )
    def test_versions(self, version: str, commit: str | None) -> None:
        assert commit_of_version(version) == commit


class TestDirections:
    """A direction of the caller for a metric precedes the tool; one without a metric applies to all others."""

    MEASUREMENTS = tuple(
        Measurement(benchmark_name="b", metric=metric, values=Samples([1.0]), direction=Direction.INFO)
        for metric in "ab"
    )

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ({}, ["info", "info"]),
            ({"a": Direction.HIGHER}, ["higher", "info"]),
            ({"": Direction.LOWER}, ["lower", "lower"]),
            ({"": Direction.LOWER, "b": Direction.HIGHER, "c": Direction.INFO}, ["lower", "higher"]),
        ],
    )
    def test_directions(self, said: dict[str, Direction], expected: list[str]) -> None:
        _, results = normal(replace(READING, measurements=self.MEASUREMENTS), Provenance(directions=said))
        assert [r.direction.value for r in results] == expected


class TestDeclaredSuite:
    """One suite for a file with several adds a tag to results that only differ by suite, in any order."""

    MEASUREMENTS = tuple(
        Measurement(benchmark_name=name, suite=suite, values=Samples([value]), tags={"k": "1"})
        for name, suite, value in (("b", "x", 1.0), ("b", "y", 2.0), ("c", "x", 3.0), ("b", "", 4.0))
    )

    def test_tags(self) -> None:
        for measurements in (self.MEASUREMENTS, self.MEASUREMENTS[::-1]):
            run, results = normal(replace(READING, measurements=measurements), Provenance(suite="all"))
            assert {(r.benchmark_name, r.tags.get("group"), r.values[0]) for r in results} == {
                ("b", "x", 1.0), ("b", "y", 2.0), ("c", None, 3.0), ("b", None, 4.0),
            }  # fmt: skip
            assert {r.suite for r in results} == {"all"}
            assert not any("occurs again" in note for note in run.notes)

    def test_suites_of_the_file_need_no_tag(self) -> None:
        _, results = normal(replace(READING, measurements=self.MEASUREMENTS))
        assert [(r.suite, dict(r.tags)) for r in results] == [(m.suite, {"k": "1"}) for m in self.MEASUREMENTS]


class TestContradictions:
    """Statistics that contradict each other are skipped with the reason; the other benchmarks are kept."""

    def test_skipped(self, tmp_path: Path) -> None:
        wrong = ({"min": 2.5}, {"stddev": -1.0}, {"max": 0.5})
        files = [pytest_benchmark(f"b{i}", None, **changes) for i, changes in enumerate(wrong)]
        run, results = read(tmp_path / "f", pytest_file(pytest_benchmark("good", None), *files))
        assert [r.benchmark_name for r in results] == ["good"]
        assert sum(run.skipped.values()) == 3
        assert "b0: skipped, contradictory-statistics: time: min 2.5e+09 is above q1 1.5e+09" in "\n".join(run.notes)


class TestTestBed:
    """The machine is that of the file; it is this machine only if they match or the file has none."""

    def test_name_alone_is_replaced(self) -> None:
        assert normal(READING, Provenance(test_bed_name="ci"))[0].test_bed == replace(FILE, name="ci")

    def test_this_machine_knows_more_of_itself_than_its_file(self, tmp_path: Path) -> None:
        machine = {
            "node": platform.node(),
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
        }
        run, _ = read(tmp_path / "f", pytest_file(pytest_benchmark(), machine_info=machine), Provenance(ingested_at=1))
        assert run.test_bed == this_machine()

    def test_another_machine_of_the_same_name_is_not_this_one(self, tmp_path: Path) -> None:
        machine = {
            "node": platform.node(),
            "system": platform.system(),
            "release": "0.0.1",
            "machine": platform.machine(),
        }
        run, _ = read(tmp_path / "f", pytest_file(pytest_benchmark(), machine_info=machine), Provenance(ingested_at=1))
        assert run.test_bed.os.endswith(" 0.0.1")

    def test_throw_away_name_does_not_identify(self, tmp_path: Path) -> None:
        beds = set()
        for node in ("0123456789ab", "ba9876543210"):
            machine = {"node": node, "system": "Linux", "machine": "x86_64", "processor": "p"}
            beds.add(
                read(tmp_path / "f", pytest_file(pytest_benchmark(), machine_info=machine), Provenance(ingested_at=1))[
                    0
                ].test_bed
            )
        assert {bed.name for bed in beds} == {"Linux-x86_64"}

    def test_this_machine_is_assumed_with_a_note(self) -> None:
        run, _ = normal(BARE, Provenance(test_bed_name="ci"))
        here = this_machine()
        assert run.test_bed == replace(here, name="ci")
        assert any(f"assumed to be this one: {here.cpu}" in note for note in run.notes)
        for provenance, reading in ((Provenance(test_bed=FILE), BARE), (Provenance(), READING)):
            assert not any("assumed" in note for note in normal(reading, provenance)[0].notes)

    def test_a_history_is_asked_where_it_was_measured(self) -> None:
        run, _ = normal(replace(BARE, part="1", digest="d"))
        assert run.test_bed == this_machine()
        (note,) = (note for note in run.notes if "assumed to be this one" in note)
        assert "measured elsewhere, as in CI? Give --test-bed-name and --test-bed-cpu" in note
        assert not any("--test-bed-cpu" in note for note in normal(BARE)[0].notes)

    def test_file_of_another_machine_does_not_get_this_one(self) -> None:
        run, _ = normal(replace(BARE, node="fv-az123-456"))
        assert run.test_bed == TestBed(name="unknown")
        assert any(note.startswith("measured on fv-az123-456, not on this machine") for note in run.notes)
        assert normal(replace(BARE, node="0123456789ab"))[0].test_bed == this_machine()

    def test_stated_attributes(self) -> None:
        stated = Provenance(test_bed_name="lab", test_bed_cpu="M4", test_bed_memory_gb=16, test_bed_os="Darwin 24")
        expected = TestBed(name="lab", cpu="M4", memory_gb=16, os="Darwin 24")
        assert normal(BARE, stated)[0].test_bed == expected
        assert normal(READING, stated)[0].test_bed == expected
        run, _ = normal(BARE, Provenance(test_bed_cpu="M4"))
        assert (run.test_bed, run.notes) == (TestBed(name="unknown", cpu="M4"), ())
        assert normal(READING, Provenance(test_bed_cpu="M4"))[0].test_bed == replace(FILE, cpu="M4")

    def test_class_is_one_of_two(self) -> None:
        assert normal(READING, Provenance(test_bed_class="name"))[0].test_bed_class == "name"
        with pytest.raises(UserError, match="must be one of machine, name"):
            normal(READING, Provenance(test_bed_class="cpu"))


class TestRun:
    """The identity of a run is its content, and its notes name what was skipped."""

    def test_reading_twice_gives_the_same(self, tmp_path: Path) -> None:
        assert read(tmp_path / "f", pytest_file(pytest_benchmark())) == read(tmp_path / "f")

    def test_provenance_of_the_job_is_no_identity(self) -> None:
        first, second = (
            normal(READING, Provenance(run_id=i, attempt=a, ingested_at=a))[0] for i, a in (("1", 1), ("2", 2))
        )
        assert first.run_key == second.run_key

    def test_run_id_without_one_follows_content_device_and_bed(self) -> None:
        ids = [
            normal(READING, p)[0].run_id
            for p in (Provenance(), Provenance(dut_name="n"), Provenance(test_bed_name="t"))
        ]
        assert len(set(ids)) == 3
        assert all(len(i) == 16 and int(i, 16) >= 0 for i in ids)
        assert normal(READING)[0].run_id == ids[0]

    @pytest.mark.parametrize("path", ["/" + "home/me/secret/f.json", "C:\\Users\\me\\f.json", "f.json"])
    def test_no_path_of_the_machine_is_kept(self, path: str) -> None:
        run, _ = normalise(READING, file_name=path, sha256="", format="x", provenance=Provenance())
        assert run.file_name == "f.json"

    def test_skips_are_counted_and_named(self) -> None:
        skips = tuple(Skip(benchmark=n, reason=SkipReason.NO_NAME, detail="d") for n in "xy")
        run, results = normal(replace(READING, skips=skips, notes=("first",)))
        assert (run.skipped, run.results, len(results)) == ({"no-name": 2}, 1, 1)
        assert run.notes == ("first", "x: skipped, no-name: d", "y: skipped, no-name: d")

    def test_ingested_now_unless_said(self, tmp_path: Path) -> None:
        run, _ = read(tmp_path / "f", pytest_file(pytest_benchmark()), Provenance())
        assert run.ingested_at > 1_700_000_000
        assert read(tmp_path / "f")[0].ingested_at == FIXED.ingested_at

    def test_many_small_and_large_measurements_are_summarised_alike(self) -> None:
        sizes = [1, 200_000, 3, 131_072, 2]
        measurements = tuple(
            Measurement(benchmark_name=f"b{s}", values=Samples(float(i) for i in range(s))) for s in sizes
        )
        _, results = normal(replace(READING, measurements=measurements))
        assert [(r.n, r.summary.median if r.summary else None) for r in results] == [(s, (s - 1) / 2) for s in sizes]
