"""Thresholds of verdicts for some series, as definitions state them: the smallest change that counts, by names and tags."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench_db.errors import UserError
from bench_db.identity import tags_of_key
from bench_db.model import Definition
from bench_db.units import BYTES, SIZES, base_unit

if TYPE_CHECKING:
    import polars as pl

    from bench_db.model import Series

KIND = "threshold"
FIELDS = ("benchmark", "metric", "suite")
_TAG = "tag."
_SPLIT = re.compile(r"[\s'\"\\]")
_RELATIVE = re.compile(r"(?P<number>[^\s%]+)\s*%")
_ABSOLUTE = re.compile(r"(?P<number>[+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(?P<unit>.*)")
# An amount of these needs its unit: 5 can mean ms or s.
_SCALED = {"nanoseconds", "bytes", "per_second", "bytes_per_second"}
_ALLOWED = "a share such as 5%, a difference such as 2ms, 512KiB or 3, or both: 5% and 2ms"
_ALLOWED_NAMES = f"{', '.join(FIELDS)} and {_TAG}NAME, each with =GLOB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The smallest change that counts; a change has to reach all of it.

    `relative` is a share, `absolute` a difference in base units of the series, null for the one that is not stated. `text` is how
    reports show both.
    """

    relative: float | None = None
    absolute: float | None = None
    text: str = ""

    def share_of(self, level: float) -> float:
        """Return the smallest change relative to a level; infinite for a difference from 0."""
        difference = self.absolute or 0.0
        of_level = difference / abs(level) if level else math.inf if difference else 0.0
        return max(self.relative or 0.0, of_level)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One definition, read: the patterns of names and tags, and the amounts. `units` are those of `absolute`, null for any that needs none."""

    record: Definition
    names: Mapping[str, re.Pattern[str]]
    tags: Mapping[str, re.Pattern[str]]
    relative: float | None
    absolute: float | None
    units: str | None
    rank: tuple[int, int]

    def names_series(self, series: Series) -> bool:
        """Return whether the names and tags of a series match, whatever its unit."""
        if self.record.dut_name not in (None, series.dut_name):
            return False
        own = {"benchmark": series.benchmark_name, "metric": series.metric, "suite": series.suite}
        tags = tags_of_key(series.tags_key) if self.tags else {}
        return all(pattern.match(own[name]) for name, pattern in self.names.items()) and all(
            name in tags and pattern.match(tags[name]) for name, pattern in self.tags.items()
        )

    def fits_unit(self, series: Series) -> bool:
        """Return whether the difference is in the unit of a series."""
        if self.absolute is None:
            return True
        return series.units not in _SCALED if self.units is None else series.units == self.units

    @property
    def threshold(self) -> Threshold:
        of = f" ({self.record.pattern})" if self.record.pattern else ""
        return Threshold(relative=self.relative, absolute=self.absolute, text=f"{self.record.value}{of}")


class Thresholds:
    """The thresholds in force. Of several for one series the narrowest applies.

    That is the one with most conditions: benchmark, metric, suite, each tag and the device. Among equals it is the one with most
    characters that are no wildcard, and then the newest.
    """

    def __init__(self, records: Iterable[Definition]) -> None:
        """Take the definitions in force, oldest first; those of other kinds have no part."""
        newest_first: list[_Rule] = []
        self._unread: list[str] = []
        for record in records:
            if record.kind != KIND:
                continue
            try:
                newest_first.insert(0, _rule(record))
            except UserError as error:  # a later release wrote it, which is no reason to answer nothing
                self._unread.append(f"threshold {record.value!r} of {record.pattern!r} is not used: {error}")
        self._rules = sorted(newest_first, key=lambda rule: rule.rank, reverse=True)

    def __bool__(self) -> bool:
        return bool(self._rules or self._unread)

    def of(self, series: Series) -> Threshold | None:
        """Return the threshold of a series; None where the default applies."""
        found = (rule for rule in self._rules if rule.names_series(series) and rule.fits_unit(series))
        return next((rule.threshold for rule in found), None)

    def by_key(self, names: pl.DataFrame) -> dict[int, Threshold]:
        """Return the thresholds of those series that have one, by series key. `names` has the columns of `query.series.IDENTITY`."""
        found = ((one.series_key, self.of(one)) for one in (_identified(names) if self else ()))
        return {key: threshold for key, threshold in found if threshold is not None}

    def faults(self, names: pl.DataFrame) -> list[str]:
        """Describe the thresholds that cannot be read, that match no series of their device, or that are in another unit than series."""
        series = _identified(names) if self else []
        duts = {one.dut_name for one in series}
        found = list(self._unread)
        for rule in self._rules:
            if rule.record.dut_name is not None and rule.record.dut_name not in duts:
                continue
            named = [one for one in series if rule.names_series(one)]
            others = sorted({one.units for one in named if not rule.fits_unit(one)})
            about = f"threshold {rule.record.value} of {rule.record.pattern or 'all series'}"
            if not named:
                found.append(f"{about}: matches no series")
            elif others:
                found.append(f"{about}: not used for series in {', '.join(others)}")
        return found


def _identified(names: pl.DataFrame) -> list[Series]:
    from bench_db.query.series import identified  # noqa: PLC0415 bench-db.toml is read without frames: polars takes 0.5 s

    return list(identified(names))


def checked(pattern: str, value: str) -> tuple[str, str]:
    """Return the pattern and the value of a threshold as they are stored. Raises `UserError` for what cannot be read."""
    names, tags = _conditions(pattern)
    relative, absolute, _ = _amounts(value)
    parts = [part.strip() for part in _split(value)]
    kept = [part for part, number in zip(parts, (relative, absolute), strict=True) if number is not None]
    return pattern_of(names, tags), " and ".join(kept)


def value_of(relative: str, absolute: str) -> str:
    """Return a share and a difference, either of which may be empty, as one value of a definition. Raises `UserError` for what cannot be read."""
    if relative and not _RELATIVE.fullmatch(relative.strip()):
        message = f"{relative!r} is no share; write it with a percent sign, such as {relative.strip()}% or 5%"
        raise UserError(message)
    value = " and ".join(filter(None, (relative.strip(), absolute.strip())))
    return checked("", value)[1]


def pattern_of(names: Mapping[str, str], tags: Mapping[str, str]) -> str:
    """Return globs of `FIELDS` and of tags as one pattern of a definition."""
    words = [f"{name}={names[name]}" for name in FIELDS if name in names]
    words += [f"{_TAG}{name}={tags[name]}" for name in sorted(tags)]
    return " ".join(shlex.quote(word) if _SPLIT.search(word) else word for word in words)


def _rule(record: Definition) -> _Rule:
    from bench_db.query.selection import glob_pattern  # noqa: PLC0415 as `_identified`

    names, tags = _conditions(record.pattern)
    relative, absolute, units = _amounts(record.value)
    globs = [*names.values(), *tags.values()]
    literal = sum(letter not in "*?" for glob in globs for letter in glob)
    return _Rule(
        record=record,
        names={name: re.compile(glob_pattern(glob)) for name, glob in names.items()},
        tags={name: re.compile(glob_pattern(glob)) for name, glob in tags.items()},
        relative=relative,
        absolute=absolute,
        units=units,
        rank=(len(globs) + (record.dut_name is not None), literal),
    )


def _conditions(pattern: str) -> tuple[dict[str, str], dict[str, str]]:
    """Read `benchmark=GLOB metric=GLOB suite=GLOB tag.NAME=GLOB`, each of which may be missing."""
    try:
        words = shlex.split(pattern)
    except ValueError as error:
        message = f"`pattern`: {pattern!r} cannot be split into words: {error}; it takes {_ALLOWED_NAMES}"
        raise UserError(message) from error
    names: dict[str, str] = {}
    tags: dict[str, str] = {}
    for word in words:
        name, equals, glob = word.partition("=")
        tag = name.removeprefix(_TAG)
        if not equals or (name not in FIELDS and (tag == name or not tag)):
            message = f"`pattern`: {word!r} is no condition of a threshold; it takes {_ALLOWED_NAMES}"
            raise UserError(message)
        if name in FIELDS:
            names[name] = glob
        else:
            tags[tag] = glob
    return names, tags


def _split(value: str) -> tuple[str, str]:
    """Split a value into its share and its difference, either of which may be empty."""
    share = _RELATIVE.match(value.strip())
    if share is None:
        return "", value
    return share[0], re.sub(r"^\s*(and\b|,)?\s*", "", value.strip()[share.end() :])


def _amounts(value: str) -> tuple[float | None, float | None, str | None]:
    """Return the share, the difference in base units, and the base unit that it is in."""
    share, difference = _split(value)
    relative = None if not share else _number(share.rstrip("% "), value) / 100
    if not difference.strip():
        if relative is None:
            message = f"`value`: a threshold needs {_ALLOWED}"
            raise UserError(message)
        return relative, None, None
    found = _ABSOLUTE.fullmatch(difference.strip())
    if found is None:
        message = f"`value`: {value!r} is no threshold; it takes {_ALLOWED}"
        raise UserError(message)
    number, unit = _number(found["number"], value), found["unit"]
    if not unit:
        return relative, number, None
    if unit.lower() in SIZES:
        return relative, number * SIZES[unit.lower()], BYTES.name
    base, factor = base_unit(unit)
    return relative, number * factor, base.name


def _number(text: str, value: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0.0):
        message = f"`value`: {text!r} in {value!r} is no number from 0 on; a threshold takes {_ALLOWED}"
        raise UserError(message)
    return number
