"""Text for a terminal."""

from collections.abc import Sequence
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.text import Fit, Screen, cells_of, distinct_names, sparkline, table, visible
from tests.strategies import texts


class TestVisible:
    """No name can move the cursor, change a colour or start a new line."""

    @given(st.text())
    def test_only_printable_characters_are_left(self, text: str) -> None:
        assert visible(text).isprintable()

    @given(st.text().filter(str.isprintable))
    def test_printable_text_is_left_alone(self, text: str) -> None:
        assert visible(text) == text

    def test_escape_sequences_are_written_out(self) -> None:
        assert visible("a\x1b[31mb\nc") == "a\\x1b[31mb\\nc"


class TestSparkline:
    """A history keeps its shape, however long it is."""

    def test_lowest_and_highest_bars_mark_the_ends(self) -> None:
        assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"

    def test_a_constant_history_is_flat(self) -> None:
        assert sparkline([3.0, 3.0, 3.0]) == "▁▁▁"

    def test_a_missing_value_is_a_dot(self) -> None:
        assert sparkline([1.0, None, 2.0]) == "▁·█"

    def test_nothing_known_is_all_dots(self) -> None:
        assert sparkline([None, None]) == "··"

    def test_a_range_wider_than_a_float64(self) -> None:
        assert sparkline([-1.7e308, 0.0, 1.7e308]) == "▁▅█"

    def test_a_step_survives_binning(self) -> None:
        assert sparkline([1.0] * 500 + [2.0] * 500, width=10) == "▁▁▁▁▁█████"

    @given(
        st.lists(
            st.floats(allow_nan=False, allow_infinity=False) | st.none(),
            max_size=200,
        ),
        st.integers(1, 80),
    )
    def test_never_wider_than_asked(self, values: list[float | None], width: int) -> None:
        assert len(sparkline(values, width)) == min(len(values), width)


class TestTable:
    """Columns are aligned and nothing is cut off."""

    def test_layout(self) -> None:
        shown = table(("name", "n"), [("a", "1"), ("a much longer name", "22")], right=("n",))
        assert shown == (
            "name                 n\n──────────────────  ──\na                    1\na much longer name  22"
        )

    def test_no_rows(self) -> None:
        assert table(("name", "n"), []) == "name  n\n────  ─"

    def test_wide_letters_and_marks_keep_columns_straight(self) -> None:
        names = ["漢字ベンチ", "🚀 launch", "e\u0301te\u0301", "plain"]
        lines = table(("name", "n"), [(name, "1") for name in names], right=("n",)).splitlines()[2:]
        gaps = [len(line) - len(name) - 1 for line, name in zip(lines, names, strict=True)]
        assert gaps == [2, 3, 9, 7]


def drawn(rows: Sequence[tuple[str, ...]], width: int | None, fit: Fit, headings: tuple[str, ...]) -> list[str]:
    return table(headings, rows, (), Screen(width=width), fit).split("\n")


class TestFit:
    """A table takes no more cells than a screen has: prefix first, then columns, then names; nothing is lost unsaid."""

    HEADINGS = ("benchmark", "test bed", "median", "q1", "q3")
    ROWS: ClassVar = [
        ("benchmarks/test_speed.py::test_query[1]", "ci-1", "1.5 ms", "1.4 ms", "1.6 ms"),
        ("benchmarks/test_speed.py::test_insert_many[1000]", "ci-1", "2.5 ms", "2.4 ms", "2.6 ms"),
    ]
    FIT = Fit(drop=(("q1", "q3"), ("test bed",)))

    def drawn(self, width: int | None) -> list[str]:
        return drawn(self.ROWS, width, self.FIT, self.HEADINGS)

    def test_room_enough(self) -> None:
        assert self.drawn(None) == self.drawn(200) == table(self.HEADINGS, self.ROWS).splitlines()

    def test_the_prefix_is_written_once(self) -> None:
        assert self.drawn(70) == [
            "every benchmark begins with benchmarks/test_speed.py::",
            "benchmark               test bed  median  q1      q3",
            "──────────────────────  ────────  ──────  ──────  ──────",
            "test_query[1]           ci-1      1.5 ms  1.4 ms  1.6 ms",
            "test_insert_many[1000]  ci-1      2.5 ms  2.4 ms  2.6 ms",
        ]

    def test_then_what_is_common(self) -> None:
        lines = self.drawn(50)
        assert lines[:3] == [
            "every benchmark begins with benchmarks/test_speed.py::",
            "test bed: ci-1",
            "benchmark               median  q1      q3",
        ]

    def test_then_columns_are_left_out(self) -> None:
        assert self.drawn(32)[2:] == [
            "benchmark               median",
            "──────────────────────  ──────",
            "test_query[1]           1.5 ms",
            "test_insert_many[1000]  2.5 ms",
            "not shown: q1, q3; --output json or a pipe shows every column",
        ]

    def test_names_are_shortened_last(self) -> None:
        lines = self.drawn(26)
        assert lines[4:6] == ["test_query[1]       1.5 ms", "…insert_many[1000]  2.5 ms"]

    def test_no_name_becomes_empty(self) -> None:
        rows = [("a/very/long/path/", "1"), ("a/very/long/path/x", "2")]
        assert drawn(rows, 10, Fit(), ("benchmark", "n"))[2].startswith("a/…path/")

    def test_a_note_is_cut_before_a_name(self) -> None:
        rows = [("f" * 30, "because " * 10)]
        lines = drawn(rows, 60, Fit(notes="note"), ("benchmark", "note"))
        assert lines[2] == f"{'f' * 30}  because because because bec…"

    @given(
        st.lists(st.tuples(texts(), texts(), texts(), texts()), min_size=1, max_size=4),
        st.integers(40, 90),
    )
    def test_it_fits_and_loses_no_row(self, rows: list[tuple[str, ...]], width: int) -> None:
        fit = Fit(drop=(("b",), ("c",)), notes="d")
        lines = drawn(rows, width, fit, ("benchmark", "b", "c", "d"))
        start = next(number for number, line in enumerate(lines) if line.startswith("─"))
        body = lines[start - 1 : start + 1 + len(rows)]
        assert all(cells_of(line) <= width for line in body)
        assert len(body) == len(rows) + 2

    def test_no_rows(self) -> None:
        assert table(("a", "b"), [], (), Screen(width=2)).startswith("a  b")


