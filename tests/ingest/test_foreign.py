"""Decoding of JSON from other tools."""

import json
import time
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.foreign import Record
from bench_db.ingest.reading import Measurement, RefusedError, Skip, SkipReason

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=9,
)


class Usual(msgspec.Struct, forbid_unknown_fields=True):
    version: msgspec.Raw
    benchmarks: list[Record]


class TestDecode:
    """What Python writes as JSON is read, bad numbers by name; a fault has its line, column or JSON path."""

    @given(VALUES)
    def test_reads_back(self, value: Any) -> None:
        assert foreign.decode(json.dumps(value).encode(), object, file="a") == value

    def test_bad_numbers_become_their_names(self) -> None:
        text = rb'{"a": [NaN, -Infinity, 1.5], "b": "NaN \" Infinity", "c": "\ud800!"}'
        found = foreign.decode(text, dict[str, Any], file="a")
        assert found == {"a": ["NaN", "-Infinity", 1.5], "b": 'NaN " Infinity', "c": "?!"}

    def test_position(self) -> None:
        with pytest.raises(UnreadableOutputError, match=r"^a\.json:2:5: is not valid JSON"):
            foreign.decode(b'{"a":\n  1,,\n}', object, file="a.json")

    def test_cut_off(self) -> None:
        with pytest.raises(UnreadableOutputError, match="ends too early") as raised:
            foreign.decode(b'{"a":\n [1, 2', object, file="a.json")
        assert raised.value.line == 2

    def test_the_line_of_a_file_of_lines(self) -> None:
        with pytest.raises(UnreadableOutputError, match=r"^a\.json:17:"):
            foreign.decode(b"{,}", object, file="a.json", line=17)

    def test_json_path(self) -> None:
        with pytest.raises(UnreadableOutputError) as raised:
            foreign.decode(b'{"a": ["x", 1]}', dict[str, list[str]], file="a.json")
        assert raised.value.json_path == "$[...][1]"

    def test_deep(self) -> None:
        with pytest.raises(UnreadableOutputError, match="nested too deeply"):
            foreign.decode(b"[" * 100_000, object, file="a.json")


class TestPart:
    """A part that does not fit costs its benchmark, with the kind of fault and its path in the document."""

    @pytest.mark.parametrize(
        ("text", "shape", "reason", "where"),
        [
            (b"[1, 2", list[int], SkipReason.BROKEN_JSON, "$.b[3]"),
            (b'["1"]', list[float], SkipReason.NOT_A_NUMBER, "$.b[3][0]"),
            (b"[1]", list[str], SkipReason.WRONG_TYPE, "$.b[3][0]"),
            (b'{"version": 1}', Usual, SkipReason.MISSING_FIELD, "$.b[3]"),
            (b"[1e999]", list[float], SkipReason.OUT_OF_RANGE, "$.b[3][0]"),
        ],
    )
    def test_refused(self, text: bytes, shape: type[object], reason: SkipReason, where: str) -> None:
        with pytest.raises(RefusedError) as raised:
            foreign.part(text, shape, at="$.b[3]")
        assert raised.value.reason is reason
        assert raised.value.detail.endswith(f" at {where}")

    def test_a_decoder_and_its_shape_read_alike(self) -> None:
        decoder = msgspec.json.Decoder(list[int])
        assert foreign.part(b"[1, 2]", decoder, at="$") == foreign.part(b"[1, 2]", list[int], at="$") == [1, 2]


class TestListing:
    """A document gives the same records whether it has the usual fields or others."""

    @pytest.mark.parametrize("more", ["", ', "extra": [1]'])
    def test_usual_and_not(self, more: str) -> None:
        text = '{"version": 3, "benchmarks": [{"a": 1}, {"b": 2}]' + more + "}"
        top, records = foreign.listing(text.encode(), "benchmarks", Usual, file="a")
        assert foreign.texts(top) == {"version": "3", **({"extra": "[1]"} if more else {})}
        assert [foreign.texts(one) for one in records if isinstance(one, dict)] == [{"a": "1"}, {"b": "2"}]

    def test_a_record_that_is_no_object(self) -> None:
        _, records = foreign.listing(b'{"version": 1, "benchmarks": [{}, 7]}', "benchmarks", Usual, file="a")
        assert [bytes(one) for one in records if isinstance(one, msgspec.Raw)] == [b"{}", b"7"]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (b'{"version": 1, "benchmarks": []}', "contains no benchmark"),
            (b'{"version": 1}', "has no list `benchmarks`"),
            (b'{"version": 1, "benchmarks": 5}', "Expected `array`, got `int`"),
        ],
    )
    def test_no_list(self, text: bytes, reason: str) -> None:
        with pytest.raises(UnreadableOutputError, match=reason) as raised:
            foreign.listing(text, "benchmarks", Usual, file="a")
        assert raised.value.json_path == "$.benchmarks"

    def test_array(self) -> None:
        assert len(foreign.array(b"[{}, 7]", file="a")) == 2
        with pytest.raises(UnreadableOutputError, match="contains no benchmark"):
            foreign.array(b"[]", file="a")


def named(record: Record, place: str) -> str:
    if "name" not in record:
        raise RefusedError(SkipReason.NO_NAME, place)
    return foreign.part(record["name"], str, at=place)


def measurement(name: str, record: Record, place: str) -> Iterable[Measurement]:
    if "value" not in record:
        raise RefusedError(SkipReason.MISSING_FIELD, place)
    yield Measurement(benchmark_name=name)


