"""Log lines of bench_db on stderr, for who asks for them; no secret is in one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from bench_db.errors import UserError
from bench_db.masking import secrets_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVELS = {"info": logging.INFO, "debug": logging.DEBUG}


class _Stderr(logging.Handler):
    """Lines on stderr: seconds since the start, the module, the message."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._secrets = secrets

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; secrets of the environment are masked, whatever the message holds."""
        text = " ".join(record.getMessage().split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        click.echo(f"{record.relativeCreated / 1000:8.3f} {record.name}: {text}", err=True)


def start(level: str, environment: Mapping[str, str]) -> None:
    """Write what bench_db logs from a level on, "info" or "debug", to stderr, in place of an earlier level."""
    if level not in _LEVELS:
        message = f"BENCH_DB_LOG={level}: the levels are {' and '.join(_LEVELS)}"
        raise UserError(message)
    stop()
    logger = logging.getLogger("bench_db")
    logger.addHandler(_Stderr(secrets_of(environment)))
    logger.setLevel(_LEVELS[level])


def stop() -> None:
    """Stop writing, so that the process of another command line starts quiet."""
    logger = logging.getLogger("bench_db")
    for handler in [handler for handler in logger.handlers if isinstance(handler, _Stderr)]:
        logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
