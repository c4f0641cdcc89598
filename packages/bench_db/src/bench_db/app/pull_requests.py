"""The use cases of the conversation on a pull request: process a comment, start a run, comment, set a check."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import msgspec

from bench_db.app.configuration import configuration
from bench_db.app.planning import workflow_of
from bench_db.ci import bot
from bench_db.ci import forge as forges
from bench_db.ci.environment import ci_provenance
from bench_db.ci.forge import CommentKind, Conclusion, Posted, Started
from bench_db.clock import Clock
from bench_db.errors import UserError
from bench_db.model import Order
from bench_db.rules import RULES
from bench_db.schedule.inputs import of_order

if TYPE_CHECKING:
    from bench_db.app.parameters import Dispatching
    from bench_db.ci.forge import Forge
    from bench_db.schedule.config import Config

_SHA = re.compile(r"[0-9a-f]{40}")


class _Payload(msgspec.Struct, frozen=True):
    """The payload of the event of a comment."""

    comment_body: str
    comment_user: str
    pr_number: int
    pr_head_sha: str
    repository: str = ""


# -- comments that ask for something -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a comment leads to: an order, or an answer that refuses, or neither; `text` says which.

    `outputs` are those of the step of a workflow, `document` is the content of command.json, without an order null.
    """

    text: str
    order: Order | None
    outputs: Mapping[str, str]
    document: Mapping[str, object] | None


def process_comment(
    payload_json: str,
    *,
    config_file: str | None = None,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    forge: Forge | None = None,
) -> Decision:
    """Decide what the comment in a JSON payload leads to. The forge is asked only when the comment is a command.

    Only users who may write, and the author of the pull request, are obeyed. Raises `UserError` when the text is no payload,
    or is of another repository than the configured one.
    """
    config = configuration_in_ci(config_file, environment)
    payload = _payload(payload_json, config)
    commands = bot.Commands(
        kinds=config.schedule.kinds, names={kind: tuple(_named(config, kind)) for kind in config.schedule.kinds}
    )
    asked = bot.understand(payload.comment_body, commands)
    if isinstance(asked, bot.Request) and not _has_any(asked, config):
        asked = commands.refusal(f"{commands.summary(asked)} was asked for, and there is no such suite here")
    with forge or forges.connect(config.project.forge, environment, clock) as there:
        if asked is None:
            return _nothing("Not a benchmark command")
        if not there.may_start(payload.repository, payload.pr_number, payload.comment_user):
            return _nothing(f"{payload.comment_user} may not start benchmarks here")
    if isinstance(asked, bot.Refusal):
        refused = {"pr_number": str(payload.pr_number), "pr_repo": payload.repository}
        outputs = {"should_run": "false", "answer": asked.answer, **refused}
        return Decision(text=asked.reason, order=None, outputs=outputs, document=None)
    return _ordered(asked, payload, config, commands.summary(asked))


def _nothing(text: str) -> Decision:
    return Decision(text=text, order=None, outputs={"should_run": "false", "answer": ""}, document=None)


def _ordered(asked: bot.Request, payload: _Payload, config: Config, summary: str) -> Decision:
    full = {short: name for kind in asked.kinds for short, name in _named(config, kind).items()}
    order = Order(
        commit_sha=payload.pr_head_sha,
        pr_number=payload.pr_number,
        pr_repo=payload.repository,
        kinds=asked.kinds,
        suites=tuple(full.get(name, name) for name in asked.suites),
        user=payload.comment_user,
    )
    document = order_document(order, config)
    outputs = {
        "should_run": "true",
        "answer": "",
        "pr_number": str(order.pr_number),
        "pr_repo": order.pr_repo,
        "commit_sha": order.commit_sha,
        "user": order.user,
        "config_summary": summary,
        "config": json.dumps(document),
    }
    text = f"Benchmark {summary} at {order.commit_sha[: RULES.sha_length]}"
    return Decision(text=text, order=order, outputs=outputs, document=document)


def _payload(text: str, config: Config) -> _Payload:
    try:
        found = msgspec.json.decode(text, type=_Payload, strict=False)
    except msgspec.MsgspecError as error:
        message = f"`payload_json` is not the payload of a comment: {error}"
        raise UserError(message) from error
    ours = config.project.repository
    if found.repository and ours and found.repository.lower() != ours.lower():
        message = f"the comment is of {found.repository}, and bench-db.toml is about {ours}"
        raise UserError(message)
    if not _SHA.fullmatch(found.pr_head_sha):
        message = f"pr_head_sha {found.pr_head_sha[:50]!r} is not a full commit id"
        raise UserError(message)
    return msgspec.structs.replace(found, repository=found.repository or ours)


def _has_any(asked: bot.Request, config: Config) -> bool:
    """Return whether a suite of a kind that is asked for is configured; true without any suites, which are then unknown."""
    there = {config.kind_of(name) for name in config.suite}
    return not there or not asked.kinds or bool(there.intersection(asked.kinds))


