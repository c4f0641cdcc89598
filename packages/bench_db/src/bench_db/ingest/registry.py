"""The formats bench_db reads, one entry each, and how the format of a path is found."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench_db import plugins
from bench_db.errors import InputFileError, PluginError, UnreadableOutputError, UserError
from bench_db.ingest import envelope, foreign
from bench_db.ingest.adapter import Adapter, adapter_of
from bench_db.ingest.content import Content, open_file, open_unchecked
from bench_db.ingest.declared import adapters
from bench_db.ingest.envelope import BinaryError
from bench_db.ingest.formats import (
    asv,
    benchmark_data,
    benchmark_ips,
    benchmarkdotnet,
    benchmarkjs,
    bmf,
    calibrax,
    cargo_bench,
    catch2,
    catch2_xml,
    codspeed,
    criterion,
    criterion_dir,
    custom_json,
    dart,
    dbpedia,
    deno,
    divan,
    go,
    google_benchmark,
    gungraun,
    hyperfine,
    jmh,
    julia,
    lnt,
    metalab,
    mitata,
    nanobench,
    otava,
    pyperf,
    pytest_benchmark,
    ruby_benchmark,
    values_ns,
    vitest,
)
from bench_db.model import UnreadableFile
from bench_db.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench_db.schedule.declaration import Formats

AUTO = "auto"
_EDGE = 1 << 16
# not one JSON document
_OF_LINES = {
    "benchmark-ips",
    "benchmarkjs",
    "cargo-bench",
    "catch2",
    "catch2-xml",
    "criterion",
    "dart",
    "dbpedia",
    "divan",
    "go",
    "gungraun",
    "otava",
    "ruby-benchmark",
}


ADAPTERS = (
    Adapter(
        name="criterion",
        source=criterion.SOURCE,
        summary="cargo-criterion's message stream: cargo criterion --message-format=json",
        sniff=criterion.sniff,
        read=criterion.read,
    ),
    Adapter(
        name="criterion-dir",
        source=criterion_dir.SOURCE,
        summary="Criterion's own directory, target/criterion",
        read=criterion_dir.read,
    ),
    Adapter(
        name="pytest-benchmark",
        source=pytest_benchmark.SOURCE,
        summary="pytest --benchmark-json, and the files pytest-benchmark saves",
        sniff=pytest_benchmark.sniff,
        read=pytest_benchmark.read,
    ),
    Adapter(
        name="asv",
        source=asv.SOURCE,
        summary="asv's results files: results/MACHINE/COMMIT-ENVIRONMENT.json",
        sniff=asv.sniff,
        read=asv.read,
        self_contained=False,
    ),
    Adapter(
        name="cargo-bench",
        source=cargo_bench.SOURCE,
        summary="the text cargo bench prints, of libtest and of Criterion",
        sniff=cargo_bench.sniff,
        read=cargo_bench.read,
    ),
    Adapter(
        name="codspeed",
        source=codspeed.SOURCE,
        summary="CodSpeed's walltime results: pytest --codspeed --codspeed-mode=walltime, in .codspeed/",
        sniff=codspeed.sniff,
        read=codspeed.read,
    ),
    Adapter(
        name="google-benchmark",
        source=google_benchmark.SOURCE,
        summary="google-benchmark's JSON: --benchmark_out=FILE --benchmark_out_format=json",
        sniff=google_benchmark.sniff,
        read=google_benchmark.read,
    ),
    Adapter(
        name="benchmarkdotnet",
        source=benchmarkdotnet.SOURCE,
        summary="BenchmarkDotNet's JSON, full or brief: --exporters json",
        sniff=benchmarkdotnet.sniff,
        read=benchmarkdotnet.read,
    ),
    Adapter(
        name="benchmark-ips",
        source=benchmark_ips.SOURCE,
        summary="Ruby's benchmark-ips: its text, and the file of json!",
        sniff=benchmark_ips.sniff,
        read=benchmark_ips.read,
    ),
    Adapter(
        name="benchmarkjs",
        source=benchmarkjs.SOURCE,
        summary="the lines Benchmark.js prints: String(event.target)",
        sniff=benchmarkjs.sniff,
        read=benchmarkjs.read,
    ),
    Adapter(
        name="bmf",
        source=bmf.SOURCE,
        summary="the Bencher Metric Format",
        sniff=bmf.sniff,
        read=bmf.read,
    ),
    Adapter(
        name="calibrax",
        source=calibrax.SOURCE,
        summary="calibrax's runs: runs/ID.json in its store",
        sniff=calibrax.sniff,
        read=calibrax.read,
        self_contained=False,
    ),
    Adapter(
        name="catch2",
        source=catch2.SOURCE,
        summary="the tables of benchmarks in Catch2's console text",
        sniff=catch2.sniff,
        read=catch2.read,
    ),
    Adapter(
        name="catch2-xml",
        source=catch2_xml.SOURCE,
        summary="Catch2's XML report: -r xml",
        sniff=catch2_xml.sniff,
        read=catch2_xml.read,
    ),
    Adapter(
        name="dart",
        source=dart.SOURCE,
        summary="the lines Dart's benchmark_harness prints: Name(RunTime): 12.5 us.",
        sniff=dart.sniff,
        read=dart.read,
    ),
    Adapter(
        name="deno",
        source=deno.SOURCE,
        summary="deno bench --json",
        sniff=deno.sniff,
        read=deno.read,
    ),
    Adapter(
        name="divan",
        source=divan.SOURCE,
        summary="the tree Divan prints: cargo bench",
        sniff=divan.sniff,
        read=divan.read,
    ),
    Adapter(
        name="github-action-benchmark",
        source=custom_json.SOURCE,
        summary="the custom JSON of github-action-benchmark; the direction is that of the unit",
        sniff=custom_json.sniff,
        read=custom_json.read,
    ),
    Adapter(
        name="customSmallerIsBetter",
        source=custom_json.SMALLER_SOURCE,
        summary="the same, lower is better; only by its name",
        sniff=custom_json.sniff,
        by_name=True,
        read=custom_json.read_smaller,
    ),
    Adapter(
        name="customBiggerIsBetter",
        source=custom_json.BIGGER_SOURCE,
        summary="the same, higher is better; only by its name",
        sniff=custom_json.sniff,
        by_name=True,
        read=custom_json.read_bigger,
    ),
    Adapter(
        name="github-action-benchmark-history",
        source=benchmark_data.SOURCE,
        summary="the history of github-action-benchmark: data.js on its pages, or its external JSON file",
        sniff=benchmark_data.sniff,
        read=benchmark_data.read,
    ),
    Adapter(
        name="go",
        source=go.SOURCE,
        summary="Go's benchmark text: go test -bench",
        sniff=go.sniff,
        read=go.read,
    ),
    Adapter(
        name="gungraun",
        source=gungraun.SOURCE,
        summary="the counts of Gungraun, iai-callgrind and iai: cargo bench, as text or --output-format=json",
        sniff=gungraun.sniff,
        read=gungraun.read,
    ),
    Adapter(
        name="hyperfine",
        source=hyperfine.SOURCE,
        summary="hyperfine --export-json FILE",
        sniff=hyperfine.sniff,
        read=hyperfine.read,
    ),
    Adapter(
        name="jmh",
        source=jmh.SOURCE,
        summary="JMH's JSON: -rf json -rff FILE",
        sniff=jmh.sniff,
        read=jmh.read,
    ),
    Adapter(
        name="julia",
        source=julia.SOURCE,
        summary="the JSON of Julia's BenchmarkTools: BenchmarkTools.save(FILE, results)",
        sniff=julia.sniff,
        read=julia.read,
    ),
    Adapter(
        name="lnt",
        source=lnt.SOURCE,
        summary="LNT's report files, versions 0 to 2",
        sniff=lnt.sniff,
        read=lnt.read,
    ),
    Adapter(
        name="metalab",
        source=metalab.SOURCE,
        summary="metalab's run records: runs/ID.json in a FileStore",
        sniff=metalab.sniff,
        read=metalab.read,
        self_contained=False,
    ),
    Adapter(
        name="mitata",
        source=mitata.SOURCE,
        summary="mitata's JSON: run({ format: 'json' })",
        sniff=mitata.sniff,
        read=mitata.read,
    ),
    Adapter(
        name="nanobench",
        source=nanobench.SOURCE,
        summary="nanobench's JSON: render(templates::json(), out)",
        sniff=nanobench.sniff,
        read=nanobench.read,
    ),
    Adapter(
        name="otava",
        source=otava.SOURCE,
        summary="a history for Apache Otava: CSV with a time, a commit and metrics",
        sniff=otava.sniff,
        read=otava.read,
    ),
    Adapter(
        name="pyperf",
        source=pyperf.SOURCE,
        summary="pyperf's suites: pyperf timeit -o FILE, pyperformance run -o FILE",
        sniff=pyperf.sniff,
        read=pyperf.read,
    ),
    Adapter(
        name="ruby-benchmark",
        source=ruby_benchmark.SOURCE,
        summary="the tables of Ruby's Benchmark: bm, bmbm",
        sniff=ruby_benchmark.sniff,
        read=ruby_benchmark.read,
    ),
    Adapter(
        name="vitest",
        source=vitest.SOURCE,
        summary="vitest bench --outputJson FILE; in other versions --reporter=json --outputFile=FILE",
        sniff=vitest.sniff,
        read=vitest.read,
    ),
    Adapter(
        name="values-ns",
        source=values_ns.SOURCE,
        summary="lance-bench's results files, with values_ns",
        sniff=values_ns.sniff,
        read=values_ns.read,
    ),
    Adapter(
        name="dbpedia",
        source=dbpedia.SOURCE,
        summary="lance-bench's recall lines: IVF100,PQ96: refine=10, recall@10=0.95",
        sniff=dbpedia.sniff,
        read=dbpedia.read,
    ),
)
_LOG = logging.getLogger(__name__)
_BY_NAME = {adapter.name: adapter for adapter in ADAPTERS}


@cache
def _of_others() -> plugins.Loaded[Adapter]:
    """Return the formats of other installed packages; only a format that is not bench_db's own needs them."""
    return plugins.load(plugins.FORMATS, adapter_of, reserved=(AUTO, *_BY_NAME))


