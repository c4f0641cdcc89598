"""Records as JSON: one set of names, and the names of earlier releases beside them."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench_db.model import Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench_db.model import (
        Baseline,
        Blame,
        Change,
        Comparison,
        Confirmation,
        Finding,
        MeanChange,
        Movement,
        Noise,
        PairComparison,
        PairRun,
        RecordedCommit,
    )

# Deprecated since 0.2, gone in the release after: the name of an earlier release -> the name it has now.
OLD_NAMES = {
    "testbed_name": "test_bed_name",
    "label": "series",
    "version": "dut_version",
    "timestamp": "commit_time",
}
# Raised when a name or a meaning is taken away, never when a name is added.
DOCUMENT_VERSION = 1


def record_json(
    record: Blame | Change | Comparison | Confirmation | MeanChange | Movement | Noise | PairComparison | PairRun,
) -> dict[str, Any]:
    """Return a record as a JSON object. A series is flat: the label as `series`, then the fields that identify it."""
    values = asdict(record)
    series = getattr(record, "series", None)
    if not isinstance(series, Series):
        return _finite_values(values)
    return _document({**series_json(series), **_without(values, "series")})


def finding_json(finding: Finding, series: Mapping[int, Series]) -> dict[str, Any]:
    """Return a finding as a JSON object, with its series where `series` (by key) has it."""
    one = series.get(finding.series_key)
    about = {"series": "", "series_key": f"{finding.series_key:016x}"} if one is None else series_json(one)
    own = _without(asdict(finding), "key", "series_key", "replaces")
    return _document({**about, **own, "withdrawn": finding.is_withdrawn})


def baseline_json(pointer: Baseline) -> dict[str, Any]:
    """Return a setting of a baseline as a JSON object."""
    return _document({**_without(asdict(pointer), "key", "replaces"), "test_bed_name": pointer.testbed_name})


def commit_json(record: RecordedCommit) -> dict[str, Any]:
    """Return a recorded commit as a JSON object."""
    return _without(asdict(record), "key", "source", "replaces")


def series_json(series: Series) -> dict[str, Any]:
    """Return a series as a JSON object; its key is hexadecimal text, because JavaScript has no integers of 63 bits."""
    return {"series": series.label, **asdict(series), "series_key": f"{series.series_key:016x}"}


def versioned(document: Mapping[str, object]) -> dict[str, Any]:
    """Return a document with the version of its schema."""
    return {**document, "schema_version": DOCUMENT_VERSION}


def with_old_names(document: Mapping[str, object]) -> dict[str, Any]:
    """Return the document of a series or of one of its points with the names of earlier releases beside the present ones."""
    old = {old: document[new] for old, new in OLD_NAMES.items() if new in document and "test_bed_name" in document}
    return {**old, **document}


def _document(values: Mapping[str, object]) -> dict[str, Any]:
    return with_old_names(_finite_values(values))


def _finite_values(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: _finite(value) for name, value in values.items()}


def _without(values: Mapping[str, object], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
