"""What each threshold of `bench_db.rules` changes, seen from outside; run as a script, because it imports bench_db many times.

Each rule is changed before any other module of bench_db is imported. The script prints which observers then saw another text.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
# Modules that no rule reaches. `typing` caches annotations across imports, and so the records must stay the same classes.
BELOW = {"bench_db", *(f"bench_db.{name}" for name in ("arrow", "errors", "identity", "model", "units"))}
LEVEL = [100.0 + 0.1 * (i % 3) for i in range(40)]
SHA = "0123456789abcdef0123456789abcdef01234567"


@cache
def docs() -> Any:
    """The generator of the documentation, as a module; imported once for each rule."""
    spec = importlib.util.spec_from_file_location("docs_of_bench_db", ROOT / ".ci/docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def statistics_page() -> str:
    page: str = docs().statistics_page()
    return page


def statistics() -> str:
    return statistics_page().partition("## Thresholds")[0]


def thresholds() -> str:
    return statistics_page().partition("## Thresholds")[2]


def cli_help() -> str:
    from bench_db.cli.main import root

    text: str = docs().cli_page(root)
    return text


def pages() -> str:
    """The pages of the site that name thresholds, without the digests in the paths of what they load."""
    from tests.report.example_site import site, site_content

    shown = {path: content for path, content in site(site_content()) if path in {"compare.html", "noise.html"}}
    assert len(shown) == 2
    return re.sub(r"-[0-9a-f]+\.", ".", b"".join(shown.values()).decode())


def large_change() -> str:
    from bench_db.report.quantity import percent

    return percent(15.0)


def paths() -> str:
    from bench_db.report.site.pages import named

    return named("data", "settings.js", b"")


def settings() -> str:
    """The data that the site's JavaScript takes thresholds from."""
    from tests.report.example_site import site, site_content

    return next(content for path, content in site(site_content()) if path.startswith("data/settings")).decode()


def pulls() -> str:
    """The list of pull requests whose points a site has."""
    import polars as pl

    from tests.report.example_site import site, site_content
    from tests.report.site.test_pulls import pull

    content = replace(site_content(), pulls=pl.concat([pull(number, [1.0]) for number in range(1, 60)]))
    return next(body for path, body in site(content) if path.startswith("data/pulls")).decode()


def comparison() -> str:
    from bench_db.analysis.compare import compare

    return repr([compare([103.0], LEVEL[:20]), compare([103.0], LEVEL[:6])])


def seed_methods() -> str:
    from bench_db.analysis.seed_methods import lance_bench_ttest, lance_bench_z

    return repr([lance_bench_ttest([*LEVEL, *[103.0] * 4]), lance_bench_z(103.0, LEVEL[:6])])


def plan() -> str:
    from bench_db.analysis.judge import plan

    return plan("runs")


def stale() -> str:
    """The verdict on a series that the newest six commits did not measure."""
    import polars as pl

    from bench_db.analysis.judge import judge
    from bench_db.query.series import HISTORY, IDENTITY, Points

    measured = [(key, at) for key, last in ((1, 20), (2, 13)) for at in range(last)]
    rows = [(key, at, at, 100 * key + at, at, f"{at:040x}", 1, *[100.0] * 5, None) for key, at in measured]
    names = [(key, "d", "b", "s", f"f{key}", "time", "", "nanoseconds", "lower") for key in (1, 2)]
    points = Points(
        series=pl.DataFrame(names, schema=list(IDENTITY), orient="row"),
        rows=pl.DataFrame(rows, schema=list(HISTORY), orient="row", schema_overrides={"error": pl.String}),
    )
    return repr([(c.series.benchmark_name, c.verdict) for c in judge(points, [119])])


def by_chance() -> str:
    """The verdicts on the newest commit of suites of 2 to 40 series, of which one has changed."""
    from bench_db.analysis.judge import judge
    from tests.analysis.test_judge import one_changed

    return repr([[c.verdict for c in judge(one_changed(series, 1.11, 0.0175), [20])] for series in range(2, 12)])


def suspicion() -> str:
    """The verdicts on 40 series of which one moved by 11.5 %."""
    import polars as pl

    from bench_db.analysis.judge import judge
    from bench_db.query.series import HISTORY, IDENTITY, Points

    runs = 100 * np.exp(np.random.default_rng(5).normal(0, 0.01, (9, 40)))
    runs[-1] = [111.5, *[100.0] * 39]
    rows = [
        (key, at, at, at, at, f"{at:040x}", 1, *[float(value)] * 5, None)
        for at, run in enumerate(runs)
        for key, value in enumerate(run)
    ]
    names = [(key, "d", "b", "s", f"f{key}", "time", "", "nanoseconds", "lower") for key in range(40)]
    points = Points(
        series=pl.DataFrame(names, schema=list(IDENTITY), orient="row"),
        rows=pl.DataFrame(rows, schema=list(HISTORY), orient="row", schema_overrides={"error": pl.String}),
    )
    return repr([(c.series.benchmark_name, c.verdict, c.note) for c in judge(points, [8])])


