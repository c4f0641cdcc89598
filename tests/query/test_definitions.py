from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_db.derive import key_of_series
from bench_db.model import Definition
from bench_db.query.definitions import FIELDS, _Globs, in_force, with_names
from bench_db.query.series import IDENTITY, MACHINE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def series(
    benchmark: str, *, cpu: str = "x", bed: str = "ci", by_name: bool = False, suite: str = "s"
) -> dict[str, object]:
    parts = (bed,) if by_name else (bed, cpu, "4", "Linux")
    return {
        "series_key": key_of_series("d", parts, (suite, benchmark, "time", "", "nanoseconds")),
        "dut_name": "d",
        "test_bed_name": bed,
        "suite": suite,
        "benchmark_name": benchmark,
        "metric": "time",
        "tags_key": "",
        "units": "nanoseconds",
        "direction": "lower",
        "test_bed_cpu": cpu,
        "test_bed_memory_gb": 4,
        "test_bed_os": "Linux 6",
    }


def record(kind: str, pattern: str, value: str = "", **facts: object) -> Definition:
    return Definition(kind=kind, pattern=pattern, value=value, at=1, **facts)  # type: ignore[arg-type]


def renamed(
    rows: list[dict[str, object]], *records: Definition, main: Collection[object] = ()
) -> list[dict[str, object]]:
    keys = {key for key in main if isinstance(key, int)}
    named = in_force(records).renamed(known := pl.DataFrame(rows).select(*IDENTITY, *MACHINE), lambda: keys)
    return (known.with_columns(stored_key="series_key") if named is None else named).to_dicts()


class TestRenamed:
    """A series gets the names of the definitions, and the key that a series of these names has."""

    def test_nothing_defined_changes_no_key(self) -> None:
        rows = [series("f"), series("g", by_name=True)]
        assert [row["series_key"] for row in renamed(rows)] == [row["series_key"] for row in rows]

    @pytest.mark.parametrize("kind", ["main", "threshold", "annotation", "of a later release"])
    def test_a_kind_that_names_no_series(self, kind: str) -> None:
        assert renamed([series("f")], record(kind, "f", "x")) == renamed([series("f")])
        assert not in_force([record(kind, "f", "x")])

    def test_join(self) -> None:
        (row,) = renamed([series("old")], record("join", "old", "new"))
        assert (row["benchmark_name"], row["series_key"]) == ("new", series("new")["series_key"])
        assert row["stored_key"] == series("old")["series_key"]

    def test_pool(self) -> None:
        one, other = renamed([series("f"), series("f", cpu="y")], record("pool", "ci"))
        assert one["series_key"] == other["series_key"] == series("f", by_name=True)["series_key"]

    def test_any_suite(self) -> None:
        rows = [series("f", suite=""), series("f"), series("g", suite="")]
        old, new, other = renamed(rows, record("alias", "", "*", field="suite"))
        assert (old["suite"], old["series_key"]) == ("s", new["series_key"])
        assert (other["suite"], other["series_key"]) == ("", rows[2]["series_key"])

    def test_any_suite_of_several_is_none(self) -> None:
        rows = [series("f", suite=""), series("f"), series("f", suite="t")]
        assert [row["suite"] for row in renamed(rows, record("alias", "", "*", field="suite"))] == ["", "s", "t"]

    def test_the_suite_of_the_main_history_precedes_others(self) -> None:
        rows = [series("f", suite=""), series("f"), series("f", suite="t")]
        defined, main = record("alias", "", "*", field="suite"), {row["series_key"] for row in rows[:2]}
        assert [row["suite"] for row in renamed(rows, defined, main=main)] == ["s", "s", "t"]

    @pytest.mark.parametrize("pooled", [False, True])
    def test_any_suite_of_the_same_machine(self, *, pooled: bool) -> None:
        pool = [record("pool", "ci")] if pooled else []
        rows = [series("f", suite="", cpu=""), series("f")]
        old, _ = renamed(rows, record("alias", "", "*", field="suite"), *pool)
        assert old["suite"] == ("s" if pooled else "")

    def test_one_after_another(self) -> None:
        (row,) = renamed([series("a")], record("join", "a", "b"), record("join", "b", "c"))
        assert row["benchmark_name"] == "c"

    @pytest.mark.parametrize(("dut", "name"), [("d", "g"), ("e", "f")])
    def test_of_one_device(self, dut: str, name: str) -> None:
        (row,) = renamed([series("f")], record("join", "f", "g", dut_name=dut))
        assert row["benchmark_name"] == name

    def test_ignored(self) -> None:
        assert renamed([series("smoke_a")], record("ignore", "smoke*")) == []

    def test_a_name_with_brackets_is_literal(self) -> None:
        (row,) = renamed([series("f[1]")], record("join", "f[1]", "f[2]"))
        assert row["benchmark_name"] == "f[2]"


