"""Schemes of addresses beside `file` and `s3`: each has a function that returns the directory or bucket of an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_db import plugins
from bench_db.errors import BenchDbError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench_db.plugins import Plugin

BUILT_IN = ("file", "s3")
_RESOLVERS: dict[str, Callable[[str], str]] = {}


def register(scheme: str, resolve: Callable[[str], str]) -> None:
    """Let addresses of a scheme be opened: `resolve` returns the directory or the address in S3 of one."""
    _RESOLVERS[scheme] = resolve


def scheme_of(address: str) -> str | None:
    """Return the scheme of an address in lower case; None for a path."""
    scheme, sign, _ = address.partition("://")
    return scheme.lower() if sign else None


def load(scheme: str) -> None:
    """Import the installed package that declares a scheme, unless it is registered. Raise `UserError` for an unknown scheme."""
    if scheme in _RESOLVERS or plugins.load(plugins.PLACES, _registered, reserved=BUILT_IN, only=scheme).get(scheme):
        return
    others = sorted({*_RESOLVERS, *plugins.names(plugins.PLACES)} - {*BUILT_IN})
    more = f"; other schemes: {', '.join(others)}" if others else ""
    mirror = "; 'bench-db mirror' copies a store into PostgreSQL" if scheme in {"postgresql", "postgres"} else ""
    message = f"cannot open a store at {scheme}://: use a directory, file:///path or s3://bucket/prefix{more}{mirror}"
    raise UserError(message)


def resolved(address: str) -> str:
    """Return an address as a directory or one in S3. Raises `UserError` for an unknown scheme, and when its place fails."""
    scheme = scheme_of(address)
    if scheme is None or scheme in BUILT_IN:
        return address
    load(scheme)
    try:
        found = _RESOLVERS[scheme](address)
    except BenchDbError:
        raise
    except Exception as error:  # foreign code raises anything
        message = f"the place of {scheme}:// failed with {type(error).__name__}: {error}; check the address"
        raise UserError(message) from error
    if scheme_of(found) not in (None, *BUILT_IN):
        message = f"the place of {scheme}:// gives an address of {scheme_of(found)}://; it must be a directory or s3://bucket/prefix"
        raise UserError(message)
    return found


def _registered(plugin: Plugin) -> Mapping[str, Callable[[str], str]]:
    """Return the resolvers; raise the fault of a plug-in whose import did not register its scheme."""
    if plugin.name not in _RESOLVERS:
        reason = f"importing it did not define a subclass of bench_db.Place with the scheme {plugin.name!r}"
        raise plugin.fault(reason)
    return _RESOLVERS