def spaced() -> str:
    """The points of two runs of a commit that began 11 minutes apart."""
    import polars as pl

    from bench_db.analysis.histories import observations
    from bench_db.query.series import HISTORY, IDENTITY, Points

    rows = [(1, 0, 660 * run, run, 0, "0" * 40, 1, *[100.0] * 5, None) for run in range(2)]
    points = Points(
        series=pl.DataFrame([(1, "d", "b", "s", "f", "time", "", "ns", "lower")], schema=list(IDENTITY), orient="row"),
        rows=pl.DataFrame(rows, schema=list(HISTORY), orient="row", schema_overrides={"error": pl.String}),
    )
    return repr(len(observations(points).rows))


def level() -> str:
    from bench_db.analysis.level import at_end, established

    return repr(
        [f(30, changes, accepted) for f in (established, at_end) for changes, accepted in (((22,), ()), ((), ()))]
    )


def same_change() -> str:
    from bench_db.analysis.level import established

    return repr(established(30, (20,), (14,)))


def detection() -> str:
    from bench_db.analysis.detect import change_points

    return repr(change_points(np.array([*LEVEL[:5], *(1.5 * x for x in LEVEL[:4])])))


def large() -> str:
    from bench_db.analysis.level import large

    return repr([large([0.015]), large([0.008, 0.008])])


def figure() -> str:
    """The figure of series whose runs, samples and noise lie near the limits."""
    from bench_db.analysis.histories import histories
    from tests.analysis.test_histories import LOADED, noisy

    some = [noisy((0.11, 0.11, 0.1 * noisier), seed=seed) for noisier in (1, 1.5, 2) for seed in range(5)]
    some += [noisy(LOADED, runs=runs, samples=samples) for runs in (9, 10, 11, 12) for samples in (4, 5, 6)]
    return repr([histories(one).figures for one in some])


def provisional() -> str:
    from bench_db.analysis.detect import detect

    return repr([change.provisional for change in detect(np.array([*LEVEL, *(1.5 * x for x in LEVEL[:6])]))])


def scan() -> str:
    """A scan of 12 series, of which one changed, and of which run 30 moved all by 3 %."""
    from bench_db.analysis.scan import scan

    noise = np.random.default_rng(5).normal(0, 0.002, (12, 60))
    values = 100.0 * np.exp(noise)
    values[0, 40:] *= 1.3
    values[:, 30] *= 1.03
    found = scan(values.ravel(), np.arange(0, 721, 60), np.tile(np.arange(60), 12))
    return repr((found.expected_false, [movement.run for movement in found.movements]))


def noisy() -> str:
    """Return what is said of an unchanged series that may be 60 % worse."""
    from bench_db.model import Comparison, Series, Verdict
    from bench_db.report.terminal import noise_lines

    series = Series(benchmark_name="f", test_bed_name="x")
    one = Comparison(
        series=series, verdict=Verdict.UNCHANGED, effect=0.1, low=-0.2, high=0.6, n_baseline=9, n_candidate=1
    )
    return repr(noise_lines([one]))


def causes() -> str:
    """Return the blame of benchmarks of which some moved on one of two test beds."""
    from bench_db.analysis.blame import blame_comparisons
    from bench_db.model import Cause, Comparison, Series, Verdict

    def blamed(moved: int, of: int, beds: str = "x") -> Cause:
        compared = [
            Comparison(
                series=Series(benchmark_name=f"f{i}", test_bed_name=bed),
                verdict=Verdict.REGRESSED if i < moved and bed == "x" else Verdict.UNCHANGED,
                effect=0.2 if i < moved and bed == "x" else 0.0,
                n_baseline=20,
                n_candidate=1,
            )
            for i in range(of)
            for bed in beds
        ]
        return blame_comparisons(compared, {})[1][0].cause

    return repr([blamed(17, 20, "xy"), blamed(5, 10), blamed(6, 10), blamed(1, 4), blamed(3, 3, "xy")])


def noise() -> str:
    from bench_db.analysis.noise import noise_of

    wide = np.exp(0.067578125 * np.array([(-1) ** i * (1 + 0.1 * (i % 3)) for i in range(20)]))
    return repr([noise_of(np.array(LEVEL[:20])), noise_of(wide)])


def pairs() -> str:
    from bench_db.analysis.pairs import Judged, Round, judge
    from bench_db.units import Direction

    return repr(judge([[Round(100.0, 103.0, 1)] * 5], [Direction.LOWER], [Judged()], 0.001))


