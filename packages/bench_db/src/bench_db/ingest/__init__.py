"""Read the raw output of benchmark tools into records that are ready to publish."""

from __future__ import annotations

from bench_db.errors import UnreadableOutputError, UserError
from bench_db.ingest.adapter import Adapter
from bench_db.ingest.content import STDIN, Content, file_name, location
from bench_db.ingest.facts import FactsFrom
from bench_db.ingest.host import Build, build_of, default_branch_of_ci, manifest_of, this_machine
from bench_db.ingest.normalise import Builds, Opened, Provenance, normalise, origin_of, parse, parse_each, runs_of
from bench_db.ingest.reading import Measurement, Reading, Skip, SkipReason
from bench_db.ingest.registry import ADAPTERS, AUTO, Found, adapter_named, declared_formats, detect, find, known
from bench_db.model import Samples

__all__ = [
    "ADAPTERS",
    "AUTO",
    "STDIN",
    "Adapter",
    "Build",
    "Builds",
    "Content",
    "FactsFrom",
    "Found",
    "Measurement",
    "Opened",
    "Provenance",
    "Reading",
    "Samples",
    "Skip",
    "SkipReason",
    "UnreadableOutputError",
    "UserError",
    "adapter_named",
    "build_of",
    "declared_formats",
    "default_branch_of_ci",
    "detect",
    "file_name",
    "find",
    "known",
    "location",
    "manifest_of",
    "normalise",
    "origin_of",
    "parse",
    "parse_each",
    "runs_of",
    "this_machine",
]