def declared_formats(formats: Formats) -> tuple[Adapter, ...]:
    """Return the adapters of declared formats. Raise `UserError` for one with the name of a format of bench_db."""
    taken = next((name for name in formats.format if name == AUTO or name in _BY_NAME), None)
    if taken is not None:
        message = f"[format.{taken}]: bench_db has a format of that name; give the declared one another"
        raise UserError(message)
    return adapters(formats)


def known(declared: Sequence[Adapter] = ()) -> dict[str, Sequence[Adapter]]:
    """Return the formats by where they come from: a declaration, bench_db, or another installed package."""
    return {"declared": declared, "bench_db": ADAPTERS, "package": tuple(_of_others().usable.values())}


def adapter_named(name: str, declared: Sequence[Adapter] = ()) -> Adapter:
    """Return the adapter of a format: a declared one, one of bench_db, or one of another package.

    Raises `UserError` with all known names when there is none, and `PluginError` when it is broken.
    """
    adapter = next((one for one in declared if one.name == name), None) or _BY_NAME.get(name) or _of_others().get(name)
    if adapter is None:
        known = ", ".join((AUTO, *(one.name for one in declared), *_BY_NAME, *_of_others().usable))
        message = f"no format is called {name!r}; known: {known}{_unusable(_of_others().faults.values())}"
        raise UserError(message)
    return adapter


