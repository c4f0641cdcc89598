from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest

from bench_db.ci.web import Web, origin
from bench_db.errors import DeliveryError
from tests.support.clocks import Slept
from tests.support.receivers import Fault, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.receivers import FakeReceiver


@pytest.fixture
def server() -> Iterator[FakeReceiver]:
    with receiver() as state:
        yield state


class TestSend:
    """A request is repeated within its deadline where that is right."""

    @pytest.mark.parametrize(
        ("fault", "silence", "after_fault", "requests"),
        [
            (Fault(status=0), True, True, 2),
            (Fault(status=0), False, True, 1),
            (Fault(status=500), False, True, 2),
            (Fault(status=500), True, False, 1),
            (Fault(status=429, headers={"Retry-After": "9"}), False, False, 2),
            (Fault(status=404), True, True, 1),
            (Fault(status=302, headers={"Location": "/elsewhere"}), True, True, 1),
        ],
        ids=["silence", "silence once", "500", "500 once", "429", "404", "redirect"],
    )
    def test_repeated(
        self, server: FakeReceiver, fault: Fault, *, silence: bool, after_fault: bool, requests: int
    ) -> None:
        server.faults = [fault]
        slept = Slept()
        web = Web(clock=slept.clock(), deadline_seconds=60, secrets=())
        with suppress(DeliveryError):
            web.send("POST", f"{server.url}/x", {}, after_silence=silence, after_fault=after_fault)
        assert len(server.requests) == requests
        assert len(slept.seconds) == requests - 1

    @pytest.mark.parametrize(("status", "is_refusal"), [(0, False), (302, True), (404, True), (500, False)])
    def test_whether_the_server_certainly_did_not_act(
        self, server: FakeReceiver, status: int, *, is_refusal: bool
    ) -> None:
        server.faults = [Fault(status=status)]
        web = Web(clock=Slept().clock(), deadline_seconds=60, secrets=())
        with pytest.raises(DeliveryError) as caught:
            web.send("POST", server.url, {}, after_silence=False, after_fault=False)
        assert (caught.value.is_refusal, caught.value.status) == (is_refusal, status)

    def test_a_wait_beyond_the_deadline(self, server: FakeReceiver) -> None:
        server.faults = [Fault(status=429, headers={"Retry-After": "3600"})]
        slept = Slept()
        with pytest.raises(DeliveryError, match="429") as caught:
            Web(clock=slept.clock(), deadline_seconds=60, secrets=()).send("POST", server.url, {})
        assert caught.value.is_refusal
        assert slept.seconds == []

    @pytest.mark.parametrize("text", ["<html>", '{"a": 1}'])
    def test_an_unexpected_answer(self, text: str) -> None:
        web = Web(clock=Slept().clock(), deadline_seconds=60, secrets=())
        answer = httpx.Response(200, text=text, request=httpx.Request("GET", "https://example.org/secret"))
        with pytest.raises(DeliveryError, match=r"^https://example.org answered something unexpected: ") as caught:
            web.read(answer, list[int])
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("url", ["https://example.org:secret/", "https://exa\x00mple/secret"])
    def test_no_address(self, url: str) -> None:
        with pytest.raises(DeliveryError, match=r"not an address$") as caught:
            Web(clock=Slept().clock(), deadline_seconds=60, secrets=()).send("POST", url, {})
        assert caught.value.is_refusal
        assert "secret" not in str(caught.value)


class TestSecrets:
    """Neither an error, a log of httpx nor a repr has an address or a token."""

    def test_logs(self, server: FakeReceiver, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        url = f"{server.url}/services/T0000000/abcdefgh"
        web = Web(clock=Slept().clock(), deadline_seconds=60, secrets=(url,))
        web.send("POST", url, {})
        assert "HTTP Request: POST ***" in caplog.text
        assert "abcdefgh" not in caplog.text + repr(web)

    def test_the_query_of_an_address_in_an_error_and_in_a_log(
        self, server: FakeReceiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        """httpx writes the host in lower case, so that the address in its log is not the one of the variable."""
        caplog.set_level(logging.DEBUG)
        server.faults = [Fault(status=401, text=b"The signature S1g+/Secret is not \x1b[31mvalid")]
        url = f"{server.url.replace('127.0.0.1', 'LOCALHOST')}/workflows/w/invoke?v=1&sig=S1g%2B%2FSecret&x=ab%ZZ"
        web = Web(clock=Slept().clock(), deadline_seconds=60, secrets=(url,))
        with pytest.raises(DeliveryError) as caught:
            web.send("POST", url, {})
        assert str(caught.value) == "http://localhost: 401 The signature *** is not \ufffd[31mvalid"
        assert "HTTP Request: POST http://localhost" in caplog.text
        assert "S1g" not in caplog.text

    def test_a_secret_at_the_end_of_a_shortened_text(self, server: FakeReceiver) -> None:
        server.faults = [Fault(status=401, text=b"x" * 190 + b" the-secret-token")]
        web = Web(clock=Slept().clock(), deadline_seconds=60, secrets=("the-secret-token",))
        with pytest.raises(DeliveryError, match=r"x \*\*\*$"):
            web.send("POST", server.url, {})

    def test_origin(self) -> None:
        assert origin("https://user@example.org:8443/secret?x=1") == "https://example.org"
