"""Addresses of PostgreSQL servers, and messages about them without a password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from bench_db.errors import UserError

EXAMPLE = "postgresql://user@host:5432/database"
# Characters that the address itself uses are percent-encoded in a user name and a password.
_WORD = r"(?:[^@/?#%:\s]|%(?!00)[0-9a-fA-F]{2})*"
_HOST = r"(?:\[[0-9a-fA-F:.%]*\]|[^@/?#:,\[\]\s]*)(?::\d*)?"
_ADDRESS = re.compile(
    rf"postgres(?:ql)?://(?:(?P<user>{_WORD})(?::(?P<password>{_WORD}(?::{_WORD})*))?@)?(?P<host>{_HOST}(?:,{_HOST})*)"
    r"(?P<database>/[^@/?#\s]*)?(?:\?(?P<options>[^@#\s]*))?"
)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_HIDDEN = "***"
_SECONDS_OF_A_PROBE = 5
# Linux takes no more (MAX_TCP_KEEPCNT), and libpq fails to connect; `tcp_user_timeout` is the limit then.
_MOST_PROBES = 127
# Limits in milliseconds are integers of 32 bits.
LONGEST_SECONDS = 2_147_483


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """The address of a database; its text and its repr have neither a password nor options."""

    uri: str

    def __post_init__(self) -> None:
        self._parts()

    def __str__(self) -> str:
        found = self._parts()
        user = f"{found['user']}@" if found["user"] else ""
        return f"postgresql://{user}{found['host']}{found['database'] or ''}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def _parts(self) -> dict[str, str]:
        found = _ADDRESS.fullmatch(self.uri)
        if found is None:
            scheme = _SCHEME.match(self.uri)
            if scheme is None or scheme[1].lower() not in {"postgres", "postgresql"}:
                message = f"`address`: not the address of a PostgreSQL database, such as {EXAMPLE}, nor a directory for Delta tables, such as delta:./lake"
                raise UserError(message)
            message = (
                f"`address`: not a valid address, such as {EXAMPLE}. In a password, write @ as %40, / as %2F, ? as %3F, # as %23 and"
                " % as %25, or leave the password to PGPASSWORD or ~/.pgpass"
            )
            raise UserError(message)
        return {name: value or "" for name, value in found.groupdict().items()}

    def with_limits(self, seconds: float) -> str:
        """Return the address for libpq with limits for a server that does not answer; limits that it states itself stay."""
        whole = max(2, round(min(seconds, LONGEST_SECONDS)))
        probes = {
            "connect_timeout": whole,
            "keepalives_idle": _SECONDS_OF_A_PROBE,
            "keepalives_interval": _SECONDS_OF_A_PROBE,
            "keepalives_count": min(max(1, whole // _SECONDS_OF_A_PROBE - 1), _MOST_PROBES),
            "tcp_user_timeout": 1000 * whole,
            "application_name": "bench_db",
        }
        options = self._parts()["options"]
        stated = {part.partition("=")[0] for part in options.split("&")}
        added = [f"{name}={value}" for name, value in probes.items() if name not in stated]
        return f"{self.uri.partition('?')[0]}?{'&'.join([*([options] if options else []), *added])}"

    def redacted(self, text: str) -> str:
        """Remove the passwords of the address from a text, as they are written and decoded."""
        parts = self._parts()
        options = [option.partition("=") for option in parts["options"].split("&")]
        secrets = [parts["password"], *(value for name, _, value in options if "password" in name.lower())]
        for secret in sorted({form for one in secrets for form in (one, unquote(one)) if form}, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text
