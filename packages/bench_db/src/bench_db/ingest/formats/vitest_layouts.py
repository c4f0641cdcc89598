"""The three layouts of vitest's JSON as one: groups of benchmarks, each with the names it stands under."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import msgspec

from bench_db.errors import UnreadableOutputError
from bench_db.ingest import foreign
from bench_db.ingest.reading import Measurement, RefusedError

BENCHMARKS = ("files", "testResults")  # the fields of a report that hold benchmarks
_BETWEEN = " > "  # as vitest joins the names of a file, its groups and their benchmarks
_LONGEST = 200
_NONE = msgspec.Raw(b"{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Records of benchmarks, the names they stand under, and where in the file they are."""

    names: Sequence[str]
    records: Sequence[msgspec.Raw]
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a report holds; `failures` are benchmarks that left no record."""

    groups: Sequence[Group]
    failures: Sequence[Measurement] = ()
    notes: Sequence[str] = ()


class _Group(msgspec.Struct, rename="camel"):
    full_name: str
    benchmarks: list[msgspec.Raw]


class _File(msgspec.Struct):
    groups: list[_Group]


class _Benchmark(msgspec.Struct):
    name: str
    tasks: list[msgspec.Raw]


class _Test(msgspec.Struct, rename="camel"):
    title: str = ""
    ancestor_titles: list[str] = []
    status: str = ""
    failure_messages: list[str] = []
    benchmarks: list[_Benchmark] = []


class _Module(msgspec.Struct, rename="camel"):
    name: str
    assertion_results: list[_Test]
    message: str = ""


def joined(names: Sequence[str]) -> str:
    """Names as vitest shows them, one inside the other; the group of a whole file may have none."""
    return _BETWEEN.join(name for name in names if name)


def layout(top: foreign.Record, file: str) -> Layout:
    """What a report holds; raises `UnreadableOutputError` when it has none of the layouts."""
    files, results = top.get("files"), top.get("testResults", _NONE)
    try:
        if files is not None:
            return _since_1_6(foreign.part(files, list[_File], at="$.files"))
        if bytes(results).startswith(b"["):
            return _since_5(foreign.part(results, list[_Module], at="$.testResults"))
        return _at_first(foreign.part(results, dict[str, list[msgspec.Raw]], at="$.testResults"))
    except RefusedError as refused:
        raise UnreadableOutputError(refused.detail, file=file) from refused


def _at_first(groups: Mapping[str, list[msgspec.Raw]]) -> Layout:
    """Before 1.6 a group is known by its own name alone."""
    found = groups.items()
    return Layout(groups=[Group(names=(n,), records=r, at=f"$.testResults[{n!r:.100}]") for n, r in found])


def _since_1_6(files: Sequence[_File]) -> Layout:
    return Layout(
        groups=[
            Group(names=(group.full_name,), records=group.benchmarks, at=f"$.files[{i}].groups[{j}].benchmarks")
            for i, file in enumerate(files)
            for j, group in enumerate(file.groups)
        ]
    )


def _since_5(modules: Sequence[_Module]) -> Layout:
    """Since 5 benchmarks are parts of tests, and one that fails leaves only the name and the messages of its test."""
    groups: list[Group] = []
    failures: list[Measurement] = []
    notes: list[str] = []
    for i, (module, file) in enumerate(zip(modules, _short([module.name for module in modules]), strict=True)):
        if module.message and not module.assertion_results:
            notes.append(f"{file}: nothing was measured: {module.message}"[:_LONGEST])
        measured = any(test.benchmarks for test in module.assertion_results)
        for j, test in enumerate(module.assertion_results):
            at = f"$.testResults[{i}].assertionResults[{j}].benchmarks"
            groups += [
                Group(names=(file, benchmark.name), records=benchmark.tasks, at=f"{at}[{k}].tasks")
                for k, benchmark in enumerate(test.benchmarks)
            ]
            if test.status == "failed" and measured:
                name = joined((file, *test.ancestor_titles, test.title))
                error = "".join(test.failure_messages[:1]).partition("\n")[0] or "failed"
                failures.append(Measurement(benchmark_name=name, error=error[:_LONGEST]))
    return Layout(groups=groups, failures=failures, notes=notes)


def _short(paths: Sequence[str]) -> list[str]:
    """Absolute paths without what only this machine has: as many of their last parts as tell all of them apart."""
    parts = [PurePosixPath(path.replace("\\", "/")).parts for path in paths]
    for kept in range(1, max(map(len, parts), default=1)):
        short = ["/".join(names[-kept:]) for names in parts]
        if max(Counter(short).values()) == 1:
            return short
    return list(paths)
