"""A mirror in PostgreSQL: rows go into their tables by one binary COPY each.

Everything is one transaction, under a lock of the schema. A ledger has the checksum of each key as `put` recorded it, and a
fingerprint of the rows that the server computed. A row that somebody changed later does not match its fingerprint.
"""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from bench_db.errors import ConflictError, MissingExtraError, StoreUnavailableError, UserError
from bench_db.sinks.address import LONGEST_SECONDS
from bench_db.sinks.sink import MARK, STATE, Column, Contents, Table
from bench_db.sinks.views import VIEWS, View

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from types import ModuleType

    from adbc_driver_postgresql import dbapi

    from bench_db.sinks.address import Address

_TYPES = {
    "text": "text",
    "json": "jsonb",
    "boolean": "boolean",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "float64": "double precision",
    "time": "timestamp with time zone",
    "texts": "text[]",
    "int64s": "bigint[]",
    "float64s": "double precision[]",
}
# Statistics of these help no query, and to collect them took a third of the time of a mirror.
_WIDE = frozenset({"json", "texts", "int64s", "float64s"})
# PostgreSQL cuts longer names without an error.
_LONGEST_NAME = 63
LEDGER = Table(
    name="mirror_ledger",
    key="key",
    columns=(
        Column(name="table", kind="text"),
        Column(name="key", kind="int64"),
        Column(name="rows", kind="int64"),
        Column(name="checksum", kind="int64"),
        Column(name="fingerprint", kind="text"),
    ),
    about="The keys of each table, as bench_db wrote them; it shows what is missing or was changed.",
)
_OWN = (STATE, LEDGER)
_LEDGER_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("key", pa.int64()),
        ("rows", pa.int64()),
        ("checksum", pa.int64()),
        ("fingerprint", pa.string()),
    ]
)
# The first `server_version_num` with `hash_record_extended`.
_OLDEST = 140_000
# The first byte of a jsonb value in a binary COPY: the version of its form, which the text follows.
_JSONB = pa.scalar(b"\x01")
# In this encoding a row has the same bytes in every session.
_SESSION = {"client_encoding": "UTF8", "client_min_messages": "error"}
# A message of the server in one of libpq, which can begin with the statement.
_SAID = re.compile(r"(?:ERROR|FATAL|PANIC):  (.*)")
_LOCKED, _DEPENDENT, _DENIED = "55P03", "2BP01", "42501"


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a literal of SQL, for statements without parameters."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def connected(address: Address, schema: str, *, seconds: float, writing: bool = True) -> Iterator[PostgresSink]:
    """Connect, yield the mirror in a schema, and commit at the end; an error changes nothing.

    A server that does not answer, or a lock that is not released within some seconds, raises `StoreUnavailableError`. Without `writing`
    the transaction is read-only.
    """
    if not schema or "\0" in schema or len(schema.encode()) > _LONGEST_NAME:
        message = f"`schema`: {schema!r} is no name of a schema, which has 1 to {_LONGEST_NAME} bytes"
        raise UserError(message)
    driver = _driver()
    try:
        connection = driver.connect(address.with_limits(seconds))
    except driver.Error as error:
        # The text of libpq can have parts of the address in it, and a traceback would show it as the cause.
        reason = address.redacted(_reason(error))
        message = f"{address}: no connection: {reason}. Check the address, the server, and PGPASSWORD or ~/.pgpass"
        raise StoreUnavailableError(message) from None
    with closing(connection), _in_words(driver, address, schema):
        sink = PostgresSink(connection, schema, str(address))
        sink.begin(seconds, writing=writing)
        yield sink
        connection.commit()


def _driver() -> Any:
    try:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 an extra, which only mirrors need
    except ImportError as error:
        raise MissingExtraError.of(what="a mirror", package="adbc-driver-postgresql", extra="postgres") from error
    return dbapi


class _Refusal(Protocol):
    """An error of the driver; `details` are the fields of the message of the server."""

    details: Iterable[tuple[str, bytes]]


@contextmanager
def _in_words(driver: ModuleType, address: Address, schema: str) -> Iterator[None]:
    """Convert errors of the server to errors of bench_db."""
    where = f"schema {schema!r} of {address}"
    try:
        yield
    except driver.Error as error:
        reason, state = address.redacted(_reason(error)), error.sqlstate
        if state == _LOCKED:
            message = f"{where}: locked, probably by another mirror ({reason}); nothing was changed, try again later"
            raise ConflictError(message) from None
        if state == _DENIED:
            message = (
                f"{where}: {reason}; nothing was changed. Let the owner of the database run"
                " GRANT CREATE ON DATABASE ... TO this user, or use a schema that the user owns"
            )
            raise UserError(message) from None
        if state == _DEPENDENT:
            message = f"{where}: {reason}; nothing was changed. Drop what depends on it first, then mirror again"
            raise UserError(message) from None
        message = f"{where}: the server failed: {reason}; nothing was changed, mirror again"
        raise StoreUnavailableError(message) from None


