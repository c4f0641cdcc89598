"""What an adapter returns, with the bounds of tags and metadata and one spelling of names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unicodedata import is_normalized, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.ingest import Measurement, Provenance, Reading
from bench_db.ingest.normalise import normalise
from bench_db.ingest.reading import RefusedError, Skip, SkipReason, composed, in_bounds, shortened, tags_in_bounds
from bench_db.model import SummaryValues
from bench_db.rules import RULES
from bench_db.units import Direction
from tests.ingest.support import FIXED, pytest_benchmark, pytest_file, read

if TYPE_CHECKING:
    from pathlib import Path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=20), inner, max_size=20),
    max_leaves=60,
)
E_ACUTE, E_AND_ACUTE = "\u00e9", "e\u0301"


class TestMetadata:
    """A record within the bound is not changed, and a cut one is valid JSON within the bound with its small values."""

    @given(st.dictionaries(st.text(max_size=30), JSON, max_size=40), st.integers(400, 2_000))
    def test_stays_within_the_bound(self, record: dict[str, object], most: int) -> None:
        text = shortened(json.dumps(record), most)
        assert isinstance(json.loads(text), dict)
        assert len(text) <= most

    def test_large_parameters(self) -> None:
        record = {"fullname": "t", "params": {"data": [0.5] * 50_000, "size": 3}, "param": "x" * 50_000}
        kept = json.loads(shortened(json.dumps(record), 16_000))
        assert (kept["fullname"], kept["params"]["size"]) == ("t", 3)
        assert "50,000 entries" in kept["params"]["data"]
        assert kept["param"].startswith("xxx")
        assert "50,000 characters" in kept["param"]

    def test_many_fields(self) -> None:
        kept = json.loads(shortened(json.dumps({f"f{i}": i for i in range(9_000)}), 1_000))
        assert kept["f0"] == 0
        assert "fields: f" in kept["(cut)"]

    def test_a_list(self) -> None:
        assert json.loads(shortened(json.dumps([1] * 9_000), 1_000)) == {"(cut)": "27,000 characters"}

    def test_in_a_file(self, tmp_path: Path) -> None:
        big = {**pytest_benchmark("big"), "params": {"data": list(range(50_000))}}
        run, results = read(tmp_path / "f", pytest_file(pytest_benchmark("small"), big))
        assert all(len(result.metadata) <= RULES.metadata_length for result in results)
        assert json.loads(results[0].metadata)["params"] == {"n": 1}
        assert [note for note in run.notes if "1 results, first big: the tool's own record is longer" in note]


class TestNames:
    """A name is stored in NFC, and a long tag is cut and stays distinct from others."""

    @given(st.text())
    def test_nfc(self, name: str) -> None:
        assert composed(name) == normalize("NFC", name)

    @given(st.text(min_size=RULES.tag_length + 1, max_size=RULES.tag_length + 9), st.text(min_size=1))
    def test_long_tags_stay_distinct(self, value: str, more: str) -> None:
        first, second = (tags_in_bounds({"p": text})["p"] for text in (value, value + more))
        assert max(len(first), len(second)) <= RULES.tag_length or len(composed(value)) <= RULES.tag_length
        assert first != second or composed(value) == composed(value + more)

    @given(st.text(max_size=RULES.tag_length, alphabet="abc"))
    def test_other_tags_are_not_changed(self, value: str) -> None:
        assert tags_in_bounds({value: value}) == {value: value}

    def test_note(self) -> None:
        [kept], notes = in_bounds([Measurement(benchmark_name="x" * 2_000, tags={"p": "y" * 3_000})])
        assert (len(kept.benchmark_name), len(kept.tags["p"])) == (2_000, RULES.tag_length)
        assert notes[0].startswith("1 results, first xxx")

    def test_every_name_of_a_file_and_of_the_caller(self) -> None:
        names: dict[str, Any] = dict.fromkeys(("benchmark_name", "suite", "metric"), E_AND_ACUTE)
        summary = SummaryValues(min=1, q1=1, median=1, q3=1, max=1, mean=1, standard_deviation=0)
        measurement = Measurement(**names, tags={E_AND_ACUTE: E_AND_ACUTE}, summary=summary, n=1)
        given_names = dict.fromkeys(("dut_name", "test_bed_name", "suite"), E_AND_ACUTE)
        directions = {E_AND_ACUTE: Direction.HIGHER}
        for names_of_caller in ({}, given_names):
            provenance = Provenance(
                **{**_fixed(), **names_of_caller}, directions=directions, tags={"a" + E_AND_ACUTE: E_AND_ACUTE}
            )
            reading = Reading(source="x/1", measurements=(measurement,))
            run, [result] = normalise(reading, file_name="f", sha256="0", format="x", provenance=provenance)
            stored = (run.dut.name, run.test_bed.name, result.benchmark_name, result.suite, result.metric)
            assert all(is_normalized("NFC", name) for name in (*stored, *result.tags, *result.tags.values()))
            assert (result.benchmark_name, result.tags) == (E_ACUTE, {E_ACUTE: E_ACUTE, f"a{E_ACUTE}": E_ACUTE})
            assert result.direction is Direction.HIGHER


def _fixed() -> dict[str, Any]:
    return {name: getattr(FIXED, name) for name in ("test_bed", "ingested_at", "dut_name", "dut_version")}


class TestRefusedError:
    """A refusal carries the reason and the detail apart, and shows both in one line."""

    def test_apart(self) -> None:
        with pytest.raises(RefusedError, match=r"^no-name: at position 3$") as raised:
            raise RefusedError(SkipReason.NO_NAME, "at position 3")
        assert (raised.value.reason, raised.value.detail) == (SkipReason.NO_NAME, "at position 3")


class TestSkip:
    """A skip shows the benchmark, the reason and the detail of the refusal."""

    def test_text(self) -> None:
        skip = Skip(benchmark="io: read", reason=SkipReason.NEGATIVE_TIME, detail="sample 2")
        assert str(skip) == "io: read: skipped, negative-time: sample 2"

    def test_reasons_are_distinct_words(self) -> None:
        # a run counts its skips by the text of the reason
        assert len({str(reason) for reason in SkipReason}) == len(SkipReason)
        assert all(str(reason).replace("-", "").isalpha() for reason in SkipReason)