class TestInForce:
    """The newest record of a definition decides."""

    def test_ended(self) -> None:
        first = record("join", "a", "b")
        assert in_force([first, record("join", "a", lifted=True)]).records == []
        assert [r.value for r in in_force([first, record("join", "a", "c")]).records] == ["c"]

    def test_main_branches(self) -> None:
        defined = in_force([record("main", "lib*", "release")])
        assert defined.main_branches(["lib-a", "app"]) == {"lib-a": "release"}
        assert not defined


_NAMES = st.sampled_from(["a", "b", "ab", "c"])
_GLOBS = st.sampled_from(["a", "b", "c", "*", "**", "a*", "ab*", "a*b", "a?", "?", "?b", "*b", "*a*", "b*a"])
_RECORDS = st.lists(
    st.builds(
        record,
        st.sampled_from(["alias", "join", "pool", "better", "ignore", "threshold"]),
        _GLOBS,
        _NAMES,
        field=st.sampled_from(["test_bed", "dut", "suite", "benchmark", "metric"]),
        dut_name=st.sampled_from([None, "d", "a"]),
    ),
    max_size=6,
)


def _one_by_one(row: dict[str, Any], records: Sequence[Definition]) -> dict[str, Any] | None:
    """Return the names of a series after each definition in turn, which is compared with its name at that time."""
    fields = {"join": "benchmark", "ignore": "benchmark", "pool": "test_bed", "better": "metric"}
    named = dict(row)
    for one in records:
        column = FIELDS[fields.get(one.kind, one.field)]
        if one.kind == "threshold" or one.dut_name not in (None, named["dut_name"]):
            continue
        if not fnmatchcase(named[column], one.pattern):
            continue
        if one.kind == "ignore":
            return None
        if one.kind in {"alias", "join"}:
            named[column] = one.value
        elif one.kind == "better":
            named["direction"] = one.value
    return named


class TestEachInTurn:
    """Many definitions give the names that each of them in turn gives, in the order in which they were made."""

    @settings(max_examples=100, deadline=None)
    @given(_RECORDS, st.lists(_NAMES, min_size=1, max_size=4, unique=True))
    def test_of_random_definitions(self, records: list[Definition], benchmarks: list[str]) -> None:
        of = in_force(records).records
        rows = [series(name) for name in benchmarks]
        wanted = [found for row in rows if (found := _one_by_one(row, of)) is not None]
        names = ("benchmark_name", "test_bed_name", "dut_name", "suite", "metric", "direction")
        given = [[row[name] for name in names] for row in renamed(rows, *records)]
        assert given == [[row[name] for name in names] for row in wanted]

    def test_a_name_that_is_shorter_than_the_heads_of_globs(self) -> None:
        globs = _Globs()
        for place, glob in enumerate(("f*", "fa*", "fast*", "*f")):
            globs.add(place, glob)
        assert sorted(globs.places("f")) == [0, 3]
        assert sorted(globs.places("fast")) == [0, 1, 2]

    def test_only_what_matches_gets_another_key(self) -> None:
        known = pl.DataFrame([series("f"), series("g")]).select(*IDENTITY, *MACHINE)
        assert in_force([record("join", "old", "new")] * 2).renamed(known) is None
        named = in_force([record("join", "g", "h")]).renamed(known)
        assert named is not None
        assert named["series_key"].to_list() == [series("f")["series_key"], series("h")["series_key"]]


class TestWithNames:
    """Rows of the stored key get the names; others are left out."""

    def test_rows(self) -> None:
        names = in_force([record("join", "old", "new")]).renamed(pl.DataFrame([series("old")]))
        assert names is not None
        rows = pl.DataFrame({"median": [1.0, 2.0], "series_key": [series("old")["series_key"], 5]})
        assert with_names(rows, names).to_dicts() == [{"median": 1.0, "series_key": series("new")["series_key"]}]