def open_path(
    path: Path,
    format_name: str = AUTO,
    *,
    declared: Sequence[Adapter] = (),
    deadline_seconds: float = RULES.input_seconds,
    older: Collection[Path] = (),
) -> tuple[Adapter, Content]:
    """Return the content of a path and the adapter that reads it: the named one, or the one that the content shows.

    Of a directory, the `older` files are not read. A declared format precedes those of bench_db, and these precede those of other packages.

    Raises `UserError` for a format that does not exist or does not fit, `UnreadableOutputError` when the content shows
    none or several, or shows it only behind the prefixes of a log.
    """
    named = None if format_name == AUTO else _of_flag(format_name, declared)
    is_directory = path.is_dir()
    content = (
        criterion_dir.open_directory(path, older)
        if is_directory
        else open_file(path, deadline_seconds=deadline_seconds)
    )
    if named is None:
        return (_BY_NAME["criterion-dir"] if is_directory else _shown_by(content, declared)), content
    if is_directory == (named.sniff is not None):
        message = f"--format {format_name}: reads a {'file' if is_directory else 'directory'}, and {path} is not one"
        raise UserError(message)
    if not is_directory:
        _refuse_prefixes(content, named)
    return named, content


def _of_flag(name: str, declared: Sequence[Adapter]) -> Adapter:
    try:
        return adapter_named(name, declared)
    except UserError as error:
        message = f"--format: {error}"
        raise UserError(message) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The files of a directory: those to read, with the name of their format, those that cannot be read, and those that are no output, each in order.

    A path that is no such directory has the format that it was asked for.
    """

    readable: Mapping[Path, str] = field(default_factory=dict)
    unreadable: Sequence[UnreadableFile] = ()
    passed_over: Sequence[Path] = ()


def find(
    path: Path,
    format_name: str = AUTO,
    *,
    declared: Sequence[Adapter] = (),
    looked: Callable[[int, int], None] = lambda _done, _all: None,
) -> Found:
    """Return the paths to read, one for each run: the path itself, or the files below a directory that is not Criterion's.

    Hidden files are left out, and files that show no format, or not the named one, are passed over. An empty file, an archive,
    a JSON document that ends too early and a file that cannot be opened are unreadable. Raises `UserError` when a directory
    has neither readable nor unreadable files. `looked` is called with the number of files looked at, and of all.
    """
    named = None if format_name == AUTO else _of_flag(format_name, declared)
    reads_directory = named is None or named.sniff is None
    if not path.is_dir() or (reads_directory and (named is not None or criterion_dir.is_criterion(path))):
        return Found(readable={path: format_name})
    readable: dict[Path, str] = {}
    unreadable: list[UnreadableFile] = []
    passed_over: list[Path] = []
    files = sorted(path.rglob("*"))
    for number, file in enumerate(files):
        looked(number, len(files))
        if not file.is_file() or any(part.startswith(".") for part in file.relative_to(path).parts):
            continue
        try:
            adapter = _shown_in(file, named, declared)
        except (UnreadableOutputError, InputFileError) as error:
            unreadable.append(UnreadableFile(path=str(file), error=str(error)))
            continue
        if adapter is None:
            passed_over.append(file)
        else:
            readable[file] = adapter.name
    if not readable and not unreadable:
        what = "a format that bench_db knows, and there is no Criterion measurement" if named is None else named.name
        message = (
            f"{path}: no file below it shows {what}."
            f" Name a directory with the output of a benchmark tool, or one file and its format with --format"
        )
        raise UserError(message)
    return Found(readable=readable, unreadable=unreadable, passed_over=passed_over)


def _shown_in(file: Path, named: Adapter | None, declared: Sequence[Adapter]) -> Adapter | None:
    """Return the named format, or the one of any, if a file shows it. Raises for a file whose output, if any, would be lost."""
    try:
        content = open_unchecked(file)
    except BinaryError as error:
        without = error.text.replace(b"\0", b"")[:_EDGE]
        if _shown(without, declared) if named is None or named.sniff is None else named.sniff(without):
            raise
        return None
    if named is not None and named.sniff is not None:
        return named if named.sniff(content.edges) else None
    try:
        return _shown_by(content, declared)
    except UnshownError:
        return None


class UnshownError(UnreadableOutputError):
    """A file that shows no format, and no cause that would hide one."""


def detect(path: Path) -> Adapter:
    """Return the adapter that the content of a path shows. Raises as `open_path` does."""
    return open_path(path)[0]


def _shown_by(content: Content, declared: Sequence[Adapter] = ()) -> Adapter:
    """Return the one format that the content shows; formats of other packages count only when none of bench_db's fits."""
    edges = content.edges
    shown = _shown(edges, declared)
    faults: list[PluginError] = []
    if not shown:
        shown, faults = _shown_to_others(edges)
    if len(shown) == 1:
        _refuse_prefixes(content, shown[0])
        for fault in faults:
            _LOG.warning(
                "%s is read as %s, but another format could not be asked: %s", content.path, shown[0].name, fault
            )
        return shown[0]
    if _OF_LINES.isdisjoint(adapter.name for adapter in shown):
        _refuse_envelope(content, edges)
    if shown:
        reason = f"could be {' or '.join(adapter.name for adapter in shown)}; choose one with --format"
        raise UnreadableOutputError(reason + _unusable(faults), file=str(content.path))
    known = ", ".join((*(one.name for one in declared), *_BY_NAME, *_of_others().usable))
    reason = f"is in no format bench_db knows by its content; if it is one of these, name it with --format: {known}"
    if _WITHOUT_RESULTS.search(edges):
        reason = f"is in no format that shows, and has an empty list of results: did the run select any benchmark? If so, name it with --format: {known}"
    raise UnshownError(reason + _unusable(faults), file=str(content.path))


