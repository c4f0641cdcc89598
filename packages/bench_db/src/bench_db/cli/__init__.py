"""The command `bench-db`: arguments in, calls, text out. Only this package reads the environment, prints or exits."""

from __future__ import annotations

from bench_db.cli.main import main

__all__ = ["main"]
