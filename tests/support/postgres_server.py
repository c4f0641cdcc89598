"""A PostgreSQL server on loopback in a temporary directory, with a password that an address must encode."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.support.needs import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "p@ss/w%rd: #1"
_USER = "bench"
_START_SECONDS = 60.0
# Data of tests need not survive a crash of the machine.
_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server."""

    port: int

    def address(self, database: str = "postgres", *, user: str = _USER, password: str | None = PASSWORD) -> str:
        """Return the address of a database."""
        words = user if password is None else f"{user}:{quote(password, safe='')}"
        return f"postgresql://{words}@127.0.0.1:{self.port}/{database}"

    def rows(self, query: str, *, database: str = "postgres") -> list[dict[str, Any]]:
        """Run a query and return its rows."""
        from adbc_driver_postgresql import dbapi

        with (
            closing(dbapi.connect(self.address(database), autocommit=True)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(query)
            rows: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
        return rows

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements."""
        from adbc_driver_postgresql import dbapi

        with closing(dbapi.connect(self.address(database), autocommit=True)) as connection:
            for statement in statements:
                with connection.cursor() as cursor:
                    cursor.execute(statement)


def _programs() -> Path:
    """Return the directory of the server's programs, of the newest release there is."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if path := shutil.which("initdb"):
        found.append(Path(path).resolve().parent)
    if not found:
        lacking("this machine has no PostgreSQL: install Debian's package postgresql")
    return max(found, key=lambda path: (path.parent.name.zfill(3), str(path)))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start a server, and end it with the block. Root gives it to the user `nobody`, because the server refuses root."""
    programs = _programs()
    directory = Path(tempfile.mkdtemp(prefix="bench-db-postgres-"))
    other: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        password = directory / "password"
        password.write_text(PASSWORD)
        if other:
            for path in (directory, password):
                shutil.chown(path, other["user"], other["group"])
        init = [str(programs / "initdb"), "-D", str(directory / "data"), "-U", _USER, "--auth=scram-sha-256"]
        form = ["--encoding=UTF8", "--locale=C", "--no-sync", f"--pwfile={password}"]
        subprocess.run([*init, *form], check=True, capture_output=True, cwd=directory, **other)
        with _running(programs, directory, other) as server:
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _running(programs: Path, directory: Path, other: dict[str, Any]) -> Iterator[Postgres]:
    server = Postgres(port=_free_port())
    settings = ("listen_addresses=127.0.0.1", f"port={server.port}", "unix_socket_directories=", *_FAST)
    options = [word for setting in settings for word in ("-c", setting)]
    command = [str(programs / "postgres"), "-D", str(directory / "data"), *options]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory, **other)
    try:
        _wait_for(server, process, directory / "log")
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # disconnect the clients, and end
        process.wait(_START_SECONDS)


def _wait_for(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while "ready to accept connections" not in log.read_text():
        if process.poll() is not None or time.monotonic() > end:
            msg = f"PostgreSQL did not start on port {server.port}: {log.read_text()}"
            raise RuntimeError(msg)
        time.sleep(0.02)