PINT = "python: pint/testsuite/benchmarks"


class TestDistinctNames:
    """Names lose what they share with others, and keep what differs."""

    def test_a_shared_beginning_goes(self) -> None:
        names = [f"{PINT}/test_01_eval.py::test_eval[{n}]" for n in "ab"]
        assert distinct_names(names, 48) == ["…test_eval[a]", "…test_eval[b]"]

    def test_what_only_some_share_goes_too(self) -> None:
        names = [*(f"{PINT}/test_01_eval.py::{n}" for n in ("parse", "add")), "rust: core/units/sum"]
        assert distinct_names(names, 48) == [
            "python: …test_01_eval.py::parse",
            "python: …test_01_eval.py::add",
            "rust: core/units/sum",
        ]

    def test_no_part_begins_inside_a_number(self) -> None:
        assert distinct_names(["environment (release 3.1)", "environment (release 3.12)"], 16) == ["…3.1)", "…3.12)"]
        names = [f"conda-of-python3.{minor}-numpy{more}-hdf5plugin" for minor, more in ((11, ""), (12, ""), (12, 2))]
        assert distinct_names(names, 20, 34) == [
            "…python3.11-numpy-hdf5plugin",
            "…python3.12-numpy-hdf5plugin",
            "…python3.12-numpy2-hdf5plugin",
        ]

    def test_no_word_begins_inside_a_version(self) -> None:
        names = [
            f"environment-of-virtualenv-py3.10{more}: suite.time_of_a_benchmark" for more in ("", "-setuptools59.2.0")
        ]
        assert distinct_names(names, 30, 52) == [
            "…py3.10: suite.time_of_a_benchmark",
            "…py3.10-setuptools59.2.0: suite.time_of_a_benchmark",
        ]

    def test_a_name_with_room_stays(self) -> None:
        names = ["tokenizer/parse/small", "tokenizer/parse/large"]
        assert distinct_names(names, 48) == names

    def test_letters_that_differ_outlast_the_rest(self) -> None:
        names = [f"{'a' * 50}{n}{'b' * 50}" for n in "12"]
        short = distinct_names(names, 20)
        assert short == ["…1bbbbbbbb…bbbbbbbbb", "…2bbbbbbbb…bbbbbbbbb"]

    def test_the_name_that_another_begins_with(self) -> None:
        names = ["module/of/benchmarks/sort", "module/of/benchmarks/sort_stable"]
        assert distinct_names(names, 16) == ["module/…sort", "…sort_stable"]

    @given(st.lists(st.text("ab/_:", max_size=40), max_size=12), st.integers(8, 30))
    def test_different_names_stay_different(self, names: list[str], room: int) -> None:
        assert len(set(distinct_names(names, room))) == len(set(names))

    @given(st.lists(st.text("ab/_:", min_size=30, max_size=60), max_size=3), st.integers(12, 30))
    def test_it_fits(self, names: list[str], room: int) -> None:
        assert all(len(name) <= room for name in distinct_names(names, room))


class TestColour:
    """Only the words of verdicts are painted, only when asked, and columns stay aligned."""

    def test_painted(self) -> None:
        rows = [("failed", "regressed"), ("x", "unchanged")]
        plain = table(("benchmark", "verdict"), rows, (), Screen(), colours={"regressed": "red", "failed": "red"})
        painted = table(
            ("benchmark", "verdict"), rows, (), Screen(colour=True), colours={"regressed": "red", "failed": "red"}
        )
        assert painted == plain.replace("regressed", "\x1b[31mregressed\x1b[0m")
