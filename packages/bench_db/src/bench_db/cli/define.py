"""`bench-db define`: names that are given when results are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench_db.cli.baseline import user
from bench_db.cli.options import Command, common, emit, open_store, pairs, reading, screen

if TYPE_CHECKING:
    from bench_db.app.definitions import Defined

_NOTE = click.option("--note", default="", help="The reason, for those who look at it later.")
_DUT = click.option("--dut-name", metavar="NAME", help="Only for this device under test.")
_FIELDS = ["test_bed", "dut", "suite", "benchmark", "metric"]
_FIELD = click.argument("field", type=click.Choice(_FIELDS))


def _common(command: Command) -> Command:
    return _NOTE(_DUT(common(command)))


@click.group("define")
def command() -> None:
    """Give names when results are read: join a renamed benchmark, name a pool of machines, correct a typo.

    What is stored is never rewritten, so that every definition can be ended again.

    Example: bench-db define join test_old test_new
    """


@command.command("list")
@reading
def list_(uri: str | None, output: str, as_of: str | None) -> None:
    """List the definitions in force.

    Example: bench-db define list
    """
    from bench_db.app.definitions import definitions

    _emit(definitions(open_store(uri), as_of=as_of), output)


@command.command("sync")
@click.option("--config", "config_file", metavar="FILE", help="The configuration. [default: bench-db.toml]")
@common
def sync(config_file: str | None, uri: str | None, output: str) -> None:
    """Bring the definitions to what [define] in bench-db.toml states: add those of the file, and end those that were removed from it.

    A definition of the file replaces one of the same name that another verb made; all others stay.

    Example: bench-db define sync
    """
    from bench_db.app.definitions import sync_definitions

    _emit(sync_definitions(open_store(uri), config_file, by=user()), output)


@command.command("unmapped")
@click.option("--field", type=click.Choice(_FIELDS), help="Only names of this field, also when it has no alias.")
@click.option("--since", metavar="WHEN", help="Only names in results of runs since then; see --since of latest.")
@common
def unmapped(field: str | None, since: str | None, uri: str | None, output: str) -> None:
    """List the names that no definition matches or gives, most frequent first: of each field with aliases, and of pooled test beds.

    Names that an alias table of a declared format lacked are counted in rows of files, and others in results.

    Example: bench-db define unmapped --since "2 weeks ago"
    """
    from bench_db.app.definitions import unmapped as find
    from bench_db.report.ledgers import unmapped_text

    found = find(open_store(uri), field=field, since=since)
    emit(output, lambda: found.document, lambda: unmapped_text(found.names, screen()))


@command.command("join")
@click.argument("old")
@click.argument("new")
@_common
def join(old: str, new: str, dut_name: str | None, note: str, uri: str | None, output: str) -> None:
    """Continue the history of the benchmark OLD under the name NEW.

    Example: bench-db define join tests/test_q.py::test_old tests/test_q.py::test_new
    """
    _define(uri, output, "join", old, new, dut_name=dut_name, note=note)


@command.command("alias")
@_FIELD
@click.argument("pattern")
@click.argument("value")
@_common
def alias(field: str, pattern: str, value: str, dut_name: str | None, note: str, uri: str | None, output: str) -> None:
    """Read a test bed, device, suite, benchmark or metric that matches PATTERN as VALUE; * and ? are wildcards.

    A suite with the VALUE * reads as the only suite in which a series of the same names exists.

    Example: bench-db define alias test_bed 'ci-linus*' ci-linux
    """
    _define(uri, output, "alias", pattern, value, field=field, dut_name=dut_name, note=note)


@command.command("pool")
@click.argument("test_bed")
@_common
def pool(test_bed: str, dut_name: str | None, note: str, uri: str | None, output: str) -> None:
    """Treat the machines of TEST_BED as one, whatever their CPU, memory and system.

    Example: bench-db define pool ubuntu-latest
    """
    _define(uri, output, "pool", test_bed, dut_name=dut_name, note=note)


@command.command("better")
@click.argument("metric")
@click.argument("direction", type=click.Choice(["lower", "higher", "info"]))
@_common
def better(metric: str, direction: str, dut_name: str | None, note: str, uri: str | None, output: str) -> None:
    """State whether lower or higher values of METRIC are better, or neither (info).

    Example: bench-db define better recall higher
    """
    _define(uri, output, "better", metric, direction, dut_name=dut_name, note=note)


@command.command("main")
@click.argument("dut_name")
@click.argument("branch")
@_NOTE
@common
def main(dut_name: str, branch: str, note: str, uri: str | None, output: str) -> None:
    """State the main branch of the device DUT_NAME.

    Example: bench-db define main lance release
    """
    _define(uri, output, "main", dut_name, branch, note=note)


@command.command("ignore")
@click.argument("benchmark")
@_common
def ignore(benchmark: str, dut_name: str | None, note: str, uri: str | None, output: str) -> None:
    """Leave the benchmarks that match BENCHMARK out of every answer; * and ? are wildcards.

    Example: bench-db define ignore 'test_smoke*'
    """
    _define(uri, output, "ignore", benchmark, dut_name=dut_name, note=note)


@command.command("threshold")
@click.option("--benchmark", metavar="GLOB", help="Of the benchmarks that match.")
@click.option("--metric", metavar="GLOB", help="Of the metrics that match.")
@click.option("--suite", metavar="GLOB", help="Of the suites that match.")
@click.option("--tag", "tags", multiple=True, metavar="K=GLOB", help="Of the series with such a tag; may be repeated.")
@click.option(
    "--relative", default="", metavar="SHARE", help="The smallest change relative to the baseline, such as 5%."
)
@click.option("--absolute", default="", metavar="AMOUNT", help="The smallest difference, such as 2ms, 512KiB or 3.")
@_common
def threshold(
    benchmark: str | None,
    metric: str | None,
    suite: str | None,
    tags: tuple[str, ...],
    relative: str,
    absolute: str,
    dut_name: str | None,
    note: str,
    uri: str | None,
    output: str,
) -> None:
    """State the smallest change of level that counts in some series; with both amounts it has to reach both.

    Of several thresholds the one with most conditions applies, then the one with most characters that are no wildcard, then the newest.

    Example: bench-db define threshold --metric peak_memory --relative 1% --absolute 64KiB
    """
    from bench_db.query.thresholds import pattern_of, value_of

    given = {"benchmark": benchmark, "metric": metric, "suite": suite}
    named = {name: glob for name, glob in given.items() if glob is not None}
    pattern = pattern_of(named, pairs(tags))
    _define(uri, output, "threshold", pattern, value_of(relative, absolute), dut_name=dut_name, note=note)


@command.command("metric")
@click.argument("name")
@click.argument("formula")
@click.option("--unit", metavar="UNIT", help="Its unit, where the units of its metrics do not give it.")
@click.option("--better", type=click.Choice(["lower", "higher", "info"]),
              help="Its direction. [default: what those of its metrics give]")  # fmt: skip
@_common
def metric(
    name: str,
    formula: str,
    unit: str | None,
    better: str | None,
    dut_name: str | None,
    note: str,
    uri: str | None,
    output: str,
) -> None:
    """Show a metric NAME that FORMULA computes from others of the same run, benchmark and tags; it is never stored.

    A formula has names of metrics, numbers, + - * / and parentheses; a name such as "p99 latency" is in double quotes. A time is in
    seconds, a size in bytes and a rate per second, and so is the result: tables choose ms or MiB, and --unit ms scales only what has no
    unit of time, such as a count. Where a metric failed or a divisor is 0, the result failed, too.

    Example: bench-db define metric tokens_per_joule 'tok_s / power' --unit tokens/J --better higher
    """
    from bench_db.query.formula import value_of

    _define(uri, output, "metric", name, value_of(formula, unit, better), dut_name=dut_name, note=note)


@command.command("end")
@click.argument(
    "kind",
    type=click.Choice(["alias", "join", "pool", "better", "main", "ignore", "threshold", "metric", "annotation"]),
)
@click.argument("pattern")
@click.option("--field", default="", help="With alias: the field that it is of.")
@_common
def end(kind: str, pattern: str, field: str, dut_name: str | None, note: str, uri: str | None, output: str) -> None:
    """End a definition, as `define list` shows it.

    Example: bench-db define end join test_old
    """
    _define(uri, output, kind, pattern, field=field, dut_name=dut_name, note=note, lifted=True)


def _define(
    uri: str | None,
    output: str,
    kind: str,
    pattern: str,
    value: str = "",
    *,
    field: str = "",
    dut_name: str | None = None,
    note: str = "",
    lifted: bool = False,
) -> None:
    from bench_db.app.definitions import define

    about = {"field": field, "dut_name": dut_name, "note": note, "by": user(), "lifted": lifted}
    _emit(define(open_store(uri), kind, pattern, value, **about), output)  # type: ignore[arg-type]


def _emit(found: Defined, output: str) -> None:
    from bench_db.report.ledgers import definitions_text

    emit(output, lambda: found.document, lambda: definitions_text(found.definitions, screen(), found.faults))
