from __future__ import annotations

from fnmatch import fnmatchcase

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.identity import tags_key
from bench_db.query.selection import Selection, by_name, is_glob, natural_key, nearest, no_match, of_runs
from tests.strategies import HOSTILE, tags, texts


def _kept(names: list[str], glob: str) -> list[str]:
    rows = pl.DataFrame({"benchmark_name": names}, schema={"benchmark_name": pl.String})
    return rows.filter(Selection(benchmark=glob).predicate())["benchmark_name"].to_list()


def _tagged(rows: list[dict[str, str]], wanted: dict[str, str]) -> list[bool]:
    frame = pl.DataFrame({"tags_key": [tags_key(row) for row in rows]}, schema={"tags_key": pl.String})
    kept = frame.with_row_index().filter(Selection(tags=wanted).predicate())["index"].to_list()
    return [number in kept for number in range(len(rows))]


class TestBenchmark:
    """A name selects itself; `*` and `?` are wildcards, and every other character is literal."""

    @given(texts(), st.lists(texts(), max_size=4))
    def test_a_name_without_wildcards_selects_only_itself(self, name: str, others: list[str]) -> None:
        if is_glob(name):
            return
        assert _kept([name, *others], name) == [name] + [other for other in others if other == name]

    @given(texts())
    def test_every_name_selects_itself(self, name: str) -> None:
        assert _kept([name], name) == [name]

    @given(st.lists(texts(), max_size=5), st.lists(texts(4) | st.sampled_from("*?"), max_size=4))
    def test_wildcards_as_the_shell_has_them(self, names: list[str], parts: list[str]) -> None:
        glob = "".join(parts)
        literal = "".join({"[": "[[]"}.get(letter, letter) for letter in glob)
        assert _kept([*names, glob], glob) == [name for name in [*names, glob] if fnmatchcase(name, literal)]

    @pytest.mark.parametrize(
        ("glob", "name"),
        [
            ("test_x[a-b]*", "test_x[a-b]/1"),
            ("*[0]", "x[0]"),
            ("a.b*", "a.bc"),
            ("?", "\U0001f600"),
            ("*b", "a\nb"),
            ("*", ""),
            (HOSTILE + "*", HOSTILE),
            ("*" + HOSTILE + "?", "x" + HOSTILE + "\n"),
            ("^a$*", "^a$"),
            ("a # &~-*", "a # &~-"),
        ],
    )
    def test_selected(self, glob: str, name: str) -> None:
        assert _kept([name], glob) == [name]

    @pytest.mark.parametrize(
        ("glob", "name"),
        [
            ("test_x[ab]*", "test_xa"),
            ("a.b*", "axb"),
            ("?", ""),
            ("?", "ab"),
            ("a*", "ba"),
            ("*a", "ab"),
            ("a?", "a"),
            ("A*", "a"),
        ],
    )
    def test_not_selected(self, glob: str, name: str) -> None:
        assert _kept([name], glob) == []


class TestTags:
    """A tag selects the rows with exactly this tag, with any separators in its name or value."""

    @given(st.lists(tags(), max_size=4), tags())
    def test_all_wanted_tags_and_no_others(self, rows: list[dict[str, str]], wanted: dict[str, str]) -> None:
        assert _tagged([*rows, wanted], wanted) == [wanted.items() <= row.items() for row in [*rows, wanted]]

    def test_a_suite_is_a_scenario(self) -> None:
        frame = pl.DataFrame({"suite": ["train", "eval", "eval"], "tags_key": ["k=1", "scenario=train", "k=1"]})
        kept = frame.with_row_index().filter(Selection(tags={"scenario": "train"}).predicate())["index"]
        assert kept.to_list() == [0, 1]
        assert frame.filter(Selection(tags={"scenario": "train", "k": "1"}).predicate())["suite"].to_list() == ["train"]

    def test_a_tag_is_no_part_of_another(self) -> None:
        rows = [{"k": "10"}, {"bk": "1"}, {"k": "1,k=2"}, {"x": "k=1"}, {"k": "1"}]
        assert _tagged(rows, {"k": "1"}) == [False, False, False, False, True]


class TestConditions:
    """All conditions must be true, ends included; null satisfies none; no condition selects everything."""

    _ROWS = pl.DataFrame(
        {
            "branch": ["main", None, "dev"],
            "dut_name": ["a", "a", "b"],
            "dut_timestamp": [1, 2, 3],
            "suite": ["", "s", "s"],
            "metric": ["time", "time", "recall"],
            "test_bed_name": ["x", "y", "x"],
            "series_key": [1, 2, 3],
        }
    )

    @pytest.mark.parametrize(
        ("selection", "kept"),
        [
            (Selection(), [1, 2, 3]),
            (Selection(branch="main"), [1]),
            (Selection(dut_name="a"), [1, 2]),
            (Selection(suite=""), [1]),
            (Selection(metric="recall"), [3]),
            (Selection(test_bed_name="x"), [1, 3]),
            (Selection(since=2), [2, 3]),
            (Selection(until=2), [1, 2]),
            (Selection(since=2, until=2), [2]),
            (Selection(since=0, until=0), []),
            (Selection(series_key=3), [3]),
            (Selection(dut_name="a", test_bed_name="x"), [1]),
            (Selection(branch=HOSTILE), []),
        ],
    )
    def test_kept(self, selection: Selection, kept: list[int]) -> None:
        assert self._ROWS.filter(selection.predicate())["dut_timestamp"].to_list() == kept


