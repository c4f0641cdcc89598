"""The JSON schema of every answer, made from the records that the answer holds."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from bench_db.app.formats import KnownFormat
from bench_db.app.frontier import Axis, Target
from bench_db.app.gate import Mode
from bench_db.app.mirror import Mirrored, MirroredTable
from bench_db.app.notify import Delivery
from bench_db.app.pairs import Ended
from bench_db.app.run_difference import Fact
from bench_db.app.runs import SHOWN
from bench_db.app.schedule import Dispatched
from bench_db.app.sources import Evidence
from bench_db.app.suites import NamedSuite
from bench_db.app.tree import Written
from bench_db.ci.forge import Conclusion
from bench_db.model import (
    Artifact,
    Attempt,
    Baseline,
    Blame,
    Check,
    Commit,
    CommitFindings,
    Comparison,
    Confirmation,
    Definition,
    Export,
    Finding,
    LastScan,
    LeftOut,
    Look,
    Maintenance,
    MeanChange,
    Moved,
    Movement,
    Noise,
    PairComparison,
    PairRun,
    PassedOver,
    Presence,
    PublishedFile,
    Put,
    Recomputed,
    RecordedCommit,
    Restored,
    Result,
    Run,
    ScanRecord,
    Series,
    Step,
    StoreChange,
    StoreInfo,
    SummaryValues,
    Sync,
    UnreadableFile,
    Upgrade,
    Verification,
)
from bench_db.query.definitions import ANNOTATION, KINDS
from bench_db.query.series import IDENTITY, POINT
from bench_db.report.document import DOCUMENT_VERSION, OLD_NAMES
from bench_db.units import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Schema = dict[str, Any]
_KEY: Schema = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_BOOLEAN: Schema = {"type": "boolean"}
_VERSION: Schema = {"const": DOCUMENT_VERSION}


def schemas() -> dict[str, Schema]:
    """Return the schema of each verb's JSON by the name of the verb, spaces written as `-`."""
    return {
        name: {"$schema": "https://json-schema.org/draft/2020-12/schema", **make()} for name, make in _SCHEMAS.items()
    }


def _object(properties: Mapping[str, Schema], optional: Iterable[str] = ()) -> Schema:
    required = sorted(set(properties) - set(optional))
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}


