"""The text of `cargo bench`: lines of libtest and of Criterion, among whatever else was printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench_db.errors import UnreadableOutputError
from bench_db.ingest.formats import criterion_text, libtest, panics
from bench_db.ingest.formats.terminal import lines
from bench_db.ingest.reading import Measurement, Reading, Skip

if TYPE_CHECKING:
    from bench_db.ingest.content import Content

SOURCE = "cargo-bench/1"
_SNIFF = re.compile(f"{libtest.LINE}|{criterion_text.LINE}")
_READERS = (libtest.read, criterion_text.read)


def sniff(edges: bytes) -> bool:
    """Whether any line is that of a measured benchmark."""
    return any(_SNIFF.search(line) for _, line in lines(edges.decode("utf-8", "replace")))


def read(content: Content) -> Reading:
    """The benchmarks of libtest, then those of Criterion, each in the order of their lines."""
    text = bytes(content.body).decode()
    measurements: list[Measurement] = []
    skips: list[Skip] = []
    for read_lines in _READERS:
        found, refused = read_lines(panics.joined(lines(text)))
        measurements += found
        skips += refused
    if not measurements and not skips:
        reason = (
            "holds no line like `test name ... bench: 1,234 ns/iter (+/- 56)` or `name  time: [1.2 ns 1.3 ns 1.4 ns]`"
        )
        raise UnreadableOutputError(reason, file=str(content.path))
    return Reading(source=SOURCE, measurements=tuple(measurements), skips=tuple(skips))