def _named(config: Config, kind: str) -> dict[str, str]:
    """Return the suites of a kind that has a flag for them, by the last part of their names."""
    if not config.schedule.kinds[kind].suite_flag:
        return {}
    return {name.rpartition("/")[2]: name for name in config.suites_of(kind)}


def order_document(order: Order, config: Config) -> dict[str, object]:
    """Return an order as command.json has it: `crates` is the name that lance-bench gave the suites."""
    runs = {f"run_{kind}": not order.kinds or kind in order.kinds for kind in config.schedule.kinds}
    return {
        "commit_sha": order.commit_sha,
        "pr_number": order.pr_number,
        "pr_repo": order.pr_repo,
        **runs,
        "crates": list(order.suites),
        "user": order.user,
    }


class _OrderFile(msgspec.Struct, frozen=True):
    commit_sha: str
    pr_number: int
    pr_repo: str
    crates: tuple[str, ...] = ()
    user: str = ""


# -- a run -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStarted:
    """The run that measures a pull request, and its inputs."""

    run: Started
    inputs: Mapping[str, str]


def dispatch(
    *,
    command_file: str | None = None,
    pr_number: int | None = None,
    sha: str | None = None,
    pr_repo: str | None = None,
    config_file: str | None = None,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    forge: Forge | None = None,
    **where: Unpack[Dispatching],
) -> OrderStarted:
    """Start the workflow that measures a pull request, by the file that `process_comment` led to, or by its number and sha."""
    config = configuration_in_ci(config_file, environment)
    order = _order(command_file, pr_number, sha, pr_repo, config)
    inputs = of_order(order, config.schedule.kinds)
    with forge or forges.connect(config.project.forge, environment, clock) as there:
        at = int(clock.now())
        text = json.dumps([order_document(order, config), at])
        correlation = sha256(text.encode()).hexdigest()[:16]
        run = there.dispatch(workflow_of(where, config, environment), inputs, correlation)
    return OrderStarted(run=run, inputs=inputs)


def _order(file: str | None, pr_number: int | None, sha: str | None, pr_repo: str | None, config: Config) -> Order:
    if file is not None:
        order = _order_in(Path(file), config)
    elif pr_number is None or sha is None:
        message = "give `command_file`, or `pr_number` and `sha`"
        raise UserError(message)
    else:
        order = Order(commit_sha=sha, pr_number=pr_number, pr_repo=pr_repo or config.project.repository)
    if not _SHA.fullmatch(order.commit_sha):
        message = f"{order.commit_sha[:50]!r} is not a full commit id"
        raise UserError(message)
    return order


def _order_in(file: Path, config: Config) -> Order:
    content = file.read_bytes()
    try:
        found = msgspec.json.decode(content, type=_OrderFile)
        runs = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        wanted = {name: msgspec.json.decode(raw, type=bool) for name, raw in runs.items() if name.startswith("run_")}
    except msgspec.MsgspecError as error:
        message = f"{file}: not a command that process-comment wrote: {error}"
        raise UserError(message) from error
    kinds = tuple(kind for kind in config.schedule.kinds if wanted.get(f"run_{kind}", True))
    return Order(
        commit_sha=found.commit_sha,
        pr_number=found.pr_number,
        pr_repo=found.pr_repo,
        kinds=() if len(kinds) == len(config.schedule.kinds) else kinds,
        suites=found.crates,
        user=found.user,
    )


# -- answers -----------------------------------------------------------------------------------------------------------


def comment(
    pr_number: int,
    text: str,
    *,
    repository: str | None = None,
    kind: CommentKind | str = CommentKind.REPORT,
    update: bool = True,
    config_file: str | None = None,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    forge: Forge | None = None,
) -> Posted:
    """Write a comment to a pull request; with `update` in place of our earlier comment of the same kind."""
    project = configuration_in_ci(config_file, environment).project
    with forge or forges.connect(project.forge, environment, clock) as there:
        return there.comment(repository or project.repository, pr_number, text, CommentKind(kind), update=update)


def check(
    sha: str,
    *,
    conclusion: Conclusion | str,
    summary: str,
    repository: str | None = None,
    name: str = "benchmarks",
    title: str = "Benchmarks",
    as_status: bool = False,
    config_file: str | None = None,
    environment: Mapping[str, str],
    clock: Clock = Clock(),  # noqa: B008 frozen
    forge: Forge | None = None,
) -> Posted:
    """Put a verdict on a commit, in place of our earlier one of the same name; `as_status` without the summary."""
    project = configuration_in_ci(config_file, environment).project
    url = ci_provenance(environment).get("run_url")
    with forge or forges.connect(project.forge, environment, clock) as there:
        return there.check(
            repository or project.repository,
            sha,
            name,
            conclusion=Conclusion(conclusion),
            title=title,
            summary=summary,
            url=url,
            as_status=as_status,
        )


def configuration_in_ci(file: str | None, environment: Mapping[str, str]) -> Config:
    """Read the configuration; without a file, take the repository from the CI job."""
    return configuration(file, environment.get("GITHUB_REPOSITORY", ""))
