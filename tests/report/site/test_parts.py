"""The parts of a catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.query.series import IDENTITY
from bench_db.report.site import catalogue
from bench_db.report.site.encode import encoded
from bench_db.report.site.parts import part, parts_of, stem
from tests.report.example_site import arranged_points, history

FRAMES = [
    *(
        history(f"case/{n}", np.full(3, float(n)), bed=bed, suite=suite)
        for n in range(30)
        for bed in "xy"
        for suite in "ab"
    ),
    history("suite/decode", np.full(6, 4.0), bed="x"),
    history("core/decode", np.full(6, 4.0), bed="x", first_commit=10),
]


def listed_and_rows() -> tuple[Any, list[Any]]:
    rows = [
        catalogue.row(
            encoded(arranged_points(frame)[1], "lower"), frame.select(IDENTITY).row(0, named=True), None, None
        )
        for frame in FRAMES
    ]
    pairs = [(number // 8, one) for number, one in enumerate(rows)]
    files = [(f"d{n}.js", "", "b.js") for n in range(len(rows) // 8 + 1)]
    return catalogue.catalogue(catalogue.current(pairs), files), rows


LISTED, ROWS = listed_and_rows()


def unpacked(document: Any) -> dict[str, Any]:
    """Return what a catalogue says of each series."""
    texts = {name: [column[at] for at in document[name]] for name, column in document["facets"].items()}
    plain = {name: document[name] for name in ("label", "latest", "points", "stale", "spark", "noise")}
    paths = [document["files"][file] for file in document["file"]]
    table = zip(document["key"], zip(*texts.values(), *plain.values(), strict=True), paths, strict=True)
    return {key: (values, paths) for key, values, paths in table}


class TestPart:
    """A part says of its series what the catalogue says, with the texts and files that these need."""

    @given(st.sets(st.integers(0, len(FRAMES) - 1)))
    def test_any_places(self, chosen: set[int]) -> None:
        places = sorted(chosen)
        found = part(LISTED, places)
        whole = unpacked(LISTED)
        assert unpacked(found) == {LISTED["key"][place]: whole[LISTED["key"][place]] for place in places}
        assert len(found["files"]) == len({LISTED["file"][place] for place in places})
        assert all(
            set(column) == set(range(len(found["facets"][name])))
            for name, column in found.items()
            if name in found["facets"]
        )

    def test_heirs(self) -> None:
        old, new = len(FRAMES) - 2, len(FRAMES) - 1
        assert [found[:2] for found in part(LISTED, [0, old, new])["heirs"]] == [(1, 2)]
        assert part(LISTED, [0, old])["heirs"] == []


class TestParts:
    """Each series is found by its key, with all its relatives, and is in the part of its group."""

    def test_find(self) -> None:
        parts = parts_of(LISTED, ROWS)
        assert parts.digits == 1
        for place, key in enumerate(LISTED["key"]):
            number, before, after = parts.finds[key[: parts.digits]][key]
            assert key in parts.kin[number]["key"]
            assert before == (LISTED["key"][place - 1] if place else "")
            assert after == (LISTED["key"][place + 1] if place + 1 < len(FRAMES) else "")
        assert sum(map(len, parts.finds.values())) == len(FRAMES)

    def test_relatives(self) -> None:
        parts = parts_of(LISTED, ROWS)
        number = parts.finds[LISTED["key"][0][:1]][LISTED["key"][0]][0]
        assert {key for key, one in zip(LISTED["key"], ROWS, strict=True) if one["suite"] == "a"} <= set(
            parts.kin[number]["key"]
        )
        old, new = LISTED["key"][-2:]
        for key in (old, new):
            assert {old, new} <= set(parts.kin[parts.finds[key[:1]][key][0]]["key"])

    def test_groups(self) -> None:
        parts = parts_of(LISTED, ROWS)
        assert {group: len(of["key"]) for group, of in parts.of_groups.items()} == {
            **{("device", bed, suite): 30 for bed in "xy" for suite in "ab"},
            ("device", "x", "io"): 2,
        }

    def test_no_series(self) -> None:
        parts = parts_of(catalogue.catalogue([], []), [])
        assert (parts.finds, parts.of_groups, len(parts.kin)) == ({}, {}, 1)


class TestStem:
    """Names that differ in the values of parameters alone have one stem, as in family.js."""

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (("BM_sort/8/threads:4", "BM_sort/64/threads:1"), "BM_sort/*/threads=*"),
            (("test_q.py::test_query[1-x]", "test_q.py::test_query[2e3-x]"), "test_q.py::test_query[*-x]"),
            (("scan[rows=10,kind=a]", "scan[rows=20-kind=b]"), "scan[rows=*-kind=*]"),
            (("a/b,1,.5", "a/b,2,-3"), "a/b,*,*"),
            (("8/x", "8/x"), "8/x"),
            (("a[1]b", "a[1]b"), "a[1]b"),
        ],
    )
    def test_names(self, names: tuple[str, str], expected: str) -> None:
        assert {stem(name) for name in names} == {expected}


def test_frames_have_keys_of_their_own() -> None:
    assert pl.concat(FRAMES)["series_key"].n_unique() == len(FRAMES)