class TestOfRuns:
    """The rows of runs are those with their keys, whether their commits are known or not."""

    @pytest.mark.parametrize("keys", [[], [1], [1, 2], [3], [1, 3], [1, 2, 3, 4]])
    def test_rows(self, keys: list[int]) -> None:
        rows = pl.DataFrame({"run_key": [1, 2, 3, 4], "commit": ["a", "b", None, "a"]})
        own = pl.col("run_key").is_in(keys)
        assert rows.filter(of_runs(rows.filter(own)))["run_key"].to_list() == keys

    def test_a_commit_that_all_have_is_a_condition(self) -> None:
        runs = pl.DataFrame({"run_key": [1, 2], "commit": ["a", None]})
        assert [of_runs(runs.head(count)).meta.root_names() for count in (1, 2)] == [["run_key", "commit"], ["run_key"]]


class TestNaturalOrder:
    """Numbers in names are ordered by value, and every order is total."""

    @pytest.mark.parametrize(
        "names",
        [
            ["x[10]", "x[20]", "x[100]"],
            ["test_2", "test_10", "test_10_b"],
            ["", "1", "02", "a", "a01", "a1", "a1b"],
            ["v1.9.0", "v1.10.0"],
            ["x" + "9" * 5000, "x1" + "0" * 5000],
        ],
    )
    def test_order(self, names: list[str]) -> None:
        names_backwards = names[::-1]
        assert sorted(names_backwards, key=natural_key) == names

    @given(st.lists(texts(), unique=True))
    def test_it_depends_on_the_names_alone(self, names: list[str]) -> None:
        backwards = names[::-1]
        assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)

    def test_rows_of_one_name_keep_their_order(self) -> None:
        rows = pl.DataFrame({"benchmark_name": ["f[10]", "f[2]", "f[10]", "f[2]"], "n": [1, 2, 3, 4]})
        assert by_name(rows)["n"].to_list() == [2, 4, 1, 3]

    def test_no_rows(self) -> None:
        rows = pl.DataFrame({"benchmark_name": []}, schema={"benchmark_name": pl.String})
        assert by_name(rows).is_empty()


NAMES = [
    f"benchmarks/test_speed.py::test_{kind}[{size}]" for kind in ("query", "insert", "scan") for size in (1, 2, 10)
]


class TestNearest:
    """There is always a nearest name, and a long path in front of it does not matter."""

    @pytest.mark.parametrize("asked", ["test_qeury[10]", "*qury*10*", "benchmarks/test_sped.py::test_query[10]"])
    def test_a_misspelt_name(self, asked: str) -> None:
        assert nearest(asked, NAMES)[0] == "benchmarks/test_speed.py::test_query[10]"

    @pytest.mark.parametrize("asked", ["SCAN", "*scan*", "test_scan"])
    def test_a_part_of_a_name(self, asked: str) -> None:
        assert nearest(asked, NAMES, 3) == [f"benchmarks/test_speed.py::test_scan[{size}]" for size in (1, 2, 10)]

    @pytest.mark.parametrize("asked", ["*no such*", "", "*", "***", "☃"])
    def test_nothing_alike(self, asked: str) -> None:
        assert len(nearest(asked, NAMES)) == 5

    @given(texts(), st.lists(texts(), unique=True, max_size=6))
    def test_of_few_names_all(self, asked: str, names: list[str]) -> None:
        found = nearest(asked, names, 4)
        assert len(found) == min(4, len(names))
        assert set(found) <= set(names)


class TestNoMatch:
    """Each condition that nothing satisfies alone is named, with what there is."""

    SERIES = pl.DataFrame(
        {
            "benchmark_name": NAMES,
            "test_bed_name": "ci-1",
            "dut_name": "lance",
            "suite": "python",
            "metric": "time",
            "tags_key": ["k=1", "k=2", *[""] * 7],
        }
    )

    def test_a_benchmark(self) -> None:
        said = no_match(Selection(benchmark="*no such*"), self.SERIES)
        assert said.startswith("no results of '*no such*'; the nearest names are: benchmarks/test_speed.py::")
        assert said.endswith(", and 4 more")

    @pytest.mark.parametrize(
        ("selection", "said"),
        [
            (Selection(test_bed_name="ci-2"), "no results of test bed 'ci-2'; the test beds there are: ci-1"),
            (Selection(dut_name="lanse"), "no results of device 'lanse'; the devices there are: lance"),
            (Selection(suite="pyton"), "no results of suite 'pyton'; the suites there are: python"),
            (Selection(metric="tiem"), "no results of metric 'tiem'; the metrics there are: time"),
            (Selection(tags={"k": "3"}), "no results with tag k=3; the tags there are: k=1, k=2"),
            (Selection(suite="python", since=9), "no results satisfy all these conditions together; leave one out"),
            (
                Selection(benchmark="*query*", branch="x"),
                "no results of '*query*' satisfy all these conditions together; leave one out",
            ),
        ],
    )
    def test_another_condition(self, selection: Selection, said: str) -> None:
        assert no_match(selection, self.SERIES) == said

    def test_two_conditions(self) -> None:
        said = no_match(Selection(suite="rust", metric="memory"), self.SERIES)
        assert (
            said
            == "no results of suite 'rust'; the suites there are: python. no results of metric 'memory'; the metrics there are: time"
        )

    def test_an_empty_store(self) -> None:
        assert (
            no_match(Selection(benchmark="f"), self.SERIES.clear())
            == "the store has no results yet; publish some first"
        )
