"""Baselines for a device, a test bed or a branch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import bench_db as api
from bench_db import Baseline, UserError, check, compare, connect
from tests.cli.asking import AT, compared, nine_commits, refused, wobble
from tests.cli.conftest import bench_db
from tests.cli.kinds import BED, entry, publish, publish_all, sha

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db import Database as Answers
    from bench_db.store.database import Database
    from tests.support.histories import History

CLONES = {"bench-db.toml": '[project]\nname = "{}"\n', "pyproject.toml": '[project]\nname = "{}"\n'}
OTHER_BED = replace(BED, name="ci-2")


@pytest.fixture
def store(tmp_path: Path) -> Database:
    return nine_commits(tmp_path / "store")


class TestScope:
    """A setting holds for the device, test bed and branch it names."""

    @pytest.fixture
    def beds(self, store: Database) -> Database:
        """On either bed the level rose at commit 5; the newest commit is of two beds and two branches."""
        levels = [{"g": wobble(number, 100 if number < 5 else 120)} for number in range(9)]
        beds = (BED, OTHER_BED)
        publish_all(store, [entry(n, level, bed=bed, suite="s") for n, level in enumerate(levels) for bed in beds])
        publish(store, 9, {"g": 120.0}, bed=BED, suite="s", branch="topic")
        publish(store, 9, {"g": 120.0}, bed=OTHER_BED, suite="s", branch="topic")
        return store

    def verdicts(self, store: Database, *more: object) -> dict[str, str]:
        words = ("check", sha(9), "--threshold", 5, "--suite", "s", *more)
        rows = bench_db(*words, "--store", store.uri, "--output", "json").document["comparisons"]
        return {row["testbed_name"]: row["verdict"] for row in rows}

    def test_each_test_bed_has_its_own(self, beds: Database) -> None:
        bench_db("baseline", "set", "main", sha(8), "--store", beds.uri)
        assert self.verdicts(beds) == {"ci-1": "unchanged", "ci-2": "unchanged"}
        bench_db("baseline", "set", "main", sha(4), "--test-bed-name", "ci-2", "--store", beds.uri)
        assert self.verdicts(beds) == {"ci-1": "unchanged", "ci-2": "regressed"}

    def test_one_without_a_setting_is_new(self, beds: Database) -> None:
        bench_db("baseline", "set", "main", sha(8), "--test-bed-name", "ci-2", "--store", beds.uri)
        assert self.verdicts(beds) == {"ci-1": "new", "ci-2": "unchanged"}

    def test_the_test_too_keeps_to_it(self, beds: Database) -> None:
        bench_db("baseline", "set", "main", sha(4), "--test-bed-name", "ci-2", "--store", beds.uri)
        bench_db("baseline", "set", "main", sha(8), "--store", beds.uri)
        words = ("compare", sha(9), "--baseline", "main", "--suite", "s", "--store", beds.uri, "--output", "json")
        document = bench_db(*words).document
        rows = {row["testbed_name"]: row for row in document["comparisons"]}
        assert rows["ci-2"]["verdict"] == "regressed"
        assert (rows["ci-2"]["n_baseline"], rows["ci-1"]["n_baseline"]) == (5, 9)
        assert document["baseline"] == f"main ({sha(8)[:9]}), main ({sha(4)[:9]} for test bed ci-2)"

    def test_the_candidate_itself_is_no_baseline(self, store: Database) -> None:
        """The branch `main` points to the newest commit, which `check` judges by default."""
        words = ("check", sha(8), "--baseline", sha(8), "--store", store.uri)
        assert bench_db(*words, "--output", "json").document["baseline"] == "the runs before it"
        assert f"{sha(8)[:9]} against the runs before it: " in bench_db(*words).out

    def test_the_branch_of_the_candidate(self, beds: Database) -> None:
        bench_db("baseline", "set", "main", sha(8), "--store", beds.uri)
        bench_db("baseline", "set", "main", sha(4), "--branch", "topic", "--store", beds.uri)
        assert set(self.verdicts(beds).values()) == {"regressed"}
        bench_db("baseline", "clear", "main", "--branch", "topic", "--store", beds.uri)
        assert set(self.verdicts(beds).values()) == {"unchanged"}

    def test_a_branch_is_held_against_its_own_runs(self, store: Database) -> None:
        publish_all(store, [entry(number, {"f": wobble(number, 50)}, branch="topic") for number in range(9, 15)])
        publish(store, 15, {"f": wobble(15, 50)}, branch="topic")
        bench_db("baseline", "set", "main", sha(14), "--branch", "topic", "--store", store.uri)
        row = compared(store, sha(15), "--baseline", "main")
        assert (row["n_baseline"], row["verdict"]) == (6, "unchanged")

    def test_the_device(self, store: Database) -> None:
        publish_all(store, [entry(number, {"f": 1.0}, dut_name="e", suite="e") for number in (8, 9)])
        bench_db("baseline", "set", "main", sha(8), "--dut-name", "e", "--store", store.uri)
        said = refused(store, "check", sha(7), "--baseline", "main")
        assert "is set for device e" in said
        assert bench_db("check", sha(9), "--threshold", "1", "--store", store.uri).code == 0

    def test_a_place_nobody_measured(self, store: Database) -> None:
        assert "no results of this device and test bed" in refused(
            store, "baseline", "set", "main", sha(1), "--test-bed-name", "typo"
        )

    def test_show_says_which(self, beds: Database) -> None:
        bench_db("baseline", "set", "main", sha(8), "--store", beds.uri)
        bench_db("baseline", "set", "main", sha(4), "--test-bed-name", "ci-2", "--store", beds.uri)
        show = ("baseline", "show", "main", "--store", beds.uri, "--output", "json")
        assert bench_db(*show).document["commit"] == sha(8)
        assert bench_db(*show, "--test-bed-name", "ci-2").document["commit"] == sha(4)
        assert bench_db(*show, "--test-bed-name", "ci-2", "--branch", "x").document["commit"] == sha(4)
        listed = bench_db("baseline", "list", "--store", beds.uri).out
        assert "for everything" in listed
        assert "for test bed ci-2" in listed

    def test_a_pointer_whose_commit_was_taken_out(self, store: Database) -> None:
        store.set_baseline(Baseline(name="main", commit=sha(3), set_at=AT))
        store.lancedb().open_table("results").delete(f"commit = '{sha(3)}'")
        assert "has no results any more" in refused(store, "check", sha(8))


@pytest.fixture
def shared(tmp_path: Path) -> Answers:
    """Two projects without commits, in the order in which they were measured: `one` at version 1, `other` at 2."""
    database = connect(tmp_path / "store", create=True)
    for version, device in enumerate(["one", "other"], 1):
        with database.record(device, dut_version=str(version), dut_timestamp=1_700_000_000 + version) as run:
            run.add("f", [1.0, 1.0, 1.0], unit="s")
    return database


class TestProjects:
    """Nothing relates the newest results of projects, so one passes for another's only where that is said."""

    def test_no_clone(self, shared: Answers, tmp_path: Path) -> None:
        found = compare(shared, clone=tmp_path)
        assert found.candidate == "version:2"
        assert found.history.endswith("not of others: the newest of one is version:1")
        with pytest.raises(UserError, match="the newest is version:2, and the newest of one is version:1; choose"):
            check(shared, clone=tmp_path)

    @pytest.mark.parametrize("file", CLONES)
    @pytest.mark.parametrize(("device", "version"), [("one", "1"), ("other", "2")])
    def test_the_name_of_the_clone(
        self, shared: Answers, history: History, file: str, device: str, version: str
    ) -> None:
        (history.path / file).write_text(CLONES[file].format(device))
        found = compare(shared, clone=history.path)
        assert (found.candidate, "others" in found.history) == (f"version:{version}", False)
        assert check(shared, clone=history.path).candidate == f"version:{version}"

    def test_conditions(self, shared: Answers, tmp_path: Path) -> None:
        assert check(shared, dut_name="one", clone=tmp_path).candidate == "version:1"

    def test_one_version_of_all(self, shared: Answers, tmp_path: Path) -> None:
        with shared.record("one", dut_version="2", dut_timestamp=1_700_000_009) as run:
            run.add("f", [1.0, 1.0, 1.0], unit="s")
        assert check(shared, clone=tmp_path).candidate == "version:2"

    def test_a_project_without_commits_beside_one_with(self, shared: Answers, history: History) -> None:
        """The gate in its clone judges its own newest version."""
        with shared.record("one", commit="a" * 40, dut_timestamp=1_700_000_009) as run:
            run.add("f", [1.0, 1.0, 1.0], unit="s")
        (history.path / "pyproject.toml").write_text(CLONES["pyproject.toml"].format("other"))
        assert check(shared, clone=history.path).candidate == "version:2"
        found = compare(shared, clone=history.path.parent)
        assert (found.candidate, found.history[-36:]) == ("a" * 40, "others: the newest of other is version:2"[-36:])

    def test_each_has_its_setting_of_a_name(self, shared: Answers, tmp_path: Path) -> None:
        """The one that is set first is for all devices, and the others for theirs: none replaces that of another project."""
        for version in ("1", "2"):
            api.set_baseline(shared, "main", f"version:{version}")
        with shared.record("other", dut_version="3", dut_timestamp=1_700_000_003) as run:
            run.add("f", [1.0, 1.0, 1.0], unit="s")
        for device, version in (("one", "1"), ("other", "2")):
            assert check(shared, dut_name=device, baseline="main", clone=tmp_path).baseline_commits == (
                f"version:{version}",
            )
        assert api.set_baseline(shared, "main", "version:3").dut_name == "other"
        assert api.set_baseline(shared, "main", "version:1").dut_name is None
        assert {b.dut_name: b.commit for b in api.baselines(shared).baselines} == {
            None: "version:1",
            "other": "version:3",
        }
        api.clear_baseline(shared, "main")
        assert api.set_baseline(shared, "main", "version:2").dut_name == "other"

    def test_a_commit_of_several_devices_beside_another_project(self, shared: Answers) -> None:
        api.set_baseline(shared, "main", "version:1")
        for device in ("a", "b"):
            with shared.record(device, commit="a" * 40, dut_timestamp=1_700_000_009) as run:
                run.add("f", [1.0, 1.0, 1.0], unit="s")
        with pytest.raises(UserError, match="state one of the devices of aaaaaaaaa with --dut-name: a, b"):
            api.set_baseline(shared, "main", "a" * 40)
        assert api.set_baseline(shared, "main", "a" * 40, dut_name="b").dut_name == "b"

    def test_an_excluded_commit_beside_another_project(self, shared: Answers) -> None:
        api.set_baseline(shared, "main", "version:1")
        with shared.record("other", commit="a" * 40, dut_timestamp=1_700_000_009) as run:
            run.add("f", [1.0, 1.0, 1.0], unit="s")
        api.exclude_runs(shared, "slow disk", commit="a" * 40)
        with pytest.raises(UserError, match=r"every run of a{40} is excluded"):
            api.set_baseline(shared, "main", "a" * 40)