# what google-benchmark, hyperfine, JMH and others write of a run that selected no benchmark
_WITHOUT_RESULTS = re.compile(rb'\A\s*\[\s*\]\s*\Z|"(?:benchmarks|results)"\s*:\s*\[\s*\]')


def _shown(edges: bytes, declared: Sequence[Adapter] = ()) -> list[Adapter]:
    """Return the declared formats that a content shows, or without one those of bench_db."""
    of_each = ([a for a in some if a.sniff and not a.by_name and a.sniff(edges)] for some in (declared, ADAPTERS))
    return next(filter(None, of_each), [])


def _refuse_prefixes(content: Content, adapter: Adapter | None) -> None:
    """Raise `UnreadableOutputError` when only the prefixes of a log make a text one of the format, or of any for None."""
    if (adapter is not None and adapter.name not in _BY_NAME) or _DOCUMENT.match(content.edges):
        return
    found = envelope.prefix(content.edges)
    if found is None:
        return
    prefix, others, without = found
    is_shown = _shown if adapter is None or adapter.sniff is None else adapter.sniff
    if is_shown(without) and not is_shown(others):
        reason = (
            f"each line has a prefix, here {prefix[:60].decode('utf-8', 'replace')!r}, as in the log of a CI job."
            " Write the output of the tool to a file in the job (`... | tee out.txt`) and publish that file"
        )
        raise UnreadableOutputError(reason, file=str(content.path))


