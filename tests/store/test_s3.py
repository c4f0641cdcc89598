from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from botocore.loaders import JSONFileLoader

from bench_db.errors import StoreNotFoundError, StoreUnavailableError, UserError
from bench_db.store import engine, s3
from bench_db.store.database import Database, connect
from bench_db.store.doctor import examine
from bench_db.store.engine import Deadlines, Engine, locate
from bench_db.store.publish import Entry
from bench_db.store.s3 import Bucket
from tests.strategies import commit_of, publication
from tests.support.faults import Fault, FaultProxy, FaultRule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from tests.support.s3_server import Request, S3Server

pytestmark = pytest.mark.sample(7)

_LOG = logging.getLogger(__name__)
_SECRET = "hush-hush-5eCr3t"
_PUT = frozenset({"PUT"})


def _publish(database: Database, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        run, results = publication(number)
        database.publish(results, run)


def _maintained(uri: str) -> None:
    """Make a store of 12 runs, in one write of each table: it is as after 12 publishes and maintenance."""
    database = connect(uri, create=True)
    assert len(list(database.publish_many(Entry(*publication(number)) for number in range(12)))) == 12
    database.optimize()


def _listed(asked: Sequence[Request]) -> int:
    """Count the listings among requests."""
    return sum(1 for request in asked if "list-type" in request.query)


def _complete(uri: str, count: int) -> bool:
    """Whether runs 0 ... count - 1 are there, each row once."""
    database = connect(uri)
    rows = database.scan(["dut_version", "benchmark_name"]).collect()
    runs = database.runs().select("dut_version").collect()
    return (rows.height, rows.n_unique(), runs.height, runs.n_unique()) == (3 * count, 3 * count, count, count)


class TestBucket:
    """A store in a bucket does what one in a directory does."""

    def test_published_and_read(self, bucket_uri: str) -> None:
        database = connect(bucket_uri, create=True)
        _publish(database, 3)
        _publish(database, 3)
        assert _complete(bucket_uri, 3)
        assert database.trend("bench 1")["dut_version"].to_list() == ["1.0.0", "1.0.1", "1.0.2"]
        assert database.latest()["dut_version"].to_list() == ["1.0.2"] * 3
        assert database.has(commit_of(1)[:10]).present
        assert not database.has(commit_of(9)).present
        database.optimize()
        assert _complete(bucket_uri, 3)
        assert database.latest()["dut_version"].to_list() == ["1.0.2"] * 3
        assert database.lancedb().open_table("results").count_rows() == 9

    @pytest.mark.parametrize("prefix", ["", "/", "a b/ü#%20", "a%2520b%3F", "deep/er/"])
    def test_any_prefix(self, bucket_uri: str, server: S3Server, prefix: str) -> None:
        uri = f"s3://{server.new_bucket()}/{prefix}"
        if "#" in prefix:
            with pytest.raises(UserError):
                connect(uri)
            uri = uri.replace("#", "")
        run, results = publication(0)
        connect(uri, create=True).publish(results, run)
        assert _complete(uri, 1)
        assert connect(connect(uri).uri).uri == connect(uri).uri != bucket_uri
        with closing(server.client()) as client:
            keys = [item["Key"] for item in client.list_objects_v2(Bucket=uri.split("/")[2])["Contents"]]
        assert {key.partition("results.lance")[0] for key in keys if "results.lance" in key} == {
            f"{unquote(prefix).replace('#', '').strip('/')}/".lstrip("/")
        }

    @pytest.mark.slow
    def test_a_bucket_with_a_thousand_other_directories(self, bucket_uri: str, server: S3Server) -> None:
        bucket = bucket_uri.split("/")[2]
        for number in range(1001):
            server.put(bucket, f"a{number}/file", b"")
        run, results = publication(0)
        connect(f"s3://{bucket}", create=True).publish(results, run)
        assert _complete(f"s3://{bucket}", 1)

    def test_opening_creates_nothing(self, bucket_uri: str, server: S3Server) -> None:
        with pytest.raises(StoreNotFoundError):
            connect(bucket_uri)
        with closing(server.client()) as client:
            assert client.list_objects_v2(Bucket=bucket_uri.split("/")[2])["KeyCount"] == 0

    def test_another_session_parses_no_file_of_botocore_again(
        self, bucket_uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(bucket_uri, create=True)
        parsed: list[str] = []
        monkeypatch.setattr(JSONFileLoader, "load_file", lambda _, path: parsed.append(path))
        assert connect(bucket_uri).runs().collect().is_empty()
        assert parsed == []

    def test_the_probe_is_one_object_for_all_writers(self, bucket_uri: str, server: S3Server) -> None:
        connect(bucket_uri, create=True)
        server.reset_requests()
        connect(bucket_uri, create=True)
        assert server.requests()["PUT"] == 1
        with closing(server.client()) as client:
            listed = client.list_objects_v2(Bucket=bucket_uri.split("/")[2])["Contents"]
            assert [item["Key"] for item in listed if "probe" in item["Key"]] == ["some/prefix/.bench-db-probe"]
            examine(bucket_uri)
            listed = client.list_objects_v2(Bucket=bucket_uri.split("/")[2])["Contents"]
        assert not [item["Key"] for item in listed if "probe" in item["Key"]]


class TestRequests:
    """A question costs few requests: the store is far away."""

    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Use what the opening has listed however long the machine takes until the question."""
        for module in (engine, s3):
            monkeypatch.setattr(module, "_FRESH_SECONDS", 3600.0)

    def test_open_and_the_rows_of_one_commit(self, bucket_uri: str, server: S3Server) -> None:
        _maintained(bucket_uri)
        server.reset_requests()
        rows = connect(bucket_uri).scan(["benchmark_name", "median"], where={"commit": commit_of(5)}).collect()
        asked = server.requests()
        _LOG.info("open and the rows of one commit: %s", dict(asked))
        assert rows.height == 3
        assert asked.total() <= 12

    def test_has(self, bucket_uri: str, server: S3Server) -> None:
        _maintained(bucket_uri)
        server.reset_requests()
        assert connect(bucket_uri).has(commit_of(5)).present
        _LOG.info("open and has: %s", dict(server.requests()))
        assert server.requests().total() <= 12

    @pytest.mark.parametrize(
        ("ask", "listings", "requests"),
        [(lambda database: database.trend("bench 1"), 3, 9), (lambda database: database.summary(), 4, 12)],
        ids=["trend", "summary"],
    )
    def test_a_question_of_history(
        self,
        bucket_uri: str,
        server: S3Server,
        ask: Callable[[Database], pl.DataFrame],
        listings: int,
        requests: int,
    ) -> None:
        _maintained(bucket_uri)
        server.reset_requests()
        assert not ask(connect(bucket_uri)).is_empty()
        asked = server.request_log()
        _LOG.info("open and a question of history: %s", asked)
        assert _listed(asked) == listings  # what is in the store, and the versions of each table
        assert len(asked) <= requests

    def test_publishing(self, bucket_uri: str, server: S3Server) -> None:
        _maintained(bucket_uri)
        server.reset_requests()
        run, results = publication(12)
        assert connect(bucket_uri).publish(results, run, commits=lambda: ()).new == 3
        asked = server.request_log()
        _LOG.info("open and publish: %s", asked)
        # What is in the store; then for each question and each write the versions of its table.
        assert _listed(asked) == 1 + 4 + 3
        assert len(asked) <= 29
        # One question for the records of the commit, one for the keys of all.
        assert sum(1 for request in asked if request.method == "GET" and "commits.lance/data" in request.path) <= 2

    def test_publishing_again(self, bucket_uri: str, server: S3Server) -> None:
        database = connect(bucket_uri, create=True)
        _publish(database, 2)
        server.reset_requests()
        _publish(database, 1)
        _LOG.info("publishing what is there: %s", dict(server.requests()))
        assert server.requests()["PUT"] == 0
        assert server.requests().total() <= 16


class TestConditionalWrites:
    """Without If-None-Match two writers lose data silently, so such an endpoint is refused, unless there is one writer."""

    def test_refused(self, faulty_uri: str, proxy: FaultProxy) -> None:
        proxy.inject(FaultRule(fault=Fault.IGNORE_CONDITION))
        run, results = publication(0)
        with pytest.raises(StoreUnavailableError, match=r"If-None-Match.*--single-writer"):
            connect(faulty_uri, create=True)
        with pytest.raises(StoreNotFoundError):
            connect(faulty_uri)
        connect(faulty_uri, create=True, single_writer=True).publish(results, run)
        with pytest.raises(StoreUnavailableError, match="If-None-Match"):
            connect(faulty_uri).publish(results, run)
        assert _complete(faulty_uri, 1)


class TestFaults:
    """Whatever the network does to a publish, it ends complete and once, or with an error that changes nothing."""

    @pytest.mark.parametrize(
        "rule",
        [
            FaultRule(fault=Fault.SLOW_DOWN, times=2),
            FaultRule(fault=Fault.SLOW_DOWN, share=0.1, seed=3),
            FaultRule(fault=Fault.RESET, share=0.1, seed=5),
            FaultRule(fault=Fault.LOSE_ANSWER, methods=_PUT, path=r"\.manifest", times=1),
            FaultRule(fault=Fault.LOSE_ANSWER, methods=_PUT, path=r"results.*\.manifest", times=1),
            FaultRule(fault=Fault.LOSE_ANSWER, methods=_PUT, path="probe", times=1),
            FaultRule(fault=Fault.LOSE_ANSWER, share=0.1, seed=2),
            FaultRule(fault=Fault.DELAY, share=0.2, delay_seconds=0.3),
        ],
        ids=lambda rule: f"{rule.fault.name} {rule.path} {rule.share}",
    )
    def test_complete_and_not_doubled(self, faulty_uri: str, proxy: FaultProxy, rule: FaultRule) -> None:
        connect(faulty_uri, create=True)
        proxy.inject(rule)
        _publish(connect(faulty_uri), 3)
        assert proxy.injected()[rule.fault] > 0
        proxy.inject()
        assert _complete(faulty_uri, 3)

    @pytest.mark.slow
    def test_a_failed_publish_is_completed_by_the_next(self, faulty_uri: str, proxy: FaultProxy) -> None:
        database = connect(faulty_uri, create=True)
        proxy.inject(FaultRule(fault=Fault.RESET, methods=_PUT, path=r"results\.lance"))
        with pytest.raises(StoreUnavailableError):
            _publish(database, 1)
        proxy.inject()
        assert connect(faulty_uri).scan().collect().height == 0
        _publish(database, 1)
        assert _complete(faulty_uri, 1)


class TestDeadlines:
    """A server that accepts and never answers costs seconds, and is called unavailable, whatever was asked of it."""

    @pytest.mark.slow
    def test_at_first_contact(self, faulty_uri: str, proxy: FaultProxy) -> None:
        proxy.inject(FaultRule(fault=Fault.SILENCE))
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            connect(faulty_uri, create=True)
        assert time.monotonic() - started < 15

    @pytest.mark.parametrize(
        "ask",
        [
            lambda database: database.results(),
            lambda database: database.has(commit_of(1)),
            lambda database: database.latest(),
            lambda database: database.trend("bench 1"),
            lambda database: database.scan(["median"]).collect(),
            lambda database: database.summary(),
            lambda database: database.query("select max(median) from results"),
            lambda database: database.runs().collect(),
            lambda database: database.publish(*reversed(publication(1))),
            lambda database: database.publish(*reversed(publication(9))),
            lambda database: database.optimize(),
        ],
        ids=[
            "results",
            "has",
            "latest",
            "trend",
            "scan",
            "summary",
            "query",
            "runs",
            "publish-again",
            "publish",
            "optimize",
        ],
    )
    def test_later(self, faulty_uri: str, proxy: FaultProxy, ask: Callable[[Database], object]) -> None:
        location = locate(faulty_uri)
        _publish(connect(faulty_uri, create=True), 2)
        database = Database(Engine(location, Bucket(location), Deadlines(read=1.0, write=1.0, bulk=1.0)))
        assert database.info().tables
        proxy.inject(FaultRule(fault=Fault.SILENCE, path=r"\.lance/data/"))
        _release_after(proxy, 12)
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            ask(database)
        assert time.monotonic() - started < 8
        proxy.inject()


def _release_after(proxy: FaultProxy, seconds: float) -> None:
    """Let a call without a deadline go in the end, so that it fails the test and does not hold up the rest."""
    from threading import Timer

    timer = Timer(seconds, proxy.inject)
    timer.daemon = True
    timer.start()
