"""Kinds of faults between bench_db and S3 that do not end by themselves: each command ends within a minute, and says what failed."""

from __future__ import annotations

from threading import Timer
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bench_db.errors import BenchDbError
from bench_db.store.database import connect
from tests.strategies import publication
from tests.support.campaigns import rounds
from tests.support.faults import Fault, FaultRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench_db.store.database import Database
    from tests.support.faults import FaultProxy

_SECONDS = 60
_PUT, _GET = frozenset({"PUT"}), frozenset({"GET"})
_MANIFEST, _DATA, _TABLES = r"\.manifest", r"\.lance/data/", r"\.lance"
_CONNECTION = r"connection to the storage failed|failed while listing|no answer within"
_EXPIRED = r"the AWS credentials have expired while .*; renew them"
_REFUSED = r"access refused while .*; check the AWS credentials"
_BUSY = r"other writers kept coming first|connection to the storage failed|no answer within"


class Kind(NamedTuple):
    """A fault, and what a publish and a reading say of it; None: they work."""

    rule: FaultRule
    publish: str | None
    reading: str | None


def _answer(status: int, code: str, methods: frozenset[str] = frozenset(), path: str = "") -> FaultRule:
    return FaultRule(fault=Fault.ANSWER, status=status, code=code, methods=methods, path=path)


def _rule(fault: Fault, methods: frozenset[str] = frozenset(), path: str = "") -> FaultRule:
    return FaultRule(fault=fault, methods=methods, path=path)


_KINDS = {
    "expired credentials": Kind(_answer(403, "ExpiredToken"), _EXPIRED, _EXPIRED),
    "expired credentials, as S3 says it": Kind(_answer(400, "ExpiredToken"), _EXPIRED, _EXPIRED),
    "credentials that expire before the data": Kind(_answer(400, "ExpiredToken", path=_DATA), _EXPIRED, _EXPIRED),
    "no right to write": Kind(_answer(403, "AccessDenied", _PUT), _REFUSED, None),
    "no conditional writes": Kind(_answer(501, "NotImplemented", _PUT, _MANIFEST), "does not implement", None),
    "lost data": Kind(_answer(404, "NoSuchKey", path=_DATA), "damaged.*store verify", None),
    "lost answers to commits": Kind(_rule(Fault.LOSE_ANSWER, _PUT, _MANIFEST), None, None),
    "a method that is not allowed": Kind(_answer(405, "MethodNotAllowed", _PUT), "does not know.*doctor", None),
    "a whole object in place of a range": Kind(_rule(Fault.WHOLE_OBJECT, _GET, _TABLES), None, None),
    "no bucket": Kind(_answer(404, "NoSuchBucket"), "bucket does not exist", "bucket does not exist"),
    "a wrong signature": Kind(_answer(403, "SignatureDoesNotMatch"), _REFUSED, _REFUSED),
    "a wrong clock": Kind(_answer(403, "RequestTimeTooSkewed", path=_TABLES), "set the clock", "set the clock"),
    "reset commits": Kind(_rule(Fault.RESET, _PUT, _MANIFEST), _CONNECTION, None),
    "busy": Kind(_answer(503, "SlowDown"), _CONNECTION, _CONNECTION),
    "busy at commits": Kind(_answer(503, "SlowDown", _PUT, _MANIFEST), _CONNECTION, None),
    "too many requests": Kind(_answer(429, "TooManyRequests", path=_TABLES), _CONNECTION, _CONNECTION),
    "500 for data": Kind(_answer(500, "InternalError", path=_DATA), _CONNECTION, _CONNECTION),
    "502": Kind(_answer(502, "BadGateway"), _CONNECTION, _CONNECTION),
    "504 for data": Kind(_answer(504, "GatewayTimeout", path=_DATA), _CONNECTION, _CONNECTION),
    "507": Kind(_answer(507, "InsufficientStorage", _PUT, _TABLES), "doctor", None),
    "a redirection": Kind(_answer(301, "PermanentRedirect", path=_TABLES), "check the address", "check the address"),
    "409 at commits": Kind(_answer(409, "ConditionalRequestConflict", _PUT, _MANIFEST), _BUSY, None),
    "412 at commits": Kind(_answer(412, "PreconditionFailed", _PUT, _MANIFEST), _BUSY, None),
    "silence": Kind(_rule(Fault.SILENCE), _CONNECTION, _CONNECTION),
    "silence at commits": Kind(_rule(Fault.SILENCE, _PUT, _MANIFEST), _CONNECTION, None),
    "silence for data": Kind(_rule(Fault.SILENCE, path=_DATA), _CONNECTION, _CONNECTION),
    "resets": Kind(_rule(Fault.RESET), _CONNECTION, _CONNECTION),
    "cut bodies": Kind(_rule(Fault.CUT_BODY, _GET, _TABLES), _CONNECTION, _CONNECTION),
    "half bodies": Kind(_rule(Fault.SHORT_BODY, _GET, _TABLES), ".", "."),
    "more bytes promised than sent": Kind(_rule(Fault.LONG_LENGTH, _GET, _TABLES), _CONNECTION, _CONNECTION),
    "one byte a second": Kind(_rule(Fault.TRICKLE, _GET, _TABLES), _CONNECTION, _CONNECTION),
    "a page that asks to sign in": Kind(_rule(Fault.STRANGE_BODY, _GET, _TABLES), ".", "."),
    "empty bodies": Kind(_rule(Fault.EMPTY_BODY, _GET, _TABLES), ".", "."),
}
_FEW = list(_KINDS)[:9]


def _ask(proxy: FaultProxy, rule: FaultRule, ask: Callable[[], object], told: str | None) -> None:
    """Ask under a fault; a question that waits longer than a minute is released, and fails the test."""
    late: list[float] = []

    def release() -> None:
        late.append(_SECONDS)
        proxy.inject()

    timer = Timer(_SECONDS, release)
    timer.daemon = True
    proxy.inject(rule)
    timer.start()
    try:
        if told is None:
            ask()
        else:
            with pytest.raises(BenchDbError, match=told) as caught:
                ask()
            assert len(str(caught.value).splitlines()) == 1
    finally:
        timer.cancel()
        proxy.inject()
    assert not late


def _publish(database: Database, number: int) -> None:
    run, results = publication(number)
    database.publish(results, run)


@pytest.mark.campaign("faults")
@pytest.mark.filterwarnings("ignore::bench_db.DamagedStoreWarning")
class TestForEver:
    """A publish and a reading end in time with the meaning of the fault; afterwards publishing completes, and nothing is lost."""

    @pytest.mark.few(1)
    @pytest.mark.parametrize("name", rounds("faults", _FEW, full=list(_KINDS)))
    def test_a_fault(self, faulty_uri: str, proxy: FaultProxy, name: str) -> None:
        kind = _KINDS[name]
        writer = connect(faulty_uri, create=True)
        for number in range(2):
            _publish(writer, number)
        reader = connect(faulty_uri)
        assert reader.latest().height == 3
        _ask(proxy, kind.rule, lambda: _publish(writer, 2), kind.publish)
        _ask(proxy, kind.rule, reader.latest, kind.reading)
        _publish(writer, 2)
        rows = connect(faulty_uri).scan(["dut_version", "benchmark_name"]).collect()
        assert (rows.height, rows.n_unique()) == (9, 9)
