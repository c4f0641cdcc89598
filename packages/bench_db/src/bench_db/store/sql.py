"""SQL over tables of the store and nothing else: no file, no address, no setting.

DuckDB runs the query, and its own parser gives the tree that is checked before, so that check and engine cannot read a text
differently. The check accepts known kinds of nodes only. Behind it, the engine has no access to files and networks, and its
configuration is locked.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import polars as pl
import pyarrow as pa

from bench_db.errors import BenchDbError, UserError
from bench_db.identity import require_text
from bench_db.store.faults import needed_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from types import ModuleType

    from duckdb import DuckDBPyConnection

    from bench_db.model import JsonObject

# Applied in this order; the first closes the way to files, and the last makes all of them final.
_SETTINGS = {
    "temp_directory": "''",
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "TimeZone": "'UTC'",
    "lock_configuration": "true",
}
# The kinds of nodes without a class (queries, what follows FROM, orders) that cannot read anything by themselves.
_KINDS = frozenset(
    {
        *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"),
        *("BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST"),
        *("LIMIT_MODIFIER", "ORDER_MODIFIER", "DISTINCT_MODIFIER"),
        *("ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
    }
)
_CLASSES = frozenset(
    {
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION"),
        *("LAMBDA", "OPERATOR", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW"),
    }
)
# Functions that read or change the engine itself, or only spend time or memory: a list is made in one step, which no time limit ends.
_REFUSED_FUNCTIONS = frozenset(
    {
        *("current_setting", "getenv", "getvariable", "write_log", "currval", "nextval", "setval"),
        *("generate_series", "range", "repeat", "list_resize", "array_resize", "pg_sleep", "sleep_ms"),
        *("json_execute_serialized_sql", "json_deserialize_sql"),
    }
)
_INTERNAL = "__internal"
# Classes of expressions that keep the number of rows whatever they contain.
_OF_ONE_ROW = frozenset({"COLUMN_REF", "STAR", "CONSTANT"})
_POLL_SECONDS = 0.05
_BATCH_ROWS = 16_384
_INT64_DIGITS = 18
_MICROSECOND = 1_000

Tables: TypeAlias = "Mapping[str, Callable[[Reading], pl.LazyFrame]]"


class Reading:
    """The reading of tables for one query: it ends at a deadline, and keeps the first error of the store."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.error: BenchDbError | None = None
        self._started = time.monotonic()

    @property
    def is_late(self) -> bool:
        """Whether the time limit has passed."""
        return self.seconds is not None and time.monotonic() - self._started > self.seconds

    def check(self) -> None:
        """Raise `UserError` after the time limit."""
        if self.is_late:
            message = (
                f"the query took longer than {self.seconds:g} s and was stopped; "
                "ask for fewer rows or columns, or give it more time"
            )
            raise UserError(message)

    def each(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Yield the frames of a table until the deadline; the engine reports an error of the store without its type."""
        try:
            for frame in frames:
                self.check()
                yield frame
        except BenchDbError as error:
            self.error = self.error or error
            raise

    def taken(self) -> BenchDbError | None:
        """Return the error of the store and forget it: the engine keeps this object, and must not keep itself by a traceback."""
        error, self.error = self.error, None
        return None if error is None else error.with_traceback(None)

    @contextmanager
    def interrupting(self, connection: DuckDBPyConnection) -> Iterator[None]:
        """Interrupt the connection once the time limit has passed, until the end of the block."""
        ended = Event()

        def watch() -> None:
            # An interrupt before the engine starts has no effect, so one is not enough.
            while not ended.wait(_POLL_SECONDS):
                if self.is_late:
                    connection.interrupt()

        watcher = Thread(target=watch, daemon=True)
        if self.seconds is not None:
            watcher.start()
        try:
            yield
        finally:
            ended.set()
            if self.seconds is not None:
                watcher.join()


def run(text: str, tables: Tables, *, timeout: float | None = None, limit_rows: int | None = None) -> pl.DataFrame:
    """Return the answer to one SELECT over tables, at most `limit_rows` rows of it.

    Only the tables that the text names are made. Raises `UserError` for anything else than a SELECT over them, for a query
    that cannot be run, and after `timeout` seconds.
    """
    require_text("sql", text)
    reading = Reading(timeout)
    with connected() as connection, reading.interrupting(connection):
        try:
            tree, names = checked(connection, text, tables)
            few = _rows_needed(tree, limit_rows)
            for name in names:
                frame = tables[name](reading)
                connection.register(name, frame if few is None else frame.head(few))
            reading.check()
            return _answer(connection, text, limit_rows)
        except engine().Error as error:
            failed = reading.taken()
            reading.check()
            if failed is None:
                reason = str(error).partition("\n\nLINE ")[0].partition("\nDid you mean ")[0]
                message = f"the query cannot be run: {reason}; the tables are {', '.join(tables)}"
                raise UserError(message) from error
        except RecursionError as error:
            message = "the query cannot be run: it is nested too deeply; name its parts in a WITH clause"
            raise UserError(message) from error
    raise failed


def engine() -> ModuleType:
    """Import DuckDB, which takes a third of the time of Polars and which only queries need."""
    with needed_for("a query"):
        import duckdb  # noqa: PLC0415 see above

    return duckdb


@contextmanager
def connected() -> Iterator[DuckDBPyConnection]:
    """Open an engine in memory that reads registered tables alone, and cannot be configured any more."""
    connection: DuckDBPyConnection = engine().connect(":memory:")
    try:
        for name, value in _SETTINGS.items():
            connection.execute(f"SET {name} = {value}")
        yield connection
    finally:
        connection.close()


def checked(connection: DuckDBPyConnection, text: str, tables: Collection[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the tree of a query and the tables it reads; raise `UserError` when it is anything else than one SELECT over tables."""
    tree, used = _parsed(connection, text), set[str]()
    _walk(tree, frozenset(), tables, used)
    return tree, [name for name in tables if name in used]


def _parsed(connection: DuckDBPyConnection, text: str) -> dict[str, Any]:
    """Return the tree of the only statement of a text, which is a SELECT."""
    count = len(connection.extract_statements(text))
    if count != 1:
        _refuse(f"a query is one SELECT, and this text has {count} statements")
    [[serialised]] = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()
    parsed = json.loads(serialised)
    if parsed["error"]:
        _refuse(f"a query is one SELECT ({parsed.get('error_message', 'not parsed')})")
    [statement] = parsed["statements"]
    tree: dict[str, Any] = statement["node"]
    return tree


def _refuse(reason: str) -> NoReturn:
    message = f"{reason}; write one SELECT over tables of the store, without PIVOT, SHOW or DESCRIBE"
    raise UserError(message)


def _walk(node: object, own: frozenset[str], tables: Collection[str], used: set[str]) -> None:
    """Check a node of the tree and all nodes in it; `own` has the names that the query itself defines around it."""
    if isinstance(node, list):
        for inner in node:
            _walk(inner, own, tables, used)
    if not isinstance(node, dict):
        return
    _refuse_unknown(node)
    if node.get("type") == "BASE_TABLE":
        used.update(_table(node, own, tables))
    if "cte_map" in node:
        own = _with_names(node["cte_map"]["map"], own, tables, used)
    for key, inner in node.items():
        if key == "right" and node.get("type") == "RECURSIVE_CTE_NODE":
            _walk(inner, own | {node["cte_name"].lower()}, tables, used)
        elif key != "cte_map":
            _walk(inner, own, tables, used)


def _with_names(
    entries: list[JsonObject], own: frozenset[str], tables: Collection[str], used: set[str]
) -> frozenset[str]:
    """Return the names with those of a WITH clause; each query of it sees only the names before its own."""
    for entry in entries:
        _walk(entry["value"], own, tables, used)
        own |= {entry["key"].lower()}
    return own


def _refuse_unknown(node: JsonObject) -> None:
    """Raise `UserError` for a kind of node that may read something, or that this release does not know."""
    kind, called = node.get("type"), [str(node.get("function_name") or ""), *_path(node)]
    if "class" in node:
        known = node["class"] in _CLASSES
    elif kind == "TABLE_FUNCTION":
        name = node["function"].get("function_name")
        _refuse(f"{name}(...) after FROM is refused: a query reads tables of the store alone")
    else:
        known = not isinstance(kind, str) or kind in _KINDS
    if not known:
        _refuse(f"a query cannot contain {str(node.get('class') or kind).lower().replace('_', ' ')}")
    if any(name.lower() in _REFUSED_FUNCTIONS or name.lower().startswith(_INTERNAL) for name in called):
        _refuse(f"the function {called[0]} is refused")


def _path(node: JsonObject) -> list[str]:
    """Return the parts of the name of a function; none for another node."""
    return node["qualified_name"]["path"] if node.get("class") in {"FUNCTION", "WINDOW"} else []


def _table(node: JsonObject, own: Collection[str], tables: Collection[str]) -> set[str]:
    """Return the table of the store that a node reads; none for a name that the query itself defines."""
    parts = [part for part in (node["catalog_name"], node["schema_name"], node["table_name"]) if part]
    single = len(parts) == len(node["qualified_name"]["path"]) == 1
    name = ".".join(parts)
    if single and name.lower() in own:
        return set()
    if not single or name.lower() not in tables:
        message = f"no table {name!r}; the tables are {', '.join(tables)}"
        raise UserError(message)
    return {name.lower()}


def _rows_needed(tree: JsonObject, limit_rows: int | None) -> int | None:
    """Return how many rows of its table a query needs; None for all, unless it only lists rows as they come.

    The engine reads a whole table before it applies LIMIT.
    """
    source = tree.get("from_table", {})
    plain = (
        tree["type"] == "SELECT_NODE"
        and source.get("type") == "BASE_TABLE"
        and not any(tree[clause] for clause in ("where_clause", "group_expressions", "group_sets", "having", "qualify"))
        and not (tree["sample"] or source["sample"] or tree["cte_map"]["map"])
        and all(_is_of_one_row(one) for one in tree["select_list"])
    )
    limits = [_constant_limit(modifier) for modifier in tree["modifiers"]]
    if not plain or None in limits:
        return None
    return min([limit for limit in [*limits, limit_rows] if limit is not None], default=None)


def _is_of_one_row(expression: JsonObject) -> bool:
    return expression["class"] in _OF_ONE_ROW and not expression.get("columns") and not expression.get("replace_list")


def _constant_limit(modifier: JsonObject) -> int | None:
    """Return the last row that a LIMIT with an OFFSET gives; None for another modifier and for a computed limit."""
    if modifier["type"] != "LIMIT_MODIFIER" or modifier["limit_type"] != "ROW_COUNT" or modifier["limit"] is None:
        return None
    counts = [count for count in (modifier["limit"], modifier["offset"]) if count is not None]
    texts = [str(count.get("literal", {}).get("text")) for count in counts]
    return sum(map(int, texts)) if all(text.isdecimal() and len(text) <= _INT64_DIGITS for text in texts) else None


def _answer(connection: DuckDBPyConnection, text: str, limit_rows: int | None) -> pl.DataFrame:
    """Run a checked text and return its first rows, in the types of Polars."""
    reader = connection.sql(text).to_arrow_reader(_BATCH_ROWS)
    if reader is None:
        _refuse("the query gives no rows")
    batches, left = [], limit_rows
    for batch in reader:
        batches.append(batch if left is None else batch.slice(0, left))
        left = None if left is None else left - len(batches[-1])
        if left == 0:
            break
    rows = pa.Table.from_batches(batches, reader.schema)
    columns = {name: _column(name, rows.column(at)) for at, name in enumerate(rows.column_names)}
    return pl.DataFrame(columns)


def _column(name: str, values: pa.ChunkedArray) -> pl.Series:
    """Return a column: sums of integers as int64 where they fit, other decimals as float64, intervals as durations."""
    if pa.types.is_interval(values.type):
        values = _durations(name, values)
    try:
        column = pl.Series(name, values)
    except (pl.exceptions.PolarsError, pa.ArrowException, TypeError, ValueError) as error:
        message = f"column {name!r} is a {values.type}, which a frame cannot contain; write {name}::VARCHAR"
        raise UserError(message) from error
    if isinstance(column.dtype, pl.Decimal):
        whole = column.dtype.scale == 0
        fits = whole and column.abs().max() is not None and _digits(column.abs().max()) <= _INT64_DIGITS
        return column.cast(pl.Int64 if fits or (whole and column.null_count() == len(column)) else pl.Float64)
    return column


def _digits(number: object) -> int:
    return len(str(number))


def _durations(name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    intervals = values.to_pylist()
    if any(each is not None and each.months for each in intervals):
        message = f"column {name!r} has intervals of months, which have no fixed length; write {name}::VARCHAR"
        raise UserError(message)
    micro = [
        None if each is None else each.days * 86_400_000_000 + each.nanoseconds // _MICROSECOND for each in intervals
    ]
    return pa.chunked_array([pa.array(micro, pa.duration("us"))])