def _refuse_envelope(content: Content, edges: bytes) -> None:
    """Raise `UnreadableOutputError` that names what hides the format of a content, if anything known does."""
    _refuse_prefixes(content, None)
    if not edges.lstrip().startswith((b"{", b"[")) and not _JSON_BELOW.search(edges):
        return
    cause = envelope.json_cause(content.body)
    if cause is not None and (_shown(cause[2].encode()) or _shown(edges)):
        raise UnreadableOutputError(cause[0], file=str(content.path), line=cause[1])
    if cause is None and foreign.is_cut(content.body):
        reason = "is JSON that ends too early. Was the job cancelled while writing it?"
        raise UnreadableOutputError(reason, file=str(content.path))


_DOCUMENT = re.compile(rb"\s*(?:\{|\[\s*[\[{])")
_JSON_BELOW = re.compile(rb"^[ \t]*[\[{]|^[^\n\[{]*(?:\{\s*\"|\[\s*\{)", re.MULTILINE)


def _shown_to_others(edges: bytes) -> tuple[list[Adapter], list[PluginError]]:
    """Return the formats of other packages that the content shows, and why some of them cannot say."""
    shown, faults = [], list(_of_others().faults.values())
    for adapter in _of_others().usable.values():
        try:
            shown += [adapter] if adapter.sniff and adapter.sniff(edges) else []
        except PluginError as fault:
            faults.append(fault)
    return shown, faults


def _unusable(faults: Iterable[PluginError]) -> str:
    return "".join(f". Not available: {fault}" for fault in faults)
