from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest import find, parse
from bench_db.ingest.formats import criterion_dir
from bench_db.model import Throughput
from tests.ingest.support import DATA, FIXED, assert_close, read

if TYPE_CHECKING:
    from pathlib import Path

GOLDEN = sorted((DATA / "criterion-dir").glob("*/golden.json"))
PIECES: dict[str, Any] = {
    "benchmark.json": {"group_id": "g", "function_id": "f", "value_str": None, "throughput": None, "full_id": "g/f"},
    "sample.json": {"sampling_mode": "Linear", "iters": [1.0, 2.0], "times": [10.0, 40.0]},
    "estimates.json": {
        "mean": {"confidence_interval": {"confidence_level": 0.95, "lower_bound": 11.0, "upper_bound": 19.0}},
        "slope": {"confidence_interval": {"confidence_level": 0.95, "lower_bound": 12.0, "upper_bound": 18.0}},
    },
}


def measure(directory: Path, name: str = "g/f", **changes: Any) -> Path:
    """Write a `new/` as Criterion does; None omits a file, bytes are written unchanged."""
    new = directory / name / "new"
    new.mkdir(parents=True)
    for piece, content in PIECES.items():
        change = changes.get(piece.removesuffix(".json"), {})
        if isinstance(change, bytes):
            (new / piece).write_bytes(change)
        elif change is not None:
            identity = {"full_id": name} if piece == "benchmark.json" else {}
            (new / piece).write_text(json.dumps({**content, **identity, **change}))
    return new


class TestRecordedDirectories:
    """A directory of Criterion is one run, with the results of an independent reader."""

    @pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.parent.name)
    def test_statistics_match(self, golden: Path) -> None:
        expected = json.loads(golden.read_text())
        run, results = read(golden.with_name(expected["file"]))
        assert (run.format, run.skipped) == ("criterion-dir", {})
        found = {result.benchmark_name: result for result in results}
        assert sorted(found) == sorted(b["name"] for b in expected["benchmarks"])
        for benchmark in expected["benchmarks"]:
            assert found[benchmark["name"]].n == benchmark["n"]
            assert_close(found[benchmark["name"]].summary, benchmark)

    def test_there_are_recordings(self) -> None:
        assert GOLDEN


class TestIdentity:
    """The same measurements are the same run from any path; any changed byte makes another run."""

    def test_from_above_and_below(self, tmp_path: Path) -> None:
        criterion = tmp_path / "target" / "criterion"
        new = measure(criterion)
        keys = {
            read(p)[0].run_key for p in (tmp_path, tmp_path / "target", criterion, criterion / "g", new.parent, new)
        }
        assert len(keys) == 1

    def test_a_copy_elsewhere_is_the_same_run(self, tmp_path: Path) -> None:
        for name in ("g/f", "g/h", "other"):
            measure(tmp_path / "a", name)
        shutil.copytree(tmp_path / "a", tmp_path / "b" / "deeper")
        assert read(tmp_path / "a")[0].sha256 == read(tmp_path / "b")[0].sha256

    def test_what_is_not_read_is_no_part_of_it(self, tmp_path: Path) -> None:
        new = measure(tmp_path)
        before = read(tmp_path)[0].run_key
        for name in ("base", "change", "report"):
            shutil.copytree(new, new.parent / name)
        (new / "tukey.json").write_text("[]")
        run, results = read(tmp_path)
        assert (run.run_key, len(results)) == (before, 1)

    def test_another_measurement_is_another_run(self, tmp_path: Path) -> None:
        new = measure(tmp_path)
        before = read(tmp_path)[0].run_key
        (new / "sample.json").write_text((new / "sample.json").read_text().replace("40.0", "41.0"))
        assert read(tmp_path)[0].run_key != before

    def test_a_piece_moved_to_another_benchmark_is_another_run(self, tmp_path: Path) -> None:
        for root, names in (("a", ("x", "y")), ("b", ("y", "x"))):
            for place, name in zip(("x", "y"), names, strict=True):
                new = measure(tmp_path / root, place)
                (new / "benchmark.json").write_text(json.dumps({"full_id": name}))
        assert read(tmp_path / "a")[0].sha256 != read(tmp_path / "b")[0].sha256


class TestMeasurement:
    """Times per iteration, the interval of the tool, and all other fields as metadata."""

    def test_record(self, tmp_path: Path) -> None:
        measure(tmp_path)
        _, [result] = read(tmp_path)
        assert result.values == [10.0, 20.0]
        assert result.iterations == (1, 2)
        assert (result.lower, result.upper, result.suite, result.run_time) == (12.0, 18.0, "", None)
        metadata = json.loads(result.metadata)
        assert (metadata["group_id"], metadata["function_id"], metadata["sampling_mode"]) == ("g", "f", "Linear")
        assert metadata["estimates"] == PIECES["estimates.json"]

    def test_interval_of_the_mean_without_a_slope(self, tmp_path: Path) -> None:
        measure(tmp_path, estimates={"slope": None})
        _, [result] = read(tmp_path)
        assert (result.lower, result.upper) == (11.0, 19.0)

    @pytest.mark.parametrize(
        ("throughput", "expected"),
        [
            ({"Bytes": 64}, Throughput(multiplier=64, name="bytes", unit_system="binary")),
            ({"BytesDecimal": 64}, Throughput(multiplier=64, name="bytes", unit_system="decimal")),
            ({"Elements": 8}, Throughput(multiplier=8, name="elements", unit_system="decimal")),
            (
                {"ElementsAndBytes": {"elements": 8, "bytes": 64}},
                Throughput(multiplier=64, name="bytes", unit_system="binary"),
            ),
            ({}, None),
            (None, None),
        ],
    )
    def test_throughput(self, tmp_path: Path, throughput: Any, expected: Throughput | None) -> None:
        measure(tmp_path, benchmark={"throughput": throughput})
        _, [result] = read(tmp_path)
        assert result.throughput == expected


