"""The forms of commands that ask every store of a collection."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from bench_db import Direction, Provenance, connect, parse
from bench_db.app.schemas import schemas
from tests.cli.conftest import bench_db
from tests.repository.tree import ROOT
from tests.support.several_stores import NAMES, filled_collection
from tests.support.workers import made_once

if TYPE_CHECKING:
    from tests.cli.conftest import Answer

pytestmark = pytest.mark.few(1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a collection that tests only read."""
    return made_once(tmp_path_factory, "collection", lambda directory: filled_collection(directory / "c")) / "c"


def valid(answer: Answer, verb: str) -> Answer:
    Draft202012Validator(schemas()[verb]).validate(answer.document)
    return answer


class TestStoreList:
    """`store list` names the stores below an address, and says which cannot be read."""

    def test_text(self, root: Path) -> None:
        answer = bench_db("store", "list", root)
        assert (answer.code, answer.err) == (0, "")
        head, _, *lines = answer.out.splitlines()
        assert head.split() == ["store", "runs", "results", "newest", "publish"]
        assert [line[:10].strip() for line in lines] == NAMES

    def test_json(self, root: Path) -> None:
        found = valid(bench_db("store", "list", f"file://{root}", "--output", "json"), "store-list").document
        assert found["collection"] == str(root)
        assert [(one["store"], one["runs"], one["results"]) for one in found["stores"]] == list(
            zip(NAMES, [1, 1, 1], [1, 2, 1], strict=True)
        )
        assert (
            bench_db("latest", "--store", found["stores"][1]["address"], "--output", "json").document[1][
                "benchmark_name"
            ]
            == "g"
        )

    def test_a_damaged_store(self, root: Path, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(root, tmp_path / "copy"))
        shutil.rmtree(copy / "other.1/runs.lance/_versions")
        answer = valid(bench_db("store", "list", copy, "--output", "json"), "store-list")
        assert [one["runs"] for one in answer.document["stores"]] == [1, 1, None]
        assert "no readable version" in bench_db("store", "list", copy).out

    def test_none(self, root: Path, tmp_path: Path) -> None:
        assert bench_db("store", "list", tmp_path).out == f"no store directly below {tmp_path}\n"
        assert bench_db("store", "list", root / "other.1").out.startswith("no store directly below")
        missing = bench_db("store", "list", tmp_path / "none")
        assert (missing.code, missing.out) == (3, "")
        assert missing.err == f"bench-db: no directory {tmp_path / 'none'}: check the address of the stores\n"