class TestEach:
    """Every record is a measurement or a skip, and one bad record costs no other."""

    def test_each(self) -> None:
        records = foreign.array(
            b'[{"name": "a", "value": 1}, 7, {"name": "b"}, {}, {"name": "c", "value": 2}]', file="a"
        )
        measurements, skips = foreign.each(records, "$", named, measurement)
        assert [one.benchmark_name for one in measurements] == ["a", "c"]
        assert [(skip.benchmark, skip.reason) for skip in skips] == [
            ("$[1]", SkipReason.WRONG_TYPE),
            ("b", SkipReason.MISSING_FIELD),
            ("$[3]", SkipReason.NO_NAME),
        ]
        assert skips[1] == Skip(benchmark="b", reason=SkipReason.MISSING_FIELD, detail="$[2]")


class TestDescription:
    """A value that describes the file is read as far as it can be, and never refused."""

    def test_plain(self) -> None:
        assert foreign.plain(msgspec.Raw(b'{"a": 1}')) == foreign.fields(msgspec.Raw(b'{"a": 1}')) == {"a": 1}
        assert (foreign.plain(None), foreign.plain(msgspec.Raw(b"[1"))) == (None, None)
        assert foreign.fields(None) == foreign.fields(msgspec.Raw(b"[1]")) == {}

    def test_texts(self) -> None:
        record = {"a": msgspec.Raw(b'"x\\ny"'), "b": msgspec.Raw(b"1.50"), "c": msgspec.Raw(b"[1,2]")}
        assert foreign.texts(record) == {"a": "x\ny", "b": "1.50", "c": "[1,2]"}

    def test_compact(self) -> None:
        assert foreign.compact({"a": msgspec.Raw(b'[ 1.50,\n "x y" ]'), "b": 2}) == '{"a":[1.50,"x y"],"b":2}'
        with pytest.raises(RefusedError, match="not UTF-8"):
            foreign.compact({"a": msgspec.Raw(b'"\xff"')})

    def test_text(self) -> None:
        assert (foreign.text("a"), foreign.text(1), foreign.text(None)) == ("a", "", "")


class TestTimes:
    """Every spelling of a moment is the same moment; a word that is none is None."""

    @pytest.mark.parametrize(
        "text",
        [
            "1706666400",
            "1706666400.9",
            "1706666400000",
            "2024-01-31T02:00:00Z",
            "2024-01-31 02:00:00",
            "2024/1/31 2:00",
            "2024-01-31T02:00:00.123 UTC",
            "2024.01.31 3:00:00 +0100",
            "2024-01-30 21:00:00,5 -05:00",
            "Wed, 31 Jan 2024 03:00:00 +0100",
        ],
    )
    def test_moment(self, text: str) -> None:
        assert foreign.moment(text) == 1_706_666_400

    @pytest.mark.parametrize(
        "text", ["2024-01-31 02:00:00", "Wed, 31 Jan 2024 02:00:00", "Wed, 31 Jan 2024 02:00:00 -0000"]
    )
    def test_without_a_zone_it_is_utc(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TZ", "America/New_York")
        time.tzset()
        try:
            assert foreign.moment(text) == 1_706_666_400
        finally:
            monkeypatch.undo()
            time.tzset()

    @pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2024-02-30 1:00", "17"])
    def test_no_moment(self, text: str) -> None:
        assert foreign.moment(text) is None

    def test_unix(self) -> None:
        assert foreign.unix("2024-01-31T03:00:00+01:00") == foreign.unix("2024-01-31 02:00:00") == 1_706_666_400
        assert (foreign.unix("soon"), foreign.unix(17), foreign.unix(None)) == (None, None, None)


class TestCommit:
    """Only 7 to 64 hexadecimal digits are a commit."""

    @pytest.mark.parametrize("text", ["1a2b3c4", "A" * 40, "0" * 64])
    def test_a_commit(self, text: str) -> None:
        assert foreign.commit(text) == text

    @pytest.mark.parametrize("text", ["1a2b3c", "unversioned", "0" * 65, "1a2b3c4\n", None, 1234567])
    def test_none(self, text: object) -> None:
        assert foreign.commit(text) is None


class TestNumbersThatAreNotJson:
    """A number that no JSON has becomes the text that Python writes for it, and a text with such a word is not changed."""

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("NaN", "NaN"), ("nan", "NaN"), ("-nan", "NaN"), ("nan(0x8)", "NaN"), ("-nan(ind)", "NaN"), ("1.#QNAN", "NaN"),
            ("-1.#IND00", "NaN"), ("Infinity", "Infinity"), ("inf", "Infinity"), ("-inf", "-Infinity"), ("-Infinity", "-Infinity"),
            ("1.#INF", "Infinity"), ("-1.#INF", "-Infinity"), ("2%", "2%"), ("1.5e-3%", "1.5e-3%"),
        ],
    )  # fmt: skip
    def test_becomes_text(self, written: str, read: str) -> None:
        text = f'{{"nan": "inf \\" 2%", "x": {written}, "y": [{written}, 1]}}'.encode()
        assert foreign.decode(text, dict[str, object], file="f") == {"nan": 'inf " 2%', "x": read, "y": [read, 1]}

    @pytest.mark.parametrize("written", ["nano", "infx", "none", "%", "2%%"])
    def test_other_words_are_faults(self, written: str) -> None:
        with pytest.raises(UnreadableOutputError, match="is not valid JSON"):
            foreign.decode(f'{{"x": {written}}}'.encode(), dict[str, object], file="f")