def _reason(error: _Refusal) -> str:
    """Return the reason in a message of libpq or of the server, without the statement."""
    named = dict(error.details)
    parts = [named.get(f"PG_DIAG_{name}", b"") for name in ("MESSAGE_PRIMARY", "MESSAGE_DETAIL")]
    told = ": ".join(part.decode(errors="replace").strip() for part in parts if part)
    of_server = _SAID.search(str(error))
    text = told or (of_server[1] if of_server else str(error).rpartition("[libpq] ")[2])
    return " ".join(text.replace("Failed to connect: ", "").split()).rstrip(".")


class PostgresSink:
    """The tables of a mirror in one schema of a database, inside one transaction."""

    def __init__(self, connection: dbapi.Connection, schema: str, where: str) -> None:
        self._connection = connection
        self._schema = schema
        self._where = f"schema {schema!r} of {where}"

    # -- statements --------------------------------------------------------------------------------------------------

    def _run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def _rows(self, query: str) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            rows: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
        return rows

    def _name(self, name: str) -> str:
        return f"{quoted(self._schema)}.{quoted(name)}"

    def _append(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(name, rows, mode="append", db_schema_name=self._schema)

    # -- structure ---------------------------------------------------------------------------------------------------

    def begin(self, seconds: float, *, writing: bool) -> None:
        """Begin the transaction: the form of texts, the limit of locks, and for writing the lock of the schema."""
        if not writing:
            self._run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for name, value in _SESSION.items():
            self._run(f"SET LOCAL {name} = {literal(value)}")
        self._run(f"SET LOCAL lock_timeout = {max(1, round(1000 * min(seconds, LONGEST_SECONDS)))}")
        [server] = self._rows(
            "SELECT current_setting('server_encoding') AS encoding, current_setting('server_version') AS version,"
            f" current_setting('server_version_num')::int >= {_OLDEST} AS is_known"
        )
        if not server["is_known"]:
            message = f"{self._where}: the server is PostgreSQL {server['version']}; a mirror needs PostgreSQL {_OLDEST // 10_000} or newer"
            raise UserError(message)
        if server["encoding"] != "UTF8":
            message = f"{self._where}: the database has the encoding {server['encoding']}; create one with ENCODING 'UTF8' TEMPLATE template0"
            raise UserError(message)
        if writing:
            self._rows(
                f"SELECT pg_advisory_xact_lock(hashtextextended({literal(MARK + self._schema)}, 0))::text AS locked"
            )

    def prepare(self, tables: Sequence[Table], source: str, *, rebuild: bool) -> None:
        """Create what is missing. Altered tables and the mirror of another store raise `UserError`, unless it is a `rebuild`."""
        self._refuse_strangers(tables)
        if not self._has_schema():
            self._run(f"CREATE SCHEMA {quoted(self._schema)}")
        other = self.state().get("source", source)
        if other != source and not rebuild:
            message = f"{self._where} is the mirror of {other}, not of {source}; choose another `schema`, or replace it with `rebuild`"
            raise UserError(message)
        altered = self._altered(tables)
        if altered and not rebuild:
            message = f"{self._where}: {next(iter(altered.values()))}; nothing was changed. Restore it with `rebuild`"
            raise UserError(message)
        if altered:
            self._drop(tables, altered)
        there = self._relations()
        for table in (*_OWN, *tables):
            if table.name not in there:
                self._create(table)
        self._make_views()

    def faults(self, tables: Sequence[Table]) -> list[str]:
        """Return what is missing or altered among tables and views, in words."""
        there = self._relations()
        missing = [f"{name} is missing" for name in self._names(tables) if name not in there]
        return [*missing, *self._altered(tables).values()]

    def is_broken(self, table: Table) -> bool:
        """Return whether the table or the ledger is missing or altered, so that its rows cannot be compared."""
        names = {table.name, LEDGER.name}
        return not names <= self._relations().keys() or bool(names & self._altered([table]).keys())

    def _names(self, tables: Sequence[Table]) -> list[str]:
        return [*(table.name for table in (*_OWN, *tables)), *(view.name for view in VIEWS)]

    def _has_schema(self) -> bool:
        return bool(self._rows(f"SELECT 1 AS found FROM pg_namespace WHERE nspname = {literal(self._schema)}"))

    def _relations(self) -> dict[str, str]:
        """Return the comment of each table and view of the schema by its name."""
        rows = self._rows(
            "SELECT c.relname::text AS name, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment"
            " FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace"
            f" WHERE s.nspname = {literal(self._schema)} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
        )
        return {row["name"]: row["comment"] for row in rows}

    def _refuse_strangers(self, tables: Sequence[Table]) -> None:
        there = self._relations()
        strangers = [name for name in self._names(tables) if not there.get(name, MARK).startswith(MARK)]
        if strangers:
            message = f"{self._where} has {strangers[0]!r}, which no mirror has made; choose another `schema`"
            raise UserError(message)

    def _altered(self, tables: Sequence[Table]) -> dict[str, str]:
        """Return the tables that lack a column or have one of another type, and the views that are not as they were made, with the reason."""
        rows = self._rows(
            "SELECT c.relname::text AS table, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type FROM pg_attribute a"
            " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace s ON s.oid = c.relnamespace"
            f" WHERE s.nspname = {literal(self._schema)} AND a.attnum > 0 AND NOT a.attisdropped"
        )
        types = {(row["table"], row["name"]): row["type"] for row in rows}
        there = {table for table, _ in types}
        columns = {
            table.name: f"the column {column.name} of {table.name} is {types.get((table.name, column.name), 'missing')},"
            f" not {_TYPES[column.kind]}"
            for table in (*_OWN, *tables)
            if table.name in there
            for column in table.columns
            if types.get((table.name, column.name)) != _TYPES[column.kind]
        }
        made, now = {} if STATE.name in columns else self._state_if(there), self._definitions()
        views = {
            view.name: f"the view {view.name} was altered"
            for view in VIEWS
            if view.name in there and now.get(view.name) != made.get(f"view {view.name}")
        }
        return {**columns, **views}

    def _state_if(self, there: Collection[str]) -> dict[str, str]:
        return self.state() if STATE.name in there else {}

    def _definitions(self) -> dict[str, str]:
        """Return a digest of the present definition of each view."""
        rows = self._rows(
            "SELECT c.relname::text AS name, md5(pg_get_viewdef(c.oid)) AS digest FROM pg_class c"
            f" JOIN pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = {literal(self._schema)} AND c.relkind = 'v'"
        )
        return {row["name"]: row["digest"] for row in rows}

    def _drop(self, tables: Sequence[Table], altered: Collection[str]) -> None:
        """Drop all views, because they need the tables, and the altered tables. What others made on top of them is not dropped."""
        there = self._relations()
        for view in VIEWS:
            if view.name in there:
                self._run(f"DROP VIEW {self._name(view.name)}")
        for table in (*_OWN, *tables):
            if table.name in altered:
                self._run(f"DROP TABLE {self._name(table.name)}")

    def _create(self, table: Table) -> None:
        columns = ", ".join(f"{quoted(column.name)} {_TYPES[column.kind]}" for column in table.columns)
        name = self._name(table.name)
        self._run(f"CREATE TABLE {name} ({columns})")
        self._run(f"COMMENT ON TABLE {name} IS {literal(MARK + table.about)}")
        wide = [column.name for column in table.columns if column.kind in _WIDE]
        if wide:
            changes = ", ".join(f"ALTER COLUMN {quoted(column)} SET STATISTICS 0" for column in wide)
            self._run(f"ALTER TABLE {name} {changes}")
        for column in table.columns:
            if column.about:
                self._run(f"COMMENT ON COLUMN {name}.{quoted(column.name)} IS {literal(column.about)}")

    def _make_views(self) -> None:
        """Create missing views, and those that this release defines in another way than the one before."""
        state, there = self.state(), self._relations()
        for view in VIEWS:
            text = self._body(view)
            if view.name in there and state.get(f"text of {view.name}") == text:
                continue
            name = self._name(view.name)
            if view.name in there:
                self._run(f"DROP VIEW {name}")
            self._run(f"CREATE VIEW {name} AS {text}")
            self._run(f"COMMENT ON VIEW {name} IS {literal(MARK + view.about)}")
            self.note({f"text of {view.name}": text, f"view {view.name}": self._definitions()[view.name]})

    def _body(self, view: View) -> str:
        return view.body.replace("{results}", self._name("results"))

    def state(self) -> dict[str, str]:
        """Return what the mirror says of itself; nothing before it is made."""
        if STATE.name not in self._relations():
            return {}
        return {row["name"]: row["value"] for row in self._rows(f"SELECT * FROM {self._name(STATE.name)}")}

    def note(self, values: Mapping[str, str]) -> None:
        """Record what the mirror says of itself."""
        state = self._name(STATE.name)
        names = ", ".join(map(literal, values))
        self._run(f"DELETE FROM {state} WHERE name IN ({names})")
        pairs = ", ".join(f"({literal(name)}, {literal(value)})" for name, value in values.items())
        self._run(f"INSERT INTO {state} (name, value) VALUES {pairs}")

    def finish(self, tables: Sequence[Table], values: Mapping[str, str]) -> None:
        """Create missing indexes, which takes less time after the rows are there than before, and note values."""
        for table in tables:
            for columns in table.indexes:
                name = quoted("_".join((table.name, *columns))[:_LONGEST_NAME])
                listed = ", ".join(map(quoted, columns))
                self._run(f"CREATE INDEX IF NOT EXISTS {name} ON {self._name(table.name)} ({listed})")
        self.note(values)

    # -- rows --------------------------------------------------------------------------------------------------------

    def have(self, table: Table, *, since: datetime | None = None, exact: bool = False) -> dict[int, Contents]:
        """Return the contents of each key, as `Sink.have` does."""
        key, name = quoted(table.key), self._name(table.name)
        more = f", {_fingerprint(table)} AS fingerprint" if exact else ""
        newest = f", max({quoted(table.time)}) AS newest" if since and table.time else ""
        same = "l.fingerprint = r.fingerprint" if exact else "true"
        where = f"WHERE r.newest >= {literal(since.isoformat())}::timestamptz" if since and table.time else ""
        rows = self._rows(
            f"SELECT key, coalesce(r.rows, 0) AS rows, CASE WHEN {same} THEN l.checksum END AS checksum"
            f" FROM (SELECT {key} AS key, count(*) AS rows{more}{newest} FROM {name} GROUP BY {key}) r"
            f' FULL JOIN (SELECT * FROM {self._name(LEDGER.name)} WHERE "table" = {literal(table.name)}) l USING (key) {where}'
        )
        return {row["key"]: Contents(row["rows"], row["checksum"]) for row in rows}

    def replace(
        self, table: Table, gone: Collection[int], contents: Mapping[int, Contents], rows: Iterable[pa.RecordBatch]
    ) -> bool:
        """Remove and add the rows of keys, as `Sink.replace` does; the lock of the schema excludes other mirrors."""
        self._drop_rows(table, gone)
        self._put_rows(table, contents, rows)
        return True

    def _put_rows(self, table: Table, contents: Mapping[int, Contents], rows: Iterable[pa.RecordBatch]) -> None:
        """Add the rows of keys; they are read as they are sent."""
        batches = (_copied(batch, table) for batch in rows)
        first = next(batches, None)
        if first is None:
            return
        self._append(table.name, pa.RecordBatchReader.from_batches(first.schema, _chained(first, batches)))
        key = quoted(table.key)
        written = self._rows(
            f"SELECT {key} AS key, count(*) AS rows, {_fingerprint(table)} AS fingerprint FROM {self._name(table.name)}"
            f" WHERE {key} = {_any_of(contents)} GROUP BY {key}"
        )
        lines = [{**row, "table": table.name, "checksum": contents[row["key"]].checksum} for row in written]
        self._append(LEDGER.name, pa.Table.from_pylist(lines, _LEDGER_SCHEMA))

    def _drop_rows(self, table: Table, keys: Collection[int]) -> None:
        """Remove the rows of keys and their records."""
        if keys:
            these = _any_of(keys)
            self._run(f"DELETE FROM {self._name(table.name)} WHERE {quoted(table.key)} = {these}")
            self._run(f'DELETE FROM {self._name(LEDGER.name)} WHERE "table" = {literal(table.name)} AND key = {these}')


def _copied(batch: pa.RecordBatch, table: Table) -> pa.RecordBatch:
    """Return a batch whose JSON is in the binary form of jsonb, because COPY converts nothing."""
    for column in table.columns:
        if column.kind == "json":
            place = batch.schema.get_field_index(column.name)
            texts = batch.column(place).cast(pa.binary())
            batch = batch.set_column(place, column.name, pc.binary_join_element_wise(_JSONB, texts, pa.scalar(b"")))
    return batch


def _chained(first: pa.RecordBatch, others: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from others


def _any_of(keys: Iterable[int]) -> str:
    """Return keys as an array of SQL. Unlike a join with a temporary table, a search in it can be a parallel one, and needs no statistics."""
    return f"ANY ('{{{','.join(map(str, keys))}}}'::bigint[])"


def _fingerprint(table: Table) -> str:
    """Return the sum of the hashes of rows, which does not depend on their order.

    A row is hashed in its binary form. To write its numbers as text took more time than anything else in the server.
    """
    row = f"ROW({', '.join(quoted(column.name) for column in table.columns)})"
    return f"sum(hash_record_extended(ROW(record_send({row})), 0))::text"