class TestSkips:
    """A measurement with a missing or invalid file is skipped under its path; the others are stored."""

    @pytest.mark.parametrize(
        ("changes", "reason", "detail"),
        [
            ({"estimates": None}, "missing-file", "no estimates.json"),
            ({"sample": None}, "missing-file", "no sample.json"),
            ({"benchmark": None}, "missing-file", "no benchmark.json"),
            ({"sample": b"{"}, "broken-json", "sample.json"),
            ({"sample": b"\xff"}, "broken-json", "sample.json"),
            ({"sample": b"[" * 100_000}, "wrong-type", "sample.json"),
            ({"benchmark": b'{"full_id": "x", "title": "\xff"}'}, "broken-json", "UTF-8"),
            ({"benchmark": b"[]"}, "wrong-type", "benchmark.json"),
            ({"benchmark": {"full_id": ""}}, "no-name", ""),
            ({"benchmark": {"throughput": {"Bytes": "many"}}}, "not-a-number", "$.throughput.Bytes"),
            ({"sample": {"times": [1.0]}}, "length-mismatch", ""),
            ({"sample": {"iters": [0.0, 1.0]}}, "zero-iterations", ""),
            ({"sample": {"times": [1.0, "x"]}}, "not-a-number", "sample.json: $.times[1]"),
            ({"estimates": b"{}"}, "missing-field", "estimates.json"),
        ],
    )
    def test_the_rest_is_kept(self, tmp_path: Path, changes: dict[str, Any], reason: str, detail: str) -> None:
        measure(tmp_path, "bad/one", **changes)
        measure(tmp_path, "good")
        run, results = read(tmp_path)
        assert [r.benchmark_name for r in results] == ["good"]
        assert run.skipped == {reason: 1}
        assert run.notes[0].startswith("bad/one: skipped, ")
        assert detail in run.notes[0]

    def test_byte_order_mark(self, tmp_path: Path) -> None:
        measure(tmp_path, sample=b"\xef\xbb\xbf" + json.dumps(PIECES["sample.json"]).encode())
        assert len(read(tmp_path)[1]) == 1


class TestPlaces:
    """Only directories with a measurement are read, and loops of links are not followed."""

    def test_directory_without_criterion(self, tmp_path: Path) -> None:
        (tmp_path / "new").mkdir()
        with pytest.raises(UnreadableOutputError, match=r"no Criterion measurement below it.*run cargo bench"):
            read(tmp_path)

    def test_symbolic_link_loop(self, tmp_path: Path) -> None:
        new = measure(tmp_path)
        (new / "again").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "self").symlink_to("self")
        (new.parent / "base").mkdir()
        (new.parent / "base" / "sample.json").symlink_to("sample.json")
        assert len(read(tmp_path)[1]) == 1

    def test_piece_that_links_to_itself_is_missing(self, tmp_path: Path) -> None:
        new = measure(tmp_path, sample=None)
        (new / "sample.json").symlink_to("sample.json")
        assert read(tmp_path)[0].skipped == {"missing-file": 1}

    def test_path_that_links_to_itself(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(UserError, match="cannot be read"):
            read(tmp_path / "loop")

    def test_link_to_the_directory_itself_is_followed(self, tmp_path: Path) -> None:
        measure(tmp_path / "real")
        (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
        assert len(read(tmp_path / "link")[1]) == 1

    @pytest.mark.parametrize("piece", PIECES)
    def test_a_file_that_links_out_of_the_directory_is_named_and_not_read(self, tmp_path: Path, piece: str) -> None:
        measure(tmp_path / "in", "a")
        new, secret = measure(tmp_path / "in", "b"), tmp_path / "secret.json"
        (new / piece).rename(secret)
        (new / piece).symlink_to(secret)
        run, results = read(tmp_path / "in")
        assert ([result.benchmark_name for result in results], run.skipped) == (["a"], {"missing-file": 1})
        [skip] = criterion_dir.read(criterion_dir.open_directory(tmp_path / "in")).skips
        assert (skip.benchmark, skip.detail) == ("b", f"{piece} is a link out of the directory, which is not followed")

    def test_a_directory_that_links_out_is_named_and_not_read(self, tmp_path: Path) -> None:
        measure(tmp_path / "in", "a")
        measure(tmp_path / "out", "b")
        (tmp_path / "in" / "b").symlink_to(tmp_path / "out" / "b", target_is_directory=True)
        [skip] = criterion_dir.read(criterion_dir.open_directory(tmp_path / "in")).skips
        assert (skip.benchmark, skip.detail) == ("b", "it is a link out of the directory, which is not followed")

    def test_links_inside_the_directory_are_read(self, tmp_path: Path) -> None:
        new = measure(tmp_path)
        (new / "sample.json").rename(tmp_path / "elsewhere.json")
        (new / "sample.json").symlink_to(tmp_path / "elsewhere.json")
        assert len(read(tmp_path)[1]) == 1

    def test_format_of_a_file_does_not_fit(self, tmp_path: Path) -> None:
        measure(tmp_path)
        with pytest.raises(UserError, match="--format criterion: reads a file"):
            parse(tmp_path, "criterion", provenance=FIXED)

    def test_is_one_run(self, tmp_path: Path) -> None:
        measure(tmp_path, "a")
        measure(tmp_path, "b")
        assert [*find(tmp_path).readable] == [tmp_path]
