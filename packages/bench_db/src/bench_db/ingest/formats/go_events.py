"""The events of `go test -json` (test2json): the text of several packages, in pieces that may alternate."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING

import msgspec

from bench_db.ingest import foreign, origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.ingest.content import Content

_SNIFF = re.compile(rb'^\{.*"Output"\s*:\s*"(Benchmark|--- (FAIL|SKIP): Benchmark)', re.MULTILINE)


class _Event(msgspec.Struct, rename="pascal"):
    action: str = ""
    package: str = ""
    output: str = ""
    time: str = ""


def sniff(edges: bytes) -> bool:
    """Whether an event puts out a line of a benchmark."""
    return _SNIFF.search(edges) is not None


def lines(content: Content) -> tuple[Iterator[str], int | None]:
    """The lines go test would have printed, one package after the other, and the time of the first event; other text as it is."""
    stream = BytesIO(content.text)  # line by line: a list of all would take several times the file
    stream.seek(len(content.text) - len(content.body))
    if not sniff(content.edges):
        return (line.decode().rstrip("\n") for line in stream), None
    packages: dict[str, list[str]] = {}
    start = None
    for number, line in enumerate(stream, 1):
        if line.startswith(b"{"):  # anything else is what go itself says, as of a package it cannot build
            event = foreign.decode(line, _Event, file=str(content.path), line=number)
            start = origin.unix(event.time) if start is None else start
            if event.action == "output":
                packages.setdefault(event.package, []).append(event.output)
    return (line for pieces in packages.values() for line in "".join(pieces).split("\n")), start
