"""Bounds of tags and of the tool's own records, and one spelling of each name (Unicode NFC)."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING
from unicodedata import normalize

import msgspec

from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench_db.ingest.reading import Measurement

_DIGITS = 16  # of the digest that keeps cut tags distinct
_SHARE = 8  # the longest value of a cut record is this part of the bound
_SHOWN = 100  # characters of a cut text
_RESERVED = 200  # characters for the list of fields that are left out
_CUT = "(cut)"


def composed(text: str) -> str:
    """Return a name in Unicode NFC: macOS and some tools write é as two characters."""
    return text if text.isascii() else normalize("NFC", text)


def _tag(text: str) -> str:
    """Return a part of a tag in NFC; one longer than `RULES.tag_length` is cut and ends with a digest of the whole text."""
    whole = composed(text)
    if len(whole) <= RULES.tag_length:
        return whole
    digest = sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{whole[: RULES.tag_length - _DIGITS - 4]}... {digest}"


def tags_in_bounds(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags with names and values in NFC and in bounds."""
    return {_tag(name): _tag(value) for name, value in tags.items()}


def in_bounds(measurements: Sequence[Measurement]) -> tuple[list[Measurement], tuple[str, ...]]:
    """Return measurements with names in NFC, tags and metadata in bounds, and a note for each kind of cut."""
    kept: list[Measurement] = []
    tagged: list[str] = []
    records: list[str] = []
    for measurement in measurements:
        m = measurement
        texts = (m.benchmark_name, m.suite, m.metric, m.units, *m.tags, *m.tags.values())
        is_long = any(len(text) > RULES.tag_length for tag in m.tags.items() for text in tag)
        if is_long or not all(map(str.isascii, texts)):
            m = replace(
                m,
                benchmark_name=composed(m.benchmark_name),
                suite=composed(m.suite),
                metric=composed(m.metric),
                units=composed(m.units),
                tags=tags_in_bounds(m.tags),
            )
            tagged += [m.benchmark_name] if is_long else []
        if len(m.metadata) > RULES.metadata_length:
            m = replace(m, metadata=shortened(m.metadata, RULES.metadata_length))
            records.append(m.benchmark_name)
        kept.append(m)
    return kept, (
        *_note(tagged, f"a tag is longer than {RULES.tag_length:,} characters and was cut; it ends with a digest"),
        *_note(
            records,
            f"the tool's own record is longer than {RULES.metadata_length:,} characters; its largest values were cut",
        ),
    )


def _note(names: Sequence[str], what: str) -> tuple[str, ...]:
    return (f"{len(names)} results, first {names[0][:_SHOWN]}: {what}",) if names else ()


def shortened(metadata: str, most: int) -> str:
    """Return the JSON of a record within a number of characters: its largest values are replaced by their sizes."""
    try:
        record = msgspec.json.decode(metadata, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return _json({_CUT: f"{len(metadata):,} characters"})
    kept: dict[str, msgspec.Raw] = {}
    left: list[str] = []
    room = most - _RESERVED
    for name, raw in record.items():
        text = bytes(raw).decode()
        if len(text) > most // _SHARE:
            text = _json(_reduced(msgspec.json.decode(raw), most // _SHARE))
        room -= len(name) + len(text) + len('"":,')
        if room < 0:
            left.append(name)
            room += len(name) + len(text) + len('"":,')
        else:
            kept[name] = msgspec.Raw(text.encode())
    if left:
        kept[_CUT] = msgspec.Raw(msgspec.json.encode(f"{len(left):,} fields: {', '.join(left)}"[:_SHOWN]))
    return _json(kept)


def _reduced(value: object, most: int) -> object:
    size = len(_json(value))
    if size <= most:
        return value
    if isinstance(value, str):
        return f"{value[:_SHOWN]}... {_CUT} {len(value):,} characters"
    if isinstance(value, dict):
        fields = {name: _reduced(inner, most // 2) for name, inner in value.items()}
        if len(_json(fields)) <= most:
            return fields
    return f"{_CUT} {len(value) if isinstance(value, dict | list) else 1:,} entries, {size:,} characters"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
