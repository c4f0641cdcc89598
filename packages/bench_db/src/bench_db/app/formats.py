"""The formats that files may have, and what one of them makes of a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.app.answers import Answer, frame_of
from bench_db.app.configuration import Declaration, formats_for, formats_stated, named
from bench_db.ingest import Provenance, known, location, parse_each
from bench_db.model import Result

if TYPE_CHECKING:
    from bench_db.ingest import Adapter


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFormat:
    """A format: where it comes from (`declared`, `bench_db` or `package`), and whether a file is recognised by its content."""

    name: str
    origin: str
    by_content: bool
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats(Answer):
    """The known formats: declared ones first, then those of bench_db and of other packages."""

    formats: Sequence[KnownFormat]

    def frame(self) -> pl.DataFrame:
        """Return a row a format."""
        return frame_of(self.formats, KnownFormat)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"formats": [asdict(one) for one in self.formats], "results": [], "skipped": {}, "notes": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried(Answer):
    """What a format makes of a file: the results, what is skipped by reason, and the notes. Nothing is stored."""

    format: KnownFormat
    results: Sequence[Result]
    skipped: Mapping[str, int]
    notes: Sequence[str]

    def frame(self) -> pl.DataFrame:
        """Return a row a result; `values` are in `units`, which are base units."""
        columns = ("benchmark_name", "suite", "metric", "units", "direction", "n", "values", "error", "commit")
        rows = {name: [getattr(one, name) for one in self.results] for name in columns}
        rows["values"] = [list(one.values) for one in self.results]
        tags = [[{"key": key, "value": value} for key, value in sorted(one.tags.items())] for one in self.results]
        return pl.DataFrame({**rows, "tags": tags}, schema_overrides=_SCHEMA)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        rows = self.frame().to_dicts()
        for row in rows:
            row["tags"] = {tag["key"]: tag["value"] for tag in row["tags"]}
        return {
            "formats": [asdict(self.format)],
            "results": rows,
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }


_SCHEMA: dict[str, Any] = {
    "tags": pl.List(pl.Struct({"key": pl.String, "value": pl.String})),
    "values": pl.List(pl.Float64),
    "error": pl.String,
    "commit": pl.String,
}


def formats(declaration: Declaration | None = None) -> Formats:
    """List the formats: those declared in the bench-db.toml of the working directory, or in `declaration`, and all others.

    Raises `UnreadableOutputError` for a declaration that is not valid.
    """
    found = [
        _described(one, origin)
        for origin, some in known(_declared(Path.cwd() / "x", declaration)).items()
        for one in some
    ]
    return Formats(formats=found)


def try_format(
    path: str | Path,
    format: str = "auto",  # noqa: A002 as the flag is called
    *,
    formats: Declaration | None = None,
) -> Tried:
    """Read a file as `publish` does and return its results; nothing is stored, and no build needs to be known.

    Raises as `publish` does for a file that cannot be read, and for a declaration that is not valid.
    """
    path = Path(path)
    declared = _declared(location(path), formats)
    provenance = named(location(path), Provenance())
    runs = list(parse_each(path, format, provenance=provenance, declared=declared))
    name = runs[0][0].format
    origins = ((one, origin) for origin, some in known(declared).items() for one in some)
    return Tried(
        format=next(_described(one, origin) for one, origin in origins if one.name == name),
        results=[result for _, results in runs for result in results],
        skipped=sum((Counter(run.skipped) for run, _ in runs), Counter()),
        notes=list(dict.fromkeys(note for run, _ in runs for note in run.notes)),
    )


def _declared(file: Path, declaration: Declaration | None) -> Sequence[Adapter]:
    return formats_for(file, Provenance()) if declaration is None else formats_stated(declaration)


def _described(adapter: Adapter, origin: str) -> KnownFormat:
    return KnownFormat(name=adapter.name, origin=origin, by_content=not adapter.by_name, summary=adapter.summary)
