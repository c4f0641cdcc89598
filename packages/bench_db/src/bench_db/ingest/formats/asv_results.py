"""The two layouts of asv's results files as one: what a file says of each benchmark, and of each of its parameters."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.reading import RefusedError, SkipReason

# What the first layout says of benchmarks beside their results, each by their names.
_FACTS = {"benchmark_version": "version", "started_at": "started_at", "ended_at": "ended_at", "duration": "duration"}
_BY_NAME = {*_FACTS, "results", "profiles"}
_STATS = "stats_"
_VERSIONS = (1, 2)  # compared, not looked up: a file may have a list in their place
_MOST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One benchmark under one choice of its parameters, whose values are texts in Python's notation.

    `value` is None for a failure and "NaN" for a skipped benchmark; `samples` are empty when they were not recorded;
    `stats` are asv's statistics by its names.
    """

    at: str
    parameters: tuple[str, ...]
    value: Any
    samples: Sequence[Any]
    stats: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A benchmark and its outcomes; `facts` are what the file says of it besides."""

    name: str
    at: str
    raw: msgspec.Raw
    facts: Mapping[str, Any]
    columns: Sequence[str]

    def outcomes(self) -> tuple[Mapping[str, Any], list[Outcome]]:
        """What is known of the benchmark as a whole, and its outcomes in asv's order: the last parameter moves first."""
        found = foreign.part(self.raw, object, at=self.at)
        row = _columned(self.columns, found, self.at) if self.columns else _bare(found)
        parameters = foreign.part(msgspec.json.encode(row.get("params") or []), list[list[str]], at=f"{self.at}.params")
        choices = _choices(parameters, self.at)
        result = row.get("result")
        # a benchmark that failed as a whole has no list
        values = _listed(result, len(choices), f"{self.at}.result") if result is not None else [None] * len(choices)
        samples = _listed(row.get("samples"), len(choices), f"{self.at}.samples")
        stats = _listed(row.get("stats"), len(choices), f"{self.at}.stats")
        outcomes = [
            Outcome(
                at=self.at,
                parameters=choice,
                value=value,
                samples=kept if isinstance(kept, list) else (),
                stats=figures if isinstance(figures, dict) else {},
            )
            for choice, value, kept, figures in zip(choices, values, samples, stats, strict=True)
        ]
        return {**self.facts, **row.get("facts", {})}, outcomes


def entries(top: foreign.Record, file: str) -> tuple[foreign.Record, list[Entry]]:
    """What a file says of the run, and its benchmarks; raises `UnreadableOutputError` when it is no results file."""
    try:
        results = foreign.part(top.get("results", msgspec.Raw(b"{}")), foreign.Record, at="$.results")
        columns = foreign.part(top.get("result_columns", msgspec.Raw(b"[]")), list[str], at="$.result_columns")
    except RefusedError as refused:
        raise UnreadableOutputError(refused.detail, file=file) from refused
    version = foreign.plain(top.get("version"))
    if version not in _VERSIONS or bool(columns) != (version == _VERSIONS[-1]):
        reason = f"is no results file of asv of version 1 or 2 (version {version!r:.40}, {len(columns)} result_columns)"
        raise UnreadableOutputError(reason, file=file, json_path="$.version")
    if not results:
        reason = "holds no benchmark; did the run select any?"
        raise UnreadableOutputError(reason, file=file, json_path="$.results")
    facts = {field: foreign.fields(top.get(field)) for field in _FACTS}
    found = [
        Entry(
            name=name,
            at=f"$.results[{name!r:.100}]",
            raw=raw,
            facts={fact: facts[field][name] for field, fact in _FACTS.items() if name in facts[field]},
            columns=columns,
        )
        for name, raw in results.items()
    ]
    return {field: raw for field, raw in top.items() if field not in _BY_NAME}, found


def _columned(columns: Sequence[str], row: object, at: str) -> dict[str, Any]:
    """The second layout: a list a benchmark, cut off after the last column that is not null."""
    if not isinstance(row, list) or len(row) > len(columns):
        raise RefusedError(SkipReason.WRONG_TYPE, f"no list of at most {len(columns)} columns at {at}")
    named = dict(zip(columns, row, strict=False))
    figures = {name.removeprefix(_STATS): column for name, column in named.items() if name.startswith(_STATS)}
    held = {name: column for name, column in figures.items() if isinstance(column, list)}
    length = max(map(len, held.values()), default=0)
    stats = [{n: column[i] for n, column in held.items() if i < len(column)} for i in range(length)]
    kept = {"result", "params", "samples"}
    facts = {n: v for n, v in named.items() if n not in {*kept, "profile"} and not n.startswith(_STATS)}
    return {**{name: named.get(name) for name in kept}, "stats": stats or None, "facts": facts}


def _bare(found: object) -> dict[str, Any]:
    """The first layout: an object, or without parameters and statistics only the result."""
    return dict(found) if isinstance(found, dict) else {"result": found}


def _choices(parameters: list[list[str]], at: str) -> list[tuple[str, ...]]:
    total = 1
    for values in parameters:
        total *= len(values)
    if total > _MOST:
        raise RefusedError(SkipReason.OUT_OF_RANGE, f"{total} choices of parameters at {at}")
    return list(itertools.product(*parameters))


def _listed(column: object, length: int, at: str) -> list[Any]:
    """A column as one entry a choice; before parameters were lists, a lone entry stood for itself."""
    entries = column if isinstance(column, list) else [column] * (length if column is None else 1)
    if len(entries) != length:
        raise RefusedError(
            SkipReason.LENGTH_MISMATCH, f"{len(entries)} entries for {length} choices of parameters at {at}"
        )
    return entries