def needed_rounds() -> str:
    """Whether further rounds would tell for series that take about as many as the limit."""
    from bench_db.analysis.pairs import Judged, Round, judge
    from bench_db.units import Direction

    suite = [[Round(1.0, 1.0 + s * 0.00002 * d, 1) for d in (5, -5, 5, -5, 5)] for s in range(400, 600)]
    return repr(judge(suite, [Direction.LOWER] * len(suite), [Judged()] * len(suite), 0.001))


def reports() -> str:
    """A comment and the texts of a comparison, a finding and a movement."""
    from bench_db.model import Movement, Series
    from bench_db.report.detected import scan_text
    from bench_db.report.markdown import CommentContext, comment
    from bench_db.report.terminal import against
    from tests.report.examples import COUNTS, GOLDEN, found

    finding = found("f", 1, 3, commit=SHA)
    moved = Movement(run=0, commit=SHA, effect=0.1, series=9, lasting=True)
    figures: dict[str, Any] = {"movements": [moved], "changes": 1, "tested": 1, "too_short": 1, "expected_false": 0.0}
    body = comment(GOLDEN, COUNTS, CommentContext(candidate=SHA, baseline="main"))
    return "\n".join((body, against(SHA, "main"), scan_text([finding], {1: Series()}, **figures)))


def many_regressions() -> str:
    from bench_db.report.markdown import CommentContext, comment
    from tests.report.examples import compared

    many = [compared(f"f{i}", "regressed", effect=0.1) for i in range(11)]
    return comment(many, {"regressed": 11}, CommentContext(candidate=SHA, baseline="main"))


def nearest() -> str:
    from bench_db.query.selection import nearest

    return repr(nearest("name", [f"name{i}" for i in range(9)]))


def failed_benchmark() -> str:
    from bench_db.app.backfill import failure
    from bench_db.ingest import Provenance
    from bench_db.measure.journal import Pending

    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.write_bytes(b"")
        about: dict[str, Any] = {
            "key": "k",
            "store": "s",
            "commit": SHA,
            "suite": "s",
            "format": "auto",
            "provenance": {},
        }
        pending = Pending(**about, attempt=1, began=1, seconds=1.0, log=str(log))
        _, (result,) = failure(pending, "x" * 9_000, Provenance(dut_name="d", dut_version="1", test_bed_name="b"))
        return repr(len(result.error or ""))


def failed_setups() -> str:
    from bench_db.app.backfill import same_setup_failure

    failure = ("suite", 0, "no such file")
    return repr([same_setup_failure([[failure]] * commits) for commits in range(9)])


def leftover() -> str:
    """Return what becomes of a result with six samples of another commit."""
    from bench_db.store.database import connect
    from tests.store.test_leftovers import run_of

    with TemporaryDirectory() as folder:
        store = connect(folder, create=True)
        (run, results), (other, _) = run_of(1), run_of(2)
        store.publish(results, run)
        moved = [replace(result, commit=other.commit, dut=other.dut) for result in results]
        return repr(store.publish(moved, other).skipped)


def cut_metadata() -> str:
    from bench_db.ingest.reading import Measurement, in_bounds

    metadata = json.dumps({f"{i}": "x" for i in range(9_000)})
    return repr(in_bounds([Measurement(benchmark_name="b", metadata=metadata)]))


def cut_tag() -> str:
    from bench_db.ingest.reading import tags_in_bounds

    return repr(tags_in_bounds({"p": "x" * 9_000}))


def long_formula() -> str:
    from bench_db.errors import UserError
    from bench_db.query.formula import parse

    try:
        parse("a" * 9_000)
    except UserError as error:
        return str(error)
    return ""


def undrawn() -> str:
    """The reason why a CSV file of progress is not drawn."""
    from bench_db.report.site.progress import ProgressFile, progress_document

    file = ProgressFile(run={}, name="f.csv", sha256="", size_bytes=1 << 50, read=bytes)
    return str(progress_document(file))


def unpacked() -> str:
    """The error of a gzip file that unpacks to more than the bound, which is made small here."""
    from gzip import compress

    from bench_db.errors import UnreadableOutputError
    from bench_db.ingest import envelope

    with mock.patch.object(envelope, "_MIB", 1):
        try:
            envelope.unwrapped(compress(b"x" * 2_000), "f")
        except UnreadableOutputError as error:
            return str(error)
    return ""


def failed_command() -> str:
    from bench_db.report.plans import last_lines

    return repr(last_lines(map(str, range(100))))


def notebook_chart() -> str:
    from bench_db.app.charts import effects_chart
    from tests.app.test_charts import effects, rows_of

    return str(len(rows_of(effects_chart(effects(200), "verdict").to_dict())))


