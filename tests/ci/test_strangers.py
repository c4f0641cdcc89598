"""What strangers can write, the configuration of a fork and a comment: a reading, or one line that refuses it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Self, cast

from hypothesis import given
from hypothesis import strategies as st

from bench_db.app.pull_requests import process_comment
from bench_db.app.suites import suites
from bench_db.ci.bot import Refusal, Request, understand
from bench_db.cli import output_file
from bench_db.errors import BenchDbError
from bench_db.schedule.config import parse
from tests.support.campaigns import examples

if TYPE_CHECKING:
    from pathlib import Path

    from bench_db.ci.forge import Forge

_CONFIG = b"""
[project]
name = "engine"
repository = "me/engine"

[backfill]
setup = "make"

[[suite]]
name = "quick"
command = ["python", "bench.py"]
results = "out/*.json"
kind = "python"
tags = { host = "ci" }

[schedule]
ref = "main"

[[notify]]
kind = "slack"
address_env = "HOOK"

[format.mine]
kind = "json"
rows = "results[*]"
benchmark = "{name}"
metrics = ["time"]
"""
_PIECES = [
    b"",
    b"\0",
    b"[",
    b"]]",
    b'"""',
    b"nan",
    b"-inf",
    b"9" * 400,
    b"1979-05-27T07:32:00Z",
    b"../../etc",
    b"$(id)",
    b"\xff",
    b"\n",
    b'"',
] + [word.encode() for word in ("[suite]", "[[suite]]", "{}", "[]", "true", "'{a.b[*]}'", "\u202e", "@bench-bot")]
_WORDS = [
    "@bench-bot",
    "benchmark",
    "--python-only",
    "--rust-only",
    "--suite",
    "--suite=x",
    "`",
    "```\n",
    "> ",
    "<!--",
    "-->",
    "\n",
    "\r\n",
    " ",
]
_COMMENTS = st.lists(st.sampled_from(_WORDS) | st.text(max_size=8), max_size=12).map(" ".join)


_PAYLOADS = st.fixed_dictionaries(
    {
        "comment_body": _COMMENTS,
        "comment_user": st.text(max_size=20),
        "pr_number": st.integers(),
        "pr_head_sha": st.just("a" * 40) | st.text(max_size=40),
        "repository": st.text(max_size=20),
    }
)


class _Permitting:
    """A forge on which everybody may start benchmarks."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def may_start(self, *_: object) -> bool:
        return True


def _outputs(content: str) -> dict[str, str]:
    """Read the file of outputs as a runner does."""
    lines, found = iter(content.split("\n")), {}
    for line in lines:
        if not line:
            continue
        name, _, delimiter = line.partition("<<")
        value = []
        while (part := next(lines)) != delimiter:
            value.append(part)
        found[name] = "\n".join(value)
    return found


class TestConfigurationOfAFork:
    """Any bytes are a configuration, or an error of one line."""

    @staticmethod
    def survives(directory: Path, content: bytes) -> None:
        file = directory / "bench-db.toml"
        file.write_bytes(content)
        for read in (lambda: parse(content, str(file)), lambda: suites(config_file=str(file))):
            try:
                read()
            except BenchDbError as error:
                assert "\n" not in str(error)  # noqa: PT017 most are refused, and some are not

    @given(st.binary(max_size=200))
    @examples("fuzz", 30, full=2000)
    def test_bytes(self, tmp_path: Path, content: bytes) -> None:
        self.survives(tmp_path, content)

    @given(st.integers(0, len(_CONFIG)), st.integers(0, 30), st.sampled_from(_PIECES))
    @examples("fuzz", 40, full=3000)
    def test_a_piece_replaced(self, tmp_path: Path, start: int, length: int, piece: bytes) -> None:
        self.survives(tmp_path, _CONFIG[:start] + piece + _CONFIG[start + length :])


class TestComments:
    """A comment is a request for configured kinds, an answer that mentions nobody, or nothing; no value leaves its output."""

    @given(_COMMENTS)
    @examples("fuzz", 60, full=5000)
    def test_any_text(self, body: str) -> None:
        asked = understand(body)
        if isinstance(asked, Request):
            assert all(re.fullmatch(r"[\w.-]+", name) for name in asked.suites)
        if isinstance(asked, Refusal):
            assert "@" not in asked.answer.replace("@bench-bot", "")

    @given(_PAYLOADS)
    @examples("fuzz", 60, full=3000)
    def test_any_payload(self, tmp_path: Path, payload: dict[str, object]) -> None:
        (tmp_path / "out").unlink(missing_ok=True)
        decide = {"environment": {}, "forge": cast("Forge", _Permitting())}
        try:
            decision = process_comment(json.dumps(payload), **cast("Any", decide))
        except BenchDbError as error:
            assert "\n" not in str(error)  # noqa: PT017 most are refused, and some are not
            return
        output_file.write(decision.outputs, {"GITHUB_OUTPUT": str(tmp_path / "out")})
        with (tmp_path / "out").open(encoding="utf-8", newline="") as file:
            assert _outputs(file.read()) == decision.outputs

    @given(
        st.text(max_size=60)
        | st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x, max_size=3)).map(json.dumps)
    )
    @examples("fuzz", 40, full=2000)
    def test_no_payload(self, text: str) -> None:
        try:
            process_comment(text, environment={}, forge=cast("Forge", _Permitting()))
        except BenchDbError as error:
            assert "\n" not in str(error)  # noqa: PT017 most are refused, and some are not
