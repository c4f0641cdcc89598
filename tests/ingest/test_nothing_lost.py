"""Text adapters lose no benchmark in silence, whatever is cut, dropped or printed in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import Content, adapter_named
from tests.ingest.formats.test_catch2 import HEAD

pytestmark = pytest.mark.few(1)

NAMES = ("alpha", "beta/n=3", "gamma", "delta_1")
NOISE = (
    "2026/03/04 10:20:02 WARN cache cold",
    "I260304 10:20:01.003 storage opened at /var/lib/kv1",
    'Criterion.rs ERROR: error: Failed to access file "/w/sample.json": No such file or directory (os error 2)',
    "thread 'main' has noted something",
    "elapsed time: 5 s",
    "3 errors, 12 ns/op",
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The text of one format; a benchmark begins where a line begins with one of its marks.

    Other output can come behind a mark, in a line that is torn there.
    """

    head: str
    rows: Mapping[str, str]  # the text of each benchmark
    marks: Mapping[str, Sequence[str]]
    between: bool = True  # whether other output may be in any place

    @property
    def text(self) -> str:
        return self.head + "".join(self.rows.values())


def sample(head: str, row: str, *marks: str, between: bool = True) -> Sample:
    return Sample(
        head=head,
        rows={name: row.replace("NAME", name) for name in NAMES},
        marks={name: [mark.replace("NAME", name) for mark in marks] for name in NAMES},
        between=between,
    )


def catch2_row(name: str) -> str:
    figures = "  2 us          1 us          3 us \n".rjust(79) + "500 ns         11 ns         29 ns \n".rjust(79)
    return f"{name:<47}100           208     7.1968 ms \n{figures}{' ' * 75}\n"


FORMATS = {
    "cargo-bench": sample(
        "running 4 tests\n", "test NAME ... bench:       1,234.50 ns/iter (+/- 34)\n", "test NAME ... "
    ),
    "cargo-bench, Criterion": sample(
        "",
        "Benchmarking NAME: Warming up for 3.0000 s\nBenchmarking NAME: Analyzing\n"
        "NAME                 time:   [1.0000 us 2.0000 us 3.0000 us]\n                        thrpt:  [1 GiB/s 2 GiB/s 3 GiB/s]\n\n",
        "Benchmarking NAME: ",
        "NAME                 time:   [",
    ),
    "cargo-bench, Criterion's stdout": sample(
        "", "NAME                 time:   [1.0000 us 2.0000 us 3.0000 us]\n\n", "NAME                 time:   ["
    ),
    "go": sample(
        "pkg: p\n",
        "BenchmarkNAME-8   \t  100\t  12.5 ns/op\t  96 B/op\n".replace("NAME", "XNAME"),
        "BenchmarkXNAME-8   \t",
    ),
    "go, verbose": sample(
        "pkg: p\n",
        "BenchmarkXNAME\nBenchmarkXNAME-8   \t  100\t  12.5 ns/op\n",
        "BenchmarkXNAME\n",
        "BenchmarkXNAME-8   \t",
    ),
    "dbpedia": Sample(
        head="",
        rows={n: f"  IVF{i},PQ2: refine=3, recall@4=0.5\n" for i, n in enumerate(NAMES)},
        marks={n: [f"  IVF{i},PQ2:"] for i, n in enumerate(NAMES)},
    ),
    "catch2": Sample(
        head=HEAD,
        rows={name: catch2_row(name) for name in NAMES},
        marks={name: [f"{name:<47}100"] for name in NAMES},
        between=False,
    ),
}
STORED = {"go": "BenchmarkXNAME", "go, verbose": "BenchmarkXNAME"}


def stored_names(format_name: str) -> dict[str, str]:
    """Return the name under which each benchmark of a sample is read."""
    if format_name == "dbpedia":
        return {name: f"dbpedia_query_IVF{i}_PQ2" for i, name in enumerate(NAMES)}
    return {name: STORED.get(format_name, "NAME").replace("NAME", name) for name in NAMES}


def accounted(format_name: str, text: str) -> set[str] | None:
    """Return the names in the results and skips of a text, None for an unreadable one."""
    content = Content(path=Path("f"), text=text.encode())
    try:
        reading = adapter_named(format_name.partition(",")[0]).read(content)
    except UnreadableOutputError:
        return None
    assert not isinstance(reading, tuple)
    return {m.benchmark_name for m in reading.measurements} | {skip.benchmark for skip in reading.skips}


def lost(format_name: str, text: str) -> list[str]:
    """Return the benchmarks that began in a text and are in neither its results nor its skips."""
    known = accounted(format_name, text)
    if known is None:
        return []
    lines, marks = f"\n{text}", FORMATS[format_name].marks
    begun = [name for name in NAMES if any(f"\n{mark}" in lines for mark in marks[name])]
    names = stored_names(format_name)
    return [
        n
        for n in begun
        if not any(k == names[n] or k.startswith((f"{names[n]} (", f"{names[n]}_refine")) for k in known)
    ]


@st.composite
def damaged(draw: st.DrawFn, sample_of: Sample) -> str:
    """Drop lines, tear lines behind their marks, put other output in between, and cut the end."""
    lines = sample_of.text.splitlines(keepends=True)
    tears = [mark.rstrip("\n") for marks in sample_of.marks.values() for mark in marks]
    places = st.integers(0, len(lines) - 1)
    dropped, torn = draw(st.sets(places, max_size=4)), draw(st.sets(places, max_size=3))
    printed = draw(st.dictionaries(places, st.sampled_from(NOISE), max_size=3))
    noise = draw(st.sampled_from(NOISE))
    text = ""
    for place, line in enumerate(lines):
        mark = next((mark for mark in tears if line.startswith(mark) and mark != line.rstrip("\n")), None)
        if place in printed and sample_of.between:
            text += printed[place] + "\n"
        if place not in dropped:
            is_torn = mark and place in torn and sample_of.between
            text += f"{mark}{noise}\n{line[len(mark or '') :]}" if is_torn else line
    return text[: draw(st.none() | st.integers(0, len(text)))]


class TestNothingLost:
    """Every benchmark whose line began ends as a result, an error or a skip with its name."""

    @pytest.mark.parametrize("format_name", FORMATS)
    def test_the_whole_text(self, format_name: str) -> None:
        known = accounted(format_name, FORMATS[format_name].text)
        assert known is not None
        assert len(known) == len(NAMES)

    @pytest.mark.parametrize("format_name", FORMATS)
    @given(data=st.data())
    @settings(max_examples=200)
    def test_damaged(self, format_name: str, data: st.DataObject) -> None:
        text = data.draw(damaged(FORMATS[format_name]))
        assert lost(format_name, text) == [], text

    @pytest.mark.parametrize("format_name", FORMATS)
    def test_every_cut_and_every_dropped_line(self, format_name: str) -> None:
        text = FORMATS[format_name].text
        lines = text.splitlines(keepends=True)
        for end in range(len(text)):
            assert lost(format_name, text[:end]) == [], text[:end]
        for dropped in range(len(lines)):
            without = "".join(lines[:dropped] + lines[dropped + 1 :])
            assert lost(format_name, without) == [], without
