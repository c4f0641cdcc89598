"""The policy and the cost in docs/how-to/ci.md, compared with the requests to a real bucket."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import lance
import numpy as np
import pyarrow as pa
import pytest

from tests.cli.conftest import bench_db
from tests.repository import tree
from tests.support.fault_proxy import fault_proxy
from tests.support.faults import Fault, FaultRule
from tests.support.s3_server import Request, S3Server, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

PAGE = tree.text(Path("docs/how-to/ci.md"))
POLICY = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
BUCKET, URI = "my-benchmarks", "s3://my-benchmarks/lance"
DEMO = tree.ROOT / "packages/bench_db/src/bench_db/demo/pytest-benchmark"
FILES = sorted(DEMO.glob("*.json"))[:14]
COMMIT = FILES[-1].stem.partition("_")[2]
READING: list[tuple[object, ...]] = [
    ("latest",),
    ("trend", "*"),
    ("summary",),
    ("has", COMMIT),
    ("compare", COMMIT),
    ("scan", "--dry-run"),
    ("noise",),
    ("finding", "list"),
    ("baseline", "list"),
    ("query", "select count(*) from results"),
    ("store", "info"),
    ("store", "verify"),
]


def action_of(request: Request) -> str:
    """Return the permission that AWS requires for a request, by its service authorization reference."""
    query = set(parse_qs(request.query, keep_blank_values=True))
    whole = request.path.strip("/") == BUCKET
    if whole:
        wanted = {"GET": "s3:ListBucket", "HEAD": "s3:ListBucket", "POST": "s3:DeleteObject"}
        known = {"list-type", "prefix", "delimiter", "max-keys", "encoding-type", "continuation-token", "start-after"}
        return wanted[request.method] if query <= (known if request.method == "GET" else {"delete"}) else str(query)
    parts = {"uploadId", "uploads", "partNumber", "x-id"}
    if not query <= parts:  # tagging, acl, retention and the like have permissions of their own
        return str(query)
    if request.method == "DELETE":
        return "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
    return "s3:GetObject" if request.method in {"GET", "HEAD"} else "s3:PutObject"


def is_allowed(request: Request, statements: list[dict[str, Any]]) -> bool:
    """Return whether the policy allows a request, including resource and condition."""
    resource = f"arn:aws:s3:::{request.path.strip('/')}"
    prefix = parse_qs(request.query, keep_blank_values=True).get("prefix", [""])[0]
    for statement in statements:
        patterns = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        if (
            action_of(request)
            in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
            and fnmatchcase(resource, statement["Resource"])
            and (patterns is None or any(fnmatchcase(prefix, pattern) for pattern in patterns))
        ):
            return True
    return False


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        running.new_bucket(BUCKET)
        yield running


@pytest.fixture(scope="module")
def asked(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Request]]:
    """Return the S3 requests of each command, by the name of the step, from making a store to reading it."""
    found: dict[str, list[Request]] = {}
    environment = server.environment() | {"BENCH_DB_URI": URI}

    def run(name: str, *arguments: object) -> None:
        server.reset_requests()
        answer = bench_db(*arguments, **environment)
        assert answer.code == 0, answer.err
        found.setdefault(name, []).extend(server.request_log())

    run("init", "store", "init")
    run("first", "publish", FILES[0])
    run("second", "publish", FILES[1])
    for file in FILES[2:]:  # as jobs of CI do; one command would store them with one commit
        run("rest", "publish", file)
    run("again", "publish", FILES[0])
    for reading in READING:
        run(" ".join(map(str, reading[:2])), *reading)
    run("site", "site", tmp_path_factory.mktemp("site"))
    run("doctor", "doctor")
    run("scan", "scan")
    run("baseline", "baseline", "set", "main", COMMIT)
    run("tag", "store", "tag", "release")
    run("optimize", "store", "optimize")
    run("after", "latest")
    return found


@pytest.fixture(scope="module")
def broken_off(server: S3Server) -> list[Request]:
    """Interrupt the upload of a large file and return the requests."""
    rows = pa.table({"x": np.random.default_rng(1).random(1_500_000)})
    with fault_proxy(server.endpoint) as proxy:
        proxy.inject(FaultRule(fault=Fault.RESET, methods=frozenset({"PUT"}), path="partNumber=2"))
        server.reset_requests()
        options = replace(server, endpoint=proxy.endpoint).storage_options()
        with pytest.raises(OSError, match="multipart upload"):
            lance.write_dataset(rows, f"{URI}/large", storage_options=options | {"client_max_retries": "1"})
        give_up = time.monotonic() + 20
        while server.requests()["DELETE"] == 0 and time.monotonic() < give_up:
            time.sleep(0.05)  # Lance cleans up after it has raised the error
        return server.request_log()


class TestPolicy:
    """The policy allows the requests that occur, and no others."""

    def test_it_is_enough(self, asked: dict[str, list[Request]], broken_off: list[Request]) -> None:
        requests = [*broken_off, *(request for requests in asked.values() for request in requests)]
        assert len(requests) > 500
        assert [request for request in requests if not is_allowed(request, POLICY["Statement"])] == []

    def test_it_is_not_too_much(self, asked: dict[str, list[Request]], broken_off: list[Request]) -> None:
        used = {action_of(request) for requests in (*asked.values(), broken_off) for request in requests}
        allowed = {word for s in POLICY["Statement"] for word in re.findall(r"s3:[A-Za-z]+", str(s["Action"]))}
        assert used == allowed

    @pytest.mark.parametrize("name", [*(" ".join(map(str, reading[:2])) for reading in READING), "site"])
    def test_who_only_reads_needs_two(self, name: str, asked: dict[str, list[Request]]) -> None:
        assert "Somebody who only reads needs `s3:ListBucket` and `s3:GetObject`" in PAGE
        assert {action_of(request) for request in asked[name]} == {"s3:ListBucket", "s3:GetObject"}

    def test_the_check_sees_what_is_not_allowed(self) -> None:
        def put(path: str, query: str = "", method: str = "PUT") -> Request:
            return Request(method=method, path=path, query=query, status=200)

        refused = [
            put("/my-benchmarks/other/x"),
            put("/my-benchmarks/lance/x", "tagging"),
            put("/my-benchmarks", "list-type=2&prefix=other/", "GET"),
            put("/my-benchmarks", "list-type=2", "GET"),
            put("/my-benchmarks", "", "HEAD"),
            put("/my-benchmarks", "location", "GET"),
        ]
        assert [request for request in refused if is_allowed(request, POLICY["Statement"])] == []
        assert is_allowed(put("/my-benchmarks/lance/x"), POLICY["Statement"])


class TestCost:
    """The number of requests of a publish is that of the page, and their cost is not higher."""

    SAID = re.compile(
        r"A publish asks the bucket (\d+) times to write, (\d+) times to list\s+and up to (\d+) times to read,"
        r" fewer after the maintenance that follows every fifty publishes"
    )

    def test_a_publish(self, asked: dict[str, list[Request]]) -> None:
        said = self.SAID.search(PAGE)
        assert said
        writes, lists, reads = map(int, said.groups())
        first, second, again = (Counter(map(action_of, asked[name])) for name in ("first", "second", "again"))
        assert (second["s3:PutObject"], second["s3:ListBucket"]) == (writes, lists)
        more = (again["s3:GetObject"] - first["s3:GetObject"]) / len(FILES)
        assert first["s3:GetObject"] + 50 * more <= reads
        dollars = ((writes + lists) * 5 + reads * 0.4) / 1e6
        assert 0.00005 < dollars < 0.00015
        assert re.search(r"600\s+publishes, less than 10 cents a month", PAGE)
        assert 600 * dollars < 0.10

    def test_maintenance(self, asked: dict[str, list[Request]]) -> None:
        assert len(asked["after"]) <= 12 < len(asked["latest"])
