import pytest

from bench_db.errors import UserError
from bench_db.schedule.plan import Between, Commits, Range, Scope, Tags, parse_period, parse_range


class TestParseRange:
    """A range is one of six forms, and what is none of them is refused with the grammar."""

    @pytest.mark.parametrize(
        ("text", "meaning"),
        [
            ("NEW", Scope.NEW),
            (" ALL ", Scope.ALL),
            ("EXISTING", Scope.EXISTING),
            ("TAGS", Tags(pattern="*")),
            ("TAGS:v1.*", Tags(pattern="v1.*")),
            ("v1..main", Between(start="v1", end="main")),
            ("..main", Between(start="HEAD", end="main")),
            ("v1..", Between(start="v1", end="HEAD")),
            ("abc123", Commits(names=("abc123",))),
            ("v1, HEAD~3,main", Commits(names=("v1", "HEAD~3", "main"))),
        ],
    )
    def test_forms(self, text: str, meaning: Range) -> None:
        assert parse_range(text) == meaning

    @pytest.mark.parametrize(
        "text",
        [
            "",
            ",",
            "a,,b",
            "a...b",
            "a..b..c",
            "--output=x",
            "a..-b",
            "a b",
            "NEW,main",
            "new..TAGS",
            "a\nb",
            "a*",
            "-x",
        ],
    )
    def test_refusals(self, text: str) -> None:
        with pytest.raises(UserError, match="range"):
            parse_range(text)


class TestParsePeriod:
    """A period is a number and a unit."""

    @pytest.mark.parametrize(
        ("text", "seconds"), [("12h", 43_200), ("1d", 86_400), ("2w", 1_209_600), ("1y", 31_536_000)]
    )
    def test_units(self, text: str, seconds: int) -> None:
        assert parse_period(text) == seconds

    @pytest.mark.parametrize("text", ["", "1", "d", "0d", "-1d", "1.5d", "1D", "1 d", "99999999d"])
    def test_refusals(self, text: str) -> None:
        with pytest.raises(UserError, match="`date_period`"):
            parse_period(text)
