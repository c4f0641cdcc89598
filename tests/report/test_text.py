"""Text for a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.text import sparkline, table, visible


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

    def test_a_step_survives_binning(self) -> None:
        assert sparkline([1.0] * 500 + [2.0] * 500, width=10) == "▁▁▁▁▁█████"

    @given(
        st.lists(
            st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300) | st.none(),
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
