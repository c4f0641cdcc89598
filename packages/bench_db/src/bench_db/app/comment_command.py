"""From a comment to an order: whom to obey, what to measure, what to answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench_db.ci import bot
from bench_db.errors import UserError
from bench_db.rules import RULES

if TYPE_CHECKING:
    from bench_db.ci.github.repository import Repository
    from bench_db.schedule.config import Config

_SHA = re.compile(r"[0-9a-f]{40}")


class Payload(msgspec.Struct, frozen=True):
    """What the event says of a comment."""

    comment_body: str
    comment_user: str
    pr_number: int
    pr_head_sha: str
    repository: str = ""


class Order(msgspec.Struct, frozen=True):
    """What to measure of a pull request; the keys are those of command.json."""

    commit_sha: str
    pr_number: int
    pr_repo: str
    run_rust: bool = True
    run_python: bool = True
    crates: tuple[str, ...] = ()
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a comment leads to: an order, or an answer why not, or neither; `text` says it to people."""

    text: str
    payload: Payload
    order: Order | None = None
    answer: str = ""
    summary: str = ""


def payload_of(text: str, config: Config) -> Payload:
    """The payload in a JSON text. `UserError` when it is not one, or of another repository than the configured one."""
    try:
        found = msgspec.json.decode(text, type=Payload, strict=False)
    except msgspec.MsgspecError as error:
        message = f"--payload-json is not the payload of a comment: {error}"
        raise UserError(message) from error
    ours = config.project.repository
    if found.repository and ours and found.repository.lower() != ours.lower():
        message = f"the comment is of {found.repository}, and bench-db.toml is about {ours}"
        raise UserError(message)
    if not _SHA.fullmatch(found.pr_head_sha):
        message = f"pr_head_sha {found.pr_head_sha[:50]!r} is not a full commit id"
        raise UserError(message)
    return msgspec.structs.replace(found, repository=found.repository or ours)


def decide(payload: Payload, config: Config, repository: Repository) -> Decision:
    """What the comment leads to. GitHub is asked only when the comment is a command."""
    asked = bot.understand(payload.comment_body, tuple(_crates(config)))
    if isinstance(asked, bot.Request) and not _has_any(asked, config):
        asked = bot.Refusal(reason=f"{asked.summary} was asked for, and there is no such suite here")
    if asked is None:
        return Decision(text="Not a benchmark command", payload=payload)
    permission = repository.permission(payload.comment_user)
    author = repository.pull_request(payload.pr_number).user
    login = author.login if author else None
    if not bot.is_authorised(permission.permission, permission.role_name, payload.comment_user, login):
        return Decision(text=f"{payload.comment_user} may not start benchmarks here", payload=payload)
    if isinstance(asked, bot.Refusal):
        return Decision(text=asked.reason, payload=payload, answer=asked.answer)
    order = Order(
        commit_sha=payload.pr_head_sha,
        pr_number=payload.pr_number,
        pr_repo=payload.repository,
        run_rust=asked.rust,
        run_python=asked.python,
        crates=tuple(_crates(config).get(name, name) for name in asked.crates),
        user=payload.comment_user,
    )
    text = f"Benchmark {asked.summary} at {order.commit_sha[: RULES.sha_length]}"
    return Decision(text=text, payload=payload, order=order, summary=asked.summary)


def _has_any(asked: bot.Request, config: Config) -> bool:
    """Whether a suite of a kind that is asked for is configured; without a configuration nobody knows."""
    kinds = {suite.kind == "rust" for suite in config.suite.values()}
    return not kinds or (asked.rust and True in kinds) or (asked.python and False in kinds)


def _crates(config: Config) -> dict[str, str]:
    """Suites of Rust crates by the last part of their names."""
    return {name.rpartition("/")[2]: name for name, suite in config.suite.items() if suite.kind == "rust"}


def outputs(decided: Decision) -> dict[str, str]:
    """The outputs of the step."""
    if decided.order is None:
        refused = {"pr_number": str(decided.payload.pr_number), "pr_repo": decided.payload.repository}
        return {"should_run": "false", "answer": decided.answer, **(refused if decided.answer else {})}
    order = decided.order
    return {
        "should_run": "true",
        "answer": "",
        "pr_number": str(order.pr_number),
        "pr_repo": order.pr_repo,
        "commit_sha": order.commit_sha,
        "user": order.user,
        "config_summary": decided.summary,
        "config": json.dumps(msgspec.to_builtins(order)),
    }


def order_of(file: str | None, pr_number: int | None, sha: str | None, pr_repo: str | None, config: Config) -> Order:
    """The order in a file, or the one that flags make."""
    if file is not None:
        try:
            order = msgspec.json.decode(Path(file).read_bytes(), type=Order)
        except msgspec.MsgspecError as error:
            message = f"{file}: not a command that process-comment wrote: {error}"
            raise UserError(message) from error
    elif pr_number is None or sha is None:
        message = "give --command-file, or --pr and --sha"
        raise UserError(message)
    else:
        order = Order(commit_sha=sha, pr_number=pr_number, pr_repo=pr_repo or config.project.repository)
    if not _SHA.fullmatch(order.commit_sha):
        message = f"{order.commit_sha[:50]!r} is not a full commit id"
        raise UserError(message)
    return order


def inputs(order: Order) -> dict[str, str]:
    """The inputs of the workflow run-benchmarks."""
    return {
        "git_sha": order.commit_sha,
        "pr_number": str(order.pr_number),
        "pr_repo": order.pr_repo,
        "run_rust": str(order.run_rust).lower(),
        "run_python": str(order.run_python).lower(),
        "rust_crates": ",".join(order.crates),
    }


def correlation(order: Order, at: int) -> str:
    """The correlation id of an order carried out at a time."""
    return sha256(json.dumps([msgspec.to_builtins(order), at]).encode()).hexdigest()[:16]
