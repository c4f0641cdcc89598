"""Definitions of names: aliases, joins of renamed benchmarks, pools of machines, main branches; applied when results are read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench_db.app.answers import frame_of
from bench_db.app.database import on_database
from bench_db.errors import UserError
from bench_db.model import Definition
from bench_db.query.definitions import checked

if TYPE_CHECKING:
    import polars as pl

    from bench_db.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Defined:
    """The definitions in force, oldest first. `changed` counts those that this call added, changed or ended."""

    definitions: Sequence[Definition]
    changed: int = 0

    def frame(self) -> pl.DataFrame:
        """Return the definitions as a frame, a row each."""
        return frame_of(self.definitions, Definition).drop("key", "replaces", "lifted")

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        hidden = {"key", "replaces", "lifted"}
        rows = [{n: v for n, v in asdict(one).items() if n not in hidden} for one in self.definitions]
        return {"definitions": rows, "changed": self.changed}


@on_database
def definitions(store: Database, *, as_of: str | None = None) -> Defined:
    """List the definitions in force."""
    return Defined(definitions=store.definitions(as_of))


@on_database
def define(
    store: Database,
    kind: str,
    pattern: str,
    value: str = "",
    *,
    field: str = "",
    dut_name: str | None = None,
    note: str = "",
    by: str = "",
    at: int | None = None,
    lifted: bool = False,
) -> Defined:
    """Add a definition, or end it with `lifted`; `model.Definition` describes the kinds. Nothing stored is rewritten.

    Raises `UserError` for a definition that cannot be applied, and when there is none to end.
    """
    record = Definition(
        kind=kind,
        field=field,
        pattern=pattern,
        value=value,
        dut_name=dut_name,
        note=note,
        by=by,
        at=int(time.time()) if at is None else at,
        lifted=lifted,
    )
    changed = store.define([record if lifted else checked(record)])
    if lifted and not changed:
        message = f"there is no definition {kind} of {pattern!r} to end; 'bench-db define list' shows those in force"
        raise UserError(message)
    return Defined(definitions=store.definitions(), changed=changed)