def _answer(properties: Mapping[str, Schema], optional: Iterable[str] = ()) -> Schema:
    return _object({**properties, "schema_version": _VERSION}, optional)


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _type(hint: object) -> Schema:
    """Return the schema of a type, with the definitions that it refers to written in place."""
    (schema,), parts = msgspec.json.schema_components([hint], ref_template="{name}")

    def resolved(part: object) -> Any:
        if isinstance(part, list):
            return [resolved(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return resolved(parts[part["$ref"]])
        return {
            name: resolved(value) for name, value in part.items() if name not in {"title", "description", "default"}
        }

    found: Schema = resolved(schema)
    return found


def _record(record: type, *without: str) -> dict[str, Schema]:
    hints = get_type_hints(record)
    return {f.name: _type(hints[f.name]) for f in fields(record) if f.name not in without}


def _old(properties: dict[str, Schema]) -> dict[str, Schema]:
    """Add the deprecated names of earlier releases."""
    old = {old: {**properties[new], "deprecated": True} for old, new in OLD_NAMES.items() if new in properties}
    return {**old, **properties}


def _series() -> dict[str, Schema]:
    return {"series": _TEXT, **_record(Series), "series_key": _KEY}


def _rows(*computed: str, points: bool = True, optional: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of rows of a frame, which are objects with the version of the schema in each."""
    number = _type(float | None)
    types = {**_record(Result, "values", "tags", "iterations", "dut", "test_bed", "throughput", "summary")}
    types |= dict.fromkeys(_record(SummaryValues), number)
    types |= {"dut_version": _type(str | None), "dut_timestamp": _type(int | None), "run_key": _KEY} | _record(Series)
    names = [
        *IDENTITY,
        *(POINT if points else ("commit", "dut_version", "dut_timestamp", "n", *_record(SummaryValues))),
    ]
    row = {name: types[name] for name in names if name not in {"timestamp", "tags_key", "dut_timestamp"}}
    row |= {"commit_time": types["dut_timestamp"], "series_key": _KEY, "tags": _type(dict[str, str])}
    row |= {name: {"stale": _BOOLEAN, "index": _COUNT}.get(name, number) for name in computed}
    further = optional or {}
    return _list(_object({**further, **_old(row), "schema_version": _VERSION}, further))


def _comparisons() -> dict[str, Schema]:
    one = _old({**_series(), **_record(Comparison, "series")})
    counts = {"of_machine": _COUNT, "too_noisy": _COUNT}
    numbers = {"counts": _type(dict[str, int]), **counts, "blame": _list(_object(_record(Blame)))}
    numbers["threshold_faults"] = _list(_TEXT)
    return {"comparisons": _list(_object(one)), **numbers}


def _compared() -> dict[str, Schema]:
    about = {"history": _TEXT, "candidate": _TEXT, "baseline": _TEXT, "baseline_commits": _list(_TEXT), "method": _TEXT}
    return {**about, **_comparisons()}


def _confirmed() -> Schema:
    return {"anyOf": [_object(_outcomes()), _type(None)]}


def _outcomes() -> dict[str, Schema]:
    one = _list(_object(_old({**_series(), **_record(Confirmation, "series")})))
    about = {"mode": _type(Mode), "base": _TEXT, "head": _TEXT, "rounds": _COUNT, "seconds": _type(float)}
    return {**about, "counts": _type(dict[str, int]), "confirmations": one}


def _check() -> Schema:
    outcome = {"passed": _BOOLEAN, "threshold": _type(float | None), "moved": _BOOLEAN, "failing": _list(_KEY)}
    return _answer({**outcome, "confirmed": _confirmed(), **_compared()})


def _means() -> dict[str, Schema]:
    return {**_compared(), "means": _list(_object(_record(MeanChange)))}


def _finding() -> Schema:
    """Return the schema of a finding; one whose series is gone has no more of it than the key."""
    own = {**_record(Finding, "key", "series_key", "replaces"), "withdrawn": _BOOLEAN}
    properties = _old({**_series(), **own})
    optional = {name for name in _old(_series()) if name not in {"series", "series_key"}}
    return _object(properties, optional)


def _baseline() -> dict[str, Schema]:
    return _old({**_record(Baseline, "key", "replaces"), "test_bed_name": _type(str | None)})


def _artifact() -> dict[str, Schema]:
    return {**_record(Artifact, "key"), "run_key": {"anyOf": [_KEY, {"type": "null"}]}}


def _published() -> Schema:
    counts = dict.fromkeys(("new", "failed", "unchanged"), _COUNT)
    files = {"published": _list(_object(_record(PublishedFile))), "unreadable": _list(_object(_record(UnreadableFile)))}
    return _answer({**files, "passed_over": _list(_TEXT), **counts})


def _listed_store() -> dict[str, Schema]:
    """Return the properties of a store of a collection; the numbers of one that cannot be read are null."""
    numbers = dict.fromkeys(("runs", "results", "published_at"), _type(int | None))
    return {"store": _TEXT, "address": _TEXT, **numbers, "error": _type(str | None)}


def _copied() -> Schema:
    """Return the schema of the copy of a store, or of every store of a collection."""
    one = _transfer()["properties"]
    store = {"store": _TEXT, **{name: one[name] for name in one if name not in {"source", "target", "schema_version"}}}
    return {"anyOf": [_transfer(), _answer({"source": _TEXT, "target": _TEXT, "stores": _list(_object(store))})]}


def _transfer() -> Schema:
    tables = {"type": "object", "additionalProperties": _object(_record(Moved))}
    about = {"source": _TEXT, "target": _TEXT, "tables": tables, "files": _COUNT}
    told = {"replaced": _list(_KEY), "differing": _list(_KEY), "missing": _list(_TEXT)}
    return _answer({**about, **told, "passed_over": _list(_object(_record(PassedOver)))})


def _demo() -> Schema:
    counts = _object(dict.fromkeys(("runs", "new", "unchanged", "findings"), _COUNT))
    return _answer({"paths": _object({"store": _TEXT, "site": _TEXT}), "counts": counts, "findings": _list(_TEXT)})


def _plan() -> dict[str, Schema]:
    step = {
        "commit": _TEXT,
        "time": _record(Commit)["time"],
        "subject": _TEXT,
        "suites": _list(_TEXT),
        "reason": _record(Step)["reason"],
        "explanation": _TEXT,
        "attempt": _record(Step)["attempt"],
    }
    left_out = {"commit": _TEXT, "reason": _record(LeftOut)["reason"]}
    return {"steps": _list(_object(step)), "left_out": _list(_object(left_out)), "incomplete": _list(_TEXT)}


def _backfill() -> Schema:
    attempt = {name: _record(Attempt)[name] for name in ("commit", "suites", "state", "detail", "kept", "url")}
    return _answer({**_plan(), "ended": _list(_object(attempt)), "stopped": _TEXT})


def _bisect() -> Schema:
    suspect = dict.fromkeys(("commit", "subject"), _TEXT)
    look = {**_record(Look), "commit": _TEXT}
    return _answer({"commit": _type(str | None), "suspects": _list(_object(suspect)), "looks": _list(_object(look))})


def _pairs() -> dict[str, Schema]:
    one = _list(_object(_old({**_series(), **_record(PairComparison, "series")})))
    stored = {"anyOf": [_list(_object(_record(PairRun))), _type(None)]}
    about = {
        "pair_id": _TEXT,
        "base": _TEXT,
        "head": _TEXT,
        "seed": _type(int),
        "rounds": _COUNT,
        "seconds": _type(float),
    }
    ended = {"ended": _type(Ended), "min_effect": _type(float)}
    listed = {"comparisons": one, "control": one, "counts": _type(dict[str, int]), "published": stored}
    return {**about, **ended, **listed}


def _ci() -> Schema:
    about = {
        "verdict": _type(Conclusion),
        "title": _TEXT,
        "passed": _BOOLEAN,
        "candidate": _TEXT,
        "baseline": _type(str | None),
    }
    lists = {"failing": _list(_KEY), "alarms": _list(_finding()), "notes": _list(_TEXT)}
    again = {"confirmed": _confirmed(), "pairs": {"anyOf": [_object(_pairs()), _type(None)]}}
    return _answer({**about, **again, **lists, "new": _COUNT, "counts": _type(dict[str, int]), "comment_url": _TEXT})


def _init() -> Schema:
    evidence = _object(_record(Evidence))
    suite = {**dict.fromkeys(("name", "tool", "note", "assumed", "format"), _TEXT), "evidence": _list(evidence)}
    unread = {**dict.fromkeys(("tool", "reason"), _TEXT), "evidence": evidence}
    suites = {"suites": _list(_object(suite)), "left_out": _list(_object(suite)), "unread": _list(_object(unread))}
    lists = dict.fromkeys(("steps", "notes", "assumed"), _list(_TEXT))
    return _answer({"root": _TEXT, "files": _type(dict[str, str]), **suites, **lists, "dry_run": _BOOLEAN})


def _suites() -> Schema:
    return _list(_object({**_record(NamedSuite), "schema_version": _VERSION}))


def _decision() -> Schema:
    """Return the schema of a decided comment: a refusal names the pull request, an order also what is measured."""
    decided = {"should_run": {"enum": ["true", "false"]}, "answer": _TEXT, "schema_version": _VERSION}
    more = dict.fromkeys(("pr_number", "pr_repo", "commit_sha", "user", "config_summary", "config"), _TEXT)
    return _object({**decided, **more}, optional=more)


_UNMAPPED = {
    **dict.fromkeys(("field", "name", "dut_name"), _TEXT),
    "results": _COUNT,
    "last_seen": _type(int | None),
}


def _definitions() -> Schema:
    shown = _record(Definition, "key", "lifted", "replaces")
    faults = dict.fromkeys(("threshold_faults", "metric_faults"), _list(_TEXT))
    return _answer({"definitions": _list(_object(shown)), "changed": _COUNT, **faults})


def _runs() -> Schema:
    own = {"run": _KEY, "excluded": _type(str | None), "run_time": _type(str | None), "published_at": _type(str | None)}
    shown = ("dut_name", "dut_version", "test_bed_name")
    of_run = _record(Run)
    names = [name for name in SHOWN if name not in {*shown, *own, "run_key", "ingested_at"}]
    rows = {**dict.fromkeys(shown, _TEXT), **{name: of_run[name] for name in names}, **own}
    return _answer({"runs": _list(_object(rows)), "changed": _BOOLEAN})


def _removed_runs() -> Schema:
    own = {**_runs()["properties"], "artifacts": _list(_object(_artifact()))}
    return _answer(own, optional=("artifacts",))


def _formats() -> Schema:
    columns = {**dict.fromkeys(("benchmark_name", "suite", "metric", "units"), _TEXT), "n": _COUNT}
    columns |= {"direction": _type(Direction), **dict.fromkeys(("error", "commit"), _type(str | None))}
    rows = {**columns, "values": _type(list[float]), "tags": _type(dict[str, str])}
    lists = {"formats": _list(_object(_record(KnownFormat))), "results": _list(_object(rows)), "notes": _list(_TEXT)}
    return _answer({**lists, "skipped": _type(dict[str, int])})


def _frontier() -> Schema:
    axis, group = _object(_record(Axis)), {"group": _type(dict[str, str | None])}
    texts = dict.fromkeys(("dut_name", "test_bed_name", "suite", "benchmark_name"), _TEXT)
    build = {"commit": _type(str | None), "dut_version": _type(str | None), "commit_time": _type(int | None)}
    place = {"x": _type(float), "y": _type(float), "on_front": _BOOLEAN, "tags": _type(dict[str, str])}
    lists = {
        "points": _list(_object({**group, **texts, **build, **place})),
        "values": _list(_object({**group, "value": _type(float | None)})),
    }
    at = {"anyOf": [_object(_record(Target)), {"type": "null"}]}
    about = {"history": _TEXT, "x": axis, "y": axis, "by": _list(_TEXT), "at": at}
    return _answer({**about, **lists, "left_out": _type(dict[str, int]), "notes": _list(_TEXT)})


def _availability() -> Schema:
    day = _object({"day": _TEXT, "results": _COUNT, "failed": _COUNT})
    rows = {**dict.fromkeys(("dut_name", "test_bed_name", "suite"), _TEXT), "days": _list(day)}
    ends = dict.fromkeys(("first", "last"), _type(str | None))
    return _answer({"history": _TEXT, **ends, "rows": _list(_object(rows))})


def _ranks() -> Schema:
    texts = dict.fromkeys(
        ("dut_name", "test_bed_name", "suite", "benchmark_name", "metric", "units", "state", "value"), _TEXT
    )
    numbers = {"median": _type(float | None), "rank": _type(int | None), "behind": _type(float | None)}
    direction, number = {"direction": _type(Direction)}, _type(float | None)
    places = {**texts, **numbers, **direction, "other_tags": _type(dict[str, str])}
    counts = dict.fromkeys(("ranked", "first", "missing", "failed", "common"), _COUNT)
    of_metric = {**dict.fromkeys(("metric", "units", "value"), _TEXT), **direction}
    lists = {
        "places": _list(_object(places)),
        "values": _list(_object({"value": _TEXT, **counts, "mean_rank": number, "score": number})),
        "means": _list(_object({**of_metric, "common": _COUNT, "geometric_mean": number})),
    }
    return _answer({"history": _TEXT, "tag": _TEXT, "without": _COUNT, **lists})


def _mirror() -> Schema:
    tables = {"type": "object", "additionalProperties": _object(_record(MirroredTable))}
    return _answer({**_record(Mirrored), "tables": tables, "equal": _BOOLEAN})


def _show() -> Schema:
    about = {"history": _TEXT, "commit": _TEXT, "before": _type(str | None), "commits_since": _type(int | None)}
    since = {"commit": _TEXT, "time": _record(Commit)["time"], "subject": _TEXT}
    bisect = dict.fromkeys(("suite", "benchmark_name", "metric", "command"), _TEXT)
    return _answer(
        {
            **about,
            "difference_url": _TEXT,
            "recorded": _list(_object(_record(RecordedCommit, "key", "source", "replaces"))),
            "since": _list(_object(since)),
            "findings": _list(_finding()),
            "scans": _SCANS,
            "bisect": _list(_object(bisect)),
            **_comparisons(),
        }
    )


_SCANS = _list(
    _object({**_record(LastScan, "scan"), "scan": {"anyOf": [{"type": "null"}, _object(_record(ScanRecord, "key"))]}})
)
_GROUPS = {"groups": _list(_object(_record(CommitFindings)))}


def _scan() -> Schema:
    numbers = {"tested": _COUNT, "too_short": _COUNT, "expected_false": _type(float), "of_machine": _COUNT}
    movements = _list(_object(_record(Movement, "run")))
    texts = {"thresholds": _type(dict[str, str]), "threshold_faults": _list(_TEXT)}
    texts |= {"confirmed": _list(_TEXT), "withdrawn": _list(_TEXT)}
    about = {"history": _TEXT, "stored": _BOOLEAN, **texts}
    return _answer({**about, "findings": _list(_finding()), **_GROUPS, **numbers, "movements": movements})


def _notified() -> Schema:
    return _answer({"receivers": _list(_object(_record(Delivery))), "passed": _BOOLEAN, "dry_run": _BOOLEAN})


_SCHEMAS: dict[str, Callable[[], Schema]] = {
    "annotate": _definitions,
    "artifact-get": lambda: _answer({**_artifact(), "path": _TEXT}),
    "artifact-list": lambda: _answer({"artifacts": _list(_object(_artifact()))}),
    "artifact-put": lambda: _answer(
        {"artifacts": _list(_object({**_artifact(), "new": _record(Put)["new"]})), "new": _COUNT, "unchanged": _COUNT}
    ),
    "backfill": _backfill,
    "baseline-clear": lambda: _answer(_baseline()),
    "baseline-list": lambda: _answer({"baselines": _list(_object(_baseline()))}),
    "baseline-set": lambda: _answer(_baseline()),
    "baseline-show": lambda: {"anyOf": [_answer(_baseline()), _answer({"baselines": _list(_object(_baseline()))})]},
    "bisect": _bisect,
    "check": _check,
    "ci": _ci,
    "commits-list": lambda: _answer({"commits": _list(_object(_record(RecordedCommit, "key", "source", "replaces")))}),
    "commits-show": lambda: _answer(
        {
            "commits": _list(_object(_record(RecordedCommit, "key", "source", "replaces"))),
            "runs": _runs()["properties"]["runs"],
        }
    ),
    "commits-sync": lambda: _answer(_record(Sync)),
    "compare": lambda: _answer(_means()),
    "define-list": _definitions,
    "define-unmapped": lambda: _answer({"unmapped": _list(_object(_UNMAPPED))}),
    **{f"define-{kind}": _definitions for kind in (*KINDS, "end", "sync") if kind != ANNOTATION},
    "demo": _demo,
    "detect": lambda: _answer({"history": _TEXT, "findings": _list(_finding())}),
    "doctor": lambda: _answer({"healthy": _BOOLEAN, "checks": _list(_object(_record(Check)))}),
    "finding-bless": lambda: _answer({"id": _TEXT, "state": _record(Finding)["state"]}),
    "finding-list": lambda: _answer({"findings": _list(_finding()), **_GROUPS, "scans": _SCANS}),
    "finding-publish": _notified,
    "formats": _formats,
    "frontier": _frontier,
    "has": lambda: _answer(_record(Presence)),
    "init": _init,
    "latest": lambda: {"anyOf": [_rows("stale", optional={"store": _TEXT}), _ranks()]},
    "mirror": _mirror,
    "noise": lambda: _answer(
        {"history": _TEXT, "noise": _list(_object(_old({**_series(), **_record(Noise, "series")})))}
    ),
    "notify": _notified,
    "pairs": lambda: _answer(_pairs()),
    "pr-check": lambda: _answer({"id": _type(int), "url": _TEXT}),
    "pr-comment": lambda: _answer({"id": _type(int), "url": _TEXT}),
    "pr-compare": lambda: _answer({**_comparisons(), "confirmed": _confirmed(), "merge_base": _type(str | None)}),
    "pr-confirm": lambda: _answer(_outcomes()),
    "pr-dispatch": lambda: _answer({"run_id": _type(int | None), "url": _TEXT, "inputs": _type(dict[str, str])}),
    "pr-merge": lambda: _answer({"stores": _COUNT, "rows": _COUNT, "new": _COUNT}),
    "pr-process-comment": _decision,
    "publish": _published,
    "query": lambda: _list({"type": "object"}),
    "run-diff": lambda: _answer({"a": _TEXT, "b": _TEXT, "facts": _list(_object(_record(Fact)))}),
    "run-exclude": _runs,
    "run-include": _runs,
    "run-list": _runs,
    "run-remove": _removed_runs,
    "run-show": lambda: {"type": "object", "required": ["run", "excluded", "schema_version"]},
    "scan": _scan,
    "schedule": lambda: _answer({**_plan(), "started": _list(_object(_record(Dispatched)))}),
    "show": _show,
    "site": lambda: _answer({"path": _TEXT, **_record(Written)}),
    "store-copy": _copied,
    "store-export": lambda: _answer({"directory": _TEXT, **_record(Export)}),
    "store-import": _transfer,
    "store-availability": _availability,
    "store-info": lambda: _answer({**_record(StoreInfo), "scans": _SCANS}),
    "store-init": lambda: _answer({"store": _TEXT}),
    "store-list": lambda: _answer({"collection": _TEXT, "stores": _list(_object(_listed_store()))}),
    "store-migrate": lambda: _answer({"dry_run": _BOOLEAN, "steps": _list(_object(_record(StoreChange)))}),
    "store-optimize": lambda: _answer(_record(Maintenance)),
    "store-recompute": lambda: _answer(_record(Recomputed)),
    "store-restore": lambda: _answer(_record(Restored)),
    "store-tag": lambda: _answer({"tag": _TEXT, "version": _COUNT}),
    "store-upgrade": lambda: _answer(_record(Upgrade)),
    "store-verify": lambda: _answer({**_record(Verification), "sound": _BOOLEAN, "repaired": _list(_TEXT)}),
    "suites": _suites,
    "summary": lambda: _rows("spread", points=False),
    "trend": lambda: _rows("index", "change", "change_since_first", optional={"pr_number": _type(int | None)}),
}
