from __future__ import annotations

import ssl

import pytest

from bench_db.ci.retries import certificate_fault, checked_address, is_loopback, pause_before_retry, rate_limit_wait
from bench_db.errors import UserError
from tests.support.clocks import Slept


class TestAddress:
    """A secret goes over HTTPS alone, except to this machine; no error has more of an address than its host."""

    @pytest.mark.parametrize("address", ["https://example.org/x", "http://127.0.0.1:1/x", "http://localhost/x"])
    def test_taken(self, address: str) -> None:
        assert checked_address(address, "a", "b", "c") == address

    @pytest.mark.parametrize("address", ["http://example.org/secret", "ftp://example.org/secret", "secret", ""])
    def test_not_encrypted(self, address: str) -> None:
        with pytest.raises(UserError, match=r"address of a webhook must begin with https:// \(address_env\)") as caught:
            checked_address(address, "a webhook", "b", "address_env")
        assert "secret" not in str(caught.value)

    def test_none(self) -> None:
        with pytest.raises(UserError, match=r"^the address of a webhook is none \(c\)$"):
            checked_address("https://[secret", "a webhook", "b", "c")

    def test_a_password(self) -> None:
        with pytest.raises(UserError, match="must not hold a password; do this"):
            checked_address("https://u:secret@example.org", "a webhook", "do this", "c")

    def test_loopback(self) -> None:
        assert [is_loopback(host) for host in ("127.0.0.1", "localhost", "example.org", None)] == [
            True,
            True,
            False,
            False,
        ]


class TestWaits:
    """A server that names a time is waited for so long."""

    def test_pauses_double(self) -> None:
        assert [pause_before_retry(attempt, Slept().clock()) for attempt in (1, 2, 3, 20)] == [0.75, 1.5, 3.0, 45.0]

    @pytest.mark.parametrize(
        ("status", "headers", "seconds"),
        [
            (429, {"retry-after": "17"}, 17.0),
            (429, {"retry-after": "Fri, 15 Jan 2027 08:00:20 GMT", "date": "Fri, 15 Jan 2027 08:00:00 GMT"}, 20.0),
            (429, {}, 60.0),
            (403, {}, None),
            (500, {"retry-after": "17"}, None),
        ],
    )
    def test_rate_limits(self, status: int, headers: dict[str, str], seconds: float | None) -> None:
        assert rate_limit_wait(status, headers, "", 1, Slept().clock()) == seconds


class TestCertificateFault:
    """The cause of a chain of errors is found, and what to do is said."""

    def test_of_a_chain(self) -> None:
        cause = ssl.SSLCertVerificationError("x")
        cause.verify_message = "self-signed certificate"
        outer = OSError("no answer")
        outer.__cause__ = cause
        for error in (cause, outer):
            said = certificate_fault(error) or ""
            assert said.startswith(
                "its certificate is not trusted (self-signed certificate); the variable SSL_CERT_FILE"
            )

    def test_of_another_cause(self) -> None:
        assert certificate_fault(OSError("refused")) is None
