"""The environment of two runs side by side: the machine, the tool and its context, and the job that published them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from bench_db.app.answers import Answer
from bench_db.app.database import on_database
from bench_db.app.runs import run_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench_db.store.database import Database

# What a run has beside its environment: its identity, what it measured and when, and where its file came from.
_NO_ENVIRONMENT = frozenset(
    {
        *(
            "run",
            "run_key",
            "run_id",
            "attempt",
            "file_name",
            "sha256",
            "content_key",
            "results",
            "skipped",
            "notes",
            "excluded",
        ),
        *(
            "commit",
            "commit_time",
            "branch",
            "pr_number",
            "merge_commit",
            "default_branch",
            "run_url",
            "run_time",
            "published_at",
        ),
        *(
            "dut_version",
            "dut_timestamp",
            "ingested_at",
            "timestamp",
            "schema_version",
            "pair_id",
            "row_checksum",
            "pair_side",
        ),
    }
)
# What tools say of the commit and the time in their context.
_NO_CONTEXT = frozenset({"commit_info", "date", "datetime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact of the environment of two runs as text, null where a run does not have it; `name` is its path, with dots; a key with a dot is in quotes.

    Of two lists each side has the parts that the other does not have.
    """

    name: str
    a: str | None
    b: str | None
    differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDifference(Answer):
    """What is known of the environments of two runs `a` and `b`, by name."""

    a: str
    b: str
    facts: Sequence[Fact]

    @property
    def differing(self) -> list[Fact]:
        """The facts that differ."""
        return [fact for fact in self.facts if fact.differs]

    def frame(self) -> pl.DataFrame:
        """Return the facts as a frame, a row each."""
        schema = {"name": pl.String, "a": pl.String, "b": pl.String, "differs": pl.Boolean}
        return pl.DataFrame([asdict(fact) for fact in self.facts], schema)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"a": self.a, "b": self.b, "facts": [asdict(fact) for fact in self.facts]}


@on_database
def diff_runs(store: Database, a: str, b: str) -> RunDifference:
    """Compare the environments of two runs, each named by its key or its run id. Raises `UserError` for none or several."""
    first, second = run_named(store, a), run_named(store, b)
    left, right = dict(_flat(_environment(first))), dict(_flat(_environment(second)))
    names = sorted({*left, *right})
    return RunDifference(
        a=first["run"], b=second["run"], facts=[_fact(name, left.get(name), right.get(name)) for name in names]
    )


def _environment(record: Mapping[str, object]) -> dict[str, object]:
    """Return what a record of a run says of the environment; the context of the tool is read where it is JSON."""
    known = {name: value for name, value in record.items() if name not in _NO_ENVIRONMENT}
    context = known.get("context") or "{}"
    with suppress(json.JSONDecodeError):  # another text stays one
        context = json.loads(str(context))
    if isinstance(context, dict):
        context = {name: part for name, part in context.items() if name not in _NO_CONTEXT}
    return {**known, "context": context}


def _flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield the parts of a document with their paths; a list is one part. What is null or empty is left out."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            quoted = json.dumps(key, ensure_ascii=False) if "." in key or '"' in key else key
            yield from _flat(part, f"{name}.{quoted}" if name else quoted)
    elif value not in (None, "", []):
        yield name, value


def _fact(name: str, a: object, b: object) -> Fact:
    differs = _json(a) != _json(b)  # in Python True is 1
    shown = a, b
    if differs and isinstance(a, list) and isinstance(b, list):
        known = {_json(part) for part in a} & {_json(part) for part in b}
        only = [[part for part in parts if _json(part) not in known] for parts in (a, b)]
        if any(only):
            shown = only[0], only[1]
    texts = [_text(part) for part in shown]
    if differs and texts[0] == texts[1]:
        texts = [_json(part) for part in (a, b)]
    return Fact(name=name, a=texts[0], b=texts[1], differs=differs)


def _text(value: object) -> str | None:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return value if value is None or isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