class TestCollection:
    """With --collection a command answers for every store, and each row names its store."""

    def test_latest(self, root: Path) -> None:
        rows = valid(bench_db("latest", "--collection", root, "--output", "json"), "latest").document
        assert [(one["store"], one["benchmark_name"]) for one in rows] == [
            (NAMES[0], "f"), (NAMES[1], "f"), (NAMES[1], "g"), (NAMES[2], "f")
        ]  # fmt: skip
        text = bench_db("latest", "--collection", root, "--benchmark", "g")
        assert (text.code, text.err) == (0, "of the main history\n")
        assert [line.split()[0] for line in text.out.splitlines()[::2]] == ["store", "my_exp:1.0"]

    def test_latest_of_one_store_has_no_such_column(self, root: Path) -> None:
        (row,) = valid(bench_db("latest", "--store", root / "other.1", "--output", "json"), "latest").document
        assert "store" not in row

    def test_no_match(self, root: Path) -> None:
        answer = bench_db("latest", "--collection", root, "--benchmark", "h")
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == "bench-db: no results of 'h'; the names there are: f\n"

    def test_query(self, root: Path) -> None:
        sql = "SELECT store, COUNT(*) AS n FROM results GROUP BY store ORDER BY store"
        answer = bench_db("query", "--collection", root, sql, "--output", "csv")
        assert answer.out.splitlines() == ["store,n", "My exp,1", "my_exp:1.0,2", "other.1,1"]
        found = bench_db("query", "--collection", root, "--filter", "benchmark_name = 'g'", "--output", "json").document
        assert [one["store"] for one in found] == ["my_exp:1.0"]

    def test_site(self, root: Path, tmp_path: Path) -> None:
        answer = valid(bench_db("site", "--collection", root, tmp_path / "out", "--output", "json"), "site")
        assert answer.document["written"] == answer.document["files"] > 30
        assert "my_exp:1.0" in (tmp_path / "out/index.html").read_text()
        assert (tmp_path / "out/stores/my_exp=3a1.0/index.html").exists()

    @pytest.mark.parametrize("verb", [["latest"], ["query", "SELECT 1"], ["site", "out"]], ids=lambda verb: verb[0])
    def test_not_with_a_store(self, root: Path, verb: list[str]) -> None:
        answer = bench_db(*verb, "--collection", root, "--store", root / "other.1")
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
        assert "leave one of them out" in answer.err

    @pytest.mark.parametrize("verb", [["latest"], ["query", "SELECT 1"], ["site", "out"]], ids=lambda verb: verb[0])
    def test_no_store(self, tmp_path: Path, verb: list[str]) -> None:
        answer = bench_db(*verb, "--collection", tmp_path)
        assert (answer.code, answer.out) == (2, "")
        assert "no store directly below" in answer.err

    def test_no_table_for_papers(self, root: Path) -> None:
        answer = bench_db("latest", "--collection", root, "--table", "csv")
        assert (answer.code, answer.out) == (2, "")
        assert "--table is of one store" in answer.err

    @pytest.mark.parametrize("verb", [["latest"], ["query", "SELECT 1"], ["has", "a" * 40]], ids=lambda verb: verb[0])
    def test_a_collection_in_place_of_a_store(self, root: Path, verb: list[str]) -> None:
        answer = bench_db(*verb, "--store", root)
        assert (answer.code, answer.out) == (3, "")
        assert answer.err == (
            f"bench-db: {root}: no store, but a collection of 3, such as {root}/=4dy=20exp: name one of them, which "
            "'bench-db store list' shows, or ask all with --collection\n"
        )

    def test_the_store_of_the_environment_is_not_asked(self, root: Path) -> None:
        answer = bench_db("latest", "--collection", root, "--output", "json", BENCH_DB_URI="/nowhere")
        assert len(answer.document) == 4


class TestCopy:
    """`store copy --collection` copies every store to the same name, and repeats nothing."""

    def test_copy(self, root: Path, tmp_path: Path) -> None:
        target = tmp_path / "copy"
        answer = valid(bench_db("store", "copy", "--collection", root, target, "--output", "json"), "store-copy")
        new = {one["store"]: one["tables"]["results"]["new"] for one in answer.document["stores"]}
        assert new == dict(zip(NAMES, [1, 2, 1], strict=True))
        assert bench_db("latest", "--collection", target, "--output", "json").document[3]["store"] == NAMES[2]
        again = bench_db("store", "copy", "--collection", root, target)
        assert (again.code, again.out.count("0 files of artifacts")) == (0, 3)
        assert [line for line in again.out.splitlines() if line in NAMES] == NAMES

    def test_what_differs_is_an_error_that_names_the_store(self, tmp_path: Path) -> None:
        file = min((ROOT / "packages/bench_db/src/bench_db/demo/pytest-benchmark").glob("*.json"))
        run, results = parse(file, provenance=Provenance(dut_version="1", dut_timestamp=1, test_bed_name="b"))
        others = [replace(one, direction=Direction.INFO) for one in results]
        for place, published in (("a/same", results), ("a/x:1", results), ("b/same", results), ("b/x=3a1", others)):
            directory = tmp_path / place.replace("x:1", "x=3a1")
            connect(directory, create=True).publish(published, run)
        copy = ("store", "copy", "--collection", tmp_path / "a", tmp_path / "b", "--output", "json")
        answer = valid(bench_db(*copy), "store-copy")
        assert [(one["store"], len(one["differing"])) for one in answer.document["stores"]] == [("same", 0), ("x:1", 1)]
        assert answer.code == 2
        assert f"{tmp_path}/b/x=3a1 holds 1 runs with other rows than {tmp_path}/a/x=3a1" in answer.err
        replaced = bench_db(*copy, "--replace")
        assert (replaced.code, len(replaced.document["stores"][1]["replaced"])) == (0, 1)