def message() -> str:
    from bench_db.report.alarms import text
    from tests.report.test_alarms import alarm

    return text(alarm(200, commits=20))


def badges() -> str:
    """Return what the badge says of results of each age in days."""
    from bench_db.report.site.badge import state
    from tests.report.examples import last_scan

    newest = {"measured": 1_760_000_000}
    facts = {
        "freshness": [{"newest": newest, "failed": []}],
        "failing": 0,
        "regressed": 0,
        "current": 1,
        "scans": [last_scan()],
        "total": 1,
    }
    return repr([state(facts, [], newest["measured"] + 86_400 * days)[0] for days in range(30)])


OBSERVERS: dict[str, tuple[Callable[[], str], ...]] = {
    "minimum_effect": (statistics, cli_help, pages, settings, comparison, seed_methods, plan, pairs),
    "significance": (statistics, cli_help, pages, comparison, plan, noise),
    "commit_significance": (statistics, by_chance),
    "quiet_effect": (statistics, suspicion),
    "baseline_runs": (statistics, settings, comparison, seed_methods),
    "hidden_effect": (statistics, noisy),
    "one_go_minutes": (statistics, settings, spaced),
    "level_runs": (statistics, level),
    "level_most_runs": (statistics, pages, level),
    "detection_runs": (statistics, cli_help, reports, detection),
    "figure_samples": (statistics, figure),
    "figure_runs": (statistics, figure),
    "figure_noise": (statistics, figure),
    "change_effect": (statistics, cli_help, large),
    "provisional_runs": (statistics, cli_help, provisional),
    "same_change_runs": (statistics, same_change),
    "false_discovery_rate": (statistics, cli_help, scan),
    "recent_commits": (statistics, stale),
    "noise_effect": (statistics, cli_help, pages, settings, noise),
    "noise_runs": (statistics, noise),
    "pair_most_needed": (needed_rounds,),
    "movement_effect": (statistics, scan),
    "whole_run_share": (statistics, causes),
    "control_share": (statistics, causes),
    "cause_benchmarks": (statistics, causes),
    "leftover_samples": (leftover,),
    "same_setup_failures": (failed_setups,),
    "sha_length": (settings, reports),
    "factor_effect": (settings, large_change),
    "digest_length": (paths,),
    "nearest_names": (nearest,),
    "comment_rows": (many_regressions,),
    "message_commits": (message,),
    "message_benchmarks": (message,),
    "message_findings": (cli_help,),
    "message_seconds": (cli_help,),
    "claim_minutes": (cli_help,),
    "badge_days": (badges,),
    "site_pull_requests": (pulls,),
    "error_length": (failed_benchmark,),
    "chart_rows": (notebook_chart,),
    "log_lines": (failed_command,),
    "unpacked_mebibytes": (unpacked,),
    "progress_mebibytes": (undrawn,),
    "input_seconds": (cli_help,),
    "server_seconds": (cli_help,),
    "metadata_length": (cut_metadata,),
    "tag_length": (cut_tag,),
    "formula_length": (long_formula,),
}
"""What has to follow each rule, besides the table of thresholds in docs/statistics.md."""


def changed(value: Any) -> Any:
    """Another value of a rule: a share doubled, a count two larger."""
    return value * 2 if isinstance(value, float) else value + 2


def observed(rule: str | None, observers: tuple[Callable[[], str], ...]) -> list[str]:
    """The texts that some observers see, with one rule changed or with none."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {"bench_db", "tests"}]:
        if name not in BELOW:
            sys.modules.pop(name)
    docs.cache_clear()
    statistics_page.cache_clear()
    import bench_db.rules

    assert not any(hasattr(sys.modules[name], "RULES") for name in BELOW & sys.modules.keys())
    if rule is not None:
        rules = bench_db.rules.RULES
        other: dict[str, Any] = {rule: changed(getattr(rules, rule))}
        bench_db.rules.RULES = replace(rules, **other)
    return [observer() for observer in observers]


def unseen() -> Iterator[tuple[str, str]]:
    """Every rule with each observer that did not follow it."""
    every = tuple(dict.fromkeys((thresholds, *(one for some in OBSERVERS.values() for one in some))))
    before = dict(zip(every, observed(None, every), strict=True))
    import bench_db.rules

    for rule in [field.name for field in fields(bench_db.rules.Rules)]:
        observers = (thresholds, *OBSERVERS.get(rule, ()))
        if len(observers) == 1:
            yield rule, "no observer is declared"
        for observer, text in zip(observers, observed(rule, observers), strict=True):
            if text == before[observer]:
                yield rule, observer.__name__


if __name__ == "__main__":
    sys.stdout.write(json.dumps(list(unseen())))
