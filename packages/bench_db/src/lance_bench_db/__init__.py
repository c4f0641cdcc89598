"""The import name of lance-bench, over a bench_db store."""

from lance_bench_db.dataset import connect, get_database_uri
from lance_bench_db.models import DutBuild, Result, SummaryValues, TestBed, Throughput, UnitSystem

__all__ = [
    "DutBuild",
    "Result",
    "SummaryValues",
    "TestBed",
    "Throughput",
    "UnitSystem",
    "connect",
    "get_database_uri",
]
